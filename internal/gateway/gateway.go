package gateway

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/upstream"
)

// Gateway serves exchanges from the snapshot that it last applied. It is safe
// for concurrent use.
type Gateway struct {
	cfg     Config
	current atomic.Pointer[state]
	pool    *upstream.Pool
	budget  *budget
	metrics *metrics
	shipper *shipper
	flights flights
	used    usedKeys
	// exchanges are those that wait for a request.
	exchanges sync.Pool
	started   time.Time
	// patience bounds what waits for the journal's disk, haste what does not insist.
	patience, haste *patience
	lateEndings     lateEndings
	repeating       repeating

	draining atomic.Bool
	// refusal is the snapshot that was not applied, nil when the last one was.
	refusal atomic.Pointer[refusal]
	// changed wakes the status loop; its capacity of one is enough because a
	// report says everything.
	changed chan struct{}
}

// refusal says which snapshot was not applied and why.
type refusal struct {
	revision uint64
	reason   string
}

// New returns a gateway that has no snapshot yet: it answers 503 until
// [Gateway.Run] has applied one.
func New(cfg Config) (*Gateway, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	g := &Gateway{
		cfg:     cfg,
		pool:    upstream.NewPool(cfg.Random),
		budget:  newBudget(cfg.Now()),
		started: cfg.Now(),
		changed: make(chan struct{}, 1),

		patience: newPatience(journalPatience), haste: newPatience(journalHaste),
	}
	g.exchanges.New = g.newExchange
	g.shipper = newShipper(cfg)
	var err error
	g.metrics, err = newMetrics(cfg.Metrics, gauges{
		active: func() float64 { return float64(g.flights.active()) },
		queued: func() float64 { return float64(g.shipper.queued()) },
	})
	g.shipper.metrics = g.metrics
	return g, err
}

// Run follows snapshots, ships records and reports status until ctx is done. It
// then publishes what is left of the records, for at most five seconds, and
// returns. It must be called once.
func (g *Gateway) Run(ctx context.Context) {
	var loops sync.WaitGroup
	shipping, stopShipping := context.WithCancel(context.WithoutCancel(ctx))
	defer stopShipping()
	loops.Go(func() { g.followSnapshots(ctx) })
	loops.Go(func() { g.reportStatus(ctx) })
	loops.Go(func() { g.flights.sweep(ctx) })
	loops.Go(func() { g.endLate(ctx) })
	shipped := make(chan struct{})
	go func() { // ends when the shipper is closed, or shipping is cancelled
		defer close(shipped)
		g.shipper.run(shipping)
	}()
	loops.Wait()
	g.shipper.close()
	select {
	case <-shipped:
	case <-time.After(flushTimeout):
		stopShipping()
		<-shipped
	}
}

// Apply makes a snapshot the current one; requests in flight finish on theirs.
// Objects that cannot be served are disabled one by one and become conditions.
// An error means that the snapshot as a whole was refused and the last one is
// still served. Run calls it; a test may. It is not safe for concurrent use.
func (g *Gateway) Apply(s *sluice.Snapshot) error {
	next, err := g.compile(s)
	if err != nil {
		g.refusal.Store(&refusal{revision: s.Revision, reason: err.Error()})
		g.wakeStatus()
		return err
	}
	old := g.current.Swap(next)
	g.refusal.Store(nil)
	if old != nil {
		old.close()
	}
	g.metrics.snapshot(s.Revision, len(next.conditions))
	g.wakeStatus()
	return nil
}

// Ready returns nil when the gateway can serve, or the reason why it cannot.
func (g *Gateway) Ready() error {
	switch {
	case g.draining.Load():
		return sluice.Errorf(sluice.CodeUnavailable, "the gateway is shutting down")
	case g.current.Load() == nil:
		return errNoSnapshot()
	}
	return nil
}

func errNoSnapshot() *sluice.Error {
	return sluice.Errorf(sluice.CodeUnavailable, "no configuration has arrived yet").After(1)
}

// wakeStatus asks for a report without waiting for it.
func (g *Gateway) wakeStatus() {
	select {
	case g.changed <- struct{}{}:
	default:
	}
}
