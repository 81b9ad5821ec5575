package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/journal"
	"github.com/sluicegate/sluice/internal/ledger"
)

// Owned is a ledger that this process, and no other, keeps.
type Owned struct {
	Book   *ledger.Book
	Poster *ledger.Poster
	// Lease is for how long others stay away after the ledger was taken or renewed;
	// 0 where nobody can take it.
	Lease time.Duration
	// Renew says once more that the ledger is ours; nil where nobody can take it.
	// [sluice.CodeConflict] means that another process has it.
	Renew func(ctx context.Context) error
	// Close gives the ledger up, so that another process need not wait.
	Close func(ctx context.Context) error

	// failedAt is how much the store had taken when it failed last.
	failedAt atomic.Uint64
	// sent is when the request that granted the lease was sent.
	sent atomic.Pointer[time.Time]
	// caught says that the book has what the journals had, behind where they ended
	// when that was asked first.
	caught   atomic.Bool
	catching sync.Mutex
	behind   []ledger.End
	// told says that an operator was called because the book is broken; it belongs
	// to report.
	told bool
}

// BooksConfig configures [Books].
type BooksConfig struct {
	// Own takes the ledger for this process and loads it; required.
	// [sluice.CodeUnavailable] while another process has it.
	Own func(ctx context.Context) (*Owned, error)
	// Verify proves the whole ledger from its transfers and returns how many there
	// were; nil leaves the nightly check out.
	Verify func(ctx context.Context) (transfers int, found []ledger.Violation, err error)
	// Alarm writes an event for an operator into the outbox; nil only logs.
	Alarm func(ctx context.Context, alarm Alarm) error
	// Violation writes an event for a broken invariant into the outbox, once however
	// often it is called with it; nil only logs.
	Violation func(ctx context.Context, at time.Time, v ledger.Violation) error
	// Grace is how long after its deadline a hold counts as a violation; 0 means
	// 1 min.
	Grace time.Duration
	// Now is the clock; required.
	Now func() time.Time
	// Log is where faults go; required.
	Log *slog.Logger
}

// Books is where every journal ends: it keeps the records that entries carry and
// has the ledger book them. It implements [journal.Transport] and is safe for
// concurrent use.
type Books struct {
	cfg   BooksConfig
	owned atomic.Pointer[Owned]
	// owning is held while the ledger is taken or given up.
	owning sync.Mutex
	retry  patience
	watch  watch
	// journals are those that this process writes; they do not change.
	journals []func() []ledger.End
	// unsure says that the lease could not be renewed; it belongs to Run.
	unsure bool
}

var _ journal.Transport = (*Books)(nil)

// NewBooks returns books that own no ledger until [Books.Take] or [Books.Run].
func NewBooks(cfg BooksConfig) *Books {
	cfg.Grace = orDefault(cfg.Grace, time.Minute)
	return &Books{cfg: cfg}
}

// Take takes the ledger now. [sluice.CodeUnavailable] means that another process
// has it; [Books.Run] goes on trying.
func (b *Books) Take(ctx context.Context) error {
	b.owning.Lock()
	defer b.owning.Unlock()
	if b.owned.Load() != nil {
		return nil
	}
	sent := b.cfg.Now()
	o, err := b.cfg.Own(ctx)
	if err != nil {
		return fmt.Errorf("taking the ledger: %w", err)
	}
	o.sent.Store(&sent)
	o.Book.Spare(b.cfg.Now().Add(sparedFor))
	b.owned.Store(o)
	return nil
}

// Book is the ledger in memory, or nil while this process does not own it or can
// no longer be sure of it, because it could not renew its lease.
func (b *Books) Book() *ledger.Book {
	if o := b.owned.Load(); o != nil && o.inForce(b.cfg.Now()) {
		return o.Book
	}
	return nil
}

// Owns reports whether the ledger is kept here, also while its lease cannot be
// renewed: what is booked then is booked under its epoch or not at all.
func (b *Books) Owns() bool { return b.owned.Load() != nil }

// Open opens accounts as [ledger.Poster.Open] does. [sluice.CodeUnavailable]
// while another process has the ledger.
func (b *Books) Open(ctx context.Context, accounts ...sluice.Account) error {
	o := b.owned.Load()
	if o == nil {
		return notOurs()
	}
	return b.direct(o, o.Poster.Open(ctx, accounts...))
}

// Transfer books transfers that no request makes, as [ledger.Poster.Transfer]
// does. [sluice.CodeUnavailable] while another process has the ledger.
func (b *Books) Transfer(ctx context.Context, transfers ...sluice.Transfer) ([]sluice.Transfer, error) {
	o := b.owned.Load()
	if o == nil {
		return nil, notOurs()
	}
	made, err := o.Poster.Transfer(ctx, transfers...)
	return made, b.direct(o, err)
}

// direct tells a conflict of owners, which is over soon, from one of content.
func (b *Books) direct(o *Owned, err error) error {
	if !lost(err) || o.Renew == nil {
		return err
	}
	if renewed := b.renew(context.Background(), o); !lost(renewed) {
		return err
	}
	b.lose(o, err)
	return notOurs()
}

func notOurs() error {
	return sluice.Errorf(sluice.CodeUnavailable, "this process does not have the ledger").After(1)
}

// lose forgets a ledger that another process has taken: what its book promised
// is decided by the other one from now on.
func (b *Books) lose(o *Owned, reason error) {
	if b.owned.CompareAndSwap(o, nil) {
		b.cfg.Log.Warn("another process has the ledger now; spending with a limit waits until this one gets it back", "reason", reason)
	}
}

// Hurry ends the pause after a failure of the store: a process that ends brings
// what it has to books that may be well again, and does not wait.
func (b *Books) Hurry() { b.retry.hurry() }

// Close gives the ledger up; what is not committed comes again from journals.
func (b *Books) Close(ctx context.Context) error {
	b.owning.Lock()
	defer b.owning.Unlock()
	o := b.owned.Swap(nil)
	if o == nil || o.Close == nil {
		return nil
	}
	return o.Close(ctx)
}

// Send implements [journal.Transport]: what entries book, the records that they
// carry and the position behind them reach the store together or not at all. While the store fails, it is left alone for the pause that is due.
func (b *Books) Send(ctx context.Context, id string, after journal.Seq, entries []journal.Entry) (journal.Seq, error) {
	o := b.owned.Load()
	if o == nil {
		return 0, notOurs()
	}
	if err := b.retry.wait(b.cfg.Now()); err != nil {
		return 0, err
	}
	applied, err := b.receive(ctx, o, id, after, entries)
	b.outcome(ctx, o, failure{journal: id, after: after, entries: len(entries)}, err)
	if err != nil {
		return 0, unavailable(1)
	}
	if n := len(entries); n > 0 {
		b.watch.applied(n, b.cfg.Now().Sub(entries[0].At))
	}
	return applied, nil
}

// receive has the ledger take what entries say.
func (b *Books) receive(ctx context.Context, o *Owned, id string, after journal.Seq, entries []journal.Entry) (journal.Seq, error) {
	facts := make([]ledger.Fact, len(entries))
	for i := range entries {
		facts[i] = factOf(&entries[i])
		facts[i].Record = b.record(id, &entries[i])
	}
	position, err := o.Poster.Receive(ctx, id, uint64(after), facts)
	return journal.Seq(position), err
}

// record is what an entry ends its request with; nil for every other entry.
func (b *Books) record(id string, e *journal.Entry) *sluice.Record {
	r, ok, err := recordOf(e)
	if err != nil {
		b.watch.unreadable.Add(1)
		b.cfg.Log.Error("a journal's record cannot be read; one was made from its posting", "journal", id, "seq", e.Seq.String(), "request", e.Request.String(), "error", err)
	}
	if e.Kind == journal.Lost {
		b.watch.lost.Add(1)
		b.cfg.Log.Error("journal entries are lost", "journal", id, "from", e.Seq.String(), "through", e.Through.String())
	}
	if !ok {
		return nil
	}
	return &r
}

// unavailable tells a shipper to come again; why is in the log and the status.
func unavailable(seconds int) error {
	return sluice.Errorf(sluice.CodeUnavailable, "the books cannot take entries now").After(seconds)
}

// lost reports whether an error of the store means that it has another owner.
func lost(err error) bool {
	var e *sluice.Error
	return errors.As(err, &e) && e.Code == sluice.CodeConflict
}
