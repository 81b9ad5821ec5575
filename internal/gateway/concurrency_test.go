package gateway_test

import (
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/gateway"
	"github.com/sluicegate/sluice/internal/link"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// A key with one slot must not run two requests, and must get the slot back.
func TestConcurrencyOfAKey(t *testing.T) {
	t.Run("local", func(t *testing.T) {
		onEveryTransport(t, func(t *testing.T, over transport) { testConcurrencyOfAKey(t, over) })
	})
	t.Run("redis", func(t *testing.T) {
		r, err := link.OpenRedis(link.RedisConfig{Addrs: []string{sluicetest.Redis(t).Addr}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		a, err := link.NewRedisAdmission(link.RedisAdmissionConfig{Redis: r})
		if err != nil {
			t.Fatal(err)
		}
		onEveryTransport(t, func(t *testing.T, over transport) {
			testConcurrencyOfAKey(t, over, func(g *gateway.Config, _ *limits) { g.Admission = a })
		})
	})
}

func testConcurrencyOfAKey(t *testing.T, over transport, more ...option) {
	arrived, let := make(chan struct{}, 1), make(chan struct{})
	ok := sluicetest.Text(200, "ok")
	u := sluicetest.NewUpstream(t, func(w *sluicetest.Wire, r sluicetest.Request) { arrived <- struct{}{}; <-let; ok(w, r) }, ok)
	f := newFixture(t, over, append([]option{builtInParts(t)}, more...)...)
	f.addService(nil, u)
	token := f.addKey("acme", "one", func(k *sluice.Key) { k.Concurrency = new(int64(1)) })
	for i := range f.snap.Routes {
		f.snap.Routes[i].Plugins = pluginSet("key-auth", `{}`)
	}
	f.apply()
	ask := func() answer { return f.do("POST", "/svc/x", "{}", "Authorization: Bearer "+token) }
	first := make(chan answer, 1)
	go func() { first <- ask() }()
	<-arrived
	if a := ask(); a.status != 429 || a.errorCode() != sluice.CodeConcurrency || a.header.Get("Retry-After") == "" {
		t.Errorf("the second at once: %d %s %v", a.status, a.body, a.header)
	}
	close(let)
	if a := <-first; a.status != 200 {
		t.Errorf("the first: %d %s", a.status, a.body)
	}
	f.eventually("the slot is free again", func() bool { return ask().status == 200 })
}
