package sluice

import (
	"encoding/json"
	"math/bits"
	"strconv"
	"strings"
)

// NanosPerUnit is how many nano-units make one unit of an asset.
const NanosPerUnit = 1_000_000_000

// Nanos is an amount in nano-units (1e-9) of some asset. It is exact: every
// operation that could overflow says so instead of wrapping. JSON shows it as a
// decimal string ("12.50"), because JavaScript numbers would round it.
type Nanos int64

// Money is an amount of a named asset, for instance 12.50 USD.
type Money struct {
	Amount Nanos  `json:"amount"`
	Asset  string `json:"asset"`
}

// Add returns n + m, or ok = false when the sum does not fit.
func (n Nanos) Add(m Nanos) (sum Nanos, ok bool) {
	sum = n + m
	return sum, (sum > n) == (m > 0)
}

// Sub returns n - m, or ok = false when the difference does not fit.
func (n Nanos) Sub(m Nanos) (diff Nanos, ok bool) {
	diff = n - m
	return diff, (diff < n) == (m > 0)
}

// String renders the amount as a decimal without trailing zeros: "-0.25".
func (n Nanos) String() string { return formatDecimal(int64(n), 9) }

// MarshalJSON renders a decimal string.
func (n Nanos) MarshalJSON() ([]byte, error) {
	return append(appendDecimal(append(make([]byte, 0, 32), '"'), int64(n), 9), '"'), nil
}

// UnmarshalJSON reads a decimal string or a JSON number, exactly; more than
// nine decimals are an error, never rounded.
func (n *Nanos) UnmarshalJSON(b []byte) error {
	v, err := ParseNanos(strings.Trim(string(b), `"`))
	if err != nil {
		return err
	}
	*n = v
	return nil
}

// ParseNanos reads a plain decimal ("12.5", "-0.000000001"). Exponents, more
// than nine decimals and amounts beyond ±9.2e9 units are [CodeInvalidRequest].
func ParseNanos(s string) (Nanos, error) {
	v, err := parseDecimal(s, 9)
	return Nanos(v), err
}

// Rate is a price per one unit in nano-units per 1,000,000 units (tokens,
// mostly), so that 0.0375 USD per million tokens is exactly 37,500,000. JSON
// shows it as an exact JSON number per single unit ("cost_per_token").
type Rate int64

// ParseRate reads a decimal price per single unit with up to fifteen decimals.
func ParseRate(s string) (Rate, error) {
	v, err := parseDecimal(s, 15)
	return Rate(v), err
}

// String renders the price per single unit as a plain decimal.
func (r Rate) String() string { return formatDecimal(int64(r), 15) }

// MarshalJSON renders an exact JSON number.
func (r Rate) MarshalJSON() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalJSON reads a JSON number or a decimal string, exactly. A number may
// have an exponent: JavaScript and Python write 0.0000006 as 6e-7.
func (r *Rate) UnmarshalJSON(b []byte) error {
	v, err := ParseRate(plainDecimal(strings.Trim(string(b), `"`)))
	if err != nil {
		return err
	}
	*r = v
	return nil
}

// Cost returns units x rate in nano-units, rounded half up once; ok is false
// when the product does not fit or an operand is negative.
func (r Rate) Cost(units int64) (cost Nanos, ok bool) {
	if r < 0 || units < 0 {
		return 0, false
	}
	const perMillion, half = 1_000_000, 500_000
	hi, lo := bits.Mul64(uint64(r), uint64(units))
	lo, carry := bits.Add64(lo, half, 0)
	if hi += carry; hi >= perMillion {
		return 0, false
	}
	q, _ := bits.Div64(hi, lo, perMillion)
	return Nanos(q), q <= 1<<63-1
}

// Number is a decimal that JSON shows as an exact number: the published
// "balance" of a key. It is for display only; nothing is decided by it.
type Number Nanos

// MarshalJSON renders an exact JSON number.
func (n Number) MarshalJSON() ([]byte, error) { return []byte(Nanos(n).String()), nil }

// UnmarshalJSON reads a JSON number or a decimal string, exactly.
func (n *Number) UnmarshalJSON(b []byte) error { return (*Nanos)(n).UnmarshalJSON(b) }

var (
	_ json.Marshaler   = Nanos(0)
	_ json.Unmarshaler = (*Rate)(nil)
)

// formatDecimal writes v x 10^-scale without trailing zeros.
func formatDecimal(v int64, scale int) string {
	var buf [32]byte
	return string(appendDecimal(buf[:0], v, scale))
}

// appendDecimal is [formatDecimal] behind b; it does not allocate where b has room.
func appendDecimal(b []byte, v int64, scale int) []byte {
	u := uint64(v)
	if v < 0 {
		b, u = append(b, '-'), -u
	}
	var digits [20]byte
	n := len(digits)
	for kept := false; scale > 0; scale-- { // from the last decimal on, without the zeros at the end
		if d := byte(u % 10); kept || d != 0 {
			n--
			digits[n], kept = '0'+d, true
		}
		u /= 10
	}
	b = strconv.AppendUint(b, u, 10)
	if n < len(digits) {
		b = append(append(b, '.'), digits[n:]...)
	}
	return b
}

// plainDecimal writes a number with a small exponent without it. Anything else
// is returned as it is, for the parser to judge.
func plainDecimal(s string) string {
	mantissa, exponent, found := strings.Cut(strings.ToLower(s), "e")
	shift, err := strconv.Atoi(exponent)
	rest, negative := strings.CutPrefix(mantissa, "-")
	whole, frac, dotted := strings.Cut(rest, ".")
	if !found || err != nil || max(shift, -shift) > 30 || len(rest) > 64 || whole == "" || dotted && frac == "" {
		return s
	}
	point := len(whole) + shift
	digits := strings.Repeat("0", max(0, 1-point)) + whole + frac
	point = max(point, 1)
	digits += strings.Repeat("0", max(0, point-len(digits)))
	out := strings.TrimRight(strings.TrimRight(digits[:point]+"."+digits[point:], "0"), ".")
	if negative {
		return "-" + out
	}
	return out
}

// parseDecimal reads a plain decimal as an integer scaled by 10^scale.
func parseDecimal(s string, scale int) (int64, error) {
	rest, negative := strings.CutPrefix(s, "-")
	whole, frac, dotted := strings.Cut(rest, ".")
	if whole == "" || dotted && frac == "" || len(frac) > scale || len(whole) > 19 {
		return 0, Errorf(CodeInvalidRequest, "%q is not a decimal with at most %d decimals", clip(s), scale)
	}
	var v uint64
	for _, c := range []byte(whole + frac + strings.Repeat("0", scale-len(frac))) {
		hi, lo := bits.Mul64(v, 10)
		sum, carry := bits.Add64(lo, uint64(c-'0'), 0)
		if c < '0' || c > '9' || hi|carry != 0 {
			return 0, Errorf(CodeInvalidRequest, "%q is not a decimal in range", clip(s))
		}
		v = sum
	}
	if negative && v <= 1<<63 {
		return int64(-v), nil
	}
	if v > 1<<63-1 {
		return 0, Errorf(CodeInvalidRequest, "%q is not a decimal in range", clip(s))
	}
	return int64(v), nil
}

// clip bounds text from outside that an error message repeats.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
