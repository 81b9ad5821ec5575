package link

import (
	"context"
	"time"

	"github.com/sluicegate/sluice"
)

// The pauses of a publisher that cannot reach Redis.
const (
	publishPause    = 100 * time.Millisecond
	publishPauseMax = 2 * time.Second
)

// Offer hands over the latest snapshot for [RedisPublisher.Run] to publish and
// returns at once: a change is durable in the database, so nobody waits for
// Redis. A snapshot that was offered before and not published yet is skipped.
func (p *RedisPublisher) Offer(s *sluice.Snapshot) {
	for {
		select {
		case p.offers <- s:
			return
		case older := <-p.offers:
			if older.Revision > s.Revision {
				s = older
			}
		}
	}
}

// Run publishes what is offered until ctx is done, and again whenever Redis lost
// it: flushed, restarted empty, or restored to an earlier state.
func (p *RedisPublisher) Run(ctx context.Context) {
	var want *sluice.Snapshot
	due, pause := p.verify, publishPause
	var said string // what was logged last: a state that lasts is told once
	for {
		timer := time.NewTimer(due)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case s := <-p.offers:
			timer.Stop()
			if want == nil || s.Revision > want.Revision {
				want = s
			}
		case <-timer.C:
		}
		if want == nil {
			continue
		}
		if err := p.settle(ctx, want); err != nil {
			if text := err.Error(); text != said {
				p.log.Warn("the configuration waits for Redis", "revision", want.Revision, "error", err)
				said = text
			}
			due, pause = pause, min(2*pause, publishPauseMax)
			continue
		}
		due, pause, said = p.verify, publishPause, ""
	}
}

// settle makes sure that Redis holds the snapshot or a later one.
func (p *RedisPublisher) settle(ctx context.Context, want *sluice.Snapshot) error {
	if err := p.Publish(ctx, nil, want); err != nil {
		return err
	}
	ok, err := p.holds(ctx, want)
	if err != nil || ok {
		return err
	}
	return p.Sync(ctx, want, SyncOptions{})
}

// holds reports whether Redis has the revision or a later one, and as many
// fields as its manifest says.
func (p *RedisPublisher) holds(ctx context.Context, want *sluice.Snapshot) (bool, error) {
	v, err := p.redis.view(ctx, 0, 0)
	switch sluice.CodeOf(err) {
	case "":
	case sluice.CodeConfig:
		return false, nil // damaged
	default:
		if isEmpty(err) {
			return false, nil
		}
		return false, err
	}
	if v.manifest.rev > want.Revision {
		return true, p.ahead(ctx, v.manifest.rev)
	}
	if v.manifest.rev < want.Revision {
		return false, nil
	}
	for i, h := range hashes {
		n, err := p.redis.client.HLen(ctx, p.redis.key(h)).Result()
		if err != nil {
			return false, nil // of another type: the sync replaces it, or says why it cannot
		}
		if int(n) != v.manifest.digests[i].count {
			return p.revisionMoved(ctx, want.Revision)
		}
	}
	return true, nil
}

// revisionMoved tells a hash that was damaged from one that just changed.
func (p *RedisPublisher) revisionMoved(ctx context.Context, rev uint64) (bool, error) {
	v, err := p.redis.view(ctx, 0, 0)
	return err == nil && v.manifest.rev > rev, err
}
