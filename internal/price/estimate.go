package price

import "github.com/sluicegate/sluice"

// The classes that a prompt token, or a completion token, may turn out to be;
// with media all of them, else those of text.
var (
	inputUnits = [...]sluice.Unit{sluice.UnitInput, sluice.UnitCachedInput, sluice.UnitCacheWrite5m, sluice.UnitCacheWrite1h,
		sluice.UnitAudioInput, sluice.UnitImageInput}
	outputUnits = [...]sluice.Unit{sluice.UnitOutput, sluice.UnitReasoning, sluice.UnitAudioOutput, sluice.UnitImageOutput}
)

// How many of them are text.
const (
	textInputs  = 4
	textOutputs = 2
)

// Bound is the most that a request can use, before it runs.
type Bound struct {
	Input  int64 // prompt tokens, of whatever class
	Output int64 // completion tokens, of whatever class: the cap in force
	// Media says that prompt or answer may hold audio or images, whose tokens
	// are dearer.
	Media bool
	// Other has the pieces; its token classes must be 0. What is 0 in it is not
	// measured.
	Other sluice.Quantities
}

// Estimate returns the most that a request within the bound can cost, rounded
// up: each token is taken at the dearest class that it may turn out to be. Its
// errors are those of [Version.Charge]; a price of nothing that is measured is
// [sluice.CodeInvalidRequest], too.
func (v *Version) Estimate(b Bound, m sluice.Multiplier) (sluice.Nanos, error) {
	q := b.Other
	q[sluice.UnitRequest] = max(q[sluice.UnitRequest], 1)
	in, out := inputUnits[:textInputs], outputUnits[:textOutputs]
	if b.Media {
		in, out = inputUnits[:], outputUnits[:]
	}
	if !v.price.Free && !v.tokens && !v.sells(&q) {
		return 0, sluice.Errorf(sluice.CodeInvalidRequest, "version %d of %s prices nothing that this request is measured in", v.price.Version, v.price.Model)
	}
	if v.tokens {
		if !v.included(in, &b.Other) {
			q[v.dearest(in)] += b.Input
		}
		if !v.included(out, &b.Other) {
			q[v.dearest(out)] += b.Output
		}
	}
	total, err := v.total(&q, m)
	if err != nil {
		return 0, err
	}
	return total.divide(perNano-1, v)
}

// dearest returns the unit with the highest rate, the first of equals: a token of
// a plain class is never paid for with a piece.
func (v *Version) dearest(units []sluice.Unit) sluice.Unit {
	best := units[0]
	for _, u := range units[1:] {
		if v.priced[u] && (!v.priced[best] || v.rates[u] > v.rates[best]) {
			best = u
		}
	}
	return best
}
