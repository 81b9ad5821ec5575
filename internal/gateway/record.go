package gateway

import (
	"slices"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
)

// record runs the log phase and queues the one record of the exchange. Strings
// of the request are cloned: the record outlives their buffer.
func (e *exchange) record(usage sluice.Usage, source sluice.UsageSource) {
	if e.unrecorded {
		return
	}
	now := e.g.cfg.Now()
	r := sluice.Record{
		ID: e.x.ID, Time: e.x.Start, Gateway: e.g.cfg.Name,
		Method: keep(e.x.Original.Method, 32), Host: keep(e.x.Original.Host, 255), Path: e.path(),
		ClientIP: ipText(e), Surface: e.surface.Name(), Operation: e.op.Name,
		Outcome: e.outcome(), Status: e.status(), Stream: e.x.Stream,
		Usage: usage, UsageSource: source, LatencyMS: now.Sub(e.x.Start).Milliseconds(),
		BytesIn: e.bytesIn(), BytesOut: e.written,
	}
	if e.failure != nil {
		r.Code = e.failure.Code
	}
	if !e.firstByte.IsZero() && e.answering != nil {
		r.TTFTMS = e.firstByte.Sub(e.x.Start).Milliseconds()
	}
	r.Attempts = slices.Clone(e.attempts)
	e.nameParties(&r)
	if e.chain != nil {
		e.chain.Log(&e.x, &r)
	}
	r.Plugins = slices.Clone(e.x.Trace)
	e.g.metrics.exchange(&r, now.Sub(e.x.Start), e.ttft())
	e.g.shipper.add(r)
}

// nameParties fills in who called whom.
func (e *exchange) nameParties(r *sluice.Record) {
	if key := e.x.Consumer.Key; key != nil {
		r.Tenant, r.User, r.Key, r.KeyID = key.Tenant, key.User, key.Name, key.ID
	}
	if e.group != nil {
		r.Group = e.group.Name
	}
	if e.route != nil {
		r.Route, r.Upstream = e.route.Name, e.route.Upstream
		if r.Tenant == "" {
			r.Tenant = e.route.Tenant
		}
	}
	if e.ask != nil {
		r.Model = strings.Clone(e.ask.Model)
	}
	if e.answering != nil && e.answering.target.account.Provider != nil {
		p := e.answering.target.account.Provider
		r.Provider, r.ProviderModel = p.Name, strings.Clone(p.UpstreamModel(e.ask.Model))
	}
}

// outcome says in one word how it ended.
func (e *exchange) outcome() sluice.Outcome {
	switch {
	case e.panicked:
		return sluice.OutcomeInternal
	case e.failure == nil:
		return sluice.OutcomeComplete
	case e.failure.Code == sluice.CodeClientGone:
		return sluice.OutcomeClientGone
	case e.flight.ended() != "":
		return sluice.OutcomeShuttingDown
	case e.failure.Code == sluice.CodeTimeout:
		return sluice.OutcomeTimeout
	case e.failure.Code == sluice.CodeInternal:
		return sluice.OutcomeInternal
	case e.answering != nil && e.begun && !e.failing:
		return sluice.OutcomeIncomplete
	case len(e.attempts) == 0:
		return sluice.OutcomeRefused
	}
	return sluice.OutcomeError
}

// status is what the client was shown.
func (e *exchange) status() int {
	switch {
	case e.begun && e.x.Response != nil:
		return e.x.Response.Status
	case e.failure != nil:
		return sluice.CodeInfo(e.failure.Code).Status
	}
	return 0
}

// bytesIn is how much of the body was taken from the client.
func (e *exchange) bytesIn() int64 {
	if e.upload != nil {
		return e.upload.bytes()
	}
	body, _ := e.x.BodyRead()
	return int64(len(body))
}

// ttft is the time to the first byte of a target's answer, 0 without one.
func (e *exchange) ttft() time.Duration {
	if e.answering == nil || e.firstByte.IsZero() {
		return 0
	}
	return e.firstByte.Sub(e.x.Start)
}

// path is the canonical path, or what was sent in its place. The query stays
// out: it may hold a credential.
func (e *exchange) path() string {
	p := e.canonical
	if p == "" {
		p, _, _ = strings.Cut(e.x.Original.Target, "?")
	}
	return keep(p, 2048)
}

// keep copies text of the request into the record, bounded and in UTF-8.
func keep(s string, most int) string {
	return strings.ToValidUTF8(strings.Clone(s[:min(len(s), most)]), "")
}

func ipText(e *exchange) string {
	if !e.x.ClientIP.IsValid() {
		return ""
	}
	return e.x.ClientIP.String()
}
