package ledger_test

import (
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/ledger"
)

// TestBrokenBookStops leaves a book alone that has found itself impossible, and
// loses nothing by it: whoever recovers above it would go on with half a change, and
// the entry that broke it would be skipped when it is sent again.
func TestBrokenBookStops(t *testing.T) {
	b := newBooks(t, ledger.Config{})
	b.topUp(acme, 100)
	const most = sluice.Nanos(1) << 61
	send := func(n int, charge sluice.Nanos) (uint64, error) {
		return b.Receive(t.Context(), "g", uint64(n-1), []ledger.Fact{{Seq: uint64(n), Posting: final(n, "cust.wallet:nova@USD", charge)}})
	}
	for n := 1; n <= 3; n++ {
		if at, err := send(n, most); err != nil || at != uint64(n) {
			t.Fatalf("position %d, %v", at, err)
		}
	}
	before := len(b.store.transfers)
	for range 2 {
		if at, err := send(4, most); sluice.CodeOf(err) != sluice.CodeUnavailable || at != 0 || b.Applied("g") != 3 || b.Durable("g") != 3 {
			t.Fatalf("revenue beyond what can be counted: position %d of %d, %v", at, b.Applied("g"), err)
		}
	}
	_, transfer := b.Poster.Transfer(t.Context(), topUp("p", acme, 5))
	for what, err := range map[string]error{
		"broken": b.Broken(), "hold": b.Hold(holdOf(9, acme, 1), now), "extend": b.Extend(request(9), 1, now), "transfer": transfer,
		"open": b.Poster.Open(t.Context(), sluice.Account{ID: acme, Asset: "USD"}), "expire": b.Poster.Expire(t.Context()),
	} {
		if sluice.CodeOf(err) != sluice.CodeUnavailable {
			t.Errorf("%s: %v", what, err)
		}
	}
	b.Release(request(9))
	if holds, grants := b.Book.Expire(now.Add(5 * time.Hour)); holds+grants > 0 || !b.Take().Empty() || len(b.store.transfers) != before {
		t.Error("a broken book still does something")
	}
	b.restart(ledger.Config{})
	if at, err := send(4, 7); err != nil || at != 4 || b.Broken() != nil {
		t.Errorf("loaded again: position %d, %v", at, err)
	}
	b.want("100/0 6917529027641081863/0", acme, revenue)
}
