package link_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	book "github.com/sluicegate/sluice/internal/ledger"
	"github.com/sluicegate/sluice/internal/link"
)

// spendingID is a request's id that differs in its last byte.
func spendingID(n byte) sluice.RequestID { return sluice.RequestID{1, 15: n} }

// aHold is what a request may cost, by the terms of a tenant.
func aHold(n byte, amount, floor sluice.Nanos) *sluice.Hold {
	return &sluice.Hold{
		Request: spendingID(n), Wallet: sluice.TenantWallet("acme", "USD"), Floor: floor, Amount: amount,
		Deadline: time.Unix(2_000_000_000, 0),
	}
}

// aClaim is room for so many requests at once.
func aClaim(limit int64) []sluice.Claim {
	return []sluice.Claim{{Kind: sluice.ClaimConcurrency, Bucket: "key:1", Limit: limit, Amount: 1}}
}

// newSpending returns an admission over a book in which a wallet may go down to
// minus 100.
func newSpending(b *book.Book) *link.Spending {
	now := func() time.Time { return time.Unix(1_900_000_000, 0) }
	return link.NewSpending(link.SpendingConfig{
		Limits: link.NewLocal(link.LocalConfig{Now: now}), Book: func() *book.Book { return b },
		TopUpURL: "https://sluice.example/billing", Now: now,
	})
}

// Losing this means that a refused request keeps money, or that one without
// money takes a share of a limit.
func TestSpendingIsAllOrNothing(t *testing.T) {
	b := book.NewBook(book.Config{})
	s := newSpending(b)
	admit := func(n byte, amount sluice.Nanos, limit int64) (sluice.Grant, error) {
		return s.Admit(t.Context(), sluice.Claims{RequestID: spendingID(n).String(), List: aClaim(limit), Hold: aHold(n, amount, -100)})
	}
	available := func() sluice.Nanos {
		balance, _ := b.Balance(sluice.TenantWallet("acme", "USD"))
		return balance.Available
	}
	first, err := admit(1, 60, 1)
	must(t, err)
	if _, err := admit(2, 30, 1); sluice.CodeOf(err) != sluice.CodeConcurrency || available() != 40 {
		t.Errorf("over the limit: %v, %s available", err, available())
	}
	if _, err := admit(3, 50, 2); sluice.CodeOf(err) != sluice.CodeInsufficientBalance {
		t.Errorf("over the balance: %v", err)
	}
	second, err := admit(4, 40, 2)
	if err != nil || available() != 0 {
		t.Errorf("what the refused took is missing: %v, %s available", err, available())
	}
	must(t, s.Release(t.Context(), first))
	must(t, s.Release(t.Context(), second))
	if available() != 100 {
		t.Errorf("%s available after both were released", available())
	}
	if _, err := admit(5, 100, 1); err != nil {
		t.Errorf("the slot was not given back: %v", err)
	}
}

// Losing this means that a client whose balance is short does not learn what it
// lacks and where to go.
func TestShortBalanceSaysWhereToTopUp(t *testing.T) {
	s := newSpending(book.NewBook(book.Config{}))
	_, err := s.Admit(t.Context(), sluice.Claims{RequestID: spendingID(1).String(), Hold: aHold(1, 250, -100)})
	e := sluice.AsError(err)
	if e == nil || e.Code != sluice.CodeInsufficientBalance || e.Details["top_up_url"] != "https://sluice.example/billing" ||
		e.Details["required"] != sluice.Nanos(250).String() || e.Details["available"] != sluice.Nanos(100).String() {
		t.Errorf("got %v with %v", err, e.Details)
	}
	_, err = s.Admit(t.Context(), sluice.Claims{RequestID: spendingID(2).String(), Hold: aHold(2, 50, -100)})
	must(t, err)
	if err := s.Extend(t.Context(), spendingID(2), 90); err != nil {
		t.Errorf("there was room: %v", err)
	}
	if err := s.Extend(t.Context(), spendingID(2), 101); sluice.AsError(err).Details["top_up_url"] == nil {
		t.Errorf("an extension that is refused: %v", err)
	}
}

// Losing this means free calls, or none for those who need no balance, while
// another process has the ledger.
func TestSpendingWithoutTheLedger(t *testing.T) {
	s := newSpending(nil)
	_, err := s.Admit(t.Context(), sluice.Claims{RequestID: spendingID(1).String(), Hold: aHold(1, 1, 0)})
	if sluice.CodeOf(err) != sluice.CodeUnavailable || sluice.AsError(err).RetryAfter == 0 || !strings.Contains(err.Error(), "caught up") {
		t.Errorf("spending with a limit: %v", err)
	}
	grant, err := s.Admit(t.Context(), sluice.Claims{RequestID: spendingID(2).String(), Hold: aHold(2, 1, sluice.NoFloor)})
	if err != nil || grant.RequestID == "" {
		t.Errorf("spending without a limit: %v", err)
	}
	if _, err := s.Admit(t.Context(), sluice.Claims{RequestID: spendingID(3).String()}); err != nil {
		t.Errorf("a request that costs nothing: %v", err)
	}
	if err := s.Extend(t.Context(), spendingID(1), 5); sluice.CodeOf(err) != sluice.CodeUnavailable {
		t.Errorf("an extension: %v", err)
	}
	must(t, s.Release(t.Context(), grant))
}

// Losing this means that an answer which has no limit is cut off because the
// ledger has changed hands while it ran.
func TestUnlimitedIsExtendedWithAnyLedger(t *testing.T) {
	none, first, second := (*book.Book)(nil), book.NewBook(book.Config{}), book.NewBook(book.Config{})
	var now *book.Book
	clock := func() time.Time { return time.Unix(1_900_000_000, 0) }
	s := link.NewSpending(link.SpendingConfig{Limits: link.NewLocal(link.LocalConfig{Now: clock}), Book: func() *book.Book { return now }, Now: clock})
	for n, began := range []*book.Book{none, first} {
		now = began
		id := byte(10 * n)
		grant, err := s.Admit(t.Context(), sluice.Claims{RequestID: spendingID(id).String(), Hold: aHold(id, 1, sluice.NoFloor)})
		must(t, err)
		for _, now = range []*book.Book{none, first, second} {
			if err := s.Extend(t.Context(), spendingID(id), 1<<40); err != nil {
				t.Errorf("an extension without a limit: %v", err)
			}
		}
		must(t, s.Settle(t.Context(), grant, 0))
		if err := s.Extend(t.Context(), spendingID(id), 1<<41); now == nil || err == nil {
			t.Error("what has ended is remembered")
		}
	}
	now = first
	limited, err := s.Admit(t.Context(), sluice.Claims{RequestID: spendingID(30).String(), Hold: aHold(30, 1, -100)})
	must(t, err)
	now = second
	if err := s.Extend(t.Context(), spendingID(30), 2); err == nil {
		t.Error("a ledger extended what it does not hold")
	}
	must(t, s.Release(t.Context(), limited))
}

// Losing this means that deciding about money costs memory for each request,
// beyond what the ledger keeps of it.
func TestSpendingAllocatesNothingOfItsOwn(t *testing.T) {
	measure := func(run func(h *sluice.Hold)) float64 {
		n := byte(0)
		h := aHold(0, 1, -100)
		return testing.AllocsPerRun(200, func() {
			n++
			h.Request = spendingID(n)
			run(h)
		})
	}
	alone := book.NewBook(book.Config{})
	base := measure(func(h *sluice.Hold) {
		_ = alone.Hold(*h, time.Unix(1_900_000_000, 0))
		alone.Release(h.Request)
	})
	b := book.NewBook(book.Config{})
	s := newSpending(b)
	id := spendingID(1).String()
	whole := measure(func(h *sluice.Hold) {
		_, _ = s.Admit(t.Context(), sluice.Claims{RequestID: id, Hold: h})
		b.Release(h.Request)
	})
	if whole > base {
		t.Errorf("%v allocations, the ledger alone makes %v", whole, base)
	}
}
