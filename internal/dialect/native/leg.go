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
	// keptOut is the most memory that an idle buffer keeps.
	keptOut = 64 << 10
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
	// out is what the client gets next; until released it only grows.
	out []byte
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

var _ dialect.Leg = (*leg)(nil)

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
	l.pass(ev, data)
	l.released = l.released || class != Lifecycle || len(l.out) > maxLifecycle+l.request.Echo
	l.ended = l.ended || class == Last || class == Closed
	l.closed = class == Closed
	return nil
}

// pass hands an event on.
func (l *leg) pass(ev *sse.Event, data []byte) {
	if !l.request.Array {
		l.out = append(l.out, ev.Raw...)
		if bytes.HasSuffix(ev.Raw, []byte("\n\r")) {
			// The line feed of the last CRLF comes late and alone; readers that
			// look for whole line ends need it here.
			l.out = append(l.out, '\n')
		}
		return
	}
	separator := ",\r\n"
	if l.elements == 0 {
		separator = "["
	}
	l.elements++
	l.out = append(append(l.out, separator...), data...)
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
	l.recycle()
	return l.give(l.events.Push(b))
}

// recycle empties what has been given out.
func (l *leg) recycle() {
	if !l.given {
		return
	}
	if cap(l.out) > keptOut {
		l.out = nil
	}
	l.out = l.out[:0]
}

// give returns what is ready. What came before a fault is delivered first.
func (l *leg) give(err error) ([]byte, error) {
	if err != nil && (!l.released || len(l.out) == 0) {
		l.failed = !l.given
		return nil, err
	}
	l.fault = err
	if !l.released || len(l.out) == 0 {
		return nil, nil
	}
	l.given = true
	return l.peer.Scrubber().Answer(l.out), nil
}

// Finish implements [dialect.Leg].
func (l *leg) Finish() ([]byte, error) {
	if l.fault != nil {
		return nil, l.fault
	}
	if l.events == nil {
		return l.finishWhole()
	}
	l.recycle()
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
	if err := l.events.End(); err != nil {
		return err
	}
	if !l.ended {
		return peer.Broken("it ended before it was complete")
	}
	if l.request.Array {
		l.out = append(l.out, ']')
	}
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
