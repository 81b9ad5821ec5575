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
	if len(e.out.messages) == 0 {
		return form.Refuse("/messages", "there must be a turn of the user that is not empty")
	}
	if e.out.messages[0].role == form.RoleAssistant {
		first := message{form.RoleUser, []block{textBlock(opening, form.CacheNone)}}
		e.out.messages = append([]message{first}, e.out.messages...)
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
			e.out.system = append(e.out.system, textBlock(p.Text, p.Cache))
		}
	}
	return nil
}

// blank reports whether a text has nothing to read, which the API refuses.
func blank(text string) bool { return strings.TrimSpace(text) == "" }

// turn writes one turn: results first, as the API wants them right behind their
// calls. A turn without anything is left out, and its neighbours join.
func (e *encoder) turn(t *form.Turn) error {
	content := make([]block, 0, len(t.Parts))
	for _, results := range [...]bool{true, false} {
		for i := range t.Parts {
			p := &t.Parts[i]
			if results != (p.Kind == form.PartResult) {
				continue
			}
			b, written, err := e.part(p, t.Role)
			if err != nil {
				return err
			}
			if written {
				content = append(content, b)
			}
		}
	}
	if len(content) == 0 {
		return nil
	}
	if last := len(e.out.messages) - 1; last >= 0 && e.out.messages[last].role == t.Role {
		e.out.messages[last].content = append(e.out.messages[last].content, content...)
		return nil
	}
	e.out.messages = append(e.out.messages, message{t.Role, content})
	return nil
}

// part writes one part; false when there is nothing to write.
func (e *encoder) part(p *form.Part, role form.Role) (b block, written bool, err error) {
	switch p.Kind {
	case form.PartText, form.PartRefusal:
		return textBlock(p.Text, p.Cache), !blank(p.Text), nil
	case form.PartCall:
		return e.call(p), true, nil
	case form.PartReasoning:
		b, written = thought(p)
		return b, written, nil
	case form.PartResult:
		b, err = e.result(p)
		return b, true, err
	case form.PartOther:
		return e.other(p, role)
	}
	if role == form.RoleAssistant {
		return b, false, form.Refuse(p.Field, "the assistant's turns cannot hold %s for the provider of this model", p.Kind)
	}
	b, err = media(p)
	b.cache = p.Cache
	return b, true, err
}

// thought writes a thought that this API signed; it would refuse any other.
func thought(p *form.Part) (block, bool) {
	if p.Signature.Origin != origin {
		return block{}, false
	}
	if p.Sealed != "" {
		return block{kind: blockSealed, text: p.Sealed}, true
	}
	return block{kind: blockThinking, text: p.Text, signature: p.Signature.Value}, p.Signature.Value != ""
}

// call writes a call of a tool.
func (e *encoder) call(p *form.Part) block {
	name := e.target.ToolName(p.Call.Name, longestTool, "")
	return block{kind: blockCall, id: e.id(p.Call.ID), name: name, input: callInput(p.Call), cache: p.Cache}
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
	return append(jsonscan.AppendText([]byte(`{"`+customInput+`":`), c.Arguments), '}')
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
	b := block{kind: blockResult, id: e.id(p.Result.ID), failed: p.Result.IsError, cache: p.Cache}
	for i := range p.Result.Parts {
		inner, written, err := e.part(&p.Result.Parts[i], form.RoleUser)
		if err != nil {
			return b, err
		}
		if written {
			b.content = append(b.content, inner)
		}
	}
	return b, nil
}

// other passes what is of this protocol. What another one keeps in the
// assistant's turns is its own record, and dropped.
func (e *encoder) other(p *form.Part, role form.Role) (block, bool, error) {
	if p.Origin == origin {
		b, ok := rawBlock(p.Raw)
		if !ok {
			return b, false, form.Refuse(p.Field, "the block is not an object")
		}
		return b, true, nil
	}
	kind, _ := jsonscan.Text(p.Raw, jsonscan.Find(p.Raw, jsonscan.At(p.Raw, 0), "type"))
	if role != form.RoleAssistant {
		return block{}, false, form.Refuse(p.Field, "%q means nothing to the provider of this model", clip(kind))
	}
	return block{}, false, e.target.Drop(memberName("", "messages."+clip(kind)), p.Field)
}

// prefill checks a last turn that the model is to go on with: its end must not
// be white space, and newer models do not take it.
func (e *encoder) prefill(turns []form.Turn) error {
	last := &e.out.messages[len(e.out.messages)-1]
	if last.role != form.RoleAssistant {
		return nil
	}
	field := turns[len(turns)-1].Field
	if !e.version.prefills() {
		return form.Refuse(field, "this model does not go on with a turn of the assistant, so the last turn must be the user's")
	}
	if final := &last.content[len(last.content)-1]; final.kind == blockText {
		final.text = strings.TrimRight(final.text, " \t\r\n")
	}
	return nil
}
