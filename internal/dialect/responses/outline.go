package responses

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// Outline is what the gateway has to know of a request to check, limit and
// route it, read without decoding it.
type Outline struct {
	// Model is the model as the client named it, ModelAt the JSON string.
	Model   string
	ModelAt jsonscan.Value
	Stream  bool
	// MaxTokens is max_output_tokens, 0 when absent.
	MaxTokens int64
	// What the request needs of a model.
	NeedsVision, NeedsFiles, NeedsFunctions, NeedsToolChoice, NeedsReasoning, NeedsSchema bool
	// Text and Files count bytes, Images pieces.
	Text, Files, Images int64
	// Store is the value of store, whose Kind is None when it is absent, and
	// Inside the offset behind the opening brace.
	Store  jsonscan.Value
	Inside int
}

// watched are the top-level members that mean something to the gateway. Each
// may stand once: of two, the gateway might check one and the provider obey the
// other.
var watched = []string{
	"model", "stream", "input", "tools", "tool_choice", "max_output_tokens", "store",
	"previous_response_id", "conversation", "background", "prompt", "reasoning", "text",
}

// Inspect reads the outline of a body. Errors are [sluice.CodeInvalidRequest]
// with the field: what is no such request, and what refers to objects that are
// stored at the provider.
func Inspect(body []byte) (Outline, error) {
	found := make(map[string]jsonscan.Value, len(watched))
	members := jsonscan.Document(body)
	for members.Next() {
		name, err := watchedName(string(members.Key()))
		if err != nil {
			return Outline{}, err
		}
		if name == "" {
			continue
		}
		if _, twice := found[name]; twice {
			return Outline{}, invalid("/"+name, "%s is given twice", name)
		}
		found[name] = members.Value()
	}
	if err := members.Err(); err != nil {
		return Outline{}, invalid("", "%s", err.Error())
	}
	o := Outline{Text: int64(len(body)), Store: found["store"], Inside: bytes.IndexByte(body, '{') + 1}
	return o, o.read(body, found)
}

// watchedName returns the name if it is one of watched, "" if it means nothing.
// One that differs in case only is an error: some would take it for the real one.
func watchedName(name string) (string, error) {
	if slices.Contains(watched, name) {
		return name, nil
	}
	for _, w := range watched {
		if strings.EqualFold(w, name) {
			return "", invalid("/"+w, "member %q must be written %q", name, w)
		}
	}
	return "", nil
}

func (o *Outline) read(body []byte, found map[string]jsonscan.Value) error {
	for _, step := range [...]func([]byte, map[string]jsonscan.Value) error{o.readModel, o.readFlags, o.readCap, o.readInput, o.readTools, o.readOutput, refuseStored} {
		if err := step(body, found); err != nil {
			return err
		}
	}
	return nil
}

// given reports whether a member is there and not null, which counts as absent.
func given(v jsonscan.Value) bool { return v.Kind != jsonscan.None && v.Kind != jsonscan.Null }

func (o *Outline) readModel(body []byte, found map[string]jsonscan.Value) error {
	v := found["model"]
	name, ok := jsonscan.Text(body, v)
	switch {
	case v.Kind == jsonscan.None:
		return invalid("/model", "model is required")
	case !ok:
		return invalid("/model", "model must be a string, not %s", v.Kind)
	case name == "" || len(name) > maxModelName:
		return invalid("/model", "model must be 1 to %d bytes long", maxModelName)
	}
	o.Model, o.ModelAt = name, v
	return nil
}

// readFlags reads the booleans. Stored responses would lie in an account that
// tenants share.
func (o *Outline) readFlags(_ []byte, found map[string]jsonscan.Value) error {
	for _, name := range [...]string{"stream", "store", "background"} {
		if v := found[name]; given(v) && v.Kind != jsonscan.True && v.Kind != jsonscan.False {
			return invalid("/"+name, "%s must be a boolean, not %s", name, v.Kind)
		}
	}
	o.Stream = found["stream"].Kind == jsonscan.True
	return nil
}

func (o *Outline) readCap(body []byte, found map[string]jsonscan.Value) error {
	v := found["max_output_tokens"]
	if !given(v) {
		return nil
	}
	n, ok := jsonscan.Int(body, v)
	if !ok || n < 1 || n > maxTokens {
		return invalid("/max_output_tokens", "max_output_tokens must be an integer of 1 to %d", maxTokens)
	}
	o.MaxTokens = n
	return nil
}

// readInput checks that there is something to work on, and measures it.
func (o *Outline) readInput(body []byte, found map[string]jsonscan.Value) error {
	input := found["input"]
	switch input.Kind {
	case jsonscan.String:
		return nil
	case jsonscan.None, jsonscan.Null:
		return invalid("/input", "input is required")
	case jsonscan.Array:
	default:
		return invalid("/input", "input must be a string or an array, not %s", input.Kind)
	}
	if jsonscan.Empty(body, input) {
		return invalid("/input", "input must not be empty")
	}
	i := 0
	for e := input.Elements(body); e.Next(); i++ {
		field := "/input/" + strconv.Itoa(i)
		if i == maxItems {
			return invalid("/input", "input holds more than %d items", maxItems)
		}
		if e.Value().Kind != jsonscan.Object {
			return invalid(field, "an item must be an object, not %s", e.Value().Kind)
		}
		if err := o.readItem(body, e.Value(), field); err != nil {
			return err
		}
	}
	return nil
}

// readItem measures one item and refuses references to stored objects.
func (o *Outline) readItem(body []byte, item jsonscan.Value, field string) error {
	for m := item.Members(body); m.Next(); {
		switch name := string(m.Key()); name {
		case "type":
			if jsonscan.Is(body, m.Value(), "item_reference") {
				return refused(field, "an item_reference")
			}
		case "tools": // of additional_tools
			n, err := refuseStoredTools(body, m.Value(), field+"/tools")
			if err != nil {
				return err
			}
			o.NeedsFunctions = o.NeedsFunctions || n > 0
		case "content", "output":
			if err := o.readParts(body, m.Value(), field+"/"+name); err != nil {
				return err
			}
		}
	}
	return nil
}

// readParts measures what is not text in a list of parts, or in one part.
func (o *Outline) readParts(body []byte, list jsonscan.Value, field string) error {
	if list.Kind == jsonscan.Object {
		return o.readPart(body, list, field)
	}
	i := 0
	for e := list.Elements(body); e.Next(); i++ {
		if err := o.readPart(body, e.Value(), field+"/"+strconv.Itoa(i)); err != nil {
			return err
		}
	}
	return nil
}

func (o *Outline) readPart(body []byte, part jsonscan.Value, field string) error {
	kind := ""
	for m := part.Members(body); m.Next(); {
		switch string(m.Key()) {
		case "type":
			kind, _ = jsonscan.Text(body, m.Value())
		case "file_id":
			if given(m.Value()) {
				return refused(field+"/file_id", "a file id")
			}
		}
	}
	switch n := int64(part.End - part.Start); kind {
	case "input_image", "computer_screenshot":
		o.NeedsVision = true
		o.Images++
		o.Text -= n
	case "input_file":
		o.NeedsFiles = true
		o.Files += n
		o.Text -= n
	}
	return nil
}

// readOutput notes what else the request needs of a model.
func (o *Outline) readOutput(body []byte, found map[string]jsonscan.Value) error {
	effort := jsonscan.Find(body, found["reasoning"], "effort")
	o.NeedsReasoning = effort.Kind == jsonscan.String && !jsonscan.Is(body, effort, "none")
	o.NeedsSchema = jsonscan.Is(body, jsonscan.Find(body, jsonscan.Find(body, found["text"], "format"), "type"), "json_schema")
	return nil
}

// readTools notes what the request needs of a model.
func (o *Outline) readTools(body []byte, found map[string]jsonscan.Value) error {
	if v := found["tools"]; given(v) {
		if v.Kind != jsonscan.Array {
			return invalid("/tools", "tools must be an array, not %s", v.Kind)
		}
		n, err := refuseStoredTools(body, v, "/tools")
		if err != nil {
			return err
		}
		o.NeedsFunctions = o.NeedsFunctions || n > 0
	}
	v := found["tool_choice"]
	if !given(v) {
		return nil
	}
	if v.Kind != jsonscan.String && v.Kind != jsonscan.Object {
		return invalid("/tool_choice", "tool_choice must be a string or an object, not %s", v.Kind)
	}
	o.NeedsToolChoice = !jsonscan.Is(body, v, "auto") && !jsonscan.Is(body, v, "none")
	return nil
}
