package responses

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// readInput reads the input: a text of the user, or items.
func (r *reader) readInput(raw json.RawMessage) error {
	if len(raw) > 0 && raw[0] == '"' {
		var text string
		if err := decode(raw, &text, "/input"); err != nil {
			return err
		}
		r.add(form.RoleUser, "/input", form.Part{Kind: form.PartText, Text: text, Field: "/input"})
		return nil
	}
	var list []json.RawMessage
	if err := decode(raw, &list, "/input"); err != nil {
		return err
	}
	if len(list) == 0 || len(list) > maxItems {
		return invalid("/input", "input must hold 1 to %d items", maxItems)
	}
	r.calls = map[string]*call{}
	for i, element := range list {
		field := "/input/" + strconv.Itoa(i)
		var it item
		if err := decode(element, &it, field); err != nil {
			return err
		}
		if err := r.readItem(&it, element, field); err != nil {
			return err
		}
	}
	return r.checkAnswered()
}

// checkAnswered refuses calls whose output is missing: every provider would.
func (r *reader) checkAnswered() error {
	for _, c := range r.calls {
		if !c.answered {
			return invalid(c.field, "no output is given for the call of %s", c.name)
		}
	}
	return nil
}

// add adds parts of one item. What the assistant says and does in a row is one
// turn, and so are the outputs of its calls; messages of others stay apart.
func (r *reader) add(role form.Role, field string, parts ...form.Part) {
	turns := r.chat.Turns
	if last := len(turns) - 1; last >= 0 && turns[last].Role == role && joins(role, turns[last].Parts, parts) {
		turns[last].Parts = append(turns[last].Parts, parts...)
		return
	}
	r.chat.Turns = append(turns, form.Turn{Role: role, Parts: parts, Field: field})
}

func joins(role form.Role, before, after []form.Part) bool {
	if role == form.RoleAssistant {
		return true
	}
	return role == form.RoleUser && len(after) > 0 && len(before) > 0 && answers(&before[len(before)-1]) && answers(&after[0])
}

// answers reports whether a part is the output of a call.
func answers(p *form.Part) bool { return p.Kind == form.PartResult || p.Kind == form.PartOther }

// readItem reads one item by its type.
func (r *reader) readItem(it *item, raw json.RawMessage, field string) error {
	switch it.Type {
	case "", "message":
		return r.readMessage(it, field)
	case "function_call", "custom_tool_call":
		return r.readCall(it, field)
	case "function_call_output", "custom_tool_call_output":
		return r.readOutput(it, field)
	case "reasoning":
		return r.readThought(it, field)
	case "additional_tools":
		return r.readMoreTools(it.Tools, field+"/tools")
	}
	role := form.RoleAssistant
	if strings.HasSuffix(it.Type, "_output") || strings.HasSuffix(it.Type, "_response") {
		role = form.RoleUser
	}
	r.add(role, field, form.Part{Kind: form.PartOther, Raw: raw, Origin: form.OriginOpenAI, Field: field})
	return nil
}

// roles are those of messages.
var roles = map[string]form.Role{
	"user": form.RoleUser, "assistant": form.RoleAssistant, "system": form.RoleSystem, "developer": form.RoleSystem,
}

func (r *reader) readMessage(it *item, field string) error {
	role, ok := roles[it.Role]
	if !ok {
		return invalid(field+"/role", "role must be user, assistant, system or developer")
	}
	if len(it.Content) == 0 {
		return invalid(field+"/content", "content is required")
	}
	parts, err := readContent(it.Content, field+"/content")
	if err != nil {
		return err
	}
	r.add(role, field, parts...)
	return nil
}

// readCall reads a call of the client's tools.
func (r *reader) readCall(it *item, field string) error {
	custom := it.Type == "custom_tool_call"
	text, name := it.Arguments, "arguments"
	if custom {
		text, name = it.Input, "input"
	}
	switch {
	case it.CallID == "":
		return invalid(field+"/call_id", "call_id is required")
	case it.Name == "":
		return invalid(field+"/name", "name is required")
	case text == nil:
		return invalid(field+"/"+name, "%s is required", name)
	case r.calls[it.CallID] != nil:
		return invalid(field+"/call_id", "another call has this call_id")
	}
	c := form.Call{ID: it.CallID, Name: joined(it.Namespace, it.Name), Arguments: *text, Custom: custom}
	if !custom && strings.TrimSpace(c.Arguments) == "" {
		c.Arguments = "{}"
	}
	r.calls[it.CallID] = &call{name: c.Name, field: field, custom: custom}
	r.add(form.RoleAssistant, field, form.Part{Kind: form.PartCall, Call: &c, Signature: r.proof, Field: field})
	r.proof = form.Signature{}
	return nil
}

// readOutput reads what the client's tool answered.
func (r *reader) readOutput(it *item, field string) error {
	c := r.calls[it.CallID]
	switch {
	case c == nil:
		return invalid(field+"/call_id", "call_id names no call in the input before it")
	case c.answered:
		return invalid(field+"/call_id", "the call has another output already")
	case c.custom != (it.Type == "custom_tool_call_output"):
		return invalid(field+"/type", "the output is of another kind than its call")
	case len(it.Output) == 0:
		return invalid(field+"/output", "output is required")
	}
	parts, err := readContent(it.Output, field+"/output")
	if err != nil {
		return err
	}
	c.answered = true
	result := form.Result{ID: it.CallID, Name: c.name, Parts: parts}
	r.add(form.RoleUser, field, form.Part{Kind: form.PartResult, Result: &result, Field: field})
	return nil
}

// readThought reads reasoning: its summary, and what proves whose it is.
func (r *reader) readThought(it *item, field string) error {
	p := form.Part{Kind: form.PartReasoning, Field: field}
	if it.Summary != nil {
		p.Text = joinTexts(*it.Summary)
	}
	if p.Text == "" && isArray(it.Content) {
		var texts []content
		if err := decode(it.Content, &texts, field+"/content"); err != nil {
			return err
		}
		p.Text = joinTexts(texts)
	}
	if it.EncryptedContent != nil {
		if ofCall := unseal(&p, *it.EncryptedContent); ofCall {
			r.proof = p.Signature
			return nil
		}
	}
	if p.Text != "" || p.Sealed != "" || p.Signature.Value != "" {
		r.add(form.RoleAssistant, field, p)
	}
	return nil
}

func joinTexts(list []content) string {
	texts := make([]string, 0, len(list))
	for _, c := range list {
		if c.Text != "" {
			texts = append(texts, c.Text)
		}
	}
	return strings.Join(texts, "\n\n")
}
