package worker

import (
	"context"
	"time"

	"github.com/sluicegate/sluice"
)

// maxPause bounds the wait between attempts to store a batch.
const maxPause = 5 * time.Second

// Ingest accepts records to be stored soon, all of them or none (feature E3). A
// full queue, or a worker that is ending, is [sluice.CodeUnavailable] with
// RetryAfter; nothing is ever dropped silently. The records must not be changed
// afterwards.
func (w *Worker) Ingest(batch []sluice.Record) error {
	if len(batch) > w.cfg.Queue {
		return sluice.Errorf(sluice.CodeTooLarge, "at most %d records are accepted at once", w.cfg.Queue)
	}
	if !w.queue.put(batch) {
		return sluice.Errorf(sluice.CodeUnavailable, "the queue of records is full").After(1)
	}
	return nil
}

// Waiting returns how many accepted records are not stored yet.
func (w *Worker) Waiting() int { return w.queue.len() }

// ingest stores batches until ctx ends, then what is left.
func (w *Worker) ingest(ctx context.Context) {
	for w.await(ctx) {
		w.store(ctx)
	}
	w.queue.close()
	w.drain(ctx)
}

// await waits for a full batch, or for the flush interval after the first
// record of one. It is false when ctx has ended.
func (w *Worker) await(ctx context.Context) bool {
	var flush <-chan time.Time
	for {
		if w.queue.len() >= w.cfg.Batch {
			return ctx.Err() == nil
		}
		select {
		case <-ctx.Done():
			return false
		case <-flush:
			return true
		case <-w.queue.filled:
			if flush == nil {
				timer := time.NewTimer(w.cfg.Flush)
				defer timer.Stop()
				flush = timer.C
			}
		}
	}
}

// store writes the oldest batch, trying again with growing pauses until it is
// stored or ctx ends. Meanwhile the queue fills, and clients are told.
func (w *Worker) store(ctx context.Context) {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, maxPause) {
		err := w.storeOnce(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		w.cfg.Log.Error("store records", "waiting", w.queue.len(), "retry_in", pause, "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// storeOnce writes the oldest batch and removes it once it is durable.
func (w *Worker) storeOnce(ctx context.Context) error {
	batch := w.queue.peek(w.cfg.Batch)
	if len(batch) == 0 {
		return nil
	}
	if err := w.cfg.Records.InsertRecords(ctx, batch); err != nil {
		return err
	}
	w.queue.drop(len(batch))
	return nil
}

// drain stores what is left within the drain time and says what was lost.
func (w *Worker) drain(ctx context.Context) {
	ctx, cancel := drainContext(ctx)
	defer cancel()
	for w.queue.len() > 0 && ctx.Err() == nil {
		w.store(ctx)
	}
	if n := w.queue.len(); n > 0 {
		w.cfg.Log.Error("records lost at shutdown", "records", n)
	}
}
