package money_test

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
)

// Whoever calls often enough at once would spend what is not there (E-01).
func TestFiveHundredAtOnce(t *testing.T) {
	rounds(t, 1)
	const calls, enough = 500, 100
	s := play(t, setting{})
	s.topUp(allFor(calls, enough))
	s.crowd(calls, enough)
	b, f := s.close()
	b.leftOf(t, allFor(calls, enough), f)
}

// allFor is a balance for so many of some calls, whichever of them come first: the
// most that they hold is less than the least that one more would.
func allFor(calls, enough int64) sluice.Nanos {
	return sluice.Nanos(numbered+calls+1) * perOutput * sluice.Nanos(enough)
}

// crowd makes calls at once, of which as many are served as there is enough for.
func (s *scene) crowd(calls, enough int) {
	s.Helper()
	var running sync.WaitGroup
	for range calls {
		running.Go(func() { s.callers.call(s.Context(), s.order(plan{Chunks: 2, Hold: beforeHead})) })
	}
	for range enough {
		s.heldUp()
	}
	within(s.T, 30*time.Second, "everybody else is refused", func() bool { return len(s.callers.all()) == calls-enough })
	s.till.release()
	running.Wait()
	served, refused := 0, 0
	for _, r := range s.callers.all() {
		switch {
		case r.status == 200 && r.last:
			served++
		case r.status == 402 && explained(r.body):
			refused++
		default:
			s.Errorf("%+v", r)
		}
	}
	s.Logf("%d calls at once, balance for %d: %d served, %d refused", calls, enough, served, refused)
	if served != enough || refused != calls-enough {
		s.Errorf("balance for %d", enough)
	}
}

// leftOf checks that the wallet has what was paid in less what was charged.
func (b *books) leftOf(t *testing.T, paid sluice.Nanos, f figures) {
	t.Helper()
	if left, _ := b.balance(sluice.TenantWallet(tenant, asset)); left != paid-f.spent || left < 0 {
		t.Errorf("%s left of %s after %s", left, paid, f.spent)
	}
}

// explained reports whether a refusal tells a client what to do.
func explained(body string) bool {
	var refusal struct {
		Error struct {
			Code    string
			Details struct{ Required, Available json.RawMessage }
		}
	}
	err := json.Unmarshal([]byte(body), &refusal)
	return err == nil && refusal.Error.Code == string(sluice.CodeInsufficientBalance) && refusal.Error.Details.Required != nil && refusal.Error.Details.Available != nil
}
