package link

import (
	"context"

	"github.com/sluicegate/sluice"
)

// checkHold is what an authority that keeps no balances says to a hold: where
// spending has no limit there is nothing to keep, anything else it cannot decide.
// A request that it refuses is never served for free; one that it lets pass is
// journaled and posted like every other.
func checkHold(h *sluice.Hold) error {
	if h == nil || unlimited(h) {
		return nil
	}
	return sluice.Errorf(sluice.CodeUnavailable, "the balance of %s is not kept by this gateway's authority: spending with a limit needs a process that has the ledger", h.Wallet).After(5)
}

// unlimited reports whether there is nothing to decide about a hold.
func unlimited(h *sluice.Hold) bool { return h.Floor == sluice.NoFloor && len(h.Caps) == 0 }

// Extend implements [sluice.Admission] for requests that [checkHold] let pass:
// their spending has no limit.
func (l *Local) Extend(context.Context, sluice.RequestID, sluice.Nanos) error { return nil }

// Extend implements [sluice.Admission] as [Local.Extend] does.
func (a *RedisAdmission) Extend(context.Context, sluice.RequestID, sluice.Nanos) error { return nil }
