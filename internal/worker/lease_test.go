package worker_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicegate/sluice"
	wal "github.com/sluicegate/sluice/internal/journal"
	"github.com/sluicegate/sluice/internal/ledger"
	"github.com/sluicegate/sluice/internal/worker"
)

// hanging is an empty ledger's store that does not answer while it hangs, and
// refuses while it is down.
type hanging struct {
	away, down, mute atomic.Bool
	telling, most    atomic.Int64
	told             atomic.Int64
}

func (h *hanging) tell(ctx context.Context) error {
	h.most.Store(max(h.most.Load(), h.telling.Add(1)))
	defer h.telling.Add(-1)
	if h.mute.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	h.told.Add(1)
	return nil
}

func (h *hanging) answer(ctx context.Context) error {
	if h.down.Load() {
		return errors.New("the database is gone")
	}
	if h.away.Load() {
		<-ctx.Done()
	}
	return ctx.Err()
}

func (h *hanging) Load(context.Context) (ledger.State, error)       { return ledger.State{}, nil }
func (h *hanging) Commit(ctx context.Context, _ ledger.Batch) error { return h.answer(ctx) }
func (h *hanging) Find(ctx context.Context, _ ...sluice.TransferID) ([]sluice.Transfer, error) {
	return nil, h.answer(ctx)
}
func (h *hanging) Accounts(context.Context, ...sluice.AccountID) ([]sluice.Account, error) {
	return nil, nil
}

// lend has books on a store that can hang, by a lease of five seconds; nothing can
// be told there while it is mute.
func lend(t *testing.T, h *hanging, log *bytes.Buffer) *worker.Books {
	t.Helper()
	books := worker.NewBooks(worker.BooksConfig{
		Violation: func(ctx context.Context, _ time.Time, _ ledger.Violation) error { return h.tell(ctx) },
		Alarm:     func(ctx context.Context, _ worker.Alarm) error { return h.tell(ctx) },
		Now:       time.Now, Log: slog.New(slog.NewTextHandler(log, nil)),
		Own: func(ctx context.Context) (*worker.Owned, error) {
			book := ledger.NewBook(ledger.Config{})
			return &worker.Owned{Book: book, Poster: ledger.NewPoster(book, h, time.Now), Lease: 5 * time.Second, Renew: h.answer}, nil
		},
	})
	if err := books.Take(t.Context()); err != nil {
		t.Fatal(err)
	}
	return books
}

// aPromise is what an unlimited tenant's request holds for a second.
func aPromise(t *testing.T, book *ledger.Book) {
	t.Helper()
	err := book.Hold(sluice.Hold{
		Request: sluice.RequestID{1}, Wallet: sluice.TenantWallet("acme", "USD"), Floor: sluice.NoFloor, Amount: 100, Deadline: time.Now().Add(time.Second),
	}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
}

// Losing this means that an owner which cannot reach the database goes on to
// decide on balances that another process has taken over, or that a database which
// hangs ends the checks.
func TestBooksStopDecidingWithTheirLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, log := &hanging{}, &bytes.Buffer{}
		books := lend(t, h, log)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); books.Run(ctx) }()
		time.Sleep(20*time.Second + time.Millisecond)
		if books.Book() == nil || books.Deciding() == nil {
			t.Fatal("a lease that is renewed ended")
		}
		aPromise(t, books.Book()) // opens accounts, which have to be committed
		h.away.Store(true)
		time.Sleep(3 * time.Second)
		if books.Deciding() == nil {
			t.Error("ended before the lease")
		}
		time.Sleep(time.Second + time.Millisecond)
		if books.Book() != nil || books.Deciding() != nil || books.Status().Owner {
			t.Error("decides when another process may have taken the ledger")
		}
		if !books.Owns() {
			t.Error("journals are sent elsewhere though nobody has taken the ledger")
		}
		time.Sleep(30 * time.Second)
		if since := time.Since(books.Status().Checked); since > 15*time.Second {
			t.Errorf("not checked for %s", since)
		}
		h.away.Store(false)
		time.Sleep(3 * time.Second)
		if books.Deciding() == nil {
			t.Error("does not decide again")
		}
		cancel()
		<-ended
		for _, line := range []string{"cannot be renewed", "is renewed again", "cannot be written", "are written again"} {
			if n := strings.Count(log.String(), line); n > 1 || n == 0 && strings.Contains(line, "renewed") {
				t.Errorf("%d times %q in\n%s", n, line, log)
			}
		}
	})
}

// Losing this means that a balance is spent again at each deadline while what it
// was spent on lies in the journal.
func TestBooksExpireBehindTheJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := &hanging{}, ledger.End{Journal: deskJournal, Seq: 1}
		books := lend(t, h, &bytes.Buffer{})
		books.Follow(func() []ledger.End { return []ledger.End{end} })
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); books.Run(ctx) }()
		promises := func() int { return books.Book().Check(time.Now(), time.Hour).Promises }
		aPromise(t, books.Book())
		time.Sleep(30 * time.Second)
		if promises() != 1 {
			t.Error("a promise was dropped whose OPEN may be on its way")
		}
		if _, err := books.Send(ctx, deskJournal, 0, []wal.Entry{{Seq: 1, Kind: wal.Progress, At: time.Now()}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute) // who has just taken the ledger spares what others may have asked for
		if promises() != 0 {
			t.Error("a promise that nobody opened stays")
		}
		cancel()
		<-ended
	})
}

// Losing this means that a process which starts, or takes the ledger over, with a
// backlog in its journal lets what lies there be spent once more.
func TestBooksDecideOnceTheyHaveTheJournal(t *testing.T) {
	d := openDesk(t)
	end := wal.Seq(2)
	d.books.Follow(func() []ledger.End { return []ledger.End{{Journal: deskJournal, Seq: uint64(end)}} })
	send := func(n byte, first wal.Seq) {
		t.Helper()
		if _, err := d.books.Send(t.Context(), deskJournal, first-1, d.life(n, first, nil, sluice.OutcomeComplete)); err != nil {
			t.Fatal(err)
		}
	}
	if d.books.Deciding() != nil || d.books.Book() == nil {
		t.Error("decides before the journal is applied")
	}
	send(1, 1)
	end = 4 // entries of requests that it has decided on do not count
	if d.books.Deciding() == nil {
		t.Error("does not decide when the journal is applied")
	}
	if err := d.books.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := d.books.Take(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d.books.Deciding() != nil {
		t.Error("decides on what another time has left in the journal")
	}
	send(2, 3)
	if d.books.Deciding() == nil {
		t.Error("does not decide when it has caught up")
	}
}

// Losing this means that one failure fills the log, line by line and twice.
func TestBooksTellOfAFailureOnce(t *testing.T) {
	d := openDesk(t)
	d.broken = errors.New("the disk is gone")
	for range 5 {
		_, err := d.books.Send(t.Context(), deskJournal, 0, d.life(1, 1, nil, sluice.OutcomeComplete))
		if err == nil || strings.Contains(err.Error(), "the disk is gone") {
			t.Errorf("got %v", err)
		}
		d.pass(time.Minute)
	}
	d.broken = nil
	if _, err := d.books.Send(t.Context(), deskJournal, 0, d.life(1, 1, nil, sluice.OutcomeComplete)); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"the disk is gone", "are written again"} {
		if n := strings.Count(d.log.String(), line); n != 1 {
			t.Errorf("%d times %q in\n%s", n, line, &d.log)
		}
	}
}

// Losing this means that an outbox which hangs costs the lease, and with it all
// spending that has a limit.
func TestTellingDoesNotCostTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hanging{}
		h.mute.Store(true)
		books := lend(t, h, &bytes.Buffer{})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); books.Run(ctx) }()
		for n := wal.Seq(1); n <= 4; n++ { // more revenue than can be counted: the book is broken
			_, _ = books.Send(ctx, deskJournal, n-1, []wal.Entry{{Seq: n, Kind: wal.Terminal, Request: sluice.RequestID{byte(n)}, At: time.Now(), Posting: &sluice.Posting{
				Request: sluice.RequestID{byte(n)}, Attempt: 1, Final: true, Outcome: sluice.OutcomeComplete, Wallet: sluice.TenantWallet("acme", "USD"), Charge: 1 << 61,
			}}})
		}
		for range 100 {
			time.Sleep(time.Second)
			if books.Book() == nil {
				t.Fatal("the lease is not renewed while somebody is told")
			}
		}
		books.Found(ledger.Violation{Invariant: "I4", Subject: "acme"})
		for range 100 {
			time.Sleep(time.Second)
			if books.Book() == nil {
				t.Fatal("the lease is not renewed while a violation is told")
			}
		}
		h.mute.Store(false)
		time.Sleep(time.Minute)
		if h.told.Load() == 0 || h.most.Load() > 1 {
			t.Errorf("told %d times, %d at once", h.told.Load(), h.most.Load())
		}
		cancel()
		<-ended
	})
}

// Losing this means that whoever comes back first after an outage decides: what
// another process has served is dropped here, spent once more, and settled late.
func TestBooksSpareHoldsOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hanging{}
		books := lend(t, h, &bytes.Buffer{})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); books.Run(ctx) }()
		open := func() int { return books.Book().Check(time.Now(), time.Hour).OpenHolds }
		time.Sleep(10 * time.Minute)
		hold := sluice.Hold{Request: sluice.RequestID{1}, Wallet: sluice.TenantWallet("acme", "USD"), Floor: sluice.NoFloor, Amount: 100, Deadline: time.Now().Add(time.Minute)}
		if _, err := books.Send(ctx, deskJournal, 0, []wal.Entry{{Seq: 1, Kind: wal.Open, Request: hold.Request, Attempt: 1, At: time.Now(), Hold: &hold}}); err != nil {
			t.Fatal(err)
		}
		h.down.Store(true)
		for range 5 * time.Minute / (5 * time.Second) {
			_, _ = books.Send(ctx, deskJournal, 1, []wal.Entry{{Seq: 2, Kind: wal.Terminal, Request: sluice.RequestID{2}, At: time.Now(), Posting: &sluice.Posting{
				Request: sluice.RequestID{2}, Attempt: 1, Final: true, Outcome: sluice.OutcomeComplete, Wallet: hold.Wallet, Charge: 7,
			}}})
			time.Sleep(5 * time.Second)
		}
		h.down.Store(false)
		time.Sleep(30 * time.Second)
		if books.Book() == nil || open() != 1 {
			t.Error("dropped before its journal could come")
		}
		time.Sleep(2 * time.Minute)
		if open() != 0 {
			t.Error("held for ever for a journal that does not come")
		}
		cancel()
		<-ended
	})
}

// Losing this means that nobody is called when entries wait for hours, because
// what has nothing to book says that booking works.
func TestAlarmThoughNothingExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, log := &hanging{}, &bytes.Buffer{}
		books := lend(t, h, log)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); books.Run(ctx) }()
		h.down.Store(true)
		send := func() error {
			_, err := books.Send(ctx, deskJournal, 0, []wal.Entry{{Seq: 1, Kind: wal.Terminal, Request: sluice.RequestID{1}, At: time.Now(), Posting: &sluice.Posting{
				Request: sluice.RequestID{1}, Attempt: 1, Final: true, Outcome: sluice.OutcomeComplete, Wallet: sluice.TenantWallet("acme", "USD"), Charge: 7,
			}}})
			return err
		}
		for range 2 * time.Hour / (5 * time.Second) {
			if sluice.CodeOf(send()) != sluice.CodeUnavailable {
				t.Fatal("booked without a store")
			}
			time.Sleep(5 * time.Second)
		}
		if s := books.Status(); s.Since.IsZero() || !s.Alarmed {
			t.Errorf("%+v", s)
		}
		h.down.Store(false)
		time.Sleep(2 * time.Minute)
		if err := send(); err != nil || !books.Status().Since.IsZero() || books.Status().Alarmed {
			t.Errorf("when it works again: %v, %+v", err, books.Status())
		}
		cancel()
		<-ended
		for _, line := range []string{"ALARM: the books have not been written", "cannot be written", "are written again"} {
			if n := strings.Count(log.String(), line); n != 1 {
				t.Errorf("%d times %q", n, line)
			}
		}
	})
}

// Losing this means that a ledger which found itself impossible goes on, or stands
// still and nobody is called.
func TestBrokenBookCallsAnOperator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &bytes.Buffer{}
		books := lend(t, &hanging{}, log)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); books.Run(ctx) }()
		var err error
		for n := wal.Seq(1); n <= 4; n++ { // more revenue than can be counted
			_, err = books.Send(ctx, deskJournal, n-1, []wal.Entry{{Seq: n, Kind: wal.Terminal, Request: sluice.RequestID{byte(n)}, At: time.Now(), Posting: &sluice.Posting{
				Request: sluice.RequestID{byte(n)}, Attempt: 1, Final: true, Outcome: sluice.OutcomeComplete, Wallet: sluice.TenantWallet("acme", "USD"), Charge: 1 << 61,
			}}})
		}
		if sluice.CodeOf(err) != sluice.CodeUnavailable || books.Deciding() != nil || !books.Status().Broken {
			t.Errorf("got %v, %+v", err, books.Status())
		}
		time.Sleep(time.Minute)
		cancel()
		<-ended
		if n := strings.Count(log.String(), "ALARM: the ledger in memory is broken"); n != 1 || !strings.Contains(log.String(), "overflows") {
			t.Errorf("%d alarms in\n%s", n, log)
		}
	})
}
