package link

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicegate/sluice"
)

// Limits of a cache of keys, beside the number of keys.
const (
	maxAbsent  = 65_536 // hashes that are known to belong to no key
	maxRetired = 65_536 // hashes of keys before their rotation
	// absentFor ends what was remembered of a hash without a key, should the
	// notice of its key be lost; polls bring those anyway.
	absentFor = 30 * time.Second
	// evictSample is how many keys are compared to find one to evict.
	evictSample = 16
)

// tokenHash is the SHA-256 of a token.
type tokenHash = [sha256.Size]byte

// keyCache holds the keys in use of a configuration that has more than fit. What
// it says is true at its revision: changes are applied to it as they are to the
// snapshot, and what was read from Redis at an earlier revision is not taken. It
// is safe for concurrent use.
type keyCache struct {
	most int
	now  func() time.Time

	mu      sync.RWMutex
	rev     uint64
	keys    map[tokenHash]*cachedKey
	retired map[tokenHash]tokenHash // a hash before the rotation: that of today
	absent  map[tokenHash]time.Time // until when no key is assumed
	arrived uint64                  // counts keys that came
}

// cachedKey is a key, the revision at which it was seen to be so, and when it
// was last asked for (Unix seconds).
type cachedKey struct {
	key  *sluice.Key
	rev  uint64
	seen atomic.Int64
}

// keyChange says what a key is from now on; nil is gone.
type keyChange struct {
	hash tokenHash
	key  *sluice.Key
}

// cacheUpdate brings a cache to a revision.
type cacheUpdate struct {
	list []keyChange
	// whole says that keys which the list lacks are not known any more.
	whole bool
	// fill says that keys are cached even if nobody asked for them yet.
	fill bool
}

func newKeyCache(most int, now func() time.Time) *keyCache {
	return &keyCache{most: most, now: now, keys: map[tokenHash]*cachedKey{}, retired: map[tokenHash]tokenHash{}, absent: map[tokenHash]time.Time{}}
}

// find returns the key of a hash. known tells that there is none from that the
// cache cannot tell.
func (c *keyCache) find(hash tokenHash) (key *sluice.Key, known bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	today, old := c.retired[hash]
	if !old {
		today = hash
	}
	k := c.keys[today]
	if k != nil && (!old || isRetiring(k.key, hash)) {
		if now := c.now().Unix(); k.seen.Load() != now {
			k.seen.Store(now)
		}
		return k.key, true
	}
	until, absent := c.absent[hash]
	return nil, absent && c.now().Before(until)
}

// isRetiring reports whether a hash is that of a key before its rotation.
func isRetiring(k *sluice.Key, hash tokenHash) bool {
	old, _, ok := retiring(k)
	return ok && old == hex.EncodeToString(hash[:])
}

// store keeps what was read at a revision, nil for no key. It reports false, and
// keeps nothing, when changes of later revisions were applied: one of them may
// have been about this key.
func (c *keyCache) store(hash tokenHash, key *sluice.Key, rev uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if rev < c.rev {
		return false
	}
	if key == nil {
		dropUntil(c.absent, maxAbsent)
		c.absent[hash] = c.now().Add(absentFor)
		return true
	}
	c.put(key, rev, c.now().Unix())
	return true
}

// put keeps a key under its hash and under the one before its rotation; the
// cache is locked.
func (c *keyCache) put(key *sluice.Key, rev uint64, seen int64) {
	hash, ok := parseTokenHash(key.TokenHash)
	if !ok {
		return
	}
	if c.keys[hash] == nil {
		c.makeRoom()
		c.arrived++
	}
	k := &cachedKey{key: key, rev: rev}
	k.seen.Store(seen)
	c.keys[hash] = k
	delete(c.absent, hash)
	if text, _, rotated := retiring(key); rotated {
		if old, ok := parseTokenHash(text); ok {
			dropUntil(c.retired, maxRetired)
			c.retired[old] = hash
			delete(c.absent, old)
		}
	}
}

// makeRoom evicts a key that nobody asked for in a while: of a few at random, the
// one that was asked for the longest ago.
func (c *keyCache) makeRoom() {
	for len(c.keys) >= c.most {
		var oldest tokenHash
		n, when := 0, int64(0)
		for hash, k := range c.keys {
			if seen := k.seen.Load(); n == 0 || seen < when {
				oldest, when = hash, seen
			}
			if n++; n == evictSample {
				break
			}
		}
		delete(c.keys, oldest)
	}
}

// dropUntil makes room for one more entry, at the cost of any.
func dropUntil[V any](m map[tokenHash]V, most int) {
	for hash := range m {
		if len(m) < most {
			return
		}
		delete(m, hash)
	}
}

// apply brings the cache to a revision. Keys that are asked for stay what they
// are, under the hash that they have now and under the one before.
func (c *keyCache) apply(changes cacheUpdate, rev uint64) {
	last := make(map[tokenHash]*sluice.Key, len(changes.list))
	for _, ch := range changes.list {
		last[ch.hash] = ch.key
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for hash, key := range last {
		delete(c.absent, hash)
		if key == nil {
			continue
		}
		seen, wanted := c.seenAs(hash, key)
		if wanted || changes.fill {
			c.put(key, rev, seen)
		}
	}
	for hash, key := range last {
		if key == nil {
			delete(c.keys, hash)
		}
	}
	if changes.whole {
		clear(c.absent)
		for hash, k := range c.keys {
			if k.rev < rev {
				delete(c.keys, hash)
			}
		}
	}
	c.rev = rev
}

// seenAs says when a key was last asked for by either of its hashes.
func (c *keyCache) seenAs(hash tokenHash, key *sluice.Key) (seen int64, wanted bool) {
	text, _, _ := retiring(key)
	before, _ := parseTokenHash(text)
	for _, h := range []tokenHash{hash, before} {
		if k := c.keys[h]; k != nil {
			return k.seen.Load(), true
		}
	}
	return c.now().Unix(), false
}

// reset forgets everything: the snapshot holds all keys again.
func (c *keyCache) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.keys)
	clear(c.retired)
	clear(c.absent)
}

// hashes lists the keys that are cached.
func (c *keyCache) hashes() []tokenHash {
	c.mu.RLock()
	defer c.mu.RUnlock()
	list := make([]tokenHash, 0, len(c.keys))
	for hash := range c.keys {
		list = append(list, hash)
	}
	return list
}

// arrivals counts the keys that came since the start.
func (c *keyCache) arrivals() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.arrived
}

// since lists the keys that were asked for at or after a moment, as snapshots
// sort them.
func (c *keyCache) since(at time.Time) []*sluice.Key {
	c.mu.RLock()
	list := make([]*sluice.Key, 0, len(c.keys))
	for _, k := range c.keys {
		if k.seen.Load() >= at.Unix() {
			list = append(list, k.key)
		}
	}
	c.mu.RUnlock()
	slices.SortFunc(list, func(a, b *sluice.Key) int { return compareNames(nameOf(a), nameOf(b)) })
	return list
}

// parseTokenHash reads a field of config:keys.
func parseTokenHash(text string) (hash tokenHash, ok bool) {
	if len(text) != hex.EncodedLen(len(hash)) {
		return hash, false
	}
	_, err := hex.Decode(hash[:], []byte(text))
	return hash, err == nil
}
