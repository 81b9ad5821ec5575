package gateway

import (
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sluicegate/sluice"
)

// finished is a record with the memory that it refers to, from the end of its
// exchange until it is published.
type finished struct {
	record   sluice.Record
	text     scratch
	attempts []sluice.Attempt
	plugins  []sluice.PluginTrace
}

// reset empties it and keeps the memory.
func (f *finished) reset() {
	f.record = sluice.Record{}
	f.text.reset()
	f.attempts, f.plugins = f.attempts[:0], f.plugins[:0]
}

// keep copies text of the request, bounded and in UTF-8: the record outlives the
// request's buffer.
func (f *finished) keep(s string, most int) string {
	s = s[:min(len(s), most)]
	if !utf8.ValidString(s) {
		return strings.ToValidUTF8(s, "")
	}
	return f.text.copy(s)
}

// address copies an address as text.
func (f *finished) address(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return f.text.address(ip)
}

// record runs the log phase and queues the one record of the exchange, unless the
// journal has it already.
func (e *exchange) record(usage sluice.Usage, source sluice.UsageSource) {
	if e.unrecorded {
		return
	}
	f := e.money.record
	if f == nil {
		f = e.compose(e.outcome(), usage, source, 0)
	}
	r := &f.record
	if e.chain != nil {
		e.chain.Log(&e.x, r)
	}
	if f.plugins = append(f.plugins[:0], e.x.Trace...); len(f.plugins) > 0 {
		r.Plugins = f.plugins
	}
	e.meters().exchange(r, e.taken(), e.ttft())
	if e.money.record != nil {
		e.g.shipper.giveBack(f)
		return
	}
	e.g.shipper.add(f)
}

// compose writes the record of an exchange that has this outcome once so many
// more bytes have left.
func (e *exchange) compose(outcome sluice.Outcome, usage sluice.Usage, source sluice.UsageSource, unsent int64) *finished {
	f := e.g.shipper.take()
	r := &f.record
	*r = sluice.Record{
		ID: f.text.copy(e.x.ID), Time: e.x.Start, Gateway: e.g.cfg.Name,
		Method: f.keep(e.x.Original.Method, 32), Host: f.keep(e.x.Original.Host, 255), Path: f.keep(e.path(), 2048),
		ClientIP: f.address(e.x.ClientIP), Surface: e.surface.Name(), Operation: e.op.Name,
		Outcome: outcome, Status: e.status(), Stream: e.x.Stream,
		Usage: usage, UsageSource: source, LatencyMS: e.taken().Milliseconds(),
		BytesIn: e.bytesIn(), BytesOut: e.written + unsent,
	}
	if e.failure != nil {
		r.Code = e.failure.Code
	}
	r.TTFTMS = e.ttft().Milliseconds()
	f.attempts = append(f.attempts, e.attempts...)
	if len(f.attempts) > 0 {
		r.Attempts = f.attempts
	}
	if f.plugins = append(f.plugins, e.x.Trace...); len(f.plugins) > 0 {
		r.Plugins = f.plugins
	}
	e.nameParties(f)
	e.cost(r)
	return f
}

// taken is how long the request has lasted. A clock without a monotonic reading
// may have been set back meanwhile.
func (e *exchange) taken() time.Duration { return max(0, e.g.cfg.Now().Sub(e.x.Start)) }

// meters are the metrics of the surface that the request came to.
func (e *exchange) meters() *surfaceMetrics {
	if e.route != nil {
		return e.route.meters
	}
	return e.g.metrics.surface(e.surface.Name())
}

// nameParties fills in who called whom.
func (e *exchange) nameParties(f *finished) {
	r := &f.record
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
		r.Model = f.keep(e.modelName(), 256)
	}
	if e.answering != nil && e.answering.target.account.Provider != nil {
		p := e.answering.target.account.Provider
		r.Provider, r.ProviderModel = p.Name, r.Model
		if name, mapped := p.ModelMap[r.Model]; mapped {
			r.ProviderModel = name
		}
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
	case e.delivered():
		return sluice.OutcomeIncomplete
	case len(e.attempts) == 0:
		return sluice.OutcomeRefused
	}
	return sluice.OutcomeError
}

// status is what the client was shown.
func (e *exchange) status() int {
	switch {
	case (e.begun || e.failure == nil) && e.x.Response != nil:
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
	if e.answering == nil || e.firstByte.IsZero() && e.failure != nil {
		return 0
	}
	return max(0, e.answering.reached.Sub(e.x.Start))
}

// path is the canonical path, or what was sent in its place. The query stays
// out: it may hold a credential.
func (e *exchange) path() string {
	p := e.canonical
	if p == "" {
		p, _, _ = strings.Cut(e.x.Original.Target, "?")
	}
	return sluice.MaskTokens(p)
}
