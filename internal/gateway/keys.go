package gateway

import (
	"sync"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/plugin"
)

// keys finds consumers by the hash of their token. The look-up is by the full
// hash, so that nothing about a token can be learnt from its timing.
type keys struct {
	byHash map[string]keyEntry
	now    func() time.Time
}

var _ plugin.Keys = (*keys)(nil)

// keyEntry is a key under one of its hashes.
type keyEntry struct {
	key    *sluice.Key
	tenant *sluice.Tenant
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
	k := &keys{byHash: make(map[string]keyEntry, len(c.snap.Keys)), now: c.g.cfg.Now}
	for i := range c.snap.Keys {
		key := &c.snap.Keys[i]
		e := keyEntry{key: key, tenant: tenants[key.Tenant]}
		e.off = key.Status == sluice.StatusDisabled || e.tenant == nil || c.disabled[key.Tenant] ||
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

func (k *keys) add(hash string, e keyEntry) {
	if hash != "" {
		k.byHash[hash] = e
	}
}

// ByToken implements [plugin.Keys]. All refusals of a token that does not work
// read the same.
func (k *keys) ByToken(token string) (plugin.Consumer, error) {
	e, ok := k.byHash[sluice.HashToken(token)]
	now := k.now()
	switch {
	case !ok, e.off, ended(e.until, now), ended(e.key.ExpiresAt, now):
		return plugin.Consumer{}, sluice.Errorf(sluice.CodeUnauthorized, "the key is unknown, disabled or expired")
	case e.problem != nil:
		return plugin.Consumer{}, e.problem
	}
	return plugin.Consumer{Tenant: e.tenant, Key: e.key}, nil
}

// ended reports whether a moment that may be unset has come.
func ended(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }

// usedKeys remembers when each key was last admitted, until the next report.
type usedKeys struct {
	mu   sync.Mutex
	last map[uint64]time.Time
}

func (u *usedKeys) mark(id uint64, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.last == nil {
		u.last = make(map[uint64]time.Time)
	}
	u.last[id] = now
}

// take returns what was marked since the last call.
func (u *usedKeys) take() map[uint64]time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	taken := u.last
	u.last = nil
	return taken
}

// restore puts back what a lost report carried, unless it is older by now.
func (u *usedKeys) restore(lost map[uint64]time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.last == nil {
		u.last = make(map[uint64]time.Time, len(lost))
	}
	for id, at := range lost {
		if at.After(u.last[id]) {
			u.last[id] = at
		}
	}
}
