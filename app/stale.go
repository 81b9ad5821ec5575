package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
)

// staleEvery is how often the age of the configuration is looked at.
const staleEvery = time.Second

// failClosed is the Snapshots port over Redis that takes the keys away when no
// word came for longer than max_stale: one of them may have been revoked. They
// come back with Redis. Next is called by one goroutine.
type failClosed struct {
	reader   *link.RedisSnapshots
	maxStale time.Duration
	log      *slog.Logger

	last   *sluice.Snapshot // Next's alone
	closed atomic.Bool
}

// Next implements [sluice.Snapshots]; the same revision comes again when trust
// in it ends or returns.
func (f *failClosed) Next(ctx context.Context, after uint64) (*sluice.Snapshot, error) {
	for {
		wait, cancel := context.WithTimeout(ctx, staleEvery)
		s, err := f.reader.Next(wait, after)
		cancel()
		switch {
		case err == nil:
			f.last = s
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !errors.Is(err, context.DeadlineExceeded):
			return nil, err
		}
		closed := f.last != nil && f.reader.Stale()
		if moved := f.closed.Swap(closed) != closed; moved || err == nil {
			return f.trusted(closed), nil
		}
	}
}

// trusted is the last snapshot, without keys when they cannot be trusted.
func (f *failClosed) trusted(closed bool) *sluice.Snapshot {
	if !closed {
		return f.last
	}
	f.log.Error("the configuration was not confirmed for longer than gateway.max_stale; keys are refused until Redis is back", "max_stale", f.maxStale)
	s := *f.last
	s.Keys, s.MoreKeys = nil, false
	return &s
}

// ready says how fresh the configuration is.
func (f *failClosed) ready() readiness {
	state := f.reader.State()
	age := time.Since(state.Confirmed).Round(time.Second)
	switch {
	case state.Revision == 0:
		return readiness{true, "no configuration has arrived yet, and there is no last good one" + because(state.Reason)}
	case f.closed.Load():
		return readiness{true, fmt.Sprintf("the configuration was last confirmed %s ago, longer than gateway.max_stale; keys are refused%s", age, because(state.Reason))}
	case state.Degraded:
		return readiness{false, fmt.Sprintf("serving revision %d, last confirmed %s ago%s", state.Revision, age, because(state.Reason))}
	}
	return readiness{}
}

// because appends a reason, when there is one.
func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}
