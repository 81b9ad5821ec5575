package gateway

import (
	"context"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/journal"
)

// reportTimeout bounds one report.
const reportTimeout = 5 * time.Second

// reportStatus reports at an interval and after each snapshot until ctx is done.
func (g *Gateway) reportStatus(ctx context.Context) {
	tick := time.NewTicker(g.cfg.StatusEvery)
	defer tick.Stop()
	var said string // what was logged last: a failure that lasts is told once
	for {
		said = g.report(ctx, said)
		select {
		case <-ctx.Done():
			g.report(context.WithoutCancel(ctx), said) // the last keys that were used
			return
		case <-tick.C:
		case <-g.changed:
		}
	}
}

// report sends one status; a lost one is replaced by the next. It returns why it
// was lost, and logs that when it is not what was said before.
func (g *Gateway) report(ctx context.Context, said string) (lost string) {
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	s := g.Status()
	s.KeysUsed = g.used.take()
	err := g.cfg.Status.Report(ctx, s)
	if err == nil {
		return ""
	}
	g.used.restore(s.KeysUsed)
	if lost = err.Error(); lost != said {
		g.cfg.Log.Warn("status was not reported", "error", err)
	}
	return lost
}

// Status is what the gateway knows about itself at the moment, without the keys
// that were used.
func (g *Gateway) Status() sluice.GatewayStatus {
	s := sluice.GatewayStatus{
		Gateway: g.cfg.Name, Version: g.cfg.Version, Started: g.started, Time: g.cfg.Now(),
		Active:        int64(g.flights.active()),
		RecordsQueued: int64(g.shipper.queued()), RecordsDropped: g.shipper.dropped.Load(),
	}
	s.Journal = g.journalStatus(s.Time)
	if st := g.current.Load(); st != nil {
		s.Revision, s.Conditions = st.snapshot.Revision, st.conditions
	}
	if r := g.refusal.Load(); r != nil {
		s.Refused, s.Reason = r.revision, r.reason
	}
	return s
}

// journalStatus is the condition of the journal; nil without one.
func (g *Gateway) journalStatus(now time.Time) *sluice.JournalStatus {
	if g.cfg.Journal == nil {
		return nil
	}
	st := g.cfg.Journal.Stats()
	s := &sluice.JournalStatus{Last: st.Last.String(), Synced: st.Synced.String(), Shipped: journal.Seq(0).String(), Bytes: st.Bytes}
	if st.Failing != nil {
		s.Failing = st.Failing.Error()
	}
	if ship := g.cfg.Shipper; ship != nil {
		s.Shipped, s.WaitingMS = ship.Shipped().String(), ship.Waiting(now).Milliseconds()
	}
	return s
}
