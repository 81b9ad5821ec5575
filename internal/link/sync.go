package link

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluicegate/sluice"
)

// Limits of a full sync.
const (
	syncBatch = 500
	// stageTTL removes what a sync that died has staged.
	stageTTL    = 10 * time.Minute
	cleanUpTime = 2 * time.Second
)

// SyncOptions says how to sync.
type SyncOptions struct {
	// Force confirms that the snapshot may hold far fewer keys or providers than
	// gateways have now; they refuse it otherwise. It must have a revision that no
	// gateway and no Redis has seen: nothing else is news to them.
	Force bool
	// Progress is called after each batch; nil calls nothing.
	Progress func(Progress)
}

// Progress says how far a full sync is.
type Progress struct {
	// Step says in English what is being done: [StepStage], [StepTokens] or
	// [StepCheck], in this order.
	Step string
	// Done of Total entries of the step were looked at; Total is 0 where it is not
	// known.
	Done, Total int
}

// The steps of a full sync.
const (
	StepStage  = "staging entries"       // everything, beside what is served
	StepTokens = "writing token hashes"  // one for each key
	StepCheck  = "checking token hashes" // all that are there, for those of keys that are gone
)

// Sync writes everything anew: hashes are built beside the served ones and put
// in their place in one atomic step, then token hashes are rewritten and stale
// ones deleted. Readers never see a moment of emptiness, changes that are
// published meanwhile win, and no deleted key comes back. [sluice.CodeConflict]
// means that Redis holds a later revision than s whose changes are not known
// any more: read the configuration again and call with that.
func (p *RedisPublisher) Sync(ctx context.Context, s *sluice.Snapshot, opt SyncOptions) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sync(ctx, s, opt)
}

func (p *RedisPublisher) sync(ctx context.Context, s *sluice.Snapshot, opt SyncOptions) error {
	if opt.Progress == nil {
		opt.Progress = func(Progress) {}
	}
	start := time.Now()
	run := syncRun{p: p, s: s, opt: opt, next: p.redis.key(keyNext + rand.Text() + ":")}
	defer run.cleanUp(ctx)
	to, err := run.stage(ctx)
	if err != nil {
		return unavailable(fmt.Errorf("stage revision %d: %w", s.Revision, err))
	}
	p.torn = true // until the end: an answer may be lost after its work was done
	if err := run.replace(ctx, to); err != nil {
		return err
	}
	p.last = to
	if err := run.tokens(ctx); err != nil {
		return unavailable(fmt.Errorf("write token hashes of revision %d: %w", s.Revision, err))
	}
	if err := run.stale(ctx); err != nil {
		return unavailable(fmt.Errorf("delete stale token hashes: %w", err))
	}
	if err := writtenScript.Run(ctx, p.redis.client, []string{p.redis.key(keyManifest)}, run.next).Err(); err != nil {
		return unavailable(fmt.Errorf("note that token hashes are complete: %w", err))
	}
	p.torn = false
	p.log.Info("configuration written anew to Redis", "revision", s.Revision, "keys", len(s.Keys), "took", time.Since(start))
	return nil
}

// syncRun is one full sync.
type syncRun struct {
	p    *RedisPublisher
	s    *sluice.Snapshot
	opt  SyncOptions
	next string // the prefix of what is staged
}

// stage writes every hash beside the served one.
func (r *syncRun) stage(ctx context.Context) (content, error) {
	to := content{snapshot: r.s}
	total := len(r.s.Keys) + len(r.s.Providers) + len(r.s.Models) + len(r.s.Routes) + len(r.s.Upstreams) + len(r.s.Groups) + len(r.s.Tenants) + len(r.s.DisabledUsers) + len(r.s.Prices)
	done := 0
	for i, f := range r.p.encode.table() {
		name := r.next + hashes[i]
		batch := make([]any, 0, 2*syncBatch)
		flush := func() error {
			if len(batch) == 0 {
				return nil
			}
			done += len(batch) / 2
			_, err := r.p.redis.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
				pipe.HSet(ctx, name, batch...)
				pipe.Expire(ctx, name, stageTTL)
				return nil
			})
			batch = batch[:0]
			r.opt.Progress(Progress{StepStage, done, total})
			return err
		}
		err := f.each(r.s, func(e entry, _ *sluice.Key) error {
			to.digests[i].add(e)
			if batch = append(batch, e.field, e.value); len(batch) < 2*syncBatch {
				return nil
			}
			return flush()
		})
		if err != nil {
			return to, err
		}
		if err := flush(); err != nil {
			return to, err
		}
	}
	return to, nil
}

// replace puts the staged hashes in place.
func (r *syncRun) replace(ctx context.Context, to content) error {
	keys := r.p.keys()
	for _, h := range hashes {
		keys = append(keys, r.next+h)
	}
	force := "0"
	if r.opt.Force {
		force = "1"
	}
	args := append([]any{
		strconv.FormatUint(r.s.Revision, 10), r.p.redis.key(keyNotify), maxChanges, force, r.p.redis.prefix, r.next,
	}, manifestArgs(to)...)
	done, current, err := r.p.outcome(replaceScript.Run(ctx, r.p.redis.client, keys, args...))
	if err != nil {
		return unavailable(fmt.Errorf("put revision %d in place: %w", r.s.Revision, err))
	}
	if !done {
		if err := r.p.ahead(ctx, current); err != nil {
			return err
		}
		return sluice.Errorf(sluice.CodeConflict, "Redis holds revision %d, which is later than %d", current, r.s.Revision)
	}
	return nil
}

// tokens rewrites auth:token:<sha256> of every key.
func (r *syncRun) tokens(ctx context.Context) error {
	keys, args, done := []string{r.p.redis.key(hashKeys)}, []any{}, 0
	flush := func() error {
		if len(keys) == 1 {
			return nil
		}
		done += (len(keys) - 1) / 2
		err := tokensScript.Run(ctx, r.p.redis.client, keys, args...).Err()
		keys, args = keys[:1], args[:0]
		r.opt.Progress(Progress{StepTokens, done, len(r.s.Keys)})
		return err
	}
	err := r.p.encode.table()[1].each(r.s, func(e entry, k *sluice.Key) error {
		own := r.p.redis.key(keyToken + e.field)
		hash, until, ok := retiring(k)
		old := own
		if ok {
			old = r.p.redis.key(keyRetiring + hash)
		}
		keys = append(keys, own, old)
		if args = append(append(append(args, e.field, e.value), token(k)...), until); len(keys) <= 2*syncBatch {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

// stale deletes what tells of keys that are gone: token hashes, and the tokens of
// before a rotation. It runs last, so that what it looks at is never older than
// what the sync wrote. Its progress is how much was looked at.
func (r *syncRun) stale(ctx context.Context) error {
	done := 0
	for _, kind := range []string{keyToken, keyRetiring} {
		err := r.p.redis.scan(ctx, kind+"*", func(names []string) error {
			if len(names) == 0 {
				return nil
			}
			keys, fields := []string{r.p.redis.key(hashKeys)}, []any{}
			for _, name := range names {
				keys = append(keys, r.p.redis.key(name))
				field := "" // a rotation's own value names it
				if kind == keyToken {
					field = strings.TrimPrefix(name, keyToken)
				}
				fields = append(fields, field)
			}
			done += len(names)
			r.opt.Progress(Progress{StepCheck, done, 0})
			return staleScript.Run(ctx, r.p.redis.client, keys, fields...).Err()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// cleanUp removes what is still staged, also after ctx ended; what it cannot
// reach expires.
func (r *syncRun) cleanUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
	defer cancel()
	staged := make([]string, len(hashes))
	for i, h := range hashes {
		staged[i] = r.next + h
	}
	_ = r.p.redis.client.Unlink(ctx, staged...).Err()
}
