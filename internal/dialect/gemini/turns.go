package gemini

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// said is a content as clients write it.
type said struct {
	Role  string          `json:"role"`
	Parts json.RawMessage `json:"parts"`
}

// system reads the systemInstruction.
func (d *chatDecoder) system(raw json.RawMessage, field string) error {
	turn, err := d.content(raw, field, form.RoleSystem)
	if err != nil {
		return err
	}
	// Leading, wherever the member stands in the body.
	d.chat.Turns = append([]form.Turn{turn}, d.chat.Turns...)
	return nil
}

// contents reads the turns. A single content may stand for a list of one, as
// Google accepts it.
func (d *chatDecoder) contents(raw json.RawMessage, field string) error {
	if jsonscan.At(raw, 0).Kind == jsonscan.Object {
		return d.turn(raw, field)
	}
	return list(raw, field, maxTurns, d.turn)
}

// turn reads one content.
func (d *chatDecoder) turn(raw json.RawMessage, field string) error {
	var head struct {
		Role string `json:"role"`
	}
	if err := decode(raw, field, &head); err != nil {
		return err
	}
	role := form.RoleUser
	switch head.Role {
	case "", roleUser, roleFunction:
	case roleModel:
		role = form.RoleAssistant
	default:
		return form.Refuse(field+"/role", "role %q must be user or model", clip(head.Role))
	}
	if last := len(d.chat.Turns) - 1; role == form.RoleAssistant && last >= 0 && d.chat.Turns[last].Role != role {
		if err := d.allAnswered(); err != nil {
			return err
		}
	}
	turn, err := d.content(raw, field, role)
	if err != nil {
		return err
	}
	if last := len(d.chat.Turns) - 1; last >= 0 && role == form.RoleAssistant && d.chat.Turns[last].Role == role {
		// SDKs keep every chunk of a stream as a content of its own.
		d.chat.Turns[last].Parts = joined(append(d.chat.Turns[last].Parts, turn.Parts...))
		return nil
	}
	if role == form.RoleAssistant {
		turn.Parts = joined(turn.Parts)
	}
	d.chat.Turns = append(d.chat.Turns, turn)
	return nil
}

// content reads the parts of a turn.
func (d *chatDecoder) content(raw json.RawMessage, field string, role form.Role) (form.Turn, error) {
	turn := form.Turn{Role: role, Field: field}
	var c said
	if err := decode(raw, field, &c); err != nil {
		return turn, err
	}
	if len(c.Parts) == 0 || string(c.Parts) == "null" {
		return turn, form.Refuse(field+"/parts", "parts is required")
	}
	if jsonscan.At(c.Parts, 0).Kind == jsonscan.Object {
		c.Parts = bytes.Join([][]byte{[]byte("["), c.Parts, []byte("]")}, nil)
	}
	err := list(c.Parts, field+"/parts", maxTurns, func(raw json.RawMessage, field string) error {
		p, err := d.part(raw, field, role)
		if err != nil {
			return err
		}
		turn.Parts = append(turn.Parts, p...)
		return nil
	})
	if err == nil && len(turn.Parts) == 0 {
		err = form.Refuse(field+"/parts", "parts must not be empty")
	}
	return turn, err
}

// joined joins what belongs together of a model's turn: pieces of one text, and
// pieces of one thought with the signature behind them.
func joined(parts []form.Part) []form.Part {
	out := parts[:0:0]
	for _, p := range parts {
		if last := len(out) - 1; last >= 0 && continues(&out[last], &p) {
			out[last].Text += p.Text
			out[last].Signature = p.Signature
			continue
		}
		out = append(out, p)
	}
	return out
}

// continues reports whether a part goes on with the one before it.
func continues(before, p *form.Part) bool {
	switch {
	case before.Kind != p.Kind || before.Signature.Value != "" || before.Sealed != "" || p.Sealed != "":
		return false
	case p.Kind == form.PartText:
		return true
	}
	return p.Kind == form.PartReasoning
}

// part reads one part. Text that carries a signature becomes two: the text, and
// the signature behind it.
func (d *chatDecoder) part(raw json.RawMessage, field string, role form.Role) ([]form.Part, error) {
	var p part
	if err := decode(raw, field, &p); err != nil {
		return nil, err
	}
	for name, value := range map[string]json.RawMessage{"videoMetadata": p.VideoMetadata, "mediaResolution": p.MediaResolution} {
		if value != nil {
			d.extra("contents.parts."+name, value)
		}
	}
	read, err := d.data(&p, raw, field, role)
	if err != nil {
		return nil, err
	}
	read.Field = field
	signature, sealed := readSignature(p.ThoughtSignature)
	switch {
	case read.Kind == form.PartReasoning || read.Kind == form.PartCall:
		read.Signature, read.Sealed = signature, sealed
	case signature.Origin != "":
		proof := form.Part{Kind: form.PartReasoning, Signature: signature, Sealed: sealed, Field: field}
		if read.Kind == form.PartText && read.Text == "" {
			return []form.Part{proof}, nil
		}
		return []form.Part{read, proof}, nil
	}
	return []form.Part{read}, nil
}

// data reads the member of a part that holds its data.
func (d *chatDecoder) data(p *part, raw json.RawMessage, field string, role form.Role) (form.Part, error) {
	switch {
	case p.crowded():
		return form.Part{}, form.Refuse(field, "a part holds one of text, inlineData, fileData, functionCall and functionResponse, not several")
	case p.Text != nil && p.Thought, p.Text == nil && p.Thought && p.ThoughtSignature != "":
		return form.Part{Kind: form.PartReasoning, Text: deref(p.Text)}, nil
	case p.Text != nil:
		return form.Part{Kind: form.PartText, Text: *p.Text}, nil
	case p.InlineData != nil:
		m, err := p.InlineData.media(field + "/inlineData")
		return mediaPart(m), err
	case p.FileData != nil:
		m, err := p.FileData.media(field + "/fileData")
		return mediaPart(m), err
	case p.FunctionCall != nil:
		return d.call(p.FunctionCall, field+"/functionCall", role)
	case p.FunctionResponse != nil:
		return d.result(p.FunctionResponse, field+"/functionResponse", role)
	}
	for m := jsonscan.Document(raw); m.Next(); {
		switch string(m.Key()) {
		case "executableCode", "codeExecutionResult", "toolCall", "toolResponse":
			return form.Part{Kind: form.PartOther, Raw: raw, Origin: form.OriginGemini}, nil
		}
	}
	if p.ThoughtSignature != "" {
		return form.Part{Kind: form.PartText}, nil
	}
	return form.Part{}, form.Refuse(field, "the part holds no data that is known: text, inlineData, fileData, functionCall, functionResponse")
}

// crowded reports whether a part holds more than one thing.
func (p *part) crowded() bool {
	held := 0
	for _, holds := range [...]bool{p.Text != nil, p.InlineData != nil, p.FileData != nil, p.FunctionCall != nil, p.FunctionResponse != nil} {
		if holds {
			held++
		}
	}
	return held > 1
}

// call reads a call by the model and remembers it until its result comes.
func (d *chatDecoder) call(c *functionCall, field string, role form.Role) (form.Part, error) {
	switch {
	case role != form.RoleAssistant:
		return form.Part{}, form.Refuse(field, "only a content of role model can hold a functionCall")
	case c.Name == "":
		return form.Part{}, form.Refuse(field+"/name", "name is required")
	}
	call := form.Call{ID: c.ID, Name: c.Name, Arguments: "{}"}
	if len(c.Args) > 0 && string(c.Args) != "null" {
		if kind := jsonscan.At(c.Args, 0).Kind; kind != jsonscan.Object {
			return form.Part{}, form.Refuse(field+"/args", "args must be an object, not %s", kind)
		}
		call.Arguments = string(c.Args)
	}
	waiting := waitingCall{Call: call, nameless: call.ID == "", field: field}
	if waiting.nameless {
		call.ID = madeID(field)
		waiting.ID = call.ID
	}
	d.open = append(d.open, waiting)
	return form.Part{Kind: form.PartCall, Call: &call}, nil
}

// madeID makes the id of a call that has none from where it stands.
func madeID(field string) string {
	var content, part int
	if _, err := fmt.Sscanf(field, "/contents/%d/parts/%d/", &content, &part); err != nil {
		return fmt.Sprintf("call_%d", len(field))
	}
	return fmt.Sprintf("call_%d_%d", content, part)
}

// waitingCall is a call without a result so far.
type waitingCall struct {
	form.Call
	// nameless tells that the client gave it no id.
	nameless bool
	// field is where it stands.
	field string
}

// allAnswered refuses calls that have no result when the model speaks again, or
// at the end: every protocol wants them answered.
func (d *chatDecoder) allAnswered() error {
	if len(d.open) == 0 {
		return nil
	}
	return form.Refuse(d.open[0].field, "the functionCall of %q has no functionResponse in the content behind it", clip(d.open[0].Name))
}

// result reads what a tool answered. Without an id on either side it answers the
// first call of its name that has no result. Clients count results before they
// send them: without the call they are text.
func (d *chatDecoder) result(r *functionResult, field string, role form.Role) (form.Part, error) {
	if role != form.RoleUser {
		return form.Part{}, form.Refuse(field, "only a content of role user can hold a functionResponse")
	}
	call, ok := d.answered(r)
	if !ok && d.counting {
		return form.Part{Kind: form.PartText, Text: r.Name + " " + string(r.Response)}, nil
	}
	if !ok {
		return form.Part{}, form.Refuse(field, "no functionCall before it waits for a response of %q", clip(r.Name))
	}
	result := form.Result{ID: call.ID, Name: call.Name}
	text, failed, err := told(r.Response, field+"/response")
	if err != nil {
		return form.Part{}, err
	}
	result.IsError = failed
	if text != "" || len(r.Parts) == 0 {
		result.Parts = append(result.Parts, form.Part{Kind: form.PartText, Text: text, Field: field + "/response"})
	}
	for i := range r.Parts {
		at := fmt.Sprintf("%s/parts/%d", field, i)
		m, err := r.Parts[i].media(at)
		if err != nil {
			return form.Part{}, err
		}
		p := mediaPart(m)
		p.Field = at
		result.Parts = append(result.Parts, p)
	}
	return form.Part{Kind: form.PartResult, Result: &result}, nil
}

// answered finds the call that a response is for, and takes it off the list.
func (d *chatDecoder) answered(r *functionResult) (form.Call, bool) {
	for i, c := range d.open {
		if r.ID != "" && c.ID == r.ID || (r.ID == "" || c.nameless) && c.Name == r.Name {
			d.open = append(d.open[:i:i], d.open[i+1:]...)
			return c.Call, true
		}
	}
	return form.Call{}, false
}

// told reads a tool's answer as text: Google's names for it are output and
// error; any other object is the answer itself.
func told(raw json.RawMessage, field string) (text string, failed bool, err error) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", false, nil
	}
	v := jsonscan.At(raw, 0)
	if v.Kind != jsonscan.Object {
		return "", false, form.Refuse(field, "response must be an object, not %s", v.Kind)
	}
	members := v.Members(raw)
	if !members.Next() {
		return "{}", false, nil
	}
	name, value := string(members.Key()), members.Value()
	if members.Next() || name != "output" && name != "error" {
		return string(raw), false, nil
	}
	if text, ok := jsonscan.Text(raw, value); ok {
		return text, name == "error", nil
	}
	return string(value.In(raw)), name == "error", nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// clip shortens what a client sent before it is quoted back.
func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}
