package gateway

import (
	"sync"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
)

// keepAlive writes a sign of life into a stream whose target is silent, for
// clients and middle boxes that give up on quiet connections. It exists on
// routes that ask for it, and begins behind the first content: before that the
// status is still open, and another target may answer. Its timer and the
// exchange take turns at the connection.
type keepAlive struct {
	in    sluice.Inbound
	sign  []byte
	every time.Duration
	timer *time.Timer

	mu sync.Mutex
	// waiting says that the exchange is asleep, so that the connection is the
	// timer's.
	waiting bool
	stopped bool
	written int64
	failed  error
}

// newKeepAlive returns the keep-alive of an exchange, nil when its route wants
// none or its surface has no sign that clients pass over. Filters of the body
// may hold a piece of an event, so there is none beside them either.
func (e *exchange) newKeepAlive() *keepAlive {
	every := time.Duration(e.route.KeepAliveSeconds) * time.Second
	surface, ok := e.surface.(dialect.KeepAliver)
	if every == 0 || !ok || !e.events || e.chain.HasBodyFilter() {
		return nil
	}
	k := &keepAlive{in: e.in, sign: surface.KeepAlive(), every: every}
	k.timer = time.AfterFunc(every, k.tick)
	return k
}

// tick writes a sign unless the exchange is awake, and comes again.
func (k *keepAlive) tick() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stopped {
		return
	}
	if k.waiting && k.failed == nil {
		if k.failed = k.in.Write(k.sign); k.failed == nil {
			k.written += int64(len(k.sign))
		}
	}
	k.timer.Reset(k.every)
}

// next waits for the target's next piece and leaves the connection to the timer
// meanwhile.
func (k *keepAlive) next(s sluice.Stream) ([]byte, error) {
	k.hand(true)
	k.timer.Reset(k.every)
	b, err := s.Next()
	if failed := k.hand(false); failed != nil {
		return nil, failed
	}
	return b, err
}

// hand passes the connection to the timer or takes it back.
func (k *keepAlive) hand(over bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.waiting = over
	return k.failed
}

// stop ends the timer and returns how many bytes it wrote; nothing is written
// afterwards.
func (k *keepAlive) stop() int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stopped = true
	k.timer.Stop()
	return k.written
}
