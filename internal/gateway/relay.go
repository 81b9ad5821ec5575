package gateway

import (
	"errors"
	"io"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/plugin"
)

// relay brings a target's answer to the client, piece by piece: one piece is
// held at a time, and a slow client makes the target wait. It calls copy from
// where little is on the stack, because a stream waits there for minutes.
func (e *exchange) relay(a *attempt) error {
	more, err := e.present(a)
	switch {
	case more && err == nil:
		err = e.conclude(a, e.copy(a))
	case more:
		e.drainRest(a, err)
	}
	a.close(&e.flight) // after a panic, contain does it
	return err
}

// present begins the answer, and ends it unless there is more to come.
func (e *exchange) present(a *attempt) (more bool, err error) {
	e.answering = a
	e.x.Origin, e.x.TargetStatus, e.x.Response = plugin.OriginTarget, a.status, &a.head
	e.failure = nil // of attempts that another target mended
	e.money.noted = a.reached
	switch {
	case bodyless(e.x.Request.Method, a.head.Status):
	case e.chain.HasBodyFilter():
		a.head.ContentLength = -1
	case a.ended && !isEventStream(&a.head.Fields):
		a.head.ContentLength = int64(len(a.first)) // one write, where chunks take two
	}
	e.decorate(&a.head.Fields)
	if err := e.chain.HeaderFilter(&e.x); err != nil {
		return false, err
	}
	e.events = isEventStream(&a.head.Fields) || e.ask.EndsItself()
	if bodyless(e.x.Request.Method, a.head.Status) {
		if err := e.account(0); err != nil {
			return false, err
		}
		return false, e.end(nil)
	}
	if a.ended {
		if err := e.emit(a.first, true); err != nil {
			return false, err
		}
		return false, e.end(nil)
	}
	return true, e.open(a)
}

// conclude completes the answer, or finds out why copying it failed.
func (e *exchange) conclude(a *attempt, err error) error {
	if err == nil {
		return e.end(a.stream.Trailers())
	}
	err = e.cause(a, err)
	if code := sluice.CodeOf(err); code == sluice.CodeProviderError || code == sluice.CodeTimeout {
		e.service.set.Failed(a.index, e.g.cfg.Now())
	}
	return err
}

// open sends what is there. A stream's head does not wait for its first event.
func (e *exchange) open(a *attempt) error {
	if len(a.first) > 0 {
		return e.emit(a.first, false)
	}
	if a.head.ContentLength < 0 && !e.chain.HasBodyFilter() {
		return e.send(nil)
	}
	return nil
}

// copy moves the body.
func (e *exchange) copy(a *attempt) error {
	alive := e.newKeepAlive()
	if alive != nil {
		defer func() { e.written += alive.stop() }()
	}
	for {
		var b []byte
		var err error
		if alive == nil {
			b, err = a.stream.Next() // not by way of alive: this deep, a call more is stack that waits
		} else {
			b, err = alive.next(a.stream)
		}
		if errors.Is(err, io.EOF) {
			if b, err = a.leg.Finish(); err != nil {
				return err
			}
			return e.emit(b, true)
		}
		if err != nil {
			return err
		}
		if b, err = a.leg.Feed(b); err != nil {
			return err
		}
		if err = e.emit(b, false); err != nil {
			e.drainRest(a, err)
			return err
		}
		if err = e.progress(a); err != nil {
			return err
		}
	}
}

// completed reports whether the piece that came last ends the answer.
func (a *attempt) completed() bool {
	c, ok := a.leg.(dialect.Completer)
	return ok && c.Complete()
}

// emit passes a piece through the body filters and sends what they leave of it,
// the last one when what it all costs is written down.
func (e *exchange) emit(b []byte, last bool) error {
	if e.chain.HasBodyFilter() {
		var err error
		if b, err = e.chain.BodyFilter(&e.x, b, last); err != nil {
			return err
		}
	}
	if last || e.answering.completed() {
		if err := e.account(len(b)); err != nil {
			e.keepUnsent(b, err)
			return err
		}
	}
	if len(b) == 0 {
		return nil
	}
	return e.send(b)
}

// send writes a piece, the head before the first one. Nothing can be taken back
// after it.
func (e *exchange) send(b []byte) error {
	if err := e.begin(); err != nil {
		return err
	}
	if r := e.repetition; r != nil && r.claimed {
		r.keep(b)
	}
	if err := e.in.Write(b); err != nil {
		return err
	}
	e.written += int64(len(b))
	return nil
}

// begin sends the head once.
func (e *exchange) begin() error {
	if e.begun {
		return nil
	}
	e.begun = true
	if e.firstByte = e.x.Start; e.answering != nil {
		e.firstByte = e.answering.reached
	}
	return e.in.Begin(e.x.Response)
}

// end completes the answer.
func (e *exchange) end(trailers *sluice.Fields) error {
	if err := e.begin(); err != nil {
		return err
	}
	if trailers != nil {
		stripHop(trailers)
	}
	return e.in.End(trailers)
}

// bodyless reports whether an answer carries no body whatever its head says.
func bodyless(method string, status int) bool {
	return method == "HEAD" || status == 204 || status == 304
}

func isEventStream(f *sluice.Fields) bool {
	const name = "text/event-stream"
	v := f.Get("Content-Type")
	return len(v) >= len(name) && strings.EqualFold(v[:len(name)], name)
}
