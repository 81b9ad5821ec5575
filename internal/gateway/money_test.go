package gateway_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// Whatever is asked for in whatever form, the three books would disagree.
func TestThreeBooksAgree(t *testing.T) { bothTerms(t, testThreeBooksAgree) }

func testThreeBooksAgree(t *testing.T, over transport, terms func(*sluice.Tenant)) {
	m := newMoney(t, over, setting{})
	m.terms(terms)
	m.add(&sluice.Route{Meta: meta("platform", "claude"), Paths: []string{"/v1/messages"}, Surface: "anthropic", Plugins: pluginSet("bearer", `{}`)})
	m.add(&sluice.Route{Meta: meta("platform", "gem"), Paths: []string{"/v1beta/*"}, Surface: "gemini", Plugins: pluginSet("bearer", `{}`)})
	m.apply()
	m.topUp(acme, usd(1_000_000))
	const message, contents = `"messages":[{"role":"user","content":"hi"}]`, `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`
	for _, c := range []struct{ path, body string }{
		{"/v1/chat/completions", chatBody("m1", "")},
		{"/v1/chat/completions", chatBody("m1", streamed)},
		{"/v1/chat/completions", chatBody("m1", `,"stream":true,"stream_options":{"include_usage":true}`)},
		{"/v1/responses", `{"model":"m1","input":"hi"}`},
		{"/v1/responses", `{"model":"m1","input":"hi","stream":true}`},
		{"/v1/messages", `{"model":"m1","max_tokens":99,` + message + `}`},
		{"/v1/messages", `{"model":"m1","max_tokens":99,"stream":true,` + message + `}`},
		{"/v1beta/models/m1:generateContent", contents},
		{"/v1beta/models/m1:streamGenerateContent?alt=sse", contents},
		{"/v1beta/models/m1:streamGenerateContent", contents},
	} {
		if a := m.do("POST", c.path, c.body); a.status != 200 || a.err != nil {
			t.Fatalf("%s: %d %s %v", c.path, a.status, a.body, a.err)
		}
	}
	m.exact()
	if n := len(m.stories()); n != 10 {
		t.Errorf("%d requests in the journal", n)
	}
}

// An embedding has no output; what it costs must not be held or charged for any.
func TestEmbeddingsAreCharged(t *testing.T) { onEveryTransport(t, testEmbeddingsAreCharged) }

func testEmbeddingsAreCharged(t *testing.T, over transport) {
	m := newMoney(t, over, setting{})
	m.topUp(acme, usd(2_000))
	m.up.Script(func(w *sluicetest.Wire, r sluicetest.Request) {
		s := sale{input: 12}
		m.till.add(s)
		sluicetest.JSON(200, `{"object":"list","model":"m1","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"usage":{"prompt_tokens":12,"total_tokens":12}}`)(w, r)
	})
	if a := m.do("POST", "/v1/embeddings", `{"model":"m1","input":"some words to embed"}`); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if s := m.only(); s.hold.Amount > 2_000*perInput {
		t.Errorf("held %s for an embedding", s.hold.Amount)
	}
	m.exact()
}

// A free model would cost something, or a group's and a tenant's own price not
// be what is charged.
func TestWhatIsChargedBy(t *testing.T) { onEveryTransport(t, testWhatIsChargedBy) }

func testWhatIsChargedBy(t *testing.T, over transport) {
	m := newMoney(t, over, setting{})
	m.topUp(acme, usd(1_000_000))
	times := func(n sluice.Nanos) func(sale) sluice.Nanos {
		return func(s sale) sluice.Nanos {
			return (sluice.Nanos(s.input)*perInput + sluice.Nanos(s.output)*perOutput) * n / 2
		}
	}
	m.snap.Groups[0].PriceMultiplier = 1_500_000
	m.apply()
	m.ask("")
	m.ask(streamed)
	m.exactly(times(3))
	own := m1Price(2, func(p *sluice.Price) {
		p.Tenant = "acme"
		p.Rates = map[sluice.Unit]sluice.Rate{sluice.UnitInput: sluice.Rate(5*perInput) * 1_000_000, sluice.UnitOutput: 0}
	})
	m.snap.Prices = append(m.snap.Prices, own)
	m.apply()
	id := m.ask("")
	sold := m.till.all()[2]
	if s := m.story(id); s.final.Charge != sluice.Nanos(sold.input)*5*perInput*3/2 || s.final.Price.Version != 2 {
		t.Errorf("by the tenant's own price: %+v", s.final)
	}
	m.snap.Prices[1] = m1Price(3, func(p *sluice.Price) { p.Tenant, p.Rates, p.Free = "acme", nil, true })
	m.apply()
	before := m.balance(acme).Posted
	if s := m.story(m.ask(streamed)); s.final.Charge != 0 || s.hold.Amount != 0 {
		t.Errorf("a free model: %+v", s.final)
	}
	m.booked()
	if after := m.balance(acme).Posted; after != before {
		t.Errorf("a free model cost %s", before-after)
	}
}

// Cached tokens without a rate of their own would be free, or end pricing.
func TestCachedTokensCostAsInput(t *testing.T) { onEveryTransport(t, testCachedTokensCostAsInput) }

func testCachedTokensCostAsInput(t *testing.T, over transport) {
	m := newMoney(t, over, setting{})
	m.topUp(acme, usd(100_000))
	m.up.Script(func(w *sluicetest.Wire, r sluicetest.Request) {
		m.till.add(sale{input: 100, output: 7})
		sluicetest.JSON(200, chatAnswer(`{"prompt_tokens":100,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":60},"completion_tokens_details":{"reasoning_tokens":3}}`))(w, r)
	})
	if s := m.story(m.ask("")); s.final.Quantities[sluice.UnitCachedInput] != 60 || s.final.Quantities[sluice.UnitReasoning] != 3 {
		t.Errorf("quantities %v", s.final.Quantities)
	}
	m.exact()
}

// Another one's wallet would pay.
func TestEveryoneHasAWallet(t *testing.T) { onEveryTransport(t, testEveryoneHasAWallet) }

func testEveryoneHasAWallet(t *testing.T, over transport) {
	m := newMoney(t, over, setting{})
	var key uint64
	own := m.addKey("acme", "own", func(k *sluice.Key) { k.Wallet = sluice.WalletKey })
	key = m.snap.Keys[len(m.snap.Keys)-1].ID
	user := m.addKey("acme", "user", func(k *sluice.Key) { k.Wallet = sluice.WalletUser })
	m.apply()
	wallets := map[string]sluice.AccountID{m.token: acme, own: sluice.KeyWallet(key, "USD"), user: sluice.UserWallet("acme", "u", "USD")}
	m.topUp(acme, usd(50_000))
	for token, wallet := range wallets {
		if wallet != acme {
			if a := m.chat("", "Authorization: Bearer "+token); a.status != 402 {
				t.Errorf("an empty %s: %d %s", wallet, a.status, a.body)
			}
			m.topUp(wallet, usd(50_000))
		}
		s := m.story(m.ask("", "Authorization: Bearer "+token))
		if s.final.Wallet != wallet || m.balance(wallet).Posted != usd(50_000)-s.final.Charge {
			t.Errorf("%s has %s after %+v", wallet, m.balance(wallet).Posted, s.final)
		}
	}
	m.exact()
}

// A cap would let more through, or go on refusing in the next period.
func TestCapsByPeriod(t *testing.T) { onEveryTransport(t, testCapsByPeriod) }

func testCapsByPeriod(t *testing.T, over transport) {
	clock := sluicetest.NewClock(time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC))
	m := newMoney(t, over, setting{now: clock.Now})
	m.topUp(acme, usd(1_000_000))
	capped := m.addKey("acme", "capped", func(k *sluice.Key) {
		k.Caps = []sluice.SpendingCap{{Period: "day", Limit: sluice.Money{Amount: usd(1_500), Asset: "USD"}}, {Period: "month", Limit: sluice.Money{Amount: usd(10_000), Asset: "USD"}}}
	})
	m.apply()
	ask := func() answer { t.Helper(); return m.chat(`,"max_tokens":30`, "Authorization: Bearer "+capped) }
	spend := func() (n int) {
		t.Helper()
		for range 20 {
			a := ask()
			m.settled()
			if a.status == 200 {
				n++
				continue
			}
			var body struct {
				Error struct{ Details struct{ Cap string } }
			}
			if _ = json.Unmarshal([]byte(a.body), &body); a.status != 402 || body.Error.Details.Cap == "" {
				t.Fatalf("%d %s", a.status, a.body)
			}
			return n
		}
		t.Fatal("the cap does not hold")
		return 0
	}
	if n := spend(); n == 0 {
		t.Error("nothing was let through on the first day")
	}
	clock.Advance(24 * time.Hour) // another day, and another month
	if n := spend(); n == 0 {
		t.Error("the next day brought nothing")
	}
	m.exact()
	clock.Advance(24 * time.Hour)
	if n := spend(); n == 0 {
		t.Error("the third day brought nothing")
	}
	m.exact()
}
