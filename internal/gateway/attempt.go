package gateway

import (
	"errors"
	"io"
	"slices"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/upstream"
)

// maxFailureBody bounds what is read of a target's error answer.
const maxFailureBody = 64 << 10

// attempt is one call to one target. Its memory serves one attempt after the
// other.
type attempt struct {
	index  int
	target *target
	leg    dialect.Leg
	call   sluice.Call
	stream sluice.Stream
	// status is the target's.
	status int
	// head is what the client gets, and first its first piece.
	head  sluice.RespHead
	first []byte
	// ended says that first was also the last piece.
	ended bool
	// reached is when its answer began, or when it failed.
	reached time.Time
	// exact ends a call with a short total time.
	exact *time.Timer
}

// reset makes the memory ready for another attempt. The last one is closed.
func (a *attempt) reset() {
	if a.leg == nil {
		return
	}
	if r, ok := a.leg.(dialect.Releaser); ok {
		r.Release()
	}
	a.call.Reset()
	a.head.Fields.Reset()
	a.head = sluice.RespHead{Fields: a.head.Fields}
	a.index, a.target, a.leg, a.stream, a.status = 0, nil, nil, nil, 0
	a.first, a.ended, a.exact = nil, false, nil
}

// close gives the connection back, once. Afterwards nobody stops the call.
func (a *attempt) close(f *flight) {
	f.release()
	if a.exact != nil {
		a.exact.Stop()
	}
	if a.stream != nil {
		a.stream.Close()
		a.stream = nil
	}
}

// forward tries targets until one answers. Targets are changed before the first
// piece of content only.
func (e *exchange) forward() (*attempt, error) {
	e.prepareHead()
	e.g.budget.earn()
	for {
		choice := e.pick()
		if !choice.OK {
			return nil, e.noTarget(choice)
		}
		e.tried = append(e.tried, choice.Index)
		a, err := e.try(choice.Index)
		if err == nil {
			return a, nil
		}
		if !e.mayRetry(a, err) {
			return nil, e.verdict(err)
		}
	}
}

// pick chooses the next target.
func (e *exchange) pick() upstream.Choice {
	tried := func(i int) bool { return slices.Contains(e.tried, i) }
	model := e.modelName()
	fits := func(i int) bool { return e.service.targets[i].serves(model) }
	e.picked = e.g.cfg.Now()
	return e.service.set.Pick(e.picked, tried, fits)
}

// modelName is the model's name in the catalogue, or as it was asked for where
// there is no catalogue.
func (e *exchange) modelName() string {
	if e.model != nil {
		return e.model.Name
	}
	return e.ask.Model
}

// noTarget explains that nobody is left, or that nobody was there to begin with.
func (e *exchange) noTarget(c upstream.Choice) error {
	if len(e.attempts) > 0 {
		return e.verdict(e.failure)
	}
	err := sluice.Errorf(sluice.CodeNoTarget, "no target is available for this request at the moment")
	if c.Wait > 0 {
		err = err.After(int((c.Wait + time.Second - 1) / time.Second))
	}
	return err
}

// try makes one attempt up to its first piece of content and books it.
func (e *exchange) try(index int) (*attempt, error) {
	a := &e.attempt
	a.reset()
	a.index, a.target = index, &e.service.targets[index]
	err := e.reach(a)
	a.reached = e.g.cfg.Now()
	booked := sluice.Attempt{Target: a.target.name, Status: a.status, LatencyMS: max(0, a.reached.Sub(e.picked).Milliseconds())}
	if err != nil {
		err = e.cause(a, err)
		e.closeAttempt(a)
		a.close(&e.flight)
		e.failure = sluice.AsError(err)
		booked.Code = e.failure.Code
		e.g.cfg.Log.Debug("attempt failed", "request", e.x.ID, "target", a.target.name, "error", err)
	}
	e.attempts = append(e.attempts, booked)
	e.g.metrics.attempt(booked.Code)
	e.observe(a, err)
	return a, err
}

// reach opens the leg, sends the call and reads up to the first content.
func (e *exchange) reach(a *attempt) (err error) {
	account := a.target.account
	if account.Provider != nil {
		account.Model, account.Entry = account.Provider.UpstreamModel(e.modelName()), e.model
	}
	if a.leg, err = a.target.dialect.Open(e.ask, account); err != nil {
		return err
	}
	if err = a.leg.Request(&a.call); err != nil {
		return err
	}
	e.attachBody(a)
	if err = e.openAttempt(a); err != nil {
		return err
	}
	e.bound(a)
	out := a.leg.Outbound()
	if out == nil {
		out = a.target.outbound
	}
	if a.stream, err = out.Do(&a.call); err != nil {
		return err
	}
	head := a.stream.Head()
	a.status = head.Status
	if !e.isAnswer(head.Status) {
		return a.leg.Failure(head, readUpTo(a.stream, maxFailureBody))
	}
	if err = a.leg.Begin(head, &a.head); err != nil {
		return err
	}
	if e.service.plain {
		return nil // whatever it sends is the answer, and its head must not wait
	}
	return a.readFirst()
}

// isAnswer reports whether a status is passed on rather than classified.
func (e *exchange) isAnswer(status int) bool {
	if e.service.plain {
		return status >= 200
	}
	return status >= 200 && status < 300
}

// readFirst reads until there is something for the client: until then another
// target could still answer.
func (a *attempt) readFirst() error {
	for len(a.first) == 0 {
		b, err := a.stream.Next()
		if errors.Is(err, io.EOF) {
			a.ended = true
			a.first, err = a.leg.Finish()
			return err
		}
		if err != nil {
			return err
		}
		if a.first, err = a.leg.Feed(b); err != nil {
			return err
		}
	}
	return nil
}

// attachBody streams the upload of a body that nobody read.
func (e *exchange) attachBody(a *attempt) {
	a.call.Replayable = true
	if _, read := e.x.BodyRead(); read || e.x.Request.ContentLength == 0 {
		return
	}
	if e.upload == nil {
		e.upload = &upload{from: e.in, left: e.route.MaxBodyBytes, limit: e.route.MaxBodyBytes}
	}
	a.call.Stream, a.call.ContentLength, a.call.Replayable = e.upload, e.x.Request.ContentLength, false
}

// bound bounds the phases of the call and all of it.
func (e *exchange) bound(a *attempt) {
	t := &a.target.timeouts
	a.call.Connect = time.Duration(t.ConnectMS) * time.Millisecond
	a.call.FirstByte = time.Duration(t.FirstByteMS) * time.Millisecond
	a.call.Idle = time.Duration(t.IdleMS) * time.Millisecond
	total := time.Duration(t.TotalMS) * time.Millisecond
	if total > exactTotal {
		e.flight.bind(a.call.Stopper(), e.g.flights.dueIn(total), e.drains(a))
		return
	}
	number := e.flight.bind(a.call.Stopper(), 0, e.drains(a))
	a.exact = time.AfterFunc(total, func() { e.flight.expire(number) })
}

// cause finds out whose fault an error is: a call that was stopped fails in
// whatever way it happens to.
func (e *exchange) cause(a *attempt, err error) error {
	if ended := e.flight.err(); ended != nil {
		return ended
	}
	if e.flight.overdue() {
		return sluice.Errorf(sluice.CodeTimeout, "the answer took longer than %d ms", a.target.timeouts.TotalMS).Because(err)
	}
	if e.upload != nil {
		if failed := e.upload.failure(); failed != nil {
			return failed
		}
	}
	return err
}

// observe tells the set how the target did.
func (e *exchange) observe(a *attempt, err error) {
	set, now := e.service.set, a.reached
	if err == nil {
		if e.service.plain && a.status >= 502 && a.status <= 504 {
			set.Failed(a.index, now)
		} else {
			set.Succeeded(a.index)
		}
		return
	}
	if e.money.broken {
		set.Released(a.index) // the journal is to blame, and not the target
		return
	}
	failure := sluice.AsError(err)
	if failure.RetryAfter > 0 && dialect.Retryable(failure) {
		set.Rest(a.index, now, time.Duration(failure.RetryAfter)*time.Second)
	}
	switch failure.Code {
	case sluice.CodeProviderError, sluice.CodeTimeout, sluice.CodeProviderAuth, sluice.CodeProviderQuota:
		set.Failed(a.index, now)
	case sluice.CodeUnavailable:
		if e.flight.ended() == "" {
			set.Failed(a.index, now)
		}
	case sluice.CodeProviderRate:
		if failure.RetryAfter == 0 {
			set.Rest(a.index, now, time.Second)
		}
	default:
		set.Released(a.index)
	}
}

// mayRetry reports whether another target may be asked.
func (e *exchange) mayRetry(a *attempt, err error) bool {
	switch {
	case len(e.attempts) >= e.service.attempts, e.flight.ended() != "", e.money.broken:
		return false
	case a.leg == nil && e.ask.Front != nil:
		return true // its protocol cannot express the request, and nothing was sent
	case !dialect.Retryable(sluice.AsError(err)):
		return false
	case e.upload != nil && e.upload.used():
		return false // part of the body is gone
	case e.service.plain && a.call.Sent && !idempotent(e.x.Request.Method):
		return false // it may have been carried out
	}
	return e.g.budget.spend(e.g.cfg.Now())
}

// idempotent lists the methods that may be sent twice (RFC 9110, section 9.2.2).
func idempotent(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}

// verdict is what the client is told of attempts that failed: the one failure,
// what all of them failed with where that says more, or that all failed.
func (e *exchange) verdict(err error) error {
	failure := sluice.AsError(err)
	if len(e.attempts) < 2 || !dialect.Retryable(failure) || e.flight.ended() != "" {
		return err
	}
	for _, a := range e.attempts {
		if a.Code != failure.Code || a.Code == sluice.CodeProviderError {
			return sluice.Errorf(sluice.CodeTargetsFailed, "all %d targets that were tried failed", len(e.attempts)).
				With("last", string(failure.Code)).After(failure.RetryAfter).Because(err)
		}
	}
	return err
}

// readUpTo reads at most max bytes of a stream, as far as they come.
func readUpTo(s sluice.Stream, max int) []byte {
	var out []byte
	for len(out) < max {
		b, err := s.Next()
		if err != nil {
			break
		}
		out = append(out, b[:min(len(b), max-len(out))]...)
	}
	return out
}
