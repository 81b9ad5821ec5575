package gateway_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/gateway"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// source holds the keys that snapshots leave out.
type source struct {
	mu   sync.Mutex
	keys map[string]*sluice.Key
	away bool
}

// KeyByHash implements sluice.KeySource.
func (s *source) KeyByHash(_ context.Context, hash [sha256.Size]byte) (*sluice.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return nil, sluice.Errorf(sluice.CodeUnavailable, "it cannot be told").After(1)
	}
	text := hex.EncodeToString(hash[:])
	for _, k := range s.keys {
		if k.TokenHash == text || k.RetiringHash == text {
			return k, nil
		}
	}
	return nil, sluice.Errorf(sluice.CodeUnauthorized, "no such key")
}

// Keys beyond the snapshot are customers like all others: they work, end, and are
// refused by the same rules, and what cannot be told is not called unknown.
func TestKeysBeyondTheSnapshot(t *testing.T) { onEveryTransport(t, testKeysBeyondTheSnapshot) }

func testKeysBeyondTheSnapshot(t *testing.T, over transport) {
	src := &source{keys: map[string]*sluice.Key{}}
	f := newFixture(t, over, func(g *gateway.Config, _ *limits) { g.Keys = src })
	f.addProvider("p1", sluicetest.NewUpstream(t, sluicetest.JSON(200, wholeChat)), nil)
	f.snap.DisabledUsers = []sluice.UserRef{{Tenant: "acme", Name: "fired"}}
	tokens := map[string]string{}
	change := func(name string, change func(*sluice.Key)) {
		token, known := tokens[name]
		if !known {
			token, _ = sluice.NewToken("test")
			tokens[name] = token
		}
		k := &sluice.Key{Meta: meta("acme", name), User: "u", TokenHash: sluice.HashToken(token)}
		if change != nil {
			change(k)
		}
		src.mu.Lock()
		defer src.mu.Unlock()
		src.keys[name] = k
	}
	status := func(token string) int { return f.chat("", "Authorization: Bearer "+token).status }
	change("works", func(k *sluice.Key) { k.ID = 77 })
	change("of-user", func(k *sluice.Key) { k.User = "fired" })
	change("of-nobody", func(k *sluice.Key) { k.Tenant = "no-such-tenant" })
	change("broken", func(k *sluice.Key) { k.Plugins = pluginSet("no-such-plugin", `{}`) })
	change("expired", func(k *sluice.Key) { k.ExpiresAt = time.Now().Add(-time.Second) })
	f.apply()
	if got := status(tokens["works"]); got != 401 {
		t.Errorf("a snapshot that leaves nothing out: %d", got)
	}
	f.snap.MoreKeys = true
	f.apply()
	for name, want := range map[string]int{"works": 200, "of-user": 401, "of-nobody": 401, "broken": 503, "expired": 401} {
		if got := status(tokens[name]); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	if got := status(f.token); got != 200 {
		t.Errorf("a key of the snapshot: %d", got)
	}
	f.eventually("the use of the key is reported", func() bool {
		f.books.mu.Lock()
		defer f.books.mu.Unlock()
		return !f.books.used[77].IsZero()
	})
	old := tokens["works"]
	delete(tokens, "works")
	change("works", func(k *sluice.Key) {
		k.RetiringHash, k.RetiringUntil = sluice.HashToken(old), time.Now().Add(time.Hour)
	})
	if a, b := status(old), status(tokens["works"]); a != 200 || b != 200 {
		t.Errorf("while it is rotated: %d and %d", a, b)
	}
	change("works", func(k *sluice.Key) {
		k.RetiringHash, k.RetiringUntil = sluice.HashToken(old), time.Now().Add(-time.Second)
	})
	if a, b := status(old), status(tokens["works"]); a != 401 || b != 200 {
		t.Errorf("after the rotation: %d and %d", a, b)
	}
	change("works", func(k *sluice.Key) { k.Status = sluice.StatusDisabled })
	if got := status(tokens["works"]); got != 401 {
		t.Errorf("disabled: %d", got)
	}
	src.mu.Lock()
	src.away = true
	src.mu.Unlock()
	if a := f.chat("", "Authorization: Bearer "+tokens["works"]); a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("it cannot be told: %d %v", a.status, a.header)
	}
}
