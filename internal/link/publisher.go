package link

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/seal"
)

// Limits of publishing.
const (
	// maxChange bounds the fields of one change; a larger one is a full sync,
	// which blocks Redis for shorter.
	maxChange = 5_000
	// maxChanges is about how many changes the stream remembers.
	maxChanges = 10_000
	// changeTries bounds how often a change is put on top of those of others
	// before everything is written anew.
	changeTries = 5
)

// PublisherConfig configures a [RedisPublisher].
type PublisherConfig struct {
	// Redis is where to publish; required.
	Redis *Redis
	// CompatPlaintext opens the credentials of providers, which are then
	// published in clear for balancers that cannot open them
	// (compat_plaintext=true); nil publishes them sealed.
	CompatPlaintext *seal.Keyring
	// VerifyEvery is how often [RedisPublisher.Run] looks whether Redis still
	// holds what was published; 0 means 2 s.
	VerifyEvery time.Duration
	// Committed returns the last revision of the database; nil means that it is
	// not known whether Redis is ahead of it ([RedisPublisher.Ahead]).
	Committed func(context.Context) (uint64, error)
	// Log tells about syncs and failures; nil means slog.Default.
	Log *slog.Logger
}

// RedisPublisher is control's side of the Snapshots port over Redis. It is safe
// for concurrent use, and several processes may publish to one Redis: higher
// revisions win.
type RedisPublisher struct {
	redis  *Redis
	encode encoder
	verify time.Duration
	log    *slog.Logger
	// committed is PublisherConfig.Committed.
	committed func(context.Context) (uint64, error)

	mu   sync.Mutex // one publication at a time
	last content    // what was published last; its snapshot may be nil
	torn bool       // a full sync was cut off: token hashes may be stale

	offers chan *sluice.Snapshot // the latest snapshot that Run has not seen
}

// NewRedisPublisher returns a publisher that has not connected yet.
func NewRedisPublisher(cfg PublisherConfig) *RedisPublisher {
	if cfg.VerifyEvery <= 0 {
		cfg.VerifyEvery = 2 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &RedisPublisher{
		redis: cfg.Redis, encode: encoder{open: cfg.CompatPlaintext}, verify: cfg.VerifyEvery, log: cfg.Log, committed: cfg.Committed,
		offers: make(chan *sluice.Snapshot, 1),
	}
}

// Publish brings Redis from one snapshot to the next in one atomic step. prev is
// what the caller published before, nil when it does not know; then, and
// whenever Redis holds something that the step does not fit, everything is
// written by [RedisPublisher.Sync]. When Redis already holds next or a later
// revision, nothing is done. [sluice.CodeUnavailable] means: call again.
func (p *RedisPublisher) Publish(ctx context.Context, prev, next *sluice.Snapshot) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	from, err := p.base(prev)
	if err != nil {
		return err
	}
	if from.snapshot == nil || p.torn {
		return p.sync(ctx, next, SyncOptions{})
	}
	if next.Revision <= from.snapshot.Revision {
		return nil
	}
	ops, to, err := p.encode.change(from, next)
	if err != nil {
		return err
	}
	return p.publish(ctx, from.snapshot.Revision, ops, to)
}

// base is the content that a diff starts from: without a snapshot when there is
// none.
func (p *RedisPublisher) base(prev *sluice.Snapshot) (content, error) {
	if prev == nil || p.last.snapshot != nil && p.last.snapshot.Revision == prev.Revision {
		return p.last, nil
	}
	return p.encode.contentOf(prev)
}

// publish applies ops on top of base, or on top of what others published since.
func (p *RedisPublisher) publish(ctx context.Context, base uint64, ops []op, to content) error {
	for range changeTries {
		if len(ops) > maxChange {
			break
		}
		applied, current, err := p.apply(ctx, base, ops, to)
		switch {
		case redis.HasErrorPrefix(err, "WRONGTYPE"):
			return p.sync(ctx, to.snapshot, SyncOptions{})
		case err != nil:
			return unavailable(fmt.Errorf("publish revision %d: %w", to.snapshot.Revision, err))
		case applied || current >= to.snapshot.Revision:
			p.last = to
			return nil
		case current < base:
			return p.sync(ctx, to.snapshot, SyncOptions{})
		}
		v, err := p.redis.view(ctx, base, maxChange)
		if err != nil || !v.known || v.manifest.rev >= to.snapshot.Revision {
			if err == nil && v.known {
				continue // someone published ours or a later one meanwhile
			}
			break
		}
		if ops, err = p.encode.touch(ops, to.snapshot, touchedSets(v.fields)); err != nil {
			return err
		}
		base = v.manifest.rev
	}
	return p.sync(ctx, to.snapshot, SyncOptions{})
}

// touchedSets groups fields by the index of their hash.
func touchedSets(list []touchedField) (sets [len(hashes)]map[string]bool) {
	for i, name := range hashes {
		sets[i] = map[string]bool{}
		for _, f := range list {
			if f.hash == name {
				sets[i][f.field] = true
			}
		}
	}
	return sets
}

// apply runs the change script once.
func (p *RedisPublisher) apply(ctx context.Context, base uint64, ops []op, to content) (applied bool, current uint64, err error) {
	keys := p.keys()
	touched := map[string][]string{}
	args := make([]any, 0, 32+4*len(ops))
	for _, o := range ops {
		touched[hashes[o.hash]] = append(touched[hashes[o.hash]], o.field)
		at := 4 + o.hash
		if o.deleted {
			args = append(args, "D", at, o.field)
		} else {
			args = append(args, "S", at, o.field, o.value)
		}
		if hashes[o.hash] != hashKeys {
			continue
		}
		keys = append(keys, p.redis.key(keyToken+o.field))
		if o.deleted {
			args = append(args, "X", len(keys))
			if o.key != nil && o.key.RetiringHash != "" {
				keys = append(keys, p.redis.key(keyRetiring+o.key.RetiringHash))
				args = append(args, "X", len(keys))
			}
		} else {
			args = append(append(args, "T", len(keys)), token(o.key)...)
			if hash, until, ok := retiring(o.key); ok {
				keys = append(keys, p.redis.key(keyRetiring+hash))
				args = append(args, "R", len(keys), o.field, until)
			}
		}
	}
	names, err := json.Marshal(touched)
	if err != nil {
		return false, 0, err
	}
	about := manifestArgs(to)
	head := []any{
		strconv.FormatUint(base, 10), strconv.FormatUint(to.snapshot.Revision, 10), p.redis.key(keyNotify), maxChanges, names, len(about) / 2,
	}
	return p.outcome(changeScript.Run(ctx, p.redis.client, keys, append(append(head, about...), args...)...))
}

// keys are those that every script of the publisher takes first.
func (p *RedisPublisher) keys() []string {
	keys := []string{p.redis.key(keyRev), p.redis.key(keyManifest), p.redis.key(keyChanges)}
	for _, h := range hashes {
		keys = append(keys, p.redis.key(h))
	}
	return keys
}

// outcome reads {done, revision}; an absent revision is 0.
func (p *RedisPublisher) outcome(cmd *redis.Cmd) (done bool, rev uint64, err error) {
	list, err := cmd.Slice()
	if err != nil {
		return false, 0, err
	}
	if len(list) != 2 {
		return false, 0, errors.New("the script answered something else")
	}
	n, _ := list[0].(int64)
	rev, _ = strconv.ParseUint(text(list[1]), 10, 64)
	return n > 0, rev, nil
}
