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
	// handled is the newest revision that a gateway has come back from, and
	// moved is closed and replaced when it moves.
	handled uint64
	moved   chan struct{}
}

var _ sluice.Snapshots = (*Board)(nil)

// NewBoard returns a board without a snapshot.
func NewBoard() *Board { return &Board{changed: make(chan struct{}), moved: make(chan struct{})} }

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
	b.noteHandled(after)
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

// noteHandled takes a gateway's wish for what comes after a revision as its word
// that it is done with that one.
func (b *Board) noteHandled(revision uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if revision > b.handled {
		b.handled = revision
		close(b.moved)
		b.moved = make(chan struct{})
	}
}

// Await blocks until a gateway has applied or refused the revision, or one after
// it, so that whoever changed the configuration can rely on it at once. Without
// a gateway that ever followed it returns nil; ctx ends the wait with ctx.Err().
func (b *Board) Await(ctx context.Context, revision uint64) error {
	for {
		b.mu.Lock()
		handled, moved := b.handled, b.moved
		b.mu.Unlock()
		if handled == 0 || handled >= revision {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
