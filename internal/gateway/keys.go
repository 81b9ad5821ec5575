package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/plugin"
)

// keys finds consumers by the hash of their token. The look-up is by the full
// hash, so that nothing about a token can be learnt from its timing.
type keys struct {
	byHash map[tokenHash]*keyEntry
	uses   map[*sluice.Key]*keyUse
	now    func() time.Time
}

var _ plugin.Keys = (*keys)(nil)

// tokenHash is the SHA-256 of a token.
type tokenHash = [sha256.Size]byte

// keyEntry is a key under one of its hashes.
type keyEntry struct {
	consumer plugin.Consumer
	// until ends a hash that is being retired; zero is no end.
	until time.Time
	// off says that key, user or tenant is disabled.
	off bool
	// problem says that the key's own configuration cannot be served.
	problem error
}

func (c *compiler) addKeys() {
	tenants := make(map[string]*sluice.Tenant, len(c.snap.Tenants))
	for i := range c.snap.Tenants {
		tenants[c.snap.Tenants[i].Name] = &c.snap.Tenants[i]
	}
	users := make(map[sluice.UserRef]bool, len(c.snap.DisabledUsers))
	for _, u := range c.snap.DisabledUsers {
		users[u] = true
	}
	k := &keys{byHash: make(map[tokenHash]*keyEntry, len(c.snap.Keys)), uses: make(map[*sluice.Key]*keyUse, len(c.snap.Keys)), now: c.g.cfg.Now}
	for i := range c.snap.Keys {
		key := &c.snap.Keys[i]
		tenant := tenants[key.Tenant]
		k.uses[key] = &keyUse{id: key.ID}
		e := keyEntry{consumer: consumerOf(tenant, key)}
		e.off = key.Status == sluice.StatusDisabled || tenant == nil || c.disabled[key.Tenant] ||
			users[sluice.UserRef{Tenant: key.Tenant, Name: key.User}]
		if len(key.Plugins) > 0 {
			if err := c.g.cfg.Plugins.ValidateAll(key.Plugins); err != nil {
				c.disable(key, err)
				e.problem = sluice.Errorf(sluice.CodeUnavailable, "this key is misconfigured").Because(err)
			}
		}
		k.add(key.TokenHash, e)
		e.until = key.RetiringUntil
		if !e.until.IsZero() {
			k.add(key.RetiringHash, e)
		}
	}
	c.out.keys = k
}

// consumerOf is the key as plugins see it.
func consumerOf(t *sluice.Tenant, k *sluice.Key) plugin.Consumer {
	return plugin.Consumer{Tenant: t, Key: k, Bucket: "key:" + strconv.FormatUint(k.ID, 10)}
}

// add enters a key under a hash, which is empty where there is none. One that is
// not a hash is that of no token.
func (k *keys) add(text string, e keyEntry) {
	var hash tokenHash
	if n, err := hex.Decode(hash[:], []byte(text[:min(len(text), 2*len(hash))])); err == nil && n == len(hash) {
		k.byHash[hash] = &e
	}
}

// ByToken implements [plugin.Keys]. All refusals of a token that does not work
// read the same.
func (k *keys) ByToken(token string) (plugin.Consumer, error) {
	e := k.byHash[hashToken(token)]
	switch {
	case e == nil, e.off, k.ended(e.until), k.ended(e.consumer.Key.ExpiresAt):
		return plugin.Consumer{}, sluice.Errorf(sluice.CodeUnauthorized, "the key is unknown, disabled or expired")
	case e.problem != nil:
		return plugin.Consumer{}, e.problem
	}
	return e.consumer, nil
}

// hashToken hashes a token where it lies.
func hashToken(token string) tokenHash {
	return sha256.Sum256(unsafe.Slice(unsafe.StringData(token), len(token)))
}

// ended reports whether a moment that may be unset has come.
func (k *keys) ended(at time.Time) bool { return !at.IsZero() && !k.now().Before(at) }

// keyUse is when a key was last admitted: nanoseconds of Unix time, 0 when that
// was reported already.
type keyUse struct {
	id   uint64
	last atomic.Int64
}

// usedKeys remembers when each key was last admitted, until the next report. A
// key that was marked before costs one atomic store.
type usedKeys struct {
	mu   sync.Mutex
	list []*keyUse // those marked since the last report
	lost map[uint64]time.Time
}

// mark notes that a key was admitted.
func (u *usedKeys) mark(k *keyUse, now time.Time) {
	if k.last.Swap(now.UnixNano()) == 0 {
		u.mu.Lock()
		u.list = append(u.list, k)
		u.mu.Unlock()
	}
}

// take returns what was marked since the last call.
func (u *usedKeys) take() map[uint64]time.Time {
	u.mu.Lock()
	list, taken := u.list, u.lost
	u.list, u.lost = nil, nil
	u.mu.Unlock()
	if taken == nil && len(list) > 0 {
		taken = make(map[uint64]time.Time, len(list))
	}
	for _, k := range list {
		later(taken, k.id, time.Unix(0, k.last.Swap(0)))
	}
	return taken
}

// restore puts back what a lost report carried.
func (u *usedKeys) restore(lost map[uint64]time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.lost = lost
}

// later keeps the later of two moments: a key is there twice when the
// configuration changed in between.
func later(m map[uint64]time.Time, id uint64, at time.Time) {
	if at.After(m[id]) {
		m[id] = at
	}
}
