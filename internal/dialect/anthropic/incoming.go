package anthropic

import (
	"encoding/json"
	"strconv"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// incoming is a block that is being read.
type incoming struct {
	// kind is the block's type, "" between blocks.
	kind string
	// key tells a call apart.
	key string
	// custom tells a call of a tool of free text, answer that of the tool whose
	// input is the answer.
	custom, answer bool
	// whole is the block as it began, when it is told in one piece, and input
	// what it began with.
	whole, input json.RawMessage
	// gathered is the text of what is told in one piece; some tells that any
	// came.
	gathered []byte
	some     bool
}

// start opens a block, and tells what it holds already.
func (d *decoder) start(data []byte, v jsonscan.Value) error {
	if err := d.stop(); err != nil {
		return err
	}
	b := readBegun(data, v)
	d.open = incoming{kind: b.kind}
	text := func(v jsonscan.Value) string { return d.text(data, v) }
	switch b.kind {
	case "text":
		return d.out.Text(0, text(b.text))
	case "thinking":
		if err := d.out.Reasoning(0, text(b.thinking)); err != nil {
			return err
		}
		return d.sign(text(b.signature))
	case "redacted_thinking":
		return d.out.Sealed(0, origin, text(b.data))
	case "tool_use":
		return d.call(text(b.id), text(b.name), data, b.input)
	}
	if len(v.In(data)) > maxGathered {
		return tooMuch()
	}
	d.open.whole = append(json.RawMessage(nil), v.In(data)...)
	return nil
}

// begun is a block as it begins, where it lies.
type begun struct {
	kind                            string
	text, thinking, signature, data jsonscan.Value
	id, name, input                 jsonscan.Value
}

// readBegun finds what counts of a block.
func readBegun(data []byte, block jsonscan.Value) (b begun) {
	for m := block.Members(data); m.Next(); {
		switch v := m.Value(); string(m.Key()) {
		case "type":
			b.kind = kindOf(data, v)
		case "text":
			b.text = v
		case "thinking":
			b.thinking = v
		case "signature":
			b.signature = v
		case "data":
			b.data = v
		case "id":
			b.id = v
		case "name":
			b.name = v
		case "input":
			b.input = v
		}
	}
	return b
}

// kindOf is the type of a block; those that most blocks have cost nothing.
func kindOf(data []byte, v jsonscan.Value) string {
	for _, kind := range [...]string{"text", "tool_use", "thinking"} {
		if jsonscan.Is(data, v, kind) {
			return kind
		}
	}
	kind, _ := jsonscan.Text(data, v)
	return kind
}

// call opens a call of a tool. Its input usually begins as {} and comes in
// pieces.
func (d *decoder) call(id, theirs string, data []byte, input jsonscan.Value) error {
	d.calls++
	d.open.key = strconv.Itoa(d.calls)
	if input.Kind == jsonscan.Object && !jsonscan.Empty(data, input) {
		d.open.input = append(json.RawMessage(nil), input.In(data)...)
	}
	if d.open.answer = theirs == answerTool; d.open.answer {
		return nil
	}
	d.real++
	name, custom := d.target.ClientTool(theirs)
	d.open.custom = custom
	return d.out.Call(0, d.open.key, form.Call{ID: id, Name: name, Custom: custom}, "", form.Signature{})
}

// delta adds to the open block.
func (d *decoder) delta(data []byte, v jsonscan.Value) error {
	for m := v.Members(data); m.Next(); {
		text, ok := jsonscan.Text(data, m.Value())
		if !ok || text == "" {
			continue
		}
		var err error
		switch string(m.Key()) {
		case "text":
			err = d.out.Text(0, text)
		case "thinking":
			err = d.out.Reasoning(0, text)
		case "signature":
			err = d.sign(text)
		case "partial_json":
			err = d.piece(text)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) sign(signature string) error {
	return d.out.Signature(0, form.Signature{Origin: origin, Value: signature})
}

// piece adds to the input of a call.
func (d *decoder) piece(text string) error {
	b := &d.open
	b.some = true
	switch {
	case b.answer:
		return d.out.Text(0, text)
	case b.kind == "tool_use" && !b.custom:
		return d.out.Call(0, b.key, form.Call{}, text, form.Signature{})
	case len(b.gathered)+len(text) > maxGathered:
		return tooMuch()
	}
	b.gathered = append(b.gathered, text...)
	return nil
}

// stop closes the open block, and tells those that come in one piece.
func (d *decoder) stop() error {
	b := d.open
	if b.kind == "" {
		return nil
	}
	var err error
	switch {
	case b.whole != nil:
		err = d.out.Whole(0, form.Part{Kind: form.PartOther, Raw: b.withInput(), Origin: origin})
	case b.kind == "tool_use" && b.custom:
		err = d.out.Call(0, b.key, form.Call{}, b.freeText(), form.Signature{})
	case b.kind == "tool_use" && !b.some:
		if len(b.input) == 0 {
			b.input = json.RawMessage("{}")
		}
		err = d.piece(string(b.input))
	}
	d.open = incoming{}
	if err != nil {
		return err
	}
	return d.out.Close(0)
}

// withInput is the whole block with the input that came in pieces.
func (b *incoming) withInput() json.RawMessage {
	input := jsonscan.Find(b.whole, jsonscan.At(b.whole, 0), "input")
	if v := jsonscan.At(b.gathered, 0); input.Kind == jsonscan.None || v.Kind != jsonscan.Object {
		return b.whole
	}
	out := append(json.RawMessage(nil), b.whole[:input.Start]...)
	return append(append(out, b.gathered...), b.whole[input.End:]...)
}

// freeText is the input of a custom tool: the text within the object that the
// provider was told to write, or what it wrote instead.
func (b *incoming) freeText() string {
	doc := b.gathered
	if len(doc) == 0 {
		doc = b.input
	}
	text, ok := jsonscan.Text(doc, jsonscan.Find(doc, jsonscan.At(doc, 0), customInput))
	if !ok {
		return string(doc)
	}
	return text
}

func tooMuch() error {
	return sluice.Errorf(sluice.CodeProviderTooLarge, "the provider's answer holds a block of more than %d bytes", maxGathered)
}
