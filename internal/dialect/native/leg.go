package native

import (
	"bytes"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/peer"
	"github.com/sluicegate/sluice/internal/dialect/sse"
)

const (
	// maxLifecycle is how much is held back while no content has come.
	maxLifecycle = 64 << 10
	// bytesUsual is the bytes of text for each token, for estimates.
	bytesUsual = 4
)

// leg is one attempt.
type leg struct {
	ask      *dialect.Ask
	peer     peer.Account
	request  Request
	protocol Protocol
	reading  Reading
	// events reads a stream; nil when the answer is whole.
	events   *peer.Events
	document peer.Document
	// out is what the client gets next; until released it only grows. What may
	// be the end is kept back in it.
	out peer.Outbox
	// released tells that content has come, given that some of it was given
	// out, ended that the answer may end here, closed that it did.
	released, given, ended, closed bool
	// elements counts those of an array.
	elements int
	// fault is the error that follows bytes already returned.
	fault error
	// failed tells that the answer turned out to be none before any of it was
	// delivered, so that nothing is to be charged.
	failed bool
}

var (
	_ dialect.Leg       = (*leg)(nil)
	_ dialect.Completer = (*leg)(nil)
)

// Request implements [dialect.Leg].
func (l *leg) Request(call *sluice.Call) error {
	call.Method, call.Stream, call.Replayable = "POST", nil, true
	call.Fields.Reset()
	call.Fields.Add("Content-Type", "application/json")
	accept := "application/json"
	if l.ask.Stream {
		accept = "text/event-stream"
	}
	call.Fields.Add("Accept", accept)
	l.peer.Address(call, l.request.Path)
	for _, f := range l.request.Fields {
		call.Fields.Set(f.Name, f.Value)
	}
	call.Body = append(call.Body[:0], l.request.Body...)
	return nil
}

// Outbound implements [dialect.Leg]: the peer is on the network.
func (l *leg) Outbound() sluice.Outbound { return nil }

// Failure implements [dialect.Leg].
func (l *leg) Failure(h *sluice.RespHead, body []byte) *sluice.Error {
	l.failed = true
	return l.peer.Scrubber().Failure(h, body)
}

// Begin implements [dialect.Leg].
func (l *leg) Begin(h, out *sluice.RespHead) error {
	if err := peer.CheckHead(h, l.ask.Stream); err != nil {
		l.failed = true
		return err
	}
	out.Status, out.ContentLength = 200, -1
	out.Fields.Reset()
	contentType := "application/json"
	if l.events != nil && !l.request.Array {
		contentType = "text/event-stream"
	}
	out.Fields.Add("Content-Type", contentType)
	peer.PassFields(&h.Fields, &out.Fields)
	return nil
}

// take decides on one event.
func (l *leg) take(ev *sse.Event, data []byte) error {
	if l.closed {
		return nil // nothing follows the end, not even a second one
	}
	before := l.reading
	class, err := l.protocol.Event(ev.Name, data, &l.reading)
	if err != nil {
		return err
	}
	if !peer.Plausible(&l.reading.Usage) {
		l.reading.Usage, l.reading.Stated = before.Usage, before.Stated
	}
	if class == Content || class == Closed || l.reading.Text > before.Text {
		l.out.Release() // what looked like the end was not, or here it is
	}
	if class == Last {
		l.out.Keep()
	}
	l.pass(ev, data)
	l.released = l.released || class != Lifecycle || len(l.out.Bytes) > maxLifecycle+l.request.Echo
	l.ended = l.ended || class == Last || class == Closed
	l.closed = class == Closed
	return nil
}

// pass hands an event on.
func (l *leg) pass(ev *sse.Event, data []byte) {
	to := &l.out.Bytes
	if !l.request.Array {
		*to = append(*to, ev.Raw...)
		if bytes.HasSuffix(ev.Raw, []byte("\n\r")) {
			// The line feed of the last CRLF comes late and alone; readers that
			// look for whole line ends need it here.
			*to = append(*to, '\n')
		}
		return
	}
	separator := ",\r\n"
	if l.elements == 0 {
		separator = "["
	}
	l.elements++
	*to = append(append(*to, separator...), data...)
}

// Feed implements [dialect.Leg].
func (l *leg) Feed(b []byte) ([]byte, error) {
	if l.fault != nil {
		return nil, l.fault
	}
	if l.events == nil {
		err := l.document.Hold(b)
		l.failed = err != nil
		return nil, err
	}
	l.out.Recycle()
	err := l.events.Push(b)
	if l.closed {
		err = nil // nothing follows the end, no fault either
	}
	return l.give(err)
}

// give returns what is ready. What came before a fault is delivered first, but
// for an end that it contradicts.
func (l *leg) give(err error) ([]byte, error) {
	var ready []byte
	if l.released {
		ready = l.out.Take()
	}
	if len(ready) > 0 {
		l.given, l.fault = true, err
		return l.peer.Scrubber().Answer(ready), nil
	}
	if err != nil {
		l.failed = !l.given
	}
	return nil, err
}

// Complete implements [dialect.Completer]. Answers whose protocol has no end of
// its own end with Finish.
func (l *leg) Complete() bool { return l.closed && l.given }

// Finish implements [dialect.Leg].
func (l *leg) Finish() ([]byte, error) {
	if l.fault != nil {
		return nil, l.fault
	}
	if l.events == nil {
		return l.finishWhole()
	}
	l.out.Recycle()
	if err := l.finishStream(); err != nil {
		// Nobody asks again, so what came with the error goes with it.
		l.failed = !l.given
		return nil, err
	}
	return l.give(nil)
}

func (l *leg) finishWhole() ([]byte, error) {
	doc, err := l.document.Whole(l.peer.Scrubber())
	if err == nil {
		err = l.protocol.Document(doc, &l.reading)
	}
	if err != nil {
		l.failed = true
		return nil, err
	}
	if !peer.Plausible(&l.reading.Usage) {
		l.reading.Usage, l.reading.Stated = sluice.Usage{}, false
	}
	return l.peer.Scrubber().Answer(doc), nil
}

func (l *leg) finishStream() error {
	if err := l.events.End(); err != nil && !l.closed {
		return err
	}
	if !l.ended {
		return peer.Broken("it ended before it was complete")
	}
	if l.request.Array {
		l.out.Bytes = append(l.out.Bytes, ']')
	}
	l.out.Release()
	l.released = true
	return nil
}

// Usage implements [dialect.Leg].
func (l *leg) Usage() (sluice.Usage, sluice.UsageSource) {
	switch {
	case l.failed:
		return sluice.Usage{}, sluice.UsageNone
	case l.reading.Stated:
		return l.reading.Usage, sluice.UsageProvider
	case l.document.Empty() && (l.events == nil || !l.events.Begun()):
		return sluice.Usage{}, sluice.UsageNone
	}
	u := sluice.Usage{Input: l.ask.InputEstimate}
	if l.reading.Input {
		u = l.reading.Usage
	}
	u.Output = (l.reading.Text + bytesUsual - 1) / bytesUsual
	if most := l.ask.MaxTokens * l.ask.Choices; most > 0 {
		u.Output = min(u.Output, most)
	}
	return u, sluice.UsageEstimated
}
