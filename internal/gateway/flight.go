package gateway

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicegate/sluice"
)

// flight is the switch that ends a request from outside its goroutine: the
// client hung up, the drain deadline passed, or a call took too long. It lives in
// its exchange and serves many requests after each other. No late event meets
// the wrong one: the transport's callback is over when OnGone(nil) returns, a
// drain and the sweep hold the shard's lock that done takes, and a timer knows
// the number of its call.
type flight struct {
	mu     sync.Mutex
	reason sluice.Code
	call   *sluice.Stopper
	// number counts the calls of all requests; it is never set back.
	number uint64
	// due is the tick at which the call has taken too long, 0 for none, and
	// late says that it did.
	due  int64
	late bool

	// drains says that the call may go on without its client for a while, and
	// draining that it does.
	drains, draining bool

	all        *flights
	shard      *flightShard
	prev, next *flight // the others of the shard
}

// clientGone is the callback for [sluice.Inbound.OnGone]. It stops the call, or
// lets one that is billed anyway go on to where its usage is stated.
func (f *flight) clientGone() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.reason == "" {
		f.reason = sluice.CodeClientGone
	}
	if f.draining {
		return
	}
	if f.reason == sluice.CodeClientGone && f.drains && f.call != nil && f.all.mayDrain() {
		f.draining = true
		if due := f.all.dueIn(drainTime); f.due == 0 || due < f.due {
			f.due = due
		}
		return
	}
	f.stop()
}

// drainingNow reports whether the call goes on without its client.
func (f *flight) drainingNow() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.draining && f.call != nil
}

// end stops the call in progress and every later one. The first reason counts.
func (f *flight) end(reason sluice.Code) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.reason == "" {
		f.reason = reason
	}
	f.stop()
}

// stop ends the call in progress; the flight is locked.
func (f *flight) stop() {
	if f.call != nil {
		f.call.Stop()
	}
}

// bind makes a call the one to stop, at the latest at the tick due, and returns
// its number.
func (f *flight) bind(call *sluice.Stopper, due int64, drains bool) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.number++
	f.call, f.due, f.late, f.drains = call, due, false, drains
	if f.reason != "" {
		f.stop()
	}
	return f.number
}

// release lets go of a call that is over.
func (f *flight) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.number++
	f.call, f.due = nil, 0
	if f.draining {
		f.draining = false
		f.all.drained()
	}
}

// expire ends the call of that number, if it still goes on.
func (f *flight) expire(number uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.number == number && f.call != nil {
		f.late = true
		f.stop()
	}
}

// sweep ends a call that is due.
func (f *flight) sweep(now int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.due != 0 && f.due <= now && f.call != nil {
		f.late, f.due = true, 0
		f.stop()
	}
}

// overdue reports whether the last call took too long.
func (f *flight) overdue() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.late
}

// ended returns why the request was ended, or "".
func (f *flight) ended() sluice.Code {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reason
}

// err is the error that an ended flight leads to, or nil.
func (f *flight) err() error {
	switch f.ended() {
	case "":
		return nil
	case sluice.CodeClientGone:
		return sluice.Errorf(sluice.CodeClientGone, "the client went away")
	}
	return sluice.Errorf(sluice.CodeUnavailable, "the gateway is shutting down")
}

// reset makes the flight ready for the next request.
func (f *flight) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.number++
	f.reason, f.call, f.due, f.late = "", nil, 0, false
}

const (
	// flightShards spreads the requests in progress over locks, so that they
	// do not queue at one.
	flightShards = 16
	// flightTick is how exactly long calls are ended.
	flightTick = time.Second
	// exactTotal is up to when a call's total time is kept by a timer of its
	// own, which costs more than the sweep.
	exactTotal = 10 * flightTick
)

// flights are the requests in progress.
type flights struct {
	shards [flightShards]flightShard
	next   atomic.Uint32
	// ticks is the coarse clock of the sweep.
	ticks atomic.Int64
	// draining counts calls that go on without their client.
	draining atomic.Int64

	// waiting says that somebody waits for the last request to end.
	waiting atomic.Bool
	mu      sync.Mutex
	empty   chan struct{} // closed once nobody flies, nil until somebody waits
}

// flightShard is a list of flights under one lock.
type flightShard struct {
	mu    sync.Mutex
	first *flight
	count int
	_     [40]byte // shards must not share a cache line
}

// join gives a new flight its shard, for good.
func (fs *flights) join(f *flight) {
	f.all, f.shard = fs, &fs.shards[fs.next.Add(1)%flightShards]
}

// Bounds of calls that go on without their client.
const (
	maxDrains = 64
	drainTime = 30 * time.Second
)

// mayDrain takes one of the places for calls without a client.
func (fs *flights) mayDrain() bool {
	if fs.draining.Add(1) <= maxDrains {
		return true
	}
	fs.draining.Add(-1)
	return false
}

// drained gives it back.
func (fs *flights) drained() { fs.draining.Add(-1) }

// take enters a flight.
func (fs *flights) take(f *flight) {
	f.reset()
	s := f.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.next = s.first; f.next != nil {
		f.next.prev = f
	}
	s.first = f
	s.count++
}

// done takes it out; nobody ends it from then on.
func (fs *flights) done(f *flight) {
	f.shard.remove(f)
	if fs.waiting.Load() {
		fs.tellEmpty()
	}
}

func (s *flightShard) remove(f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.prev != nil {
		f.prev.next = f.next
	} else {
		s.first = f.next
	}
	if f.next != nil {
		f.next.prev = f.prev
	}
	f.prev, f.next = nil, nil
	s.count--
}

// each calls do for every flight, which cannot land meanwhile.
func (fs *flights) each(do func(*flight)) {
	for i := range fs.shards {
		s := &fs.shards[i]
		s.mu.Lock()
		for f := s.first; f != nil; f = f.next {
			do(f)
		}
		s.mu.Unlock()
	}
}

// active is the number of requests in progress.
func (fs *flights) active() int {
	n := 0
	for i := range fs.shards {
		s := &fs.shards[i]
		s.mu.Lock()
		n += s.count
		s.mu.Unlock()
	}
	return n
}

// tellEmpty wakes who waits for the last request, if that was it.
func (fs *flights) tellEmpty() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.empty != nil && fs.active() == 0 {
		close(fs.empty)
		fs.empty = nil
		fs.waiting.Store(false)
	}
}

// landed returns a channel that is closed once no request is in progress.
func (fs *flights) landed() <-chan struct{} {
	fs.mu.Lock()
	if fs.empty == nil {
		fs.empty = make(chan struct{})
	}
	empty := fs.empty
	fs.waiting.Store(true) // before counting: whoever lands after the count looks at it
	fs.mu.Unlock()
	fs.tellEmpty()
	return empty
}

// endAll ends every request in progress.
func (fs *flights) endAll(reason sluice.Code) {
	fs.each(func(f *flight) { f.end(reason) })
}

// dueIn is the tick by which d has passed.
func (fs *flights) dueIn(d time.Duration) int64 {
	return fs.ticks.Load() + int64(d/flightTick) + 2
}

// sweep ends calls that are due, once a tick until ctx is done.
func (fs *flights) sweep(ctx context.Context) {
	tick := time.NewTicker(flightTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			now := fs.ticks.Add(1)
			fs.each(func(f *flight) { f.sweep(now) })
		}
	}
}
