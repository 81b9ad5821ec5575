package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/ledger"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/internal/store"
)

const (
	acmeWallet = sluice.AccountID("cust.wallet:acme@USD")
	beta       = sluice.AccountID("cust.wallet:beta@USD")
	gift       = sluice.AccountID("cust.grant:gift@USD")
	betaCap    = sluice.AccountID("cust.cap:key/17@USD")
	cashUSD    = sluice.AccountID("sys.cash@USD")
)

// books is a ledger over a database.
type books struct {
	*ledger.Book
	*ledger.Poster
	db    *store.DB
	store *store.Ledger
	t     *testing.T
	now   time.Time
}

func newBooks(t *testing.T, db *store.DB) *books {
	t.Helper()
	b := &books{db: db, t: t, now: noon}
	b.restart(nil)
	return b
}

// restart takes the ledger anew, through what between makes of it.
func (b *books) restart(between func(ledger.Store) ledger.Store) {
	b.t.Helper()
	var err error
	b.store, err = b.db.OwnLedger(b.t.Context(), "test", time.Minute)
	must(b.t, err)
	system := ledger.Store(b.store)
	if between != nil {
		system = between(system)
	}
	b.Book = ledger.NewBook(ledger.Config{Remember: 8})
	b.Poster = ledger.NewPoster(b.Book, system, func() time.Time { return b.now })
	must(b.t, b.Start(b.t.Context()))
}

func requestOf(n int) (id sluice.RequestID) {
	copy(id[:], fmt.Sprintf("request %08d", n))
	return id
}

func paidIn(id string, to sluice.AccountID, amount sluice.Nanos) sluice.Transfer {
	return sluice.Transfer{ID: sluice.NewTransferID(id, "top_up", 0), Debit: cashUSD, Credit: to, Amount: amount, Kind: sluice.TransferSingle, Code: sluice.TransferTopUp}
}

func (b *books) topUp(id string, to sluice.AccountID, amount sluice.Nanos) {
	b.t.Helper()
	opens := []sluice.Account{{ID: to, Asset: "USD"}}
	if to == gift {
		opens = []sluice.Account{{ID: acmeWallet, Asset: "USD"}, {ID: gift, Asset: "USD", Wallet: acmeWallet, ExpiresAt: noon.Add(time.Hour + time.Nanosecond)}}
	}
	must(b.t, b.Poster.Open(b.t.Context(), opens...))
	_, err := b.Poster.Transfer(b.t.Context(), paidIn(id, to, amount))
	must(b.t, err)
}

// facts are those of one request, of 10 kinds.
func facts(n int) []ledger.Fact {
	h := &sluice.Hold{Request: requestOf(n), Wallet: acmeWallet, Amount: 400, Deadline: noon.Add(time.Hour), Price: sluice.PriceRef{Version: 7, Multiplier: sluice.NoMultiplier}}
	if n%3 == 0 {
		h.Wallet, h.Floor, h.Caps = beta, []sluice.Nanos{-5000, -300, sluice.NoFloor}[n/3%3], []sluice.CapLimit{{Account: betaCap, Limit: 4000}}
	}
	end := &sluice.Posting{Request: h.Request, Attempt: 1, Final: true, Outcome: sluice.OutcomeComplete, Wallet: h.Wallet, Charge: sluice.Nanos([]int{0, 150, 400, 700, 20}[n%5])}
	end.Cost = sluice.CostLeg{Debit: "cogs:p@USD", Credit: "payable:p@USD", Amount: 9}
	switch n % 10 {
	case 7:
		return []ledger.Fact{{Hold: h}} // open for ever
	case 8:
		return []ledger.Fact{{Posting: end}} // its OPEN is lost
	case 9:
		return []ledger.Fact{{Lost: true}, {Hold: h}, {Posting: end}}
	}
	return []ledger.Fact{{Hold: h}, {Posting: end}}
}

func (b *books) receive(facts []ledger.Fact) error {
	after := b.Durable("g")
	for i := range facts {
		facts[i].Seq = after + uint64(i) + 1
	}
	_, err := b.Receive(b.t.Context(), "g", after, facts)
	return err
}

// state is everything that the database has of the ledger.
type state struct {
	accounts  []sluice.Account
	transfers []sluice.Transfer
	pending   []sluice.Transfer
	positions map[string]uint64
	events    []sluice.Event
}

func stateOf(t *testing.T, db *store.DB) (s state) {
	t.Helper()
	must(t, db.ReadLedger(t.Context(), func(tx *store.Tx) (err error) {
		must(t, tx.EachAccount(func(a sluice.Account) error { s.accounts = append(s.accounts, a); return nil }))
		must(t, tx.EachTransfer(func(x sluice.Transfer) error { s.transfers = append(s.transfers, x); return nil }))
		if s.pending, err = tx.OpenHolds(""); err != nil {
			return err
		}
		s.positions, err = tx.JournalPositions()
		return err
	}))
	var err error
	s.events, err = db.Events(t.Context(), store.EventQuery{Limit: 500})
	must(t, err)
	return s
}

// holds checks a ledger from its transfers, and its memory against it.
func (b *books) check() state {
	b.t.Helper()
	s := stateOf(b.t, b.db)
	for _, v := range append(ledger.Verify(s.accounts, s.transfers), b.Check(b.now, time.Hour*99).Violations...) {
		b.t.Errorf("%+v", v)
	}
	snapshot := b.Snapshot()
	slices.SortFunc(s.pending, func(x, y sluice.Transfer) int { return slices.Compare(x.ID[:], y.ID[:]) })
	for i := range s.pending {
		s.pending[i].BookedAt = time.Time{} // which memory forgets
	}
	// Neither has to have grants that are long gone, though memory may.
	gone := func(a sluice.Account) bool {
		return a.ID.Kind() == sluice.AccountGrant && a.Posted == 0 && a.Pending == 0 && a.ExpiresAt.Add(ledger.KeepPast).Before(time.Now())
	}
	if !reflect.DeepEqual(slices.DeleteFunc(snapshot.Accounts, gone), slices.DeleteFunc(slices.Clone(s.accounts), gone)) || !reflect.DeepEqual(snapshot.Pending, s.pending) || !reflect.DeepEqual(snapshot.Positions, s.positions) {
		b.t.Errorf("memory  %+v\nstore   %+v", snapshot, s)
	}
	return s
}

// TestLedgerInTheDatabase plays a history of every kind of transfer and restarts
// in between. Lost if it fails: balances are what their transfers say, in memory
// and in the database.
func TestLedgerInTheDatabase(t *testing.T) {
	b := newBooks(t, open(t, place(t)))
	b.topUp("a", acmeWallet, 2000)
	b.topUp("g", gift, 300)
	for n := range 60 {
		if n%20 == 19 {
			b.restart(nil)
		}
		if n == 40 {
			b.topUp("later", acmeWallet, 900)
			b.now = noon.Add(30 * time.Minute)
		}
		must(t, b.receive(facts(n)))
	}
	s := b.check()
	if len(s.transfers) < 150 || len(s.pending) == 0 || len(s.events) != 6 || s.positions["g"] != b.Applied("g") {
		t.Errorf("%d transfers, %d pending, %d events, %v: too poor to prove anything", len(s.transfers), len(s.pending), len(s.events), s.positions)
	}
	b.now = noon.Add(2 * time.Hour)
	must(t, b.Poster.Expire(t.Context()))
	if s := b.check(); len(s.pending) != 0 {
		t.Errorf("%d holds outlive their deadline", len(s.pending))
	}
}

// TestDeadGrantsAreNotLoaded keeps a start from growing with every grant that was
// ever given, and from losing one that has something left: their history stays.
func TestDeadGrantsAreNotLoaded(t *testing.T) {
	b := newBooks(t, open(t, place(t)))
	b.topUp("a", acmeWallet, 2000)
	full := sluice.OwnedAccount(sluice.AccountGrant, "full", "USD")
	young := sluice.OwnedAccount(sluice.AccountGrant, "young", "USD")
	long := time.Now().Add(-ledger.KeepPast) // the store has a clock of its own
	must(t, b.Poster.Open(t.Context(),
		sluice.Account{ID: gift, Asset: "USD", Wallet: acmeWallet, ExpiresAt: long.Add(-time.Hour)},
		sluice.Account{ID: full, Asset: "USD", Wallet: acmeWallet, ExpiresAt: long.Add(-time.Hour)},
		sluice.Account{ID: young, Asset: "USD", Wallet: acmeWallet, ExpiresAt: long.Add(time.Hour)}))
	b.now = long.Add(-2 * time.Hour)
	paid := paidIn("f", full, 5)
	_, err := b.Poster.Transfer(t.Context(), paid)
	must(t, err)
	b.now = time.Now()
	loaded := func() (ids []sluice.AccountID) {
		s, err := b.store.Load(t.Context())
		must(t, err)
		for _, a := range s.Accounts {
			if a.ID.Kind() == sluice.AccountGrant {
				ids = append(ids, a.ID)
			}
		}
		slices.Sort(ids)
		return ids
	}
	if got := loaded(); !slices.Equal(got, []sluice.AccountID{full, young}) {
		t.Errorf("loaded are the grants %s", got)
	}
	must(t, b.Poster.Expire(t.Context()))
	if got := loaded(); !slices.Equal(got, []sluice.AccountID{young}) {
		t.Errorf("once all are swept, loaded are the grants %s", got)
	}
	b.restart(nil)
	if found, err := b.store.Accounts(t.Context(), gift, full, "cust.grant:nobody@USD"); err != nil || len(found) != 2 {
		t.Errorf("found are %+v (%v)", found, err)
	}
	if _, err := b.Poster.Transfer(t.Context(), paidIn("late", full, 5)); sluice.CodeOf(err) != sluice.CodeConflict {
		t.Errorf("a credit to a grant that is not loaded: %v", err)
	}
	if again, err := b.Poster.Transfer(t.Context(), paid); err != nil || len(again) != 1 {
		t.Errorf("a payment of before: %+v, %v", again, err)
	}
	b.check()
}

// twice commits everything twice, and then again with the next batch: what a
// commit of unknown outcome makes a poster do.
type twice struct {
	ledger.Store
	random *rand.Rand
}

var errLost = errors.New("the answer was lost")

func (s *twice) Commit(ctx context.Context, b ledger.Batch) error {
	for range 1 + s.random.IntN(2) {
		if err := s.Store.Commit(ctx, b); err != nil {
			return err
		}
	}
	if s.random.IntN(3) == 0 {
		return errLost
	}
	return nil
}

// TestCommitAgainChangesNothing plays one history with answers that get lost and
// one without; where a commit is repeated together with what follows, decisions
// differ, and the books have to agree all the same. Lost if it fails: a lost
// connection charges twice.
func TestCommitAgainChangesNothing(t *testing.T) {
	play := func(random *rand.Rand, joined bool) state {
		b := newBooks(t, open(t, place(t)))
		if random != nil {
			b.restart(func(s ledger.Store) ledger.Store { return &twice{s, random} })
		}
		again := func(do func() error) {
			for err := do(); err != nil; err = do() {
				if !errors.Is(err, errLost) {
					t.Fatal(err)
				}
			}
		}
		again(func() error { return b.Poster.Open(t.Context(), sluice.Account{ID: acmeWallet, Asset: "USD"}) })
		again(func() error { _, err := b.Poster.Transfer(t.Context(), paidIn("a", acmeWallet, 2000)); return err })
		for n := range 40 {
			list := facts(n)
			after := b.Applied("g")
			for i := range list {
				list[i].Seq = after + uint64(i) + 1
			}
			if joined && random.IntN(3) == 0 { // committed with what follows
				b.Book.Apply("g", after, list, b.now)
				continue
			}
			again(func() error { _, err := b.Receive(t.Context(), "g", after, list); return err })
		}
		again(func() error { _, err := b.Receive(t.Context(), "g", 0, nil); return err })
		s := b.check()
		for i := range s.events {
			s.events[i].At = time.Time{}
		}
		return s
	}
	want := play(nil, false)
	for seed := range uint64(3) {
		if got := play(rand.New(rand.NewPCG(seed, 1)), false); !reflect.DeepEqual(got, want) {
			t.Errorf("seed %d: %d transfers, want %d; balances %+v, want %+v", seed, len(got.transfers), len(want.transfers), got.accounts, want.accounts)
		}
		play(rand.New(rand.NewPCG(seed, 2)), true)
	}
}

// Lost if it fails: history can be rewritten, by a bug or by hand.
func TestLedgerOnlyGrows(t *testing.T) {
	at := place(t)
	b := newBooks(t, open(t, at))
	b.topUp("a", acmeWallet, 2000)
	for _, statement := range []string{
		`UPDATE transfers SET amount = 1`, `DELETE FROM transfers`, `DELETE FROM accounts`,
		`UPDATE accounts SET posted = -1 WHERE id = '` + string(acmeWallet) + `'`,
	} {
		if raw(t, at, statement) == nil {
			t.Errorf("%s did its work", statement)
		}
	}
	b.check()
}

// withRecord is a batch that ends a request.
func withRecord(n int) ledger.Batch {
	return ledger.Batch{Records: []*sluice.Record{{ID: requestOf(n).String(), Time: noon, Model: fmt.Sprint("m", n)}}, Positions: map[string]uint64{"g": uint64(n)}}
}

// TestCrashedRequestsHaveOneRecord ends a request that moved no money once more, as
// a process does whose journal lost how it ended. Lost if it fails: reports count
// it twice.
func TestCrashedRequestsHaveOneRecord(t *testing.T) {
	db := open(t, place(t))
	b := newBooks(t, db)
	id, err := sluice.ParseRequestID("01a205c9-b8d1-7991-bbc5-e1865190488b")
	must(t, err)
	other, err := sluice.ParseRequestID("01a205c9-b8d1-7991-bbc5-e1865190488c")
	must(t, err)
	crash := func(id sluice.RequestID, at time.Time) *sluice.Record {
		return &sluice.Record{ID: id.String(), Time: at, Outcome: sluice.OutcomeCrash}
	}
	began := id.Time().Add(345 * time.Microsecond)
	must(t, b.store.Commit(t.Context(), ledger.Batch{Records: []*sluice.Record{{ID: id.String(), Time: began, Outcome: sluice.OutcomeComplete}}}))
	for range 2 {
		must(t, b.store.Commit(t.Context(), ledger.Batch{Records: []*sluice.Record{crash(id, id.Time()), crash(other, other.Time())}}))
	}
	page, err := db.Records(t.Context(), sluice.RecordQuery{})
	must(t, err)
	if len(page.Items) != 2 || page.Items[0].ID != id.String() || page.Items[0].Outcome != sluice.OutcomeComplete || page.Items[1].ID != other.String() {
		t.Errorf("%+v", page.Items)
	}
}

// TestLedgerHasOneOwner lets a second process take the ledger. Lost if it fails:
// two processes spend one balance.
func TestLedgerHasOneOwner(t *testing.T) {
	at := place(t)
	db := open(t, at)
	b := newBooks(t, db)
	b.topUp("a", acmeWallet, 2000)
	if sluicetest.OnPostgres() {
		_, err := open(t, at).OwnLedger(t.Context(), "other", time.Minute)
		wants(t, err, sluice.CodeUnavailable, "taking a ledger that is kept")
		must(t, b.store.Renew(t.Context(), time.Minute))
		must(t, b.store.Yield(t.Context()))
	}
	other, err := db.OwnLedger(t.Context(), "other", time.Minute)
	must(t, err)
	owner, err := db.LedgerOwner(t.Context())
	must(t, err)
	if owner.Owner != "other" || owner.Epoch != other.Epoch() || other.Epoch() != b.store.Epoch()+1 || time.Until(owner.Until) < time.Second {
		t.Errorf("owner %+v, epochs %d and %d", owner, b.store.Epoch(), other.Epoch())
	}
	_, err = b.Poster.Transfer(t.Context(), paidIn("b", acmeWallet, 1))
	wants(t, err, sluice.CodeConflict, "a commit of who lost the ledger")
	wants(t, b.store.Commit(t.Context(), withRecord(1)), sluice.CodeConflict, "a record from who lost the ledger")
	must(t, other.Commit(t.Context(), withRecord(2)))
	if page, err := db.Records(t.Context(), sluice.RecordQuery{}); err != nil || len(page.Items) != 1 || page.Items[0].Model != "m2" {
		t.Errorf("records %+v, %v", page.Items, err)
	}
	wants(t, b.store.Renew(t.Context(), time.Minute), sluice.CodeConflict, "renewing what another has")
	wants(t, b.store.Yield(t.Context()), sluice.CodeConflict, "giving up what another has")
	if s := stateOf(t, db); len(s.transfers) != 1 {
		t.Errorf("%d transfers", len(s.transfers))
	}
}

// Lost if it fails: a customer's statement misses money, or shows it twice.
func TestStatement(t *testing.T) {
	b := newBooks(t, open(t, place(t)))
	b.topUp("a", acmeWallet, 2000)
	b.topUp("g", gift, 300)
	for n := range 50 {
		must(t, b.receive(facts(n)))
	}
	b.topUp("b", acmeWallet, 500) // repays
	all := stateOf(t, b.db).transfers
	debt := sluice.AccountID("cust.receivable:acme@USD")
	accounts := []sluice.AccountID{acmeWallet, gift, debt, "cust.wallet:nobody@USD"}
	mine := func(keep func(sluice.Transfer) bool) (ids []sluice.TransferID) {
		for _, x := range slices.Backward(all) {
			moves := x.Kind == sluice.TransferSingle || x.Kind == sluice.TransferPost
			if (slices.Contains(accounts, x.Debit) || moves && slices.Contains(accounts, x.Credit)) && keep(x) {
				ids = append(ids, x.ID)
			}
		}
		return ids
	}
	read := func(sel store.StatementSelection) (ids []sluice.TransferID) {
		sel.Accounts = accounts
		for {
			page, err := b.db.Statement(t.Context(), sel)
			must(t, err)
			for _, e := range page.Items {
				ids = append(ids, e.ID)
				if want := (e.Kind == sluice.TransferPost || e.Kind == sluice.TransferVoid); want != (e.Released > 0) {
					t.Errorf("%s released %s", e.Kind, e.Released)
				}
			}
			if sel.Cursor = page.Next; sel.Cursor == "" {
				return ids
			}
		}
	}
	for name, c := range map[string]struct {
		sel  store.StatementSelection
		keep func(sluice.Transfer) bool
	}{
		"everything": {store.StatementSelection{Limit: 7}, func(sluice.Transfer) bool { return true }},
		"charges":    {store.StatementSelection{Code: sluice.TransferCharge}, func(x sluice.Transfer) bool { return x.Code == sluice.TransferCharge }},
		"settled": {store.StatementSelection{Settled: true, Limit: 500}, func(x sluice.Transfer) bool {
			return x.Kind == sluice.TransferPost || x.Kind == sluice.TransferSingle
		}},
		"a request":  {store.StatementSelection{Request: requestOf(4)}, func(x sluice.Transfer) bool { return x.Request == requestOf(4) }},
		"no time":    {store.StatementSelection{From: noon.Add(time.Hour)}, func(sluice.Transfer) bool { return false }},
		"a time":     {store.StatementSelection{From: noon, To: noon.Add(time.Hour), Limit: 500}, func(sluice.Transfer) bool { return true }},
		"repayments": {store.StatementSelection{Code: sluice.TransferRepay}, func(x sluice.Transfer) bool { return x.Code == sluice.TransferRepay }},
	} {
		if got, want := read(c.sel), mine(c.keep); !slices.Equal(got, want) {
			t.Errorf("%s: %d transfers, want %d", name, len(got), len(want))
		}
	}
	if len(mine(func(x sluice.Transfer) bool { return x.Code == sluice.TransferRepay })) != 1 {
		t.Error("nothing was repaid: too poor to prove anything")
	}
	for name, sel := range map[string]store.StatementSelection{"no account": {}, "no cursor": {Accounts: accounts, Cursor: "x"}, "too many": {Accounts: make([]sluice.AccountID, 65)}} {
		_, err := b.db.Statement(t.Context(), sel)
		wants(t, err, sluice.CodeInvalidRequest, name)
	}
}

// Lost if it fails: whose wallet it is cannot be found, or another's is.
func TestAccountsByOwner(t *testing.T) {
	b := newBooks(t, open(t, place(t)))
	for _, who := range []string{"acme", "acme-2", "key/17", "key/171", "user/acme/bo", "user/acme/al", "user/acme2/al"} {
		must(t, b.Poster.Open(t.Context(), sluice.Account{ID: sluice.OwnedAccount(sluice.AccountWallet, who, "USD"), Asset: "USD", Floor: -5}))
	}
	b.topUp("g", gift, 300)
	for name, c := range map[string]struct {
		sel  store.AccountSelection
		want []sluice.AccountID
	}{
		"users":  {store.AccountSelection{Kind: sluice.AccountWallet, Owner: "user/acme/"}, []sluice.AccountID{"cust.wallet:user/acme/al@USD", "cust.wallet:user/acme/bo@USD"}},
		"one":    {store.AccountSelection{Kind: sluice.AccountWallet, Owner: "key/17@"}, []sluice.AccountID{"cust.wallet:key/17@USD"}},
		"paged":  {store.AccountSelection{Kind: sluice.AccountWallet, After: "cust.wallet:key/171@USD", Limit: 1}, []sluice.AccountID{"cust.wallet:key/17@USD"}},
		"grants": {store.AccountSelection{Kind: sluice.AccountGrant, Wallet: acmeWallet}, []sluice.AccountID{gift}},
		"house":  {store.AccountSelection{Kind: sluice.AccountCash}, []sluice.AccountID{cashUSD}},
		"nobody": {store.AccountSelection{Kind: sluice.AccountCap}, nil},
	} {
		var got []sluice.AccountID
		must(t, b.db.Read(t.Context(), func(tx *store.Tx) error {
			list, err := tx.Accounts(c.sel)
			for _, a := range list {
				got = append(got, a.ID)
			}
			return err
		}))
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	account := func(id sluice.AccountID) (a sluice.Account, err error) {
		err = b.db.Read(t.Context(), func(tx *store.Tx) error {
			a, err = tx.Account(id)
			return err
		})
		return a, err
	}
	a, err := account(gift)
	must(t, err)
	if a.Posted != 300 || a.Wallet != acmeWallet || !a.ExpiresAt.Equal(noon.Add(time.Hour)) {
		t.Errorf("%+v", a)
	}
	_, err = account(beta)
	wants(t, err, sluice.CodeNotFound, "an account that nobody opened")
}
