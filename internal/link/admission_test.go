package link_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
)

// clock is a settable clock.
type clock struct{ at atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Unix(1_700_000_000, 0).Add(time.Duration(c.at.Load())) }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

// TestLocal runs the Admission suite on the embedded implementation.
func TestLocal(t *testing.T) {
	testAdmission(t, func(now func() time.Time) sluice.Admission {
		return link.NewLocal(link.LocalConfig{Now: now})
	})
}

// testAdmission is the conformance suite of the Admission port; every
// implementation joins it with its constructor.
func testAdmission(t *testing.T, open func(now func() time.Time) sluice.Admission) {
	for name, run := range map[string]func(*testing.T, sluice.Admission, *clock){
		"refusals name the bucket":      refusalsNameTheBucket,
		"a refusal takes nothing":       refusalTakesNothing,
		"the same id counts once":       sameIDCountsOnce,
		"settle corrects once":          settleCorrectsOnce,
		"overuse is debt":               overuseIsDebt,
		"release gives back":            releaseGivesBack,
		"no claims are always admitted": noClaims,
		"faulty claims are refused":     faultyClaims,
		"exact under concurrency":       exactUnderConcurrency,
	} {
		t.Run(name, func(t *testing.T) {
			c := &clock{}
			run(t, open(c.Now), c)
		})
	}
}

func requests(bucket string, n int64) sluice.Claim {
	return sluice.Claim{Kind: sluice.ClaimRequests, Bucket: bucket, Limit: n, Window: time.Minute, Amount: 1}
}

func tokens(bucket string, limit, amount int64) sluice.Claim {
	return sluice.Claim{Kind: sluice.ClaimTokens, Bucket: bucket, Limit: limit, Window: time.Minute, Amount: amount}
}

func slots(bucket string, limit int64) sluice.Claim {
	return sluice.Claim{Kind: sluice.ClaimConcurrency, Bucket: bucket, Limit: limit, Amount: 1}
}

// admit asks and returns the grant and the code.
func admit(t *testing.T, a sluice.Admission, id string, list ...sluice.Claim) (sluice.Grant, *sluice.Error) {
	t.Helper()
	g, err := a.Admit(context.Background(), sluice.Claims{RequestID: id, List: list})
	var e *sluice.Error
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("admit %s: %v carries no code", id, err)
	}
	return g, e
}

func mustAdmit(t *testing.T, a sluice.Admission, id string, list ...sluice.Claim) sluice.Grant {
	t.Helper()
	g, err := admit(t, a, id, list...)
	if err != nil {
		t.Fatalf("admit %s: %v", id, err)
	}
	return g
}

func mustRefuse(t *testing.T, a sluice.Admission, id string, code sluice.Code, list ...sluice.Claim) *sluice.Error {
	t.Helper()
	_, err := admit(t, a, id, list...)
	if sluice.CodeOf(errOrNil(err)) != code {
		t.Fatalf("admit %s: got %v, want %s", id, err, code)
	}
	return err
}

func errOrNil(e *sluice.Error) error {
	if e == nil {
		return nil
	}
	return e
}

func settle(t *testing.T, a sluice.Admission, g sluice.Grant, used int64) {
	t.Helper()
	if err := a.Settle(context.Background(), g, used); err != nil {
		t.Fatalf("settle %s: %v", g.RequestID, err)
	}
}

func release(t *testing.T, a sluice.Admission, g sluice.Grant) {
	t.Helper()
	if err := a.Release(context.Background(), g); err != nil {
		t.Fatalf("release %s: %v", g.RequestID, err)
	}
}

// Lost: clients that are told neither which limit they met nor when to return.
func refusalsNameTheBucket(t *testing.T, a sluice.Admission, _ *clock) {
	for _, c := range []struct {
		claim sluice.Claim
		code  sluice.Code
	}{{requests("r", 1), sluice.CodeRequestRate}, {tokens("t", 100, 60), sluice.CodeTokenRate}, {slots("s", 1), sluice.CodeConcurrency}} {
		mustAdmit(t, a, "first "+c.claim.Bucket, c.claim)
		err := mustRefuse(t, a, "second "+c.claim.Bucket, c.code, requests("free", 100), c.claim)
		if err.Details["bucket"] != c.claim.Bucket || err.RetryAfter < 1 {
			t.Errorf("%s: bucket %v, retry after %d", c.claim.Bucket, err.Details["bucket"], err.RetryAfter)
		}
	}
}

// Lost: a client over one limit that also loses its share of every other.
func refusalTakesNothing(t *testing.T, a sluice.Admission, _ *clock) {
	full := mustAdmit(t, a, "holder", slots("s", 1))
	for i := range 20 {
		mustRefuse(t, a, fmt.Sprint("refused ", i), sluice.CodeConcurrency, requests("r", 5), tokens("t", 100, 30), slots("s", 1))
	}
	settle(t, a, full, 0)
	g := mustAdmit(t, a, "after", requests("r", 5), tokens("t", 100, 30), slots("s", 1))
	if g.Standings[0].Remaining != 4 || g.Standings[1].Remaining != 70 || g.Standings[2].Remaining != 0 {
		t.Errorf("standings %+v", g.Standings)
	}
}

// Lost: a retried call to Admit that charges the client twice.
func sameIDCountsOnce(t *testing.T, a sluice.Admission, _ *clock) {
	for range 3 {
		if g := mustAdmit(t, a, "again", requests("r", 5)); g.Standings[0].Remaining != 4 {
			t.Fatalf("%d remain", g.Standings[0].Remaining)
		}
	}
	settle(t, a, mustAdmit(t, a, "again", requests("r", 5)), 0)
	if g := mustAdmit(t, a, "again", requests("r", 5)); g.Standings[0].Remaining != 4 {
		t.Errorf("after it was settled, %d remain", g.Standings[0].Remaining)
	}
	if g := mustAdmit(t, a, "other", requests("r", 5)); g.Standings[0].Remaining != 3 {
		t.Errorf("another request leaves %d, want 3", g.Standings[0].Remaining)
	}
}

// Lost: tokens given back twice, or slots freed twice, by a second Settle.
func settleCorrectsOnce(t *testing.T, a sluice.Admission, _ *clock) {
	mustAdmit(t, a, "other", tokens("t", 1000, 100), slots("s", 2))
	g := mustAdmit(t, a, "one", tokens("t", 1000, 500), slots("s", 2))
	settle(t, a, g, 200)
	settle(t, a, g, 0)
	release(t, a, g)
	after := mustAdmit(t, a, "two", tokens("t", 1000, 0), slots("s", 2))
	if after.Standings[0].Remaining != 700 || after.Standings[1].Remaining != 0 {
		t.Errorf("standings %+v, want 700 tokens and no slot", after.Standings)
	}
}

// Lost: requests whose use exceeds their estimate pass for nothing.
func overuseIsDebt(t *testing.T, a sluice.Admission, c *clock) {
	settle(t, a, mustAdmit(t, a, "big", tokens("t", 60, 10)), 120)
	if err := mustRefuse(t, a, "next", sluice.CodeTokenRate, tokens("t", 60, 1)); err.RetryAfter != 61 {
		t.Errorf("retry after %d, want 61", err.RetryAfter)
	}
	c.advance(61 * time.Second)
	mustAdmit(t, a, "later", tokens("t", 60, 1))
}

// Lost: a request that never ran keeps its tokens and its slot.
func releaseGivesBack(t *testing.T, a sluice.Admission, _ *clock) {
	g := mustAdmit(t, a, "one", requests("r", 10), tokens("t", 100, 100), slots("s", 1))
	release(t, a, g)
	release(t, a, g)
	settle(t, a, g, 100)
	after := mustAdmit(t, a, "two", requests("r", 10), tokens("t", 100, 100), slots("s", 1))
	if after.Standings[0].Remaining != 8 {
		t.Errorf("%d requests remain, want 8: a released request stays counted", after.Standings[0].Remaining)
	}
}

// Lost: routes without limits stop working.
func noClaims(t *testing.T, a sluice.Admission, _ *clock) {
	settle(t, a, mustAdmit(t, a, "free"), 10)
}

// Lost: a faulty plugin that drains or fills buckets of others.
func faultyClaims(t *testing.T, a sluice.Admission, _ *clock) {
	negative := requests("r", 10)
	negative.Amount = -5
	endless := requests("r", 10)
	endless.Window = 0
	mustRefuse(t, a, "negative", sluice.CodeInvalidRequest, negative)
	mustRefuse(t, a, "endless", sluice.CodeInvalidRequest, endless)
	mustRefuse(t, a, "many", sluice.CodeInvalidRequest, make([]sluice.Claim, 1000)...)
}

// Lost: limits that leak when many requests arrive at once.
func exactUnderConcurrency(t *testing.T, a sluice.Admission, _ *clock) {
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 100 {
				id := fmt.Sprint(g/2, "-", i) // each id comes from two goroutines
				grant, err := a.Admit(context.Background(), sluice.Claims{RequestID: id, List: []sluice.Claim{requests("r", 150), slots("s", 1000)}})
				if err == nil {
					admitted.Add(1)
					_ = a.Settle(context.Background(), grant, 0)
				}
			}
		})
	}
	wg.Wait()
	if n := admitted.Load(); n < 150 || n > 300 {
		t.Errorf("%d admissions, want 150 requests once or twice each", n)
	}
	mustRefuse(t, a, "last", sluice.CodeRequestRate, requests("r", 150))
	if g := mustAdmit(t, a, "slots", slots("s", 1000)); g.Standings[0].Remaining != 999 {
		t.Errorf("%d slots are free, want all but this one", g.Standings[0].Remaining)
	}
}

// Losing this means that the memory of finished requests grows for ever, or
// that requests in flight are forgotten and never free their slot.
func TestLocalForgetsOnlyFinishedRequests(t *testing.T) {
	c := &clock{}
	a := link.NewLocal(link.LocalConfig{Now: c.Now, Remembered: 2})
	open := mustAdmit(t, a, "open", slots("s", 1))
	for i := range 10 {
		settle(t, a, mustAdmit(t, a, fmt.Sprint(i), requests("r", 100)), 0)
	}
	if g := mustAdmit(t, a, "9", requests("r", 100)); g.Standings[0].Remaining != 90 {
		t.Errorf("request 9 should be known: %d remain", g.Standings[0].Remaining)
	}
	if g := mustAdmit(t, a, "0", requests("r", 100)); g.Standings[0].Remaining != 89 {
		t.Errorf("request 0 should be forgotten: %d remain", g.Standings[0].Remaining)
	}
	settle(t, a, open, 0)
	mustAdmit(t, a, "next", slots("s", 1))
}
