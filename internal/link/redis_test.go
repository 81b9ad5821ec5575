package link_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
	"github.com/sluicegate/sluice/internal/seal"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// patience bounds the wait for something that ought to happen within a second.
const patience = 20 * time.Second

// quiet drops what the code under test logs.
var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// plain is a client that knows nothing of our code: what other people's
// balancers and redis-cli see.
func plain(t testing.TB, s *sluicetest.RedisServer) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: s.Addr})
	t.Cleanup(func() { c.Close() })
	return c
}

// open connects our side to a server.
func open(t testing.TB, s *sluicetest.RedisServer, prefix string) *link.Redis {
	t.Helper()
	r, err := link.OpenRedis(link.RedisConfig{Addrs: []string{s.Addr}, Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func publisher(t testing.TB, s *sluicetest.RedisServer) *link.RedisPublisher {
	t.Helper()
	return link.NewRedisPublisher(link.PublisherConfig{Redis: open(t, s, ""), Log: quiet, VerifyEvery: 200 * time.Millisecond})
}

// readerConfig polls fast, so that tests of lost notices need not wait.
func readerConfig(t testing.TB, s *sluicetest.RedisServer) link.ReaderConfig {
	t.Helper()
	return link.ReaderConfig{Redis: open(t, s, ""), Gateway: "g1", Poll: 300 * time.Millisecond, Pause: time.Millisecond, Log: quiet}
}

// reader runs until the test ends, or until stop is called.
func reader(t testing.TB, cfg link.ReaderConfig) (r *link.RedisSnapshots, stop func()) {
	t.Helper()
	r, err := link.NewRedisSnapshots(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return r, stop
}

// reach waits until the reader serves a revision and returns that snapshot.
func reach(t testing.TB, r *link.RedisSnapshots, revision uint64) *sluice.Snapshot {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := r.Next(ctx, revision-1)
	if err != nil {
		t.Fatalf("revision %d did not arrive: %v; %+v", revision, err, r.State())
	}
	return s
}

// eventually waits for something that Redis does in its own time.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not happen", what)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// dump is everything that Redis holds of the published configuration, readable.
func dump(t testing.TB, c *redis.Client) map[string]map[string]string {
	t.Helper()
	out := map[string]map[string]string{}
	for _, pattern := range []string{"config:*", "meta:*", "auth:token:*"} {
		keys, err := c.Keys(t.Context(), pattern).Result()
		must(t, err)
		for _, k := range keys {
			if k == "config:rev" || k == "config:changes" || k == "config:gateways" || strings.HasPrefix(k, "config:ack:") {
				continue
			}
			fields, err := c.HGetAll(t.Context(), k).Result()
			must(t, err)
			delete(fields, "at") // when it was published
			delete(fields, "forced")
			out[k] = fields
		}
	}
	return out
}

// difference names what two dumps do not share.
func difference(got, want map[string]map[string]string) (list []string) {
	for k, fields := range want {
		for f, v := range fields {
			if got[k][f] != v {
				list = append(list, fmt.Sprintf("%s %s is %q, want %q", k, f, got[k][f], v))
			}
		}
	}
	for k, fields := range got {
		for f := range fields {
			if _, ok := want[k][f]; !ok {
				list = append(list, fmt.Sprintf("%s %s should not be there", k, f))
			}
		}
	}
	slices.Sort(list)
	return list[:min(len(list), 8)]
}

// world changes a configuration at random, as control would: ids are never
// reused, versions count writes, every change is a revision.
type world struct {
	rand *rand.Rand
	s    sluice.Snapshot
	id   uint64
}

func newWorld(seed uint64) *world {
	w := &world{rand: rand.New(rand.NewPCG(seed, 7)), s: sluice.Snapshot{Schema: sluice.SnapshotSchema}}
	for range 20 {
		w.addKey()
	}
	for range 3 {
		w.addProvider()
	}
	w.s.Tenants = append(w.s.Tenants, sluice.Tenant{Meta: w.meta("platform"), Status: sluice.StatusActive})
	w.s.Groups = append(w.s.Groups, sluice.Group{Meta: w.meta("default")})
	return w
}

func (w *world) meta(name string) sluice.Meta {
	w.id++
	return sluice.Meta{ID: w.id, Name: name, Tenant: sluice.PlatformTenant, Version: 1, UpdatedAt: time.Unix(int64(w.id), 0).UTC()}
}

func (w *world) addKey() {
	m := w.meta(fmt.Sprintf("k%d", w.rand.IntN(60)))
	if slices.ContainsFunc(w.s.Keys, func(k *sluice.Key) bool { return k.Name == m.Name }) {
		return
	}
	k := &sluice.Key{Meta: m, TokenHash: sluice.HashToken(fmt.Sprint("token", w.id)), Group: "default", Status: sluice.StatusActive, Weight: 1, Balance: sluice.Number(w.id)}
	w.s.Keys = sorted(append(slices.Clone(w.s.Keys), k), func(k **sluice.Key) string { return (*k).Name })
}

// changeKey writes one key anew; snapshots that hold the old one keep it.
func (w *world) changeKey(i int, change func(*sluice.Key)) {
	k := *w.s.Keys[i]
	k.Version++
	change(&k)
	w.s.Keys = slices.Clone(w.s.Keys)
	w.s.Keys[i] = &k
}

func (w *world) addProvider() {
	m := w.meta(fmt.Sprintf("p%d", w.id))
	p := sluice.Provider{Meta: m, Type: "openai", BaseURL: "https://example.com/v1", APIKey: "enc:v1:AAAA", Group: "default", Status: sluice.StatusActive, Weight: 1}
	w.s.Providers = sorted(append(slices.Clone(w.s.Providers), p), func(p *sluice.Provider) string { return p.Name })
}

func sorted[T any](list []T, name func(*T) string) []T {
	slices.SortFunc(list, func(a, b T) int { return strings.Compare(name(&a), name(&b)) })
	return list
}

// change does one thing at random and returns the new snapshot.
func (w *world) change() *sluice.Snapshot {
	i := w.rand.IntN(max(1, len(w.s.Keys)))
	switch n := w.rand.IntN(12); {
	case n < 3:
		w.addKey()
	case n < 5 && len(w.s.Keys) > 15:
		w.s.Keys = slices.Delete(slices.Clone(w.s.Keys), i, i+1)
	case n < 7: // rotate
		w.id++
		w.changeKey(i, func(k *sluice.Key) { k.TokenHash = sluice.HashToken(fmt.Sprint("rotated", w.id)) })
	case n < 9:
		w.changeKey(i, func(k *sluice.Key) { k.Weight = 1 + w.rand.IntN(9) })
	case n == 9 && len(w.s.Providers) < 8:
		w.addProvider()
	case n == 10:
		name := fmt.Sprintf("m%d", w.id)
		w.s.Models = sorted(append(slices.Clone(w.s.Models), sluice.Model{Meta: w.meta(name), CostPerToken: sluice.Rate(w.id), Status: sluice.StatusActive}), func(m *sluice.Model) string { return m.Name })
	default:
		if len(w.s.DisabledUsers) > 0 {
			w.s.DisabledUsers = nil
		} else {
			w.s.DisabledUsers = []sluice.UserRef{{Tenant: "platform", Name: fmt.Sprint("u", w.id)}}
		}
	}
	w.s.Revision++
	s := w.s
	return &s
}

// content is what must be equal for two snapshots to be the same configuration.
func content(t testing.TB, s *sluice.Snapshot) string {
	t.Helper()
	c := *s
	c.Providers, c.Keys, c.Models = nonNil(c.Providers), nonNil(c.Keys), nonNil(c.Models)
	c.Tenants, c.Groups, c.Routes, c.Upstreams, c.DisabledUsers = nonNil(c.Tenants), nonNil(c.Groups), nonNil(c.Routes), nonNil(c.Upstreams), nonNil(c.DisabledUsers)
	h, err := c.Hash()
	must(t, err)
	return h
}

func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// testKeyring is a master key for tests.
func testKeyring(t testing.TB, seed byte) *seal.Keyring {
	t.Helper()
	r := rand.NewChaCha8([32]byte{seed})
	master := make([]byte, 32)
	r.Read(master)
	k, err := seal.New(master)
	must(t, err)
	return k
}

// dumpHashes reads what want has, tolerating keys of a wrong type.
func dumpHashes(ctx context.Context, c *redis.Client, want map[string]map[string]string) map[string]map[string]string {
	out := map[string]map[string]string{}
	for k := range want {
		fields := c.HGetAll(ctx, k).Val()
		delete(fields, "at")
		delete(fields, "forced")
		out[k] = fields
	}
	return out
}

func keysOnly(kind string) bool { return kind == "hash" }
