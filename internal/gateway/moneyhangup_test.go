package gateway_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/gateway"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// gone hangs up on a streamed chat after so many bytes of its answer; 0 is when
// its provider has been called.
func (m *money) gone(after int, called <-chan struct{}) {
	ctx, cancel := context.WithCancel(m.t.Context())
	defer cancel()
	r := m.beginIn(ctx, "/v1/chat/completions", chatBody("m1", streamed))
	if after == 0 {
		<-called
	} else {
		m.eventually("some of the answer came", func() bool { _, body, done := r.now(); return len(body) >= after || done })
	}
	cancel()
	m.eventually("the client is gone", func() bool { _, _, done := r.now(); return done })
}

// hangUps is how many clients go away: SLUICE_TEST_HANGUPS for long runs.
func hangUps() int {
	n := 200
	_, _ = fmt.Sscan(os.Getenv("SLUICE_TEST_HANGUPS"), &n)
	return n
}

// pacer is an upstream that goes on for as long as somebody listens, and logs
// what it had served when it ended.
type pacer struct {
	till    *till
	events  int           // how many content events
	pace    time.Duration // between them
	started chan struct{} // a word for each call
	mu      sync.Mutex
	running int
	longest time.Duration // that a call went on
}

func (p *pacer) serve(w *sluicetest.Wire, r sluicetest.Request) {
	began := time.Now()
	p.mu.Lock()
	p.running++
	p.mu.Unlock()
	served := int64(0)
	whole := false
	defer func() {
		p.till.add(sale{input: 5, output: served, free: !whole})
		p.mu.Lock()
		defer p.mu.Unlock()
		p.running--
		p.longest = max(p.longest, time.Since(began))
	}()
	p.started <- struct{}{}
	if !w.Sleep(p.pace) || w.Print(sluicetest.SSEHead) != nil {
		return
	}
	for range p.events {
		if w.Chunk([]byte("data: "+word+"\n\n")) != nil {
			return
		}
		served++
		if !w.Sleep(p.pace) {
			return
		}
	}
	whole = true
	for _, e := range chatStream(sale{input: 5, output: served}.usage())[2:] {
		if w.Chunk([]byte("data: "+e+"\n\n")) != nil {
			return
		}
	}
	w.Print("0\r\n\r\n")
}

// word is one event of content, about one token of it.
const word = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m1","choices":[{"index":0,"delta":{"content":"word"},"finish_reason":null}]}`

func (p *pacer) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running == 0
}

// crowdLeaves has n clients hang up at different moments, some at a time.
func (m *money) crowdLeaves(n int, p *pacer) {
	m.t.Helper()
	var running sync.WaitGroup
	at := make(chan struct{}, 40)
	for i := range n {
		at <- struct{}{}
		running.Go(func() {
			defer func() { <-at }()
			switch i % 3 {
			case 0:
				m.gone(0, p.started)
			case 1:
				m.gone(p.events/2*len(word), nil)
			default:
				m.gone((p.events-1)*len(word), nil)
			}
		})
	}
	running.Wait()
	m.eventually("no call is left", p.idle)
}

// Who hangs up would be charged for less or more than the provider bills, or
// leave money, calls or slots behind (E-24).
func TestHangUpsThatDrain(t *testing.T) { onEveryTransport(t, testHangUpsThatDrain) }

func testHangUpsThatDrain(t *testing.T, transport transport) {
	m := newMoney(t, transport, setting{limits: newAdmission()})
	m.topUp(acme, usd(1_000_000_000))
	p := &pacer{till: m.till, events: 12, pace: time.Millisecond, started: make(chan struct{}, hangUps())}
	m.up.Script(p.serve)
	m.snap.Providers[0].OnClientGone = sluice.GoneDrain
	m.apply()
	m.crowdLeaves(hangUps(), p)
	for _, s := range m.till.all() {
		if s.free {
			t.Errorf("a call was not drained: %+v", s)
		}
	}
	m.exact()
	t.Logf("%d calls, the longest took %v", len(m.till.all()), p.longest)
}

// A client that hangs up before the head of an answer would end a call that is
// billed anyway, and be charged by a guess.
func TestHangUpBeforeTheHead(t *testing.T) { onEveryTransport(t, testHangUpBeforeTheHead) }

func testHangUpBeforeTheHead(t *testing.T, transport transport) {
	m := newMoney(t, transport, setting{})
	m.topUp(acme, usd(1_000_000))
	p := &pacer{till: m.till, events: 5, pace: moment, started: make(chan struct{}, 1)}
	m.up.Script(p.serve)
	m.snap.Providers[0].OnClientGone = sluice.GoneDrain
	m.apply()
	m.gone(0, p.started)
	m.eventually("the call is drained", func() bool { return len(m.till.all()) == 1 })
	if s := m.till.all()[0]; s.free {
		t.Errorf("the call was ended: %+v", s)
	}
	m.exact()
	if s := m.only(); s.final.Outcome != sluice.OutcomeClientGone || s.final.Source != sluice.UsageProvider {
		t.Errorf("final %+v", s.final)
	}
}

// A fault of our own would be taken for a hang-up: the client would not be told,
// and its answer be read to the end for nobody.
func TestOwnFaultIsNoHangUp(t *testing.T) { onEveryTransport(t, testOwnFaultIsNoHangUp) }

func testOwnFaultIsNoHangUp(t *testing.T, transport transport) {
	m := newMoney(t, transport, setting{})
	m.topUp(acme, usd(1_000_000))
	m.snap.Providers[0].OnClientGone = sluice.GoneDrain
	m.snap.Routes[0].Plugins = pluginSet("bearer", `{}`, "probe", `{"panic":"body later"}`)
	m.apply()
	m.up.Script(func(w *sluicetest.Wire, _ sluicetest.Request) {
		w.Print(sluicetest.SSEHead)
		for _, e := range chatEvents[:2] {
			w.Chunk([]byte("data: " + e + "\n\n"))
			w.Sleep(moment)
		}
		w.Hang()
	})
	a := m.chat(streamed)
	if !strings.Contains(a.body, string(sluice.CodeInternal)) || a.err != nil {
		t.Errorf("%s %v", a.body, a.err)
	}
	<-m.up.Gone()
	if s := m.only(); s.final.Outcome != sluice.OutcomeInternal || s.record.Code != sluice.CodeInternal {
		t.Errorf("final %+v, record %+v", s.final, s.record)
	}
	m.booked()
}

// As above, where the provider stops when it is told to.
func TestHangUpsThatCancel(t *testing.T) { onEveryTransport(t, testHangUpsThatCancel) }

func testHangUpsThatCancel(t *testing.T, transport transport) {
	m := newMoney(t, transport, setting{limits: newAdmission()})
	m.topUp(acme, usd(1_000_000_000))
	p := &pacer{till: m.till, events: 40, pace: time.Millisecond, started: make(chan struct{}, hangUps())}
	m.up.Script(p.serve)
	m.crowdLeaves(hangUps(), p)
	m.booked()
	var served, charged int64
	for _, s := range m.till.all() {
		served += s.output
	}
	for id, s := range m.stories() {
		charged += s.final.Quantities[sluice.UnitOutput]
		if s.final.Quantities[sluice.UnitOutput] > int64(p.events) {
			t.Errorf("request %s: %+v", id, s.final)
		}
	}
	if charged > served {
		t.Errorf("%d tokens were charged, %d served", charged, served)
	}
	t.Logf("%d calls, %d tokens served, %d charged, the longest took %v", len(m.till.all()), served, charged, p.longest)
}

// A client that hangs up would pay for what it did not get, or not for what it
// got.
func TestCancelBillsWhatWasDelivered(t *testing.T) {
	onEveryTransport(t, testCancelBillsWhatWasDelivered)
}

func testCancelBillsWhatWasDelivered(t *testing.T, transport transport) {
	m := newMoney(t, transport, setting{})
	m.topUp(acme, usd(1_000_000))
	m.up.Script(sluicetest.SSEThenHang(0, word, word, word))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := m.beginIn(ctx, "/v1/chat/completions", chatBody("m1", streamed))
	m.eventually("three words came", func() bool { _, body, _ := r.now(); return strings.Count(body, "word") == 3 })
	cancel()
	<-m.up.Gone()
	s := m.only()
	if n := s.final.Quantities[sluice.UnitOutput]; s.final.Outcome != sluice.OutcomeClientGone || n < 3 || n > 4 || s.final.Charge <= 0 {
		t.Errorf("charged %+v", s.final)
	}
	m.booked()
}

// An operator's choice to charge nothing for those who hang up would not count.
func TestEndingsByChoice(t *testing.T) { onEveryTransport(t, testEndingsByChoice) }

func testEndingsByChoice(t *testing.T, transport transport) {
	m := newMoney(t, transport, setting{options: []option{func(g *gateway.Config, _ *limits) {
		g.Endings = map[sluice.Outcome]sluice.ChargeBasis{sluice.OutcomeClientGone: sluice.ChargeNothing}
	}}})
	m.topUp(acme, usd(1_000_000))
	m.up.Script(sluicetest.SSEThenHang(0, word, word, word), m.till.serve)
	m.gone(2*len(word), nil)
	<-m.up.Gone()
	if s := m.only(); s.final.Outcome != sluice.OutcomeClientGone || s.final.Charge != 0 || s.record.Usage.Output == 0 {
		t.Errorf("final %+v, usage %+v", s.final, s.record.Usage)
	}
	m.ask("")
	m.exact()
}

// Calls whose provider says nothing more would keep their slot for ever, and
// nobody could be drained.
func TestDrainSlotsComeBack(t *testing.T) { onEveryTransport(t, testDrainSlotsComeBack) }

func testDrainSlotsComeBack(t *testing.T, transport transport) {
	m := newMoney(t, transport, setting{limits: newAdmission(), options: []option{func(g *gateway.Config, _ *limits) { g.Timeouts.IdleMS = 700 }}})
	m.topUp(acme, usd(1_000_000_000))
	m.snap.Providers[0].OnClientGone = sluice.GoneDrain
	m.apply()
	m.up.Script(sluicetest.SSEThenHang(0, word, word))
	for range 2 {
		var running sync.WaitGroup
		for range 80 { // more than may be drained at once
			running.Go(func() { m.gone(2*len(word), nil) })
		}
		running.Wait()
		for range 80 {
			select {
			case <-m.up.Gone():
			case <-time.After(patience):
				t.Fatal("a call goes on")
			}
		}
		m.booked()
	}
	p := &pacer{till: &till{}, events: 12, pace: time.Millisecond, started: make(chan struct{}, 1)}
	m.up.Script(p.serve)
	m.gone(len(word), nil)
	m.eventually("the call is drained", func() bool { return len(p.till.all()) == 1 })
	if s := p.till.all()[0]; s.free {
		t.Error("there was no slot left to drain it")
	}
	m.booked()
}

// A provider that ignores its cap would deliver beyond what is held, and beyond
// what its customer has.
func TestStreamsExtendTheirHold(t *testing.T) { onEveryTransport(t, testStreamsExtendTheirHold) }

func testStreamsExtendTheirHold(t *testing.T, transport transport) {
	const words = 3000
	for name, c := range map[string]struct {
		more  sluice.Nanos // beyond the hold
		whole bool
	}{"rich": {usd(1_000_000), true}, "poor": {500 * perOutput, false}, "at its end": {0, false}} {
		t.Run(name, func(t *testing.T) {
			m := newMoney(t, transport, setting{})
			m.snap.Models[0].MaxOutputTokens = 1500
			m.apply()
			m.up.Script(func(w *sluicetest.Wire, r sluicetest.Request) {
				events := make([]string, words, words+2)
				for i := range events {
					events[i] = word
				}
				sluicetest.SSE(0, append(events, chatEvents[2], "[DONE]")...)(w, r)
			})
			m.topUp(acme, 1)
			var short struct {
				Error struct{ Details struct{ Required string } }
			}
			mustJSON(t, m.chat(streamed).body, &short)
			hold, err := sluice.ParseNanos(short.Error.Details.Required)
			if err != nil {
				t.Fatal(err)
			}
			m.topUp(acme, hold-1+c.more)
			a := m.chat(streamed)
			s := m.story(a.header.Get("X-Request-Id"))
			delivered := sluice.Nanos(strings.Count(a.body, "word"))
			if s.hold.Amount != hold || s.final.Quantities[sluice.UnitOutput] != int64(delivered) {
				t.Errorf("held %s, charged %+v for %d words", s.hold.Amount, s.final, delivered)
			}
			m.booked()
			owed := -m.balance(sluice.OwnedAccount(sluice.AccountReceivable, "acme", "USD")).Posted
			if most := sluice.Nanos(256+(64<<10)/len(word)) * perOutput; owed > most { // 256 tokens and a piece
				t.Errorf("%s is owed, at most %s may be", owed, most)
			}
			switch {
			case c.whole && (delivered != words || !strings.Contains(a.body, "[DONE]") || len(s.progress) < 3):
				t.Errorf("%d words, %d PROGRESS", delivered, len(s.progress))
			case !c.whole && (strings.Contains(a.body, "[DONE]") || !strings.Contains(a.body, string(sluice.CodeInsufficientBalance)) || s.final.Outcome != sluice.OutcomeIncomplete):
				t.Errorf("after %d words: %s, %+v", delivered, a.body[max(0, len(a.body)-400):], s.final)
			case !c.whole && m.balance(acme).Posted > 0:
				t.Errorf("the stream ended with %s left", m.balance(acme).Posted)
			}
		})
	}
}
