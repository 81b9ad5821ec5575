package gemini

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/url"
	"strconv"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// Limits on what one request may ask for.
const (
	maxModelName = 256
	maxChoices   = 128
	maxTokens    = 1_000_000_000
)

// reading is an ask with what is known of its body.
type reading struct {
	ask  dialect.Ask
	verb string
	// array tells that the client wants a stream as a JSON array.
	array bool
	// begun tells that the array has an element.
	begun bool
	// models are where the body names the model again.
	models []jsonscan.Value
	// conversation is the object that holds contents, and inside its place in
	// the body as a JSON pointer: counting may wrap it.
	conversation jsonscan.Value
	inside       string
	size         size
}

// newAsk is [Surface.Ask].
func newAsk(op dialect.Operation, h *sluice.Head, body []byte) (*dialect.Ask, error) {
	r := &reading{verb: strings.TrimPrefix(op.Path, ":")}
	r.ask = dialect.Ask{Surface: Name, Operation: op, Model: op.Model, Choices: 1, Head: h, Body: body, Detail: r}
	if op.Local {
		return &r.ask, nil
	}
	if verbs[r.verb] == "" {
		return nil, unknown(op.Path)
	}
	if op.Model == "" || len(op.Model) > maxModelName {
		return nil, sluice.Errorf(sluice.CodeInvalidRequest, "the model in the path must be 1 to %d bytes long", maxModelName).At("model")
	}
	if err := r.checkHead(h); err != nil {
		return nil, err
	}
	if err := r.readBody(); err != nil {
		return nil, err
	}
	r.ask.InputUpper, r.ask.InputEstimate = r.size.tokens()
	r.ask.Front = &front{reading: r}
	return &r.ask, nil
}

// checkHead reads what is not in the body: its type, and the form of a stream.
func (r *reading) checkHead(h *sluice.Head) error {
	if coding := h.Fields.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return sluice.Errorf(sluice.CodeMediaType, "Content-Encoding %q is not accepted, send the body as it is", clip(coding)).At("Content-Encoding")
	}
	r.ask.ContentType = h.Fields.Get("Content-Type")
	if kind, params, err := mime.ParseMediaType(r.ask.ContentType); err != nil || kind != "application/json" {
		return sluice.Errorf(sluice.CodeMediaType, "Content-Type %q is not accepted here, send application/json", clip(r.ask.ContentType)).At("Content-Type")
	} else if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		return sluice.Errorf(sluice.CodeMediaType, "charset %q is not accepted, send UTF-8", clip(charset)).At("Content-Type")
	}
	query, err := url.ParseQuery(h.RawQuery)
	if err != nil {
		return sluice.Errorf(sluice.CodeInvalidRequest, "the query cannot be read").At("alt")
	}
	alt := query.Get("alt") + query.Get("$alt")
	switch strings.ToLower(alt) {
	case "", "json", "sse":
	default:
		return sluice.Errorf(sluice.CodeInvalidRequest, "alt %q must be json or sse", clip(alt)).At("alt")
	}
	r.ask.Stream = r.verb == verbStream
	r.array = r.ask.Stream && !strings.EqualFold(alt, "sse")
	return nil
}

// known are the members of the body that are looked at; each may stand once, in
// either spelling: of two, the gateway might check one and the target obey the
// other.
var known = []string{
	"contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings", "cachedContent", "model",
	"generateContentRequest", "content", "requests", "taskType", "title", "outputDimensionality",
}

// names gives the members of an object by their names in camelCase.
func names(doc []byte, object jsonscan.Value, at string) (map[string]jsonscan.Value, error) {
	found := map[string]jsonscan.Value{}
	members := object.Members(doc)
	for members.Next() {
		name := camel(string(members.Key()))
		for _, k := range known {
			if name != k && strings.EqualFold(name, k) {
				return nil, form.Refuse(at+"/"+k, "member %q must be written %q", clip(name), k)
			}
		}
		if _, twice := found[name]; twice {
			return nil, form.Refuse(at+"/"+name, "%s is given twice", clip(name))
		}
		found[name] = members.Value()
	}
	return found, nil
}

// given reports whether a member is there and not null, which counts as absent.
func given(v jsonscan.Value) bool { return v.Kind != jsonscan.None && v.Kind != jsonscan.Null }

// object returns the object that a body consists of.
func object(body []byte) (jsonscan.Value, error) {
	v := jsonscan.At(body, 0)
	if v.Kind == jsonscan.Object && len(bytes.TrimSpace(body[v.End:])) == 0 {
		return v, nil
	}
	members := jsonscan.Document(body)
	for members.Next() {
		continue // to where the fault is
	}
	return v, sluice.Errorf(sluice.CodeInvalidRequest, "%v", members.Err())
}

// readBody reads the body in one pass over its upper levels.
func (r *reading) readBody() error {
	body := r.ask.Body
	document, err := object(body)
	if err != nil {
		return err
	}
	r.size.text = int64(len(body))
	switch r.ask.Operation.Name {
	case dialect.OpEmbeddings:
		return r.readEmbed(document)
	case dialect.OpCount:
		found, err := names(body, document, "")
		if err != nil {
			return err
		}
		if v := found["generateContentRequest"]; given(v) {
			if given(found["contents"]) {
				return form.Refuse("/contents", "contents and generateContentRequest exclude each other")
			}
			r.inside = "/generateContentRequest"
			return r.readConversation(v)
		}
	}
	return r.readConversation(document)
}

// readConversation reads a GenerateContentRequest.
func (r *reading) readConversation(object jsonscan.Value) error {
	if object.Kind != jsonscan.Object {
		return form.Refuse(r.inside, "%s must be an object, not %s", r.inside, object.Kind)
	}
	found, err := names(r.ask.Body, object, r.inside)
	if err != nil {
		return err
	}
	r.conversation = object
	if given(found["cachedContent"]) {
		return form.Refuse(r.inside+"/cachedContent", "cached contents are not supported: they would be kept in an account at the provider that tenants share")
	}
	if err := r.readModel(found["model"], r.inside+"/model"); err != nil {
		return err
	}
	if err := r.readContents(found); err != nil {
		return err
	}
	if err := r.readConfig(found["generationConfig"]); err != nil {
		return err
	}
	return r.readTools(found)
}

// readModel checks a model's name in the body against that in the path: the
// gateway has decided by the one, and a target might obey the other.
func (r *reading) readModel(v jsonscan.Value, field string) error {
	if !given(v) {
		return nil
	}
	name, ok := jsonscan.Text(r.ask.Body, v)
	if !ok {
		return form.Refuse(field, "model must be a string, not %s", v.Kind)
	}
	if strings.TrimPrefix(name, "models/") != r.ask.Model {
		return form.Refuse(field, "model %q is not the one in the path", clip(name))
	}
	r.models = append(r.models, v)
	return nil
}

// readConfig reads what bounds the answer's size.
func (r *reading) readConfig(v jsonscan.Value) error {
	field := r.inside + "/generationConfig"
	if !given(v) {
		return nil
	}
	if v.Kind != jsonscan.Object {
		return form.Refuse(field, "generationConfig must be an object, not %s", v.Kind)
	}
	found, err := names(r.ask.Body, v, field)
	if err != nil {
		return err
	}
	limits := []struct {
		name string
		low  int64
		high int64
		to   *int64
	}{{"maxOutputTokens", 0, maxTokens, &r.ask.MaxTokens}, {"candidateCount", 0, maxChoices, &r.ask.Choices}}
	for _, limit := range limits {
		v := found[limit.name]
		if !given(v) {
			continue
		}
		n, ok := wholeNumber(v.In(r.ask.Body))
		if !ok {
			return form.Refuse(field+"/"+limit.name, "%s must be an integer", limit.name)
		}
		if n < limit.low || n > limit.high {
			return form.Refuse(field+"/"+limit.name, "%s must be %d to %d", limit.name, limit.low, limit.high)
		}
		*limit.to = n
	}
	r.ask.Choices = max(r.ask.Choices, 1)
	r.ask.NeedsSchema = given(found["responseSchema"]) || given(found["responseJsonSchema"])
	r.ask.NeedsReasoning = r.thinks(found["thinkingConfig"])
	return nil
}

// thinks reports whether a configuration asks for thought.
func (r *reading) thinks(config jsonscan.Value) bool {
	for m := config.Members(r.ask.Body); m.Next(); {
		switch v := m.Value(); camel(string(m.Key())) {
		case "thinkingLevel":
			return given(v)
		case "thinkingBudget":
			n, ok := wholeNumber(v.In(r.ask.Body))
			return ok && n != 0
		}
	}
	return false
}

// readTools notes what the request needs of a model.
func (r *reading) readTools(found map[string]jsonscan.Value) error {
	body := r.ask.Body
	if v := found["tools"]; given(v) {
		if v.Kind != jsonscan.Array {
			return form.Refuse(r.inside+"/tools", "tools must be an array, not %s", v.Kind)
		}
		for e := v.Elements(body); e.Next(); {
			for m := e.Value().Members(body); m.Next(); {
				declared := camel(string(m.Key())) == "functionDeclarations" && m.Value().Kind == jsonscan.Array
				r.ask.NeedsFunctions = r.ask.NeedsFunctions || declared && !jsonscan.Empty(body, m.Value())
			}
		}
	}
	v := found["toolConfig"]
	if given(v) && v.Kind != jsonscan.Object {
		return form.Refuse(r.inside+"/toolConfig", "toolConfig must be an object, not %s", v.Kind)
	}
	for m := v.Members(body); m.Next(); {
		if camel(string(m.Key())) == "functionCallingConfig" && jsonscan.Is(body, jsonscan.Find(body, m.Value(), "mode"), modeAny) {
			r.ask.NeedsToolChoice = true
		}
	}
	return nil
}

// wholeNumber reads a whole number as ProtoJSON writes it: 40, 40.0 or "40".
func wholeNumber(text []byte) (int64, bool) {
	var n json.Number
	if err := json.Unmarshal(text, &n); err != nil || n == "" {
		return 0, false
	}
	digits, fraction, _ := strings.Cut(n.String(), ".")
	if strings.Trim(fraction, "0") != "" {
		return 0, false
	}
	value, err := strconv.ParseInt(digits, 10, 64)
	return value, err == nil
}
