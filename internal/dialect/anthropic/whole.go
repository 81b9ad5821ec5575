package anthropic

import (
	"encoding/json"
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// wholeWriter gathers an answer and renders it at its end.
type wholeWriter struct {
	ending
	blocks []json.RawMessage
	// part is the one being told, its text and signature.
	part      form.Part
	text      strings.Builder
	signature string
}

var _ form.Writer = (*wholeWriter)(nil)

func newWholeWriter(info form.Info) *wholeWriter {
	return &wholeWriter{ending: ending{info: info}}
}

// ContentType implements [form.Writer].
func (*wholeWriter) ContentType() string { return "application/json" }

// Write implements [form.Writer].
func (w *wholeWriter) Write(to []byte, ev *form.Event) ([]byte, error) {
	if ev.Choice != 0 {
		return to, nil
	}
	w.take(ev)
	switch ev.Kind {
	case form.EventPartStart:
		w.part, w.signature = ev.Part, ""
		w.text.Reset()
		w.whole(&ev.Part)
	case form.EventDelta:
		w.text.WriteString(ev.Text)
		if ev.Signature.Value != "" {
			w.signature = ev.Signature.Travelling(origin)
		}
		if ev.Sealed != "" {
			w.add(sealed(ev))
		}
	case form.EventPartStop:
		w.close()
	}
	return to, nil
}

// whole renders a part that comes in one piece.
func (w *wholeWriter) whole(p *form.Part) {
	switch {
	case p.Media != nil:
		w.say(note(p.Media))
	case p.Kind == form.PartOther && p.Origin == origin:
		w.add(p.Raw)
	}
}

// close renders the part that ends, unless there is nothing in it.
func (w *wholeWriter) close() {
	text := w.text.String()
	switch w.part.Kind {
	case form.PartText, form.PartRefusal:
		w.say(text)
	case form.PartReasoning:
		w.thought(text, w.signature)
	case form.PartCall:
		w.thought("", w.part.Signature.Travelling(origin))
		block := append(jsonscan.AppendText([]byte(`{"type":"tool_use","id":`), w.part.Call.ID), `,"name":`...)
		block = append(jsonscan.AppendText(block, w.part.Call.Name), `,"input":`...)
		w.add(append(appendInput(block, text), '}'))
	}
	w.part = form.Part{}
}

func (w *wholeWriter) add(block json.RawMessage) { w.blocks = append(w.blocks, block) }

// say adds a block of text, unless there is nothing in it.
func (w *wholeWriter) say(text string) {
	if text != "" {
		w.add(append(jsonscan.AppendText([]byte(`{"type":"text","text":`), text), '}'))
	}
}

// thought adds a block of thought, unless there is nothing in it.
func (w *wholeWriter) thought(text, signature string) {
	if text == "" && signature == "" {
		return
	}
	block := append(jsonscan.AppendText([]byte(`{"type":"thinking","thinking":`), text), `,"signature":`...)
	w.add(append(jsonscan.AppendText(block, signature), '}'))
}

// appendInput appends the arguments of a call: an object, or as text what was
// cut off or malformed, so that it is not lost.
func appendInput(to []byte, arguments string) []byte {
	trimmed := strings.TrimSpace(arguments)
	if trimmed == "" {
		return append(to, "{}"...)
	}
	if v := jsonscan.At([]byte(trimmed), 0); v.Kind == jsonscan.Object && v.End == len(trimmed) {
		return append(to, trimmed...)
	}
	return jsonscan.AppendText(to, arguments)
}

// End implements [form.Writer].
func (w *wholeWriter) End(to []byte) ([]byte, error) {
	to = w.appendHead(to)
	for i, block := range w.blocks {
		if i > 0 {
			to = append(to, ',')
		}
		to = append(to, block...)
	}
	to = w.appendStop(append(to, `],`...))
	to = appendUsage(append(to, `,"usage":`...), w.use())
	return append(to, '}'), nil
}
