package gateway_test

import (
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// The thin line through everything: a key, a model, a provider, an answer, a record.
func TestChatWhole(t *testing.T) { onEveryTransport(t, testChatWhole) }

func testChatWhole(t *testing.T, over transport) {
	f := newFixture(t, over)
	u := sluicetest.NewUpstream(t, sluicetest.JSON(200, wholeChat))
	f.addProvider("p1", u, func(p *sluice.Provider) { p.ModelMap = map[string]string{"m1": "vendor-m1"} })
	f.apply()
	a := f.chat(`,"unknown_field":{"kept":true}`)
	if a.status != 200 || !strings.Contains(a.body, "hello") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	sent := u.Requests()[0]
	if got := string(sent.Body); !strings.Contains(got, `"vendor-m1"`) || !strings.Contains(got, `"unknown_field":{"kept":true}`) {
		t.Errorf("the provider got %s", got)
	}
	if sent.Header.Get("Authorization") != "Bearer sk-p1" || strings.Contains(strings.Join(sent.Header["Authorization"], ""), f.token) {
		t.Errorf("the provider got credentials %q", sent.Header["Authorization"])
	}
	r := f.record()
	if r.ID != a.header.Get("X-Request-Id") || r.Outcome != sluice.OutcomeComplete || r.Usage.Total() != 12 || r.UsageSource != sluice.UsageProvider ||
		r.Tenant != "acme" || r.Key != "key" || r.Group != "default" || r.Provider != "p1" || r.ProviderModel != "vendor-m1" || r.Model != "m1" ||
		r.Operation != "chat" || r.Surface != "openai" || r.Status != 200 || len(r.Attempts) != 1 || r.Route != "llm" || r.BytesIn == 0 || r.BytesOut != int64(len(a.body)) {
		t.Errorf("record %+v", r)
	}
	if got := f.admission.settled[r.ID]; got != 12 {
		t.Errorf("settled %d tokens", got)
	}
	if got := a.header.Get("X-Ratelimit-Limit-Requests"); got != "60" {
		t.Errorf("limit header %q", got)
	}
}

// A stream has to arrive event by event, with usage metered but hidden from a
// client that did not ask for it.
func TestChatStream(t *testing.T) { onEveryTransport(t, testChatStream) }

func testChatStream(t *testing.T, over transport) {
	f := newFixture(t, over)
	u := sluicetest.NewUpstream(t, sluicetest.SSE(0, chatEvents...))
	f.addProvider("p1", u, nil)
	f.apply()
	a := f.chat(`,"stream":true`)
	if a.status != 200 || a.err != nil || !strings.HasSuffix(a.body, "data: [DONE]\n\n") || strings.Contains(a.body, "usage\":{") {
		t.Fatalf("%d %v %s", a.status, a.err, a.body)
	}
	if !strings.Contains(string(u.Requests()[0].Body), "include_usage") {
		t.Error("usage was not asked for")
	}
	if r := f.record(); r.Usage.Total() != 12 || !r.Stream || r.Outcome != sluice.OutcomeComplete {
		t.Errorf("record %+v", r)
	}
}

// A plain service must get the request as it was, and its answer must arrive
// as it was.
func TestPlainRoute(t *testing.T) { onEveryTransport(t, testPlainRoute) }

func testPlainRoute(t *testing.T, over transport) {
	f := newFixture(t, over)
	u := sluicetest.NewUpstream(t, sluicetest.Text(418, "short and stout", "X-Own: yes", "Connection: X-Hop", "X-Hop: 1"))
	f.addService(func(r *sluice.Route, _ *sluice.Upstream) { r.StripPrefix = "/svc" }, u)
	f.apply()
	a := f.do("PUT", "/svc/a%2Fb/c?x=1&y", "body", "X-Custom: v", "X-Forwarded-For: 6.6.6.6", "X_Real_IP: 6.6.6.6", "Host: shop.example.com")
	if a.status != 418 || a.body != "short and stout" || a.header.Get("X-Own") != "yes" || a.header.Get("X-Hop") != "" || a.header.Get("X-Probe") != "seen" {
		t.Fatalf("%d %q %v", a.status, a.body, a.header)
	}
	sent := u.Requests()[0]
	if sent.Method != "PUT" || sent.Target != "/a%2Fb/c?x=1&y" || sent.Host != "shop.example.com" || string(sent.Body) != "body" {
		t.Errorf("the service got %+v", sent)
	}
	for name, want := range map[string]string{"X-Custom": "v", "X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "shop.example.com", "X_real_ip": "", "Authorization": ""} {
		if got := sent.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if r := f.record(); r.Upstream != "svc" || r.Surface != "http" || r.Status != 418 || r.Outcome != sluice.OutcomeComplete || r.Path != "/svc/a%2Fb/c" || r.BytesIn != 4 {
		t.Errorf("record %+v", r)
	}
}

// LLM routes differ from plain ones by data alone: the same plugins run over both
// in the same phases.
func TestSamePluginsOnBothKinds(t *testing.T) { onEveryTransport(t, testSamePluginsOnBothKinds) }

func testSamePluginsOnBothKinds(t *testing.T, over transport) {
	f := newFixture(t, over)
	u := sluicetest.NewUpstream(t, sluicetest.JSON(200, wholeChat))
	f.addProvider("p1", u, nil)
	f.addService(nil, u)
	f.apply()
	const want = "access header body log:complete"
	f.chat("")
	f.records(1)
	llm := f.seen.take()
	f.do("POST", "/svc/x", "{}")
	f.records(2)
	if plain := f.seen.take(); llm != want || plain != want {
		t.Errorf("LLM %q, plain %q, want %q", llm, plain, want)
	}
}
