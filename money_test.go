package sluice_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/quick"

	"github.com/sluicegate/sluice"
)

// TestCostAgainstExactArithmetic compares the price of a million random usages
// with exact rationals: a cost off by one nano is money made or lost per call.
func TestCostAgainstExactArithmetic(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 50_000
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range n {
		rate := sluice.Rate(rnd.Int64() >> rnd.IntN(63))
		units := rnd.Int64() >> rnd.IntN(63)
		checkCost(t, rate, units)
	}
}

// TestCostAtTheEdges covers the operands where a multiply-add goes wrong first.
func TestCostAtTheEdges(t *testing.T) {
	edges := []int64{0, 1, 499_999, 500_000, 500_001, 999_999, 1_000_000, math.MaxInt32, math.MaxInt64 - 1, math.MaxInt64}
	for _, rate := range edges {
		for _, units := range edges {
			checkCost(t, sluice.Rate(rate), units)
		}
	}
	if _, ok := sluice.Rate(-1).Cost(1); ok {
		t.Error("a negative rate must not price anything")
	}
	if _, ok := sluice.Rate(1).Cost(-1); ok {
		t.Error("negative units must not be priced")
	}
}

// checkCost compares one cost with floor(rate x units / 10^6 + 1/2).
func checkCost(t *testing.T, rate sluice.Rate, units int64) {
	t.Helper()
	exact := new(big.Int).Mul(big.NewInt(int64(rate)), big.NewInt(units))
	exact.Add(exact, big.NewInt(500_000)).Quo(exact, big.NewInt(1_000_000))
	got, ok := rate.Cost(units)
	if ok != exact.IsInt64() {
		t.Fatalf("%d x %d: ok = %v, exact result is %s", rate, units, ok, exact)
	}
	if ok && int64(got) != exact.Int64() {
		t.Fatalf("%d x %d = %d, exact result is %s", rate, units, got, exact)
	}
}

// TestAddSubReportOverflow keeps a balance from wrapping around to a fortune.
func TestAddSubReportOverflow(t *testing.T) {
	check := func(a, b int64) bool {
		x, y := big.NewInt(a), big.NewInt(b)
		sum, okAdd := sluice.Nanos(a).Add(sluice.Nanos(b))
		diff, okSub := sluice.Nanos(a).Sub(sluice.Nanos(b))
		exactSum, exactDiff := new(big.Int).Add(x, y), new(big.Int).Sub(x, y)
		return okAdd == exactSum.IsInt64() && okSub == exactDiff.IsInt64() &&
			(!okAdd || int64(sum) == exactSum.Int64()) && (!okSub || int64(diff) == exactDiff.Int64())
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
	for _, a := range []int64{math.MinInt64, -1, 0, 1, math.MaxInt64} {
		for _, b := range []int64{math.MinInt64, -1, 0, 1, math.MaxInt64} {
			if !check(a, b) {
				t.Errorf("%d and %d", a, b)
			}
		}
	}
}

// TestDecimalsAreExact compares parsing with exact rationals; a decimal read
// through a float would lose the last digits of a balance.
func TestDecimalsAreExact(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		whole, decimals := rnd.Int64N(9_000_000_000), rnd.IntN(10)
		text := fmt.Sprintf("%d.%0*d", whole, decimals, rnd.Int64N(int64(math.Pow10(decimals))))
		text = strings.TrimSuffix(text, ".0")
		if decimals == 0 {
			text = fmt.Sprint(whole)
		}
		got, err := sluice.ParseNanos(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		exact, _ := new(big.Rat).SetString(text)
		exact.Mul(exact, big.NewRat(sluice.NanosPerUnit, 1))
		if !exact.IsInt() || exact.Num().Int64() != int64(got) {
			t.Fatalf("%q = %d nano, exact %s", text, got, exact)
		}
	}
}

// TestDecimalsRoundTrip shows that what JSON says of an amount is the amount, up
// to the ends of the range.
func TestDecimalsRoundTrip(t *testing.T) {
	check := func(v int64) bool {
		n, err1 := sluice.ParseNanos(sluice.Nanos(v).String())
		r, err2 := sluice.ParseRate(sluice.Rate(v).String())
		return err1 == nil && err2 == nil && int64(n) == v && int64(r) == v
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 10_000}); err != nil {
		t.Error(err)
	}
	for _, v := range []int64{0, 1, -1, 999_999_999, 1_000_000_000, math.MaxInt64, math.MaxInt64 - 1, -math.MaxInt64, math.MinInt64} {
		if !check(v) {
			t.Errorf("%d does not survive its own text %q", v, sluice.Nanos(v))
		}
	}
}

// TestParseNanosRefuses lists what must never be read as money.
func TestParseNanosRefuses(t *testing.T) {
	for _, text := range []string{
		"", "-", ".", "1.", ".5", "+1", "1e3", "0x10", "1_000", " 1", "1 ", "--1", "NaN", "Inf",
		"0.0000000001", "9223372036.854775808", "-9223372036.854775809", "99999999999999999999", "１",
	} {
		if v, err := sluice.ParseNanos(text); err == nil {
			t.Errorf("%q was read as %s", text, v)
		} else if sluice.CodeOf(err) != sluice.CodeInvalidRequest {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestMoneyJSON pins the wire forms: amounts are strings, because JavaScript
// would round them; rates and display balances are numbers by contract.
func TestMoneyJSON(t *testing.T) {
	var in struct {
		Amount  sluice.Nanos  `json:"amount"`
		Rate    sluice.Rate   `json:"cost_per_token"`
		Balance sluice.Number `json:"balance"`
		Money   sluice.Money  `json:"money"`
	}
	const text = `{"amount":"12.5","cost_per_token":0.0000000375,"balance":-0.000000001,"money":{"amount":"0","asset":"USD"}}`
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		t.Fatal(err)
	}
	if in.Amount != 12_500_000_000 || in.Rate != 37_500_000 || in.Balance != -1 {
		t.Errorf("read %+v", in)
	}
	out, err := json.Marshal(in)
	if err != nil || string(out) != text {
		t.Errorf("wrote %s, %v", out, err)
	}
	for _, bad := range []string{`{"amount":1e3}`, `{"amount":true}`, `{"amount":"1.0000000001"}`, `{"cost_per_token":1e-16}`, `{"cost_per_token":"1.e-7"}`, `{"cost_per_token":1e99}`} {
		if json.Unmarshal([]byte(bad), &in) == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

// FuzzDecimal searches for a text that parses to something else than it says.
func FuzzDecimal(f *testing.F) {
	for _, seed := range []string{"0", "-0.25", "12.50", "9223372036.854775807", "1e9", "0.000000001", "..", "-"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := sluice.ParseNanos(text)
		if err != nil {
			return
		}
		exact, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatalf("%q was read as %s but is no number", text, v)
		}
		exact.Mul(exact, big.NewRat(sluice.NanosPerUnit, 1))
		if !exact.IsInt() || exact.Num().Cmp(big.NewInt(int64(v))) != 0 {
			t.Fatalf("%q was read as %s", text, v)
		}
	})
}

// TestRateReadsExponents keeps clients working whose language writes small
// numbers as 6e-7: they would be refused a price that they state correctly.
func TestRateReadsExponents(t *testing.T) {
	for text, want := range map[string]string{
		"6e-7": "0.0000006", "6E-07": "0.0000006", "1.25e-5": "0.0000125", "3e-15": "0.000000000000003",
		"12.5e1": "125", "2e3": "2000", "0e0": "0", "1.50e-3": "0.0015", `"6e-7"`: "0.0000006",
	} {
		var r sluice.Rate
		if err := json.Unmarshal([]byte(text), &r); err != nil || r.String() != want {
			t.Errorf("%s is read as %s, %v; want %s", text, r, err, want)
		}
	}
}
