package gateway

import (
	"sync"
	"sync/atomic"
	"time"
)

// keyUse is when a key was last admitted: nanoseconds of Unix time, 0 when that
// was reported already.
type keyUse struct {
	id   uint64
	last atomic.Int64
}

// usedKeys remembers when each key was last admitted, until the next report. A
// key that was marked before costs one atomic store.
type usedKeys struct {
	mu   sync.Mutex
	list []*keyUse // those marked since the last report
	lost map[uint64]time.Time
}

// mark notes that a key was admitted.
func (u *usedKeys) mark(k *keyUse, now time.Time) {
	if k.last.Swap(now.UnixNano()) == 0 {
		u.mu.Lock()
		u.list = append(u.list, k)
		u.mu.Unlock()
	}
}

// take returns what was marked since the last call.
func (u *usedKeys) take() map[uint64]time.Time {
	u.mu.Lock()
	list, taken := u.list, u.lost
	u.list, u.lost = nil, nil
	u.mu.Unlock()
	if taken == nil && len(list) > 0 {
		taken = make(map[uint64]time.Time, len(list))
	}
	for _, k := range list {
		later(taken, k.id, time.Unix(0, k.last.Swap(0)))
	}
	return taken
}

// restore puts back what a lost report carried.
func (u *usedKeys) restore(lost map[uint64]time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.lost = lost
}

// later keeps the later of two moments: a key is there twice when the
// configuration changed in between.
func later(m map[uint64]time.Time, id uint64, at time.Time) {
	if at.After(m[id]) {
		m[id] = at
	}
}
