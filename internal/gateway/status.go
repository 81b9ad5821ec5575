package gateway

import (
	"context"
	"time"

	"github.com/sluicegate/sluice"
)

// reportTimeout bounds one report.
const reportTimeout = 5 * time.Second

// reportStatus reports at an interval and after each snapshot until ctx is done.
func (g *Gateway) reportStatus(ctx context.Context) {
	tick := time.NewTicker(g.cfg.StatusEvery)
	defer tick.Stop()
	for {
		g.report(ctx)
		select {
		case <-ctx.Done():
			g.report(context.WithoutCancel(ctx)) // the last keys that were used
			return
		case <-tick.C:
		case <-g.changed:
		}
	}
}

// report sends one status; a lost one is replaced by the next.
func (g *Gateway) report(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	s := g.Status()
	s.KeysUsed = g.used.take()
	if err := g.cfg.Status.Report(ctx, s); err != nil {
		g.used.restore(s.KeysUsed)
		g.cfg.Log.Warn("status was not reported", "error", err)
	}
}

// Status is what the gateway knows about itself at the moment, without the keys
// that were used.
func (g *Gateway) Status() sluice.GatewayStatus {
	s := sluice.GatewayStatus{
		Gateway: g.cfg.Name, Version: g.cfg.Version, Started: g.started, Time: g.cfg.Now(),
		Active:        int64(g.flights.active()),
		RecordsQueued: int64(g.shipper.queued()), RecordsDropped: g.shipper.dropped.Load(),
	}
	if st := g.current.Load(); st != nil {
		s.Revision, s.Conditions = st.snapshot.Revision, st.conditions
	}
	if r := g.refusal.Load(); r != nil {
		s.Refused, s.Reason = r.revision, r.reason
	}
	return s
}
