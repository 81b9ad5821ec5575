package limit_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/limit"
)

// clock is a settable clock.
type clock struct{ at atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Unix(1_700_000_000, 0).Add(time.Duration(c.at.Load())) }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

// oracle is the sliding log: it remembers every admission and admits only what
// keeps each interval between any of them and now within burst + rate*interval.
// It is exact and far too slow to serve with.
type oracle struct {
	limit, burst int64
	window       time.Duration
	log          []time.Duration
}

func (o *oracle) take(now time.Duration) bool {
	count := int64(1)
	for i := len(o.log) - 1; i >= 0; i-- {
		count++
		if (count-o.burst)*int64(o.window) > int64(now-o.log[i])*o.limit {
			return false
		}
	}
	if o.burst < 1 {
		return false
	}
	o.log = append(o.log, now)
	return true
}

// fixedWindow is the naive counter that admits twice its limit around an edge.
type fixedWindow struct {
	limit  int64
	window time.Duration
	number int64
	count  int64
}

func (f *fixedWindow) take(now time.Duration) bool {
	if n := int64(now / f.window); n != f.number {
		f.number, f.count = n, 0
	}
	f.count++
	return f.count <= f.limit
}

// gcra drives our limiter through the same interface.
type gcra struct {
	c     *clock
	l     *limit.Limiter
	claim []sluice.Claim
}

func newGCRA(o oracle) *gcra {
	c := &clock{}
	return &gcra{c, limit.New(limit.Config{Now: c.Now}), []sluice.Claim{{Kind: sluice.ClaimRequests, Bucket: "b", Limit: o.limit, Burst: o.burst, Window: o.window, Amount: 1}}}
}

func (g *gcra) take(now time.Duration) bool {
	g.c.at.Store(int64(now))
	_, refused, _ := g.l.Take(g.claim, nil)
	return refused < 0
}

// compare feeds both with the arrivals and returns the worst excess and
// shortfall of admitted requests against the oracle at any moment.
func compare(o oracle, take func(time.Duration) bool, arrivals []time.Duration) (excess, shortfall float64) {
	var want, got int
	for _, at := range arrivals {
		if o.take(at) {
			want++
		}
		if take(at) {
			got++
		}
		excess = max(excess, float64(got-want)/float64(want))
		shortfall = max(shortfall, float64(want-got)/float64(want))
	}
	return excess, shortfall
}

// arrivals are random: idle times, steady load and bursts.
func arrivals(r *rand.Rand, n int, window time.Duration, limit int64) []time.Duration {
	var at time.Duration
	list := make([]time.Duration, 0, n)
	step := int64(window)/limit + 1
	for len(list) < n {
		switch r.IntN(20) {
		case 0:
			at += time.Duration(r.Int64N(int64(window)))
		case 1, 2, 3:
			for range r.IntN(30) {
				list = append(list, at)
			}
		default:
			at += time.Duration(r.Int64N(2 * step))
		}
		list = append(list, at)
	}
	return list
}

// Losing this means that clients are refused what they pay for, or get more:
// admitted requests must stay within -0/+1 % of the exact sliding log.
func TestWithinOnePercentOfTheSlidingLog(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		o := oracle{limit: 1 + r.Int64N(200), window: []time.Duration{time.Second, time.Minute, 7 * time.Second, time.Hour}[r.IntN(4)]}
		o.burst = 1 + r.Int64N(o.limit)
		excess, shortfall := compare(o, newGCRA(o).take, arrivals(r, 1000, o.window, o.limit))
		if shortfall > 0 || excess > 0.01 {
			t.Errorf("seed %d, %d per %s, burst %d: +%.3f -%.3f", seed, o.limit, o.window, o.burst, excess, shortfall)
		}
	}
}

// Losing this means that the property above could not tell a fixed window from
// an exact limiter: its double burst around an edge must be found.
func TestTheOracleCatchesAFixedWindow(t *testing.T) {
	edge := make([]time.Duration, 0, 200)
	for i := range 200 {
		edge = append(edge, time.Minute-time.Millisecond+time.Duration(i/100)*2*time.Millisecond)
	}
	o := oracle{limit: 100, burst: 100, window: time.Minute}
	naive := &fixedWindow{limit: 100, window: time.Minute}
	if excess, _ := compare(o, naive.take, edge); excess < 0.9 {
		t.Errorf("a fixed window exceeds by %.2f around its edge, and the oracle missed it", excess)
	}
	if excess, _ := compare(o, newGCRA(o).take, edge); excess > 0.01 {
		t.Errorf("GCRA exceeds by %.2f around an edge", excess)
	}
}

func claims(list ...sluice.Claim) []sluice.Claim { return list }

func requests(bucket string, n int64) sluice.Claim {
	return sluice.Claim{Kind: sluice.ClaimRequests, Bucket: bucket, Limit: n, Window: time.Minute, Amount: 1}
}

func tokens(bucket string, limit, amount int64) sluice.Claim {
	return sluice.Claim{Kind: sluice.ClaimTokens, Bucket: bucket, Limit: limit, Window: time.Minute, Amount: amount}
}

func slots(bucket string, limit int64) sluice.Claim {
	return sluice.Claim{Kind: sluice.ClaimConcurrency, Bucket: bucket, Limit: limit, Amount: 1}
}

// Losing this means that a refusal on one limit eats up another.
func TestRefusalTakesNothing(t *testing.T) {
	c := &clock{}
	l := limit.New(limit.Config{Now: c.Now})
	all := claims(requests("r", 10), slots("s", 1), tokens("t", 100, 60))
	if _, refused, _ := l.Take(all, nil); refused != -1 {
		t.Fatalf("first take refused at %d", refused)
	}
	for range 50 {
		if _, refused, _ := l.Take(all, nil); refused != 1 {
			t.Fatalf("refused at %d, want the slot", refused)
		}
	}
	l.Correct(all[1], -1)
	if _, refused, wait := l.Take(all, nil); refused != 2 || wait != 12*time.Second {
		t.Fatalf("refused at %d for %s, want the tokens for 12s", refused, wait)
	}
	standings, _, _ := l.Take(claims(requests("r", 10)), nil)
	if standings[0].Remaining != 8 {
		t.Errorf("%d requests remain, want 8: refusals took some", standings[0].Remaining)
	}
}

// Losing this means that a request which used more than estimated goes unpaid
// in the next minute, or that unused tokens are lost.
func TestTokensCarryDebt(t *testing.T) {
	c := &clock{}
	l := limit.New(limit.Config{Now: c.Now})
	ask := tokens("t", 600, 100)
	l.Take(claims(ask), nil)
	l.Correct(ask, 1100) // it used 1200 of 600
	if _, refused, wait := l.Take(claims(ask), nil); refused != 0 || wait != 70*time.Second {
		t.Fatalf("refused %d for %s, want 70s: 600 of debt and 100 to take, at 10 per second", refused, wait)
	}
	l.Correct(ask, -1200)
	standings, refused, _ := l.Take(claims(ask), nil)
	if refused != -1 || standings[0].Remaining != 500 || standings[0].Reset != 10*time.Second {
		t.Errorf("after giving back: refused %d, %+v", refused, standings)
	}
}

// Losing this means that a claim which can never fit is retried for ever, or
// that extreme numbers wrap around and admit everything.
func TestExtremes(t *testing.T) {
	c := &clock{}
	l := limit.New(limit.Config{Now: c.Now})
	for _, claim := range []sluice.Claim{
		tokens("more than the burst", 100, 101), tokens("all there is", 100, 1<<62), tokens("nothing allowed", 0, 1),
		{Kind: sluice.ClaimTokens, Bucket: "burst without limit", Burst: 5, Window: time.Minute, Amount: 1},
	} {
		if _, refused, wait := l.Take(claims(claim), nil); refused != 0 || wait != time.Minute {
			t.Errorf("%s: refused %d, wait %s", claim.Bucket, refused, wait)
		}
	}
	big := tokens("big", 1_000_000_000_000, 1)
	if s, refused, _ := l.Take(claims(big), nil); refused != -1 || s[0].Remaining > 1_000_000_000_000-1 {
		t.Errorf("one of 1e12 tokens passed for nothing: %+v", s)
	}
	l.Correct(big, 1<<62)
	l.Correct(big, 1<<62)
	if _, refused, _ := l.Take(claims(big), nil); refused != 0 {
		t.Error("a debt of 2^63 wrapped around")
	}
}

// Losing this means that a flood of addresses fills the memory, or that it
// resets limits of those who are over theirs without anyone noticing.
func TestBucketsAreBounded(t *testing.T) {
	c := &clock{}
	l := limit.New(limit.Config{Now: c.Now, Buckets: 640})
	held := claims(slots("held", 1))
	l.Take(held, nil)
	for i := range 10_000 {
		l.Take(claims(requests(fmt.Sprint("ip:", i), 10)), nil)
		c.advance(time.Second)
	}
	if n := l.Tracked(); n > 641 {
		t.Errorf("%d buckets tracked, want at most 640 and the held slot", n)
	}
	if n := l.Evicted(); n != 0 {
		t.Errorf("%d buckets in use were evicted although idle ones were there", n)
	}
	for i := range 10_000 {
		l.Take(claims(requests(fmt.Sprint("flood:", i), 10)), nil)
	}
	if n := l.Tracked(); n > 641 {
		t.Errorf("%d buckets tracked in a flood", n)
	}
	if l.Evicted() == 0 {
		t.Error("a flood evicted buckets in use and did not count them")
	}
	if _, refused, _ := l.Take(held, nil); refused != 0 {
		t.Error("a slot in use was evicted")
	}
}

// Losing this means that limits are not exact under concurrency.
func TestConcurrentTakesAreExact(t *testing.T) {
	c := &clock{}
	l := limit.New(limit.Config{Now: c.Now})
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			list := claims(requests("shared", 500), requests("shared too", 700), slots("slot", 400))
			if g%2 == 0 { // another order must not deadlock
				list[0], list[2] = list[2], list[0]
			}
			for range 200 {
				if _, refused, _ := l.Take(list, nil); refused < 0 {
					admitted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := admitted.Load(); n != 400 {
		t.Errorf("%d admitted, want exactly the 400 slots", n)
	}
	left, _, _ := l.Take(claims(requests("shared", 500)), nil)
	if left[0].Remaining != 99 {
		t.Errorf("%d remain, want 99: the refused ones took some", left[0].Remaining)
	}
}

// Losing this means that every request pays for its limits with garbage.
func TestHitPathAllocatesNothing(t *testing.T) {
	l := limit.New(limit.Config{Now: time.Now})
	list := claims(requests("a", 1000), tokens("b", 1000, 1), slots("c", 1<<40))
	into := make([]sluice.Standing, 0, 3)
	l.Take(list, into)
	if n := testing.AllocsPerRun(100, func() { l.Take(list, into) }); n != 0 {
		t.Errorf("%v allocations per take", n)
	}
}
