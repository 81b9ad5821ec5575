package upstream

import (
	"sync"
	"sync/atomic"
	"time"
)

// The rules of cooling down.
const (
	// FailuresToCool is how many failures in a row take a target out.
	FailuresToCool = 3
	// CoolFirst is how long the first time; it doubles up to CoolMax.
	CoolFirst = time.Second
	// CoolMax bounds every pause that we choose ourselves.
	CoolMax = 30 * time.Second
	// AdviceMax bounds a pause that the target asked for.
	AdviceMax = 5 * time.Minute
	// probeWindow is how long one probe of a cooled target keeps others away.
	probeWindow = 5 * time.Second
)

// state is what is remembered of one target in one set. As long as nothing is
// wrong with the target, nobody locks it.
type state struct {
	// credit is the running one of the smooth weighted choice.
	credit atomic.Int64
	// troubled says that one of the following is set.
	troubled atomic.Bool

	mu sync.Mutex
	// failures counts failures since the last success.
	failures int
	// coolUntil ends a pause after failures, adviceUntil one that the target
	// asked for.
	coolUntil, adviceUntil time.Time
}

// newState starts with a random part of the weight as credit.
func newState(weight int, seed uint64) *state {
	s := &state{}
	s.credit.Store(int64(seed % uint64(max(weight, 1))))
	return s
}

// Condition says how a target is doing.
type Condition int

// The conditions, from good to bad.
const (
	Usable  Condition = iota // take it
	Cooling                  // failing; only when nothing else is left
	Resting                  // it asked to be left alone
)

// condition judges a target at a time.
func (s *state) condition(now time.Time) (Condition, time.Duration) {
	if !s.troubled.Load() {
		return Usable, 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if rest := s.adviceUntil.Sub(now); rest > 0 {
		return Resting, rest
	}
	s.adviceUntil = time.Time{} // it is over
	if rest := s.coolUntil.Sub(now); rest > 0 {
		return Cooling, rest
	}
	return Usable, 0
}

// chosen marks a probe: while one request tries a target that was failing, the
// others keep away.
func (s *state) chosen(now time.Time) {
	if !s.troubled.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures >= FailuresToCool {
		s.coolUntil = now.Add(probeWindow)
	}
}

// Succeeded tells that the i-th target answered like a healthy one.
func (s *Set) Succeeded(i int) {
	st := s.members[i].state
	if !st.troubled.Load() {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.failures, st.coolUntil = 0, time.Time{}
	st.troubled.Store(!st.adviceUntil.IsZero())
}

// Failed tells that the i-th target failed in a way that says something about
// it: unreachable, broke off, 5xx, a refused credential.
func (s *Set) Failed(i int, now time.Time) {
	st := s.members[i].state
	st.mu.Lock()
	defer st.mu.Unlock()
	st.troubled.Store(true)
	st.failures++
	if over := st.failures - FailuresToCool; over >= 0 {
		pause := CoolMax
		if over < 5 {
			pause = min(CoolFirst<<over, CoolMax)
		}
		st.coolUntil = now.Add(pause)
	}
}

// Rest tells that the i-th target asked for a pause (429 or 503 with
// Retry-After); it does not count as a failure.
func (s *Set) Rest(i int, now time.Time, pause time.Duration) {
	st := s.members[i].state
	st.mu.Lock()
	defer st.mu.Unlock()
	st.troubled.Store(true)
	if until := now.Add(min(pause, AdviceMax)); until.After(st.adviceUntil) {
		st.adviceUntil = until
	}
}

// Released tells that an attempt ended without saying anything about the target:
// the client hung up, or the request was wrong.
func (s *Set) Released(i int) {
	st := s.members[i].state
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.failures >= FailuresToCool {
		st.coolUntil = time.Time{} // the probe told nothing; let the next one try
	}
}
