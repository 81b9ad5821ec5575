package worker

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicegate/sluice/internal/ledger"
)

// How often the books look after themselves.
const (
	tick = time.Second
	// storeTime bounds a round of expiry, or an alarm, by a database that hangs.
	storeTime = 10 * tick
	// checkEvery spaces the continuous check, which reads every account.
	checkEvery = 10 * time.Second
	// fullHour is when the whole ledger is proven, in UTC.
	fullHour = 3
	// MaxListed bounds the violations that a status keeps of one proof.
	MaxListed = 100
)

// watch is what the books know of their own condition.
type watch struct {
	entries    atomic.Uint64
	batches    atomic.Uint64
	lagNanos   atomic.Int64
	unreadable atomic.Uint64
	lost       atomic.Uint64

	mu      sync.Mutex
	figures ledger.Figures
	checked time.Time
	full    FullCheck
	untold  []ledger.Violation // what the outbox does not have yet
	telling sync.Mutex         // held while the outbox is written
}

// applied counts entries that are booked.
func (w *watch) applied(n int, lag time.Duration) {
	w.entries.Add(uint64(n))
	w.batches.Add(1)
	w.lagNanos.Store(int64(max(lag, 0)))
}

// FullCheck is the latest proof of the whole ledger.
type FullCheck struct {
	At         time.Time
	Took       time.Duration
	Transfers  int
	Violations []ledger.Violation
	// Problem says why it could not be done; empty when it was.
	Problem string
}

// BooksStatus is the condition of the books.
type BooksStatus struct {
	// Owner says that this process has the ledger.
	Owner bool
	// Figures are of the latest continuous check, made at Checked.
	Figures ledger.Figures
	Checked time.Time
	Full    FullCheck
	// Entries and Batches were booked since the start; Lag is how long the oldest
	// entry of the latest batch had waited.
	Entries, Batches uint64
	Lag              time.Duration
	// Unreadable records were made anew from their postings; Lost runs of entries
	// were reported by journals.
	Unreadable, Lost uint64
	// Broken says that the ledger in memory found itself impossible; see
	// [ledger.Book.Broken].
	Broken bool
	// Since is when booking began to fail, zero while it works; Alarmed says that
	// an operator was called.
	Since   time.Time
	Tries   int
	Alarmed bool
	Problem string
}

// Status returns the condition of the books.
func (b *Books) Status() BooksStatus {
	w := &b.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	s := BooksStatus{
		Owner: b.Book() != nil, Figures: w.figures, Checked: w.checked, Full: w.full,
		Entries: w.entries.Load(), Batches: w.batches.Load(), Lag: time.Duration(w.lagNanos.Load()),
		Unreadable: w.unreadable.Load(), Lost: w.lost.Load(),
	}
	if o := b.owned.Load(); o != nil {
		s.Broken = o.Book.Broken() != nil
	}
	var last error
	if s.Since, s.Tries, s.Alarmed, last = b.retry.state(); last != nil {
		s.Problem = last.Error()
	}
	return s
}

// Run looks after the ledger once a second until ctx ends: it takes it when it
// can be had, renews its lease and checks the invariants. Beside that, because it
// may have to wait for the store, it expires holds and grants, and tells of what
// is wrong every ten seconds.
func (b *Books) Run(ctx context.Context) {
	var beside sync.WaitGroup // expiry, the outbox, and proofs of the whole; ended by ctx
	defer beside.Wait()
	beside.Go(func() { every(ctx, tick, func() { b.expire(ctx) }) })
	beside.Go(func() { every(ctx, checkEvery, func() { b.report(ctx) }) })
	said := ""
	next := nextFull(b.cfg.Now())
	every(ctx, tick, func() {
		if err := b.Take(ctx); err != nil {
			if text := err.Error(); text != said && ctx.Err() == nil {
				b.cfg.Log.Warn("this process does not have the ledger; it is tried again every second", "error", err)
				said = text
			}
			return
		}
		said = ""
		b.look(ctx)
		if b.cfg.Verify != nil && !b.cfg.Now().Before(next) {
			next = nextFull(b.cfg.Now())
			beside.Go(func() { b.VerifyNow(ctx) })
		}
	})
}

// nextFull is the next time of the nightly proof.
func nextFull(now time.Time) time.Time {
	now = now.UTC()
	next := time.Date(now.Year(), now.Month(), now.Day(), fullHour, 0, 0, 0, time.UTC)
	if !next.After(now) {
		next = next.AddDate(0, 0, 1)
	}
	return next
}

// look is one round of keeping the ledger and watching it.
func (b *Books) look(ctx context.Context) {
	o := b.owned.Load()
	if o == nil || !b.keep(ctx, o) {
		return
	}
	if now := b.cfg.Now(); now.Sub(b.lastCheck()) >= checkEvery {
		b.check(o, now)
	}
}

// report tells an operator what look, and others, have found.
func (b *Books) report(ctx context.Context) {
	if o := b.owned.Load(); o != nil {
		b.whole(ctx, o)
		b.tell(ctx)
	}
}

// whole calls an operator, once, when the book is broken.
func (b *Books) whole(ctx context.Context, o *Owned) {
	err := o.Book.Broken()
	if err == nil || o.told {
		return
	}
	o.told = true
	b.call(ctx, "ALARM: the ledger in memory is broken; spending with a limit and booking have stopped", Alarm{Since: b.cfg.Now().UTC(), Reason: err.Error(), Remedy: remedyBroken})
}

// expire is one round of expiry.
func (b *Books) expire(ctx context.Context) {
	o := b.owned.Load()
	if o == nil || b.retry.wait(b.cfg.Now()) != nil {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	b.outcome(ctx, o, failure{}, o.Poster.Expire(bounded, b.journals...))
}

func (b *Books) lastCheck() time.Time {
	b.watch.mu.Lock()
	defer b.watch.mu.Unlock()
	return b.watch.checked
}

// check measures what the book can tell by itself, and tells of violations that
// were not there before.
func (b *Books) check(o *Owned, now time.Time) {
	f := o.Book.Check(now, b.cfg.Grace)
	w := &b.watch
	w.mu.Lock()
	before := w.figures.Violations
	w.figures, w.checked = f, now
	w.mu.Unlock()
	for _, v := range f.Violations {
		if !slices.Contains(before, v) {
			w.toTell(v)
			b.cfg.Log.Error("an invariant of the ledger is broken", "invariant", v.Invariant, "subject", v.Subject, "message", v.Message)
		}
	}
}

// VerifyNow proves the whole ledger from its transfers and keeps the result for
// [Books.Status].
func (b *Books) VerifyNow(ctx context.Context) {
	began := b.cfg.Now()
	transfers, found, err := b.cfg.Verify(ctx)
	full := FullCheck{At: began, Took: b.cfg.Now().Sub(began), Transfers: transfers, Violations: found[:min(len(found), MaxListed)]}
	if err != nil {
		if ctx.Err() != nil {
			return
		}
		full.Problem = err.Error()
		b.cfg.Log.Error("the ledger could not be proven", "error", err)
	}
	for _, v := range full.Violations {
		b.cfg.Log.Error("the ledger does not agree with its transfers", "invariant", v.Invariant, "subject", v.Subject, "message", v.Message)
		b.watch.toTell(v)
	}
	b.watch.mu.Lock()
	b.watch.full = full
	b.watch.mu.Unlock()
	b.tell(ctx)
}

// toTell notes a violation for the outbox; beyond a limit the log has to do.
func (w *watch) toTell(v ledger.Violation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.untold) < MaxListed {
		w.untold = append(w.untold, v)
	}
}

// tell puts violations into the outbox; what cannot be written now is, with the
// next check.
func (b *Books) tell(ctx context.Context) {
	w := &b.watch
	w.telling.Lock()
	defer w.telling.Unlock()
	w.mu.Lock()
	list := w.untold
	w.untold = nil
	w.mu.Unlock()
	if b.cfg.Violation == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	for i, v := range list {
		if err := b.cfg.Violation(ctx, b.cfg.Now(), v); err != nil {
			b.cfg.Log.Error("a violation could not be written to the outbox yet", "error", err)
			for _, left := range list[i:] {
				w.toTell(left)
			}
			return
		}
	}
}
