package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/worker"
)

// books is a sink that keeps what it is given and can be broken.
type books struct {
	mu      sync.Mutex
	ids     []string
	batches []int
	keys    map[uint64]time.Time
	broken  error
}

func (b *books) InsertRecords(ctx context.Context, batch []sluice.Record) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := errors.Join(b.broken, ctx.Err()); err != nil {
		return err
	}
	b.batches = append(b.batches, len(batch))
	for _, r := range batch {
		b.ids = append(b.ids, r.ID)
	}
	return nil
}

func (b *books) TouchKeys(_ context.Context, used map[uint64]time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken == nil {
		b.keys = used
	}
	return b.broken
}

func (b *books) breakWith(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken = err
}

func (b *books) keyUsed(id uint64) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.keys[id]
}

func (b *books) stored() (ids []string, batches []int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ids, b.batches
}

func records(from, n int) (list []sluice.Record) {
	for i := range n {
		list = append(list, sluice.Record{ID: fmt.Sprint(from + i)})
	}
	return list
}

// journal keeps what was logged, for reading while the worker runs.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// start runs a worker; the returned function stops it and waits.
func start(t *testing.T, cfg worker.Config) (w *worker.Worker, stop func(), log *journal) {
	t.Helper()
	log = &journal{}
	cfg.Log, cfg.Now = slog.New(slog.NewTextHandler(log, nil)), time.Now
	w = worker.New(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.Run(ctx) }()
	return w, func() { cancel(); <-ended }, log
}

func mustIngest(t *testing.T, w *worker.Worker, list []sluice.Record) {
	t.Helper()
	if err := w.Ingest(list); err != nil {
		t.Fatal(err)
	}
}

// Losing this means that records wait for ever for a batch to fill, or that the
// database sees one transaction per record.
func TestIngestBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &books{}
		w, stop, _ := start(t, worker.Config{Records: b})
		defer stop()
		mustIngest(t, w, records(0, 25))
		synctest.Wait()
		if _, batches := b.stored(); len(batches) != 2 || batches[0] != 10 {
			t.Errorf("at once: batches %v, want two full ones", batches)
		}
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		ids, batches := b.stored()
		if len(ids) != 25 || len(batches) != 3 || ids[24] != "24" {
			t.Errorf("after a second: %d records in %v", len(ids), batches)
		}
		if w.Waiting() != 0 {
			t.Errorf("%d still wait", w.Waiting())
		}
	})
}

// Losing this means that a database that is away loses records, or fills the
// memory while clients believe that all is well.
func TestIngestWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &books{broken: errors.New("disk is gone")}
		w, stop, log := start(t, worker.Config{Records: b, Queue: 30})
		defer stop()
		mustIngest(t, w, records(0, 30))
		time.Sleep(time.Minute)
		err := w.Ingest(records(30, 1))
		var e *sluice.Error
		if !errors.As(err, &e) || e.Code != sluice.CodeUnavailable || e.RetryAfter < 1 {
			t.Errorf("a full queue answers %v", err)
		}
		if sluice.CodeOf(w.Ingest(records(0, 31))) != sluice.CodeTooLarge {
			t.Error("a batch that can never fit should say so")
		}
		if n := strings.Count(log.String(), "store records"); n < 5 || n > 30 {
			t.Errorf("%d complaints in a minute; retries must back off", n)
		}
		b.breakWith(nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if ids, _ := b.stored(); len(ids) != 30 {
			t.Errorf("%d records stored after the store came back, want 30", len(ids))
		}
		mustIngest(t, w, records(30, 1))
	})
}

// Losing this means that a restart loses what was accepted.
func TestRunDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &books{}
		w, stop, _ := start(t, worker.Config{Records: b})
		mustIngest(t, w, records(0, 7))
		stop()
		if ids, _ := b.stored(); len(ids) != 7 {
			t.Errorf("%d of 7 records survived the stop", len(ids))
		}
		if sluice.CodeOf(w.Ingest(records(7, 1))) != sluice.CodeUnavailable {
			t.Error("a stopped worker accepted a record")
		}
	})
}

// Losing this means that a broken database keeps the process from ending, or
// that it ends without saying what was lost.
func TestDrainIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &books{broken: errors.New("disk is gone")}
		w, stop, log := start(t, worker.Config{Records: b})
		mustIngest(t, w, records(0, 3))
		began := time.Now()
		stop()
		if took := time.Since(began); took > 11*time.Second {
			t.Errorf("the stop took %s", took)
		}
		if !strings.Contains(log.String(), "records lost at shutdown") || !strings.Contains(log.String(), "records=3") {
			t.Errorf("the log does not say what was lost: %s", log)
		}
	})
}

// keysUsed is what gateways reported.
type keysUsed struct {
	mu   sync.Mutex
	used map[uint64]time.Time
}

func (k *keysUsed) TakeKeysUsed() map[uint64]time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	used := k.used
	k.used = nil
	return used
}

func (k *keysUsed) NoteKeysUsed(used map[uint64]time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.used = used
}

// Losing this means that "last used" stays empty, or is lost when the database
// is away for a moment.
func TestKeysUsedAreFlushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &books{broken: errors.New("locked")}
		at := time.Now()
		used := &keysUsed{used: map[uint64]time.Time{7: at}}
		_, stop, _ := start(t, worker.Config{Records: b, Keys: b, KeysUsed: used})
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if at := b.keyUsed(7); !at.IsZero() {
			t.Fatalf("a broken store kept %v", at)
		}
		b.breakWith(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := b.keyUsed(7); !got.Equal(at) {
			t.Errorf("key 7 was used at %v, stored %v", at, got)
		}
		used.NoteKeysUsed(map[uint64]time.Time{8: at})
		stop()
		if got := b.keyUsed(8); !got.Equal(at) {
			t.Errorf("the last flush stored %v", got)
		}
	})
}

// Losing this means that the database grows for ever, or that young rows go.
func TestRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var calls []time.Time
		left := 2500
		old := worker.Retention{Name: "records", Keep: 24 * time.Hour, Delete: func(_ context.Context, before time.Time, limit int) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, before)
			n := min(left, limit)
			left -= n
			return n, nil
		}}
		broken := worker.Retention{Name: "broken", Keep: time.Hour, Delete: func(context.Context, time.Time, int) (int, error) { return 0, errors.New("locked") }}
		forever := worker.Retention{Name: "audit", Delete: func(context.Context, time.Time, int) (int, error) {
			t.Error("what is kept for ever was swept")
			return 0, nil
		}}
		began := time.Now()
		_, stop, log := start(t, worker.Config{Records: &books{}, Retention: []worker.Retention{broken, forever, old}})
		synctest.Wait()
		if left != 0 || len(calls) != 3 || !calls[0].Equal(began.Add(-24*time.Hour)) {
			t.Errorf("%d left after %d calls", left, len(calls))
		}
		if !strings.Contains(log.String(), "broken") {
			t.Error("a fault was not logged")
		}
		mu.Lock()
		left = 1
		mu.Unlock()
		time.Sleep(time.Hour + time.Second)
		synctest.Wait()
		stop()
		if left != 0 {
			t.Error("the second sweep did not come")
		}
	})
}
