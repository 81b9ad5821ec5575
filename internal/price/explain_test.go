package price_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/price"
)

// simple prices input and output, in USD.
func simple() sluice.Price {
	return sluice.Price{Version: 1, Model: "m", Asset: "USD", From: epoch, Rates: map[sluice.Unit]sluice.Rate{sluice.UnitInput: 2_500_000_000, sluice.UnitOutput: 10_000_000_000}}
}

// TestEndingsDecideTheCost walks the endings that differ: an error of the
// provider's that is charged, or a broken stream that is not, is money lost by
// somebody.
func TestEndingsDecideTheCost(t *testing.T) {
	v, _ := book(t, simple()).Version(1)
	used := sluice.Usage{Input: 1000, Output: 10}
	for _, c := range []struct {
		ended price.Ended
		want  sluice.Nanos
	}{
		{price.Ended{Outcome: sluice.OutcomeComplete, Content: true, Usage: used, Source: sluice.UsageProvider}, 2_600_000},
		{price.Ended{Outcome: sluice.OutcomeError, Usage: used, Source: sluice.UsageProvider}, 0},
		{price.Ended{Outcome: sluice.OutcomeIncomplete, Content: true, Usage: used, Source: sluice.UsageEstimated}, 2_600_000},
		{price.Ended{Outcome: sluice.OutcomeClientGone, Usage: used, Source: sluice.UsageProvider}, 2_600_000},
		{price.Ended{Outcome: sluice.OutcomeClientGone}, 0},
		{price.Ended{Outcome: "unheard of", Content: true, Usage: used, Source: sluice.UsageProvider}, 0},
	} {
		got, err := v.Cost(c.ended, sluice.NoMultiplier)
		if err != nil || got.Amount != c.want || got.Asset != "USD" {
			t.Errorf("%+v costs %+v, %v; want %s", c.ended, got, err, c.want)
		}
	}
}

// TestClassesHaveTheRateOfTheirBase: a provider that begins to state cached or
// reasoning tokens must not make them free, nor the request unpriced.
func TestClassesHaveTheRateOfTheirBase(t *testing.T) {
	v, _ := book(t, simple()).Version(1)
	plain, err := v.Charge(sluice.Quantities{sluice.UnitInput: 5, sluice.UnitOutput: 2}, sluice.NoMultiplier)
	if err != nil {
		t.Fatal(err)
	}
	got, err := v.Charge(sluice.Quantities{
		sluice.UnitCachedInput: 1, sluice.UnitCacheWrite5m: 1, sluice.UnitCacheWrite1h: 1, sluice.UnitAudioInput: 1, sluice.UnitImageInput: 1,
		sluice.UnitReasoning: 1, sluice.UnitAudioOutput: 1,
	}, sluice.NoMultiplier)
	if err != nil || got != plain {
		t.Errorf("%s, %v; want %s", got, err, plain)
	}
	if _, err := v.Charge(sluice.Quantities{sluice.UnitImage: 1}, sluice.NoMultiplier); err == nil {
		t.Error("an image had a price")
	}
}

// TestExplainRecord answers the one question that people ask of a bill.
func TestExplainRecord(t *testing.T) {
	v, _ := book(t, simple()).Version(1)
	free, _ := book(t, sluice.Price{Version: 1, Model: "m", Asset: "USD", From: epoch, Free: true}).Version(1)
	narrow, _ := book(t, sluice.Price{Version: 1, Model: "m", Asset: "USD", From: epoch, Rates: map[sluice.Unit]sluice.Rate{sluice.UnitInput: 1}}).Version(1)
	requested, _ := book(t, sluice.Price{Version: 1, Model: "m", Asset: "USD", From: epoch, Rates: map[sluice.Unit]sluice.Rate{sluice.UnitRequest: 1_000_000_000_000}}).Version(1)
	charged := sluice.Record{ID: "r", Model: "m", Outcome: sluice.OutcomeComplete, Usage: sluice.Usage{Input: 1000, Output: 10}, UsageSource: sluice.UsageProvider,
		Price: v.Ref(2 * sluice.NoMultiplier), Cost: sluice.Money{Amount: 5_200_000, Asset: "USD"}}
	c := price.ExplainRecord(charged, v)
	var sum sluice.Nanos
	for _, l := range c.Lines {
		sum += l.Amount
	}
	if len(c.Lines) != 2 || sum != charged.Cost.Amount || c.Price.Version != 1 || c.Multiplier != 2*sluice.NoMultiplier || c.Quantities[sluice.UnitInput] != 1000 {
		t.Errorf("explained as %+v", c)
	}
	for _, e := range []struct {
		change func(*sluice.Record)
		v      *price.Version
		reason string
	}{
		{func(r *sluice.Record) { r.Cost.Amount = 0 }, free, "free"},
		{func(r *sluice.Record) { r.Cost.Amount, r.Outcome = 0, sluice.OutcomeError }, v, "No provider gave an answer"},
		{func(r *sluice.Record) { r.Cost, r.Unpriced = sluice.Money{}, true }, narrow, "no price for output"},
		{func(r *sluice.Record) { r.Cost.Amount, r.Outcome = 0, sluice.OutcomeClientGone }, v, "operator charges nothing"},
		{func(r *sluice.Record) {
			r.Cost.Amount, r.Usage, r.Outcome = 0, sluice.Usage{}, sluice.OutcomeClientGone
		}, requested, "Nothing was used"},
		{func(r *sluice.Record) { r.Cost.Amount++ }, v, "does not follow"},
		{func(*sluice.Record) {}, nil, "not known"},
		{func(r *sluice.Record) { r.Price, r.Cost, r.Unpriced = sluice.PriceRef{}, sluice.Money{}, true }, nil, "had no price"},
		{func(r *sluice.Record) { r.Price, r.Cost, r.Model = sluice.PriceRef{}, sluice.Money{}, "" }, nil, "Only requests to models"},
		{func(r *sluice.Record) { r.Price, r.Cost = sluice.PriceRef{}, sluice.Money{} }, nil, "refused before"},
	} {
		r := charged
		e.change(&r)
		if got := price.ExplainRecord(r, e.v); !strings.Contains(got.Reason, e.reason) || len(got.Lines) > 0 {
			t.Errorf("want %q, got %+v", e.reason, got)
		}
	}
}

// TestCompileLeavesOut serves the good prices of a damaged book: one of them
// must not make every model free.
func TestCompileLeavesOut(t *testing.T) {
	twice, sameMoment, broken, good := simple(), simple(), simple(), simple()
	twice.From = epoch.Add(time.Hour)
	sameMoment.Version = 2
	broken.Version, broken.Asset = 3, "?"
	good.Version, good.From = 4, epoch.Add(2*time.Hour)
	b, faults := price.Compile([]sluice.Price{simple(), twice, sameMoment, broken, good})
	if len(faults) != 3 || len(b.Prices()) != 2 {
		t.Errorf("%d prices, faults %+v", len(b.Prices()), faults)
	}
	if v := b.Holding("m", "acme", epoch.Add(3*time.Hour)); v == nil || v.Price().Version != 4 {
		t.Errorf("holding %+v", v)
	}
	if n := testing.AllocsPerRun(100, func() { b.Holding("unknown", "acme", epoch) }); n > 0 {
		t.Errorf("a model without a price costs %v allocations", n)
	}
}
