package anthropic

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// bytesUsual is the bytes of text for each token, for estimates.
const bytesUsual = 4

// ending is what a writer learns for the end of an answer.
type ending struct {
	info form.Info
	// usage is what was stated, stated of the whole and begun of the input.
	usage         sluice.Usage
	stated, begun bool
	// text is how many bytes of output have come, called whether a call has.
	text     int64
	called   bool
	reason   form.StopReason
	sequence string
}

// take notes what an event means for the end.
func (e *ending) take(ev *form.Event) {
	switch ev.Kind {
	case form.EventUsage:
		e.usage, e.stated, e.begun = ev.Usage, !ev.Partial, true
	case form.EventDelta:
		e.text += int64(len(ev.Text))
	case form.EventPartStart:
		e.called = e.called || ev.Part.Kind == form.PartCall
	case form.EventFinish:
		e.reason, e.sequence = ev.Reason, ev.StopSequence
	}
}

// id is the message's id, made of the request's.
func (e *ending) id() string { return "msg_" + strings.ReplaceAll(e.info.RequestID, "-", "") }

// use is the usage so far, estimated where the provider stated none.
func (e *ending) use() *sluice.Usage {
	u := e.usage
	if !e.begun {
		u.Input = e.info.InputEstimate
	}
	if !e.stated {
		u.Output = (e.text + bytesUsual - 1) / bytesUsual
	}
	return &u
}

// appendStop appends stop_reason and stop_sequence.
func (e *ending) appendStop(to []byte) []byte {
	to = append(append(append(to, `"stop_reason":"`...), wireReason(e.reason, e.called)...), `","stop_sequence":`...)
	if e.reason != form.StopSequence || e.sequence == "" {
		return append(to, "null"...)
	}
	return jsonscan.AppendText(to, e.sequence)
}

// appendHead appends a message up to its content.
func (e *ending) appendHead(to []byte) []byte {
	to = jsonscan.AppendText(append(to, `{"id":`...), e.id())
	to = jsonscan.AppendText(append(to, `,"type":"message","role":"assistant","model":`...), e.info.Model)
	return append(to, `,"content":[`...)
}

// sealed is the whole block of a thought that only its provider can read.
func sealed(ev *form.Event) json.RawMessage {
	data := form.Signature{Origin: ev.Signature.Origin, Value: ev.Sealed}.Travelling(origin)
	return append(jsonscan.AppendText([]byte(`{"type":"redacted_thinking","data":`), data), '}')
}

// note stands in the place of a picture, which answers of this API cannot hold:
// it is not passed over in silence.
func note(m *form.Media) string {
	return fmt.Sprintf("[an image of type %s and %d bytes, which this API cannot carry]", m.Type, len(m.Data)/4*3)
}
