package responses

import (
	"encoding/json"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/form"
)

const (
	// maxItem is the longest text of one item in a stream, in bytes: its last
	// event repeats it. No known model writes as much.
	maxItem = 4 << 20
	// maxKept is how much of the items that are over is kept for the last event
	// of a stream. Of a longer answer that event names no items: they were told.
	maxKept = 4 << 20
)

// place is where an answer is.
type place struct {
	// id and created are those of the response.
	id      string
	created int64
	// sequence is the number of the next event.
	sequence int64
}

// writer renders one answer, streamed or whole: a whole one is what the last
// event of the stream would hold.
type writer struct {
	front    *Front
	info     form.Info
	streamed bool
	place    place
	started  bool
	// item is the one that is being told; it ends when the next one begins or
	// the answer ends, so that a cut one can say so.
	item open
	// count is how many items have begun; kept are those that are over, joined
	// by commas, as long as they are few enough.
	count    int
	kept     []byte
	outgrown bool
	usage    *sluice.Usage
	refused  bool
	// status and reason say how it ended; fault is the error of one that
	// failed.
	status, reason string
	fault          json.RawMessage
}

var _ form.Writer = (*writer)(nil)

// ContentType implements [form.Writer].
func (w *writer) ContentType() string {
	if w.streamed {
		return "text/event-stream"
	}
	return "application/json"
}

// Write implements [form.Writer].
func (w *writer) Write(to []byte, ev *form.Event) ([]byte, error) {
	if ev.Choice != 0 || ev.Kind == form.EventPing {
		return to, nil // only one answer was asked for
	}
	to = w.start(to, ev)
	switch ev.Kind {
	case form.EventPartStart:
		return w.begin(to, &ev.Part), nil
	case form.EventDelta:
		return w.delta(to, ev)
	case form.EventUsage:
		u := ev.Usage
		w.usage = &u
	case form.EventFinish:
		if err := w.finish(ev.Reason); err != nil {
			return to, err
		}
		return w.close(to), nil
	}
	return to, nil
}

// End implements [form.Writer].
func (w *writer) End(to []byte) ([]byte, error) {
	if w.status == "" {
		w.status = "completed"
	}
	to = w.close(to)
	if w.streamed {
		return w.terminal(to), nil
	}
	return w.object(to), nil
}

// start announces the answer.
func (w *writer) start(to []byte, ev *form.Event) []byte {
	if w.started {
		return to
	}
	w.started = true
	if !w.streamed {
		return to
	}
	w.status = "in_progress"
	for _, name := range [...]string{"response.created", "response.in_progress"} {
		to = w.object(append(w.event(to, name), `,"response":`...))
		to = append(to, "}\n\n"...)
	}
	w.status = ""
	return to
}

// finish notes how the answer ended.
func (w *writer) finish(reason form.StopReason) error {
	w.status = "completed"
	switch reason {
	case form.StopLength, form.StopContext, form.StopPause:
		w.status, w.reason = "incomplete", "max_output_tokens"
	case form.StopFilter:
		w.status, w.reason = "incomplete", "content_filter"
	case form.StopRefusal:
		if !w.refused {
			w.status, w.reason = "incomplete", "content_filter"
		}
	case form.StopMalformed:
		return sluice.Errorf(sluice.CodeProviderError, "the provider's answer cannot be used: the model wrote a tool call that cannot be read")
	}
	return nil
}

// event appends the beginning of an event: the next one of its name.
func (w *writer) event(to []byte, name string) []byte {
	to = append(append(to, "event: "...), name...)
	to = append(append(to, "\ndata: {\"type\":\""...), name...)
	to = appendInt(append(to, `","sequence_number":`...), w.place.sequence)
	w.place.sequence++
	return to
}

// terminal appends the last event.
func (w *writer) terminal(to []byte) []byte {
	to = w.object(append(w.event(to, "response."+w.status), `,"response":`...))
	return append(to, "}\n\n"...)
}

// responseID makes an id in the shape of this API of the request's.
func responseID(requestID string) string { return "resp_" + plainID(requestID) }

func plainID(requestID string) string { return strings.ReplaceAll(requestID, "-", "") }
