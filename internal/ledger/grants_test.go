package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/ledger"
)

// longAfter is when what these tests give is gone for good.
var longAfter = now.Add(2*time.Hour + ledger.KeepPast + time.Minute)

// expire sweeps as at a time.
func (b *books) expire(at time.Time) {
	b.t.Helper()
	if err := ledger.NewPoster(b.Book, b.store, func() time.Time { return at }).Expire(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

// TestEmptyGrantsAreForgotten keeps a book from growing with every grant that was
// ever given, and from forgetting one that somebody still has a part in.
func TestEmptyGrantsAreForgotten(t *testing.T) {
	b := newBooks(t, ledger.Config{})
	b.topUp(spring, 50)
	b.topUp(summer, 70)
	forever := sluice.OwnedAccount(sluice.AccountGrant, "forever", "USD")
	if err := b.Poster.Open(t.Context(), sluice.Account{ID: forever, Asset: "USD", Wallet: acme}); err != nil {
		t.Fatal(err)
	}
	h := holdOf(1, acme, 120) // of both grants
	h.Deadline = longAfter.Add(time.Hour)
	if err := b.Hold(h, now); err != nil {
		t.Fatal(err)
	}
	b.receive(ledger.Fact{Hold: &h})
	b.expire(longAfter)
	before := b.Known()
	if n := b.Prune(longAfter); n != 0 {
		t.Errorf("%d grants that a request holds are forgotten", n)
	}
	p := final(1, acme, 50) // spring is spent, what summer held is released
	b.receive(ledger.Fact{Posting: p})
	b.store.fail = errors.New("away")
	if err := ledger.NewPoster(b.Book, b.store, func() time.Time { return longAfter }).Expire(t.Context()); err == nil {
		t.Fatal("swept without a store")
	}
	b.store.fail = nil
	b.Book.Expire(longAfter) // summer is swept in memory, and the store has not heard of it
	if n := b.Prune(longAfter); n != 1 {
		t.Errorf("%d grants are forgotten while the store has to hear of one, want spring alone", n)
	}
	b.expire(longAfter)
	for _, c := range []struct {
		at   time.Time
		want int
	}{{now.Add(2*time.Hour + ledger.KeepPast), 0}, {longAfter, 1}, {longAfter.AddDate(10, 0, 0), 0}} {
		if n := b.Prune(c.at); n != c.want {
			t.Errorf("at %s %d grants are forgotten, want %d", c.at, n, c.want)
		}
	}
	if _, ok := b.Balance(forever); !ok || b.Known() != before-1 { // breakage has come
		t.Errorf("%d accounts are left of %d, the grant without an end among them: %v", b.Known(), before, ok)
	}
	if f := b.Check(longAfter, time.Minute); len(f.Violations) != 0 {
		t.Errorf("after forgetting: %+v", f.Violations)
	}
	b.want("0/0 0/0", spring, summer)
}

// TestForgottenGrantsAreFoundAgain keeps the id of a grant one grant for ever:
// without it a late payment would open it anew, on other terms than the store has.
func TestForgottenGrantsAreFoundAgain(t *testing.T) {
	b := newBooks(t, ledger.Config{})
	b.topUp(spring, 50)
	first, err := b.Poster.Transfer(t.Context(), topUp("first", spring, 5))
	if err != nil {
		t.Fatal(err)
	}
	b.expire(longAfter)
	late := ledger.NewPoster(b.Book, b.store, func() time.Time { return longAfter })
	forget := func() {
		t.Helper()
		b.expire(longAfter) // takes what was found again off the lists
		b.Prune(longAfter)
		if _, ok := b.Balance(spring); ok {
			t.Fatal("it is not forgotten")
		}
	}
	back := sluice.Transfer{ID: sluice.NewTransferID("back", "adjust", 0), Debit: spring, Credit: cash, Amount: 5, Kind: sluice.TransferSingle, Code: sluice.TransferAdjust}
	terms := sluice.Account{ID: spring, Asset: "USD", Wallet: acme, ExpiresAt: now.Add(time.Hour)}
	others := terms
	others.ExpiresAt = longAfter.Add(time.Hour)
	for name, c := range map[string]struct {
		do   func() error
		code sluice.Code
	}{
		"credit":         {func() error { _, err := late.Transfer(t.Context(), topUp("late", spring, 5)); return err }, sluice.CodeConflict},
		"debit":          {func() error { _, err := late.Transfer(t.Context(), back); return err }, sluice.CodeInsufficientBalance},
		"opened again":   {func() error { return late.Open(t.Context(), terms) }, ""},
		"on other terms": {func() error { return late.Open(t.Context(), others) }, sluice.CodeConflict},
		"paid before": {func() error {
			again, err := late.Transfer(t.Context(), topUp("first", spring, 5))
			if err == nil && !slices.Equal(again, first) {
				err = fmt.Errorf("another answer: %+v", again)
			}
			return err
		}, ""},
	} {
		forget()
		if err := c.do(); sluice.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %q", name, err, c.code)
		}
		if _, ok := b.Balance(spring); !ok {
			t.Errorf("%s: the book does not know the grant", name)
		}
	}
	forget()
	b.store.fail = errors.New("away")
	if err := late.Open(t.Context(), others); err == nil {
		t.Error("opened on other terms while the store is away")
	}
	b.store.fail = nil
	if !slices.ContainsFunc(b.store.transfers, func(x sluice.Transfer) bool { return x.Debit == spring }) {
		t.Error("the store has forgotten its history")
	}
}

// TestChecksLookAtFewAccountsUnderOneLock proves that no request waits longer the
// more accounts there are: neither a check nor a pruning keeps the lock for more
// than a slice, and both let go of it in between.
func TestChecksLookAtFewAccountsUnderOneLock(t *testing.T) {
	const most = 128
	for _, n := range []int{0, 1, most - 1, most, 3*most + 1, 20_000} {
		b := manyAccounts(t, n)
		known := b.Known()
		for name, work := range map[string]func(){
			"check": func() { b.Check(midday, time.Minute) },
			"prune": func() { b.Prune(midday) },
		} {
			var slicesSeen []int
			b.OnSlice(func(accounts int) {
				b.Durable("j") // takes the lock: it would never return if that were kept
				slicesSeen = append(slicesSeen, accounts)
			})
			work()
			sum := 0
			for _, s := range slicesSeen {
				sum += s
			}
			if sum != known || slices.Max(slicesSeen) > most {
				t.Errorf("%s of %d accounts: %d are looked at, %d of them under one lock, want at most %d", name, known, sum, slices.Max(slicesSeen), most)
			}
		}
	}
}
