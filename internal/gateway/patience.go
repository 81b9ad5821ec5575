package gateway

import (
	"context"
	"sync"
	"time"
)

// patience bounds waits of one kind. Many requests share a context, because one
// for each would cost more than what it guards: a wait takes limit, or up to
// share less.
type patience struct {
	limit, share time.Duration
	now          func() time.Time

	mu    sync.Mutex
	ctx   context.Context
	until time.Time // until when ctx is handed out
}

// How long a request waits for the journal's disk. Strict endings insist; fast
// ones let the answer go.
const (
	journalPatience = 30 * time.Second
	journalHaste    = 50 * time.Millisecond
)

func newPatience(limit time.Duration, now func() time.Time) *patience {
	return &patience{limit: limit, share: limit / 5, now: now}
}

// context returns a context that ends within the limit.
func (p *patience) context() context.Context {
	now := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx == nil || now.After(p.until) {
		ctx, cancel := context.WithTimeout(context.Background(), p.limit)
		context.AfterFunc(ctx, cancel) // its own timer ends it; nobody else does
		p.ctx, p.until = ctx, now.Add(p.share)
	}
	return p.ctx
}
