package anthropic

import (
	"mime"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// Limits on what one request may ask for.
const (
	maxModelName = 256
	maxTokens    = 1_000_000_000
)

// asked is an ask with what splicing its body takes.
type asked struct {
	ask dialect.Ask
	// model is where the model's name stands, messages where the turns do.
	model, messages jsonscan.Value
	size            size
}

// newAsk is [Surface.Ask].
func newAsk(op dialect.Operation, h *sluice.Head, body []byte) (*dialect.Ask, error) {
	a := &asked{}
	a.ask = dialect.Ask{Surface: Name, Operation: op, Choices: 1, WantsUsage: true, Head: h, Body: body, Detail: a}
	if op.Local {
		a.ask.Model = op.Model
		return &a.ask, nil
	}
	if err := checkHead(h); err != nil {
		return nil, err
	}
	a.ask.ContentType = "application/json"
	if err := a.read(); err != nil {
		return nil, err
	}
	a.ask.InputUpper, a.ask.InputEstimate = a.size.tokens()
	a.ask.Front = &front{body: body, stream: a.ask.Stream, counting: op.Name == dialect.OpCount}
	return &a.ask, nil
}

// checkHead accepts bodies of plain JSON in UTF-8.
func checkHead(h *sluice.Head) error {
	if coding := h.Fields.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return sluice.Errorf(sluice.CodeMediaType, "Content-Encoding %q is not accepted, send the body as it is", clip(coding)).At("Content-Encoding")
	}
	given := h.Fields.Get("Content-Type")
	if given == "application/json" {
		return nil
	}
	kind, params, err := mime.ParseMediaType(given)
	if err != nil || kind != "application/json" {
		return sluice.Errorf(sluice.CodeMediaType, "Content-Type %q is not accepted here, send application/json", clip(given)).At("Content-Type")
	}
	if set := params["charset"]; set != "" && !strings.EqualFold(set, "utf-8") && !strings.EqualFold(set, "us-ascii") {
		return sluice.Errorf(sluice.CodeMediaType, "charset %q is not accepted, send UTF-8", clip(set)).At("Content-Type")
	}
	return nil
}

// watched are the top-level members that mean something to the gateway, in the
// order of their places in [found]. Each may stand once: of two, the gateway
// might check one and the target obey the other.
var watched = [...]string{"model", "stream", "max_tokens", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "container"}

// The places in [found].
const (
	atModel = iota
	atStream
	atMaxTokens
	atMessages
	atSystem
	atTools
	atToolChoice
	atThinking
	atOutputConfig
	atContainer
)

// found are the values of the watched members.
type found [len(watched)]jsonscan.Value

// read reads the body in one pass over its top level.
func (a *asked) read() error {
	var f found
	members := jsonscan.Document(a.ask.Body)
	for members.Next() {
		at, err := place(members.Key())
		if err != nil {
			return err
		}
		if at < 0 {
			continue
		}
		if f[at].Kind != jsonscan.None {
			return sluice.Errorf(sluice.CodeInvalidRequest, "%s is given twice", watched[at]).At("/" + watched[at])
		}
		f[at] = members.Value()
	}
	if err := members.Err(); err != nil {
		return sluice.Errorf(sluice.CodeInvalidRequest, "%s", err.Error())
	}
	for _, step := range [...]func(*found) error{a.readModel, a.readStream, a.readCap, a.readMessages, a.readTools, a.readOutput, a.readStored} {
		if err := step(&f); err != nil {
			return err
		}
	}
	return nil
}

// readOutput notes what else the request needs of a model.
func (a *asked) readOutput(f *found) error {
	body := a.ask.Body
	thinking := jsonscan.Find(body, f[atThinking], "type")
	a.ask.NeedsReasoning = jsonscan.Is(body, thinking, "enabled") || jsonscan.Is(body, thinking, "adaptive")
	a.ask.NeedsSchema = jsonscan.Is(body, jsonscan.Find(body, jsonscan.Find(body, f[atOutputConfig], "format"), "type"), "json_schema")
	return nil
}

// place returns where a member of that name goes, -1 if it means nothing. A name
// that differs in case only is an error: some targets would take it for the real
// one.
func place(name []byte) (int, error) {
	for i, w := range watched {
		if string(name) == w {
			return i, nil
		}
		if len(name) == len(w) && strings.EqualFold(string(name), w) {
			return 0, sluice.Errorf(sluice.CodeInvalidRequest, "member %q must be written %q", name, w).At("/" + w)
		}
	}
	return -1, nil
}

// node is a watched member as a node.
func (a *asked) node(f *found, at int) node {
	return node{doc: a.ask.Body, value: f[at], field: "/" + watched[at]}
}

func (a *asked) readModel(f *found) error {
	n := a.node(f, atModel)
	name, err := n.filled()
	if err != nil {
		return err
	}
	if len(name) > maxModelName {
		return n.invalid("must be 1 to %d bytes long", maxModelName)
	}
	a.ask.Model, a.model = name, n.value
	return nil
}

func (a *asked) readStream(f *found) error {
	stream, err := a.node(f, atStream).boolean()
	a.ask.Stream = stream != nil && *stream && a.ask.Operation.Name == dialect.OpChat
	return err
}

// readCap reads max_tokens, which this API requires of messages.
func (a *asked) readCap(f *found) (err error) {
	n := a.node(f, atMaxTokens)
	if a.ask.Operation.Name == dialect.OpCount && !n.given() {
		return nil
	}
	a.ask.MaxTokens, err = n.integer(0, maxTokens)
	return err
}

func (a *asked) readMessages(f *found) error {
	n := a.node(f, atMessages)
	if n.value.Kind != jsonscan.Array {
		return n.wants("an array")
	}
	if jsonscan.Empty(a.ask.Body, n.value) {
		return n.invalid("must not be empty")
	}
	a.messages = n.value
	a.measure()
	return nil
}

// readTools notes what the request needs of a model.
func (a *asked) readTools(f *found) error {
	if n := a.node(f, atTools); n.given() {
		if n.value.Kind != jsonscan.Array {
			return n.wants("an array")
		}
		a.ask.NeedsFunctions = !jsonscan.Empty(a.ask.Body, n.value)
	}
	n := a.node(f, atToolChoice)
	if !n.given() {
		return nil
	}
	if n.value.Kind != jsonscan.Object {
		return n.wants("an object")
	}
	kind := jsonscan.Find(a.ask.Body, n.value, "type")
	a.ask.NeedsToolChoice = jsonscan.Is(a.ask.Body, kind, "any") || jsonscan.Is(a.ask.Body, kind, "tool")
	return nil
}
