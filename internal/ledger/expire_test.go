package ledger_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/ledger"
)

// later is a poster of the same book when every hold's deadline has passed.
func (b *books) later() *ledger.Poster {
	return ledger.NewPoster(b.Book, b.store, func() time.Time { return now.Add(time.Hour) })
}

// endsAt is a journal that has entries up to a number.
func endsAt(journal string, seq uint64) func() []ledger.End {
	return func() []ledger.End { return []ledger.End{{Journal: journal, Seq: seq}} }
}

// short expects that there is nothing to hold.
func (b *books) short(n int, what string) {
	b.t.Helper()
	h := holdOf(n, acme, 1)
	h.Deadline = now.Add(2 * time.Hour)
	if err := b.Hold(h, now); sluice.CodeOf(err) != sluice.CodeInsufficientBalance {
		b.t.Errorf("%s: got %v", what, err)
	}
}

// TestExpiryWaitsForTheJournal keeps what is held for a request whose entries lie
// in the journal: dropped at its deadline, a prepaid balance could be spent again
// every deadline for as long as the store is away.
func TestExpiryWaitsForTheJournal(t *testing.T) {
	b := newBooks(t, ledger.Config{})
	b.topUp(acme, 100)
	opened, promised := holdOf(1, acme, 60), holdOf(2, acme, 40)
	for _, h := range []sluice.Hold{opened, promised} {
		if err := b.Hold(h, now); err != nil {
			t.Fatal(err)
		}
	}
	b.receive(ledger.Fact{Hold: &opened})
	for range 2 {
		if err := b.later().Expire(t.Context(), endsAt("g", 4)); err != nil {
			t.Fatal(err)
		}
		b.short(3, "while the rest of the journal is on its way")
	}
	if f := b.Check(now.Add(time.Hour), time.Minute); len(f.Violations) > 0 {
		t.Errorf("what waits for the journal is called a fault: %+v", f.Violations)
	}
	b.receive(ledger.Fact{Posting: final(1, acme, 60)}, ledger.Fact{Hold: &promised}, ledger.Fact{Posting: final(2, acme, 40)})
	b.want("0/0 100/0 0/0", acme, revenue, debt)
	b.short(3, "when all is booked")
}

// TestExpiryGoesByWhereTheJournalEnded gives back what nobody opened, or what
// another journal opened, though entries never cease to come: a mark that moved
// along with them would never be reached.
func TestExpiryGoesByWhereTheJournalEnded(t *testing.T) {
	b := newBooks(t, ledger.Config{})
	b.topUp(acme, 100)
	if err := b.Hold(holdOf(1, acme, 100), now); err != nil {
		t.Fatal(err)
	}
	if err := b.later().Expire(t.Context(), endsAt("g", 1)); err != nil {
		t.Fatal(err)
	}
	b.short(2, "before the journal is applied")
	b.receive(ledger.Fact{})
	if err := b.later().Expire(t.Context(), endsAt("g", 9)); err != nil {
		t.Fatal(err)
	}
	h := holdOf(3, acme, 100)
	if err := b.Hold(h, now); err != nil {
		t.Errorf("a promise that nobody opened stays: %v", err)
	}
	b.receive(ledger.Fact{Hold: &h})
	if err := b.later().Expire(t.Context(), endsAt("other", 9)); err != nil {
		t.Fatal(err)
	}
	b.want("100/0", acme)
}

// TestExpirySparesOthers leaves other processes the time to bring their journals
// after an outage, and nobody else: the ends of their journals are not known here.
func TestExpirySparesOthers(t *testing.T) {
	b := newBooks(t, ledger.Config{})
	b.topUp(acme, 100)
	ours, theirs, promised := holdOf(1, acme, 50), holdOf(2, acme, 30), holdOf(3, acme, 20)
	for _, h := range []sluice.Hold{ours, theirs, promised} {
		if err := b.Hold(h, now); err != nil {
			t.Fatal(err)
		}
	}
	b.receive(ledger.Fact{Hold: &ours})
	b.Apply("another", 0, []ledger.Fact{{Seq: 1, Hold: &theirs}}, now)
	later := now.Add(3 * time.Hour)
	b.Spare(later.Add(time.Minute))
	b.Spare(later) // never less
	left := func(at time.Time, holds, promises int) {
		t.Helper()
		b.Book.Expire(at, ledger.End{Journal: "g", Seq: 1})
		if f := b.Check(at, time.Minute); f.OpenHolds != holds || f.Promises != promises || len(f.Violations) > 0 {
			t.Errorf("%d holds, %d promises, %+v", f.OpenHolds, f.Promises, f.Violations)
		}
	}
	left(later.Add(time.Minute-1), 1, 1)
	left(later.Add(time.Minute), 0, 0)
}

// TestExpiryTouchesNothingWithoutTheStore leaves memory as it is while the store
// is away: what is released then is released on nothing but hope.
func TestExpiryTouchesNothingWithoutTheStore(t *testing.T) {
	b := newBooks(t, ledger.Config{})
	b.topUp(acme, 100)
	b.topUp(spring, 10)
	h := holdOf(1, acme, 60)
	if err := b.Hold(h, now); err != nil {
		t.Fatal(err)
	}
	b.receive(ledger.Fact{Hold: &h})
	if err := b.Hold(holdOf(2, acme, 50), now); err != nil {
		t.Fatal(err)
	}
	b.store.fail = errors.New("away")
	if _, err := b.Poster.Transfer(t.Context(), topUp("p", post, 5)); err == nil {
		t.Fatal("booked without a store")
	}
	before := b.balances(acme, spring, post)
	if err := b.later().Expire(t.Context()); err == nil {
		t.Error("expired without a store")
	}
	b.want(before, acme, spring, post)
	b.short(3, "without a store")
	if f := b.Check(now.Add(time.Hour), time.Minute); len(f.Violations) > 0 {
		t.Errorf("what waits for the store is called a fault: %+v", f.Violations)
	}
	b.store.fail = nil
	for range 2 { // first the hold, then what it leaves in the grant
		if err := b.later().Expire(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	b.want("100/0 0/0 5/0", acme, spring, post)
}
