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

// shipper carries records from the pipeline to Events: a bounded queue, batches,
// and patience. The pipeline never waits for it.
type shipper struct {
	events  sluice.Events
	log     *slog.Logger
	batch   int
	flush   time.Duration
	queue   chan sluice.Record
	metrics *metrics
	dropped atomic.Uint64

	// closing guards the queue against a send after it is closed.
	closing sync.RWMutex
	closed  bool
}

func newShipper(cfg Config, m *metrics) *shipper {
	return &shipper{
		events: cfg.Events, log: cfg.Log, batch: cfg.Records.Batch, flush: cfg.Records.Flush,
		queue: make(chan sluice.Record, cfg.Records.Queue), metrics: m,
	}
}

// add queues a record, or drops it when the queue is full: the books lose a
// line, but traffic goes on and the loss is counted.
func (s *shipper) add(r sluice.Record) {
	s.closing.RLock()
	defer s.closing.RUnlock()
	if !s.closed {
		select {
		case s.queue <- r:
			s.metrics.queued.Set(float64(len(s.queue)))
			return
		default:
		}
	}
	s.metrics.dropped.Inc()
	if n := s.dropped.Add(1); n&(n-1) == 0 { // 1, 2, 4, 8...: a flood of losses must not flood the log
		s.log.Error("record dropped: the queue is full", "dropped", n, "capacity", cap(s.queue))
	}
}

// close ends the queue; run publishes what is in it and returns.
func (s *shipper) close() {
	s.closing.Lock()
	defer s.closing.Unlock()
	if !s.closed {
		s.closed = true
		close(s.queue)
	}
}

// run publishes batches until the queue is closed and empty, or ctx is done.
func (s *shipper) run(ctx context.Context) {
	batch := make([]sluice.Record, 0, s.batch)
	for open := true; open; {
		batch, open = s.gather(ctx, batch[:0])
		if len(batch) > 0 {
			s.publish(ctx, batch)
		}
		s.metrics.queued.Set(float64(len(s.queue)))
	}
}

// gather fills a batch; an incomplete one waits for at most the flush interval
// after its first record. open is false once there will be no more.
func (s *shipper) gather(ctx context.Context, batch []sluice.Record) (_ []sluice.Record, open bool) {
	select {
	case r, ok := <-s.queue:
		if !ok {
			return batch, false
		}
		batch = append(batch, r)
	case <-ctx.Done():
		return batch, false
	}
	timer := time.NewTimer(s.flush)
	defer timer.Stop()
	for len(batch) < s.batch {
		select {
		case r, ok := <-s.queue:
			if !ok {
				return batch, false
			}
			batch = append(batch, r)
		case <-timer.C:
			return batch, true
		case <-ctx.Done():
			return batch, false
		}
	}
	return batch, true
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
		s.log.Warn("records wait for the books", "records", len(batch), "queued", len(s.queue), "error", err)
		sleep(ctx, pause)
		pause = min(pause*2, shipPauseMax)
	}
}
