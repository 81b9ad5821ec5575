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
	// Whichever of them come first, the balance is for a hundred: the most that a
	// hundred hold is less than the least that a hundred and one do.
	const most = (numbered + calls + 1) * perOutput
	s.topUp(most * enough)
	var running sync.WaitGroup
	for range calls {
		running.Go(func() { s.callers.call(t.Context(), s.order(plan{Chunks: 2, Hold: beforeHead})) })
	}
	for range enough {
		<-s.till.reached
	}
	within(t, 30*time.Second, "everybody else is refused", func() bool { return len(s.callers.all()) == calls-enough })
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
			t.Errorf("%+v", r)
		}
	}
	b, f := s.close()
	left, _ := b.balance(sluice.TenantWallet(tenant, asset))
	t.Logf("%d calls at once, balance for %d: %d served, %d refused, %s left", calls, enough, served, refused, left)
	if served != enough || refused != calls-enough || left != most*enough-f.spent || left < 0 {
		t.Errorf("%s left of %s after %s", left, most*enough, f.spent)
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
