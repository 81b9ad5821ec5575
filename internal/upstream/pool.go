package upstream

import "sync"

// Pool keeps the state of targets by the content of their keys and counts its
// users, so that what a target went through survives every configuration change
// that does not concern it. It is safe for concurrent use.
type Pool struct {
	mu     sync.Mutex
	states map[string]*entry
	seed   func() uint64
}

type entry struct {
	state *state
	users int
}

// NewPool returns an empty pool. seed is the source of randomness; it only
// staggers the order of first choices, so that many gateways do not all begin
// with the same target.
func NewPool(seed func() uint64) *Pool {
	return &Pool{states: map[string]*entry{}, seed: seed}
}

// Target is one member of a set.
type Target struct {
	// Key identifies the target and everything about it that its health depends
	// on: equal keys share state, a changed key starts afresh.
	Key string
	// Weight is its share within its priority; 0 takes it out.
	Weight int
	// Priority is its tier; lower numbers are used first.
	Priority int
}

// Open returns the set of the targets, with the state they already have. Name
// scopes the state: a target in two sets has a state in each. The caller opens
// the sets of a new configuration before it closes those of the old one.
func (p *Pool) Open(name string, targets []Target) *Set {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &Set{pool: p, members: make([]member, len(targets))}
	for i, t := range targets {
		key := name + "\x00" + t.Key
		e := p.states[key]
		if e == nil {
			e = &entry{state: newState(t.Weight, p.seed())}
			p.states[key] = e
		}
		e.users++
		s.members[i] = member{key: key, weight: int64(t.Weight), priority: t.Priority, state: e.state}
	}
	return s
}

// Close gives the set's states back; those that nobody uses any more are
// forgotten. Requests that still hold the set may go on using it.
func (s *Set) Close() {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	for _, m := range s.members {
		e := s.pool.states[m.key]
		if e.users--; e.users == 0 {
			delete(s.pool.states, m.key)
		}
	}
}

// Len returns how many targets have state: a measure for leaks.
func (p *Pool) Len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.states)
}
