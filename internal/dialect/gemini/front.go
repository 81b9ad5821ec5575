package gemini

import (
	"encoding/json"
	"fmt"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// Limits on what one request may hold.
const (
	maxTurns = 10_000
	maxTools = 2_000
)

// front is one request of the surface on its way to another protocol.
type front struct {
	reading *reading
	chat    *form.Chat
	embed   *form.Embed
	err     error
}

var (
	_ form.Front     = (*front)(nil)
	_ form.Forgetter = (*front)(nil)
)

// Chat implements [form.Front].
func (f *front) Chat() (*form.Chat, error) {
	if f.chat == nil && f.err == nil {
		f.chat, f.err = f.reading.decodeChat()
	}
	return f.chat, f.err
}

// Forget implements [form.Forgetter].
func (f *front) Forget() { f.chat = nil }

// Writer implements [form.Front].
func (f *front) Writer(info form.Info) form.Writer {
	shown := f.chat != nil && f.chat.Reasoning.Shown != nil && *f.chat.Reasoning.Shown
	said := answer{info: info, thoughts: shown}
	switch {
	case f.reading.ask.Stream && f.reading.array:
		f.reading.begun = false // of an attempt before
		return &arrayWriter{stream: streamWriter{answer: said}, asked: f.reading}
	case f.reading.ask.Stream:
		return &eventWriter{stream: streamWriter{answer: said}}
	}
	return &wholeWriter{answer: said}
}

// Count implements [form.Front] with a CountTokensResponse.
func (f *front) Count(c form.Count) []byte {
	return mustJSON(struct {
		TotalTokens int64 `json:"totalTokens"`
	}{c.Tokens})
}

// decodeChat reads the body of a conversation, or of a request that counts one.
func (r *reading) decodeChat() (*form.Chat, error) {
	doc, field := canonical(r.conversation.In(r.ask.Body)), r.inside
	d := chatDecoder{chat: &form.Chat{Model: r.ask.Model, Stream: r.ask.Stream}, counting: r.verb == verbCount}
	for m := jsonscan.Document(doc); m.Next(); {
		if err := d.member(string(m.Key()), m.Value().In(doc), field); err != nil {
			return nil, err
		}
	}
	if len(d.chat.Turns) == 0 {
		return nil, form.Refuse(field+"/contents", "contents must not be empty")
	}
	if err := d.allAnswered(); err != nil {
		return nil, err
	}
	return d.chat, nil
}

// chatDecoder reads one body.
type chatDecoder struct {
	chat *form.Chat
	// counting: the contents need not be a whole conversation.
	counting bool
	// open are calls without a result so far, in order.
	open []waitingCall
}

// member reads one member of the body.
func (d *chatDecoder) member(name string, value json.RawMessage, at string) error {
	field := at + "/" + name
	switch {
	case string(value) == "null", name == "model":
		return nil
	case name == "contents":
		return d.contents(value, field)
	case name == "systemInstruction":
		return d.system(value, field)
	case name == "tools":
		return d.tools(value, field)
	case name == "toolConfig":
		return d.toolConfig(value, field)
	case name == "generationConfig":
		return d.generation(value, field)
	}
	d.extra(name, value)
	return nil
}

// extra keeps what has no place in the form, once by name.
func (d *chatDecoder) extra(name string, value json.RawMessage) {
	for _, x := range d.chat.Extras {
		if x.Name == name {
			return
		}
	}
	d.chat.Extras = append(d.chat.Extras, form.Extra{Name: name, Value: value})
}

// decode reads a value of this API's own shape.
func decode(raw json.RawMessage, field string, into any) error {
	err := json.Unmarshal(raw, into)
	if err == nil {
		return nil
	}
	if wrong, ok := err.(*json.UnmarshalTypeError); ok {
		if wrong.Field != "" {
			field += "/" + pointer(wrong.Field)
		}
		return form.Refuse(field, "%s cannot be %s", field, article(wrong.Value))
	}
	return form.Refuse(field, "%s cannot be read", field)
}

// pointer writes the dotted path of encoding/json as part of a JSON pointer.
func pointer(path string) string {
	out := []byte(path)
	for i, c := range out {
		if c == '.' {
			out[i] = '/'
		}
	}
	return string(out)
}

// article puts one before the name of a JSON type.
func article(kind string) string {
	switch kind {
	case "array", "object":
		return "an " + kind
	case "bool":
		return "a boolean"
	}
	return "a " + kind
}

// list reads an array and calls each with its elements.
func list(raw json.RawMessage, field string, most int, each func(element json.RawMessage, field string) error) error {
	v := jsonscan.At(raw, 0)
	if v.Kind != jsonscan.Array {
		return form.Refuse(field, "%s must be an array, not %s", field, v.Kind)
	}
	i := 0
	for e := v.Elements(raw); e.Next(); i++ {
		if i == most {
			return form.Refuse(field, "%s must not have more than %d elements", field, most)
		}
		if err := each(e.Value().In(raw), fmt.Sprintf("%s/%d", field, i)); err != nil {
			return err
		}
	}
	return nil
}

// integer is a whole number, which ProtoJSON also writes as a string or with a
// fraction of zero.
type integer int64

// UnmarshalJSON implements [json.Unmarshaler].
func (n *integer) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	value, ok := wholeNumber(b)
	if !ok {
		return &json.UnmarshalTypeError{Value: "value that is not an integer"}
	}
	*n = integer(value)
	return nil
}
