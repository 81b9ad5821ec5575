package gateway

import (
	"context"
	"time"

	"github.com/sluicegate/sluice"
)

// lastWords is how long requests may take to end once they were told to.
const lastWords = 5 * time.Second

// Drain takes the gateway out of traffic: /ready fails, after PreStop stop is
// called (it closes the listeners and returns), requests in flight go on until
// the drain deadline, and those that are left are ended with an error that names
// the reason. It returns when no request is in flight, or soon after ctx is
// done. End the context of [Gateway.Run] afterwards to flush the records.
func (g *Gateway) Drain(ctx context.Context, stop func()) {
	g.draining.Store(true)
	g.wakeStatus()
	sleep(ctx, g.cfg.Drain.PreStop)
	stop()
	deadline := time.NewTimer(g.cfg.Drain.Deadline)
	defer deadline.Stop()
	select {
	case <-g.flights.landed():
		return
	case <-deadline.C:
	case <-ctx.Done():
	}
	g.cfg.Log.Warn("ending requests at the drain deadline", "active", g.flights.active())
	g.flights.endAll(sluice.CodeUnavailable)
	last := time.NewTimer(lastWords)
	defer last.Stop()
	select {
	case <-g.flights.landed():
	case <-last.C:
	}
}
