package peer

import (
	"bytes"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
	"github.com/sluicegate/sluice/internal/dialect/sse"
)

// maxEvent is the largest event of a stream: a picture in base64 is one.
const maxEvent = 16 << 20

// Events reads a stream of JSON events: it finds them whichever way the network
// cut them, knows the errors among them, and keeps one in memory. Make one with
// [NewEvents]; it is used by one goroutine.
type Events struct {
	scrub   *Scrubber
	take    func(ev *sse.Event, data []byte) error
	scanner sse.Scanner
	// refusal is a document that came in place of a stream.
	refusal Document
	refused bool
	begun   bool
	// done tells that [DONE] came: nothing follows it.
	done bool
}

// NewEvents returns a reader that hands every event with data to take; both of
// its arguments are leased. data is the event's without the space around it.
func NewEvents(s *Scrubber, take func(ev *sse.Event, data []byte) error) *Events {
	e := &Events{}
	e.Reset(s, take)
	return e
}

// Reset begins another stream in the same memory; see [NewEvents].
func (e *Events) Reset(s *Scrubber, take func(ev *sse.Event, data []byte) error) {
	scanner := e.scanner
	*e = Events{scrub: s, take: take, scanner: scanner}
	e.scanner.Reset(maxEvent)
}

// Begun reports whether anything has come.
func (e *Events) Begun() bool { return e.begun }

// Done reports whether the stream ended with [DONE].
func (e *Events) Done() bool { return e.done }

// Push takes the next piece.
func (e *Events) Push(b []byte) error {
	if e.refused {
		return e.refusal.Hold(b)
	}
	if !e.begun {
		b = bytes.TrimLeft(b, " \t\r\n")
		if len(b) == 0 {
			return nil
		}
		e.begun = true
		switch first := b[0]; {
		case first == '{' || first == '[':
			e.refused = true
			return e.refusal.Hold(b)
		case first != ':' && first != 0xEF && (first < 'a' || first > 'z'):
			return Broken("it is not a stream of events")
		}
	}
	e.scanner.Push(b)
	return e.drain()
}

// drain takes the events that are whole.
func (e *Events) drain() error {
	var ev sse.Event
	for e.scanner.Next(&ev) {
		data := bytes.TrimSpace(ev.Data)
		switch {
		case e.done || len(data) == 0:
			continue
		case string(data) == "[DONE]":
			e.done = true
			continue
		case string(ev.Name) == "error", bytes.Contains(data, []byte(`"error"`)) && IsError(data):
			return e.scrub.Embedded(data)
		}
		if err := e.take(&ev, data); err != nil {
			return err
		}
	}
	if e.scanner.TooLarge() {
		return sluice.Errorf(sluice.CodeProviderTooLarge, "the provider's answer holds an event of more than %d bytes", maxEvent)
	}
	return nil
}

// End reads what is left at the end of the body: an event whose blank line is
// missing, or the document that came in place of a stream.
func (e *Events) End() error {
	if e.refused {
		if _, err := e.refusal.Whole(e.scrub); err != nil {
			return err
		}
		return Broken("it is a document where a stream was asked for")
	}
	rest := e.scanner.Rest()
	if len(rest) == 0 || e.done {
		return nil
	}
	if i := bytes.LastIndex(rest, []byte("data:")); i >= 0 {
		data := bytes.TrimSpace(rest[i+len("data:"):])
		if string(data) != "[DONE]" && jsonscan.At(data, 0).End != len(data) {
			return nil // cut off within: incomplete is what the caller finds
		}
	}
	e.scanner.Push([]byte("\n\n"))
	return e.drain()
}
