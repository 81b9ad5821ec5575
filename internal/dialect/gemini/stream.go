package gemini

import "github.com/sluicegate/sluice/internal/dialect/form"

// streamWriter tells an answer as it comes, one response for each piece.
type streamWriter struct{ answer }

// write returns the response for an event, nil for none.
func (w *streamWriter) write(ev *form.Event) ([]byte, error) {
	p, ok, err := w.take(ev)
	if err != nil || !ok {
		return nil, err
	}
	reply := w.reply()
	said := &content{Role: roleModel, Parts: []part{p}}
	reply.Candidates = []candidate{{Content: said, LogprobsResult: logprobsOf(ev.Logprobs), Index: ev.Choice}}
	return mustJSON(reply), nil
}

// eventWriter tells an answer as server-sent events.
type eventWriter struct{ stream streamWriter }

var _ form.Writer = (*eventWriter)(nil)

// Write implements [form.Writer].
func (w *eventWriter) Write(to []byte, ev *form.Event) ([]byte, error) {
	doc, err := w.stream.write(ev)
	if err != nil || doc == nil {
		return to, err
	}
	return frame(to, doc), nil
}

// End implements [form.Writer]. No [DONE] follows.
func (w *eventWriter) End(to []byte) ([]byte, error) {
	return frame(to, mustJSON(w.stream.ending())), nil
}

// ContentType implements [form.Writer].
func (*eventWriter) ContentType() string { return "text/event-stream" }

// frame appends a server-sent event.
func frame(to, doc []byte) []byte {
	return append(append(append(to, "data: "...), doc...), "\r\n\r\n"...)
}

// arrayWriter tells an answer as a JSON array that grows by an element at a
// time.
type arrayWriter struct {
	stream streamWriter
	asked  *reading
}

var _ form.Writer = (*arrayWriter)(nil)

// Write implements [form.Writer].
func (w *arrayWriter) Write(to []byte, ev *form.Event) ([]byte, error) {
	doc, err := w.stream.write(ev)
	if err != nil || doc == nil {
		return to, err
	}
	return w.asked.element(to, doc), nil
}

// End implements [form.Writer].
func (w *arrayWriter) End(to []byte) ([]byte, error) {
	return append(w.asked.element(to, mustJSON(w.stream.ending())), "\r\n]"...), nil
}

// ContentType implements [form.Writer].
func (*arrayWriter) ContentType() string { return "application/json" }
