package anthropic

import (
	"encoding/json"
	"strconv"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// streamWriter renders an answer event by event. A block opens with its first
// delta, because only that tells what it is: it keeps nothing but numbers.
type streamWriter struct {
	ending
	started bool
	// next is the index of the next block, open the deltas of the one that is
	// open, "" between blocks.
	next int
	open string
}

var _ form.Writer = (*streamWriter)(nil)

func newStreamWriter(info form.Info) *streamWriter {
	return &streamWriter{ending: ending{info: info}}
}

// ContentType implements [form.Writer].
func (*streamWriter) ContentType() string { return "text/event-stream" }

// Write implements [form.Writer].
func (w *streamWriter) Write(to []byte, ev *form.Event) ([]byte, error) {
	if ev.Choice != 0 {
		return to, nil // this API has one answer
	}
	w.take(ev)
	switch ev.Kind {
	case form.EventPartStart:
		to = w.part(to, &ev.Part)
	case form.EventDelta:
		to = w.delta(to, ev)
	case form.EventPartStop:
		to = w.stop(to)
	case form.EventPing:
		if w.started {
			to = append(to, "event: ping\ndata: {\"type\":\"ping\"}\n\n"...)
		}
	}
	return to, nil
}

// End implements [form.Writer].
func (w *streamWriter) End(to []byte) ([]byte, error) {
	to = w.begin(to)
	to = append(to, "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{"...)
	to = w.appendStop(to)
	to = appendUsage(append(to, `},"usage":`...), w.use())
	return append(to, "}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"...), nil
}

// begin writes message_start before the first block, by when the provider may
// have stated the input.
func (w *streamWriter) begin(to []byte) []byte {
	if w.started {
		return to
	}
	w.started = true
	to = append(to, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":"...)
	to = append(w.appendHead(to), `],"stop_reason":null,"stop_sequence":null,"usage":`...)
	to = appendUsage(to, w.use())
	return append(to, "}}\n\n"...)
}

// part opens what is known at its start: calls and whole parts.
func (w *streamWriter) part(to []byte, p *form.Part) []byte {
	switch {
	case p.Media != nil:
		return w.stop(w.piece(w.start(to, emptyText, "text_delta"), "text_delta", "text", note(p.Media)))
	case p.Kind == form.PartOther && p.Origin == origin:
		return w.stop(w.start(to, p.Raw, "whole"))
	case p.Kind != form.PartCall:
		return to
	}
	if p.Signature.Value != "" {
		to = w.signature(to, p.Signature)
		to = w.stop(to)
	}
	block := append(jsonscan.AppendText([]byte(`{"type":"tool_use","id":`), p.Call.ID), `,"name":`...)
	return w.start(to, append(jsonscan.AppendText(block, p.Call.Name), `,"input":{}}`...), "input_json_delta")
}

// start opens a block.
func (w *streamWriter) start(to []byte, block json.RawMessage, deltas string) []byte {
	to = w.begin(w.stop(to))
	w.open = deltas
	to = append(to, "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":"...)
	to = strconv.AppendInt(to, int64(w.next), 10)
	return append(append(append(to, `,"content_block":`...), block...), "}\n\n"...)
}

// stop closes the block that is open.
func (w *streamWriter) stop(to []byte) []byte {
	if w.open == "" {
		return to
	}
	w.open = ""
	to = append(to, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":"...)
	to = strconv.AppendInt(to, int64(w.next), 10)
	w.next++
	return append(to, "}\n\n"...)
}

// What blocks look like before their first delta, and what deltas call their
// text.
var (
	emptyText     = json.RawMessage(`{"type":"text","text":""}`)
	emptyThinking = json.RawMessage(`{"type":"thinking","thinking":"","signature":""}`)
)

// delta writes what a delta adds.
func (w *streamWriter) delta(to []byte, ev *form.Event) []byte {
	if ev.Sealed != "" {
		return w.stop(w.start(to, sealed(ev), "whole"))
	}
	switch {
	case ev.Text == "":
	case ev.Part.Kind == form.PartCall:
		to = w.piece(to, "input_json_delta", "partial_json", ev.Text)
	case ev.Part.Kind == form.PartReasoning:
		to = w.piece(w.think(to), "thinking_delta", "thinking", ev.Text)
	default:
		if w.open != "text_delta" {
			to = w.start(to, emptyText, "text_delta")
		}
		to = w.piece(to, "text_delta", "text", ev.Text)
	}
	if ev.Signature.Value != "" {
		to = w.signature(to, ev.Signature)
	}
	return to
}

// think makes sure that a block of thought is open.
func (w *streamWriter) think(to []byte) []byte {
	if w.open == "thinking_delta" {
		return to
	}
	return w.start(to, emptyThinking, "thinking_delta")
}

// signature signs the thought that is open, or one without text.
func (w *streamWriter) signature(to []byte, s form.Signature) []byte {
	return w.piece(w.think(to), "signature_delta", "signature", s.Travelling(origin))
}

// piece writes one delta of the open block.
func (w *streamWriter) piece(to []byte, kind, name, text string) []byte {
	to = append(to, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":"...)
	to = strconv.AppendInt(to, int64(w.next), 10)
	to = append(append(append(to, `,"delta":{"type":"`...), kind...), `","`...)
	to = jsonscan.AppendText(append(append(to, name...), `":`...), text)
	return append(to, "}}\n\n"...)
}
