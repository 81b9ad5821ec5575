package price_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/price"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// randomPrice prices every unit by a rate of any size that a real price has.
func randomPrice(r *rand.Rand, version uint64) sluice.Price {
	p := sluice.Price{Version: version, Model: "m", Asset: "USD", From: epoch.Add(time.Duration(version) * time.Hour), Rates: map[sluice.Unit]sluice.Rate{}}
	for u := range sluice.UnitCount {
		p.Rates[sluice.Unit(u)] = sluice.Rate(r.Int64N(1 << (1 + r.IntN(45))))
	}
	return p
}

func randomQuantities(r *rand.Rand) (q sluice.Quantities) {
	for u := range q {
		if r.IntN(3) > 0 {
			q[u] = r.Int64N(1 << (1 + r.IntN(24)))
		}
	}
	return q
}

func book(t *testing.T, prices ...sluice.Price) *price.Book {
	t.Helper()
	b, err := price.NewBook(prices)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// exact is the charge by rational arithmetic, rounded half up.
func exact(p sluice.Price, q sluice.Quantities, m sluice.Multiplier) *big.Int {
	sum := new(big.Rat)
	for u, n := range q {
		sum.Add(sum, new(big.Rat).Mul(big.NewRat(n, 1_000_000), big.NewRat(int64(p.Rates[sluice.Unit(u)]), 1)))
	}
	sum.Mul(sum, big.NewRat(int64(m), 1_000_000))
	sum.Add(sum, big.NewRat(1, 2))
	return new(big.Int).Quo(sum.Num(), sum.Denom())
}

// TestChargeIsExact compares charges with rational arithmetic: a price that is
// wrong by one nano makes every book that is built on it wrong (E-39).
func TestChargeIsExact(t *testing.T) {
	rounds := 1_000_000
	if testing.Short() || raceEnabled {
		rounds = 50_000
	}
	r := rand.New(rand.NewPCG(6, 39))
	b := book(t, randomPrice(r, 1), randomPrice(r, 2), randomPrice(r, 3), randomPrice(r, 4))
	for i := range rounds {
		v, _ := b.Version(uint64(1 + i%4))
		q, m := randomQuantities(r), sluice.Multiplier(1+r.Int64N(int64(3*sluice.NoMultiplier)))
		got, err := v.Charge(q, m)
		if i%16 != 0 && err == nil {
			continue // rational arithmetic is a hundred times slower
		}
		if want := exact(v.Price(), q, m); err != nil || want.Cmp(big.NewInt(int64(got))) != 0 {
			t.Fatalf("round %d: %v x %d = %d, %v; want %s", i, q, m, got, err, want)
		}
	}
}

// TestChargeDoesNotDependOnTheWay meters one usage in any number of steps: a
// streamed request must cost what the same request costs in one piece (E-39).
func TestChargeDoesNotDependOnTheWay(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 40))
	v, _ := book(t, randomPrice(r, 1)).Version(1)
	for range 2_000 {
		whole := randomQuantities(r)
		want, err := v.Charge(whole, sluice.NoMultiplier)
		if err != nil {
			t.Fatal(err)
		}
		var seen sluice.Quantities
		last := sluice.Nanos(0)
		for seen != whole {
			for u := range seen {
				if left := whole[u] - seen[u]; left > 0 {
					seen[u] += 1 + r.Int64N(left)
				}
			}
			now, err := v.Charge(seen, sluice.NoMultiplier)
			if err != nil || now < last {
				t.Fatalf("the charge went from %s to %s while usage grew: %v", last, now, err)
			}
			last = now
		}
		if last != want {
			t.Fatalf("in steps %s, in one piece %s", last, want)
		}
	}
}

// TestRoundingIsBounded sums many charges: each may be off by half a nano, and
// no more than that in sum (E-39).
func TestRoundingIsBounded(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 41))
	p := randomPrice(r, 1)
	v, _ := book(t, p).Version(1)
	const n = 20_000
	sum, exactSum := new(big.Rat), new(big.Rat)
	for range n {
		q := randomQuantities(r)
		got, err := v.Charge(q, sluice.NoMultiplier)
		if err != nil {
			t.Fatal(err)
		}
		sum.Add(sum, new(big.Rat).SetInt64(int64(got)))
		for u, k := range q {
			exactSum.Add(exactSum, new(big.Rat).Mul(big.NewRat(k, 1_000_000), big.NewRat(int64(p.Rates[sluice.Unit(u)]), 1)))
		}
	}
	if off := sum.Sub(sum, exactSum); off.Abs(off).Cmp(big.NewRat(n, 2)) > 0 {
		t.Errorf("%d charges are off by %s nanos", n, off.FloatString(3))
	}
}

// TestEstimateIsAnUpperBound draws usages within a bound: an estimate below the
// charge would let a request cost more than it holds.
func TestEstimateIsAnUpperBound(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 42))
	for range 2_000 {
		v, _ := book(t, randomPrice(r, 1)).Version(1)
		bound := price.Bound{Input: r.Int64N(100_000), Output: r.Int64N(8_000)}
		m := sluice.Multiplier(1 + r.Int64N(int64(3*sluice.NoMultiplier)))
		estimate, err := v.Estimate(bound, m)
		if err != nil {
			t.Fatal(err)
		}
		cached, reasoning := r.Int64N(bound.Input+1), r.Int64N(bound.Output+1)
		q := sluice.Quantities{sluice.UnitRequest: 1, sluice.UnitOutput: bound.Output - reasoning, sluice.UnitReasoning: reasoning}
		q[sluice.UnitCacheWrite1h], q[sluice.UnitInput] = cached, bound.Input-cached
		if charge, err := v.Charge(q, m); err != nil || charge > estimate {
			t.Fatalf("charge %s is above the estimate %s: %v", charge, estimate, err)
		}
		bound.Media = true
		estimate, _ = v.Estimate(bound, m)
		q = sluice.Quantities{sluice.UnitAudioInput: bound.Input, sluice.UnitAudioOutput: bound.Output}
		if charge, err := v.Charge(q, m); err != nil || charge > estimate {
			t.Fatalf("with media, charge %s is above the estimate %s: %v", charge, estimate, err)
		}
	}
}

// TestVersionOfAMoment picks by moment and tenant: a price that takes effect too
// early, or a tenant's own that is passed over, charges people wrongly.
func TestVersionOfAMoment(t *testing.T) {
	at := func(h int) time.Time { return epoch.Add(time.Duration(h) * time.Hour) }
	rate := map[sluice.Unit]sluice.Rate{sluice.UnitInput: 5}
	b := book(t,
		sluice.Price{Version: 3, Model: "m", Asset: "USD", From: at(20), Rates: rate},
		sluice.Price{Version: 1, Model: "m", Asset: "USD", From: at(0), Rates: rate},
		sluice.Price{Version: 2, Model: "m", Asset: "USD", From: at(10), Rates: rate},
		sluice.Price{Version: 9, Model: "m", Tenant: "acme", Asset: "USD", From: at(15), Free: true},
	)
	for _, c := range []struct {
		tenant string
		hour   int
		want   uint64
	}{{"", 0, 1}, {"", 9, 1}, {"", 10, 2}, {"", 19, 2}, {"", 20, 3}, {"", 900, 3}, {"acme", 14, 2}, {"acme", 15, 9}, {"acme", 30, 9}, {"other", 15, 2}} {
		v, err := b.At("m", c.tenant, at(c.hour))
		if err != nil || v.Price().Version != c.want {
			t.Errorf("tenant %q at hour %d: %v, %v; want version %d", c.tenant, c.hour, v, err, c.want)
		}
	}
	for _, miss := range []struct {
		model string
		hour  int
	}{{"m", -1}, {"unknown", 5}} {
		if _, err := b.At(miss.model, "", at(miss.hour)); sluice.CodeOf(err) != sluice.CodeNotFound {
			t.Errorf("%s at hour %d: %v, want not found", miss.model, miss.hour, err)
		}
	}
	free, _ := b.Version(9)
	if cost, err := free.Charge(sluice.Quantities{sluice.UnitOutput: 1 << 40}, sluice.NoMultiplier); cost != 0 || err != nil {
		t.Errorf("a free model costs %s, %v", cost, err)
	}
}

// TestBadPrices refuses what would make charges ambiguous or impossible, each
// with its code: the alternative is to find out from an invoice.
func TestBadPrices(t *testing.T) {
	good := sluice.Price{Version: 1, Model: "m", Asset: "USD", From: epoch, Rates: map[sluice.Unit]sluice.Rate{sluice.UnitInput: 1}}
	change := func(f func(*sluice.Price)) sluice.Price { p := good; f(&p); return p }
	for name, prices := range map[string][]sluice.Price{
		"negative rate":     {change(func(p *sluice.Price) { p.Rates = map[sluice.Unit]sluice.Rate{sluice.UnitInput: -1} })},
		"no rates":          {change(func(p *sluice.Price) { p.Rates = nil })},
		"free with rates":   {change(func(p *sluice.Price) { p.Free = true })},
		"no asset":          {change(func(p *sluice.Price) { p.Asset = "" })},
		"no moment":         {change(func(p *sluice.Price) { p.From = time.Time{} })},
		"no version":        {change(func(p *sluice.Price) { p.Version = 0 })},
		"version twice":     {good, change(func(p *sluice.Price) { p.Model = "n" })},
		"same moment twice": {good, change(func(p *sluice.Price) { p.Version = 2 })},
	} {
		if _, err := price.NewBook(prices); sluice.CodeOf(err) != sluice.CodeInvalidRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
	b := book(t, good)
	later := change(func(p *sluice.Price) { p.Version, p.From = 2, epoch.Add(time.Hour) })
	if _, err := b.Add(later, epoch.Add(2*time.Hour)); sluice.CodeOf(err) != sluice.CodeConflict {
		t.Errorf("back-dated: %v", err)
	}
	if next, err := b.Add(later, epoch); err != nil || len(next.Prices()) != 2 || len(b.Prices()) != 1 {
		t.Errorf("adding a price: %v", err)
	}
}

// TestBadQuantities refuses what must never become an amount (E-25).
func TestBadQuantities(t *testing.T) {
	v, _ := book(t, sluice.Price{Version: 1, Model: "m", Asset: "USD", From: epoch, Rates: map[sluice.Unit]sluice.Rate{sluice.UnitInput: math.MaxInt64}}).Version(1)
	for name, c := range map[string]struct {
		q sluice.Quantities
		m sluice.Multiplier
	}{
		"negative":            {sluice.Quantities{sluice.UnitInput: -1}, sluice.NoMultiplier},
		"overflow":            {sluice.Quantities{sluice.UnitInput: math.MaxInt64}, sluice.NoMultiplier},
		"overflow by group":   {sluice.Quantities{sluice.UnitInput: math.MaxInt64}, sluice.MaxMultiplier},
		"just over":           {sluice.Quantities{sluice.UnitInput: 1_000_001}, sluice.NoMultiplier},
		"unpriced unit":       {sluice.Quantities{sluice.UnitOutput: 1}, sluice.NoMultiplier},
		"multiplier zero":     {sluice.Quantities{sluice.UnitInput: 1}, 0},
		"multiplier too big":  {sluice.Quantities{sluice.UnitInput: 1}, sluice.MaxMultiplier + 1},
		"multiplier negative": {sluice.Quantities{sluice.UnitInput: 1}, -1},
	} {
		if cost, err := v.Charge(c.q, c.m); sluice.CodeOf(err) != sluice.CodeInvalidRequest {
			t.Errorf("%s costs %s, %v", name, cost, err)
		}
	}
	if cost, err := v.Charge(sluice.Quantities{sluice.UnitInput: 1_000_000}, sluice.NoMultiplier); err != nil || cost != math.MaxInt64 {
		t.Errorf("the greatest amount: %s, %v", cost, err)
	}
}

// TestExplainAddsUp shows lines whose sum is the charge, but for what rounding
// for display takes from each: people add them up.
func TestExplainAddsUp(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 43))
	v, _ := book(t, randomPrice(r, 1)).Version(1)
	for range 500 {
		q := randomQuantities(r)
		charge, _ := v.Charge(q, 1_300_000)
		lines, err := v.Explain(q, 1_300_000)
		if err != nil {
			t.Fatal(err)
		}
		sum := sluice.Nanos(0)
		for _, l := range lines {
			sum += l.Amount
		}
		if diff := sum - charge; diff > sluice.Nanos(len(lines)) || -diff > sluice.Nanos(len(lines)) {
			t.Fatalf("lines sum to %s, charged %s", sum, charge)
		}
	}
}

// FuzzCharge compares with rational arithmetic whatever the fuzzer finds.
func FuzzCharge(f *testing.F) {
	f.Add(int64(1), int64(1), int64(1_000_000))
	f.Add(int64(math.MaxInt64), int64(math.MaxInt64), int64(1_000_000_000))
	f.Fuzz(func(t *testing.T, rate, quantity, multiplier int64) {
		p := sluice.Price{Version: 1, Model: "m", Asset: "USD", From: epoch, Rates: map[sluice.Unit]sluice.Rate{sluice.UnitInput: sluice.Rate(rate)}}
		b, err := price.NewBook([]sluice.Price{p})
		if err != nil {
			return
		}
		v, _ := b.Version(1)
		q := sluice.Quantities{sluice.UnitInput: quantity}
		got, err := v.Charge(q, sluice.Multiplier(multiplier))
		if quantity < 0 || multiplier <= 0 || multiplier > int64(sluice.MaxMultiplier) {
			if err == nil {
				t.Fatalf("%d x %d x %d was charged", quantity, rate, multiplier)
			}
			return
		}
		want := exact(p, q, sluice.Multiplier(multiplier))
		if err == nil && want.Cmp(big.NewInt(int64(got))) != 0 || err != nil && want.IsInt64() && want.BitLen() < 62 {
			t.Fatalf("%d x %d x %d = %d, %v; want %s", quantity, rate, multiplier, got, err, want)
		}
	})
}
