package worker

import (
	"sync"

	"github.com/sluicegate/sluice"
)

// queue is a bounded first-in first-out list of records. A batch enters whole
// or not at all, so that whoever is refused knows what to send again.
type queue struct {
	mu     sync.Mutex
	list   []sluice.Record
	max    int
	closed bool
	filled chan struct{} // holds a token while something may be waiting
}

func newQueue(max int) *queue { return &queue{max: max, filled: make(chan struct{}, 1)} }

// put appends the batch; ok is false when it does not fit or the queue is
// closed.
func (q *queue) put(batch []sluice.Record) (ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || len(q.list)+len(batch) > q.max {
		return false
	}
	q.list = append(q.list, batch...)
	q.signal()
	return true
}

// peek returns up to n of the oldest records and leaves them in the queue, so
// that they still count against its bound until they are stored.
func (q *queue) peek(n int) []sluice.Record {
	q.mu.Lock()
	defer q.mu.Unlock()
	n = min(n, len(q.list))
	return q.list[:n:n]
}

// drop removes the n oldest records.
func (q *queue) drop(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	clear(q.list[:n])
	if q.list = q.list[n:]; len(q.list) == 0 {
		q.list = nil
		return
	}
	q.signal()
}

// len returns how many records wait.
func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.list)
}

// close refuses everything from now on.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}

func (q *queue) signal() {
	select {
	case q.filled <- struct{}{}:
	default:
	}
}
