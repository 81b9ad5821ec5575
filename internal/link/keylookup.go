package link

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/sluicegate/sluice"
)

// Limits of looking a key up.
const (
	// maxLookups bounds the look-ups at once; requests beyond it are refused.
	maxLookups = 256
	// lookupTries bounds how often a look-up starts over because the
	// configuration moved.
	lookupTries = 3
)

var _ sluice.KeySource = (*RedisSnapshots)(nil)

// KeyByHash implements [sluice.KeySource] for a configuration with more keys than
// MaxKeys: from the cache of keys in use, or else from Redis within
// LookupTimeout. However many requests ask for a key at once, Redis is asked
// once; one that does not answer is left alone for a second. What the cache holds
// needs no Redis.
func (r *RedisSnapshots) KeyByHash(ctx context.Context, hash [32]byte) (*sluice.Key, error) {
	key, known := r.keys.find(hash)
	if !known {
		var err error
		if key, err = r.lookups.do(ctx, hash, r.lookUp); err != nil {
			return nil, err
		}
	}
	if key == nil {
		return nil, errNoKey()
	}
	return key, nil
}

// lookUp asks Redis for a key and caches the answer; nil is no key.
func (r *RedisSnapshots) lookUp(ctx context.Context, hash tokenHash) (*sluice.Key, error) {
	if !r.breaker.allow() {
		return nil, unavailable(fmt.Errorf("look up a key: %w", errLeftAlone))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.cfg.LookupTimeout) // others wait for it, too
	defer cancel()
	for range lookupTries {
		key, rev, err := r.cfg.Redis.lookUp(ctx, hash)
		r.noteLookUp(err)
		switch {
		case err != nil:
			return nil, unavailable(err)
		case key == nil && r.State().Refused > 0:
			// What was published is not believed, so neither is that the key is gone.
			return nil, unavailable(errors.New("look up a key: what Redis holds was refused"))
		case r.keys.store(hash, key, rev):
			return key, nil
		}
	}
	return nil, unavailable(errors.New("look up a key: Redis is behind the configuration that is served"))
}

// noteLookUp tells the breaker how a look-up went, and the log when that changed.
func (r *RedisSnapshots) noteLookUp(err error) {
	var reply redis.Error
	lost := err != nil && !errors.Is(err, errEmpty) && (!errors.As(err, &reply) || isAway(err))
	switch changed := r.breaker.note(!lost); {
	case changed && lost:
		r.cfg.Log.Warn("keys that are not in use cannot be looked up", "error", err)
	case changed:
		r.cfg.Log.Info("keys can be looked up again")
	}
}

// lookUp reads one key by its hash, or by the one before its rotation, and the
// revision at which it is so.
func (r *Redis) lookUp(ctx context.Context, hash tokenHash) (*sluice.Key, uint64, error) {
	text := hex.EncodeToString(hash[:])
	keys := []string{r.key(keyRev), r.key(keyManifest), r.key(hashKeys), r.key(keyToken + text), r.key(keyRetiring + text)}
	reply, err := lookupScript.Run(ctx, r.client, keys, text, r.key(keyToken)).StringSlice()
	if err != nil {
		return nil, 0, fmt.Errorf("look up a key: %w", err)
	}
	if len(reply) != 2 || reply[0] == "" {
		return nil, 0, fmt.Errorf("look up a key: %w", errEmpty)
	}
	var rev uint64
	if _, err := fmt.Sscan(reply[0], &rev); err != nil {
		return nil, 0, fmt.Errorf("look up a key: the revision is %.20q", reply[0])
	}
	if reply[1] == "" {
		return nil, rev, nil
	}
	key := new(sluice.Key)
	if err := json.Unmarshal([]byte(reply[1]), key); err != nil {
		return nil, rev, fmt.Errorf("look up a key: the published object cannot be read: %w", err)
	}
	if key.TokenHash != text && !isRetiring(key, hash) {
		return nil, rev, nil // another rotation has ended this one
	}
	return key, rev, nil
}

// lookups lets one caller of many look a key up.
type lookups struct {
	mu     sync.Mutex
	flying map[tokenHash]*lookup
}

// lookup is one that is under way; its result may be read once done is closed.
type lookup struct {
	done chan struct{}
	key  *sluice.Key
	err  error
}

// do returns what find does, for all who ask for the hash meanwhile.
func (l *lookups) do(ctx context.Context, hash tokenHash, find func(context.Context, tokenHash) (*sluice.Key, error)) (*sluice.Key, error) {
	l.mu.Lock()
	f, under := l.flying[hash], true
	if f == nil && len(l.flying) >= maxLookups {
		l.mu.Unlock()
		return nil, sluice.Errorf(sluice.CodeUnavailable, "too many keys are being looked up").After(1)
	}
	if f == nil {
		f, under = &lookup{done: make(chan struct{}), err: errLookup}, false
		l.flying[hash] = f
	}
	l.mu.Unlock()
	if under {
		select {
		case <-f.done:
			return f.key, f.err
		case <-ctx.Done():
			return nil, unavailable(ctx.Err())
		}
	}
	defer func() {
		l.mu.Lock()
		delete(l.flying, hash)
		l.mu.Unlock()
		close(f.done)
	}()
	f.key, f.err = find(ctx, hash)
	return f.key, f.err
}

// errLookup is what others get of a look-up that panicked.
var errLookup = unavailable(errors.New("the look-up ended early"))

// readCached asks anew for every key that is cached, for a reader that does not
// know what changed.
func (r *RedisSnapshots) readCached(ctx context.Context, m *mirror) error {
	hashes := r.keys.hashes()
	m.keys.whole = true
	for len(hashes) > 0 {
		batch := hashes[:min(len(hashes), scanCount)]
		hashes = hashes[len(batch):]
		fields := make([]string, len(batch))
		for i, h := range batch {
			fields[i] = hex.EncodeToString(h[:])
		}
		values, err := r.cfg.Redis.client.HMGet(ctx, r.cfg.Redis.key(hashKeys), fields...).Result()
		if err != nil {
			return redisError("read "+hashKeys, err)
		}
		for i, v := range values {
			m.noteKey(fields[i], text(v), v == nil)
		}
	}
	return nil
}
