package price

import "github.com/sluicegate/sluice"

// The classes that a prompt token, or a completion token, may turn out to be;
// the first of each count with media alone.
var (
	inputUnits  = [...]sluice.Unit{sluice.UnitAudioInput, sluice.UnitImageInput, sluice.UnitInput, sluice.UnitCachedInput, sluice.UnitCacheWrite5m, sluice.UnitCacheWrite1h}
	outputUnits = [...]sluice.Unit{sluice.UnitAudioOutput, sluice.UnitOutput, sluice.UnitReasoning}
)

// Bound is the most that a request can use, before it runs.
type Bound struct {
	Input  int64 // prompt tokens, of whatever class
	Output int64 // completion tokens, of whatever class: the cap in force
	// Media says that prompt or answer may hold audio or images, whose tokens
	// are dearer.
	Media bool
	// Other has the units that are no tokens; its token classes must be 0.
	Other sluice.Quantities
}

// Estimate returns the most that a request within the bound can cost, rounded
// up: each token is taken at the dearest class that it may turn out to be. Its
// errors are those of [Version.Charge].
func (v *Version) Estimate(b Bound, m sluice.Multiplier) (sluice.Nanos, error) {
	q := b.Other
	q[sluice.UnitRequest] = max(q[sluice.UnitRequest], 1)
	in, out := inputUnits[2:], outputUnits[1:]
	if b.Media {
		in, out = inputUnits[:], outputUnits[:]
	}
	q[v.dearest(in)] += b.Input
	q[v.dearest(out)] += b.Output
	total, err := v.total(&q, m)
	if err != nil {
		return 0, err
	}
	return total.divide(perNano-1, v)
}

// dearest returns the unit with the highest rate.
func (v *Version) dearest(units []sluice.Unit) sluice.Unit {
	best := units[0]
	for _, u := range units[1:] {
		if v.priced[u] && (!v.priced[best] || v.rates[u] > v.rates[best]) {
			best = u
		}
	}
	return best
}
