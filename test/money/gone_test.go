package money_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
)

// tolerated is what a cancelled stream may be charged beyond what its client
// read, in tokens: what was on its way when it hung up.
const tolerated = 64

// Who hangs up would be charged for what nobody read, or pay nothing for what a
// provider bills; and calls that nobody waits for would go on (E-24).
func TestHangUps(t *testing.T) {
	for _, c := range []struct {
		name     string
		provider func(*sluice.Provider)
	}{{"cancel", nil}, {"drain", drains}} {
		t.Run(c.name, func(t *testing.T) { hangUps(t, c.provider) })
	}
}

func hangUps(t *testing.T, provider func(*sluice.Provider)) {
	calls := 100
	if n := rounds(t, 1); long() {
		calls = 5 * n
	}
	s := play(t, setting{provider: provider})
	s.rich()
	const clients = 10
	var running sync.WaitGroup
	for range clients {
		running.Go(func() {
			for range calls / clients {
				o := s.order(plan{Chunks: 12, Pace: 2})
				o.gone = []int{-1, 1, 6, 12, 0}[rand.IntN(5)]
				s.callers.call(t.Context(), o)
			}
		})
	}
	running.Wait()
	orphans := within(t, 30*time.Second, "no call goes on that nobody waits for", func() bool { return s.till.running() == 0 })
	b, f := s.close()
	t.Logf("the last call ended %s after the last client", orphans.Round(time.Millisecond))
	exact, over := s.hungUp(b, provider != nil)
	t.Logf("%d of %d charged what the upstream served in full; beyond what was read: at most %d tokens", exact, f.charged, over)
	if f.crashed > 0 {
		t.Errorf("%d endings are a crash's", f.crashed)
	}
}

// hungUp compares the charge of each call with what its client read, when calls
// are cancelled, or with what the upstream billed, when they are drained.
func (s *scene) hungUp(b *books, drained bool) (exact int, over int64) {
	s.Helper()
	sales := s.till.all()
	for _, r := range s.callers.all() {
		story := b.stories[r.id]
		if story == nil || len(story.finals) != 1 {
			continue // the audit told
		}
		final, sale := story.finals[0], sales[r.number]
		if final.Charge == priceOf(sale.input, sale.output) {
			exact++
			continue
		}
		if drained && sale.stated {
			s.Errorf("call %d: drained to its usage and charged %s, %s, instead of %s", r.number, final.Charge, final.Outcome, priceOf(sale.input, sale.output))
		}
		over = max(over, final.Quantities[sluice.UnitOutput]-int64(r.chunks))
		if beyond := final.Quantities[sluice.UnitOutput] - int64(r.chunks); beyond > tolerated {
			s.Errorf("call %d: the client read %d tokens and is charged %d", r.number, r.chunks, final.Quantities[sluice.UnitOutput])
		}
	}
	return exact, over
}
