package link_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
	"github.com/sluicegate/sluice/internal/seal"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// Losing this means that what Redis holds depends on how it came there: the
// content after any changes must equal a fresh full sync, hash by hash, and a
// gateway that followed must have the same.
func TestChangesEqualAFullSync(t *testing.T) {
	server, fresh := sluicetest.Redis(t), sluicetest.Redis(t)
	c, f := plain(t, server), plain(t, fresh)
	for seed := range uint64(4) {
		must(t, c.FlushAll(t.Context()).Err())
		w, p := newWorld(seed), publisher(t, server)
		follower, stop := reader(t, readerConfig(t, server))
		var prev *sluice.Snapshot
		for step := range 80 {
			next := w.change()
			if step%9 == 4 {
				next = w.change() // several revisions in one step
			}
			must(t, p.Publish(t.Context(), prev, next))
			prev = next
		}
		must(t, f.FlushAll(t.Context()).Err())
		must(t, publisher(t, fresh).Sync(t.Context(), prev, link.SyncOptions{}))
		if d := difference(dump(t, c), dump(t, f)); len(d) > 0 {
			t.Fatalf("seed %d:\n%s", seed, strings.Join(d, "\n"))
		}
		if n, err := c.Get(t.Context(), "config:rev").Uint64(); err != nil || n != prev.Revision {
			t.Errorf("config:rev is %d, %v", n, err)
		}
		if got := reach(t, follower, prev.Revision); content(t, got) != content(t, prev) {
			t.Errorf("seed %d: the gateway has another configuration", seed)
		}
		stop()
	}
}

// Losing this means that a key which was deleted during its rotation leaves a
// trace of its old token in Redis, by which admission spares that token until the
// rotation would have ended.
func TestDeletedKeyLeavesNoRotation(t *testing.T) {
	server := sluicetest.Redis(t)
	c, p := plain(t, server), publisher(t, server)
	key := func(id uint64, name string) *sluice.Key {
		return &sluice.Key{Meta: sluice.Meta{ID: id, Name: name, Tenant: "acme", Version: 1}, TokenHash: sluice.HashToken(name), Group: "default",
			Status: sluice.StatusActive, RetiringHash: sluice.HashToken("before " + name), RetiringUntil: time.Now().Add(time.Hour)}
	}
	left := func() []string { return c.Keys(t.Context(), "auth:*").Val() }
	all := &sluice.Snapshot{Schema: 1, Revision: 5, Keys: []*sluice.Key{key(1, "deleted"), key(2, "rotated for good"), key(3, "staying")}}
	must(t, p.Publish(t.Context(), nil, all))
	if got := left(); len(got) != 6 {
		t.Fatalf("three keys in rotation are %q", got)
	}
	again := *all.Keys[1]
	again.Version, again.TokenHash, again.RetiringHash, again.RetiringUntil = 2, sluice.HashToken("again"), "", time.Time{}
	next := &sluice.Snapshot{Schema: 1, Revision: 6, Keys: []*sluice.Key{&again, all.Keys[2]}}
	must(t, p.Publish(t.Context(), all, next))
	if got := left(); len(got) != 3 {
		t.Errorf("a change leaves %q", got)
	}
	must(t, c.Set(t.Context(), "auth:retiring:"+sluice.HashToken("left behind"), sluice.HashToken("deleted"), time.Hour).Err())
	must(t, p.Sync(t.Context(), next, link.SyncOptions{}))
	if got := left(); len(got) != 3 {
		t.Errorf("a full sync leaves %q", got)
	}
}

// Losing this means that two control processes undo each other's changes, or
// leave behind what both have deleted.
func TestTwoPublishersAgree(t *testing.T) {
	server := sluicetest.Redis(t)
	c := plain(t, server)
	w := newWorld(3)
	first, second := publisher(t, server), publisher(t, server)
	start := w.change()
	must(t, first.Publish(t.Context(), nil, start))
	must(t, second.Publish(t.Context(), nil, start))
	seen := map[*link.RedisPublisher]*sluice.Snapshot{first: start, second: start}
	var last *sluice.Snapshot
	for range 60 {
		p := first
		if w.rand.IntN(2) == 0 {
			p = second
		}
		last = w.change()
		must(t, p.Publish(t.Context(), seen[p], last))
		seen[p] = last
	}
	got := dump(t, c)
	must(t, first.Sync(t.Context(), last, link.SyncOptions{}))
	if d := difference(got, dump(t, c)); len(d) > 0 {
		t.Fatal(strings.Join(d, "\n"))
	}
	if err := second.Publish(t.Context(), start, start); err != nil {
		t.Errorf("an old revision: %v", err)
	}
	if err := second.Sync(t.Context(), start, link.SyncOptions{}); err != nil {
		t.Errorf("a late sync below newer changes: %v", err)
	}
	if d := difference(dump(t, c), got); len(d) > 0 {
		t.Errorf("a late sync brought an old configuration back:\n%s", strings.Join(d, "\n"))
	}
}

// Losing this means that a full sync brings deleted keys back, loses changes
// that were made meanwhile, or shows a moment of emptiness.
func TestSyncWhileChangesGoOn(t *testing.T) {
	server := sluicetest.Redis(t)
	c := plain(t, server)
	w, p, syncer := newWorld(11), publisher(t, server), publisher(t, server)
	prev := w.change()
	must(t, p.Publish(t.Context(), nil, prev))
	follower, _ := reader(t, readerConfig(t, server))

	var mu sync.Mutex // guards prev, for the syncer
	ctx, cancel := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	syncs, empty := 0, 0
	busy.Go(func() {
		for ctx.Err() == nil {
			mu.Lock()
			s := prev
			mu.Unlock()
			if err := syncer.Sync(t.Context(), s, link.SyncOptions{}); err != nil && sluice.CodeOf(err) != sluice.CodeConflict {
				t.Errorf("sync: %v", err)
				return
			}
			syncs++
		}
	})
	busy.Go(func() {
		for ctx.Err() == nil {
			if n, err := c.HLen(t.Context(), "config:keys").Result(); err == nil && n < 10 {
				empty++
			}
		}
	})
	for range 400 {
		next := w.change()
		must(t, p.Publish(t.Context(), prev, next))
		mu.Lock()
		prev = next
		mu.Unlock()
	}
	cancel()
	busy.Wait()
	if syncs < 5 || empty > 0 {
		t.Errorf("%d syncs, %d moments of emptiness", syncs, empty)
	}
	got := dump(t, c)
	must(t, p.Sync(t.Context(), prev, link.SyncOptions{}))
	if d := difference(got, dump(t, c)); len(d) > 0 {
		t.Fatalf("after %d syncs:\n%s", syncs, strings.Join(d, "\n"))
	}
	if s := reach(t, follower, prev.Revision); content(t, s) != content(t, prev) {
		t.Error("the gateway has another configuration")
	}
}

// Losing this means that a control process which is killed, or cut off from
// Redis, in the middle of a publication leaves something that later ones do not
// put right.
func TestInterruptedPublications(t *testing.T) {
	server, fresh := sluicetest.Redis(t), sluicetest.Redis(t)
	c, f := plain(t, server), plain(t, fresh)
	w, p := newWorld(17), publisher(t, server)
	last := w.change()
	must(t, p.Publish(t.Context(), nil, last))
	interrupted, prev, start := 0, last, time.Now()
	last = w.change()
	must(t, p.Publish(t.Context(), prev, last))
	once := int(time.Since(start)) // how long one takes on this machine today
	for i := range 300 {
		last = w.change()
		limit := time.Duration(1 + w.rand.IntN(once))
		if i%3 == 0 {
			limit = patience
		}
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		var err error
		if i%10 == 9 {
			err = p.Sync(ctx, last, link.SyncOptions{})
		} else {
			err = p.Publish(ctx, prev, last)
		}
		cancel()
		if prev = last; err != nil {
			interrupted++
		}
		if i%40 == 39 { // another process takes over and knows nothing
			p, prev = publisher(t, server), nil
		}
	}
	last = w.change()
	must(t, p.Publish(t.Context(), prev, last))
	must(t, publisher(t, fresh).Sync(t.Context(), last, link.SyncOptions{}))
	got, want := dump(t, c), dump(t, f)
	for k := range got {
		if strings.HasPrefix(k, "config:next:") { // staged by what was cut off; expires
			if c.TTL(t.Context(), k).Val() <= 0 {
				t.Errorf("%s stays for ever", k)
			}
			delete(got, k)
		}
	}
	if d := difference(got, want); len(d) > 0 {
		t.Fatalf("after %d interruptions:\n%s", interrupted, strings.Join(d, "\n"))
	}
	if interrupted < 20 {
		t.Errorf("only %d of 300 were interrupted: nothing is tested", interrupted)
	}
}

// Losing this means that balancers which other people wrote stop working: the
// names, the fields and their types are a contract.
func TestContract(t *testing.T) {
	server := sluicetest.Redis(t)
	c := plain(t, server)
	keyring := testKeyring(t, 1)
	hash := sluice.HashToken("secret token")
	vision := true
	s := &sluice.Snapshot{
		Schema: 1, Revision: 7,
		Providers: []sluice.Provider{{
			Meta: sluice.Meta{ID: 42, Name: "main", Tenant: "platform"}, Type: "openai", BaseURL: "https://api.example.com/v1", Group: "gold",
			APIKey: keyring.Seal(seal.ProviderKey("platform", "main"), "sk-upstream"),
		}},
		Keys: []*sluice.Key{{
			Meta: sluice.Meta{ID: 9, Name: "app", Tenant: "acme"}, TokenHash: hash, Group: "gold", Status: sluice.StatusActive, Weight: 5, Balance: 12_500_000_000,
		}},
		Models: []sluice.Model{
			{Meta: sluice.Meta{ID: 1, Name: "gpt-4o", Tenant: "platform"}, ContextWindow: 128_000, CostPerToken: 2_500_000_000, SupportsVision: &vision, MaxOutputTokens: 4096},
			{Meta: sluice.Meta{ID: 2, Name: "gpt-4o", Tenant: "acme"}},
		},
	}
	type provider struct {
		ID      uint   `json:"id"`
		Name    string `json:"name"`
		Type    string `json:"type"`
		BaseURL string `json:"base_url"`
		APIKey  string `json:"api_key"`
		Group   string `json:"group"`
	}
	type key struct {
		ID        uint    `json:"id"`
		TokenHash string  `json:"token_hash"`
		Group     string  `json:"group"`
		Status    string  `json:"status"`
		Weight    int     `json:"weight"`
		Balance   float64 `json:"balance"`
	}
	type model struct {
		Name            string  `json:"name"`
		ContextWindow   int     `json:"context_window"`
		CostPerToken    float64 `json:"cost_per_token"`
		SupportsVision  bool    `json:"supports_vision"`
		MaxOutputTokens int     `json:"max_output_tokens"`
	}
	for _, clear := range []bool{false, true} {
		must(t, c.FlushAll(t.Context()).Err())
		cfg := link.PublisherConfig{Redis: open(t, server, ""), Log: quiet}
		if clear {
			cfg.CompatPlaintext = keyring
		}
		must(t, link.NewRedisPublisher(cfg).Publish(t.Context(), nil, s))
		var p provider
		var k key
		var m model
		unstated, err := c.HGet(t.Context(), "meta:models", "acme|gpt-4o").Result()
		must(t, err)
		for _, ability := range []string{"supports_vision", "supports_functions", "supports_tool_choice", "supports_fim"} {
			if !strings.Contains(unstated, `"`+ability+`":false,`) {
				t.Errorf("%s is not false in %s", ability, unstated)
			}
		}
		for name, into := range map[[2]string]any{{"config:providers", "42"}: &p, {"config:keys", hash}: &k, {"meta:models", "gpt-4o"}: &m} {
			raw, err := c.HGet(t.Context(), name[0], name[1]).Result()
			must(t, err)
			if err := json.Unmarshal([]byte(raw), into); err != nil {
				t.Errorf("%s %s: %v in %s", name[0], name[1], err, raw)
			}
		}
		secret := "sk-upstream"
		if !clear {
			secret = s.Providers[0].APIKey
		}
		if want := (provider{42, "main", "openai", "https://api.example.com/v1", secret, "gold"}); p != want {
			t.Errorf("provider %+v", p)
		}
		if want := (key{9, hash, "gold", "active", 5, 12.5}); k != want {
			t.Errorf("key %+v", k)
		}
		if want := (model{"gpt-4o", 128_000, 0.0000025, true, 4096}); m != want {
			t.Errorf("model %+v", m)
		}
		token, err := c.HGetAll(t.Context(), "auth:token:"+hash).Result()
		if err != nil || fmt.Sprint(token) != "map[balance:12.5 group:gold status:active weight:5]" {
			t.Errorf("token %v, %v", token, err)
		}
		if all := fmt.Sprint(dump(t, c)); strings.Contains(all, "sk-upstream") != clear {
			t.Errorf("compat_plaintext=%t, and the secret is in clear: %t", clear, !clear)
		}
		if n, err := c.HLen(t.Context(), "meta:models").Result(); err != nil || n != 2 {
			t.Errorf("%d models, %v: a tenant's model hides the platform's of the same name", n, err)
		}
	}
	r, _ := reader(t, readerConfig(t, server))
	got := reach(t, r, 7).Models
	if own, shared := got[0], got[1]; own.SupportsVision != nil || own.SupportsFIM != nil || shared.SupportsVision == nil || !*shared.SupportsVision || shared.SupportsFIM != nil {
		t.Errorf("to our own gateways, what nobody stated is stated: %+v", got)
	}
	next := *s
	next.Revision, next.Keys = 8, nil
	must(t, publisher(t, server).Publish(t.Context(), s, &next))
	if n, err := c.Exists(t.Context(), "auth:token:"+hash, "config:keys").Result(); err != nil || n != 0 {
		t.Errorf("a deleted key leaves %d keys behind, %v", n, err)
	}
}

// Losing this means that a Redis which was flushed, restarted empty or damaged
// stays so until someone notices.
func TestRedisIsRebuilt(t *testing.T) {
	server := sluicetest.Redis(t)
	c := plain(t, server)
	w, p := newWorld(5), publisher(t, server)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx) }()
	defer func() { cancel(); <-done }()
	s := w.change()
	p.Offer(s)
	eventually(t, "the first publication", func() bool { return c.Get(ctx, "config:rev").Val() == fmt.Sprint(s.Revision) })
	eventually(t, "its token hashes", func() bool { return len(dump(t, c)) >= 5+len(s.Keys) })
	want := dump(t, c)
	for name, harm := range map[string]func(){
		"flushed":                 func() { must(t, c.FlushAll(ctx).Err()) },
		"a hash lost":             func() { must(t, c.Del(ctx, "config:keys").Err()) },
		"the revision lost":       func() { must(t, c.Del(ctx, "config:rev").Err()) },
		"an older revision":       func() { must(t, c.Set(ctx, "config:rev", "0", 0).Err()) },
		"a hash of another type":  func() { must(t, c.Set(ctx, "config:providers", "x", 0).Err()) },
		"a manifest of no hash":   func() { must(t, c.Set(ctx, "config:manifest", "x", 0).Err()) },
		"a revision of no number": func() { must(t, c.Set(ctx, "config:rev", "x", 0).Err()) },
		"restarted empty": func() {
			server.Stop(t, 9)
			server.Start(t)
		},
	} {
		harm()
		eventually(t, "after "+name+", the rebuilding", func() bool {
			return c.Get(ctx, "config:rev").Val() == fmt.Sprint(s.Revision) && keysOnly(c.Type(ctx, "config:manifest").Val()) && len(difference(dumpHashes(ctx, c, want), want)) == 0
		})
	}
}

// Losing this means that nobody knows how long a rebuild takes with many keys,
// or that a change among them costs as much as all of them.
func TestManyKeys(t *testing.T) {
	if testing.Short() {
		t.Skip("many keys take some seconds")
	}
	server := sluicetest.Redis(t)
	s := &sluice.Snapshot{Schema: 1, Revision: 1}
	for i := range manyKeys {
		s.Keys = append(s.Keys, &sluice.Key{
			Meta: sluice.Meta{ID: uint64(i + 1), Version: 1, Name: fmt.Sprintf("k%06d", i), Tenant: "acme"}, TokenHash: sluice.HashToken(fmt.Sprint(i)),
			User: "someone", Group: "default", Status: sluice.StatusActive, Weight: 1,
		})
	}
	p := publisher(t, server)
	steps := map[string]int{}
	start := time.Now()
	must(t, p.Sync(t.Context(), s, link.SyncOptions{Progress: func(p link.Progress) { steps[p.Step] = p.Done }}))
	took := time.Since(start)
	if steps["staging entries"] < manyKeys || steps["writing token hashes"] != manyKeys || steps["checking token hashes"] < manyKeys {
		t.Errorf("progress %v", steps)
	}
	start = time.Now()
	r, _ := reader(t, readerConfig(t, server))
	reach(t, r, 1)
	read := time.Since(start)
	prev, start := s, time.Now()
	const changes = 20
	for i := range changes {
		next := *prev
		next.Revision++
		next.Keys = append([]*sluice.Key(nil), prev.Keys...)
		changed := *next.Keys[i*manyKeys/100]
		changed.Status, changed.Version = sluice.StatusDisabled, 2
		next.Keys[i*manyKeys/100] = &changed
		must(t, p.Publish(t.Context(), prev, &next))
		prev = &next
	}
	each := time.Since(start) / changes
	if got := reach(t, r, prev.Revision); content(t, got) != content(t, prev) {
		t.Error("the gateway has another configuration")
	}
	t.Logf("%d keys: full sync %s, full read %s, one change %s", manyKeys, took, read, each)
	if took > 30*time.Second || read > 30*time.Second || each > time.Second {
		t.Errorf("too slow: full sync %s, full read %s, one change %s", took, read, each)
	}
}

// Losing this means that a shared Redis or a cluster fails in the middle of a
// change instead of at the start, with a reason.
func TestPrefixAndCluster(t *testing.T) {
	server := sluicetest.Redis(t)
	c := plain(t, server)
	s := newWorld(1).change()
	must(t, c.Set(t.Context(), "config:rev", "of someone else", 0).Err())
	p := link.NewRedisPublisher(link.PublisherConfig{Redis: open(t, server, "{s*}:"), Log: quiet})
	must(t, p.Publish(t.Context(), nil, s))
	if n := c.HLen(t.Context(), "{s*}:config:keys").Val(); int(n) != len(s.Keys) {
		t.Errorf("%d keys under the prefix", n)
	}
	if v := c.Get(t.Context(), "config:rev").Val(); v != "of someone else" {
		t.Errorf("config:rev of someone else became %q", v)
	}
	for _, cfg := range []link.RedisConfig{
		{Cluster: true}, {Cluster: true, Prefix: "sluice:"}, {Cluster: true, Prefix: "{}:"}, {Cluster: true, Prefix: "{a}", DB: 2}, {Addrs: []string{"a:1", "b:1"}},
	} {
		if _, err := link.OpenRedis(cfg); sluice.CodeOf(err) != sluice.CodeConfig {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	must(t, open(t, server, "").Check(t.Context()))
}
