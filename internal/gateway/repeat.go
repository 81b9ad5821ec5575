package gateway

import (
	"context"
	"crypto/sha256"
	"io"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/plugin"
)

// repetition is a request with an Idempotency-Key while it runs.
type repetition struct {
	sluice.Repeatable
	// claimed says that the authority knows of it, or may: where its answer was lost,
	// the key would otherwise be taken by a request that never ran.
	claimed bool
	// body is what was sent so far, until it is too large to be kept.
	body []byte
	lost bool
	// unsent says that the answer is complete though its end did not leave; status
	// and contentType are its own then, not those of the error.
	unsent      bool
	status      int
	contentType string
}

// enter admits the request and claims its Idempotency-Key: after the limits, so
// that who is over them writes nothing. done says that it was carried out before,
// and has been answered again, for which a short balance is no hindrance.
func (e *exchange) enter() (done bool, err error) {
	r, err := e.repeatable()
	if err != nil {
		return false, err
	}
	if r != nil {
		if err := e.g.repeating.begin(r); err != nil {
			return false, err
		}
		e.repetition = r
	}
	if err := e.admit(); err != nil {
		if r == nil || sluice.CodeOf(err) != sluice.CodeInsufficientBalance {
			return false, err
		}
		answer, found := e.g.cfg.Answers.Find(context.Background(), r.Repeatable)
		switch {
		case found != nil:
			return false, found
		case answer != nil:
			return true, e.repeat(answer)
		}
		return false, err
	}
	if r == nil {
		return false, nil
	}
	answer, err := e.g.cfg.Answers.Begin(context.Background(), r.Repeatable)
	if err != nil {
		r.claimed = sluice.CodeOf(err) == sluice.CodeUnavailable // for all we know
		return false, e.unadmitted(err)                          // what was admitted, or claimed, is released at the end
	}
	if answer != nil {
		_ = e.unadmitted(nil)
		return true, e.repeat(answer)
	}
	r.claimed = true
	return false, nil
}

// repeatable is the request as it may be repeated; nil when it has no
// Idempotency-Key that counts.
func (e *exchange) repeatable() (*repetition, error) {
	key := e.x.Original.Fields.Get("Idempotency-Key")
	if key == "" || e.ask == nil || e.ask.Model == "" || e.op.Local || e.g.cfg.Answers == nil {
		return nil, nil
	}
	if len(key) > sluice.MaxIdempotencyKey {
		return nil, sluice.Errorf(sluice.CodeInvalidRequest, "an Idempotency-Key has at most %d bytes", sluice.MaxIdempotencyKey).At("Idempotency-Key")
	}
	id, err := sluice.ParseRequestID(e.x.ID)
	if err != nil {
		return nil, err
	}
	return &repetition{Repeatable: sluice.Repeatable{
		Scope: strings.Clone(e.scope()), Key: strings.Clone(key), Hash: e.sameness(), Request: id, Deadline: e.g.cfg.Now().Add(e.service.lasts),
	}}, nil
}

// scope is whose Idempotency-Key it is: the key's, or on a route without
// authentication the route's.
func (e *exchange) scope() string {
	if key := e.x.Consumer.Key; key != nil {
		return "key/" + e.text.integer(int64(key.ID))
	}
	return "route/" + e.route.Tenant + "/" + e.route.Name
}

// sameness is what tells one request from another: where it goes and its body.
func (e *exchange) sameness() (hash [32]byte) {
	h := sha256.New()
	for _, part := range []string{e.x.Original.Method, e.canonical, e.x.Request.RawQuery} {
		_, _ = io.WriteString(h, part) // a hash takes everything
		h.Write([]byte{0})
	}
	h.Write(e.ask.Body)
	h.Sum(hash[:0])
	return hash
}

// repeat sends an answer once more. It costs nothing: its first time did. Filters
// of bodies have seen it then, and left it as it is kept. Who else asks for it need
// not wait until this client has read it.
func (e *exchange) repeat(a *sluice.StoredAnswer) error {
	e.g.repeating.end(e.repetition)
	r := &e.response
	r.Status = a.Status
	r.Fields.Add("Content-Type", a.ContentType)
	r.Fields.Add("Idempotency-Replayed", "true")
	r.Fields.Add("X-Original-Request-Id", a.Request.String())
	e.x.Origin, e.x.Response = plugin.OriginGateway, r
	e.decorate(&r.Fields)
	if err := e.chain.HeaderFilter(&e.x); err != nil {
		return err
	}
	r.ContentLength = int64(len(a.Body)) // which filters of bodies leave open
	if len(a.Body) > 0 {
		if err := e.send(a.Body); err != nil {
			return err
		}
	}
	return e.end(nil)
}

// keep remembers a piece of an answer that may be asked for again.
func (r *repetition) keep(b []byte) {
	if r.unsent {
		return // it is complete; what follows is the error in place of its end
	}
	if r.lost = r.lost || len(r.body)+len(b) > sluice.MaxStoredAnswer; r.lost {
		r.body = nil
		return
	}
	r.body = append(r.body, b...)
}

// keepUnsent keeps the end of an answer that could not leave because what it
// costs was not written down in time: it will be charged once it is, so that the
// client gets it by asking again.
func (e *exchange) keepUnsent(b []byte, err error) {
	if r := e.repetition; r != nil && r.claimed && sluice.CodeOf(err) == sluice.CodeChargeFailed && e.money.record != nil {
		r.keep(b)
		r.unsent = true
		r.status, r.contentType = e.x.Response.Status, strings.Clone(e.x.Response.Fields.Get("Content-Type"))
	}
}

// endKey says how the request with the key ended. What was charged, or went to a
// provider that answered, is never carried out again; what cost nothing may be.
func (e *exchange) endKey() {
	r := e.repetition
	if r == nil || !r.claimed {
		return
	}
	var answer *sluice.StoredAnswer
	complete := e.failure == nil && !e.panicked && e.answering != nil
	switch {
	case r.lost:
	case r.unsent:
		answer = &sluice.StoredAnswer{Request: r.Request, Status: r.status, ContentType: r.contentType, Body: r.body}
	case complete:
		answer = &sluice.StoredAnswer{Request: r.Request, Status: e.x.Response.Status, ContentType: e.x.Response.Fields.Get("Content-Type"), Body: r.body}
	}
	done := complete || e.delivered() || e.money.record != nil && e.money.record.record.Cost.Amount > 0
	if err := e.g.cfg.Answers.End(context.Background(), r.Repeatable, answer, done); err != nil {
		e.g.cfg.Log.Error("the answer to an Idempotency-Key was not kept", "request", e.x.ID, "error", err)
	}
}
