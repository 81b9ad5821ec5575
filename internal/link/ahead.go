package link

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/sluicegate/sluice"
)

// Revision returns the revision that Redis holds; 0 is none, or nothing that is
// one.
func (p *RedisPublisher) Revision(ctx context.Context) (uint64, error) {
	held, err := p.redis.client.Get(ctx, p.redis.key(keyRev)).Result()
	if errors.Is(err, redis.Nil) || redis.HasErrorPrefix(err, "WRONGTYPE") {
		return 0, nil
	}
	if err != nil {
		return 0, unavailable(fmt.Errorf("read the revision in Redis: %w", err))
	}
	revision, err := strconv.ParseUint(held, 10, 64)
	if err != nil {
		return 0, nil // damaged: a sync replaces it
	}
	return revision, nil
}

// Ahead returns [sluice.CodeConflict] when Redis holds a revision that the
// database has not committed: the database was restored to an earlier state, or is
// another one. Nothing but a forced sync mends that. Every revision is committed
// before it is published, so that there is no false alarm.
func (p *RedisPublisher) Ahead(ctx context.Context) error {
	held, err := p.Revision(ctx)
	if err != nil {
		return err
	}
	return p.ahead(ctx, held)
}

// ahead compares what Redis held with what the database has committed now.
func (p *RedisPublisher) ahead(ctx context.Context, held uint64) error {
	if p.committed == nil {
		return nil
	}
	committed, err := p.committed(ctx)
	if err != nil {
		return err
	}
	if held > committed {
		return sluice.Errorf(sluice.CodeConflict, "Redis holds revision %d, and the database only %d: if it was restored, `sluice sync --force` publishes what it holds", held, committed)
	}
	return nil
}
