package gateway

import (
	"context"
	"sync"
	"time"
)

// patience bounds waits of one kind. Many requests share a context, because one
// for each would cost more than what it guards: a wait takes limit, or up to
// share less. Waits are real time, whatever the clock on the wall does.
type patience struct {
	limit, share time.Duration

	mu  sync.Mutex
	ctx context.Context // nil when the next wait needs another one
}

// How long a request waits for the journal's disk. Strict endings insist; fast
// ones let the answer go.
const (
	journalPatience = 30 * time.Second
	journalHaste    = 50 * time.Millisecond
)

func newPatience(limit time.Duration) *patience {
	return &patience{limit: limit, share: limit / 5}
}

// context returns a context that ends within the limit.
func (p *patience) context() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx == nil {
		ctx, cancel := context.WithTimeout(context.Background(), p.limit)
		context.AfterFunc(ctx, cancel) // its own timer ends it; nobody else does
		time.AfterFunc(p.share, p.renew)
		p.ctx = ctx
	}
	return p.ctx
}

// renew has the next wait begin another context.
func (p *patience) renew() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ctx = nil
}
