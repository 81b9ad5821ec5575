package link_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// admission connects to a server as one gateway of many; slow machines must not
// turn a test of counting into one of timeouts.
func admission(t testing.TB, s *sluicetest.RedisServer, prefix string, change func(*link.RedisAdmissionConfig)) *link.RedisAdmission {
	t.Helper()
	cfg := link.RedisAdmissionConfig{Redis: open(t, s, prefix), Timeout: 5 * time.Second, OnStoreError: link.OnErrorDeny, Log: quiet}
	if change != nil {
		change(&cfg)
	}
	a, err := link.NewRedisAdmission(cfg)
	must(t, err)
	return a
}

// TestRedisAdmission runs the Admission suite on Redis.
func TestRedisAdmission(t *testing.T) {
	server := sluicetest.Redis(t)
	n := 0
	testAdmission(t, func(now func() time.Time) sluice.Admission {
		n++ // a prefix of its own is an empty Redis
		return admission(t, server, fmt.Sprint(n, ":"), func(c *link.RedisAdmissionConfig) { c.BucketTime = now })
	})
}

// TestRedisAdmissionThatSettlesLater runs it on one that does not wait for
// settlements: what the same gateway admits next must come after them.
func TestRedisAdmissionThatSettlesLater(t *testing.T) {
	server := sluicetest.Redis(t)
	n := 0
	testAdmission(t, func(now func() time.Time) sluice.Admission {
		n++
		return admission(t, server, fmt.Sprint(n, ":"), func(c *link.RedisAdmissionConfig) { c.BucketTime, c.SettleQueue = now, 100 })
	})
}

// Losing this means that slots stay taken for a lease whenever a gateway ends:
// what Settle only queued must be in Redis when Run returns.
func TestSettlementsAreDrained(t *testing.T) {
	server := sluicetest.Redis(t)
	a, other := admission(t, server, "", func(c *link.RedisAdmissionConfig) { c.SettleQueue = 1000 }), admission(t, server, "", nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); a.Run(ctx) }()
	var grants []sluice.Grant
	for i := range 300 { // more than one exchange takes
		grants = append(grants, mustAdmit(t, a, fmt.Sprint(i), slots("s", 300)))
	}
	for _, g := range grants {
		settle(t, a, g, 0)
	}
	cancel()
	<-done
	for i := range 300 {
		mustAdmit(t, other, fmt.Sprint("after ", i), slots("s", 300))
	}
}

// Losing this means that a Redis which is away fills the memory with settlements.
func TestSettlementsAreBounded(t *testing.T) {
	server := sluicetest.Redis(t)
	a := admission(t, server, "", func(c *link.RedisAdmissionConfig) { c.SettleQueue = 5 })
	var grants []sluice.Grant
	for i := range 20 {
		grants = append(grants, mustAdmit(t, a, fmt.Sprint(i), slots("s", 20)))
	}
	server.Signal(t, syscall.SIGSTOP)
	refused := 0
	for _, g := range grants {
		if err := a.Settle(t.Context(), g, 0); sluice.CodeOf(err) == sluice.CodeUnavailable {
			refused++
		}
	}
	server.Signal(t, syscall.SIGCONT)
	if refused < 10 {
		t.Errorf("%d of 20 were refused, 5 may wait and 5 be on their way", refused)
	}
}

// TestRedisAdmissionFallback runs the same suite on what decides while Redis is
// away.
func TestRedisAdmissionFallback(t *testing.T) {
	server := sluicetest.Redis(t)
	server.Stop(t, syscall.SIGKILL)
	testAdmission(t, func(now func() time.Time) sluice.Admission {
		return admission(t, server, "", func(c *link.RedisAdmissionConfig) { c.OnStoreError, c.Now = link.OnErrorLocal, now })
	})
}

// slidingLog is the exact model: it admits only what keeps each interval between
// an admission and now within burst + rate * interval.
type slidingLog struct {
	limit, burst int64
	window       time.Duration
	log          []time.Duration
}

func (o *slidingLog) take(now time.Duration) bool {
	count := int64(1)
	for i := len(o.log) - 1; i >= 0; i-- {
		count++
		if (count-o.burst)*int64(o.window) > int64(now-o.log[i])*o.limit {
			return false
		}
	}
	o.log = append(o.log, now)
	return true
}

// Losing this means that clients are refused what they pay for, or get more,
// when several gateways share a limit: within -0/+1 % of the sliding log.
func TestRedisWithinOnePercentOfTheSlidingLog(t *testing.T) {
	server := sluicetest.Redis(t)
	c := &clock{}
	var gateways [3]*link.RedisAdmission
	for i := range gateways {
		gateways[i] = admission(t, server, "", func(cfg *link.RedisAdmissionConfig) { cfg.BucketTime = c.Now })
	}
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 1))
		o := slidingLog{limit: 1 + r.Int64N(200), window: []time.Duration{time.Second, time.Minute, 7 * time.Second}[r.IntN(3)]}
		o.burst = 1 + r.Int64N(o.limit)
		claim := sluice.Claim{Kind: sluice.ClaimRequests, Bucket: fmt.Sprint("b", seed), Limit: o.limit, Burst: o.burst, Window: o.window, Amount: 1}
		want, got := 0, 0
		for i := range 500 {
			switch r.IntN(20) {
			case 0:
				c.advance(time.Duration(r.Int64N(int64(o.window))).Truncate(time.Microsecond))
			case 1, 2, 3, 4, 5: // a burst
			default:
				c.advance(time.Duration(r.Int64N(2*int64(o.window)/o.limit + 1)).Truncate(time.Microsecond))
			}
			if o.take(time.Duration(c.at.Load())) {
				want++
			}
			if _, err := admit(t, gateways[i%3], fmt.Sprint(seed, "-", i), claim); err == nil {
				got++
			}
			if got < want || float64(got-want) > 0.01*float64(want) {
				t.Fatalf("seed %d, %d per %s, burst %d, request %d: %d admitted, exactly %d are right", seed, o.limit, o.window, o.burst, i, got, want)
			}
		}
	}
}

// Losing this means that limits are not exact when gateways ask at once: three
// of them share requests, tokens and slots, by the clock of Redis.
func TestRedisAdmissionIsExactAcrossGateways(t *testing.T) {
	server := sluicetest.Redis(t)
	var admitted atomic.Int64
	var wg sync.WaitGroup
	day := func(c sluice.Claim) sluice.Claim { c.Window = 24 * time.Hour; return c }
	for g := range 3 {
		a := admission(t, server, "", nil)
		for w := range 4 {
			wg.Go(func() {
				for i := range 60 {
					id := fmt.Sprint(g, "-", w, "-", i)
					_, err := a.Admit(context.Background(), sluice.Claims{RequestID: id, List: []sluice.Claim{day(requests("r", 400)), day(tokens("t", 100_000, 100)), slots("s", 250)}})
					if err == nil {
						admitted.Add(1)
					}
				}
			})
		}
	}
	wg.Wait()
	if n := admitted.Load(); n != 250 {
		t.Errorf("%d admitted, want exactly the 250 slots", n)
	}
	left := mustAdmit(t, admission(t, server, "", nil), "last", day(requests("r", 400)), day(tokens("t", 100_000, 100)))
	if left.Standings[0].Remaining != 149 || left.Standings[1].Remaining != 74_900 {
		t.Errorf("standings %+v: refused requests took some", left.Standings)
	}
}

// Losing this means that slots of a gateway which died stay taken for ever, or
// that those of long requests are given away while they run.
func TestLeases(t *testing.T) {
	server := sluicetest.Redis(t)
	lease := func(c *link.RedisAdmissionConfig) { c.Lease = 600 * time.Millisecond }
	alive, dead := admission(t, server, "", lease), admission(t, server, "", lease)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); alive.Run(ctx) }()
	g := mustAdmit(t, alive, "long", slots("s", 2))
	mustAdmit(t, dead, "orphan", slots("s", 2))
	mustRefuse(t, alive, "third", sluice.CodeConcurrency, slots("s", 2))
	eventually(t, "the orphan's slot", func() bool { _, err := admit(t, alive, "heir", slots("s", 2)); return err == nil })
	time.Sleep(2 * 600 * time.Millisecond) // the lease would be over without its renewal
	mustRefuse(t, dead, "fourth", sluice.CodeConcurrency, slots("s", 2))
	settle(t, alive, g, 0)
	mustAdmit(t, dead, "fifth", slots("s", 2))
	cancel()
	<-done
}

// Losing this means that a hung Redis holds up every request, or that limits are
// off while it hangs: one timeout a second, and the local share in between.
func TestHungRedis(t *testing.T) {
	server := sluicetest.Redis(t)
	a := admission(t, server, "", func(c *link.RedisAdmissionConfig) {
		c.Timeout, c.OnStoreError, c.Gateways = 50*time.Millisecond, link.OnErrorLocal, func() int { return 4 }
	})
	eventually(t, "the first answer", func() bool {
		g, err := admit(t, a, "warm up", requests("w", 1))
		return err == nil && g.Standings[0].Claim.Limit == 1
	})
	server.Signal(t, syscall.SIGSTOP)
	var admitted, slow atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for w := range 10 {
		wg.Go(func() {
			for i := range 100 {
				begin := time.Now()
				if _, err := a.Admit(context.Background(), sluice.Claims{RequestID: fmt.Sprint(w, "-", i), List: []sluice.Claim{requests("r", 400)}}); err == nil {
					admitted.Add(1)
				}
				if time.Since(begin) > 40*time.Millisecond {
					slow.Add(1)
				}
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	wg.Wait()
	seconds := int64(time.Since(start)/time.Second) + 1
	if n := admitted.Load(); n < 100 || n > 110 {
		t.Errorf("%d admitted, want this gateway's quarter of 400", n)
	}
	if n := slow.Load(); n > 50+2*seconds { // those in flight when it hung, then one a second, and a busy machine
		t.Errorf("%d requests waited in %d s", n, seconds)
	}
	server.Signal(t, syscall.SIGCONT)
	eventually(t, "the return to Redis", func() bool {
		g, err := admit(t, a, fmt.Sprint("back ", time.Now().UnixNano()), requests("n", 100))
		return err == nil && g.Standings[0].Claim.Limit == 100
	})
}

// Losing this means that the operator's choice for an outage is not followed.
func TestOnStoreError(t *testing.T) {
	server := sluicetest.Redis(t)
	server.Stop(t, syscall.SIGKILL)
	allow := admission(t, server, "", func(c *link.RedisAdmissionConfig) { c.OnStoreError = link.OnErrorAllow })
	deny := admission(t, server, "", nil)
	for i := range 3 {
		settle(t, allow, mustAdmit(t, allow, fmt.Sprint(i), requests("r", 1)), 0)
		if err := mustRefuse(t, deny, fmt.Sprint(i), sluice.CodeUnavailable, requests("r", 1)); err.RetryAfter < 1 {
			t.Errorf("retry after %d", err.RetryAfter)
		}
	}
	if _, err := link.NewRedisAdmission(link.RedisAdmissionConfig{Redis: open(t, server, ""), OnStoreError: "maybe"}); sluice.CodeOf(err) != sluice.CodeConfig {
		t.Errorf("an unknown choice: %v", err)
	}
}

// Losing this means that one damaged bucket turns all limits off.
func TestDamagedBucketHarmsNoOther(t *testing.T) {
	server := sluicetest.Redis(t)
	c, a := plain(t, server), admission(t, server, "", nil)
	must(t, c.LPush(t.Context(), "limit:requests:list", "x").Err())
	must(t, c.Set(t.Context(), "limit:requests:text", "nonsense", 0).Err())
	mustRefuse(t, a, "1", sluice.CodeUnavailable, requests("list", 5))
	mustAdmit(t, a, "2", requests("text", 1))
	mustRefuse(t, a, "3", sluice.CodeRequestRate, requests("text", 1))
}
