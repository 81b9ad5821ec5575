package wire

import (
	"sync"
	"sync/atomic"
	"time"
)

// alarm is one connection's deadline on the coarse clock of a sweeper. Setting
// and clearing cost an atomic each and no system call; whether the deadline or
// the event came first is decided by one compare-and-swap, so a late sweep can
// not touch the next phase. Set and clear belong to the connection's goroutine.
type alarm struct{ due atomic.Int64 }

const (
	alarmOff  = 0
	alarmRang = -1
)

// clear turns the alarm off and reports whether it had not rung.
func (a *alarm) clear() bool { return a.due.Swap(alarmOff) != alarmRang }

// ring reports whether the alarm was due at now and is hereby rung.
func (a *alarm) ring(now int64) bool {
	due := a.due.Load()
	return due > 0 && due <= now && a.due.CompareAndSwap(due, alarmRang)
}

// swept is a connection with deadlines.
type swept interface{ sweep(now int64) }

// sweeper keeps the coarse clock and looks at every connection's deadline once
// per interval. It is safe for concurrent use.
type sweeper struct {
	interval time.Duration
	start    time.Time
	clock    atomic.Int64
	ended    chan struct{}

	mu    sync.Mutex
	conns map[swept]struct{}
	stop  chan struct{}
}

// newSweeper starts a sweeper; close stops its goroutine.
func newSweeper(interval time.Duration) *sweeper {
	s := &sweeper{
		interval: interval, start: time.Now(),
		ended: make(chan struct{}), stop: make(chan struct{}), conns: make(map[swept]struct{}),
	}
	s.clock.Store(1)
	go s.run()
	return s
}

func (s *sweeper) close() {
	close(s.stop)
	<-s.ended
}

func (s *sweeper) run() {
	defer close(s.ended)
	tick := time.NewTicker(s.interval)
	defer tick.Stop()
	var batch []swept
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		now := int64(time.Since(s.start)) + 1
		s.clock.Store(now)
		batch = s.list(batch[:0])
		for i, c := range batch {
			c.sweep(now)
			batch[i] = nil
		}
	}
}

func (s *sweeper) list(batch []swept) []swept {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		batch = append(batch, c)
	}
	return batch
}

func (s *sweeper) add(c swept) {
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
}

func (s *sweeper) remove(c swept) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
}

func (s *sweeper) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// set makes an alarm ring no sooner than after d and at most two intervals
// later.
func (s *sweeper) set(a *alarm, d time.Duration) {
	a.due.Store(s.clock.Load() + int64(d) + int64(s.interval))
}
