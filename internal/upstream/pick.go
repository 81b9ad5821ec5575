package upstream

import (
	"sync"
	"time"
)

// Set is an immutable list of targets with their living state. It is safe for
// concurrent use.
type Set struct {
	pool    *Pool
	members []member
	// mu makes the steps of one smooth weighted choice atomic.
	mu sync.Mutex
}

type member struct {
	key      string
	weight   int64
	priority int
	state    *state
}

// Choice is the result of a pick.
type Choice struct {
	// Index is the position of the target in the list given to [Pool.Open].
	Index int
	// OK is false when no target may be used; Wait then says when one may be
	// again, 0 when waiting would not help.
	OK   bool
	Wait time.Duration
}

// Pick chooses a target. tried reports targets that this request has used up,
// fits those that can serve it at all; both take the target's index and nil
// excludes none.
//
// Within the lowest priority that has a usable target the choice is smooth
// weighted round robin: of weights 5 and 1, the second gets every sixth request
// and never two in a row. When every target is cooling after failures, the one
// whose pause ends first is used all the same - a set never takes its last
// target out - but the wish of a target to be left alone is respected.
func (s *Set) Pick(now time.Time, tried, fits func(i int) bool) Choice {
	if len(s.members) > 1 { // one alone has nobody to share with
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	best, credit := -1, int64(0)
	spare, spareWait := -1, time.Duration(0)
	var wait time.Duration
	tier := 0
	for i := range s.members {
		m := &s.members[i]
		if m.weight <= 0 || tried != nil && tried(i) || fits != nil && !fits(i) {
			continue
		}
		condition, rest := m.state.condition(now)
		switch {
		case condition == Resting:
			if wait == 0 || rest < wait {
				wait = rest
			}
		case condition == Cooling:
			if spare < 0 || rest < spareWait {
				spare, spareWait = i, rest
			}
		case best < 0 || m.priority < tier:
			best, credit, tier = i, m.state.credit.Load()+m.weight, m.priority
		case m.priority == tier && m.state.credit.Load()+m.weight > credit:
			best, credit = i, m.state.credit.Load()+m.weight
		}
	}
	if best < 0 {
		best = spare
	} else if len(s.members) > 1 {
		s.charge(best, tier, now, tried, fits)
	}
	if best < 0 {
		return Choice{Wait: wait}
	}
	s.members[best].state.chosen(now)
	return Choice{Index: best, OK: true}
}

// charge moves the credit of a round: each candidate of the tier earns its
// weight and the winner pays for all.
func (s *Set) charge(winner, tier int, now time.Time, tried, fits func(i int) bool) {
	var total int64
	for i := range s.members {
		m := &s.members[i]
		if m.weight <= 0 || m.priority != tier || tried != nil && tried(i) || fits != nil && !fits(i) {
			continue
		}
		if condition, _ := m.state.condition(now); condition != Usable {
			continue
		}
		m.state.credit.Add(m.weight)
		total += m.weight
	}
	s.members[winner].state.credit.Add(-total)
}
