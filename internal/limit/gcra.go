package limit

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// forever stands for a time that never comes; it leaves room to add two.
const forever = math.MaxInt64 / 4

// Rate is what a bucket allows: Limit per Window, and Burst of them at once.
type Rate struct {
	Limit, Burst int64
	Window       time.Duration
}

// cost is how long the rate needs to refill n, in nanoseconds. It is rounded
// down, so that a client at its exact rate is never refused, except where a
// nanosecond is more than one per cent of it: there rounding down would let
// small amounts pass for nothing.
func (r Rate) cost(n int64) int64 {
	if n <= 0 {
		return 0
	}
	if r.Limit <= 0 {
		return forever
	}
	hi, lo := bits.Mul64(uint64(n), uint64(r.Window))
	if hi >= uint64(r.Limit) {
		return forever
	}
	q, rem := bits.Div64(hi, lo, uint64(r.Limit))
	if rem > 0 && q < 100 {
		q++
	}
	return int64(min(q, forever))
}

// worth is how many whole units a refill time stands for, the inverse of cost.
func (r Rate) worth(d int64) int64 {
	if d <= 0 || r.Window <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(d), uint64(r.Limit))
	if hi >= uint64(r.Window) {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, uint64(r.Window))
	return int64(min(q, math.MaxInt64))
}

// GCRA is the generic cell rate algorithm (ITU-T I.371) in one word: the time
// at which the bucket will be full again. It is exact, and admits in every
// interval t at most Burst + Limit*t/Window. Used with amounts that are
// corrected afterwards it is a token bucket with debt. Times are nanoseconds of
// the caller's monotonic clock. It is safe for concurrent use; the zero value
// is full.
type GCRA struct{ full atomic.Int64 }

// Take takes n if they are there. Otherwise it changes nothing and returns how
// long to wait until they may be, or forever when n exceeds the burst.
func (g *GCRA) Take(now int64, r Rate, n int64) (wait int64, ok bool) {
	for {
		old := g.full.Load()
		next, wait := plan(old, now, r, n)
		if wait > 0 {
			return wait, false
		}
		if g.full.CompareAndSwap(old, next) {
			return 0, true
		}
	}
}

// plan computes the next state and how long the caller is too early for it.
func plan(full, now int64, r Rate, n int64) (next, wait int64) {
	depth, cost := r.cost(r.Burst), r.cost(n)
	next = max(full, now) + cost
	if cost > depth || cost >= forever {
		return next, forever
	}
	return next, next - now - depth
}

// Adjust takes delta more, or gives -delta back, whatever is there: what
// exceeds the bucket is debt that later takes wait for.
func (g *GCRA) Adjust(now int64, r Rate, delta int64) {
	for {
		old := g.full.Load()
		next := max(old, now) + r.cost(delta)
		if delta < 0 {
			next = old - r.cost(-delta)
		}
		if g.full.CompareAndSwap(old, min(next, now+forever)) {
			return
		}
	}
}

// Standing returns how many are left and how long until the bucket is full.
func (g *GCRA) Standing(now int64, r Rate) (remaining int64, reset time.Duration) {
	empty := max(0, g.full.Load()-now)
	return min(r.Burst, r.worth(r.cost(r.Burst)-empty)), time.Duration(empty)
}
