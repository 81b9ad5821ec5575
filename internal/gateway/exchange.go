package gateway

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/price"
	"github.com/sluicegate/sluice/plugin"
)

// exchange is one request on its way through the pipeline. It is used again for
// later requests; what outlives it is cloned into the record.
type exchange struct {
	memory
	turn
}

// memory is what an exchange keeps from one request to the next.
type memory struct {
	g        *Gateway
	x        plugin.Exchange
	flight   flight
	id       [idLength]byte
	text     scratch
	tried    []int
	attempts []sluice.Attempt
	// attempt is the one in progress, or the one that answered.
	attempt  attempt
	response sluice.RespHead
	// standings is what Admission may write its answer to.
	standings []sluice.Standing
	// ink is what the money session writes with.
	ink ink
	// gone and readBody are methods as values, made once.
	gone     func()
	readBody func() ([]byte, error)
}

// turn is what belongs to one request alone.
type turn struct {
	st *state // nil before the first snapshot
	in sluice.Inbound

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

	grant    sluice.Grant
	admitted bool

	// price is what the request is priced by, nil for nothing; unpriced says that
	// there should be one.
	price    *price.Version
	priceRef sluice.PriceRef
	unpriced bool
	money    money
	// repetition is that of a request with an Idempotency-Key.
	repetition *repetition

	// picked is when the last target was chosen.
	picked time.Time
	// answering is the attempt whose answer the client gets.
	answering *attempt

	// begun says that the head of the answer may have left, events that it
	// announced an event stream.
	begun, events bool
	written       int64
	firstByte     time.Time

	failure  *sluice.Error
	failing  bool
	panicked bool
	// unrecorded marks the gateway's own health answers.
	unrecorded bool
}

// newExchange makes an exchange for the pool.
func (g *Gateway) newExchange() any {
	e := &exchange{memory: memory{g: g}}
	g.flights.join(&e.flight)
	e.gone, e.readBody = e.flight.clientGone, e.gather
	e.ink.ready = e.waitOpen
	return e
}

// Serve brings one request through the pipeline. It returns when the answer is
// complete or broken off and the record is queued; what in handed out may then
// be used for other requests.
func (g *Gateway) Serve(in sluice.Inbound) {
	e := g.exchanges.Get().(*exchange)
	e.start(in)
	defer e.finish()
	defer e.contain()
	if err := e.run(); err != nil {
		e.fail(err)
	}
}

// start readies the exchange and listens for the client's hang-up.
func (e *exchange) start(in sluice.Inbound) {
	g := e.g
	e.st, e.in = g.current.Load(), in
	e.surface = dialect.Plain{}
	e.x.Start = g.cfg.Now()
	e.x.ID = newID(&e.id, e.x.Start, g.cfg.Random)
	e.x.Request = in.Head()
	e.x.Now = g.cfg.Now
	e.x.ReadBody = e.readBody
	g.flights.take(&e.flight)
	in.OnGone(e.gone)
}

// gather reads the request's body whole, within the route's limit.
func (e *exchange) gather() ([]byte, error) { return e.in.Body(e.route.MaxBodyBytes) }

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
	if done, err := e.enter(); done || err != nil {
		return err
	}
	if e.op.Local {
		return e.answerModels()
	}
	a, err := e.forward()
	if err != nil {
		return err
	}
	return e.relay(a) // from here, where little is on the stack: a stream waits there for minutes
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
	e.attempt.close(&e.flight)
	defer func() {
		if recover() != nil { // the answer to the first panic failed the same way
			e.in.Abort()
		}
	}()
	e.fail(sluice.Errorf(sluice.CodeInternal, "internal error"))
}

// finish runs in every ending: it settles, logs, records and forgets.
func (e *exchange) finish() {
	if r := e.repetition; r != nil {
		defer e.g.repeating.end(r)
	}
	e.in.OnGone(nil)
	if e.upload != nil {
		e.upload.close()
	}
	usage, source := e.lastUsage()
	e.survive(e.settleMoney)
	e.survive(e.endKey)
	e.settle(usage, source)
	e.record(usage, source)
	e.g.flights.done(&e.flight) // after the record: who waits for the last request flushes the books next
	e.recycle()
}

// recycle keeps the memory and drops everything else. An exchange that panicked
// is left to the collector: nobody knows what still holds on to it.
func (e *exchange) recycle() {
	if e.panicked {
		return
	}
	e.attempt.reset()
	if e.ask != nil {
		e.ask.Release()
	}
	e.x.Reset()
	e.response.Fields.Reset()
	e.response = sluice.RespHead{Fields: e.response.Fields}
	e.text.reset()
	e.tried, e.attempts = e.tried[:0], e.attempts[:0]
	e.standings = e.standings[:0]
	e.turn = turn{}
	e.g.exchanges.Put(e)
}

// lastUsage is what the answering attempt consumed in all: what was charged, where
// that is written down. A protocol that panics is not asked again: the request has
// to end all the same.
func (e *exchange) lastUsage() (usage sluice.Usage, source sluice.UsageSource) {
	if f := e.money.record; f != nil {
		return f.record.Usage, f.record.UsageSource
	}
	e.survive(func() {
		if e.panicked && e.attempt.leg != nil {
			e.attempt.leg.Usage() // of an attempt that did not come to answer, too
		}
		usage, source = e.usage()
	})
	return usage, source
}

// survive takes a step of the ending. One that panics is left, so that those after
// it are taken all the same.
func (e *exchange) survive(step func()) {
	defer func() {
		if p := recover(); p != nil {
			e.g.cfg.Log.Error("panic while settling", "request", e.x.ID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			e.panicked, e.attempt.leg = true, nil
		}
	}()
	step()
}

// usage is what the answering attempt consumed.
func (e *exchange) usage() (sluice.Usage, sluice.UsageSource) {
	if e.answering == nil || e.answering.leg == nil {
		return sluice.Usage{}, sluice.UsageNone
	}
	return e.answering.leg.Usage()
}
