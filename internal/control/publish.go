package control

import (
	"context"
	"log/slog"
	"sync"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

// publisher hands snapshots over, one at a time and in increasing revision.
// Writers that wait while one is being built are served by the next one
// together.
type publisher struct {
	db      *store.DB
	deliver func(context.Context, *sluice.Snapshot)
	log     *slog.Logger

	mu   sync.Mutex
	last uint64 // revision of the last snapshot handed over
}

// atLeast returns once a snapshot of the revision or a later one was handed
// over. The change is durable already, so a failure is logged, not returned:
// the next write or Sync carries it.
func (p *publisher) atLeast(ctx context.Context, revision uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last >= revision {
		return
	}
	// A caller that hangs up after its commit must not keep the change back.
	if err := p.publish(context.WithoutCancel(ctx)); err != nil {
		p.log.ErrorContext(ctx, "a committed change could not be published", "revision", revision, "error", err)
	}
}

// now publishes the current state, whatever was published before.
func (p *publisher) now(ctx context.Context) (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.publish(ctx)
	return p.last, err
}

func (p *publisher) publish(ctx context.Context) error {
	snapshot, err := p.db.Snapshot(ctx)
	if err != nil {
		return err
	}
	if p.deliver != nil {
		p.deliver(ctx, snapshot)
	}
	p.last = snapshot.Revision
	return nil
}

// Publish rebuilds the snapshot from the store, hands it to Config.Publish and
// returns its revision.
func (c *Control) Publish(ctx context.Context) (revision uint64, err error) {
	return c.publisher.now(ctx)
}

// Snapshot reads the current snapshot from the store.
func (c *Control) Snapshot(ctx context.Context) (*sluice.Snapshot, error) { return c.db.Snapshot(ctx) }

// Sync publishes the snapshot anew (POST /sync/snapshot). Platform callers only.
func (s *Session) Sync(ctx context.Context) (revision uint64, err error) {
	if !s.caller.Platform {
		return 0, forbidden("only a platform admin publishes")
	}
	return s.c.Publish(ctx)
}
