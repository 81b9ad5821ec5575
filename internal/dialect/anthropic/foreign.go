package anthropic

import (
	"bytes"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
	"github.com/sluicegate/sluice/internal/dialect/native"
)

// bodyFor is the client's body for a target of the same protocol: with the
// provider's name of the model, and without thoughts that are not the
// provider's own, which it would refuse. A conversation has those when another
// provider gave an answer before. vendor tells that the target is the vendor
// itself, which signs every thought; others may send thoughts without a
// signature, and want them back.
func (a *asked) bodyFor(model string, vendor bool) [][]byte {
	var edits []native.Edit
	if model != a.ask.Model {
		edits = append(edits, native.Edit{Start: a.model.Start, End: a.model.End, Text: jsonscan.AppendText(nil, model)})
	}
	if bytes.Contains(a.messages.In(a.ask.Body), []byte(`hinking`)) {
		if text := thoughts(vendor).without(a.ask.Body, a.messages); text != nil {
			edits = append(edits, native.Edit{Start: a.messages.Start, End: a.messages.End, Text: text})
		}
	}
	if len(edits) == 2 && edits[1].Start < edits[0].Start {
		edits[0], edits[1] = edits[1], edits[0]
	}
	return native.Splice(a.ask.Body, edits...)
}

// thoughts rewrites conversations; true drops those without a signature as well.
type thoughts bool

// without rewrites the turns without foreign thoughts, and without a turn
// that held nothing else; nil when there are none.
func (t thoughts) without(doc []byte, messages jsonscan.Value) []byte {
	changed := false
	out := []byte{'['}
	for e := messages.Elements(doc); e.Next(); {
		v := e.Value()
		content := jsonscan.Find(doc, v, "content")
		kept, dropped, left := t.blocks(doc, content)
		if !dropped {
			out = append(comma(out), v.In(doc)...)
			continue
		}
		if changed = true; left == 0 {
			continue
		}
		out = append(comma(out), doc[v.Start:content.Start]...)
		out = append(append(out, kept...), doc[content.End:v.End]...)
	}
	if !changed || len(out) == 1 {
		return nil
	}
	return append(out, ']')
}

// blocks rewrites a list of blocks, if some have to go.
func (t thoughts) blocks(doc []byte, content jsonscan.Value) (kept []byte, dropped bool, left int) {
	for e := content.Elements(doc); e.Next(); {
		if t.foreign(doc, e.Value()) {
			dropped = true
		}
	}
	if !dropped {
		return nil, false, 0
	}
	kept = []byte{'['}
	for e := content.Elements(doc); e.Next(); {
		if v := e.Value(); !t.foreign(doc, v) {
			kept = append(comma(kept), v.In(doc)...)
			left++
		}
	}
	return append(kept, ']'), true, left
}

// comma separates elements.
func comma(list []byte) []byte {
	if len(list) > 1 {
		return append(list, ',')
	}
	return list
}

// foreign reports whether a block is a thought that the target did not sign.
func (t thoughts) foreign(doc []byte, block jsonscan.Value) bool {
	proof := "signature"
	switch kind, _ := jsonscan.Span(doc, jsonscan.Find(doc, block, "type")); kind {
	case "thinking":
	case "redacted_thinking":
		proof = "data"
	default:
		return false
	}
	text, _ := jsonscan.Text(doc, jsonscan.Find(doc, block, proof))
	if text == "" {
		return bool(t)
	}
	return form.ReadSignature(text, origin).Origin != origin
}
