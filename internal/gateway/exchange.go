package gateway

import (
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/plugin"
)

// exchange is one request on its way through the pipeline. Its memory is used
// again for later requests; what outlives it is cloned into the record.
type exchange struct {
	g      *Gateway
	st     *state // nil before the first snapshot
	in     sluice.Inbound
	x      plugin.Exchange
	flight *flight

	// Set by the phases, in this order.
	canonical string // the path, before a prefix is stripped
	route     *routeState
	chain     *plugin.Chain
	surface   dialect.Surface
	op        dialect.Operation
	opErr     error
	consumer  *groupState // the group of the consumer's key
	group     *groupState // the group that provides the targets
	model     *sluice.Model
	service   *service
	ask       *dialect.Ask
	upload    *upload

	grant     sluice.Grant
	admitted  bool
	standings []sluice.Standing

	tried    []int
	attempts []sluice.Attempt
	// answering is the attempt whose answer the client gets.
	answering *attempt

	// begun says that the head of the answer may have left, events that it
	// announced an event stream.
	begun, events bool
	response      sluice.RespHead
	written       int64
	firstByte     time.Time

	failure  *sluice.Error
	failing  bool
	panicked bool
	// unrecorded marks the gateway's own health answers.
	unrecorded bool
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

// Serve brings one request through the pipeline. It returns when the answer is
// complete or broken off and the record is queued; what in handed out may then
// be used for other requests.
func (g *Gateway) Serve(in sluice.Inbound) {
	e := exchanges.Get().(*exchange)
	e.start(g, in)
	defer e.finish()
	defer e.contain()
	if err := e.run(); err != nil {
		e.fail(err)
	}
}

// start readies the exchange and listens for the client's hang-up.
func (e *exchange) start(g *Gateway, in sluice.Inbound) {
	e.g, e.st, e.in = g, g.current.Load(), in
	e.surface = dialect.Plain{}
	e.x.Start = g.cfg.Now()
	e.x.ID = newID(e.x.Start, g.cfg.Random)
	e.x.Request = in.Head()
	e.x.Now = g.cfg.Now
	e.flight = g.flights.take()
	g.metrics.active.Inc()
	in.OnGone(e.flight.clientGone)
}

// run is the pipeline: each phase decides whether the next one is reached.
func (e *exchange) run() error {
	if err := e.capture(); err != nil {
		return err
	}
	if done, err := e.match(); done || err != nil {
		return err
	}
	if err := e.authenticate(); err != nil {
		return err
	}
	if e.x.Reply() != nil {
		return e.answerReply()
	}
	if err := e.readAsk(); err != nil {
		return err
	}
	if err := e.access(); err != nil {
		return err
	}
	if e.x.Reply() != nil {
		return e.answerReply()
	}
	if err := e.check(); err != nil {
		return err
	}
	if err := e.admit(); err != nil {
		return err
	}
	if e.op.Local {
		return e.answerModels()
	}
	return e.forward()
}

// contain turns a panic of ours into an error answer: the exchange is still
// settled and recorded.
func (e *exchange) contain() {
	p := recover()
	if p == nil {
		return
	}
	e.g.cfg.Log.Error("panic while serving", "request", e.x.ID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	e.panicked = true
	defer func() {
		if recover() != nil { // the answer to the first panic failed the same way
			e.in.Abort()
		}
	}()
	e.fail(sluice.Errorf(sluice.CodeInternal, "internal error"))
}

// finish runs in every ending: it settles, logs, records and forgets.
func (e *exchange) finish() {
	e.in.OnGone(nil)
	e.g.flights.done(e.flight)
	if e.upload != nil {
		e.upload.close()
	}
	usage, source := e.usage()
	e.settle(usage, source)
	e.record(usage, source)
	e.g.metrics.active.Dec()
	e.recycle()
}

// recycle keeps the memory and drops everything else.
func (e *exchange) recycle() {
	e.x.Reset()
	fields := e.response.Fields
	fields.Reset()
	*e = exchange{x: e.x, tried: e.tried[:0], response: sluice.RespHead{Fields: fields}}
	exchanges.Put(e)
}

// usage is what the answering attempt consumed.
func (e *exchange) usage() (sluice.Usage, sluice.UsageSource) {
	if e.answering == nil {
		return sluice.Usage{}, sluice.UsageNone
	}
	return e.answering.leg.Usage()
}
