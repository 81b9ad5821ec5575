package gateway

import (
	"cmp"
	"encoding/hex"
	"errors"
	"maps"
	"slices"

	"github.com/sluicegate/sluice"
)

// keyShards is into how many parts the keys are divided. A change copies the
// parts that it touches, and shares the others with the state before.
const keyShards = 1024

// slabSize is how many entries are allocated together. One that stays keeps the
// others of its slab in memory: more would be less work, and more waste.
const slabSize = 32

// keySlot is an entry and what it points to.
type keySlot struct {
	entry keyEntry
	use   keyUse
}

// keyTable holds the keys of a snapshot. It is immutable.
type keyTable struct {
	byHash [keyShards]map[tokenHash]*keyEntry
	broken []brokenKey
}

// brokenKey is a key whose own configuration cannot be served.
type brokenKey struct {
	key *sluice.Key
	err error
}

func shardOfHash(h *tokenHash) int { return (int(h[0])<<8 | int(h[1])) % keyShards }

// find returns the entry of a hash, or nil.
func (t *keyTable) find(hash *tokenHash) *keyEntry { return t.byHash[shardOfHash(hash)][*hash] }

// useOf is where to note that a key of this table was admitted, or nil.
func (t *keyTable) useOf(key *sluice.Key) *keyUse {
	for _, text := range [...]string{key.TokenHash, key.RetiringHash} {
		if hash, ok := parseHash(text); ok {
			if e := t.find(&hash); e != nil && e.consumer.Key == key {
				return e.use
			}
		}
	}
	return nil
}

// changed returns the table of the next list of keys.
func (t *keyTable) changed(rules *keyRules, old, next []*sluice.Key) *keyTable {
	gone, added := differingKeys(old, next)
	if len(gone) > len(old)/2 { // it is less to enter all than to copy and take away
		t, gone, added = new(keyTable), nil, next
	}
	out := *t
	edit := tableEdit{keyTable: &out, room: len(added)/keyShards + 1}
	for _, key := range gone {
		edit.remove(key)
	}
	for some := range slices.Chunk(added, slabSize) {
		edit.add(rules, some)
	}
	return &out
}

// differingKeys returns the keys that only one of two lists holds. Lists that
// are not sorted by tenant and name give more than that, in both.
func differingKeys(old, next []*sluice.Key) (gone, added []*sluice.Key) {
	for len(old) > 0 && len(next) > 0 {
		if old[0] == next[0] {
			old, next = old[1:], next[1:]
			continue
		}
		order := cmp.Or(cmp.Compare(old[0].Tenant, next[0].Tenant), cmp.Compare(old[0].Name, next[0].Name))
		if order <= 0 {
			gone, old = append(gone, old[0]), old[1:]
		}
		if order >= 0 {
			added, next = append(added, next[0]), next[1:]
		}
	}
	return append(gone, old...), append(added, next...)
}

// tableEdit changes a table that nobody else has yet; the parts that it shares
// with another one are copied first.
type tableEdit struct {
	*keyTable
	room    int // how many keys a new part is made for
	ownHash [keyShards]bool
}

func (t *tableEdit) hashShard(i int) map[tokenHash]*keyEntry {
	if !t.ownHash[i] {
		t.byHash[i], t.ownHash[i] = copied(t.byHash[i], t.room), true
	}
	return t.byHash[i]
}

// copied returns a map of one's own, which may be nil before.
func copied[K comparable, V any](m map[K]V, room int) map[K]V {
	if m == nil {
		return make(map[K]V, room)
	}
	return maps.Clone(m)
}

func (t *tableEdit) remove(key *sluice.Key) {
	for _, text := range []string{key.TokenHash, key.RetiringHash} {
		hash, ok := parseHash(text)
		if !ok {
			continue
		}
		if e := t.find(&hash); e != nil && e.consumer.Key == key {
			delete(t.hashShard(shardOfHash(&hash)), hash)
		}
	}
	if i := slices.IndexFunc(t.broken, func(b brokenKey) bool { return b.key == key }); i >= 0 {
		t.broken = slices.Delete(slices.Clone(t.broken), i, i+1)
	}
}

// add enters some keys, at most slabSize.
func (t *tableEdit) add(rules *keyRules, some []*sluice.Key) {
	slab := make([]keySlot, len(some))
	buckets := bucketsOf(some)
	for i, key := range some {
		slot := &slab[i]
		slot.use.id = key.ID
		slot.entry = rules.judge(key, buckets[i], &slot.use)
		t.enter(&slot.entry)
	}
}

// bucketsOf returns what claims call the keys, all in one piece of memory.
func bucketsOf(some []*sluice.Key) (names [slabSize]string) {
	var ends [slabSize]int
	text := make([]byte, 0, slabSize*len("key:1234567890"))
	for i, key := range some {
		text = appendBucket(text, key)
		ends[i] = len(text)
	}
	all, begin := string(text), 0
	for i, end := range ends[:len(some)] {
		names[i], begin = all[begin:end], end
	}
	return names
}

// enter makes an entry findable by the hashes of its key.
func (t *tableEdit) enter(e *keyEntry) {
	key := e.consumer.Key
	if e.problem != nil {
		t.broken = append(slices.Clip(t.broken), brokenKey{key, errors.Unwrap(e.problem)})
	}
	if hash, ok := parseHash(key.TokenHash); ok {
		t.hashShard(shardOfHash(&hash))[hash] = e
	}
	if hash, ok := parseHash(key.RetiringHash); ok && !key.RetiringUntil.IsZero() {
		t.hashShard(shardOfHash(&hash))[hash] = e.retiring()
	}
}

// retiring is the entry of a key under the hash that it had before its rotation.
func (e keyEntry) retiring() *keyEntry {
	e.until = e.consumer.Key.RetiringUntil
	return &e
}

// parseHash reads a hash, which is empty where there is none. What is not a hash
// is that of no token.
func parseHash(text string) (hash tokenHash, ok bool) {
	if len(text) != hex.EncodedLen(len(hash)) {
		return hash, false
	}
	_, err := hex.Decode(hash[:], []byte(text))
	return hash, err == nil
}
