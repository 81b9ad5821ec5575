package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/gateway"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/plugin"
)

// keyed is the field that carries an Idempotency-Key.
func keyed(key string) string { return "Idempotency-Key: " + key }

// again asks until the request with the key is no longer in progress: the one
// before has ended for its client a moment before it has for the gateway.
func (m *money) again(extra string, fields ...string) (a answer) {
	m.t.Helper()
	m.eventually("the request before has ended", func() bool {
		a = m.chat(extra, fields...)
		return a.errorCode() != sluice.CodeInProgress
	})
	return a
}

// A request that a client repeats would be carried out, and charged, again
// (E-27).
func TestRepeatedAtOnce(t *testing.T) { onEveryTransport(t, testRepeatedAtOnce) }

func testRepeatedAtOnce(t *testing.T, transport transport) {
	for _, extra := range []string{"", streamed} {
		m := newMoney(t, transport, setting{limits: newAdmission()})
		m.topUp(acme, usd(1_000_000))
		m.up.Script(func(w *sluicetest.Wire, r sluicetest.Request) {
			w.Sleep(moment)
			m.till.serve(w, r)
		})
		var mu sync.Mutex
		bodies := map[string]int{}
		var running sync.WaitGroup
		for range 100 {
			running.Go(func() {
				a, err := m.try("POST", "/v1/chat/completions", chatBody("m1", extra), keyed("k"))
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err != nil || a.err != nil:
					t.Errorf("%v %v", err, a.err)
				case a.status == 200:
					bodies[a.body]++
				case a.status != 409 || a.errorCode() != sluice.CodeInProgress || a.header.Get("Retry-After") == "" || !strings.Contains(a.body, `"request_id":"`):
					t.Errorf("%d %s", a.status, a.body)
				}
			})
		}
		running.Wait()
		if len(bodies) != 1 || len(m.up.Requests()) != 1 {
			t.Errorf("%d answers, the provider was called %d times", len(bodies), len(m.up.Requests()))
		}
		m.exact()
		if a := m.chat(extra+`,"user":"x"`, keyed("k")); a.status != 422 || a.errorCode() != sluice.CodeIdempotency {
			t.Errorf("an altered body: %d %s", a.status, a.body)
		}
		m.exact()
	}
}

// suffix is a body filter that must run once over an answer.
type suffix struct{}

// BodyFilter implements plugin.BodyFilterer.
func (*suffix) BodyFilter(_ *plugin.Exchange, chunk []byte, last bool) ([]byte, error) {
	if last {
		return append(bytes.Clone(chunk), "\n: seen\n\n"...), nil
	}
	return chunk, nil
}

// withSuffix has the suffix among the plugins.
func withSuffix(t *testing.T) option {
	return func(g *gateway.Config, _ *limits) {
		var err error
		g.Plugins, err = plugin.New(
			plugin.Define("bearer", "Names the consumer.", 2500, func(struct{}, plugin.Env) (plugin.Plugin, error) { return &bearer{}, nil }, plugin.Authenticates()),
			plugin.Define("suffix", "Adds to answers.", 10, func(struct{}, plugin.Env) (plugin.Plugin, error) { return &suffix{}, nil }),
		)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A client that repeats its request would get another answer than the first, or
// pay for it again.
func TestRepeatedAnswerIsTheSame(t *testing.T) { onEveryTransport(t, testRepeatedAnswerIsTheSame) }

func testRepeatedAnswerIsTheSame(t *testing.T, transport transport) {
	for name, c := range map[string]struct {
		plugins map[string]json.RawMessage
		extra   string
	}{
		"whole":           {pluginSet("bearer", `{}`), ""},
		"stream":          {pluginSet("bearer", `{}`), streamed},
		"filtered":        {pluginSet("bearer", `{}`, "suffix", `{}`), ""},
		"filtered stream": {pluginSet("bearer", `{}`, "suffix", `{}`), streamed},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMoney(t, transport, setting{options: []option{withSuffix(t)}})
			m.snap.Routes[0].Plugins = c.plugins
			m.apply()
			m.topUp(acme, usd(1_000_000))
			first := m.chat(c.extra, keyed("k"))
			if first.status != 200 {
				t.Fatalf("%d %s, %+v", first.status, first.body, m.g.Status().Conditions)
			}
			for range 2 {
				a := m.again(c.extra, keyed("k"))
				if a.status != 200 || a.body != first.body || a.header.Get("Content-Type") != first.header.Get("Content-Type") {
					t.Errorf("%d %q, was %q", a.status, a.body, first.body)
				}
				if a.header.Get("Idempotency-Replayed") != "true" || a.header.Get("X-Original-Request-Id") != first.header.Get("X-Request-Id") {
					t.Errorf("header %v", a.header)
				}
				if r := m.recordOf(a.header.Get("X-Request-Id")); r.Cost != (sluice.Money{}) || r.Outcome != sluice.OutcomeComplete || r.Unpriced {
					t.Errorf("record %+v", r)
				}
			}
			if n := len(m.up.Requests()); n != 1 {
				t.Errorf("the provider was called %d times", n)
			}
			m.exact()
		})
	}
}

// An answer that is too large to be kept would be made, and charged, again.
func TestRepeatedLargeAnswer(t *testing.T) { onEveryTransport(t, testRepeatedLargeAnswer) }

func testRepeatedLargeAnswer(t *testing.T, transport transport) {
	m := newMoney(t, transport, setting{})
	m.topUp(acme, usd(1_000_000))
	m.up.Script(func(w *sluicetest.Wire, r sluicetest.Request) {
		s := m.till.next()
		sluicetest.JSON(200, strings.Replace(chatAnswer(s.usage()), "hello", strings.Repeat("x", sluice.MaxStoredAnswer), 1))(w, r)
	})
	id := m.ask("", keyed("k"))
	a := m.again("", keyed("k"))
	if a.status != 409 || a.errorCode() != sluice.CodeConflict || !strings.Contains(a.body, id) {
		t.Errorf("%d %s", a.status, a.body)
	}
	if n := len(m.up.Requests()); n != 1 {
		t.Errorf("the provider was called %d times", n)
	}
	m.exact()
}

// A request that was refused, or that no provider answered, could never be
// carried out under its key; or one that a client hung up on would be again.
func TestRepeatedAfterFailure(t *testing.T) { onEveryTransport(t, testRepeatedAfterFailure) }

func testRepeatedAfterFailure(t *testing.T, transport transport) {
	limits := newAdmission()
	m := newMoney(t, transport, setting{limits: limits})
	refuse := func(err error) {
		limits.mu.Lock()
		defer limits.mu.Unlock()
		limits.refuse = err
	}
	if a := m.chat("", keyed("k")); a.status != 402 {
		t.Errorf("%d %s", a.status, a.body)
	}
	m.topUp(acme, usd(1_000_000))
	refuse(sluice.Errorf(sluice.CodeRequestRate, "too many"))
	if a := m.again("", keyed("k")); a.status != 429 {
		t.Errorf("%d %s", a.status, a.body)
	}
	refuse(nil)
	m.up.Script(sluicetest.JSON(400, `{"error":{"message":"no"}}`), m.till.serve)
	if a := m.again("", keyed("k")); a.status != 400 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := m.again("", keyed("k")); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	m.exact()

	m.up.Script(sluicetest.SSEThenHang(0, word, word), m.till.serve)
	left := m.begin("/v1/chat/completions", chatBody("m1", streamed), keyed("left"))
	m.eventually("two words came", func() bool { _, body, _ := left.now(); return strings.Count(body, "word") == 2 })
	m.up.CloseIdle() // the provider breaks off
	left.whole(m)
	if a := m.again(streamed, keyed("left")); a.status != 409 || a.errorCode() != sluice.CodeConflict {
		t.Errorf("what was delivered in part: %d %s", a.status, a.body)
	}
}

// One caller's key would answer another caller, or a key too long be taken for
// none.
func TestWhoseKeyItIs(t *testing.T) { onEveryTransport(t, testWhoseKeyItIs) }

func testWhoseKeyItIs(t *testing.T, transport transport) {
	m := newMoney(t, transport, setting{})
	other := m.addKey("acme", "other", nil)
	m.apply()
	m.topUp(acme, usd(1_000_000))
	mine := m.ask("", keyed("k"))
	theirs := m.chat("", keyed("k"), "Authorization: Bearer "+other)
	if theirs.status != 200 || theirs.header.Get("X-Original-Request-Id") != "" || theirs.header.Get("X-Request-Id") == mine {
		t.Errorf("%d %v", theirs.status, theirs.header)
	}
	if a := m.chat("", keyed(strings.Repeat("k", sluice.MaxIdempotencyKey+1))); a.status != 400 || a.errorCode() != sluice.CodeInvalidRequest {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := m.chat("", keyed(strings.Repeat("k", sluice.MaxIdempotencyKey))); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	m.exact()
	if n := len(m.till.all()); n != 3 {
		t.Errorf("the provider was called %d times", n)
	}
}

// A repetition would be refused for a balance that its first time has used up.
func TestRepeatedCostsNothing(t *testing.T) { onEveryTransport(t, testRepeatedCostsNothing) }

func testRepeatedCostsNothing(t *testing.T, transport transport) {
	const cost = sluice.Nanos(7)
	m := newMoney(t, transport, setting{})
	m.snap.Prices = []sluice.Price{m1Price(1, perRequest(cost))}
	m.apply()
	m.topUp(acme, cost)
	m.ask("", keyed("k"))
	m.settled()
	if a := m.again("", keyed("k")); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := m.chat("", keyed("k2")); a.status != 402 {
		t.Errorf("%d %s", a.status, a.body)
	}
	m.exactly(func(sale) sluice.Nanos { return cost })
}

// counted counts what is asked of the memory of answers.
type counted struct {
	sluice.Answers
	begun, ended atomic.Int64
}

// Begin implements sluice.Answers.
func (c *counted) Begin(ctx context.Context, r sluice.Repeatable) (*sluice.StoredAnswer, error) {
	c.begun.Add(1)
	return c.Answers.Begin(ctx, r)
}

// End implements sluice.Answers.
func (c *counted) End(ctx context.Context, r sluice.Repeatable, answer *sluice.StoredAnswer, done bool) error {
	c.ended.Add(1)
	return c.Answers.End(ctx, r, answer, done)
}

// Who is over its limit, or short of money, would cost two writes for each request
// that is refused; and what a repetition was held for would stay held.
func TestRefusedKeysWriteNothing(t *testing.T) { onEveryTransport(t, testRefusedKeysWriteNothing) }

func testRefusedKeysWriteNothing(t *testing.T, transport transport) {
	refusing, answers := newAdmission(), &counted{}
	m := newMoney(t, transport, setting{limits: refusing, options: []option{func(g *gateway.Config, _ *limits) {
		answers.Answers = g.Answers
		g.Answers = answers
	}}})
	if a := m.chat("", keyed("short")); a.status != 402 {
		t.Errorf("%d %s", a.status, a.body)
	}
	m.topUp(acme, usd(1_000_000))
	refusing.mu.Lock()
	refusing.refuse = sluice.Errorf(sluice.CodeRequestRate, "too many")
	refusing.mu.Unlock()
	if a := m.chat("", keyed("fast")); a.status != 429 {
		t.Errorf("%d %s", a.status, a.body)
	}
	m.settled()
	if begun, ended := answers.begun.Load(), answers.ended.Load(); begun+ended != 0 {
		t.Errorf("%d begun, %d ended", begun, ended)
	}
	refusing.mu.Lock()
	refusing.refuse = nil
	refusing.mu.Unlock()
	m.ask("", keyed("k"))
	m.settled()
	again := m.again("", keyed("k"))
	r := m.recordOf(again.header.Get("X-Request-Id"))
	if again.status != 200 || r.Cost != (sluice.Money{}) || r.Price != (sluice.PriceRef{}) || r.Unpriced {
		t.Errorf("%d, record %+v", again.status, r)
	}
	m.exact()
	if b := m.balance(acme); b.Available != b.Posted {
		t.Errorf("something is still held: %+v", b)
	}
	if answers.ended.Load() != 1 {
		t.Errorf("%d ended", answers.ended.Load())
	}
}

// A panic while a request is settled would leave its key in progress, and all who
// ask again turned away, for as long as the gateway runs.
func TestPanicWhileSettlingFreesTheKey(t *testing.T) {
	onEveryTransport(t, testPanicWhileSettlingFreesTheKey)
}

func testPanicWhileSettlingFreesTheKey(t *testing.T, transport transport) {
	where := &atomic.Value{}
	where.Store("usage again")
	m := newMoney(t, transport, setting{options: []option{panicsIn(where)}})
	m.topUp(acme, usd(1_000_000))
	m.up.Script(sluicetest.SSEThenHang(0, word, word), m.till.serve)
	left := m.begin("/v1/chat/completions", chatBody("m1", streamed), keyed("k"))
	m.eventually("two words came", func() bool { _, body, _ := left.now(); return strings.Count(body, "word") == 2 })
	m.up.CloseIdle() // the provider breaks off
	left.whole(m)
	where.Store("")
	if a := m.again(streamed, keyed("k")); a.status != 409 || a.errorCode() != sluice.CodeConflict {
		t.Errorf("what was delivered in part: %d %s", a.status, a.body)
	}
	if n := len(m.up.Requests()); n != 1 {
		t.Errorf("the provider was called %d times", n)
	}
	m.ask("", keyed("another"))
}

// An answer that is kept would be refused as one in progress, for as long as a slow
// client takes to read it.
func TestReplaysDoNotWaitForEachOther(t *testing.T) {
	onEveryTransport(t, testReplaysDoNotWaitForEachOther)
}

func testReplaysDoNotWaitForEachOther(t *testing.T, transport transport) {
	held := &holding{held: make(chan struct{}), carryOn: make(chan struct{})}
	m := newMoney(t, transport, setting{options: []option{held.among(t)}})
	m.snap.Routes[0].Plugins = pluginSet("bearer", `{}`)
	m.apply()
	m.topUp(acme, usd(1_000_000))
	m.ask("", keyed("k"))
	m.again("", keyed("k")) // the request itself has ended
	m.snap.Routes[0].Plugins = pluginSet("bearer", `{}`, "holding", `{}`)
	m.apply()
	slow := m.begin("/v1/chat/completions", chatBody("m1", ""), keyed("k"))
	select {
	case <-held.held:
	case <-time.After(patience):
		t.Fatal("the answer is not repeated")
	}
	if a := m.chat("", keyed("k")); a.status != 200 || a.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%d %s", a.status, a.body)
	}
	close(held.carryOn)
	if a := slow.whole(m); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	m.exact()
}

// holding is a header filter that holds the first replay, as a client does that
// does not read.
type holding struct {
	replays       atomic.Int64
	held, carryOn chan struct{}
}

// HeaderFilter implements plugin.HeaderFilterer.
func (h *holding) HeaderFilter(x *plugin.Exchange) error {
	if x.Response.Fields.Get("Idempotency-Replayed") != "" && h.replays.Add(1) == 1 {
		close(h.held)
		<-h.carryOn
	}
	return nil
}

// among has it among the plugins.
func (h *holding) among(t *testing.T) option {
	return func(g *gateway.Config, _ *limits) {
		var err error
		g.Plugins, err = plugin.New(
			plugin.Define("bearer", "Names the consumer.", 2500, func(struct{}, plugin.Env) (plugin.Plugin, error) { return &bearer{}, nil }, plugin.Authenticates()),
			plugin.Define("holding", "Holds replays.", 10, func(struct{}, plugin.Env) (plugin.Plugin, error) { return h, nil }),
		)
		if err != nil {
			t.Fatal(err)
		}
	}
}
