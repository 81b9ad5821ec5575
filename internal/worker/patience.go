package worker

import (
	"context"
	"sync"
	"time"

	"github.com/sluicegate/sluice/internal/journal"
)

// How the books come back to a store that fails: pauses from firstPause, doubled
// up to lastPause. After alarmAfter an operator is called, and it goes on at
// lastPause.
const (
	firstPause = time.Second
	lastPause  = time.Minute
	alarmAfter = time.Hour
	// sparedFor is how long after a failure, or after the ledger was taken, holds of
	// other processes do not expire: the longest pause, and as much to come in.
	sparedFor = 2 * lastPause
)

// failure is what could not be booked.
type failure struct {
	journal string
	after   journal.Seq
	entries int
}

// Alarm is what an operator needs to know of a book that is broken, or of books
// that have not come to terms with their store for an hour.
type Alarm struct {
	// Since is when it began to fail, Tries how often it was tried.
	Since time.Time `json:"since"`
	Tries int       `json:"tries"`
	// Journal and After say which entries wait, Entries how many were tried last;
	// they are empty when what fails is not a journal's.
	Journal string `json:"journal,omitempty"`
	After   uint64 `json:"after,omitempty"`
	Entries int    `json:"entries,omitempty"`
	// Transfers are in memory and not in the store.
	Uncommitted int `json:"uncommitted"`
	// Reason is the store's latest error, Remedy what to do.
	Reason string `json:"reason"`
	Remedy string `json:"remedy"`
}

// patience spaces attempts.
type patience struct {
	mu      sync.Mutex
	since   time.Time // of the first failure; zero while it works
	next    time.Time
	pause   time.Duration
	tries   int
	last    error
	alarmed bool
}

// wait refuses while the pause after a failure is not over.
func (p *patience) wait(now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.since.IsZero() || !now.Before(p.next) {
		return nil
	}
	seconds := int((p.next.Sub(now) + time.Second - 1) / time.Second)
	return unavailable(seconds)
}

// hurry ends the pause.
func (p *patience) hurry() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = time.Time{}
}

// note takes the outcome of an attempt. turned says that it began to fail with
// it, or ended to; due that an operator is to be called, which happens once for
// each time of failure.
func (p *patience) note(now time.Time, err error) (turned, due bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if turned = p.since.IsZero() == (err != nil); err == nil {
		p.since, p.next, p.pause, p.tries, p.last, p.alarmed = time.Time{}, time.Time{}, 0, 0, nil, false
		return turned, false
	}
	if turned {
		p.since = now
	}
	p.pause = min(max(2*p.pause, firstPause), lastPause)
	p.next, p.last = now.Add(p.pause), err
	p.tries++
	if p.alarmed || now.Sub(p.since) < alarmAfter {
		return turned, false
	}
	p.alarmed = true
	return turned, true
}

// state is what a status tells.
func (p *patience) state() (since time.Time, tries int, alarmed bool, last error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.since, p.tries, p.alarmed, p.last
}

// remedy is what an operator can do about books that cannot be written.
const remedy = "Look at the database (reachable, disk, locks). Nothing is lost: entries wait in the gateways' journals, and booking goes on by itself once the store answers. Compare afterwards with `sluice ledger verify --journal FOLDER`."

// remedyBroken is what an operator can do about a book that is broken.
const remedyBroken = "Restart this process: it begins again where the database is, and what followed comes from the journals. Keep the log and run `sluice ledger verify`: the reason is a bug, or a database that was changed by hand."

// outcome notes how booking went, says once that it fails and once that it works
// again, and calls an operator after an hour. It works again once the store has
// taken something: who had nothing to book, or nothing new, proves nothing.
func (b *Books) outcome(ctx context.Context, o *Owned, f failure, err error) {
	if ctx.Err() != nil && err != nil {
		return // whoever asked went away; that says nothing of the store
	}
	if lost(err) {
		b.lose(o, err)
		return
	}
	switch taken := o.Poster.Commits(); {
	case err != nil:
		o.failedAt.Store(taken)
		o.Book.Spare(b.cfg.Now().Add(sparedFor))
	case taken == o.failedAt.Load():
		return
	}
	turned, due := b.retry.note(b.cfg.Now(), err)
	switch {
	case turned && err != nil:
		b.cfg.Log.Error("the books cannot be written; it is tried again", "journal", f.journal, "after", f.after.String(), "entries", f.entries, "error", err)
	case turned:
		b.cfg.Log.Info("the books are written again")
	}
	if due {
		b.alarm(ctx, o, f)
	}
}

// alarm calls an operator.
func (b *Books) alarm(ctx context.Context, o *Owned, f failure) {
	since, tries, _, last := b.retry.state()
	a := Alarm{
		Since: since.UTC(), Tries: tries, Journal: f.journal, After: uint64(f.after), Entries: f.entries,
		Uncommitted: o.Book.Check(b.cfg.Now(), b.cfg.Grace).Uncommitted, Reason: last.Error(), Remedy: remedy,
	}
	b.call(ctx, "ALARM: the books have not been written for an hour", a)
}

// call logs an alarm and puts it into the outbox.
func (b *Books) call(ctx context.Context, what string, a Alarm) {
	b.cfg.Log.Error(what, "since", a.Since, "tries", a.Tries, "journal", a.Journal, "after", journal.Seq(a.After).String(),
		"entries", a.Entries, "uncommitted", a.Uncommitted, "reason", a.Reason, "remedy", a.Remedy)
	if b.cfg.Alarm == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	if err := b.cfg.Alarm(ctx, a); err != nil {
		b.cfg.Log.Error("the alarm could not be written to the outbox", "error", err)
	}
}
