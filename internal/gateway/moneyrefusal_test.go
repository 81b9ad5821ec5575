package gateway_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
)

// A client whose balance is short would not be told what it lacks, in its own
// dialect, or would have cost something already.
func TestShortBalance(t *testing.T) { onEveryTransport(t, testShortBalance) }

func testShortBalance(t *testing.T, transport transport) {
	m := newMoney(t, transport, setting{})
	m.everySurface()
	m.topUp(acme, usd(1))
	for _, c := range ends {
		t.Run(c.name, func(t *testing.T) {
			a := m.do("POST", c.path, c.body)
			var shape struct {
				Type  string
				Error struct {
					Code    any
					Type    string
					Status  string
					Details any
				}
			}
			if err := json.Unmarshal([]byte(a.body), &shape); a.status != 402 || err != nil {
				t.Fatalf("%d %s %v", a.status, a.body, err)
			}
			for _, want := range []string{`"required":"`, `"available":"0.000001"`, `"top_up_url":"https://pay.example/top-up"`, string(sluice.CodeInsufficientBalance)} {
				if !strings.Contains(a.body, want) {
					t.Errorf("%s lacks %s", a.body, want)
				}
			}
			switch {
			case strings.HasPrefix(c.path, "/v1/messages") && shape.Type != "error",
				strings.HasPrefix(c.path, "/v1beta") && shape.Error.Code != 402.,
				!strings.HasPrefix(c.path, "/v1beta") && shape.Error.Type == "":
				t.Errorf("not in its dialect: %s", a.body)
			}
			if r := m.recordOf(a.header.Get("X-Request-Id")); r.Outcome != sluice.OutcomeRefused || r.Cost != (sluice.Money{}) || r.Price != (sluice.PriceRef{}) {
				t.Errorf("record %+v", r)
			}
		})
	}
	if n := len(m.up.Requests()); n > 0 || len(m.entries()) > 0 {
		t.Errorf("the provider was called %d times, %d entries were journaled", n, len(m.entries()))
	}
	if b := m.balance(acme); b.Available != usd(1) {
		t.Errorf("balance %+v", b)
	}
	m.exact()
}

// A request that a limit refuses would keep its money.
func TestRefusedLimitGivesTheHoldBack(t *testing.T) {
	onEveryTransport(t, testRefusedLimitGivesTheHoldBack)
}

func testRefusedLimitGivesTheHoldBack(t *testing.T, transport transport) {
	limits := newAdmission()
	m := newMoney(t, transport, setting{limits: limits})
	m.topUp(acme, usd(100_000))
	limits.mu.Lock()
	limits.refuse = sluice.Errorf(sluice.CodeRequestRate, "too many")
	limits.mu.Unlock()
	if a := m.chat(""); a.status != 429 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if b := m.balance(acme); b.Available != usd(100_000) {
		t.Errorf("balance %+v", b)
	}
	m.exact()
}

// perRequest is a price of so much a request, whatever it uses.
func perRequest(amount sluice.Nanos) func(*sluice.Price) {
	return func(p *sluice.Price) {
		p.Rates = map[sluice.Unit]sluice.Rate{sluice.UnitInput: 0, sluice.UnitOutput: 0, sluice.UnitRequest: sluice.Rate(amount) * 1_000_000}
	}
}

// crowd sends n chats at once and returns how many got which status.
func (m *money) crowd(n int, extra string) map[int]int {
	m.t.Helper()
	var mu sync.Mutex
	seen := map[int]int{}
	var running sync.WaitGroup
	for range n {
		running.Go(func() {
			a, err := m.try("POST", "/v1/chat/completions", chatBody("m1", extra))
			if err != nil || a.err != nil {
				a.status = -1
			}
			mu.Lock()
			defer mu.Unlock()
			seen[a.status]++
		})
	}
	running.Wait()
	return seen
}

// Many requests at once would spend the same money (E-01, T-CVE 10).
func TestFiveHundredAtOnce(t *testing.T) { onEveryTransport(t, testFiveHundredAtOnce) }

func testFiveHundredAtOnce(t *testing.T, transport transport) {
	m := newMoney(t, transport, setting{limits: newAdmission()})
	const cost = sluice.Nanos(7_000_001)
	m.snap.Prices = []sluice.Price{m1Price(1, perRequest(cost))}
	m.apply()
	m.topUp(acme, 100*cost)
	if seen := m.crowd(500, ""); seen[200] != 100 || seen[402] != 400 {
		t.Errorf("by status: %v", seen)
	}
	m.exactly(func(sale) sluice.Nanos { return cost })
	if b := m.balance(acme); b.Posted != 0 || len(m.up.Requests()) != 100 {
		t.Errorf("balance %+v after %d calls", b, len(m.up.Requests()))
	}
}

// A burst would take the wallet below zero although every hold fits by itself.
func TestBurstNeverOverdraws(t *testing.T) { onEveryTransport(t, testBurstNeverOverdraws) }

func testBurstNeverOverdraws(t *testing.T, transport transport) {
	m := newMoney(t, transport, setting{limits: newAdmission()})
	m.topUp(acme, usd(20_000))
	var admitted atomic.Int64
	for range 3 {
		for status, n := range m.crowd(150, `,"max_tokens":200`+[]string{"", streamed}[admitted.Load()%2]) {
			if status == 200 {
				admitted.Add(int64(n))
			} else if status != 402 {
				t.Errorf("%d answers %d", n, status)
			}
		}
		m.exact()
	}
	if b := m.balance(acme); b.Posted < 0 || int(admitted.Load()) != len(m.up.Requests()) {
		t.Errorf("balance %+v, %d admitted, %d called", b, admitted.Load(), len(m.up.Requests()))
	}
	if owed := m.balance(sluice.OwnedAccount(sluice.AccountReceivable, "acme", "USD")); owed.Posted != 0 {
		t.Errorf("%+v is owed", owed)
	}
}

// What cannot be priced would be given away, or a trusted tenant's traffic stop.
func TestWithoutAPrice(t *testing.T) { onEveryTransport(t, testWithoutAPrice) }

func testWithoutAPrice(t *testing.T, transport transport) {
	m := newMoney(t, transport, setting{})
	m.topUp(acme, usd(100_000))
	m.snap.Prices = nil
	m.apply()
	if a := m.chat(""); a.status != 403 || a.errorCode() != sluice.CodeNoPrice {
		t.Errorf("%d %s", a.status, a.body)
	}
	if n := len(m.up.Requests()); n != 0 {
		t.Errorf("the provider was called %d times", n)
	}
	m.terms(func(t *sluice.Tenant) { t.Spending, t.UnlimitedCredit = sluice.SpendingPostpaid, true })
	m.apply()
	if r := m.recordOf(m.ask("")); !r.Unpriced || r.Cost != (sluice.Money{}) {
		t.Errorf("record %+v", r)
	}
	key := m.snap.Keys[0]
	for name, change := range map[string]func(k *sluice.Key){
		"a wallet of its own": func(k *sluice.Key) { k.Wallet = sluice.WalletKey },
		"a cap": func(k *sluice.Key) {
			k.Caps = []sluice.SpendingCap{{Period: "day", Limit: sluice.Money{Asset: "USD"}}}
		},
	} {
		bound := *key
		change(&bound)
		m.snap.Keys[0] = &bound
		m.apply()
		if a := m.chat(""); a.status != 403 || a.errorCode() != sluice.CodeNoPrice {
			t.Errorf("a key with %s: %d %s", name, a.status, a.body)
		}
	}
	m.snap.Keys[0] = key
	m.terms(func(t *sluice.Tenant) {
		t.Spending, t.UnlimitedCredit, t.CreditLimit = sluice.SpendingPostpaid, false, &sluice.Money{Amount: usd(100_000), Asset: "USD"}
	})
	m.apply()
	if a := m.chat(""); a.status != 403 {
		t.Errorf("with a credit limit: %d %s", a.status, a.body)
	}
	if len(m.entries()) != 0 {
		t.Error("a request without a price was journaled")
	}
}

// A whole answer cannot be ended on its way: what its model may give has to be
// there before, or a throw-away tenant leaves a debt behind. A stream can.
func TestWholeAnswersHoldForAllThatMayCome(t *testing.T) { onEveryTransport(t, testWholeHolds) }

func testWholeHolds(t *testing.T, transport transport) {
	m := newMoney(t, transport, setting{})
	for i := range m.snap.Models {
		m.snap.Models[i].MaxOutputTokens = 1_000_000
	}
	m.topUp(acme, usd(100_000))
	m.apply()
	if a := m.chat(""); a.status != 402 {
		t.Errorf("whole: %d %s", a.status, a.body)
	}
	m.ask(`,"stream":true`)
	m.ask(`,"max_tokens":100`)
	for i := range m.snap.Models {
		m.snap.Models[i].MaxOutputTokens = 0
	}
	m.apply()
	if a := m.chat(`,"max_tokens":9000000000000000000`); a.status != 400 || !strings.Contains(a.body, "max_tokens") {
		t.Errorf("more than an amount can be: %d %s", a.status, a.body)
	}
	if a := m.chat(`,"max_tokens":5000000000000000000,"n":4`); a.status != 400 {
		t.Errorf("more than a number can be: %d %s", a.status, a.body)
	}
	m.exact()
}

// A tenant whose terms nobody knows would be served for nothing.
func TestWithoutTerms(t *testing.T) { onEveryTransport(t, testWithoutTerms) }

func testWithoutTerms(t *testing.T, transport transport) {
	m := newMoney(t, transport, setting{})
	m.topUp(acme, usd(100_000))
	m.terms(func(t *sluice.Tenant) { t.CreditLimit = &sluice.Money{Amount: 1, Asset: "USD"} }) // prepaid has none
	m.apply()
	if a := m.chat(""); a.status != 503 || a.errorCode() != sluice.CodeUnavailable {
		t.Errorf("invalid terms: %d %s", a.status, a.body)
	}
	m.snap.Tenants = m.snap.Tenants[:1]
	m.apply()
	if a := m.chat(""); a.status != http.StatusUnauthorized {
		t.Errorf("no tenant: %d %s", a.status, a.body)
	}
	if n := len(m.up.Requests()); n != 0 {
		t.Errorf("the provider was called %d times", n)
	}
	m.exact()
}

// A postpaid tenant would spend beyond its credit, or not up to it.
func TestCreditLimit(t *testing.T) { onEveryTransport(t, testCreditLimit) }

func testCreditLimit(t *testing.T, transport transport) {
	m := newMoney(t, transport, setting{limits: newAdmission()})
	const cost = sluice.Nanos(1_000_003)
	m.snap.Prices = []sluice.Price{m1Price(1, perRequest(cost))}
	m.terms(func(t *sluice.Tenant) {
		t.Spending, t.CreditLimit = sluice.SpendingPostpaid, &sluice.Money{Amount: 10*cost + 5, Asset: "USD"}
	})
	m.apply()
	if seen := m.crowd(30, ""); seen[200] != 10 || seen[402] != 20 {
		t.Errorf("by status: %v", seen)
	}
	m.exactly(func(sale) sluice.Nanos { return cost })
	if b := m.balance(acme); b.Posted != -10*cost {
		t.Errorf("balance %+v", fmt.Sprint(b))
	}
}

// A process that has lost its ledger would serve for nothing, or stop tenants that
// no balance bounds.
func TestWithoutTheLedger(t *testing.T) { onEveryTransport(t, testWithoutTheLedger) }

func testWithoutTheLedger(t *testing.T, transport transport) {
	m := newMoney(t, transport, setting{limits: newLocal()})
	m.topUp(acme, usd(100_000))
	if err := m.ledger.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := m.chat(""); a.status != 503 || a.errorCode() != sluice.CodeUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if n := len(m.up.Requests()); n != 0 {
		t.Errorf("the provider was called %d times", n)
	}
	m.terms(func(t *sluice.Tenant) { t.Spending, t.UnlimitedCredit = sluice.SpendingPostpaid, true })
	m.apply()
	m.ask("")
	m.ask(streamed)
	if err := m.ledger.Take(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.exact()
	if n := len(m.till.all()); n != 2 {
		t.Errorf("the provider was called %d times", n)
	}
}

func newLocal() sluice.Admission { return link.NewLocal(link.LocalConfig{Now: time.Now}) }
