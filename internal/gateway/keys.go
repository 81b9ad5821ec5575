package gateway

import (
	"crypto/sha256"
	"slices"
	"strconv"
	"time"
	"unsafe"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/plugin"
)

// keys finds consumers by the hash of their token. The look-up is by the full
// hash, so that nothing about a token can be learnt from its timing.
type keys struct {
	rules  *keyRules
	table  *keyTable
	beyond *beyondKeys // nil when the table holds all keys
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
	use     *keyUse
}

// addKeys takes over from the old state what did not change: with 100,000 keys,
// entering all of them for each change would cost more than the traffic does.
func (c *compiler) addKeys() {
	k := &keys{rules: newKeyRules(c.snap, c.g.cfg.Plugins), now: c.g.cfg.Now}
	if c.old != nil && k.rules.same(c.old.keys.rules) {
		k.rules = c.old.keys.rules
		k.table = c.old.keys.table.changed(k.rules, c.old.snapshot.Keys, c.snap.Keys)
		k.beyond = c.old.keys.beyond
	} else {
		k.table = new(keyTable).changed(k.rules, nil, c.snap.Keys)
	}
	switch {
	case !c.snap.MoreKeys || c.g.cfg.Keys == nil:
		k.beyond = nil
	case k.beyond == nil:
		k.beyond = newBeyondKeys(c.g.cfg.Keys, k.rules)
	}
	for _, b := range k.table.broken {
		c.disable(b.key, b.err)
	}
	c.out.keys = k
}

// ByToken implements [plugin.Keys]. All refusals of a token that does not work
// read the same.
func (k *keys) ByToken(token string) (plugin.Consumer, error) {
	hash := hashToken(token)
	e := k.table.find(&hash)
	if e == nil && k.beyond != nil {
		var err error
		if e, err = k.beyond.find(hash); err != nil {
			return plugin.Consumer{}, err
		}
	}
	switch {
	case e == nil, e.off, k.ended(e.until), k.ended(e.consumer.Key.ExpiresAt):
		return plugin.Consumer{}, sluice.Errorf(sluice.CodeUnauthorized, "the key is unknown, disabled or expired")
	case e.problem != nil:
		return plugin.Consumer{}, e.problem
	}
	return e.consumer, nil
}

// useOf is where to note that a key was admitted; nil for one that a plugin made
// up.
func (k *keys) useOf(key *sluice.Key) *keyUse {
	if use := k.table.useOf(key); use != nil || k.beyond == nil {
		return use
	}
	return k.beyond.useOf(key)
}

// hashToken hashes a token where it lies.
func hashToken(token string) tokenHash {
	return sha256.Sum256(unsafe.Slice(unsafe.StringData(token), len(token)))
}

// ended reports whether a moment that may be unset has come.
func (k *keys) ended(at time.Time) bool { return !at.IsZero() && !k.now().Before(at) }

// keyRules is what else decides whether a key works, and for whom.
type keyRules struct {
	list     []sluice.Tenant
	tenants  map[string]*sluice.Tenant
	disabled []sluice.UserRef
	users    map[sluice.UserRef]bool // those that are disabled
	plugins  *plugin.Registry
}

func newKeyRules(s *sluice.Snapshot, plugins *plugin.Registry) *keyRules {
	r := &keyRules{
		list: s.Tenants, tenants: make(map[string]*sluice.Tenant, len(s.Tenants)),
		disabled: s.DisabledUsers, users: make(map[sluice.UserRef]bool, len(s.DisabledUsers)), plugins: plugins,
	}
	for i := range s.Tenants {
		r.tenants[s.Tenants[i].Name] = &s.Tenants[i]
	}
	for _, u := range s.DisabledUsers {
		r.users[u] = true
	}
	return r
}

// same reports whether both rules decide alike. Snapshots share the list of
// tenants for as long as none changes.
func (r *keyRules) same(old *keyRules) bool {
	return len(r.list) == len(old.list) && (len(r.list) == 0 || &r.list[0] == &old.list[0]) && slices.Equal(r.disabled, old.disabled)
}

// entry judges a key by itself.
func (r *keyRules) entry(key *sluice.Key) keyEntry {
	return r.judge(key, string(appendBucket(nil, key)), &keyUse{id: key.ID})
}

// appendBucket appends what claims call a key.
func appendBucket(b []byte, key *sluice.Key) []byte {
	return strconv.AppendUint(append(b, "key:"...), key.ID, 10)
}

// judge makes the entry of a key of what is already made for it.
func (r *keyRules) judge(key *sluice.Key, bucket string, use *keyUse) keyEntry {
	tenant := r.tenants[key.Tenant]
	e := keyEntry{
		consumer: plugin.Consumer{Tenant: tenant, Key: key, Bucket: bucket},
		off: key.Status == sluice.StatusDisabled || tenant == nil || tenant.Status == sluice.StatusDisabled ||
			len(r.users) > 0 && r.users[sluice.UserRef{Tenant: key.Tenant, Name: key.User}],
		use: use,
	}
	if len(key.Plugins) > 0 {
		if err := r.plugins.ValidateAll(key.Plugins); err != nil {
			e.problem = sluice.Errorf(sluice.CodeUnavailable, "this key is misconfigured").Because(err)
		}
	}
	return e
}
