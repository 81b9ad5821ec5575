package link_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// crowd is a configuration with more keys than a gateway holds.
type crowd struct {
	t testing.TB
	p *link.RedisPublisher
	s *sluice.Snapshot
}

func newCrowd(t testing.TB, p *link.RedisPublisher, keys int) *crowd {
	t.Helper()
	w := newWorld(3)
	w.s.Keys, w.s.Revision = nil, 1
	for i := range keys {
		w.s.Keys = append(w.s.Keys, &sluice.Key{
			Meta: sluice.Meta{ID: uint64(i + 1), Name: fmt.Sprintf("k%05d", i), Tenant: sluice.PlatformTenant, Version: 1}, TokenHash: sluice.HashToken(fmt.Sprint("token", i)),
			Group: "default", Status: sluice.StatusActive, Weight: 1,
		})
	}
	s := w.s
	must(t, p.Publish(t.Context(), nil, &s))
	return &crowd{t, p, &s}
}

// change publishes the configuration after change was made to its keys.
func (c *crowd) change(change func(keys []*sluice.Key) []*sluice.Key) uint64 {
	c.t.Helper()
	next := *c.s
	next.Revision++
	next.Keys = change(slices.Clone(c.s.Keys))
	must(c.t, c.p.Publish(c.t.Context(), c.s, &next))
	c.s = &next
	return next.Revision
}

// write changes one key.
func (c *crowd) write(i int, change func(*sluice.Key)) uint64 {
	c.t.Helper()
	return c.change(func(keys []*sluice.Key) []*sluice.Key {
		k := *keys[i]
		k.Version++
		change(&k)
		keys[i] = &k
		return keys
	})
}

// code says what a reader answers to a token: "" when there is a key.
func code(t testing.TB, r *link.RedisSnapshots, token string) sluice.Code {
	t.Helper()
	k, err := r.KeyByHash(t.Context(), sha256.Sum256([]byte(token)))
	if err == nil && k.TokenHash != sluice.HashToken(token) && k.RetiringHash != sluice.HashToken(token) {
		t.Errorf("%s finds the key %s", token, k.Name)
	}
	return sluice.CodeOf(err)
}

// becomes waits for the answer to a token, for the second that a change may take,
// and some more for a busy machine.
func becomes(t testing.TB, r *link.RedisSnapshots, token string, want sluice.Code) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s: %q", token, want), func() bool { return code(t, r, token) == want })
}

// crowdedReader holds 100 keys at most and learns of changes by notices alone.
func crowdedReader(t testing.TB, server *sluicetest.RedisServer, change func(*link.ReaderConfig)) (*link.RedisSnapshots, func()) {
	t.Helper()
	cfg := readerConfig(t, server)
	cfg.MaxKeys, cfg.LookupTimeout = 100, 5*time.Second
	if change != nil {
		change(&cfg)
	}
	r, stop := reader(t, cfg)
	return r, stop
}

// Losing this means that an installation with more keys than fit in memory serves
// only some of them, or serves those that are gone: made, changed, rotated and
// deleted keys are so in every gateway at once, whatever it remembered.
func TestKeysBeyondMemory(t *testing.T) {
	server := sluicetest.Redis(t)
	c := newCrowd(t, publisher(t, server), 300)
	var gateways []*link.RedisSnapshots
	for range 2 {
		r, _ := crowdedReader(t, server, func(cfg *link.ReaderConfig) { cfg.Poll = time.Hour })
		s := reach(t, r, 1)
		if !s.MoreKeys || len(s.Keys) != 0 || len(s.Providers) != len(c.s.Providers) {
			t.Fatalf("%d keys in the snapshot, more: %t", len(s.Keys), s.MoreKeys)
		}
		gateways = append(gateways, r)
	}
	eventually(t, "the subscriptions", func() bool {
		return plain(t, server).PubSubNumSub(t.Context(), "config:notify").Val()["config:notify"] == 2
	})
	all := func(token string, want sluice.Code) {
		t.Helper()
		for _, r := range gateways {
			becomes(t, r, token, want)
		}
	}
	for i := range 300 { // more than are cached
		all(fmt.Sprint("token", i), "")
	}
	for _, token := range []string{"", "nobody", "later", "rotated"} {
		all(token, sluice.CodeUnauthorized)
	}
	c.change(func(keys []*sluice.Key) []*sluice.Key {
		k := *keys[0]
		k.ID, k.Name, k.TokenHash = 1_000, "later", sluice.HashToken("later")
		return append(keys, &k)
	})
	all("later", "")
	c.change(func(keys []*sluice.Key) []*sluice.Key { return slices.Delete(keys, 7, 8) })
	all("token7", sluice.CodeUnauthorized)
	c.write(1, func(k *sluice.Key) { k.Status = sluice.StatusDisabled })
	for _, r := range gateways {
		eventually(t, "the disabled key", func() bool {
			k, err := r.KeyByHash(t.Context(), sha256.Sum256([]byte("token1")))
			return err == nil && k.Status == sluice.StatusDisabled
		})
	}
	// Rotated with grace: both tokens work, the old one without having been asked for.
	for _, i := range []int{2, 3} {
		c.write(i, func(k *sluice.Key) {
			k.RetiringHash, k.RetiringUntil = k.TokenHash, time.Now().Add(time.Hour)
			k.TokenHash = sluice.HashToken(fmt.Sprint("rotated", i))
		})
		all(fmt.Sprint("rotated", i), "")
		all(fmt.Sprint("token", i), "")
	}
	c.write(2, func(k *sluice.Key) { // and for good
		k.RetiringHash, k.RetiringUntil, k.TokenHash = "", time.Time{}, sluice.HashToken("again")
	})
	all("token2", sluice.CodeUnauthorized)
	all("rotated2", sluice.CodeUnauthorized)
	all("again", "")
	c.change(func(keys []*sluice.Key) []*sluice.Key {
		return slices.DeleteFunc(keys, func(k *sluice.Key) bool { return k.RetiringHash != "" })
	})
	all("token3", sluice.CodeUnauthorized)
	all("rotated3", sluice.CodeUnauthorized)
	// Missed changes: a reader that reads everything anew forgets what is gone.
	must(t, plain(t, server).Del(t.Context(), "config:changes").Err())
	at := c.change(func(keys []*sluice.Key) []*sluice.Key { return slices.Delete(keys, 10, 20) })
	must(t, plain(t, server).Del(t.Context(), "config:changes").Err())
	for _, r := range gateways {
		reach(t, r, at)
		for _, k := range c.s.Keys[:30] {
			if hash, _ := hex.DecodeString(k.TokenHash); len(hash) == 32 {
				if _, err := r.KeyByHash(t.Context(), [32]byte(hash)); err != nil {
					t.Errorf("key %s: %v", k.Name, err)
				}
			}
		}
	}
	all("token15", sluice.CodeUnauthorized)
}

// Losing this means that an installation that grows or shrinks past the limit
// refuses its keys, or that the limit holds nothing.
func TestKeysCrossTheLimit(t *testing.T) {
	server := sluicetest.Redis(t)
	c := newCrowd(t, publisher(t, server), 100)
	r, _ := crowdedReader(t, server, nil)
	if s := reach(t, r, 1); s.MoreKeys || len(s.Keys) != 100 {
		t.Fatalf("%d keys, more: %t", len(s.Keys), s.MoreKeys)
	}
	grow := func(name string) uint64 {
		return c.change(func(keys []*sluice.Key) []*sluice.Key {
			k := *keys[0]
			k.ID, k.Name, k.TokenHash = uint64(len(keys)+5_000), name, sluice.HashToken(name)
			return append(keys, &k)
		})
	}
	if s := reach(t, r, grow("one-too-many")); !s.MoreKeys || len(s.Keys) != 0 {
		t.Errorf("beyond the limit: %d keys, more: %t", len(s.Keys), s.MoreKeys)
	}
	server.Signal(t, syscall.SIGSTOP) // what was held serves on without Redis
	served := 0
	for i := range 100 {
		if _, err := r.KeyByHash(t.Context(), sha256.Sum256(fmt.Append(nil, "token", i))); err == nil {
			served++
		}
		if served == 0 && i > 2 {
			break // each would take its time
		}
	}
	server.Signal(t, syscall.SIGCONT)
	if served < 99 {
		t.Errorf("%d keys of 100 serve on", served)
	}
	few := func(n int) uint64 {
		return c.change(func(keys []*sluice.Key) []*sluice.Key { return keys[:n] })
	}
	if s := reach(t, r, few(95)); !s.MoreKeys {
		t.Error("a little below the limit, everything is read anew")
	}
	if s := reach(t, r, few(80)); s.MoreKeys || len(s.Keys) != 80 {
		t.Errorf("clearly below the limit: %d keys, more: %t", len(s.Keys), s.MoreKeys)
	}
}

// Losing this means that a stranger with random tokens, or a popular key that
// nobody has asked for yet, brings Redis down: look-ups are bounded, shared, and
// what is not there is remembered.
func TestLookupsAreBounded(t *testing.T) {
	server := sluicetest.Redis(t)
	newCrowd(t, publisher(t, server), 300)
	r, _ := crowdedReader(t, server, nil)
	reach(t, r, 1)
	calls := func() (n int64) {
		for line := range strings.Lines(plain(t, server).Info(t.Context(), "commandstats").Val()) {
			if strings.HasPrefix(line, "cmdstat_eval") {
				_, count, _ := strings.Cut(line, "calls=")
				var one int64
				fmt.Sscan(strings.ReplaceAll(count, ",", " "), &one)
				n += one
			}
		}
		return n
	}
	code(t, r, "token0") // the script is known
	server.Signal(t, syscall.SIGSTOP)
	var wg sync.WaitGroup
	var found atomic.Int64
	for range 500 {
		wg.Go(func() {
			if code(t, r, "token1") == "" {
				found.Add(1)
			}
		})
	}
	time.Sleep(100 * time.Millisecond)
	server.Signal(t, syscall.SIGCONT)
	wg.Wait()
	if found.Load() != 500 {
		t.Errorf("%d of 500 found the key", found.Load())
	}
	before := calls()
	for range 1_000 {
		code(t, r, "token1")
		code(t, r, "nobody")
	}
	if n := calls() - before; n > 60 { // one look-up, and the reader's own polls
		t.Errorf("2,000 requests of two tokens made %d calls", n)
	}
	// More tokens at once than look-ups are allowed: the rest is refused, not queued.
	server.Signal(t, syscall.SIGSTOP)
	var refused atomic.Int64
	for i := range 400 {
		wg.Go(func() {
			if code(t, r, fmt.Sprint("stranger", i)) == sluice.CodeUnavailable {
				refused.Add(1)
			}
		})
	}
	eventually(t, "the refusals", func() bool { return refused.Load() >= 400-256 })
	server.Signal(t, syscall.SIGCONT)
	wg.Wait()
}

// Losing this means that an outage of Redis, or a Redis that lost its memory,
// refuses customers whose keys are in use, holds requests up, or calls keys
// unknown that it cannot tell.
func TestLookupsWithoutRedis(t *testing.T) {
	server := sluicetest.Redis(t)
	p := publisher(t, server)
	c := newCrowd(t, p, 300)
	cfg := func(cfg *link.ReaderConfig) {
		cfg.LookupTimeout = 300 * time.Millisecond
		cfg.LastGood, cfg.Keyring, cfg.SaveEvery = filepath.Join(t.TempDir(), "last-good.snap"), testKeyring(t, 4), time.Millisecond
	}
	var again link.ReaderConfig
	r, stop := crowdedReader(t, server, func(c *link.ReaderConfig) { cfg(c); again = *c })
	reach(t, r, 1)
	becomes(t, r, "token1", "")
	becomes(t, r, "nobody", sluice.CodeUnauthorized)

	must(t, plain(t, server).FlushAll(t.Context()).Err())
	for token, want := range map[string]sluice.Code{"token1": "", "token2": sluice.CodeUnavailable, "stranger": sluice.CodeUnavailable} {
		if got := code(t, r, token); got != want {
			t.Errorf("Redis was wiped: %s: %q, want %q", token, got, want)
		}
	}
	must(t, p.Sync(t.Context(), c.s, link.SyncOptions{}))
	becomes(t, r, "token2", "")
	becomes(t, r, "stranger", sluice.CodeUnauthorized)

	server.Signal(t, syscall.SIGSTOP)
	start := time.Now()
	for i := range 200 {
		if got := code(t, r, fmt.Sprint("token", 100+i)); got != sluice.CodeUnavailable {
			t.Fatalf("Redis hangs: %q", got)
		}
		if got := code(t, r, "token2"); got != "" {
			t.Fatalf("Redis hangs, a key in use: %q", got)
		}
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("200 look-ups of a hung Redis took %s", took)
	}
	server.Signal(t, syscall.SIGCONT)
	becomes(t, r, "token150", "") // by itself
	stop()                        // which saves the keys in use
	server.Stop(t, syscall.SIGKILL)

	restarted, stop := reader(t, again)
	if s := reach(t, restarted, 1); !s.MoreKeys {
		t.Error("the last good file does not say that there are more keys")
	}
	for token, want := range map[string]sluice.Code{"token1": "", "token2": "", "token150": "", "token99": sluice.CodeUnavailable} {
		if got := code(t, restarted, token); got != want {
			t.Errorf("restarted without Redis: %s: %q, want %q", token, got, want)
		}
	}
	server.Start(t)
	must(t, publisher(t, server).Publish(t.Context(), nil, c.s))
	at := c.change(func(keys []*sluice.Key) []*sluice.Key { return slices.Delete(keys, 1, 2) })
	reach(t, restarted, at)
	becomes(t, restarted, "token1", sluice.CodeUnauthorized)
	becomes(t, restarted, "token99", "")
	stop()
}
