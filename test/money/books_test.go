package money_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/journal"
	"github.com/sluicegate/sluice/internal/ledger"
	"github.com/sluicegate/sluice/internal/store"
)

// archive keeps every segment that a gateway's journal ever had: links to files
// that the journal itself removes once the books have them.
type archive struct{ from, to string }

// newArchive archives the journal of a data folder beside it.
func newArchive(t *testing.T, data string) *archive {
	t.Helper()
	a := &archive{filepath.Join(data, "journal"), filepath.Join(data, "archive")}
	if err := os.MkdirAll(a.to, 0o700); err != nil {
		t.Fatal(err)
	}
	return a
}

// link takes in what is there now.
func (a *archive) link(t *testing.T) {
	t.Helper()
	names, err := os.ReadDir(a.from)
	if err != nil && !os.IsNotExist(err) {
		t.Error(err)
	}
	for _, e := range names {
		a.linkOne(t, e)
	}
}

func (a *archive) linkOne(t *testing.T, e fs.DirEntry) {
	t.Helper()
	from, to := filepath.Join(a.from, e.Name()), filepath.Join(a.to, e.Name())
	was, err := os.Stat(to)
	if err == nil {
		if is, err := os.Stat(from); err != nil || os.SameFile(is, was) {
			return
		}
		// The number of a segment whose creation was cut off is given again.
		if err := os.Remove(to); err != nil {
			t.Error(err)
		}
	}
	if err := os.Link(from, to); err != nil && !os.IsNotExist(err) && !errors.Is(err, syscall.ENOSPC) {
		t.Error(err)
	}
}

// follow links new segments until the returned function is called.
func (a *archive) follow(t *testing.T) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() { // ended by stop
		defer close(ended)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				a.link(t)
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-ended; a.link(t) }
}

// story is what a journal says of one request.
type story struct {
	number      int64
	hold        *sluice.Hold
	opens, ends map[uint16]int
	progress    []sluice.Posting
	finals      []sluice.Posting
}

// booked is what the database says of one request.
type booked struct {
	charged sluice.Nanos // credited to revenue, less refunds
	records []sluice.Record
}

// cost is what the records of the request say.
func (b *booked) cost() (sum sluice.Nanos) {
	for i := range b.records {
		sum += b.records[i].Cost.Amount
	}
	return sum
}

// books are all three, read offline.
type books struct {
	stories   map[sluice.RequestID]*story
	requests  map[sluice.RequestID]*booked
	accounts  []sluice.Account
	transfers []sluice.Transfer
	lost      int // entries of the kind LOST
	damage    []journal.Damage
}

func newBooks() *books {
	return &books{stories: map[sluice.RequestID]*story{}, requests: map[sluice.RequestID]*booked{}}
}

func (b *books) story(id sluice.RequestID) *story {
	s := b.stories[id]
	if s == nil {
		s = &story{opens: map[uint16]int{}, ends: map[uint16]int{}}
		b.stories[id] = s
	}
	return s
}

func (b *books) booked(id sluice.RequestID) *booked {
	r := b.requests[id]
	if r == nil {
		r = &booked{}
		b.requests[id] = r
	}
	return r
}

// readBooks reads journals and database; no process has them open.
func readBooks(t *testing.T, cfg store.Config, archives ...*archive) *books {
	t.Helper()
	b := newBooks()
	for _, a := range archives {
		a.link(t)
		b.readJournal(t, a.to)
	}
	b.readDatabase(t, cfg)
	return b
}

// readJournal reads everything that a gateway ever wrote down.
func (b *books) readJournal(t *testing.T, folder string) {
	t.Helper()
	disk, err := journal.NewFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	j, rec, err := journal.OpenJournal(journal.Config{Disk: disk})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	b.damage = append(b.damage, rec.Damage...)
	r := j.Reader(0)
	defer r.Close()
	for {
		e, ok, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return
		}
		b.entry(&e)
	}
}

func (b *books) entry(e *journal.Entry) {
	if e.Kind == journal.Lost {
		b.lost++
		return
	}
	s := b.story(e.Request)
	switch e.Kind {
	case journal.Open:
		s.opens[e.Attempt]++
		if e.Hold != nil {
			s.hold, s.number = e.Hold, int64(e.Hold.Amount/perOutput)-numbered
		}
	case journal.Progress:
		s.progress = append(s.progress, *e.Posting)
	case journal.Terminal:
		s.ends[e.Attempt]++
		if e.Posting.Final {
			s.finals = append(s.finals, *e.Posting)
		}
	}
}

// readDatabase reads accounts, transfers and records.
func (b *books) readDatabase(t *testing.T, cfg store.Config) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	db, err := store.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.ReadLedger(ctx, func(tx *store.Tx) error {
		if err := tx.EachAccount(func(a sluice.Account) error { b.accounts = append(b.accounts, a); return nil }); err != nil {
			return err
		}
		return tx.EachTransfer(func(tr sluice.Transfer) error { b.transfer(tr); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	for cursor := ""; ; {
		page, err := db.Records(ctx, sluice.RecordQuery{Limit: 500, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Items {
			if id, err := sluice.ParseRequestID(r.ID); err == nil {
				b.booked(id).records = append(b.booked(id).records, r)
			}
		}
		if cursor = page.Next; cursor == "" {
			return
		}
	}
}

func (b *books) transfer(tr sluice.Transfer) {
	b.transfers = append(b.transfers, tr)
	moves := tr.Kind == sluice.TransferSingle || tr.Kind == sluice.TransferPost
	if moves && !tr.Request.IsZero() && tr.Credit.Kind() == sluice.AccountRevenue {
		b.booked(tr.Request).charged += tr.Amount
	}
}

// balance is what an account has, 0 when there is none.
func (b *books) balance(id sluice.AccountID) (posted, pending sluice.Nanos) {
	for _, a := range b.accounts {
		if a.ID == id {
			return a.Posted, a.Pending
		}
	}
	return 0, 0
}

// figures are what an audit counted.
type figures struct {
	calls, answered, arrived, charged, crashed, free int
	spent                                            sluice.Nanos
	// short is the most that a killed stream was delivered and not charged for, in
	// tokens.
	short    int64
	problems []string
}

func (f *figures) problem(format string, args ...any) {
	f.problems = append(f.problems, fmt.Sprintf(format, args...))
}

// audit holds the three books against each other and against what clients saw.
// Every figure is of calls, so that none has to be remembered by hand.
func (b *books) audit(sales map[int64]sale, receipts []receipt) (f figures) {
	f.calls = len(receipts)
	b.auditLedger(&f)
	b.auditRest(&f)
	byNumber := map[int64]sluice.RequestID{}
	for _, id := range b.ids() {
		b.auditRequest(&f, id)
		if s := b.stories[id]; s != nil && s.hold != nil {
			if other, twice := byNumber[s.number]; twice {
				f.problem("call %d was held for twice, by %s and %s", s.number, other, id)
			}
			byNumber[s.number] = id
		}
	}
	for number, s := range sales {
		f.arrived++
		if _, ok := byNumber[number]; !ok {
			f.problem("call %d reached the upstream and no OPEN tells of it", number)
		}
		b.auditSale(&f, s, byNumber[number])
	}
	seen := map[int64]bool{}
	for _, r := range receipts {
		seen[r.number] = true
		b.auditReceipt(&f, sales, r, byNumber[r.number])
	}
	for number, id := range byNumber {
		if !seen[number] {
			f.problem("request %s is of call %d, which nobody made", id, number)
		}
	}
	return f
}

// ids are all requests that any book names.
func (b *books) ids() []sluice.RequestID {
	all := map[sluice.RequestID]bool{}
	for id := range b.stories {
		all[id] = true
	}
	for id := range b.requests {
		all[id] = true
	}
	return slices.SortedFunc(maps.Keys(all), func(x, y sluice.RequestID) int { return strings.Compare(x.String(), y.String()) })
}

// auditLedger proves the ledger by itself.
func (b *books) auditLedger(f *figures) {
	for _, v := range ledger.Verify(b.accounts, b.transfers) {
		f.problem("%s: %s: %s", v.Invariant, v.Subject, v.Message)
	}
	for _, r := range b.requests {
		f.spent += r.charged
	}
	var debited sluice.Nanos
	for _, tr := range b.transfers {
		moves := tr.Kind == sluice.TransferSingle || tr.Kind == sluice.TransferPost
		if kind := tr.Debit.Kind(); moves && tr.Credit.Kind() == sluice.AccountRevenue && (kind == sluice.AccountWallet || kind == sluice.AccountGrant || kind == sluice.AccountReceivable) {
			debited += tr.Amount
		}
	}
	if revenue, _ := b.balance(sluice.HouseAccount(sluice.AccountRevenue, asset)); revenue != f.spent || debited != f.spent {
		f.problem("requests are charged %s, customers paid %s, revenue is %s", f.spent, debited, revenue)
	}
}

// auditRest checks what holds once everything has settled: nothing is held, the
// house bears nothing, and records say what was charged.
func (b *books) auditRest(f *figures) {
	for _, a := range b.accounts {
		if a.Pending != 0 {
			f.problem("%s still has %s pending", a.ID, a.Pending)
		}
		if a.ID.Kind() == sluice.AccountLoss && a.Posted != 0 {
			f.problem("the house bears %s that customers owe", -a.Posted)
		}
	}
	var recorded sluice.Nanos
	for _, r := range b.requests {
		recorded += r.cost()
	}
	if recorded != f.spent {
		f.problem("requests are charged %s, records say %s", f.spent, recorded)
	}
}

// auditRequest holds journal, ledger and record of one request against each other.
func (b *books) auditRequest(f *figures, id sluice.RequestID) {
	s, r := b.stories[id], b.requests[id]
	if s == nil {
		if r.charged != 0 {
			f.problem("request %s is charged %s, and no journal knows of it", id, r.charged)
		}
		return
	}
	for attempt, n := range s.opens {
		if n != 1 || s.ends[attempt] != 1 {
			f.problem("request %s (call %d), attempt %d: %d OPEN, %d TERMINAL", id, s.number, attempt, n, s.ends[attempt])
		}
	}
	if len(s.finals) != 1 {
		f.problem("request %s (call %d) has %d final TERMINALs", id, s.number, len(s.finals))
		return
	}
	final := s.finals[0]
	switch {
	case r == nil:
		f.problem("request %s (call %d) ended, %s, and the database knows nothing of it", id, s.number, final.Outcome)
		return
	case r.charged != final.Charge:
		f.problem("request %s (call %d): the journal says %s, the ledger %s", id, s.number, final.Charge, r.charged)
	case len(r.records) != 1:
		f.problem("request %s (call %d) has %d records", id, s.number, len(r.records))
	case r.cost() != final.Charge:
		f.problem("request %s (call %d): the journal says %s, its record %s", id, s.number, final.Charge, r.cost())
	}
	if final.Outcome == sluice.OutcomeCrash {
		f.crashed++
	}
	if final.Charge > 0 {
		f.charged++
	} else {
		f.free++
	}
	if again := priceOf(final.Quantities[sluice.UnitInput], final.Quantities[sluice.UnitOutput]); final.Charge != 0 && again != final.Charge {
		f.problem("request %s (call %d) was charged %s, its usage costs %s", id, s.number, final.Charge, again)
	}
}

// auditSale holds the upstream's log against the charge: never more than it
// billed, never for a call that did not reach it, never twice.
func (b *books) auditSale(f *figures, s sale, id sluice.RequestID) {
	r := b.requests[id]
	if r == nil {
		return
	}
	if most := priceOf(s.input, s.output); r.charged > most {
		f.problem("call %d was charged %s, the upstream billed %s", s.number, r.charged, most)
	}
	if s.calls > 1 {
		f.problem("call %d reached the upstream %d times", s.number, s.calls)
	}
}

// auditReceipt holds what a client saw against the charge.
func (b *books) auditReceipt(f *figures, sales map[int64]sale, r receipt, id sluice.RequestID) {
	if !r.id.IsZero() && !id.IsZero() && id != r.id {
		f.problem("call %d was answered as %s and journaled as %s", r.number, r.id, id)
	}
	s, arrived := sales[r.number]
	charged := sluice.Nanos(0)
	if book := b.requests[id]; book != nil && !id.IsZero() {
		charged = book.charged
	}
	if !arrived && charged != 0 {
		f.problem("call %d was charged %s and never reached the upstream", r.number, charged)
	}
	if r.status != 200 {
		return
	}
	if r.last {
		f.answered++
		if full := priceOf(s.input, s.output); charged != full {
			f.problem("the end of call %d was seen; it was charged %s instead of %s", r.number, charged, full)
		}
		return
	}
	if story := b.stories[id]; story != nil && len(story.finals) == 1 && story.finals[0].Outcome == sluice.OutcomeCrash {
		f.short = max(f.short, int64(r.chunks)-story.finals[0].Quantities[sluice.UnitOutput])
	}
}
