package gateway

import (
	"sync"
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

// budget counts retries in thousandths. It is safe for concurrent use.
type budget struct {
	mu    sync.Mutex
	saved int64
	since time.Time // up to when free retries were credited
}

func newBudget(now time.Time) *budget { return &budget{saved: 3 * budgetUnit, since: now} }

// earn credits one request.
func (b *budget) earn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.saved = min(b.saved+budgetPerReq, budgetMost)
}

// spend takes one retry, if there is one.
func (b *budget) spend(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if d := now.Sub(b.since); d > 0 {
		free := min(int64(d/(budgetFree/budgetUnit)), budgetMost)
		b.saved = min(b.saved+free, budgetMost)
		b.since = now
	}
	if b.saved < budgetUnit {
		return false
	}
	b.saved -= budgetUnit
	return true
}
