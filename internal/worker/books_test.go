package worker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	wal "github.com/sluicegate/sluice/internal/journal"
	"github.com/sluicegate/sluice/internal/ledger"
	"github.com/sluicegate/sluice/internal/store"
	"github.com/sluicegate/sluice/internal/worker"
)

// desk is books on a real database, with a clock of its own and a store that can
// be broken.
type desk struct {
	t     *testing.T
	db    *store.DB
	books *worker.Books
	log   bytes.Buffer

	mu     sync.Mutex
	now    time.Time
	broken error
	alarms []worker.Alarm
}

func openDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, now: time.Now().Truncate(time.Second)}
	var err error
	if d.db, err = store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "sluice.db")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.db.Close() })
	d.books = worker.NewBooks(worker.BooksConfig{
		Own: d.own, Now: d.clock, Log: slog.New(slog.NewTextHandler(&d.log, nil)),
		Alarm: func(_ context.Context, a worker.Alarm) error { d.alarms = append(d.alarms, a); return nil },
	})
	if err := d.books.Take(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) own(ctx context.Context) (*worker.Owned, error) {
	kept, err := d.db.OwnLedger(ctx, "test", time.Minute)
	if err != nil {
		return nil, err
	}
	book := ledger.NewBook(ledger.Config{})
	poster := ledger.NewPoster(book, breakable{kept, d}, d.clock)
	return &worker.Owned{Book: book, Poster: poster, Close: kept.Yield}, poster.Start(ctx)
}

func (d *desk) clock() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

func (d *desk) pass(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = d.now.Add(by)
}

// breakable is the database's ledger, unless it is broken.
type breakable struct {
	*store.Ledger
	desk *desk
}

func (b breakable) Commit(ctx context.Context, batch ledger.Batch) error {
	if b.desk.broken != nil {
		return b.desk.broken
	}
	return b.Ledger.Commit(ctx, batch)
}

const deskJournal = "00c0ffee00c0ffee"

// life is a request from its OPEN to its end, charged 70 of a hold of 100.
func (d *desk) life(n byte, first wal.Seq, record []byte, outcome sluice.Outcome) []wal.Entry {
	id := sluice.RequestID{0, byte(d.now.UnixMilli() >> 32), 15: n}
	wallet := sluice.TenantWallet("acme", "USD")
	return []wal.Entry{
		{Seq: first, Kind: wal.Open, Request: id, Attempt: 1, At: d.now, Hold: &sluice.Hold{
			Request: id, Wallet: wallet, Floor: sluice.NoFloor, Amount: 100, Deadline: d.now.Add(time.Hour), Price: sluice.PriceRef{Version: 3},
		}},
		{Seq: first + 1, Kind: wal.Terminal, Request: id, Attempt: 1, At: d.now, Record: record, Posting: &sluice.Posting{
			Request: id, Attempt: 1, Final: true, Outcome: outcome, Quantities: sluice.Quantities{sluice.UnitInput: 4, sluice.UnitOutput: 2},
			Source: sluice.UsageProvider, Price: sluice.PriceRef{Version: 3}, Wallet: wallet, Charge: 70,
		}},
	}
}

func (d *desk) charged() sluice.Nanos {
	balance, _ := d.books.Book().Balance(sluice.TenantWallet("acme", "USD"))
	return -balance.Posted
}

func (d *desk) records() []sluice.Record {
	d.t.Helper()
	page, err := d.db.Records(d.t.Context(), sluice.RecordQuery{})
	if err != nil {
		d.t.Fatal(err)
	}
	return page.Items
}

// Losing this means that a request is charged and nobody can see why, or twice
// when its entries come twice.
func TestBooksTakeAJournal(t *testing.T) {
	d := openDesk(t)
	record := sluice.Record{ID: sluice.RequestID{0, byte(d.now.UnixMilli() >> 32), 15: 1}.String(), Time: d.now, Tenant: "acme", Model: "m",
		Outcome: sluice.OutcomeComplete, Cost: sluice.Money{Amount: 70, Asset: "USD"}}
	entries := d.life(1, 1, sluice.AppendRecord(nil, &record), sluice.OutcomeComplete)
	for range 3 {
		applied, err := d.books.Send(t.Context(), deskJournal, 0, entries)
		if err != nil || applied != 2 {
			t.Fatalf("applied %s, %v", applied, err)
		}
	}
	if list := d.records(); len(list) != 1 || list[0].Model != "m" || d.charged() != 70 {
		t.Errorf("records %+v, charged %s", list, d.charged())
	}
	if applied, err := d.books.Send(t.Context(), deskJournal, 9, d.life(2, 10, nil, sluice.OutcomeComplete)); err != nil || applied != 2 {
		t.Errorf("entries behind a gap: applied %s, %v", applied, err)
	}
}

// Losing this means that what a dead gateway's requests were charged for is in no
// record: two truths.
func TestCrashGetsARecord(t *testing.T) {
	d := openDesk(t)
	begun := sluice.Record{ID: "begun", Time: d.now.Add(-time.Second), Tenant: "acme", Key: "k", Model: "m", Method: "POST"}
	before, _ := json.Marshal(begun) // as journals held it once
	form := sluice.AppendRecord(nil, &begun)
	newer := append([]byte{form[0] + 1}, form[1:]...)
	for i, record := range [][]byte{nil, form, before, []byte("{garbage"), newer} {
		seq := wal.Seq(1 + 2*i)
		if _, err := d.books.Send(t.Context(), deskJournal, seq-1, d.life(byte(1+i), seq, record, sluice.OutcomeCrash)); err != nil {
			t.Fatal(err)
		}
	}
	list := d.records()
	if len(list) != 5 || d.charged() != 350 {
		t.Fatalf("%d records, charged %s", len(list), d.charged())
	}
	for _, r := range list {
		if r.Outcome != sluice.OutcomeCrash || r.Cost != (sluice.Money{Amount: 70, Asset: "USD"}) || r.Usage.Output != 2 || r.Tenant != "acme" || r.Price.Version != 3 {
			t.Errorf("record %+v", r)
		}
	}
	if d.books.Status().Unreadable != 2 || !strings.Contains(d.log.String(), "cannot be read") {
		t.Errorf("garbage was not told of: %+v", d.books.Status())
	}
}

// Losing this means that a store which fails is hammered, that nobody is called
// when it fails for long, or that entries are lost by it.
func TestBooksArePatient(t *testing.T) {
	d := openDesk(t)
	d.broken = errors.New("the disk is gone")
	entries := d.life(1, 1, nil, sluice.OutcomeComplete)
	send := func() error { _, err := d.books.Send(t.Context(), deskJournal, 0, entries); return err }
	var pauses []time.Duration
	for began := d.clock(); d.clock().Sub(began) < 2*time.Hour; {
		err := send()
		if sluice.CodeOf(err) != sluice.CodeUnavailable {
			t.Fatalf("got %v", err)
		}
		tries := d.books.Status().Tries
		again := send()
		if d.books.Status().Tries != tries {
			t.Fatal("tried again without a pause")
		}
		pause := time.Duration(sluice.AsError(again).RetryAfter) * time.Second
		pauses = append(pauses, pause)
		d.pass(pause)
	}
	want := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60}
	for i, w := range want {
		if pauses[i] != w*time.Second {
			t.Errorf("pause %d is %s, want %ds", i, pauses[i], w)
		}
	}
	if len(d.alarms) != 1 || d.alarms[0].Journal != deskJournal || d.alarms[0].Entries != 2 || d.alarms[0].Remedy == "" ||
		!strings.Contains(d.alarms[0].Reason, "the disk is gone") || !d.books.Status().Alarmed {
		t.Errorf("alarms %+v", d.alarms)
	}
	_ = send() // a pause begins
	d.broken = nil
	d.books.Hurry() // as a process does that ends
	if err := send(); err != nil || d.charged() != 70 || d.books.Status().Alarmed || !d.books.Status().Since.IsZero() {
		t.Errorf("when it works again: %v, charged %s, %+v", err, d.charged(), d.books.Status())
	}
}

// Losing this means that two processes decide on one balance: who has lost the
// ledger must stop at once and take it again later.
func TestBooksLoseTheLedger(t *testing.T) {
	d := openDesk(t)
	other, err := d.own(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	entries := d.life(1, 1, nil, sluice.OutcomeComplete)
	if _, err := d.books.Send(t.Context(), deskJournal, 0, entries); sluice.CodeOf(err) != sluice.CodeUnavailable {
		t.Fatalf("a former owner booked: %v", err)
	}
	if d.books.Book() != nil || d.books.Status().Owner {
		t.Error("a former owner still decides")
	}
	if _, err := d.books.Transfer(t.Context(), sluice.Transfer{}); sluice.CodeOf(err) != sluice.CodeUnavailable {
		t.Errorf("a direct transfer: %v", err)
	}
	if err := other.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := d.books.Take(t.Context()); err != nil {
		t.Fatal(err)
	}
	if applied, err := d.books.Send(t.Context(), deskJournal, 0, entries); err != nil || applied != 2 || d.charged() != 70 {
		t.Errorf("as the owner again: %s, %v, charged %s", applied, err, d.charged())
	}
}

// Losing this means that a broken invariant is in a log that nobody reads, or that
// the outbox fills with it.
func TestViolationsAreTold(t *testing.T) {
	found := []ledger.Violation{{Invariant: "I1", Subject: "USD", Message: "all accounts together hold 1"}, {Invariant: "I4", Subject: "cust.wallet:acme@USD"}}
	var told []ledger.Violation
	var broken error
	books := worker.NewBooks(worker.BooksConfig{
		Own: func(context.Context) (*worker.Owned, error) { return nil, errors.New("not here") },
		Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Verify: func(context.Context) (int, []ledger.Violation, error) { return 7, found, nil },
		Violation: func(_ context.Context, at time.Time, v ledger.Violation) error {
			if broken != nil || at.IsZero() {
				return broken
			}
			told = append(told, v)
			return nil
		},
	})
	broken = errors.New("the disk is gone")
	books.VerifyNow(t.Context())
	if len(told) != 0 {
		t.Fatalf("told %+v", told)
	}
	broken, found = nil, nil
	books.VerifyNow(t.Context())
	if len(told) != 2 || told[0].Invariant != "I1" || told[1].Subject != "cust.wallet:acme@USD" {
		t.Errorf("told %+v", told)
	}
}
