package sim

import (
	"iter"
	"math/rand/v2"
	"time"
)

// scheduler runs coroutines, one at a time, in an order drawn from the seed.
type scheduler struct {
	rng     *rand.Rand
	now     time.Time
	procs   []*proc
	current *proc
	yields  int
	trace   uint64
}

// proc is one coroutine. It belongs to a node and dies with it; without a node
// it lives outside of what crashes.
type proc struct {
	name   string
	node   *node
	wake   time.Time
	resume func() (struct{}, bool)
	stop   func()
	yield  func(struct{}) bool
	done   bool
}

// killed unwinds a coroutine whose node died.
type killed struct{}

func newScheduler(seed uint64) *scheduler {
	return &scheduler{rng: rand.New(rand.NewPCG(seed, 0x51)), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
}

// spawn adds a coroutine.
func (s *scheduler) spawn(n *node, name string, run func()) {
	p := &proc{name: name, node: n, wake: s.now}
	p.resume, p.stop = iter.Pull(func(yield func(struct{}) bool) {
		p.yield = yield
		defer func() {
			if r := recover(); r != nil {
				if _, ok := r.(killed); !ok {
					panic(r)
				}
			}
		}()
		run()
	})
	s.procs = append(s.procs, p)
}

// pause lets others go on; every call is a point at which a crash may come.
func (s *scheduler) pause(what string) { s.sleep(what, 0) }

// sleep goes on no earlier than after d.
func (s *scheduler) sleep(what string, d time.Duration) {
	p := s.current
	if p == nil {
		return // setting up, or looking back
	}
	s.yields++
	s.note(p.name, what)
	p.wake = s.now.Add(d)
	if !p.yield(struct{}{}) {
		panic(killed{})
	}
}

// note folds an event into the trace, by which two runs are compared (FNV-1a).
func (s *scheduler) note(who, what string) {
	const prime = 1_099_511_628_211
	h := (s.trace ^ uint64(s.now.UnixNano())) * prime
	for i := range len(who) {
		h = (h ^ uint64(who[i])) * prime
	}
	for i := range len(what) {
		h = (h ^ uint64(what[i])) * prime
	}
	s.trace = h
}

// step runs one coroutine to its next yield; false means that all have ended.
func (s *scheduler) step() bool {
	ready, earliest := s.ready()
	if len(ready) == 0 {
		if earliest.IsZero() {
			return false
		}
		s.now = earliest
		ready, _ = s.ready()
	}
	p := ready[s.rng.IntN(len(ready))]
	s.current = p
	if _, more := p.resume(); !more {
		p.done = true
		s.remove(p)
	}
	s.current = nil
	s.now = s.now.Add(time.Duration(1+s.rng.IntN(20)) * time.Microsecond)
	return true
}

// ready returns who may run now, or when the next one may.
func (s *scheduler) ready() (ready []*proc, earliest time.Time) {
	for _, p := range s.procs {
		if !p.wake.After(s.now) {
			ready = append(ready, p)
		} else if earliest.IsZero() || p.wake.Before(earliest) {
			earliest = p.wake
		}
	}
	return ready, earliest
}

// kill ends all coroutines of a node, wherever they are.
func (s *scheduler) kill(n *node) {
	for _, p := range append([]*proc(nil), s.procs...) {
		if p.node == n {
			p.stop()
			s.remove(p)
		}
	}
}

func (s *scheduler) remove(p *proc) {
	for i, other := range s.procs {
		if other == p {
			s.procs = append(s.procs[:i], s.procs[i+1:]...)
			return
		}
	}
}

// chance is true once in n times, in bad weather.
func (w *World) chance(n int) bool { return !w.calm && n > 0 && w.rng.IntN(n) == 0 }
