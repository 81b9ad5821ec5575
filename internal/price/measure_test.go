package price_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/price"
)

// rated is a version with a rate of its own, in nanos, for each of these units.
func rated(t *testing.T, rates map[sluice.Unit]sluice.Rate) *price.Version {
	t.Helper()
	p := sluice.Price{Version: 1, Model: "m", Asset: "USD", From: epoch, Rates: map[sluice.Unit]sluice.Rate{}}
	for u, r := range rates {
		p.Rates[u] = r * 1_000_000
	}
	v, _ := book(t, p).Version(1)
	return v
}

// What is sold by the piece would be charged by the token as well, or what is
// sold by the token be free because pieces were counted.
func TestPiecesAndTokens(t *testing.T) {
	const (
		in, out, made, seconds, letters = sluice.UnitInput, sluice.UnitOutput, sluice.UnitImage, sluice.UnitAudioSecond, sluice.UnitCharacter
		drawn, heard, request           = sluice.UnitImageOutput, sluice.UnitAudioInput, sluice.UnitRequest
	)
	picture := sluice.Quantities{in: 10, drawn: 4000, made: 2, request: 1}
	for name, c := range map[string]struct {
		rates map[sluice.Unit]sluice.Rate
		used  sluice.Quantities
		want  sluice.Nanos // -1 is an error
	}{
		"by the picture":                   {map[sluice.Unit]sluice.Rate{made: 7}, picture, 14},
		"by the token":                     {map[sluice.Unit]sluice.Rate{in: 1, drawn: 3}, picture, 12_010},
		"drawn tokens cost as output":      {map[sluice.Unit]sluice.Rate{in: 1, out: 2}, picture, 8_010},
		"prompt and picture":               {map[sluice.Unit]sluice.Rate{in: 1, out: 2, made: 7}, picture, 24},
		"by both, on purpose":              {map[sluice.Unit]sluice.Rate{in: 1, drawn: 3, made: 7}, picture, 12_024},
		"by the request":                   {map[sluice.Unit]sluice.Rate{request: 9}, picture, 9},
		"search units":                     {map[sluice.Unit]sluice.Rate{request: 9}, sluice.Quantities{in: 500, request: 3}, 27},
		"by the second":                    {map[sluice.Unit]sluice.Rate{seconds: 5}, sluice.Quantities{heard: 90, out: 20, seconds: 9}, 45},
		"seconds, and text that was heard": {map[sluice.Unit]sluice.Rate{seconds: 5, in: 1, out: 1}, sluice.Quantities{heard: 90, out: 20, seconds: 9}, 65},
		"by the character":                 {map[sluice.Unit]sluice.Rate{letters: 2}, sluice.Quantities{in: 3, letters: 11}, 22},
		"no picture came":                  {map[sluice.Unit]sluice.Rate{made: 7}, sluice.Quantities{in: 10}, 0},
		"pieces without a price alone":     {map[sluice.Unit]sluice.Rate{in: 1}, sluice.Quantities{made: 1}, -1},
		"another piece than is priced":     {map[sluice.Unit]sluice.Rate{letters: 1}, sluice.Quantities{made: 1}, -1},
		"text beside a picture":            {map[sluice.Unit]sluice.Rate{in: 1, made: 7}, sluice.Quantities{in: 10, out: 1, made: 1}, 17},
		"text beside what was heard":       {map[sluice.Unit]sluice.Rate{seconds: 5, out: 1}, sluice.Quantities{in: 4, heard: 90, out: 20, seconds: 9}, 65},
		"tokens that have no price":        {map[sluice.Unit]sluice.Rate{in: 1, letters: 7}, sluice.Quantities{in: 10, out: 1, made: 1}, -1},
		"some of the answer has a price":   {map[sluice.Unit]sluice.Rate{in: 1, drawn: 3, made: 7}, sluice.Quantities{in: 10, out: 1, made: 1}, -1},
		"tokens of pictures not counted":   {map[sluice.Unit]sluice.Rate{in: 1, made: 7}, sluice.Quantities{in: 10, drawn: 4000}, 10},
		"those that an output rate prices": {map[sluice.Unit]sluice.Rate{in: 1, out: 2, made: 7}, sluice.Quantities{in: 10, drawn: 40}, 90},
		"text where no picture came":       {map[sluice.Unit]sluice.Rate{in: 1, made: 7}, sluice.Quantities{in: 10, out: 1}, -1},
	} {
		v := rated(t, c.rates)
		got, err := v.Charge(c.used, sluice.NoMultiplier)
		if (err != nil) != (c.want < 0) || err == nil && got != c.want {
			t.Errorf("%s: %d, %v; want %d", name, got, err, c.want)
		}
		lines, _ := v.Explain(c.used, sluice.NoMultiplier)
		for _, l := range lines {
			c.want -= l.Amount
		}
		if err == nil && c.want != 0 {
			t.Errorf("%s: the lines %+v leave %d", name, lines, c.want)
		}
	}
}

// A request that nothing in the price measures would be let in, and be free.
func TestEstimateRefusesWhatIsNotMeasured(t *testing.T) {
	chat := price.Bound{Input: 100, Output: 50}
	picture := price.Bound{Input: 100, Output: 4000, Media: true, Other: sluice.Quantities{sluice.UnitImage: 1}}
	for name, c := range map[string]struct {
		unit  sluice.Unit
		bound price.Bound
		want  sluice.Nanos
	}{
		"chat by the picture":   {sluice.UnitImage, chat, -1},
		"chat by the second":    {sluice.UnitAudioSecond, chat, -1},
		"picture by the second": {sluice.UnitAudioSecond, picture, -1},
		"picture by the piece":  {sluice.UnitImage, picture, 5},
		"chat by the request":   {sluice.UnitRequest, chat, 5},
	} {
		got, err := rated(t, map[sluice.Unit]sluice.Rate{c.unit: 5}).Estimate(c.bound, sluice.NoMultiplier)
		if (err != nil) != (c.want < 0) || err == nil && got != c.want {
			t.Errorf("%s: %d, %v; want %d", name, got, err, c.want)
		}
	}
}

// A picture or a transcript of which both the text and the piece have a price
// would be refused, or one that the price leaves open be let in.
func TestEstimateOfTextAndPieces(t *testing.T) {
	picture := price.Bound{Input: 100, Output: 4000, Media: true, Other: sluice.Quantities{sluice.UnitImage: 2}}
	heard := price.Bound{Input: 100, Output: 50, Media: true, Other: sluice.Quantities{sluice.UnitAudioSecond: 9}}
	for name, c := range map[string]struct {
		text, piece sluice.Unit
		bound       price.Bound
		want        sluice.Nanos
	}{
		"prompt and picture":       {sluice.UnitInput, sluice.UnitImage, picture, 110},
		"picture, and its tokens":  {sluice.UnitOutput, sluice.UnitImage, picture, -1}, // nothing prices its prompt
		"seconds and text":         {sluice.UnitOutput, sluice.UnitAudioSecond, heard, 95},
		"seconds and prompt":       {sluice.UnitInput, sluice.UnitAudioSecond, heard, -1},
		"chat by such a price":     {sluice.UnitInput, sluice.UnitImage, price.Bound{Input: 100, Output: 50}, -1},
		"embeddings by such a one": {sluice.UnitInput, sluice.UnitImage, price.Bound{Input: 100}, 100},
	} {
		got, err := rated(t, map[sluice.Unit]sluice.Rate{c.text: 1, c.piece: 5}).Estimate(c.bound, sluice.NoMultiplier)
		if (err != nil) != (c.want < 0) || err == nil && got != c.want {
			t.Errorf("%s: %d, %v; want %d", name, got, err, c.want)
		}
	}
}

// With some units priced and others not, a request within its bound could cost
// more than it holds, or one be refused that could be charged for.
func TestEstimateOfAnyPrice(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 44))
	refused, charged := 0, 0
	for range 5_000 {
		p := randomPrice(r, 1)
		keep := 1 + r.IntN(int(sluice.UnitCount)) // few units, or most of them
		for u := range p.Rates {
			if r.IntN(int(sluice.UnitCount)) >= keep && len(p.Rates) > 1 {
				delete(p.Rates, u)
			}
		}
		v, _ := book(t, p).Version(1)
		bound := price.Bound{Input: 1 + r.Int64N(10_000), Output: 1 + r.Int64N(10_000), Media: true}
		pieces := [...]sluice.Unit{sluice.UnitImage, sluice.UnitAudioSecond, sluice.UnitCharacter, sluice.UnitRequest}
		bound.Other[pieces[r.IntN(len(pieces))]] = 1 + r.Int64N(100)
		estimate, err := v.Estimate(bound, sluice.NoMultiplier)
		if want := measures(p, bound); (err == nil) != want {
			t.Fatalf("by %v, within %+v: %v; to be let in is %v", p.Rates, bound, err, want)
		}
		if err != nil {
			refused++
			continue
		}
		used := sluice.Quantities{sluice.UnitRequest: 1}
		for _, u := range pieces {
			used[u] = max(used[u], r.Int64N(bound.Other[u]+1))
		}
		split(r, &used, bound.Input, inputs[:]...)
		split(r, &used, bound.Output, outputs[:]...)
		charge, err := v.Charge(used, sluice.NoMultiplier)
		if err == nil {
			charged++
		}
		if err == nil && charge > estimate {
			t.Fatalf("by %v, %v costs %s, held %s", p.Rates, used, charge, estimate)
		}
	}
	if refused < 500 || charged < 500 {
		t.Errorf("%d were refused, %d charged: nothing was tried", refused, charged)
	}
}

// The classes of tokens that are split.
var (
	inputs = [...]sluice.Unit{sluice.UnitInput, sluice.UnitCachedInput, sluice.UnitCacheWrite5m, sluice.UnitCacheWrite1h,
		sluice.UnitAudioInput, sluice.UnitImageInput}
	outputs = [...]sluice.Unit{sluice.UnitOutput, sluice.UnitReasoning, sluice.UnitAudioOutput, sluice.UnitImageOutput}
)

// measures reports whether a price is one of what a bound is measured in: of a
// piece of it, or, if it is by the token, of what is read and of what is written,
// each by a token or by the piece that it is part of.
func measures(p sluice.Price, b price.Bound) bool {
	has := func(units ...sluice.Unit) bool {
		return slices.ContainsFunc(units, func(u sluice.Unit) bool { _, ok := p.Rates[u]; return ok })
	}
	sold := func(u sluice.Unit) bool { return has(u) && b.Other[u] > 0 }
	if !has(inputs[:]...) && !has(outputs[:]...) {
		return has(sluice.UnitRequest) || sold(sluice.UnitImage) || sold(sluice.UnitAudioSecond) || sold(sluice.UnitCharacter)
	}
	read := has(inputs[:]...) || sold(sluice.UnitAudioSecond)
	return read && (has(outputs[:]...) || sold(sluice.UnitImage) || sold(sluice.UnitCharacter))
}

// split deals n tokens out to classes.
func split(r *rand.Rand, q *sluice.Quantities, n int64, units ...sluice.Unit) {
	for _, u := range units {
		q[u] = r.Int64N(n + 1)
		n -= q[u]
	}
}
