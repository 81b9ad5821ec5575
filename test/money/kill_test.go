package money_test

import (
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"
)

// mostUnpaid is what a stream may deliver, in tokens, between two PROGRESS: 256,
// and what its pieces add by the time the next is seen.
const mostUnpaid = 256 + 64

// freed is how long after a kill holds may go on holding.
const freed = 90 * time.Second

// moment is where a call is when the process is killed.
type moment struct {
	name string
	plan plan
	// whole asks for an answer that is no stream.
	whole bool
	// until returns once the call, of the number, is there.
	until func(s *scene, number int64)
	// freeze stops the process for a while before it is killed.
	freeze bool
	// boot kills the next process, too, while it replays the journal.
	boot bool
	// often has `make test` play it.
	often bool
}

// held waits for the upstream to hold the call, and for what it sent before to
// arrive.
func held(s *scene, number int64) {
	s.heldUp()
	sent := s.till.all()[number].chunks
	within(s.T, 30*time.Second, "the client has what was sent", func() bool { return s.callers.seen(number) == sent })
}

// heldUp waits for the upstream to hold one call more.
func (s *scene) heldUp() {
	s.Helper()
	select {
	case <-s.till.reached:
	case <-time.After(30 * time.Second):
		s.Fatal("a call never got where it was to be held")
	}
}

// ended waits until the client has seen the end.
func ended(s *scene, number int64) {
	within(s.T, 30*time.Second, "the client sees the end", func() bool {
		for _, r := range s.callers.all() {
			if r.number == number {
				return true
			}
		}
		return false
	})
}

// moments are the points of a request's life that can be reached from outside.
var moments = []moment{
	{name: "before the head", plan: plan{Chunks: 3, Hold: beforeHead}, until: held},
	{name: "before a whole answer", plan: plan{Chunks: 3, Hold: beforeHead}, whole: true, until: held},
	{name: "after the first byte", plan: plan{Chunks: 3, Hold: afterFirst}, until: held},
	{name: "mid-stream", plan: plan{Chunks: 1200, Hold: midStream}, until: held, often: true},
	{name: "before the usage", plan: plan{Chunks: 400, Hold: beforeUsage}, until: held},
	{name: "after the usage, before the end", plan: plan{Chunks: 5, Hold: afterUsage}, until: held, often: true},
	{name: "right after the client saw the end", plan: plan{Chunks: 5}, until: ended, often: true},
	{name: "right after a whole answer", plan: plan{Chunks: 5}, whole: true, until: ended},
	{name: "stopped, then killed", plan: plan{Chunks: 400, Hold: midStream}, until: held, freeze: true},
	{name: "and while the next one boots", plan: plan{Chunks: 400, Hold: midStream}, until: held, boot: true},
}

// A call would be charged twice, or not at all after its client saw the end, or
// its hold would stay (E-02).
func TestKilledAt(t *testing.T) {
	repeats := 1
	if n := rounds(t, 1); long() {
		repeats = max(1, n/4)
	}
	s := play(t, setting{})
	s.rich()
	for _, m := range moments {
		if m.often || long() {
			for range repeats {
				s.killAt(m)
			}
			t.Logf("killed %d times %s", repeats, m.name)
		}
	}
	s.awaitServing()
	b, f := s.close()
	if f.short > mostUnpaid {
		t.Errorf("%d tokens of a killed stream are not paid for", f.short)
	}
	if f.crashed == 0 {
		t.Error("no call was cut by a kill")
	}
	_ = b
}

// killAt has a call get to a moment, kills the process there and starts it again.
func (s *scene) killAt(m moment) {
	s.Helper()
	number := s.callers.next.Add(1)
	o := s.order(m.plan)
	o.number, o.whole = number, m.whole
	var running sync.WaitGroup
	running.Go(func() { s.callers.call(s.Context(), o) })
	m.until(s, number)
	if m.freeze {
		s.serve.Signal(s.T, syscall.SIGSTOP)
		time.Sleep(100 * time.Millisecond)
	}
	s.kill()
	s.till.release()
	running.Wait()
	if m.boot {
		s.killAtBoot()
	}
	s.start()
}

// killAtBoot starts a process and kills it before it is ready.
func (s *scene) killAtBoot() {
	s.Helper()
	p := launch(s.T, s.opts)
	time.Sleep(time.Duration(rand.IntN(150)) * time.Millisecond)
	p.kill()
	s.archive.link(s.T)
}

// Load and kills at random moments would find a moment that nobody thought of
// (E-02). Fast terms promise the same as strict ones where only a process dies.
func TestKilledUnderLoad(t *testing.T) {
	t.Run("strict", func(t *testing.T) { killedUnderLoad(t, strict) })
	t.Run("fast", func(t *testing.T) { killedUnderLoad(t, fast) })
}

func killedUnderLoad(t *testing.T, terms terms) {
	kills := rounds(t, 3)
	s := play(t, setting{terms: terms})
	s.rich()
	var slowest time.Duration
	for range kills {
		stop := s.callers.load(t.Context(), 8, s.mixed)
		time.Sleep(time.Duration(100+rand.IntN(500)) * time.Millisecond)
		s.kill()
		stop()
		s.start()
		slowest = max(slowest, s.unheld())
	}
	_, f := s.close()
	t.Logf("%d kills; holds were freed %s after a start at the latest", kills, slowest.Round(time.Millisecond))
	if f.short > mostUnpaid {
		t.Errorf("%d tokens of a killed stream are not paid for", f.short)
	}
	if f.answered < kills {
		t.Errorf("hardly any load: %+v", f)
	}
}

// mixed is a call of the kinds that are usual.
func (s *scene) mixed() order {
	o := s.order(plan{Chunks: 1 + rand.IntN(40), Pace: rand.IntN(8)})
	o.whole = rand.IntN(3) == 0
	return o
}

// unheld waits until nothing is held any more and returns how long that took.
func (s *scene) unheld() time.Duration {
	s.Helper()
	return within(s.T, freed, "all holds are freed", func() bool { return s.pending() == 0 })
}

// A slow stream would be charged for nothing when it is cut before the 256th
// token: PROGRESS is written every 2 s, too.
func TestSlowStreamKilled(t *testing.T) {
	kills := max(3, rounds(t, 1)/20)
	onlyLong(t)
	s := play(t, setting{})
	s.rich()
	const pace, seen = 20, 150 // 3 s
	for range kills {
		o := s.order(plan{Chunks: 2 * seen, Pace: pace})
		o.number = s.callers.next.Add(1)
		var running sync.WaitGroup
		running.Go(func() { s.callers.call(t.Context(), o) })
		within(t, 30*time.Second, "3 s of the stream", func() bool { return s.callers.seen(o.number) >= seen })
		s.kill()
		running.Wait()
		s.start()
	}
	_, f := s.close()
	t.Logf("%d kills 3 s into a stream of %d tokens a second", kills, 1000/pace)
	if most := int64(2*time.Second/time.Millisecond/pace) + 10; f.short > most || f.charged != kills {
		t.Errorf("%d tokens of a killed stream are not paid for, more than 2 s of them, or %d of %d kills charged nothing", f.short, kills-f.charged, kills)
	}
}
