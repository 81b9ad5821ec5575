package gateway

import (
	"sync"
	"sync/atomic"
	"time"
)

// The retry budget: retries may add a fifth to the requests, and three a second
// are always free. Without it, a failing upstream would be asked several times
// as much as a healthy one.
const (
	budgetShare  = 5                // requests that earn one retry
	budgetFree   = time.Second / 3  // time that earns one retry
	budgetMost   = 100 * budgetUnit // savings
	budgetUnit   = 1000
	budgetPerReq = budgetUnit / budgetShare
)

// budget counts retries in thousandths. It is safe for concurrent use; a request
// that is not repeated costs it one atomic operation at most.
type budget struct {
	saved atomic.Int64
	mu    sync.Mutex
	since time.Time // up to when free retries were credited
}

func newBudget(now time.Time) *budget {
	b := &budget{since: now}
	b.saved.Store(3 * budgetUnit)
	return b
}

// earn credits one request.
func (b *budget) earn() {
	if b.saved.Load() < budgetMost {
		b.saved.Add(budgetPerReq)
	}
}

// spend takes one retry, if there is one.
func (b *budget) spend(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if d := now.Sub(b.since); d > 0 {
		free := min(int64(d/(budgetFree/budgetUnit)), budgetMost)
		b.saved.Add(min(free, max(0, budgetMost-b.saved.Load())))
		b.since = now
	}
	if b.saved.Load() < budgetUnit {
		return false
	}
	b.saved.Add(-budgetUnit)
	return true
}
