package app

import (
	"context"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
	"github.com/sluicegate/sluice/internal/store"
)

// followEvery is how often the database is asked for changes that other control
// processes made; they publish them, too, unless they ended before.
const followEvery = 500 * time.Millisecond

// newPublisher publishes to Redis, when there is one.
func newPublisher(h *host, db *store.DB) *link.RedisPublisher {
	if h.redis == nil {
		return nil
	}
	cfg := link.PublisherConfig{Redis: h.redis, Log: h.log, Committed: db.Revision}
	if h.CompatPlaintext {
		cfg.CompatPlaintext = h.keyring
	}
	return link.NewRedisPublisher(cfg)
}

// applyWait bounds how long a write waits for the gateway of its own process.
const applyWait = time.Second

// deliver hands a snapshot to Redis and to the gateway of this process. It waits
// for the latter, so that a key works as soon as whoever made it is told so.
func (c *controlRole) deliver(ctx context.Context, s *sluice.Snapshot) {
	if c.publisher != nil {
		c.publisher.Offer(s)
	}
	c.board.Publish(s)
	ctx, cancel := context.WithTimeout(ctx, applyWait)
	defer cancel()
	if err := c.board.Await(ctx, s.Revision); err != nil {
		c.log.Warn("the gateway has not applied a change yet", "revision", s.Revision)
	}
}

// followOthers publishes what other processes changed, until ctx is done.
func (c *controlRole) followOthers(ctx context.Context) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	var seen uint64
	var broken bool
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := c.followOnce(ctx, &seen)
		if err != nil && !broken && ctx.Err() == nil {
			c.log.Warn("changes of other control processes are not seen", "err", err)
		}
		broken = err != nil
	}
}

// followOnce publishes when the revision moved.
func (c *controlRole) followOnce(ctx context.Context, seen *uint64) error {
	revision, err := c.store.Revision(ctx)
	if err != nil || revision <= *seen {
		return err
	}
	revision, err = c.control.Publish(ctx)
	*seen = max(*seen, revision)
	return err
}

// rebuild writes everything in Redis anew; nil without Redis.
func (c *controlRole) rebuild() func(context.Context, bool) (uint64, error) {
	if c.publisher == nil {
		return nil
	}
	return func(ctx context.Context, force bool) (uint64, error) {
		return c.sync(ctx, link.SyncOptions{Force: force})
	}
}

// syncTries bounds how often a sync starts over because another process
// published a change meanwhile.
const syncTries = 3

// sync brings the current state of the database to Redis as a whole and returns
// its revision. With force that is a new one, which every gateway takes.
func (c *controlRole) sync(ctx context.Context, opts link.SyncOptions) (revision uint64, err error) {
	if !opts.Force {
		if err := c.publisher.Ahead(ctx); err != nil {
			return 0, err
		}
		return c.syncOnce(ctx, opts)
	}
	if err := c.raise(ctx); err != nil {
		return 0, err
	}
	if _, err = c.syncOnce(ctx, opts); err != nil {
		return 0, err
	}
	return c.control.Publish(ctx) // to the gateway of this process, too
}

// syncOnce writes the whole snapshot.
func (c *controlRole) syncOnce(ctx context.Context, opts link.SyncOptions) (revision uint64, err error) {
	for range syncTries {
		var s *sluice.Snapshot
		if s, err = c.control.Snapshot(ctx); err != nil {
			return 0, err
		}
		if err = c.publisher.Sync(ctx, s, opts); sluice.CodeOf(err) != sluice.CodeConflict {
			return s.Revision, err
		}
	}
	return 0, err
}

// raise gives the database a revision above all that were ever published: that in
// Redis, and those that gateways serve.
func (c *controlRole) raise(ctx context.Context) error {
	above, err := c.publisher.Revision(ctx)
	if err != nil {
		return err
	}
	for _, g := range c.fleet() {
		above = max(above, g.Revision)
	}
	revision, err := c.store.Raise(ctx, above)
	if err == nil {
		c.log.Warn("the configuration is published anew by force", "revision", revision, "above", above)
	}
	return err
}
