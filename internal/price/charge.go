package price

import (
	"math"
	"math/bits"

	"github.com/sluicegate/sluice"
)

// perNano is what a sum of units x rate (per million units) x multiplier (in
// millionths) is divided by to give nano-units.
const perNano = 1_000_000 * uint64(sluice.NoMultiplier)

// Charge returns what the quantities cost under a multiplier: the exact sum
// over all units, rounded once, half up. A price by pieces takes no account of
// tokens, and one by tokens none of pieces. A negative quantity, a multiplier out
// of range, a used unit that counts and has no price, and an amount that does not
// fit are [sluice.CodeInvalidRequest]; a free version costs nothing, whatever was
// used.
func (v *Version) Charge(q sluice.Quantities, m sluice.Multiplier) (sluice.Nanos, error) {
	total, err := v.total(&q, m)
	if err != nil {
		return 0, err
	}
	return total.divide(perNano/2, v)
}

// Explain returns the lines of a charge in the order of the units, for people
// who ask why. Its errors are those of [Version.Charge].
func (v *Version) Explain(q sluice.Quantities, m sluice.Multiplier) ([]sluice.CostLine, error) {
	if _, err := v.Charge(q, m); err != nil {
		return nil, err
	}
	var lines []sluice.CostLine
	for u, n := range q {
		if n == 0 || v.price.Free || !v.counts(sluice.Unit(u), &q) {
			continue
		}
		var one sluice.Quantities
		one[u] = n
		amount, err := v.Charge(one, m)
		if err != nil {
			return nil, err
		}
		lines = append(lines, sluice.CostLine{Unit: sluice.Unit(u), Quantity: n, Rate: v.rates[u], Amount: amount})
	}
	return lines, nil
}

// total is the exact sum, in units x rate x multiplier.
func (v *Version) total(q *sluice.Quantities, m sluice.Multiplier) (uint128, error) {
	if m <= 0 || m > sluice.MaxMultiplier {
		return uint128{}, sluice.Errorf(sluice.CodeInvalidRequest, "the multiplier %d is out of range", m)
	}
	var sum uint128
	for u, n := range q {
		if n < 0 {
			return uint128{}, sluice.Errorf(sluice.CodeInvalidRequest, "the quantity of %s is negative", sluice.Unit(u))
		}
		if n == 0 || v.price.Free || !v.counts(sluice.Unit(u), q) {
			continue
		}
		if !v.priced[u] {
			return uint128{}, sluice.Errorf(sluice.CodeInvalidRequest, "version %d of %s has no price for %s", v.price.Version, v.price.Model, sluice.Unit(u))
		}
		if !sum.addProduct(uint64(n), uint64(v.rates[u])) {
			return uint128{}, v.overflow()
		}
	}
	if !sum.multiply(uint64(m)) {
		return uint128{}, v.overflow()
	}
	return sum, nil
}

func (v *Version) overflow() error {
	return sluice.Errorf(sluice.CodeInvalidRequest, "the cost by version %d of %s is out of range", v.price.Version, v.price.Model)
}

// uint128 is a sum that must not wrap.
type uint128 struct{ hi, lo uint64 }

// addProduct adds a x b, or reports false when the sum does not fit.
func (s *uint128) addProduct(a, b uint64) bool {
	hi, lo := bits.Mul64(a, b)
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, lo, 0)
	s.hi, carry = bits.Add64(s.hi, hi, carry)
	return carry == 0
}

// multiply multiplies by m, or reports false when the product does not fit.
func (s *uint128) multiply(m uint64) bool {
	over, hi := bits.Mul64(s.hi, m)
	carry, lo := bits.Mul64(s.lo, m)
	hi, wrapped := bits.Add64(hi, carry, 0)
	s.hi, s.lo = hi, lo
	return over == 0 && wrapped == 0
}

// divide returns (s + add) / perNano; add decides how it is rounded.
func (s uint128) divide(add uint64, v *Version) (sluice.Nanos, error) {
	lo, carry := bits.Add64(s.lo, add, 0)
	hi, over := bits.Add64(s.hi, 0, carry)
	if over != 0 || hi >= perNano {
		return 0, v.overflow()
	}
	quotient, _ := bits.Div64(hi, lo, perNano)
	if quotient > math.MaxInt64 {
		return 0, v.overflow()
	}
	return sluice.Nanos(quotient), nil
}
