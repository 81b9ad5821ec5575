package gateway_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/gateway"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// A request that is tried again would be charged again, or what the tries cost
// the house not be known.
func TestRetriesAreChargedOnce(t *testing.T) { bothTerms(t, testRetriesAreChargedOnce) }

func testRetriesAreChargedOnce(t *testing.T, transport transport, terms func(*sluice.Tenant)) {
	m := newMoney(t, transport, setting{})
	m.terms(terms)
	m.topUp(acme, usd(100_000))
	// The first fails with an error, the second breaks off its stream before any
	// content but after it stated its usage, the third answers.
	broken := sluicetest.NewUpstream(t, sluicetest.JSON(500, `{"error":{"message":"no"}}`))
	cut := sluicetest.NewUpstream(t, func(w *sluicetest.Wire, r sluicetest.Request) {
		m.till.add(sale{input: 9, output: 0, free: true})
		sluicetest.SSEThenReset(0, `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":0}}`)(w, r)
	})
	m.snap.Providers[0].Priority, m.snap.Providers[0].CostMultiplier = 3, 500_000
	m.snap.Groups[0].MaxAttempts = 3
	m.addProvider("broken", broken, func(p *sluice.Provider) { p.Priority, p.CostMultiplier = 1, 250_000 })
	m.addProvider("cut", cut, func(p *sluice.Provider) { p.Priority, p.CostMultiplier = 2, 2_000_000 })
	m.apply()
	s := m.story(m.ask(streamed))
	if s.opens != 3 || len(s.record.Attempts) != 3 || s.record.Provider != "p1" {
		t.Errorf("%d OPEN, attempts %+v", s.opens, s.record.Attempts)
	}
	for i, c := range []sluice.Code{sluice.CodeProviderError, sluice.CodeProviderError, ""} {
		if got := s.record.Attempts[i].Code; got != c {
			t.Errorf("attempt %d ended with %q", i+1, got)
		}
	}
	m.exact()
	if got := m.balance(sluice.OwnedAccount(sluice.AccountPayable, "platform/p1", "USD")).Posted; got != s.final.Charge/2 {
		t.Errorf("%s is payable to the one that answered for %s", got, s.final.Charge)
	}
	if got := m.balance(sluice.OwnedAccount(sluice.AccountPayable, "platform/broken", "USD")).Posted; got != 0 {
		t.Errorf("%s is payable to the one that stated nothing", got)
	}
	t.Logf("costs %+v", s.costs)
}

// panics is a dialect leg that panics where its test says.
type panics struct {
	dialect.Dialect
	where *atomic.Value
}

// Open implements dialect.Dialect.
func (p panics) Open(ask *dialect.Ask, account dialect.Account) (dialect.Leg, error) {
	if p.at("open") {
		panic("probe")
	}
	leg, err := p.Dialect.Open(ask, account)
	return panicLeg{leg, p, new(int)}, err
}

func (p panics) at(where string) bool { return p.where.Load() == where }

type panicLeg struct {
	dialect.Leg
	p panics
	// asked is how often its usage was asked for.
	asked *int
}

func (l panicLeg) Request(c *sluice.Call) error {
	if l.p.at("request") {
		panic("probe")
	}
	return l.Leg.Request(c)
}

func (l panicLeg) Begin(h, out *sluice.RespHead) error {
	if l.p.at("begin") {
		panic("probe")
	}
	return l.Leg.Begin(h, out)
}

func (l panicLeg) Feed(b []byte) ([]byte, error) {
	out, err := l.Leg.Feed(b)
	if l.p.at("feed") || l.p.at("feed later") && strings.Contains(string(out), "llo") {
		panic("probe")
	}
	return out, err
}

func (l panicLeg) Finish() ([]byte, error) {
	if l.p.at("finish") {
		panic("probe")
	}
	return l.Leg.Finish()
}

func (l panicLeg) Usage() (sluice.Usage, sluice.UsageSource) {
	*l.asked++
	if l.p.at("usage") || l.p.at("usage again") && *l.asked > 1 {
		panic("probe")
	}
	return l.Leg.Usage()
}

// A panic would leave money held, end a request twice, or take the process down
// (E-03).
func TestPanicsAreSettled(t *testing.T) { onEveryTransport(t, testPanicsAreSettled) }

func testPanicsAreSettled(t *testing.T, transport transport) {
	where := &atomic.Value{}
	where.Store("")
	m := newMoney(t, transport, setting{options: []option{panicsIn(where)}})
	m.topUp(acme, usd(1_000_000))
	up := sluicetest.NewUpstream(t, func(w *sluicetest.Wire, r sluicetest.Request) {
		if strings.Contains(string(r.Body), `"stream":true`) {
			if w.Print(sluicetest.SSEHead) != nil {
				return
			}
			for _, e := range chatStream(`{"prompt_tokens":5,"completion_tokens":7}`) {
				if w.Chunk([]byte("data: "+e+"\n\n")) != nil || !w.Sleep(time.Millisecond) {
					return
				}
			}
			w.Print("0\r\n\r\n")
			return
		}
		sluicetest.JSON(200, wholeChat)(w, r)
	})
	m.snap.Providers[0].BaseURL = up.URL()
	for _, c := range []struct{ dialect, plugin string }{
		{"", `{"panic":"access"}`}, {"", `{"panic":"header"}`}, {"", `{"panic":"body"}`}, {"", `{"panic":"log"}`},
		{"open", `{}`}, {"request", `{}`}, {"begin", `{}`}, {"feed", `{}`}, {"feed later", `{}`}, {"finish", `{}`}, {"usage", `{}`},
	} {
		for _, extra := range []string{"", streamed} {
			name := c.dialect + c.plugin + extra
			m.snap.Routes[0].Plugins = pluginSet("bearer", `{}`, "probe", c.plugin)
			m.apply()
			where.Store(c.dialect)
			before := len(m.records0())
			_, _ = m.try("POST", "/v1/chat/completions", chatBody("m1", extra))
			where.Store("")
			m.settled()
			if b := m.balance(acme); b.Pending != 0 || b.Available != b.Posted {
				t.Errorf("%s: balance %+v", name, b)
			}
			if n := len(m.records0()) - before; n != 1 {
				t.Errorf("%s: %d records", name, n)
			}
		}
	}
	m.booked()
	m.snap.Routes[0].Plugins = pluginSet("bearer", `{}`)
	m.apply()
	m.ask("")
}

// A panic before the first content would leave the provider's call running, and
// its connection.
func TestPanicStopsTheCall(t *testing.T) { onEveryTransport(t, testPanicStopsTheCall) }

func testPanicStopsTheCall(t *testing.T, transport transport) {
	where := &atomic.Value{}
	where.Store("feed")
	m := newMoney(t, transport, setting{options: []option{panicsIn(where)}})
	m.topUp(acme, usd(100_000))
	m.up.Script(sluicetest.SSEThenHang(0, chatEvents[0]))
	if a := m.chat(streamed); a.status != 500 {
		t.Errorf("%d %s", a.status, a.body)
	}
	select {
	case <-m.up.Gone():
	case <-time.After(patience):
		t.Error("the call goes on")
	}
	m.booked()
}

// panicsIn has the dialect panic where where says.
func panicsIn(where *atomic.Value) option {
	return func(g *gateway.Config, _ *limits) {
		inner, _ := g.Dialects.Dialect("openai-compatible")
		surface, _ := g.Dialects.Surface("openai")
		g.Dialects = dialect.NewRegistry([]dialect.Surface{surface}, []dialect.Dialect{panics{inner, where}})
	}
}

// records0 is every request that left a record, in the journal or beside it.
func (m *money) records0() map[string]bool {
	m.settled()
	m.eventually("the records are published", func() bool { return m.g.Status().RecordsQueued == 0 })
	all := map[string]bool{}
	for _, e := range m.entries() {
		if e.Posting != nil && e.Posting.Final {
			all[e.Request.String()] = true
		}
	}
	m.books.mu.Lock()
	defer m.books.mu.Unlock()
	for id := range m.books.records {
		all[id] = true
	}
	return all
}

// odd is what a provider says of its usage, and what that has to cost; -1 is
// whatever was counted, at most the hold.
var odd = []struct {
	name   string
	usages []string // in whole answers the first
	cut    bool     // the stream breaks off behind it
	charge sluice.Nanos
}{
	{"zero", []string{`{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}`}, false, 0},
	{"missing", nil, false, -1},
	{"null", []string{`null`}, false, -1},
	{"twice", []string{`{"prompt_tokens":5,"completion_tokens":1}`, `{"prompt_tokens":5,"completion_tokens":7}`}, false, 5*perInput + 7*perOutput},
	{"then an error", []string{`{"prompt_tokens":5,"completion_tokens":7}`}, true, 5*perInput + 7*perOutput},
	{"negative", []string{`{"prompt_tokens":-5,"completion_tokens":-7}`}, false, -1},
	{"2^63", []string{`{"prompt_tokens":9223372036854775808,"completion_tokens":9223372036854775808}`}, false, -1},
	{"2^63-1", []string{`{"prompt_tokens":9223372036854775807,"completion_tokens":9223372036854775807}`}, false, -1},
	{"a fraction", []string{`{"prompt_tokens":1.5,"completion_tokens":2.5}`}, false, -1},
	{"text", []string{`"many"`}, false, -1},
	{"more cached than there is", []string{`{"prompt_tokens":5,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":500}}`}, false, 5*perInput + 7*perOutput},
}

// A provider's odd usage would be charged below zero, beyond reason, or not at
// all (E-25).
func TestOddUsage(t *testing.T) { onEveryTransport(t, testOddUsage) }

func testOddUsage(t *testing.T, transport transport) {
	m := newMoney(t, transport, setting{})
	m.topUp(acme, usd(10_000_000))
	for _, c := range odd {
		for _, extra := range []string{"", streamed} {
			m.up.Script(oddAnswer(c.usages, c.cut))
			a := m.chat(extra)
			if c.cut && extra == "" {
				continue
			}
			s := m.story(a.header.Get("X-Request-Id"))
			switch {
			case c.charge >= 0 && s.final.Charge != c.charge && !(extra == "" && len(c.usages) > 1):
				t.Errorf("%s%s: charged %s, want %s: %+v", c.name, extra, s.final.Charge, c.charge, s.final)
			case c.charge < 0 && (s.final.Charge <= 0 || s.final.Charge > s.hold.Amount || s.final.Source != sluice.UsageEstimated):
				t.Errorf("%s%s: charged %s of %s: %+v", c.name, extra, s.final.Charge, s.hold.Amount, s.final)
			}
		}
	}
	m.booked()
}

// oddAnswer answers with such usages.
func oddAnswer(usages []string, cut bool) sluicetest.Answer {
	return func(w *sluicetest.Wire, r sluicetest.Request) {
		if !strings.Contains(string(r.Body), `"stream":true`) {
			usage := "null"
			if len(usages) > 0 {
				usage = usages[0]
			}
			sluicetest.JSON(200, chatAnswer(usage))(w, r)
			return
		}
		events := []string{chatEvents[0], chatEvents[1]}
		for _, u := range usages {
			events = append(events, `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m1","choices":[],"usage":`+u+`}`)
		}
		if cut {
			sluicetest.SSE(0, append(events, `{"error":{"message":"it broke","type":"server_error"}}`)...)(w, r)
			return
		}
		sluicetest.SSE(0, append(events, chatEvents[2], "[DONE]")...)(w, r)
	}
}

// A request would be charged by what was published while it ran (E-28).
func TestChargedByTheVersionInOpen(t *testing.T) { onEveryTransport(t, testChargedByTheVersionInOpen) }

func testChargedByTheVersionInOpen(t *testing.T, transport transport) {
	m := newMoney(t, transport, setting{})
	m.topUp(acme, usd(100_000))
	arrived, carryOn := make(chan struct{}), make(chan struct{})
	m.up.Script(func(w *sluicetest.Wire, r sluicetest.Request) {
		s := m.till.next()
		events := chatStream(s.usage())
		w.Print(sluicetest.SSEHead)
		w.Chunk([]byte("data: " + events[0] + "\n\n"))
		close(arrived)
		<-carryOn
		for _, e := range events[1:] {
			w.Chunk([]byte("data: " + e + "\n\n"))
		}
		w.Print("0\r\n\r\n")
	}, m.till.serve)
	r := m.begin("/v1/chat/completions", chatBody("m1", streamed))
	<-arrived
	m.snap.Prices = []sluice.Price{m1Price(2, func(p *sluice.Price) {
		p.Rates = map[sluice.Unit]sluice.Rate{sluice.UnitInput: 7_000_000_000_000, sluice.UnitOutput: 7_000_000_000_000}
	})}
	m.snap.Groups[0].PriceMultiplier = 3_000_000
	m.terms(func(t *sluice.Tenant) {
		t.Status, t.DebtForbidden, t.Durability = sluice.StatusDisabled, true, sluice.DurabilityFast
	})
	m.apply()
	close(carryOn)
	if a := r.whole(m); a.status != 200 || !strings.Contains(a.body, "[DONE]") {
		t.Errorf("%d %s", a.status, a.body)
	}
	m.exact()
	if s := m.only(); s.final.Price.Version != 1 || s.final.Price != s.hold.Price || s.record.Price != s.hold.Price {
		t.Errorf("held by %+v, charged by %+v", s.hold.Price, s.final.Price)
	}
}
