package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/sluicegate/sluice"
)

// drainTime bounds what is done after the context has ended.
const drainTime = 10 * time.Second

// Records keeps finished requests durably.
type Records interface {
	// InsertRecords stores a batch, all of it or nothing, before it returns
	// nil. A record whose id is known is left as it is.
	InsertRecords(ctx context.Context, batch []sluice.Record) error
}

// Keys keeps when keys were last used.
type Keys interface {
	// TouchKeys notes when keys were last used; times only move forward, and
	// keys that no longer exist are ignored.
	TouchKeys(ctx context.Context, used map[uint64]time.Time) error
}

// KeysUsed collects what gateways report of the use of keys.
type KeysUsed interface {
	// TakeKeysUsed hands over what was collected and forgets it.
	TakeKeysUsed() map[uint64]time.Time
	// NoteKeysUsed takes back what could not be stored.
	NoteKeysUsed(used map[uint64]time.Time)
}

// Config configures a [Worker].
type Config struct {
	// Records stores what [Worker.Ingest] accepted; required.
	Records Records
	// Queue bounds the records that wait to be stored; 0 means 10000.
	Queue int
	// Batch is how many are stored at once; 0 means 10, at most 1000.
	Batch int
	// Flush is how long a record waits for its batch to fill; 0 means 1 s.
	Flush time.Duration

	// Keys and KeysUsed note the last use of keys every KeyFlush; both nil
	// leave it out. KeyFlush 0 means 1 min.
	Keys     Keys
	KeysUsed KeysUsed
	KeyFlush time.Duration

	// Retention lists what is removed with age, looked at every Sweep; 0 means
	// 1 h.
	Retention []Retention
	Sweep     time.Duration

	// Now is the clock; required.
	Now func() time.Time
	// Log is where faults go; required.
	Log *slog.Logger
}

// Worker does the work after the response. Its methods are safe for concurrent
// use.
type Worker struct {
	cfg   Config
	queue *queue
}

// New returns a worker that does nothing until [Worker.Run].
func New(cfg Config) *Worker {
	cfg.Queue = orDefault(cfg.Queue, 10_000)
	cfg.Batch = min(orDefault(cfg.Batch, 10), 1000)
	cfg.Flush = orDefault(cfg.Flush, time.Second)
	cfg.KeyFlush = orDefault(cfg.KeyFlush, time.Minute)
	cfg.Sweep = orDefault(cfg.Sweep, time.Hour)
	return &Worker{cfg: cfg, queue: newQueue(cfg.Queue)}
}

// Run works until ctx ends, then refuses new records, stores what it has within
// ten seconds and returns. It is called once.
func (w *Worker) Run(ctx context.Context) {
	var parts sync.WaitGroup
	parts.Go(func() { w.ingest(ctx) })
	if w.cfg.Keys != nil && w.cfg.KeysUsed != nil {
		parts.Go(func() { w.flushKeys(ctx) })
	}
	if len(w.cfg.Retention) > 0 {
		parts.Go(func() { w.sweep(ctx) })
	}
	parts.Wait()
}

// every calls work at each interval until ctx ends.
func every(ctx context.Context, interval time.Duration, work func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			work()
		}
	}
}

// drainContext outlives ctx by the drain time.
func drainContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), drainTime)
}

func orDefault[T int | time.Duration](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}
