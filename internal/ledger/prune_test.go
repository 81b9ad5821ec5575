package ledger_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/ledger"
)

// midday is when the keys of these tests are used.
var midday = time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)

// capped is a hold under a key's caps at a time.
func capped(n byte, at time.Time) sluice.Hold {
	key := sluice.Key{Caps: []sluice.SpendingCap{
		{Period: "day", Limit: sluice.Money{Amount: 100, Asset: "USD"}}, {Period: "week", Limit: sluice.Money{Amount: 100, Asset: "USD"}},
		{Period: "month", Limit: sluice.Money{Amount: 100, Asset: "USD"}}, {Period: "total", Limit: sluice.Money{Amount: 100, Asset: "USD"}},
	}}
	key.ID = 7
	return sluice.Hold{
		Request: sluice.RequestID{1, 15: n}, Wallet: sluice.TenantWallet("acme", "USD"), Floor: sluice.NoFloor, Amount: 10, Deadline: at.Add(time.Hour),
		Caps: key.CapLimits("USD", at), Price: sluice.PriceRef{Version: 1, Multiplier: sluice.NoMultiplier},
	}
}

// TestPastCapsAreForgotten keeps a book from growing with each key and day, and
// from forgetting what a request needs or a period that runs.
func TestPastCapsAreForgotten(t *testing.T) {
	b := ledger.NewBook(ledger.Config{})
	running, ended := capped(1, midday), capped(2, midday)
	ended.Deadline = midday.Add(time.Hour)
	running.Deadline = midday.AddDate(0, 0, 40)
	for _, h := range []sluice.Hold{running, ended} {
		if err := b.Hold(h, midday); err != nil {
			t.Fatal(err)
		}
	}
	ending := sluice.Posting{Request: ended.Request, Attempt: 1, Final: true, Outcome: sluice.OutcomeComplete, Price: ended.Price, Wallet: ended.Wallet, Charge: 4}
	b.Apply("j", 0, []ledger.Fact{{Seq: 1, Hold: &running}, {Seq: 2, Hold: &ended}, {Seq: 3, Posting: &ending}}, midday)
	commit := func() {
		for batch := b.Take(); !batch.Empty(); batch = b.Take() {
			b.Committed(batch)
		}
	}
	commit()
	later := midday.AddDate(0, 0, 36)
	if n := b.Prune(later); n != 0 {
		t.Errorf("%d caps of a request that runs are forgotten", n)
	}
	ending.Request = running.Request
	b.Apply("j", 3, []ledger.Fact{{Seq: 4, Posting: &ending}}, midday)
	commit()
	for _, c := range []struct {
		at   time.Time
		want int
	}{{midday.AddDate(0, 0, 2), 0}, {midday.AddDate(0, 0, 3), 2}, {midday.AddDate(0, 0, 6), 0}, {midday.AddDate(0, 0, 8), 1}, {later, 0}} {
		if n := b.Prune(c.at); n != c.want { // the month ends with the day
			t.Errorf("on %s %d caps are forgotten, want %d", c.at.Format(time.DateOnly), n, c.want)
		}
	}
	if f := b.Check(later, time.Minute); len(f.Violations) != 0 {
		t.Errorf("after forgetting: %+v", f.Violations)
	}
	// An OPEN that was away for long, and a hold, meet none of them again.
	late := capped(3, midday)
	late.Deadline = later.Add(time.Hour)
	if err := b.Hold(late, later); sluice.CodeOf(err) != sluice.CodeInvalidRequest {
		t.Errorf("a hold under caps that are over: %v", err)
	}
	ending.Request = late.Request
	b.Apply("j", 4, []ledger.Fact{{Seq: 5, Hold: &late}, {Seq: 6, Posting: &ending}}, later)
	commit()
	for i, c := range late.Caps {
		if _, ok := b.Balance(c.Account); ok != (i == 3) {
			t.Errorf("cap %s is known: %v", c.Account, ok)
		}
	}
	if f := b.Check(later, time.Minute); len(f.Violations) != 0 {
		t.Errorf("after an entry that came late: %+v", f.Violations)
	}
}

// TestCheckLetsRequestsOn checks a great book while money moves: what moves
// between two slices is no violation, and requests are not kept waiting by the
// number of accounts.
func TestCheckLetsRequestsOn(t *testing.T) {
	b := manyAccounts(t, 20_000)
	var checks atomic.Int32
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 20 {
			if f := b.Check(midday, time.Minute); len(f.Violations) != 0 {
				t.Errorf("%+v", f.Violations[:1])
			}
			checks.Add(1)
		}
	}()
	moves := 0
	for n := 0; checks.Load() < 20; n++ {
		h := capped(0, midday)
		h.Caps, h.Request = nil, sluice.RequestID{2, 12: byte(n >> 24), 13: byte(n >> 16), 14: byte(n >> 8), 15: byte(n)}
		h.Wallet = sluice.UserWallet("acme", fmt.Sprint("new", n%5000), "USD")
		if err := b.Hold(h, midday); err != nil {
			t.Fatal(err)
		}
		p := sluice.Posting{Request: h.Request, Attempt: 1, Final: true, Outcome: sluice.OutcomeComplete, Price: h.Price, Wallet: h.Wallet, Charge: 4}
		seq := uint64(2*n + 1)
		b.Apply("j", seq-1, []ledger.Fact{{Seq: seq, Hold: &h}, {Seq: seq + 1, Posting: &p}}, midday)
		b.Committed(b.Take())
		moves++
	}
	<-done
	if moves == 0 {
		t.Error("nothing moved while the book was checked")
	}
}

// manyAccounts is a book with a cap for each of n days of keys, and a grant for
// each tenth.
func manyAccounts(tb testing.TB, n int) *ledger.Book {
	tb.Helper()
	s := ledger.State{Accounts: []sluice.Account{{ID: sluice.TenantWallet("acme", "USD"), Asset: "USD", Floor: sluice.NoFloor}}}
	for i := range n {
		a := sluice.Account{Asset: "USD", ID: sluice.OwnedAccount(sluice.AccountCap, fmt.Sprintf("key/%d/day/2026-03-31", i), "USD"), Floor: -100}
		if i%10 == 0 {
			a = sluice.Account{Asset: "USD", ID: sluice.OwnedAccount(sluice.AccountGrant, fmt.Sprint(i), "USD"), Wallet: s.Accounts[0].ID, ExpiresAt: midday.Add(time.Duration(n-i) * time.Hour)}
		}
		s.Accounts = append(s.Accounts, a)
	}
	b := ledger.NewBook(ledger.Config{})
	if err := b.Load(s); err != nil {
		tb.Fatal(err)
	}
	return b
}

// BenchmarkMillionAccounts says how long a start and a check of a million
// accounts take, and for how long the longest of the requests beside the check
// waits.
func BenchmarkMillionAccounts(b *testing.B) {
	began := time.Now()
	book := manyAccounts(b, 1_000_000)
	b.ReportMetric(time.Since(began).Seconds(), "s/load")
	stop, longest := make(chan struct{}), make(chan time.Duration)
	go func() {
		most := time.Duration(0)
		for {
			select {
			case <-stop:
				longest <- most
				return
			default:
			}
			began := time.Now()
			book.Durable("j")
			most = max(most, time.Since(began))
			time.Sleep(50 * time.Microsecond)
		}
	}()
	b.ResetTimer()
	for range b.N {
		book.Check(midday, time.Minute)
	}
	b.StopTimer()
	close(stop)
	b.ReportMetric(float64((<-longest).Microseconds()), "us/longest-wait")
}
