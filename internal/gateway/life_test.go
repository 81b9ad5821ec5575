package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/gateway"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// The gateway has to answer for itself before and without any configuration.
func TestBuiltinAnswers(t *testing.T) { onEveryTransport(t, testBuiltinAnswers) }

func testBuiltinAnswers(t *testing.T, over transport) {
	f := newFixture(t, over)
	for path, want := range map[string]int{"/health": 200, "/ready": 503, "/": 200, "/other": 503} {
		if a := f.do("GET", path, ""); a.status != want {
			t.Errorf("before configuration, %s: %d", path, a.status)
		}
	}
	f.apply()
	for path, want := range map[string]int{"/health": 200, "/ready": 200, "/": 200, "/other": 404} {
		if a := f.do("GET", path, ""); a.status != want {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := f.do("GET", "/other", ""); !strings.Contains(a.body, `"message_i18n"`) || a.errorCode() != sluice.CodeNotFound {
		t.Errorf("unmatched: %s", a.body)
	}
	u := sluicetest.NewUpstream(t, sluicetest.Text(200, "my own"))
	f.addService(func(r *sluice.Route, _ *sluice.Upstream) { r.Paths, r.Plugins = []string{"/health", "/"}, nil }, u)
	f.apply()
	for _, path := range []string{"/health", "/"} {
		if a := f.do("GET", path, ""); a.body != "my own" {
			t.Errorf("a route did not take %s: %q", path, a.body)
		}
	}
}

// One broken object must not take the others down, and must not open what it
// was to protect.
func TestBrokenObjectsDisableThemselves(t *testing.T) {
	onEveryTransport(t, testBrokenObjectsDisableThemselves)
}

func testBrokenObjectsDisableThemselves(t *testing.T, over transport) {
	f := newFixture(t, over)
	u := sluicetest.NewUpstream(t, sluicetest.JSON(200, wholeChat))
	f.addProvider("good", u, nil)
	f.addProvider("bad-type", u, func(p *sluice.Provider) { p.Type = "no-such-dialect" })
	f.addProvider("sealed", u, func(p *sluice.Provider) { p.APIKey = "enc:v1:xxxx" })
	f.addProvider("no-group", u, func(p *sluice.Provider) { p.Group = "none" })
	f.add(&sluice.Group{Meta: meta("platform", "bad-group"), Plugins: pluginSet("no-such-plugin", `{}`)})
	f.add(&sluice.Model{Meta: meta("platform", "bad-model"), ContextWindow: -1})
	f.addService(nil, u)
	f.add(&sluice.Route{Meta: meta("platform", "bad-plugin"), Paths: []string{"/svc/secret/*"}, Upstream: "svc", Plugins: pluginSet("bearer", `{"typo":1}`)})
	f.add(&sluice.Route{Meta: meta("platform", "bad-surface"), Paths: []string{"/s/*"}, Upstream: "svc", Surface: "no-such-surface"})
	f.add(&sluice.Route{Meta: meta("platform", "bad-upstream"), Paths: []string{"/u/*"}, Upstream: "none"})
	f.add(&sluice.Upstream{Meta: meta("platform", "bad-nodes")})
	f.apply()
	for range 4 {
		if a := f.chat(""); a.status != 200 {
			t.Errorf("chat: %d %s", a.status, a.body)
		}
	}
	if a := f.do("GET", "/svc/x", ""); a.status != 200 {
		t.Errorf("service: %d %s", a.status, a.body)
	}
	if a := f.do("GET", "/svc/secret/x", ""); a.status != 503 {
		t.Errorf("a route whose plugins are broken served: %d %s", a.status, a.body)
	}
	want := map[string]bool{"bad-type": true, "sealed": true, "no-group": true, "bad-group": true, "bad-model": true, "bad-plugin": true, "bad-surface": true, "bad-upstream": true, "bad-nodes": true}
	for _, c := range f.g.Status().Conditions {
		if !want[c.Name] || c.Problem == "" {
			t.Errorf("condition %+v", c)
		}
		delete(want, c.Name)
	}
	if len(want) > 0 {
		t.Errorf("no condition for %v", want)
	}
}

// A snapshot whose global rules are broken must not replace a good one, and
// control has to hear of it.
func TestRefusedSnapshot(t *testing.T) { onEveryTransport(t, testRefusedSnapshot) }

func testRefusedSnapshot(t *testing.T, over transport) {
	f := newFixture(t, over)
	f.addProvider("p1", sluicetest.NewUpstream(t, sluicetest.JSON(200, wholeChat)), nil)
	f.apply()
	f.snap.GlobalPlugins = pluginSet("no-such-plugin", `{}`)
	f.apply()
	if a := f.chat(""); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	f.eventually("the refusal is reported", func() bool {
		f.books.mu.Lock()
		defer f.books.mu.Unlock()
		s := f.books.status
		return s.Revision == 1 && s.Refused == 2 && strings.Contains(s.Reason, "no-such-plugin")
	})
	f.snap.GlobalPlugins = nil
	f.apply()
	if s := f.g.Status(); s.Revision != 3 || s.Refused != 0 {
		t.Errorf("status %+v", s)
	}
}

// Configuration changes all day; none of them may fail a request or break a
// stream.
func TestSnapshotSwapUnderLoad(t *testing.T) { onEveryTransport(t, testSnapshotSwapUnderLoad) }

func testSnapshotSwapUnderLoad(t *testing.T, over transport) {
	f := newFixture(t, over)
	f.addProvider("p1", sluicetest.NewUpstream(t, sluicetest.SSE(time.Millisecond, chatEvents...)), nil)
	f.addService(nil, sluicetest.NewUpstream(t))
	f.apply()
	var failed, served atomic.Int64
	stop := make(chan struct{})
	var load sync.WaitGroup
	for i := range 6 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				var a answer
				var err error
				if i%2 == 0 {
					a, err = f.try("POST", "/v1/chat/completions", chatBody("m1", `,"stream":true`))
				} else {
					a, err = f.try("GET", "/svc/x", "")
				}
				served.Add(1)
				if err != nil || a.err != nil || a.status != 200 || i%2 == 0 && !strings.Contains(a.body, "[DONE]") {
					failed.Add(1)
				}
			}
		})
	}
	for i := range 30 {
		f.add(&sluice.Route{Meta: meta("platform", fmt.Sprintf("r%d", i)), Paths: []string{fmt.Sprintf("/r%d/*", i)}, Upstream: "svc"})
		f.snap.Providers[0].Weight = 1 + i%5
		f.apply()
	}
	close(stop)
	load.Wait()
	if failed.Load() > 0 || served.Load() < 30 {
		t.Errorf("%d of %d requests failed", failed.Load(), served.Load())
	}
	f.records(int(served.Load()))
}

// A drain has to say so first, let streams finish, and end those that will not,
// in a way that a client understands; no record may be lost in it.
func TestDrain(t *testing.T) { onEveryTransport(t, testDrain) }

func testDrain(t *testing.T, over transport) {
	f := newFixture(t, over, func(g *gateway.Config, _ *limits) {
		g.Drain = gateway.DrainConfig{PreStop: 100 * time.Millisecond, Deadline: 300 * time.Millisecond}
	})
	slow := sluicetest.NewUpstream(t, sluicetest.SSE(40*time.Millisecond, chatEvents...), sluicetest.SSEThenHang(0, chatEvents[:2]...))
	f.addProvider("p1", slow, nil)
	f.apply()
	answers := make(chan answer, 2)
	for range 2 {
		go func() {
			a, err := f.try("POST", "/v1/chat/completions", chatBody("m1", `,"stream":true`))
			if err != nil {
				a.err = err
			}
			answers <- a
		}()
	}
	f.eventually("both requests are in flight", func() bool { return len(slow.Requests()) == 2 })
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		f.g.Drain(context.Background(), func() { go f.server.Shutdown(context.Background()) })
	}()
	f.eventually("/ready fails while requests are still accepted", func() bool { return f.do("GET", "/ready", "").status == 503 })
	var whole, cut int
	for range 2 {
		a := <-answers
		switch {
		case a.err != nil || a.status != 200:
			t.Errorf("%d %v %s", a.status, a.err, a.body)
		case strings.Contains(a.body, "[DONE]"):
			whole++
		case strings.Contains(a.body, "shutting down") && strings.Contains(a.body, string(sluice.CodeUnavailable)):
			cut++
		default:
			t.Errorf("answer %s", a.body)
		}
	}
	<-drained
	if whole != 1 || cut != 1 {
		t.Errorf("%d whole, %d cut", whole, cut)
	}
	if _, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(f.url + "/health"); err == nil {
		t.Error("a new connection was accepted")
	}
	f.stop()
	outcomes := map[sluice.Outcome]int{}
	for _, r := range f.records(2) {
		outcomes[r.Outcome]++
	}
	if outcomes[sluice.OutcomeComplete] != 1 || outcomes[sluice.OutcomeShuttingDown] != 1 {
		t.Errorf("outcomes %v", outcomes)
	}
}

// Records must survive an outage of the books, and a flood must cost lines of
// the books, visibly, but never a request.
func TestRecordsWaitForTheBooks(t *testing.T) { onEveryTransport(t, testRecordsWaitForTheBooks) }

func testRecordsWaitForTheBooks(t *testing.T, over transport) {
	f := newFixture(t, over, func(g *gateway.Config, _ *limits) {
		g.Records = gateway.RecordConfig{Queue: 5, Batch: 1, Flush: time.Millisecond}
	})
	f.addService(nil, sluicetest.NewUpstream(t))
	f.apply()
	f.books.mu.Lock()
	f.books.refuse = true
	f.books.mu.Unlock()
	f.do("GET", "/svc/x", "")
	f.eventually("the first record waits for another attempt", func() bool {
		f.books.mu.Lock()
		defer f.books.mu.Unlock()
		return f.books.refused > 0
	})
	if n := f.g.Status().RecordsQueued; n != 1 {
		t.Errorf("%d records are said to wait, and one does", n)
	}
	for range 8 {
		if a := f.do("GET", "/svc/x", ""); a.status != 200 {
			t.Fatalf("%d", a.status)
		}
	}
	f.eventually("losses are counted", func() bool { s := f.g.Status(); return s.RecordsDropped == 3 && s.RecordsQueued == 6 })
	f.books.mu.Lock()
	f.books.refuse = false
	f.books.mu.Unlock()
	f.records(6)
	f.eventually("nothing waits", func() bool { return f.g.Status().RecordsQueued == 0 })
}

// The process must not end with records in its hands.
func TestRecordsAreFlushedAtTheEnd(t *testing.T) { onEveryTransport(t, testRecordsAreFlushedAtTheEnd) }

func testRecordsAreFlushedAtTheEnd(t *testing.T, over transport) {
	f := newFixture(t, over, func(g *gateway.Config, _ *limits) { g.Records.Flush = time.Hour })
	f.addService(nil, sluicetest.NewUpstream(t))
	f.apply()
	f.do("GET", "/svc/x", "")
	f.stop()
	f.records(1)
}

// Whoever is believed about a client's address can evade limits and lists.
func TestClientAddress(t *testing.T) { onEveryTransport(t, testClientAddress) }

func testClientAddress(t *testing.T, over transport) {
	for name, c := range map[string]struct {
		trusted, forwarded, want string
	}{
		"nobody is trusted":    {"", "6.6.6.6", "127.0.0.1"},
		"the proxy is trusted": {"127.0.0.0/8", "1.2.3.4", "1.2.3.4"},
		"spoofed behind it":    {"127.0.0.0/8", "6.6.6.6, 1.2.3.4", "1.2.3.4"},
		"two proxies":          {"127.0.0.0/8", "6.6.6.6, 1.2.3.4, 127.0.0.9", "1.2.3.4"},
		"garbage":              {"127.0.0.0/8", "1.2.3.4, x", "127.0.0.1"},
		"IPv6 with a port":     {"127.0.0.0/8", "[2001:db8::1]:99", "2001:db8::1"},
	} {
		f := newFixture(t, over, func(g *gateway.Config, _ *limits) {
			if c.trusted != "" {
				g.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(c.trusted)}
			}
		})
		u := sluicetest.NewUpstream(t)
		f.addService(nil, u)
		f.apply()
		f.do("GET", "/svc/x", "", "X-Forwarded-For: "+c.forwarded, "X-Forwarded-Proto: https")
		if r := f.record(); r.ClientIP != c.want {
			t.Errorf("%s: %s, want %s", name, r.ClientIP, c.want)
		}
		if got := u.Requests()[0].Header.Get("X-Forwarded-Proto"); (got == "https") != (c.trusted != "") {
			t.Errorf("%s: X-Forwarded-Proto %q", name, got)
		}
	}
}

// Metrics are how an operator sees trouble before users call.
func TestMetrics(t *testing.T) { onEveryTransport(t, testMetrics) }

func testMetrics(t *testing.T, over transport) {
	f := newFixture(t, over)
	f.addProvider("p1", sluicetest.NewUpstream(t, sluicetest.JSON(500, `{}`), sluicetest.JSON(200, wholeChat)), nil)
	f.apply()
	f.chat("")
	f.chat("")
	f.records(2)
	families, err := f.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	for _, fam := range families {
		fmt.Fprintln(&text, fam.String())
	}
	for _, want := range []string{"sluice_requests_total", "sluice_errors_total", "PROVIDER_005", "sluice_request_seconds", "sluice_first_byte_seconds", "sluice_attempts_total", "sluice_active_requests", "sluice_records_queued", "sluice_records_dropped_total", "sluice_snapshot_revision"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(text.String(), "acme") || strings.Contains(text.String(), "/v1/") {
		t.Error("a label that clients choose")
	}
}
