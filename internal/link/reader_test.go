package link_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
	"github.com/sluicegate/sluice/internal/seal"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// Losing this means that a gateway serves a mixture of two generations: every
// snapshot that a reader hands on during churn must be one that was published.
func TestReaderNeverMixesGenerations(t *testing.T) {
	server := sluicetest.Redis(t)
	w, p := newWorld(21), publisher(t, server)
	published := map[uint64]string{}
	prev := w.change()
	published[prev.Revision] = content(t, prev)
	must(t, p.Publish(t.Context(), nil, prev))
	var readers []*link.RedisSnapshots
	for range 3 {
		r, _ := reader(t, readerConfig(t, server))
		readers = append(readers, r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	type seen struct {
		reader   int
		snapshot *sluice.Snapshot
	}
	got := make(chan seen, 10_000)
	done := make(chan struct{})
	for i, r := range readers {
		go func() {
			defer func() { done <- struct{}{} }()
			for after := uint64(0); ; {
				s, err := r.Next(ctx, after)
				if err != nil {
					return
				}
				got <- seen{i, s}
				after = s.Revision
			}
		}()
	}
	syncer := publisher(t, server)
	for i := range 500 {
		next := w.change()
		published[next.Revision] = content(t, next)
		must(t, p.Publish(t.Context(), prev, next))
		if i%50 == 0 { // fresh full reads and syncs amidst the changes
			must(t, syncer.Sync(t.Context(), next, link.SyncOptions{}))
			reader(t, readerConfig(t, server))
		}
		prev = next
	}
	for _, r := range readers {
		if s := reach(t, r, prev.Revision); content(t, s) != content(t, prev) {
			t.Error("a reader ended with another configuration")
		}
	}
	cancel()
	for range readers {
		<-done
	}
	close(got)
	n := 0
	for s := range got {
		n++
		if content(t, s.snapshot) != published[s.snapshot.Revision] {
			t.Fatalf("reader %d handed on something that revision %d never was", s.reader, s.snapshot.Revision)
		}
	}
	if n < 20 {
		t.Errorf("only %d snapshots were seen: the churn was too fast to test anything", n)
	}
}

// Losing this means that a change takes until the next poll to arrive, or that a
// lost notice means a lost change.
func TestNoticeAndPoll(t *testing.T) {
	server := sluicetest.Redis(t)
	w, p := newWorld(2), publisher(t, server)
	prev := w.change()
	must(t, p.Publish(t.Context(), nil, prev))
	slow := readerConfig(t, server)
	slow.Poll = time.Hour
	noticed, _ := reader(t, slow)
	reach(t, noticed, prev.Revision)
	eventually(t, "the subscription", func() bool { return len(plain(t, server).PubSubNumSub(t.Context(), "config:notify").Val()) == 1 })
	start := time.Now()
	next := w.change()
	must(t, p.Publish(t.Context(), prev, next))
	reach(t, noticed, next.Revision)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("a noticed change took %s", took)
	}
	// Without notices: a reader that is subscribed to nothing useful still polls.
	polled, _ := reader(t, readerConfig(t, server))
	reach(t, polled, next.Revision)
	c := plain(t, server)
	must(t, c.Do(t.Context(), "CLIENT", "KILL", "TYPE", "pubsub").Err())
	last := w.change()
	must(t, p.Publish(t.Context(), next, last))
	reach(t, polled, last.Revision)
}

// Losing this means that a broken publisher or a damaged Redis takes the keys of
// all customers away at once.
func TestBadConfigurationIsRefused(t *testing.T) {
	server := sluicetest.Redis(t)
	c := plain(t, server)
	w, p := newWorld(4), publisher(t, server)
	good := w.change()
	must(t, p.Publish(t.Context(), nil, good))
	r, _ := reader(t, readerConfig(t, server))
	reach(t, r, good.Revision)

	refused := func(what, reason string) {
		t.Helper()
		eventually(t, "the refusal of "+what, func() bool { s := r.State(); return s.Degraded && strings.Contains(s.Reason, reason) })
		if s := r.State(); s.Revision != good.Revision {
			t.Errorf("%s: revision %d is served", what, s.Revision)
		}
	}
	healed := func(s *sluice.Snapshot) {
		t.Helper()
		must(t, p.Sync(t.Context(), s, link.SyncOptions{}))
		eventually(t, "the healing", func() bool { s := r.State(); return !s.Degraded })
	}
	bump := func() {
		must(t, c.Set(t.Context(), "config:rev", "1000", 0).Err())
		must(t, c.HSet(t.Context(), "config:manifest", "rev", "1000").Err())
	}
	reset := func() { must(t, c.FlushAll(t.Context()).Err()); healed(good) }

	must(t, c.Del(t.Context(), "config:rev").Err())
	refused("no revision", "no configuration")
	healed(good)
	must(t, c.HSet(t.Context(), "config:keys", "forged", `{"id":1}`).Err())
	bump()
	refused("a hash that was tampered with", "manifest says")
	if s := r.State(); s.Refused != 1000 {
		t.Errorf("refused revision %d, want 1000", s.Refused)
	}
	status := sluice.GatewayStatus{Gateway: "g1", Version: "1.0", Revision: good.Revision, Time: time.Now()}
	must(t, r.Report(t.Context(), status))
	acks, err := p.Acks(t.Context())
	if err != nil || len(acks) != 1 || acks[0].Health != link.HealthRefused || acks[0].Refused != 1000 || acks[0].Revision != good.Revision || acks[0].Reason == "" {
		t.Errorf("acknowledgements %+v, %v", acks, err)
	}
	reset()
	must(t, r.Report(t.Context(), status))
	if acks, err := p.Acks(t.Context()); err != nil || len(acks) != 1 || acks[0].Health != link.HealthOK || acks[0].Version != "1.0" {
		t.Errorf("acknowledgements %+v, %v", acks, err)
	} else {
		manifest := c.HGetAll(t.Context(), "config:manifest").Val()
		for hash, digest := range acks[0].Hashes {
			if manifest[hash] != digest {
				t.Errorf("acknowledged %s as %s, its manifest says %s", hash, digest, manifest[hash])
			}
		}
		if len(acks[0].Hashes) != 9 {
			t.Errorf("acknowledged hashes %v", acks[0].Hashes)
		}
	}
	for i, want := range []int{2, 1} { // another gateway reports, then is silent for a minute
		at := time.Now().Add(time.Duration(i) * 2 * time.Minute)
		if want == 2 {
			must(t, r.Report(t.Context(), sluice.GatewayStatus{Gateway: "g2", Time: at}))
		}
		must(t, r.Report(t.Context(), sluice.GatewayStatus{Gateway: "g1", Time: at}))
		if n := r.Gateways(); n != want {
			t.Errorf("%d gateways share the limits, want %d", n, want)
		}
	}
	must(t, c.HSet(t.Context(), "config:manifest", "schema", "99").Err())
	refused("a newer schema", "schema 99")
	reset()
	must(t, c.Set(t.Context(), "config:keys", "x", 0).Err())
	bump()
	refused("a key of another type", "another type")
	reset()
	must(t, c.HSet(t.Context(), "config:manifest", "config:keys", "many").Err())
	refused("a manifest of nonsense", "manifest says")
	reset()

	// A newer control may publish what we cannot read: that object is off, no other.
	shrunk := *good
	shrunk.Revision++
	shrunk.Keys = good.Keys[:2]
	must(t, p.Publish(t.Context(), good, &shrunk))
	refused("most keys gone", "sync --force")
	must(t, p.Sync(t.Context(), &shrunk, link.SyncOptions{Force: true}))
	if s := reach(t, r, shrunk.Revision); len(s.Keys) != 2 {
		t.Errorf("%d keys after force", len(s.Keys))
	}
}

// Losing this means that one object which this version cannot read takes the
// whole configuration down with it.
func TestFaultyObjectIsDisabledAlone(t *testing.T) {
	server := sluicetest.Redis(t)
	w, p := newWorld(6), publisher(t, server)
	s := w.change()
	s.Providers = slices.Clone(s.Providers)
	s.Providers[1].Settings = map[string]any{"seed": 1}
	must(t, p.Publish(t.Context(), nil, s))
	c := plain(t, server)
	// A newer control publishes a shape of its own, with its own sums.
	id := w.s.Providers[1].ID
	raw := c.HGet(t.Context(), "config:providers", link.IDField(id)).Val()
	faulty := strings.Replace(raw, `"weight":1`, `"weight":"heavy"`, 1)
	must(t, c.HSet(t.Context(), "config:providers", link.IDField(id), faulty).Err())
	must(t, c.HSet(t.Context(), "config:manifest", "config:providers", link.DigestForTest(c.HGetAll(t.Context(), "config:providers").Val())).Err())
	r, _ := reader(t, readerConfig(t, server))
	got := reach(t, r, s.Revision)
	if len(got.Providers) != len(s.Providers)-1 {
		t.Errorf("%d of %d providers", len(got.Providers), len(s.Providers))
	}
	state := r.State()
	if len(state.Conditions) != 1 || state.Conditions[0].Kind != sluice.KindProvider || state.Conditions[0].Name != s.Providers[1].Name || state.Degraded {
		t.Errorf("state %+v", state)
	}
	board := link.NewStatusBoard()
	must(t, r.Annotate(board).Report(t.Context(), sluice.GatewayStatus{Gateway: "g1", Revision: s.Revision}))
	if list := board.Gateways(); len(list) != 1 || len(list[0].Conditions) != 1 {
		t.Errorf("control is told %+v", list)
	}
	next := *s
	next.Revision++
	next.Providers = slices.Clone(s.Providers)
	next.Providers[1].Version++
	must(t, p.Publish(t.Context(), s, &next))
	if got := reach(t, r, next.Revision); len(got.Providers) != len(s.Providers) || len(r.State().Conditions) != 0 {
		t.Errorf("after the repair: %d providers, %+v", len(got.Providers), r.State().Conditions)
	}
}

// Losing this means that a gateway which restarts during an outage of Redis
// serves nobody, or serves from a file that somebody wrote.
func TestLastGood(t *testing.T) {
	server := sluicetest.Redis(t)
	w, p := newWorld(8), publisher(t, server)
	s := w.change()
	s.Providers = slices.Clone(s.Providers)
	must(t, p.Publish(t.Context(), nil, s))
	keyring := testKeyring(t, 2)
	var skew atomic.Int64
	config := func(k *seal.Keyring) link.ReaderConfig {
		cfg := readerConfig(t, server)
		cfg.LastGood, cfg.Keyring = filepath.Join(t.TempDir(), "last-good.snap"), k
		cfg.MaxStale = time.Hour
		cfg.Now = func() time.Time { return time.Now().Add(time.Duration(skew.Load())) }
		return cfg
	}
	cfg := config(keyring)
	first, stop := reader(t, cfg)
	reach(t, first, s.Revision)
	stop()
	raw, err := os.ReadFile(cfg.LastGood)
	must(t, err)
	if info, _ := os.Stat(cfg.LastGood); info.Mode().Perm() != 0o600 || strings.Contains(string(raw), s.Keys[0].TokenHash) {
		t.Errorf("mode %v, or it is in clear", info.Mode())
	}
	server.Stop(t, syscall.SIGKILL)

	start := time.Now()
	again, stop := reader(t, cfg)
	got := reach(t, again, s.Revision)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("serving took %s", took)
	}
	state := again.State()
	if content(t, got) != content(t, s) || !state.FromDisk || !state.Degraded || state.Reason == "" || again.Stale() {
		t.Errorf("state %+v, stale %t", state, again.Stale())
	}
	skew.Store(int64(2 * time.Hour))
	if !again.Stale() {
		t.Error("keys are still trusted after max_stale")
	}
	server.Start(t)
	next := w.change()
	next.Providers = s.Providers
	must(t, publisher(t, server).Publish(t.Context(), nil, next))
	reach(t, again, next.Revision)
	if state := again.State(); state.FromDisk || state.Degraded || again.Stale() {
		t.Errorf("Redis is back: %+v, stale %t", state, again.Stale())
	}
	stop()
	server.Stop(t, syscall.SIGKILL)

	raw, err = os.ReadFile(cfg.LastGood)
	must(t, err)
	damaged := slices.Clone(raw)
	damaged[len(damaged)/2] ^= 1
	for name, c := range map[string]struct {
		content []byte
		keyring *seal.Keyring
		reason  string
	}{
		"absent":      {nil, keyring, "there is none"},
		"damaged":     {damaged, keyring, "checksum"},
		"cut":         {raw[:60], keyring, "checksum"},
		"other":       {[]byte("{}"), keyring, "not a last good file"},
		"another key": {raw, testKeyring(t, 3), "another master key"},
	} {
		cfg := config(c.keyring)
		if c.content != nil {
			must(t, os.WriteFile(cfg.LastGood, c.content, 0o600))
		}
		r, stop := reader(t, cfg)
		eventually(t, name+": the reason", func() bool { return strings.Contains(r.State().Reason, c.reason) })
		if r.State().Revision != 0 || !r.Stale() {
			t.Errorf("%s: %+v", name, r.State())
		}
		stop()
	}
	cfg.Keyring = nil
	if _, err := link.NewRedisSnapshots(cfg); sluice.CodeOf(err) != sluice.CodeMasterKey {
		t.Errorf("without a master key: %v", err)
	}
}

// Losing this means that an outage of Redis needs a restart of gateways: hung,
// killed, flushed or restarted empty, they serve on and catch up within seconds.
func TestOutages(t *testing.T) {
	server := sluicetest.Redis(t)
	c := plain(t, server)
	w, p := newWorld(9), publisher(t, server)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx) }()
	defer func() { cancel(); <-done }()
	s := w.change()
	p.Offer(s)
	r, _ := reader(t, readerConfig(t, server))
	reach(t, r, s.Revision)
	for name, outage := range map[string]struct{ begin, end func() }{
		"hung":            {func() { server.Signal(t, syscall.SIGSTOP) }, func() { server.Signal(t, syscall.SIGCONT) }},
		"restarted empty": {func() { server.Stop(t, syscall.SIGKILL) }, func() { server.Start(t) }},
		"flushed":         {func() { must(t, c.FlushAll(ctx).Err()) }, func() {}},
	} {
		outage.begin()
		s = w.change()
		p.Offer(s) // a change during the outage
		time.Sleep(200 * time.Millisecond)
		if now, err := r.Next(ctx, 0); err != nil || now.Revision == 0 {
			t.Errorf("%s: %v", name, err)
		}
		outage.end()
		start := time.Now()
		if got := reach(t, r, s.Revision); content(t, got) != content(t, s) {
			t.Errorf("%s: another configuration", name)
		}
		if took := time.Since(start); took > 8*time.Second {
			t.Errorf("%s: converged after %s", name, took)
		}
		eventually(t, "after "+name+", health", func() bool { return !r.State().Degraded })
	}
}
