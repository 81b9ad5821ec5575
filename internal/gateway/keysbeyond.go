package gateway

import (
	"context"
	"sync"

	"github.com/sluicegate/sluice"
)

// maxBeyond bounds the judged keys that are remembered beyond the snapshot; the
// keys themselves are the source's to cache.
const maxBeyond = 50_000

// beyondKeys finds the keys that a snapshot leaves out, by way of a source. It
// serves every state with the same rules, and is safe for concurrent use.
type beyondKeys struct {
	source sluice.KeySource
	rules  *keyRules

	mu      sync.RWMutex
	entries map[tokenHash]*keyEntry
	uses    map[*sluice.Key]*keyUse
}

func newBeyondKeys(source sluice.KeySource, rules *keyRules) *beyondKeys {
	return &beyondKeys{source: source, rules: rules, entries: map[tokenHash]*keyEntry{}, uses: map[*sluice.Key]*keyUse{}}
}

// find returns the entry of a hash, nil when there is no such key. It takes as
// long as the source does, which is asked each time: it alone knows whether the
// key still is what it was.
func (b *beyondKeys) find(hash tokenHash) (*keyEntry, error) {
	key, err := b.source.KeyByHash(context.Background(), hash)
	if sluice.CodeOf(err) == sluice.CodeUnauthorized {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b.mu.RLock()
	e := b.entries[hash]
	b.mu.RUnlock()
	if e == nil || e.consumer.Key != key {
		e = b.judge(hash, key)
	}
	return e, nil
}

// judge makes the entry of a key and remembers it.
func (b *beyondKeys) judge(hash tokenHash, key *sluice.Key) *keyEntry {
	e := b.rules.entry(key)
	if own, ok := parseHash(key.TokenHash); !ok || own != hash {
		e = *e.retiring()
		e.off = e.off || e.until.IsZero()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if old := b.entries[hash]; old != nil {
		b.forget(hash, old)
	}
	for h, old := range b.entries {
		if len(b.entries) < maxBeyond {
			break
		}
		b.forget(h, old) // any one: it is judged again when it is needed
	}
	if use := b.uses[key]; use != nil {
		e.use = use // known by another of its hashes
	}
	b.entries[hash], b.uses[key] = &e, e.use
	return &e
}

func (b *beyondKeys) forget(hash tokenHash, e *keyEntry) {
	delete(b.entries, hash)
	delete(b.uses, e.consumer.Key)
}

func (b *beyondKeys) useOf(key *sluice.Key) *keyUse {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.uses[key]
}
