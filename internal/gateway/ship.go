package gateway

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicegate/sluice"
)

// The pauses between attempts to publish a batch, and what a last flush may take.
const (
	shipPause    = 50 * time.Millisecond
	shipPauseMax = 5 * time.Second
	flushTimeout = 5 * time.Second
)

// A batch is published at once; the next one then waits a moment for more, unless
// there is plenty: what a transaction costs by itself is shared by its records.
const (
	shipEvery   = 100 * time.Millisecond
	maxShipment = 1000
)

// shipper carries records from the pipeline to Events: a bounded queue, batches,
// and patience. The pipeline never waits for it, and wakes it once for a batch
// and not for each record.
type shipper struct {
	events  sluice.Events
	log     *slog.Logger
	batch   int
	flush   time.Duration
	most    int
	metrics *metrics
	dropped atomic.Uint64
	// spare is the memory of records that were published.
	spare sync.Pool
	// first says that the queue is no longer empty, full that it holds a batch,
	// plenty that it holds a shipment, and all that it is closed. One pending word
	// of each says everything.
	first, full, plenty chan struct{}

	mu     sync.Mutex
	queue  []*finished
	inHand int // records that run took from the queue and has not got rid of
	closed bool
}

func newShipper(cfg Config) *shipper {
	return &shipper{
		events: cfg.Events, log: cfg.Log, batch: cfg.Records.Batch, flush: cfg.Records.Flush, most: cfg.Records.Queue,
		spare: sync.Pool{New: newFinished},
		first: make(chan struct{}, 1), full: make(chan struct{}, 1), plenty: make(chan struct{}, 1),
	}
}

// newFinished makes the memory of a record, with room for an ordinary one:
// growing would cost more than all else of it.
func newFinished() any {
	return &finished{text: scratch{b: make([]byte, 0, 512)}, attempts: make([]sluice.Attempt, 0, 2)}
}

// shipment is the most that is published at once, and enough not to wait for
// more. Half of the queue stays free for what comes meanwhile.
func (s *shipper) shipment() int { return max(s.batch, min(maxShipment, s.most/2)) }

// queued is how many records are not in the books yet: those in the queue, and
// those that are being published or wait for the next attempt.
func (s *shipper) queued() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue) + s.inHand
}

// take lends the memory of a record; add gives it back once it is published.
func (s *shipper) take() *finished {
	f := s.spare.Get().(*finished)
	f.reset()
	return f
}

// giveBack takes the memory of a record that went another way.
func (s *shipper) giveBack(f *finished) { s.spare.Put(f) }

// add queues a record, or drops it when the queue is full: the books lose a
// line, but traffic goes on and the loss is counted.
func (s *shipper) add(f *finished) {
	s.mu.Lock()
	taken := !s.closed && len(s.queue) < s.most
	if taken {
		s.queue = append(s.queue, f)
	}
	n := len(s.queue)
	s.mu.Unlock()
	if !taken {
		s.spare.Put(f)
		s.drop()
		return
	}
	switch n {
	case 1:
		tell(s.first)
	case s.batch:
		tell(s.full)
	}
	if n == s.shipment() {
		tell(s.plenty)
	}
}

// drop counts a record that was lost.
func (s *shipper) drop() {
	s.metrics.dropped.Inc()
	if n := s.dropped.Add(1); n&(n-1) == 0 { // 1, 2, 4, 8...: a flood of losses must not flood the log
		s.log.Error("record dropped: the queue is full", "dropped", n, "capacity", s.most)
	}
}

// tell leaves a word, unless one is there.
func tell(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// close ends the queue; run publishes what is in it and returns.
func (s *shipper) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	tell(s.first)
	tell(s.full)
	tell(s.plenty)
}

// run publishes batches until the queue is closed and empty, or ctx is done.
func (s *shipper) run(ctx context.Context) {
	var batch []sluice.Record
	var held []*finished
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		s.wait(ctx)
		s.gather(ctx, pause)
		more := true
		if held, more = s.cut(held[:0]); len(held) == 0 && (!more || ctx.Err() != nil) {
			return
		}
		pause.Reset(min(shipEvery, s.flush))
		batch = batch[:0]
		for _, f := range held {
			batch = append(batch, f.record)
		}
		if len(batch) > 0 {
			s.publish(ctx, batch)
			s.letGo()
		}
		for i, f := range held {
			s.spare.Put(f)
			held[i] = nil
		}
	}
}

// wait returns when a batch is there, when the flush interval after the first
// record of an incomplete one is over, or when there is nothing to wait for. It
// may also return for no reason.
func (s *shipper) wait(ctx context.Context) {
	n, closed := s.state()
	if n >= s.batch || closed {
		return
	}
	if n == 0 {
		select {
		case <-s.first:
		case <-ctx.Done():
			return
		}
	}
	timer := time.NewTimer(s.flush)
	defer timer.Stop()
	select {
	case <-s.full:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// gather returns when the pause since the last shipment is over, when the next
// one is complete, or when there is nothing to wait for.
func (s *shipper) gather(ctx context.Context, pause *time.Timer) {
	if n, closed := s.state(); n >= s.shipment() || closed {
		return
	}
	select {
	case <-s.plenty:
	case <-pause.C:
	case <-ctx.Done():
	}
}

func (s *shipper) state() (queued int, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue), s.closed
}

// cut moves the oldest records, at most a shipment, to held. more is false once the
// queue is closed and empty.
func (s *shipper) cut(held []*finished) (_ []*finished, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.queue), s.shipment())
	held = append(held, s.queue[:n]...)
	rest := copy(s.queue, s.queue[n:])
	clear(s.queue[rest:])
	s.queue, s.inHand = s.queue[:rest], n
	return held, rest > 0 || !s.closed
}

// letGo notes that what was cut is published or lost.
func (s *shipper) letGo() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inHand = 0
}

// publish repeats until the batch is applied: records are deduplicated by id, so
// an unclear answer costs nothing.
func (s *shipper) publish(ctx context.Context, batch []sluice.Record) {
	pause := shipPause
	for {
		_, err := s.events.Publish(ctx, batch)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			s.dropped.Add(uint64(len(batch)))
			s.metrics.dropped.Add(float64(len(batch)))
			s.log.Error("records lost at shutdown", "records", len(batch), "error", err)
			return
		}
		s.log.Warn("records wait for the books", "records", len(batch), "queued", s.queued(), "error", err)
		sleep(ctx, pause)
		pause = min(pause*2, shipPauseMax)
	}
}
