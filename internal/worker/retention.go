package worker

import (
	"context"
	"time"
)

// Limits of one sweep: small deletions keep the database free for others.
const (
	sweepBatch   = 1_000
	sweepBatches = 1_000 // of one retention per sweep; the rest waits for the next
)

// Retention says how long one sort of thing is kept.
type Retention struct {
	// Name is what it is, for the log: "records", "refresh_tokens".
	Name string
	// Keep is how long; 0 keeps for ever.
	Keep time.Duration
	// Delete removes at most limit things from before the time and returns how
	// many it removed.
	Delete func(ctx context.Context, before time.Time, limit int) (int, error)
}

// sweep removes what is too old, at the start and at each interval.
func (w *Worker) sweep(ctx context.Context) {
	w.sweepOnce(ctx)
	every(ctx, w.cfg.Sweep, func() { w.sweepOnce(ctx) })
}

// sweepOnce goes through every retention; a fault of one does not keep the
// others from their turn.
func (w *Worker) sweepOnce(ctx context.Context) {
	for _, r := range w.cfg.Retention {
		if r.Keep <= 0 {
			continue
		}
		n, err := deleteOld(ctx, r, w.cfg.Now().Add(-r.Keep))
		switch {
		case err != nil && ctx.Err() == nil:
			w.cfg.Log.Error("remove what is too old", "what", r.Name, "removed", n, "error", err)
		case n > 0:
			w.cfg.Log.Info("removed what is too old", "what", r.Name, "removed", n)
		}
	}
}

// deleteOld deletes batch by batch until one is not full.
func deleteOld(ctx context.Context, r Retention, before time.Time) (removed int, err error) {
	for range sweepBatches {
		n, err := r.Delete(ctx, before, sweepBatch)
		removed += n
		if err != nil || n < sweepBatch || ctx.Err() != nil {
			return removed, err
		}
	}
	return removed, nil
}
