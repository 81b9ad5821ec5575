package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/ledger"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const (
	acme    = sluice.AccountID("cust.wallet:acme@USD")
	post    = sluice.AccountID("cust.wallet:later@USD")
	spring  = sluice.AccountID("cust.grant:spring@USD")
	summer  = sluice.AccountID("cust.grant:summer@USD")
	keyCap  = sluice.AccountID("cust.cap:key/17@USD")
	cash    = sluice.AccountID("sys.cash@USD")
	revenue = sluice.AccountID("sys.revenue@USD")
	debt    = sluice.AccountID("cust.receivable:acme@USD")
	loss    = sluice.AccountID("sys.loss@USD")
)

// books is a book over a store in memory that checks what it is given.
type books struct {
	*ledger.Book
	*ledger.Poster
	store *memory
	seq   uint64
	t     testing.TB
}

func newBooks(t testing.TB, cfg ledger.Config) *books {
	t.Helper()
	b := &books{store: newMemory(), t: t}
	for _, a := range []sluice.Account{
		{ID: acme, Asset: "USD"},
		{ID: post, Asset: "USD", Floor: -500},
		{ID: spring, Asset: "USD", Wallet: acme, ExpiresAt: now.Add(time.Hour)},
		{ID: summer, Asset: "USD", Wallet: acme, ExpiresAt: now.Add(2 * time.Hour)},
		{ID: keyCap, Asset: "USD", Floor: -300},
	} {
		b.store.open(a)
	}
	b.restart(cfg)
	t.Cleanup(func() {
		for _, v := range append(ledger.Verify(b.store.list(), b.store.transfers), b.Check(now, time.Hour*999).Violations...) {
			t.Errorf("%+v", v)
		}
	})
	return b
}

// restart forgets everything that only memory had.
func (b *books) restart(cfg ledger.Config) {
	b.t.Helper()
	b.Book = ledger.NewBook(cfg)
	b.Poster = ledger.NewPoster(b.Book, b.store, func() time.Time { return now })
	if err := b.Start(context.Background()); err != nil {
		b.t.Fatal(err)
	}
}

func (b *books) topUp(to sluice.AccountID, amount sluice.Nanos) {
	b.t.Helper()
	b.seq++
	if _, err := b.Poster.Transfer(context.Background(), topUp(fmt.Sprint("auto", b.seq), to, amount)); err != nil {
		b.t.Fatal(err)
	}
}

func topUp(id string, to sluice.AccountID, amount sluice.Nanos) sluice.Transfer {
	return sluice.Transfer{ID: sluice.NewTransferID(id, "top_up", 0), Debit: cash, Credit: to, Amount: amount, Kind: sluice.TransferSingle, Code: sluice.TransferTopUp}
}

func request(n int) (id sluice.RequestID) {
	copy(id[:], fmt.Sprintf("request %08d", n))
	return id
}

func holdOf(n int, wallet sluice.AccountID, amount sluice.Nanos, caps ...sluice.AccountID) sluice.Hold {
	var limits []sluice.CapLimit
	for _, c := range caps {
		limits = append(limits, sluice.CapLimit{Account: c, Limit: 300})
	}
	floor := sluice.Nanos(0)
	if wallet == post {
		floor = -500
	}
	return sluice.Hold{Request: request(n), Wallet: wallet, Floor: floor, Amount: amount, Caps: limits, Deadline: now.Add(30 * time.Minute), Price: sluice.PriceRef{Version: 1, Multiplier: sluice.NoMultiplier}}
}

func final(n int, wallet sluice.AccountID, charge sluice.Nanos) *sluice.Posting {
	return &sluice.Posting{Request: request(n), Attempt: 1, Final: true, Outcome: sluice.OutcomeComplete, Wallet: wallet, Charge: charge}
}

// receive delivers facts as the journal of one gateway.
func (b *books) receive(facts ...ledger.Fact) {
	b.t.Helper()
	after := b.Durable("g")
	for i := range facts {
		facts[i].Seq = after + uint64(i) + 1
	}
	if _, err := b.Receive(context.Background(), "g", after, facts); err != nil {
		b.t.Fatal(err)
	}
}

// run holds, opens and settles a request.
func (b *books) run(h sluice.Hold, p *sluice.Posting) {
	b.t.Helper()
	if err := b.Hold(h, now); err != nil {
		b.t.Fatal(err)
	}
	b.receive(ledger.Fact{Hold: &h}, ledger.Fact{Posting: p})
}

// balances renders posted/pending/available of accounts.
func (b *books) balances(ids ...sluice.AccountID) string {
	var out []string
	for _, id := range ids {
		a, _ := b.Balance(id)
		out = append(out, fmt.Sprintf("%d/%d", int64(a.Posted), int64(a.Pending)))
	}
	return strings.Join(out, " ")
}

func (b *books) want(want string, ids ...sluice.AccountID) {
	b.t.Helper()
	if got := b.balances(ids...); got != want {
		b.t.Errorf("%v are %s, want %s", ids, got, want)
	}
}

// TestLifeOfAHold follows money through hold, OPEN and settlement, below, at and
// above the hold: the rest is released, the excess is a transfer of its own.
func TestLifeOfAHold(t *testing.T) {
	b := newBooks(t, ledger.Config{})
	b.topUp(acme, 1000)
	h := holdOf(1, acme, 400)
	if err := b.Hold(h, now); err != nil {
		t.Fatal(err)
	}
	if a, _ := b.Balance(acme); a.Available != 600 || a.Pending != 0 {
		t.Errorf("after the hold: %+v", a)
	}
	b.receive(ledger.Fact{Hold: &h})
	b.want("1000/400", acme)
	b.receive(ledger.Fact{Posting: final(1, acme, 150)})
	b.want("850/0 150/0", acme, revenue)
	b.run(holdOf(2, acme, 400), final(2, acme, 400))
	b.run(holdOf(3, acme, 100), final(3, acme, 0))
	b.want("450/0 550/0", acme, revenue)
	b.run(holdOf(4, acme, 100), final(4, acme, 130))
	b.want("320/0 680/0", acme, revenue)
	b.run(holdOf(5, acme, 320), final(5, acme, 500)) // the wallet is empty: the rest is owed
	b.want("0/0 1180/0 -180/0", acme, revenue, debt)
	kinds := ""
	for _, x := range b.store.transfers[1:] {
		kinds += fmt.Sprintf("%s:%s:%d ", x.Kind, x.Code, int64(x.Amount))
	}
	const want = "pending:hold:400 post:charge:150 pending:hold:400 post:charge:400 pending:hold:100 void:release:100 pending:hold:100 post:charge:100 single:overage:30 pending:hold:320 post:charge:320 single:overage:180 "
	if kinds != want {
		t.Errorf("transfers\n%s, want\n%s", kinds, want)
	}
}

// TestDebtForbidden has the house bear what a customer must not owe.
func TestDebtForbidden(t *testing.T) {
	b := newBooks(t, ledger.Config{})
	b.topUp(acme, 100)
	p := final(1, acme, 170)
	p.DebtForbidden = true
	b.run(holdOf(1, acme, 100), p)
	b.want("0/0 -70/0 170/0", acme, loss, revenue)
}

// TestGrantsAreSpentFirst spends what expires soonest, and turns the rest of an
// expired grant into breakage, what is held apart (I3, I4).
func TestGrantsAreSpentFirst(t *testing.T) {
	b := newBooks(t, ledger.Config{})
	b.topUp(summer, 50)
	b.topUp(spring, 100)
	b.topUp(acme, 1000)
	b.run(holdOf(1, acme, 300), final(1, acme, 120))
	b.want("0/0 30/0 1000/0", spring, summer, acme)
	h := holdOf(2, acme, 20)
	h.Deadline = now.Add(5 * time.Hour)
	if err := b.Hold(h, now); err != nil {
		t.Fatal(err)
	}
	b.receive(ledger.Fact{Hold: &h})
	b.Book.Expire(now.Add(3 * time.Hour))
	b.want("20/20 10/0", summer, "sys.breakage@USD")
	if err := b.Hold(holdOf(3, acme, 1001), now); sluice.CodeOf(err) != sluice.CodeInsufficientBalance {
		t.Errorf("an expired grant was held: %v", err)
	}
	b.receive(ledger.Fact{Posting: final(2, acme, 5)})
	b.Book.Expire(now.Add(3 * time.Hour))
	b.want("0/0 25/0", summer, "sys.breakage@USD")
	b.receive() // commits
	if _, err := b.Book.Transfer(now.Add(3*time.Hour), topUp("late", summer, 5)); sluice.CodeOf(err) != sluice.CodeConflict {
		t.Errorf("an expired grant took credit: %v", err)
	}
}

// TestRefusals checks each way in which a hold is refused, with its code and
// what a 402 has to tell.
func TestRefusals(t *testing.T) {
	b := newBooks(t, ledger.Config{})
	b.topUp(acme, 1000)
	err := sluice.AsError(b.Hold(holdOf(1, acme, 1001), now))
	if err.Code != sluice.CodeInsufficientBalance || err.Details["required"] != "0.000001001" || err.Details["available"] != "0.000001" {
		t.Errorf("%+v", err)
	}
	if err := sluice.AsError(b.Hold(holdOf(1, acme, 301, keyCap), now)); err.Code != sluice.CodeInsufficientBalance || err.Details["cap"] != string(keyCap) {
		t.Errorf("%+v", err)
	}
	if err := b.Hold(holdOf(2, post, 500), now); err != nil {
		t.Errorf("within the credit limit: %v", err)
	}
	late := holdOf(4, acme, 1)
	late.Deadline = now
	for name, c := range map[string]struct {
		hold sluice.Hold
		want sluice.Code
	}{
		"beyond the credit limit": {holdOf(3, post, 1), sluice.CodeInsufficientBalance},
		"nothing was topped up":   {holdOf(3, "cust.wallet:nobody@USD", 1), sluice.CodeInsufficientBalance},
		"beyond a new cap":        {holdOf(3, acme, 301, "cust.cap:other@USD"), sluice.CodeInsufficientBalance},
		"floor out of range":      {sluice.Hold{Request: request(3), Wallet: acme, Floor: sluice.NoFloor + 1, Deadline: now.Add(time.Hour)}, sluice.CodeInvalidRequest},
		"name out of range":       {holdOf(3, sluice.AccountID("cust.wallet:"+strings.Repeat("x", 200)+"@USD"), 1), sluice.CodeInvalidRequest},
		"negative":                {holdOf(3, acme, -1), sluice.CodeInvalidRequest},
		"not a wallet":            {holdOf(3, cash, 1), sluice.CodeInvalidRequest},
		"past deadline":           {late, sluice.CodeInvalidRequest},
		"other content":           {holdOf(2, post, 499), sluice.CodeConflict},
		"overflow":                {holdOf(3, acme, 1<<62), sluice.CodeInvalidRequest},
	} {
		if err := b.Hold(c.hold, now); sluice.CodeOf(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if err := b.Hold(holdOf(2, post, 500), now); err != nil {
		t.Errorf("the same hold again: %v", err)
	}
	b.Release(request(2))
	b.Release(request(2))
	if a, _ := b.Balance(post); a.Available != 500 {
		t.Errorf("after the release: %+v", a)
	}
}

// TestCapsMirrorSpending enforces a cap in the hold and keeps it after the
// settlement, beside the wallet.
func TestCapsMirrorSpending(t *testing.T) {
	b := newBooks(t, ledger.Config{})
	b.topUp(acme, 1000)
	b.run(holdOf(1, acme, 200, keyCap), final(1, acme, 120))
	b.want("880/0 -120/0 120/0", acme, keyCap, "sys.cap@USD")
	if err := b.Hold(holdOf(2, acme, 181, keyCap), now); sluice.CodeOf(err) != sluice.CodeInsufficientBalance {
		t.Errorf("beyond the cap: %v", err)
	}
	b.run(holdOf(3, acme, 100, keyCap), final(3, acme, 400)) // overage goes beyond the cap
	b.want("480/0 -520/0 520/0", acme, keyCap, "sys.cap@USD")
	late := holdOf(4, acme, 50, keyCap)
	b.receive(ledger.Fact{Hold: &late}, ledger.Fact{Posting: final(4, acme, 50)}) // by a process that had another limit
	raised := holdOf(5, acme, 31, keyCap)
	raised.Caps[0].Limit = 600
	if err := b.Hold(raised, now); sluice.CodeOf(err) != sluice.CodeInsufficientBalance {
		t.Errorf("once it is raised, a cap has forgotten what was spent: %v", err)
	}
	raised.Amount = 30
	if err := b.Hold(raised, now); err != nil {
		t.Errorf("within the raised cap: %v", err)
	}
	b.receive()
	if floor := b.store.accounts[keyCap].Floor; floor != -600 {
		t.Errorf("the store has the floor %s", floor)
	}
}

// TestExtend keeps money for a delivery that outgrows its hold, or says that it
// has to end; a crash forgets the extension and the charge still fits.
func TestExtend(t *testing.T) {
	b := newBooks(t, ledger.Config{})
	b.topUp(acme, 1000)
	h := holdOf(1, acme, 100)
	if err := b.Hold(h, now); err != nil {
		t.Fatal(err)
	}
	b.receive(ledger.Fact{Hold: &h})
	if err := b.Extend(request(1), 900, now); err != nil {
		t.Fatal(err)
	}
	if err := b.Extend(request(1), 800, now); err != nil {
		t.Errorf("less than before: %v", err)
	}
	if err := b.Hold(holdOf(2, acme, 101), now); sluice.CodeOf(err) != sluice.CodeInsufficientBalance {
		t.Errorf("the extension was held twice: %v", err)
	}
	if err := b.Extend(request(1), 1001, now); sluice.CodeOf(err) != sluice.CodeInsufficientBalance {
		t.Errorf("beyond the wallet: %v", err)
	}
	if err := b.Extend(request(9), 1, now); sluice.CodeOf(err) != sluice.CodeNotFound {
		t.Errorf("of nothing: %v", err)
	}
	b.receive(ledger.Fact{Posting: final(1, acme, 850)})
	b.want("150/0 850/0", acme, revenue)
	if a, _ := b.Balance(acme); a.Available != 150 {
		t.Errorf("%+v", a)
	}
}

// TestNothingHappensTwice delivers everything again, in order and not, before
// and after a restart that forgets: the second time must find its first (E-05).
func TestNothingHappensTwice(t *testing.T) {
	b := newBooks(t, ledger.Config{Remember: 1})
	b.topUp(acme, 1000)
	h := holdOf(1, acme, 400)
	cost := final(1, acme, 150)
	cost.Cost = sluice.CostLeg{Debit: "cogs:p@USD", Credit: "payable:p@USD", Amount: 9}
	facts := []ledger.Fact{{Seq: 1, Hold: &h}, {Seq: 2, Posting: cost}}
	again := func(journal string, after uint64, facts ...ledger.Fact) {
		t.Helper()
		if _, err := b.Receive(context.Background(), journal, after, facts); err != nil {
			t.Fatal(err)
		}
	}
	again("g", 0, facts...)
	count := len(b.store.transfers)
	again("g", 0, facts...)
	again("g", 1, facts[1])
	b.run(holdOf(2, acme, 1), final(2, acme, 1)) // pushes request 1 out of memory
	count += 2
	again("other", 0, ledger.Fact{Seq: 1, Posting: cost}) // another entry settles it: an anomaly, no transfer
	b.want("849/0 151/0 -9/0", acme, revenue, "cogs:p@USD")
	b.restart(ledger.Config{})
	again("g", 0, facts...)
	again("other", 1, ledger.Fact{Seq: 2, Posting: final(1, acme, 151)})
	if len(b.store.transfers) != count || len(b.store.anomalies) != 2 {
		t.Errorf("%d transfers, want %d; anomalies %+v", len(b.store.transfers), count, b.store.anomalies)
	}
	if got := b.Book.Apply("g", 77, []ledger.Fact{{Seq: 78, Posting: final(7, acme, 5)}}, now); got != 4 {
		t.Errorf("a gap was applied: position %d", got)
	}
	b.want("849/0 151/0 -9/0", acme, revenue, "cogs:p@USD")
}

// TestAttemptsCostOnce ends an attempt twice, by two entries: what the house owes
// would be more in memory than in the store, or be booked twice after a restart.
func TestAttemptsCostOnce(t *testing.T) {
	b := newBooks(t, ledger.Config{Remember: 2})
	b.topUp(acme, 1000)
	ended := func(n int, attempt uint16) *sluice.Posting {
		return &sluice.Posting{Request: request(n), Attempt: attempt, Outcome: sluice.OutcomeError,
			Cost: sluice.CostLeg{Debit: "cogs:p@USD", Credit: "payable:p@USD", Amount: 9}}
	}
	h := holdOf(1, acme, 400)
	b.receive(ledger.Fact{Hold: &h}, ledger.Fact{Posting: ended(1, 1)}, ledger.Fact{Posting: ended(1, 1)})
	b.want("-9/0 9/0", "cogs:p@USD", "payable:p@USD")
	b.receive(ledger.Fact{Posting: ended(1, 2)}, ledger.Fact{Posting: ended(2, 1)})
	b.receive(ledger.Fact{Posting: ended(1, 1)}) // forgotten, and found in the store
	b.want("-27/0 27/0", "cogs:p@USD", "payable:p@USD")
	b.restart(ledger.Config{})
	b.receive(ledger.Fact{Posting: ended(1, 1)}, ledger.Fact{Posting: final(1, acme, 100)})
	b.want("-27/0 27/0 900/0", "cogs:p@USD", "payable:p@USD", acme)
	if n := len(b.store.anomalies); n != 3 {
		t.Errorf("%d anomalies: %+v", n, b.store.anomalies)
	}
}

// TestRecordsAreKeptOnce settles a request again, as a journal does that was
// damaged behind what it had shipped: it would have two records.
func TestRecordsAreKeptOnce(t *testing.T) {
	b := newBooks(t, ledger.Config{Remember: 1})
	b.topUp(acme, 1000)
	h, crash := holdOf(1, acme, 400), final(1, acme, 0)
	crash.Outcome = sluice.OutcomeCrash
	records := func(facts ...ledger.Fact) (n int) {
		after := b.Applied("j")
		for i := range facts {
			facts[i].Seq = after + uint64(i) + 1
		}
		if _, err := b.Receive(context.Background(), "j", after, facts); err != nil {
			t.Fatal(err)
		}
		return len(b.store.records)
	}
	if n := records(ledger.Fact{Hold: &h}, ledger.Fact{Posting: final(1, acme, 150), Record: &sluice.Record{ID: "1"}}); n != 1 {
		t.Fatalf("%d records", n)
	}
	if n := records(ledger.Fact{Posting: crash, Record: &sluice.Record{ID: "1", Outcome: sluice.OutcomeCrash}}); n != 1 {
		t.Errorf("%d records while it is remembered", n)
	}
	b.restart(ledger.Config{})
	if n := records(ledger.Fact{Posting: crash, Record: &sluice.Record{ID: "1", Outcome: sluice.OutcomeCrash}}); n != 1 {
		t.Errorf("%d records after a restart", n)
	}
}

// TestLateSettlement charges a request whose hold has expired, or never came,
// once, and voids nothing twice.
func TestLateSettlement(t *testing.T) {
	b := newBooks(t, ledger.Config{})
	b.topUp(acme, 1000)
	h := holdOf(1, acme, 400)
	if err := b.Hold(h, now); err != nil {
		t.Fatal(err)
	}
	b.receive(ledger.Fact{Hold: &h})
	b.Book.Expire(now.Add(time.Hour))
	b.want("1000/0", acme)
	b.receive(ledger.Fact{Posting: final(1, acme, 250)})
	b.receive(ledger.Fact{Posting: final(2, acme, 50)}, ledger.Fact{Hold: new(holdOf(2, acme, 70))})
	b.want("700/0 300/0", acme, revenue)
	if err := b.Hold(holdOf(2, acme, 70), now); sluice.CodeOf(err) != sluice.CodeConflict {
		t.Errorf("holding for a settled request: %v", err)
	}
}

// TestCreditCountsOnceItIsStored refuses to spend what a crash could take back.
func TestCreditCountsOnceItIsStored(t *testing.T) {
	b := newBooks(t, ledger.Config{})
	b.store.fail = errors.New("away")
	if _, err := b.Poster.Transfer(context.Background(), topUp("p1", acme, 100)); err == nil {
		t.Fatal("a top-up without a store succeeded")
	}
	if err := b.Hold(holdOf(1, acme, 1), now); sluice.CodeOf(err) != sluice.CodeInsufficientBalance {
		t.Errorf("credit that is not stored was held: %v", err)
	}
	unlimited := holdOf(2, "cust.wallet:nova@USD", 1)
	unlimited.Floor = sluice.NoFloor
	if err := b.Hold(unlimited, now); err != nil {
		t.Error(err)
	}
	if _, err := b.Poster.Transfer(context.Background(), topUp("p2", unlimited.Wallet, 100)); err == nil {
		t.Fatal("a top-up without a store succeeded")
	}
	if err := b.Hold(holdOf(3, unlimited.Wallet, 1), now); sluice.CodeOf(err) != sluice.CodeInsufficientBalance {
		t.Errorf("credit that came without a limit and is not stored was held: %v", err)
	}
	b.store.fail = nil
	if made, err := b.Poster.Transfer(context.Background(), topUp("p1", acme, 100)); err != nil || made[0].Amount != 100 {
		t.Errorf("%+v, %v", made, err)
	}
	if err := b.Hold(holdOf(1, acme, 100), now); err != nil {
		t.Error(err)
	}
}

// TestDirectTransfers are idempotent by id, atomic as a group, and refused with a
// code; a repeated top-up with another amount is the classic way to be robbed.
func TestDirectTransfers(t *testing.T) {
	b := newBooks(t, ledger.Config{Remember: 1})
	ctx := context.Background()
	b.topUp(acme, 1000)
	refund := topUp("r", "sys.promotion@USD", 10)
	refund.Debit, refund.Code = acme, sluice.TransferRefund
	if _, err := b.Poster.Transfer(ctx, topUp("p", acme, 500)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Poster.Transfer(ctx, refund); err != nil {
		t.Fatal(err)
	}
	for range 2 { // with and without a memory of it
		if made, err := b.Poster.Transfer(ctx, topUp("p", acme, 500)); err != nil || made[0].Amount != 500 {
			t.Errorf("repeated: %+v, %v", made, err)
		}
		if _, err := b.Poster.Transfer(ctx, topUp("p", acme, 501)); sluice.CodeOf(err) != sluice.CodeConflict {
			t.Errorf("another amount: %v", err)
		}
		b.restart(ledger.Config{})
	}
	big := refund
	big.ID, big.Amount = sluice.NewTransferID("big", "refund", 0), 1491
	before := b.balances(acme, cash)
	if _, err := b.Poster.Transfer(ctx, topUp("q", acme, 1), big); sluice.CodeOf(err) != sluice.CodeInsufficientBalance {
		t.Errorf("a group that does not fit: %v", err)
	}
	if after := b.balances(acme, cash); after != before {
		t.Errorf("half a group was booked: %s, then %s", before, after)
	}
	for name, bad := range map[string]sluice.Transfer{
		"zero": topUp("x", acme, 0), "negative": topUp("x", acme, -5), "overflow": topUp("x", acme, 1<<62),
		"wrong asset": topUp("x", "cust.wallet:acme@EUR", 5), "no such account": topUp("x", "sys.slush@USD", 5),
	} {
		if _, err := b.Poster.Transfer(ctx, bad); sluice.CodeOf(err) != sluice.CodeInvalidRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.Poster.Transfer(ctx, topUp("x", "cust.wallet:nobody@USD", 5)); sluice.CodeOf(err) != sluice.CodeNotFound {
		t.Errorf("an unknown wallet: %v", err)
	}
}

// TestTermsTravelWithTheHold opens wallets and caps that nobody opened on the
// terms of the request, promised or not, and follows when terms change: an
// account that does not exist must not make a charge the house's loss, and a
// limit that was lowered must not be spent.
func TestTermsTravelWithTheHold(t *testing.T) {
	b := newBooks(t, ledger.Config{})
	const nova, orbit = sluice.AccountID("cust.wallet:nova@USD"), sluice.AccountID("cust.wallet:orbit@USD")
	hold := func(n int, wallet sluice.AccountID, floor, amount, limit sluice.Nanos) sluice.Hold {
		h := holdOf(n, wallet, amount, "cust.cap:key/18@USD")
		h.Floor, h.Caps[0].Limit = floor, limit
		return h
	}
	b.run(hold(1, nova, -500, 400, 450), final(1, nova, 400))
	b.want("-400/0 -400/0", nova, "cust.cap:key/18@USD")
	promised := hold(2, orbit, sluice.NoFloor, 1000, 450)
	b.receive(ledger.Fact{Hold: &promised}) // by another process
	b.want("0/1000 -400/50", orbit, "cust.cap:key/18@USD")
	b.receive(ledger.Fact{Posting: final(2, orbit, 30)})
	short := func(h sluice.Hold, what string) {
		t.Helper()
		if err := b.Hold(h, now); sluice.CodeOf(err) != sluice.CodeInsufficientBalance {
			t.Errorf("%s: %v", what, err)
		}
	}
	floor := func(want sluice.Nanos) {
		t.Helper()
		b.receive()
		if a, _ := b.Balance(nova); a.Floor != want || b.store.accounts[nova].Floor != want {
			t.Errorf("the floor is %d, in the store %d, want %d", int64(a.Floor), int64(b.store.accounts[nova].Floor), int64(want))
		}
	}
	floor(-500)
	short(hold(3, nova, -100, 1, 1000), "a limit below what is used")
	floor(-400)
	b.topUp(nova, 250)
	short(hold(3, nova, -100, 1, 1000), "money that the old floor would have")
	floor(-150)
	b.topUp(nova, 150)
	short(hold(3, nova, -100, 101, 1000), "more than there is")
	floor(-100)
	b.restart(ledger.Config{})
	if err := b.Hold(hold(3, nova, -100, 100, 530), now); err != nil {
		t.Errorf("within the new limits: %v", err)
	}
	short(hold(4, nova, sluice.NoFloor, 1, 530), "the cap") // 430 spent, 100 held
	floor(sluice.NoFloor)
	short(hold(4, nova, 0, 1, 1000), "a wallet whose credit is gone")
	floor(-100)
}

// TestOpen makes wallets and grants durable, once; a grant must not change under
// those who were promised it.
func TestOpen(t *testing.T) {
	b := newBooks(t, ledger.Config{})
	ctx := context.Background()
	const nova, gift = sluice.AccountID("cust.wallet:nova@USD"), sluice.AccountID("cust.grant:gift@USD")
	wallet, grant := sluice.Account{ID: nova, Asset: "USD", Floor: -5}, sluice.Account{ID: gift, Asset: "USD", Wallet: nova, ExpiresAt: now.Add(time.Hour)}
	if err := b.Poster.Open(ctx, grant); sluice.CodeOf(err) != sluice.CodeNotFound {
		t.Errorf("a grant of no wallet: %v", err)
	}
	b.store.fail = errors.New("away")
	if err := b.Poster.Open(ctx, wallet, grant); err == nil {
		t.Error("opened without a store")
	}
	b.store.fail = nil
	for range 2 {
		if err := b.Poster.Open(ctx, wallet, grant); err != nil {
			t.Error(err)
		}
	}
	if a := b.store.accounts[gift]; a == nil || a.Wallet != nova || b.store.accounts[nova].Floor != -5 {
		t.Errorf("the store has %+v", a)
	}
	b.topUp(gift, 7)
	if g := b.Grants(nova); len(g) != 1 || g[0].ID != gift || g[0].Available != 7 || b.Grants("cust.wallet:nobody@USD") != nil {
		t.Errorf("grants %+v", g)
	}
	other := grant
	other.ExpiresAt = now.Add(2 * time.Hour)
	for name, c := range map[string]struct {
		account sluice.Account
		want    sluice.Code
	}{
		"another expiry":          {other, sluice.CodeConflict},
		"a floor above 0":         {sluice.Account{ID: nova, Asset: "USD", Floor: 5}, sluice.CodeInvalidRequest},
		"out of range":            {sluice.Account{ID: nova, Asset: "USD", Floor: -1 << 62}, sluice.CodeInvalidRequest},
		"with a balance":          {sluice.Account{ID: nova, Asset: "USD", Posted: 5}, sluice.CodeInvalidRequest},
		"an account of the house": {sluice.Account{ID: cash, Asset: "USD"}, sluice.CodeInvalidRequest},
	} {
		if err := b.Poster.Open(ctx, c.account); sluice.CodeOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTopUpsRepay pays what is owed out of what comes in, first and once: a
// customer must not spend anew what the house has lent.
func TestTopUpsRepay(t *testing.T) {
	b := newBooks(t, ledger.Config{})
	ctx := context.Background()
	b.topUp(acme, 100)
	b.run(holdOf(1, acme, 100), final(1, acme, 180))
	b.want("0/0 -80/0", acme, debt)
	for range 2 {
		if made, err := b.Poster.Transfer(ctx, topUp("p", acme, 50)); err != nil || len(made) != 1 || made[0].Amount != 50 {
			t.Errorf("%+v, %v", made, err)
		}
		b.want("0/0 -30/0", acme, debt)
		b.restart(ledger.Config{})
	}
	if err := b.Hold(holdOf(2, acme, 1), now); sluice.CodeOf(err) != sluice.CodeInsufficientBalance {
		t.Errorf("what was repaid is spent: %v", err)
	}
	big := topUp("big", cash, 1)
	big.Debit, big.Credit, big.Amount = acme, cash, 1000
	if _, err := b.Poster.Transfer(ctx, topUp("q", acme, 70), big); err == nil {
		t.Error("a group that does not fit was booked")
	}
	b.want("0/0 -30/0", acme, debt)
	b.topUp(spring, 5) // a grant repays nothing
	b.topUp(acme, 70)
	b.want("40/0 0/0 5/0", acme, debt, spring)
	if a, _ := b.Balance(acme); a.Available != 40 {
		t.Errorf("%+v", a)
	}
	last := b.store.transfers[len(b.store.transfers)-1]
	if last.Code != sluice.TransferRepay || last.Txn != b.store.transfers[len(b.store.transfers)-2].ID || last.Amount != 30 {
		t.Errorf("%+v", last)
	}
}

// TestFiveHundredAtOnce admits exactly what a balance covers (E-01).
func TestFiveHundredAtOnce(t *testing.T) {
	b := newBooks(t, ledger.Config{})
	b.topUp(acme, 100*7)
	var wg sync.WaitGroup
	var mu sync.Mutex
	admitted := []int{}
	for n := range 500 {
		wg.Go(func() {
			if err := b.Hold(holdOf(n, acme, 7), now); err == nil {
				mu.Lock()
				admitted = append(admitted, n)
				mu.Unlock()
			} else if sluice.CodeOf(err) != sluice.CodeInsufficientBalance {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(admitted) != 100 {
		t.Errorf("%d were admitted", len(admitted))
	}
	for _, n := range admitted {
		h := holdOf(n, acme, 7)
		b.receive(ledger.Fact{Hold: &h}, ledger.Fact{Posting: final(n, acme, 7)})
	}
	b.want("0/0 700/0", acme, revenue)
}

// TestRaceOfSix runs top-ups, spending, refunds, expiry, limits and checks at
// once; the invariants hold at every moment (E-42).
func TestRaceOfSix(t *testing.T) {
	b := newBooks(t, ledger.Config{})
	ctx := context.Background()
	b.topUp(acme, 10_000)
	b.topUp(spring, 500)
	var wg sync.WaitGroup
	each := func(run func(i int)) {
		wg.Go(func() {
			for i := range 150 {
				run(i)
			}
		})
	}
	each(func(i int) { _, _ = b.Poster.Transfer(ctx, topUp(fmt.Sprint("t", i/2), acme, 20)) })
	each(func(i int) {
		refund := topUp(fmt.Sprint("r", i), cash, 30)
		refund.Debit, refund.Credit, refund.Code = acme, "sys.promotion@USD", sluice.TransferRefund
		_, _ = b.Poster.Transfer(ctx, refund)
	})
	each(func(i int) { _ = b.Poster.Expire(ctx) })
	each(func(i int) {
		_ = b.Poster.Open(ctx, sluice.Account{ID: acme, Asset: "USD", Floor: sluice.Nanos(-(i % 50))})
	})
	each(func(i int) {
		if f := b.Check(now, time.Hour); len(f.Violations) > 0 {
			t.Errorf("%+v", f.Violations)
		}
	})
	for g := range 2 {
		each(func(i int) {
			n, journal := g*1000+i, fmt.Sprint("g", g)
			h := holdOf(n, acme, 90)
			if b.Hold(h, now) != nil {
				return
			}
			after := b.Durable(journal)
			if _, err := b.Receive(ctx, journal, after, []ledger.Fact{{Seq: after + 1, Hold: &h}, {Seq: after + 2, Posting: final(n, acme, sluice.Nanos(60+i%60))}}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestReplayGivesTheSameBook feeds one history to two books, and to one that is
// restarted half-way from what its store has: all end equal, so a ledger can be
// proven from its transfers and journals.
func TestReplayGivesTheSameBook(t *testing.T) {
	play := func(restartAt int) (ledger.State, []sluice.Transfer) {
		b := newBooks(t, ledger.Config{})
		b.topUp(acme, 100_000)
		b.topUp(summer, 3000)
		rng := rand.New(rand.NewPCG(1, 2))
		for n := range 300 {
			if n == restartAt {
				b.restart(ledger.Config{})
			}
			h := holdOf(n, []sluice.AccountID{acme, post}[rng.IntN(2)], rng2(rng, 300), keyCap)
			facts := []ledger.Fact{{Hold: &h}, {Posting: final(n, h.Wallet, rng2(rng, 400))}}
			b.receive(facts[:1+rng.IntN(2)]...)
		}
		return b.Snapshot(), b.store.transfers
	}
	state, transfers := play(-1)
	for _, at := range []int{-1, 1, 150, 299} {
		other, again := play(at)
		if !reflect.DeepEqual(state.Accounts, other.Accounts) || len(state.Pending) != len(other.Pending) || !reflect.DeepEqual(transfers, again) {
			t.Errorf("restarted at %d, the book is another one", at)
		}
	}
	if len(state.Pending) == 0 || len(transfers) < 300 {
		t.Error("the history is too poor to prove anything")
	}
}

func rng2(rng *rand.Rand, n int64) sluice.Nanos { return sluice.Nanos(1 + rng.Int64N(n)) }

// TestBadStateIsRefused does not open books that do not balance.
func TestBadStateIsRefused(t *testing.T) {
	for name, s := range map[string]ledger.State{
		"pending without a hold": {Accounts: []sluice.Account{{ID: acme, Asset: "USD", Posted: 10, Pending: 5}}},
		"below the floor":        {Accounts: []sluice.Account{{ID: acme, Asset: "USD", Posted: -1}}},
		"hold on nothing":        {Pending: []sluice.Transfer{{Debit: acme, Credit: revenue, Amount: 1, Kind: sluice.TransferPending}}},
	} {
		if err := ledger.NewBook(ledger.Config{}).Load(s); sluice.CodeOf(err) != sluice.CodeDiscrepancy {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBadFactsBecomeAnomalies goes on behind entries that cannot be booked: one
// of them must not stop a journal, and must not be overlooked.
func TestBadFactsBecomeAnomalies(t *testing.T) {
	b := newBooks(t, ledger.Config{})
	b.topUp(acme, 100)
	b.receive(
		ledger.Fact{Lost: true},
		ledger.Fact{Posting: final(1, acme, -5)},
		ledger.Fact{Posting: final(2, acme, 1<<62)},
		ledger.Fact{Hold: new(holdOf(3, cash, 5))},
		ledger.Fact{},
		ledger.Fact{Posting: final(4, acme, 5)},
	)
	b.want("95/0", acme)
	if len(b.store.anomalies) != 4 || b.Durable("g") != 6 {
		t.Errorf("%+v, position %d", b.store.anomalies, b.Durable("g"))
	}
}

// TestVerifyFindsWhatIsWrong breaks a good ledger in every way: a proof that
// accepts a broken one proves nothing.
func TestVerifyFindsWhatIsWrong(t *testing.T) {
	b := newBooks(t, ledger.Config{})
	b.topUp(acme, 1000)
	b.run(holdOf(1, acme, 400), final(1, acme, 150))
	for name, breakIt := range map[string]func(a []sluice.Account, x []sluice.Transfer) ([]sluice.Account, []sluice.Transfer){
		"a balance changed": func(a []sluice.Account, x []sluice.Transfer) ([]sluice.Account, []sluice.Transfer) {
			a[0].Posted++
			return a, x
		},
		"an account missing": func(a []sluice.Account, x []sluice.Transfer) ([]sluice.Account, []sluice.Transfer) {
			return slices.DeleteFunc(a, func(a sluice.Account) bool { return a.ID == revenue }), x
		},
		"a transfer missing": func(a []sluice.Account, x []sluice.Transfer) ([]sluice.Account, []sluice.Transfer) {
			return a, x[:2]
		},
		"a transfer twice": func(a []sluice.Account, x []sluice.Transfer) ([]sluice.Account, []sluice.Transfer) {
			return a, append(x, x[2])
		},
		"a bigger post": func(a []sluice.Account, x []sluice.Transfer) ([]sluice.Account, []sluice.Transfer) {
			x[2].Amount = 401
			return a, x
		},
		"a floor": func(a []sluice.Account, x []sluice.Transfer) ([]sluice.Account, []sluice.Transfer) {
			for i := range a {
				if a[i].ID == cash {
					a[i].Floor = 0
				}
			}
			return a, x
		},
	} {
		accounts, transfers := breakIt(b.store.list(), append([]sluice.Transfer(nil), b.store.transfers...))
		if len(ledger.Verify(accounts, transfers)) == 0 {
			t.Errorf("%s: nothing was found", name)
		}
	}
}

// BenchmarkHold is the balance decision, with its release.
func BenchmarkHold(bench *testing.B) {
	b := newBooks(bench, ledger.Config{})
	b.topUp(acme, 1_000_000)
	h := holdOf(1, acme, 7)
	bench.ReportAllocs()
	for range bench.N {
		if err := b.Hold(h, now); err != nil {
			bench.Fatal(err)
		}
		b.Release(h.Request)
	}
}

// BenchmarkSettle is the ledger's share of a request beside the store's: OPEN and
// TERMINAL applied, batched, confirmed.
func BenchmarkSettle(bench *testing.B) {
	b := newBooks(bench, ledger.Config{Remember: 1024})
	b.topUp(post, 1)
	b.store.drop = true
	bench.ReportAllocs()
	for n := range bench.N {
		h := holdOf(n, post, 7)
		h.Floor = sluice.NoFloor
		b.receive(ledger.Fact{Hold: &h}, ledger.Fact{Posting: final(n, post, 5)})
	}
	bench.StopTimer()
	b.store.accounts, b.store.transfers, b.Book = nil, nil, ledger.NewBook(ledger.Config{})
}
