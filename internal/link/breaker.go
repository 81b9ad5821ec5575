package link

import (
	"sync"
	"time"
)

// breaker keeps callers from waiting for a server that does not answer: after a
// failure one caller for each pause may try, until one succeeds. It is safe for
// concurrent use.
type breaker struct {
	now   func() time.Time
	pause time.Duration

	mu     sync.Mutex
	broken bool
	next   time.Time // when the next caller may try
}

// allow reports whether to try now.
func (b *breaker) allow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.broken {
		return true
	}
	now := b.now()
	if now.Before(b.next) {
		return false
	}
	b.next = now.Add(b.pause)
	return true
}

// note takes the outcome of a try and reports whether that is a change.
func (b *breaker) note(ok bool) (changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	changed = b.broken == ok
	b.broken = !ok
	if !ok {
		b.next = b.now().Add(b.pause)
	}
	return changed
}
