package link

import (
	"context"
	"sync"

	"github.com/sluicegate/sluice"
)

// Board is the Snapshots port within one process: control publishes to it,
// gateways wait on it. The zero value is not ready; use [NewBoard].
type Board struct {
	mu      sync.Mutex
	current *sluice.Snapshot
	changed chan struct{} // closed and replaced with every new snapshot
}

var _ sluice.Snapshots = (*Board)(nil)

// NewBoard returns a board without a snapshot.
func NewBoard() *Board { return &Board{changed: make(chan struct{})} }

// Publish makes s the current snapshot and wakes every waiter. A revision that
// is not greater than the current one is ignored, because publishers that
// overlap must not take a gateway back. s must not be changed afterwards.
func (b *Board) Publish(s *sluice.Snapshot) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.current != nil && s.Revision <= b.current.Revision {
		return
	}
	b.current = s
	close(b.changed)
	b.changed = make(chan struct{})
}

// Next implements [sluice.Snapshots]. It never answers [sluice.CodeUnavailable].
func (b *Board) Next(ctx context.Context, after uint64) (*sluice.Snapshot, error) {
	for {
		b.mu.Lock()
		current, changed := b.current, b.changed
		b.mu.Unlock()
		if current != nil && current.Revision > after {
			return current, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
