package gateway_test

import (
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// chatPrice prices what wholeChat uses, at a rate per token for everything.
func chatPrice(version uint64, tenant string, rate sluice.Rate) sluice.Price {
	return sluice.Price{Version: version, Model: "m1", Tenant: tenant, Asset: "USD", From: time.Date(2026, 1, 1, 0, 0, int(version), 0, time.UTC),
		Rates: map[sluice.Unit]sluice.Rate{sluice.UnitInput: rate, sluice.UnitOutput: rate, sluice.UnitCachedInput: rate, sluice.UnitReasoning: rate}}
}

// Records that do not say what a request cost, by which price and times what,
// cannot be billed or explained.
func TestRecordsSayWhatTheyCost(t *testing.T) { onEveryTransport(t, testRecordsSayWhatTheyCost) }

func testRecordsSayWhatTheyCost(t *testing.T, over transport) {
	f := newFixture(t, over)
	u := sluicetest.NewUpstream(t, sluicetest.JSON(200, wholeChat))
	f.addProvider("p1", u, nil)
	ask := func() sluice.Record {
		t.Helper()
		f.apply()
		a := f.chat("")
		if a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		return f.recordOf(a.header.Get("X-Request-Id"))
	}
	if r := ask(); !r.Unpriced || r.Cost != (sluice.Money{}) || r.Price != (sluice.PriceRef{}) {
		t.Errorf("without a price: %+v", r)
	}
	f.snap.Prices = []sluice.Price{chatPrice(1, "", 1_000_000_000)} // 1 USD a million: 1,000 nano a token
	if r := ask(); r.Unpriced || r.Cost != (sluice.Money{Amount: 12_000, Asset: "USD"}) || r.Price != (sluice.PriceRef{Version: 1, Multiplier: sluice.NoMultiplier}) {
		t.Errorf("by everyone's price: %+v", r)
	}
	f.snap.Prices = append(f.snap.Prices, chatPrice(2, "acme", 2_000_000_000))
	f.snap.Groups[0].PriceMultiplier = 1_500_000
	if r := ask(); r.Cost.Amount != 36_000 || r.Price != (sluice.PriceRef{Version: 2, Multiplier: 1_500_000}) {
		t.Errorf("by the tenant's own price, times 1.5: %+v", r)
	}
	f.snap.Prices[1].Rates = map[sluice.Unit]sluice.Rate{sluice.UnitInput: 1}
	if r := ask(); !r.Unpriced || r.Cost.Asset != "" || r.Price.Version != 2 {
		t.Errorf("by a price that lacks a unit: %+v", r)
	}
	f.snap.Prices[1].Rates, f.snap.Prices[1].Free = nil, true
	if r := ask(); r.Unpriced || r.Cost != (sluice.Money{Asset: "USD"}) {
		t.Errorf("by a free price: %+v", r)
	}
}

// A request that failed is not charged, and one that was refused has no price.
func TestEndingsWithoutACharge(t *testing.T) { onEveryTransport(t, testEndingsWithoutACharge) }

func testEndingsWithoutACharge(t *testing.T, over transport) {
	f := newFixture(t, over)
	u := sluicetest.NewUpstream(t, sluicetest.JSON(500, `{"error":{"message":"no"}}`))
	f.addProvider("p1", u, nil)
	f.snap.Prices = []sluice.Price{chatPrice(1, "", 1_000_000_000)}
	f.apply()
	if r := f.recordOf(f.chat("").header.Get("X-Request-Id")); r.Cost != (sluice.Money{Asset: "USD"}) || r.Price.Version != 1 || r.Unpriced {
		t.Errorf("an error: %+v", r)
	}
	f.admission.mu.Lock()
	f.admission.refuse = sluice.Errorf(sluice.CodeRequestRate, "too many")
	f.admission.mu.Unlock()
	if r := f.recordOf(f.chat("").header.Get("X-Request-Id")); r.Outcome != sluice.OutcomeRefused || r.Cost != (sluice.Money{}) || r.Price != (sluice.PriceRef{}) || r.Unpriced {
		t.Errorf("a refusal: %+v", r)
	}
}

// A damaged price must not end pricing, and must not go unnoticed.
func TestDamagedPriceIsShown(t *testing.T) { onEveryTransport(t, testDamagedPriceIsShown) }

func testDamagedPriceIsShown(t *testing.T, over transport) {
	f := newFixture(t, over)
	u := sluicetest.NewUpstream(t, sluicetest.JSON(200, wholeChat))
	f.addProvider("p1", u, nil)
	f.snap.Prices = []sluice.Price{chatPrice(1, "", 1_000_000_000), chatPrice(1, "acme", 5)}
	f.apply()
	if c := f.g.Status().Conditions; len(c) != 1 || c[0].Kind != sluice.KindPrice || c[0].Tenant != "acme" || c[0].Name != "m1" {
		t.Errorf("conditions %+v", c)
	}
	if r := f.recordOf(f.chat("").header.Get("X-Request-Id")); r.Cost.Amount != 12_000 {
		t.Errorf("record %+v", r)
	}
}
