package anthropic

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// opening stands before a conversation that the assistant begins: the API wants
// the user to.
const opening = "(The conversation begins with the assistant.)"

// conversation writes instructions and turns.
func (e *encoder) conversation() error {
	system, turns := e.chat.Split()
	if err := e.system(system); err != nil {
		return err
	}
	turns = form.Merged(turns)
	if err := pair(turns, nil); err != nil {
		return err
	}
	for i := range turns {
		if err := e.turn(&turns[i]); err != nil {
			return err
		}
	}
	if len(e.out.Messages) == 0 {
		return form.Refuse("/messages", "there must be a turn of the user that is not empty")
	}
	if e.out.Messages[0].Role == form.RoleAssistant {
		first := message{form.RoleUser, []block{textBlock(opening)}}
		e.out.Messages = append([]message{first}, e.out.Messages...)
	}
	return e.prefill(turns)
}

// system writes the instructions, which are text.
func (e *encoder) system(parts []form.Part) error {
	for i := range parts {
		p := &parts[i]
		if p.Kind != form.PartText {
			return form.Refuse(p.Field, "instructions must be text for the provider of this model")
		}
		if !blank(p.Text) {
			e.out.System = append(e.out.System, textBlock(p.Text).mark(p.Cache))
		}
	}
	return nil
}

// blank reports whether a text has nothing to read, which the API refuses.
func blank(text string) bool { return strings.TrimSpace(text) == "" }

func textBlock(text string) block { return block{"type": "text", "text": text} }

// turn writes one turn: results first, as the API wants them right behind their
// calls. A turn without anything is left out, and its neighbours join.
func (e *encoder) turn(t *form.Turn) error {
	var results, others []block
	for i := range t.Parts {
		b, err := e.part(&t.Parts[i], t.Role)
		switch {
		case err != nil:
			return err
		case b == nil:
		case t.Parts[i].Kind == form.PartResult:
			results = append(results, b)
		default:
			others = append(others, b)
		}
	}
	content := append(results, others...)
	if len(content) == 0 {
		return nil
	}
	if last := len(e.out.Messages) - 1; last >= 0 && e.out.Messages[last].Role == t.Role {
		e.out.Messages[last].Content = append(e.out.Messages[last].Content, content...)
		return nil
	}
	e.out.Messages = append(e.out.Messages, message{t.Role, content})
	return nil
}

// part writes one part, nil when there is nothing to write.
func (e *encoder) part(p *form.Part, role form.Role) (block, error) {
	switch p.Kind {
	case form.PartText, form.PartRefusal:
		if blank(p.Text) {
			return nil, nil
		}
		return textBlock(p.Text).mark(p.Cache), nil
	case form.PartCall:
		return e.call(p), nil
	case form.PartReasoning:
		return thought(p), nil
	case form.PartResult:
		return e.result(p)
	case form.PartOther:
		return e.other(p, role)
	}
	if role == form.RoleAssistant {
		return nil, form.Refuse(p.Field, "the assistant's turns cannot hold %s for the provider of this model", p.Kind)
	}
	b, err := media(p)
	return b.mark(p.Cache), err
}

// thought writes a thought that this API signed; it would refuse any other.
func thought(p *form.Part) block {
	if p.Signature.Origin != origin {
		return nil
	}
	if p.Sealed != "" {
		return block{"type": "redacted_thinking", "data": p.Sealed}
	}
	if p.Signature.Value == "" {
		return nil
	}
	return block{"type": "thinking", "thinking": p.Text, "signature": p.Signature.Value}
}

// call writes a call of a tool.
func (e *encoder) call(p *form.Part) block {
	name := e.target.ToolName(p.Call.Name, longestTool, "")
	b := block{"type": "tool_use", "id": e.id(p.Call.ID), "name": name, "input": callInput(p.Call)}
	return b.mark(p.Cache)
}

// callInput is the object that the API wants. What is no object, because it is
// free text or was cut off, becomes a member of one, so that it is not lost.
func callInput(c *form.Call) json.RawMessage {
	text := []byte(c.Arguments)
	if !c.Custom {
		if blank(c.Arguments) {
			return json.RawMessage("{}")
		}
		v := jsonscan.At(text, 0)
		if v.Kind == jsonscan.Object && blank(c.Arguments[v.End:]) {
			return json.RawMessage(text)
		}
	}
	return append(appendText([]byte(`{"`+customInput+`":`), c.Arguments), '}')
}

// id is a call's id as the API accepts it: of letters, digits, "_" and "-". One
// that has to change changes the same way wherever it stands.
func (e *encoder) id(id string) string {
	if theirs, ok := e.ids[id]; ok {
		return theirs
	}
	fit := strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, id)
	if fit == id && id != "" {
		return id
	}
	if e.ids == nil {
		e.ids = map[string]string{}
	}
	// The number keeps ids apart that differ in what was changed only.
	e.ids[id] = fit + "_" + strconv.Itoa(len(e.ids)+1)
	return e.ids[id]
}

// result writes what a tool answered.
func (e *encoder) result(p *form.Part) (block, error) {
	b := block{"type": "tool_result", "tool_use_id": e.id(p.Result.ID)}
	if p.Result.IsError {
		b["is_error"] = true
	}
	var content []block
	for i := range p.Result.Parts {
		inner, err := e.part(&p.Result.Parts[i], form.RoleUser)
		if err != nil {
			return nil, err
		}
		if inner != nil {
			content = append(content, inner)
		}
	}
	if len(content) > 0 {
		b["content"] = content
	}
	return b.mark(p.Cache), nil
}

// other passes what is of this protocol. What another one keeps in the
// assistant's turns is its own record, and dropped.
func (e *encoder) other(p *form.Part, role form.Role) (block, error) {
	kind, _ := jsonscan.Text(p.Raw, jsonscan.Find(p.Raw, jsonscan.At(p.Raw, 0), "type"))
	if p.Origin == origin {
		var b block
		if err := json.Unmarshal(p.Raw, &b); err != nil || b == nil {
			return nil, form.Refuse(p.Field, "the block is not an object")
		}
		return b, nil
	}
	if role != form.RoleAssistant {
		return nil, form.Refuse(p.Field, "%q means nothing to the provider of this model", clip(kind))
	}
	return nil, e.target.Drop(memberName("", "messages."+clip(kind)), p.Field)
}

// prefill checks a last turn that the model is to go on with: its end must not
// be white space, and newer models do not take it.
func (e *encoder) prefill(turns []form.Turn) error {
	last := &e.out.Messages[len(e.out.Messages)-1]
	if last.Role != form.RoleAssistant {
		return nil
	}
	field := turns[len(turns)-1].Field
	if !e.version.prefills() {
		return form.Refuse(field, "this model does not go on with a turn of the assistant, so the last turn must be the user's")
	}
	final := last.Content[len(last.Content)-1]
	if text, ok := final["text"].(string); ok {
		final["text"] = strings.TrimRight(text, " \t\r\n")
	}
	return nil
}
