package anthropic

import (
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// system reads the instructions, which stand before all turns.
func (r *reader) system() error {
	n := r.get("system")
	if !n.given() {
		return nil
	}
	parts, err := r.content(n, form.RoleSystem)
	if err != nil || len(parts) == 0 {
		return err
	}
	r.chat.Turns = append(r.chat.Turns, form.Turn{Role: form.RoleSystem, Parts: parts, Field: n.field})
	return nil
}

// messages reads the turns.
func (r *reader) messages() error {
	n := r.get("messages")
	list, err := n.list(maxTurns)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return n.invalid("must not be empty")
	}
	for i, e := range list {
		t, err := r.turn(e, i == len(list)-1)
		if err != nil {
			return err
		}
		if len(t.Parts) > 0 {
			r.chat.Turns = append(r.chat.Turns, t)
		}
	}
	return pair(r.chat.Turns, func(call, result *form.Part) { result.Result.Name = call.Call.Name })
}

// turn reads one message. Only the last one may be empty, if it is the
// assistant's.
func (r *reader) turn(n node, last bool) (form.Turn, error) {
	t := form.Turn{Field: n.field}
	o, err := n.object()
	if err != nil {
		return t, err
	}
	role := o.get(n, "role")
	name, err := role.text()
	if err != nil {
		return t, err
	}
	switch t.Role = form.Role(name); t.Role {
	case form.RoleUser, form.RoleAssistant, form.RoleSystem:
	default:
		return t, role.invalid("%q is not user or assistant", clip(name))
	}
	content := o.get(n, "content")
	if t.Parts, err = r.content(content, t.Role); err != nil {
		return t, err
	}
	if len(t.Parts) == 0 && !(last && t.Role == form.RoleAssistant) {
		return t, content.invalid("must not be empty")
	}
	return t, nil
}

// content reads a text, or a list of blocks.
func (r *reader) content(n node, role form.Role) ([]form.Part, error) {
	if n.value.Kind == jsonscan.String {
		text, err := n.text()
		if err != nil || text == "" {
			return nil, err
		}
		return []form.Part{{Kind: form.PartText, Text: text, Field: n.field}}, nil
	}
	if n.value.Kind != jsonscan.Array {
		return nil, n.wants("a string or an array")
	}
	list, err := n.list(maxBlocks)
	if err != nil {
		return nil, err
	}
	var parts []form.Part
	for _, e := range list {
		if parts, err = readBlock(parts, e, role); err != nil {
			return nil, err
		}
	}
	return signCalls(parts), nil
}

// signCalls gives calls of tools back the signature of their own, which
// travelled as an empty thought of another provider before them.
func signCalls(parts []form.Part) []form.Part {
	kept := parts[:0]
	for i := range parts {
		p := parts[i]
		if n := len(kept); p.Kind == form.PartCall && n > 0 && lone(&kept[n-1]) {
			p.Signature = kept[n-1].Signature
			kept = kept[:n-1]
		}
		kept = append(kept, p)
	}
	return kept
}

// lone reports whether a part is nothing but the signature of another provider.
func lone(p *form.Part) bool {
	return p.Kind == form.PartReasoning && p.Text == "" && p.Sealed == "" && p.Signature.Value != "" && p.Signature.Origin != origin
}
