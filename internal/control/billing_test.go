package control_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
	"github.com/sluicegate/sluice/internal/ledger"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

const usd = sluice.NanosPerUnit

// shaky is a ledger that is lost, books and answers nothing, or hears nothing,
// when a test says so.
type shaky struct {
	*sluicetest.Ledger
	lost, silent, deaf atomic.Bool
}

func (s *shaky) Book() *ledger.Book {
	if s.lost.Load() {
		return nil
	}
	return s.Ledger.Book()
}

func (s *shaky) Transfer(ctx context.Context, transfers ...sluice.Transfer) ([]sluice.Transfer, error) {
	if s.deaf.Load() {
		return nil, errors.New("not heard")
	}
	made, err := s.Ledger.Transfer(ctx, transfers...)
	if s.silent.Load() {
		return nil, errors.New("no answer")
	}
	return made, err
}

// shakyPlane is a control plane over such a ledger, with a platform admin.
func shakyPlane(t *testing.T) (*plane, *shaky, *control.Session) {
	t.Helper()
	p := fresh(t)
	p.tenant("acme")
	books := &shaky{Ledger: p.books}
	cfg := p.config(masterKey)
	cfg.Ledger = books
	var err error
	p.Control, err = control.New(cfg)
	must(t, err)
	return p, books, p.As(p.user(sluice.PlatformTenant, "root", sluice.RolePlatformAdmin))
}

// Lost if it fails: a payment whose answer was lost is paid twice, or never, or
// without a trace in the audit log.
func TestLostAnswersArePaidOnce(t *testing.T) {
	p, books, root := shakyPlane(t)
	pay := sluice.Payment{ID: "t-1", WalletOwner: sluice.WalletOwner{Tenant: "acme"}, Amount: 5 * usd, Asset: "USD"}
	books.silent.Store(true)
	_, _, err := root.TopUp(t.Context(), pay, sluice.WriteOptions{})
	wants(t, err, sluice.CodeInternal, "a lost answer")
	audits := func() int {
		log, err := p.system().Audit(t.Context(), sluice.AuditQuery{Tenant: "*", Kind: sluice.KindBilling})
		must(t, err)
		return len(log.Items)
	}
	if n := audits(); n != 1 {
		t.Errorf("%d entries while nobody knows whether it was paid", n)
	}
	books.silent.Store(false)
	for _, want := range []bool{true, false} {
		_, created, err := root.TopUp(t.Context(), pay, sluice.WriteOptions{})
		if err != nil || created != want {
			t.Errorf("again: created %t, %v", created, err)
		}
	}
	b, ok := books.Book().Balance(sluice.TenantWallet("acme", "USD"))
	if !ok || b.Posted != 5*usd || audits() != 1 {
		t.Errorf("the wallet has %s, the audit log %d entries", b.Posted, audits())
	}
}

// Lost if it fails: a process that dies around a transfer leaves money that nobody
// sees, or a payment that is never made.
func TestOpenPaymentsAreCompleted(t *testing.T) {
	p, books, root := shakyPlane(t)
	acme := sluice.WalletOwner{Tenant: "acme"}
	order, err := root.CreateCodes(t.Context(), sluice.CodeOrder{Amount: usd, Asset: "USD"}, sluice.WriteOptions{})
	must(t, err)
	boss := p.As(p.user("acme", "boss", sluice.RoleTenantAdmin))
	must(t, p.CompleteDue(t.Context())) // the ledger came with nothing to do
	books.silent.Store(true)
	_, _, err = root.TopUp(t.Context(), sluice.Payment{ID: "after", WalletOwner: acme, Amount: 5 * usd, Asset: "USD"}, sluice.WriteOptions{})
	wants(t, err, sluice.CodeInternal, "died after the transfer")
	books.deaf.Store(true)
	_, _, err = root.TopUp(t.Context(), sluice.Payment{ID: "before", WalletOwner: acme, Amount: 3 * usd, Asset: "USD"}, sluice.WriteOptions{})
	wants(t, err, sluice.CodeInternal, "died before the transfer")
	_, err = boss.Redeem(t.Context(), order[0].Code, "", sluice.WriteOptions{})
	wants(t, err, sluice.CodeInternal, "a redemption that died")
	_, _, err = root.Adjust(t.Context(), sluice.Payment{ID: "never", WalletOwner: acme, Amount: -100 * usd, Asset: "USD"}, sluice.WriteOptions{})
	wants(t, err, sluice.CodeInternal, "died before it was refused")
	wants(t, p.system().Tenants().Delete(t.Context(), "acme", "acme", sluice.WriteOptions{}), sluice.CodeReferenced, "who has users")
	if err := p.CompletePayments(t.Context()); err == nil {
		t.Error("nobody learns that payments stay open")
	}
	list := func() (ids []string) {
		page, err := root.Payments(t.Context(), sluice.PaymentQuery{WalletOwner: acme})
		must(t, err)
		for _, item := range page.Items {
			ids = append(ids, item.ID)
		}
		return ids
	}
	books.silent.Store(false)
	books.deaf.Store(false)
	must(t, p.CompleteDue(t.Context()))
	if ids := list(); len(ids) != 0 {
		t.Errorf("completed %v before it was due", ids)
	}
	p.clock.add(maxGuessing)
	for range 2 {
		must(t, p.CompleteDue(t.Context()))
		p.clock.add(maxGuessing)
	}
	if ids := list(); len(ids) != 3 || ids[0] != "1" || ids[1] != "before" || ids[2] != "after" {
		t.Errorf("completed %v", ids)
	}
	if b, ok := books.Book().Balance(sluice.TenantWallet("acme", "USD")); !ok || b.Posted != 9*usd {
		t.Errorf("the wallet has %s", b.Posted)
	}
	log, err := p.system().Audit(t.Context(), sluice.AuditQuery{Tenant: "acme", Kind: sluice.KindBilling})
	must(t, err)
	if len(log.Items) != 5 || log.Items[0].Action != "refuse" || log.Items[0].Object != "never" || log.Items[1].Action != "adjust" {
		t.Errorf("the audit log says %+v", log.Items)
	}
}

// Lost if it fails: a new owner of the ledger leaves open payments of the last one
// for a minute, or every owner looks for them all the time.
func TestWhoeverTakesTheLedgerCompletesPayments(t *testing.T) {
	p, books, root := shakyPlane(t)
	must(t, p.CompleteDue(t.Context()))
	books.deaf.Store(true)
	_, _, err := root.TopUp(t.Context(), sluice.Payment{ID: "t", WalletOwner: sluice.WalletOwner{Tenant: "acme"}, Amount: usd, Asset: "USD"}, sluice.WriteOptions{})
	wants(t, err, sluice.CodeInternal, "a top-up that nobody heard")
	books.deaf.Store(false)
	books.lost.Store(true)
	must(t, p.CompleteDue(t.Context()))
	wants(t, p.CompletePayments(t.Context()), sluice.CodeUnavailable, "completing without the ledger")
	err = p.system().Tenants().Delete(t.Context(), "acme", "acme", sluice.WriteOptions{})
	wants(t, err, sluice.CodeConflict, "deleting whom an open payment is for")
	books.lost.Store(false)
	must(t, p.CompleteDue(t.Context()))
	if b, _ := books.Book().Balance(sluice.TenantWallet("acme", "USD")); b.Posted != usd {
		t.Errorf("the wallet has %s", b.Posted)
	}
}

// Lost if it fails: who got a grant can never be deleted, or a grant is taken back
// twice, or more of it than is left.
func TestGrantsAreTakenBack(t *testing.T) {
	p, books, root := shakyPlane(t)
	none := sluice.WriteOptions{}
	acme := sluice.WalletOwner{Tenant: "acme"}
	_, _, err := root.Grant(t.Context(), sluice.Payment{ID: "g-1", WalletOwner: acme, Amount: 5 * usd, Asset: "USD"}, none)
	must(t, err)
	err = p.system().Tenants().Delete(t.Context(), "acme", "acme", none)
	if wants(t, err, sluice.CodeConflict, "deleting who has a grant"); !strings.Contains(fmt.Sprint(err), `names the grant "g-1"`) {
		t.Errorf("nobody says how to settle it: %v", err)
	}
	request := sluice.RequestID{7}
	hold := sluice.Hold{Request: request, Wallet: sluice.TenantWallet("acme", "USD"), Amount: usd, Deadline: p.clock.Now().Add(maxGuessing)}
	must(t, books.Book().Hold(hold, p.clock.Now()))
	take := func(id string, amount sluice.Nanos) (sluice.Payment, bool, error) {
		return root.Adjust(t.Context(), sluice.Payment{ID: id, Grant: "g-1", Amount: amount}, none)
	}
	_, _, err = take("r-0", -5*usd)
	if wants(t, err, sluice.CodeConflict, "what a request holds"); sluice.AsError(err).Details["held"] != "1" {
		t.Errorf("the details are %v", sluice.AsError(err).Details)
	}
	for i, want := range []sluice.Nanos{-usd, -3 * usd} {
		for _, first := range []bool{true, false} {
			out, created, err := take(fmt.Sprint("r-", i), []sluice.Nanos{-usd, 0}[i])
			if err != nil || created != first || out.Amount != want || out.Tenant != "acme" || out.Asset != "USD" {
				t.Errorf("taken back: %+v, created %t, %v", out, created, err)
			}
		}
	}
	_, _, err = take("r-0", 0)
	must(t, err)
	_, _, err = take("r-2", 0)
	wants(t, err, sluice.CodeConflict, "nothing is left but what is held")
	books.Book().Release(hold.Request)
	_, _, err = take("r-2", 0)
	must(t, err)
	for field, wrong := range map[string]sluice.Payment{
		"/grant": {ID: "w", Grant: "g-1", WalletOwner: acme}, "/amount": {ID: "w", Grant: "g-1", Amount: 1}, "/id": {Grant: "g-1"},
	} {
		if _, _, err := root.Adjust(t.Context(), wrong, none); sluice.CodeOf(err) != sluice.CodeInvalidRequest || sluice.AsError(err).Field != field {
			t.Errorf("%+v answers %v", wrong, err)
		}
	}
	_, _, err = root.Adjust(t.Context(), sluice.Payment{ID: "w", Grant: "g-2"}, none)
	wants(t, err, sluice.CodeNotFound, "a grant that does not exist")
	_, _, err = root.TopUp(t.Context(), sluice.Payment{ID: "w", WalletOwner: acme, Asset: "USD", Amount: 1, Grant: "g-1"}, none)
	wants(t, err, sluice.CodeInvalidRequest, "a top-up of a grant")
	if b, _ := books.Book().Balance(sluice.HouseAccount(sluice.AccountPromotion, "USD")); b.Posted != 0 {
		t.Errorf("the promotion gave %s away", -b.Posted)
	}
	must(t, p.system().Tenants().Delete(t.Context(), "acme", "acme", none))
}

// charged has the ledger charge a wallet for a request.
func (p *plane) charged(request sluice.RequestID, wallet sluice.AccountID, charge sluice.Nanos) {
	p.t.Helper()
	hold := sluice.Hold{Request: request, Wallet: wallet, Amount: charge, Deadline: p.clock.Now().Add(maxGuessing)}
	must(p.t, p.books.Book().Hold(hold, p.clock.Now()))
	_, err := p.books.Receive(p.t.Context(), "gw-"+request.String(), 0, []ledger.Fact{{Seq: 1, Hold: &hold},
		{Seq: 2, Posting: &sluice.Posting{Request: request, Attempt: 1, Final: true, Outcome: sluice.OutcomeComplete, Wallet: wallet, Charge: charge}}})
	must(p.t, err)
}

// Lost if it fails: nobody can give back what a key or user paid that is gone, or
// it waits for a stranger of the same name.
func TestRefundsOutliveWhoPaid(t *testing.T) {
	p, _, root := shakyPlane(t)
	none := sluice.WriteOptions{}
	dev := p.user("acme", "dev", sluice.RoleDeveloper)
	key, err := p.As(dev).Keys().Create(t.Context(), sluice.Key{Meta: sluice.Meta{Name: "mine"}, Wallet: sluice.WalletKey}, none)
	must(t, err)
	wallets := []sluice.AccountID{sluice.KeyWallet(key.ID, "USD"), sluice.UserWallet("acme", "dev", "USD")}
	for i, of := range []sluice.WalletOwner{{Tenant: "acme", Key: "mine"}, {Tenant: "acme", User: "dev"}} {
		_, _, err := root.TopUp(t.Context(), sluice.Payment{ID: fmt.Sprint("t-", i), WalletOwner: of, Amount: 5 * usd, Asset: "USD"}, none)
		must(t, err)
		p.charged(sluice.RequestID{byte(i + 1)}, wallets[i], 5*usd)
	}
	part := sluice.Payment{ID: "part", Request: sluice.RequestID{1}, Amount: usd}
	before, _, err := root.Refund(t.Context(), part, none)
	must(t, err)
	if before.Wallet != wallets[0] {
		t.Errorf("what a key paid went to %s", before.Wallet)
	}
	_, _, err = root.Adjust(t.Context(), sluice.Payment{ID: "out", WalletOwner: sluice.WalletOwner{Tenant: "acme", Key: "mine"}, Amount: -usd, Asset: "USD"}, none)
	must(t, err)
	must(t, p.system().Keys().Delete(t.Context(), "acme", "mine", none))
	must(t, p.system().Users().Delete(t.Context(), "acme", "dev", none))
	again, created, err := root.Refund(t.Context(), part, none)
	if err != nil || created || again != before {
		t.Errorf("repeated: %+v, created %t, %v", again, created, err)
	}
	for i, want := range []sluice.Nanos{4 * usd, 5 * usd} {
		out, _, err := root.Refund(t.Context(), sluice.Payment{ID: fmt.Sprint("r-", i), Request: sluice.RequestID{byte(i + 1)}}, none)
		if err != nil || out.Amount != want || out.Wallet != sluice.TenantWallet("acme", "USD") || out.User != "" || out.Key != "" {
			t.Errorf("refund %d is %+v, %v", i, out, err)
		}
	}
	_, _, err = root.Adjust(t.Context(), sluice.Payment{ID: "rest", WalletOwner: sluice.WalletOwner{Tenant: "acme"}, Amount: -9 * usd, Asset: "USD"}, none)
	must(t, err)
}

// Lost if it fails: a tenant's payments are mixed with those of its users and keys,
// or the next key of a name shows the payments of the last one.
func TestPaymentsAreOfOneWallet(t *testing.T) {
	p, _, root := shakyPlane(t)
	none := sluice.WriteOptions{}
	dev := p.As(p.user("acme", "dev", sluice.RoleDeveloper))
	create := func() {
		_, err := dev.Keys().Create(t.Context(), sluice.Key{Meta: sluice.Meta{Name: "mine"}, Wallet: sluice.WalletKey}, none)
		must(t, err)
	}
	create()
	owners := []sluice.WalletOwner{{Tenant: "acme"}, {Tenant: "acme", User: "dev"}, {Tenant: "acme", Key: "mine"}}
	for i, of := range owners {
		_, _, err := root.TopUp(t.Context(), sluice.Payment{ID: fmt.Sprint("t-", i), WalletOwner: of, Amount: usd, Asset: "USD"}, none)
		must(t, err)
	}
	for i, of := range owners {
		page, err := root.Payments(t.Context(), sluice.PaymentQuery{WalletOwner: of})
		if err != nil || len(page.Items) != 1 || page.Items[0].ID != fmt.Sprint("t-", i) {
			t.Errorf("%+v has %+v, %v", of, page.Items, err)
		}
	}
	all, err := root.Payments(t.Context(), sluice.PaymentQuery{WalletOwner: sluice.WalletOwner{Tenant: "*"}})
	if err != nil || len(all.Items) != 3 {
		t.Errorf("all are %+v, %v", all.Items, err)
	}
	_, _, err = root.Adjust(t.Context(), sluice.Payment{ID: "out", WalletOwner: owners[2], Amount: -usd, Asset: "USD"}, none)
	must(t, err)
	must(t, dev.Keys().Delete(t.Context(), "", "mine", none))
	create()
	page, err := dev.Payments(t.Context(), sluice.PaymentQuery{WalletOwner: owners[2]})
	if err != nil || len(page.Items) != 0 {
		t.Errorf("the next key of the name has %+v, %v", page.Items, err)
	}
}

// Lost if it fails: a table for a spreadsheet leaves money out, breaks at what
// people wrote, or cannot be continued.
func TestTransactionsAsATable(t *testing.T) {
	p, _, root := shakyPlane(t)
	acme := sluice.WalletOwner{Tenant: "acme"}
	for i, note := range []string{"wire, \"late\"", "=1+1"} {
		_, _, err := root.TopUp(t.Context(), sluice.Payment{ID: fmt.Sprint("t-", i), WalletOwner: acme, Amount: usd + 1, Asset: "USD", Note: note}, sluice.WriteOptions{})
		must(t, err)
	}
	p.charged(sluice.RequestID{1}, sluice.TenantWallet("acme", "USD"), 3)
	var rows [][]string
	q := sluice.StatementQuery{WalletOwner: acme, Limit: 3}
	for pages := 1; ; pages++ {
		table, next, err := root.TransactionsCSV(t.Context(), q)
		must(t, err)
		page, err := csv.NewReader(bytes.NewReader(table)).ReadAll()
		must(t, err)
		if strings.Join(page[0], ",") != "booked_at,code,kind,account,posted,held,asset,request_id,payment_id,note,id" {
			t.Errorf("the header is %v", page[0])
		}
		rows = append(rows, page[1:]...)
		if q.Cursor = next; next == "" {
			if pages != 2 {
				t.Errorf("4 lines by 3 are %d pages", pages)
			}
			break
		}
	}
	for i, want := range []string{
		"charge post cust.wallet:acme@USD -0.000000003 -0.000000003 USD " + sluice.RequestID{1}.String() + "  ",
		"hold pending cust.wallet:acme@USD 0 0.000000003 USD " + sluice.RequestID{1}.String() + "  ",
		"top_up single cust.wallet:acme@USD 1.000000001 0 USD  t-1 '=1+1",
		"top_up single cust.wallet:acme@USD 1.000000001 0 USD  t-0 wire, \"late\"",
	} {
		if len(rows) != 4 || strings.Join(rows[i][1:10], " ") != want {
			t.Fatalf("row %d of %q, want %q", i, rows, want)
		}
	}
}

// Lost if it fails: whoever tries a valid code while the ledger is away is locked
// out once it is back.
func TestCodesWaitForTheLedger(t *testing.T) {
	p, books, root := shakyPlane(t)
	dev := p.As(p.user("acme", "dev", sluice.RoleDeveloper))
	codes, err := root.CreateCodes(t.Context(), sluice.CodeOrder{Amount: usd, Asset: "USD"}, sluice.WriteOptions{})
	must(t, err)
	for _, outage := range []struct {
		on   *atomic.Bool
		want sluice.Code
	}{{&books.lost, sluice.CodeUnavailable}, {&books.deaf, sluice.CodeInternal}} {
		outage.on.Store(true)
		for range 12 {
			_, err := dev.Redeem(t.Context(), codes[0].Code, "", sluice.WriteOptions{})
			wants(t, err, outage.want, "while the ledger is away")
		}
		outage.on.Store(false)
	}
	_, err = dev.Redeem(t.Context(), codes[0].Code, "", sluice.WriteOptions{})
	must(t, err)
}

// Lost if it fails: a process without the ledger takes money and loses it, or
// cannot even show what there is.
func TestWithoutTheLedgerBalancesAreStored(t *testing.T) {
	_, books, root := shakyPlane(t)
	acme := sluice.WalletOwner{Tenant: "acme"}
	grant := sluice.Payment{ID: "g-1", WalletOwner: acme, Amount: 2 * usd, Asset: "USD"}
	_, _, err := root.Grant(t.Context(), grant, sluice.WriteOptions{})
	must(t, err)
	codes, err := root.CreateCodes(t.Context(), sluice.CodeOrder{Amount: usd, Asset: "USD"}, sluice.WriteOptions{})
	must(t, err)
	books.lost.Store(true)
	for what, try := range map[string]func() error{
		"top-up": func() error {
			_, _, err := root.TopUp(t.Context(), sluice.Payment{ID: "t", WalletOwner: acme, Amount: 1, Asset: "USD"}, sluice.WriteOptions{})
			return err
		},
		"redemption": func() error {
			_, err := root.Redeem(t.Context(), codes[0].Code, "", sluice.WriteOptions{})
			return err
		},
	} {
		err := try()
		if wants(t, err, sluice.CodeUnavailable, what); err != nil && sluice.AsError(err).RetryAfter == 0 {
			t.Errorf("%s: nobody says when to come back", what)
		}
	}
	b, err := root.Balance(t.Context(), sluice.BalanceQuery{WalletOwner: acme})
	must(t, err)
	if len(b.Wallets) != 1 || *b.Wallets[0].Available != 2*usd || len(b.Wallets[0].Grants) != 1 {
		t.Errorf("the balance is %+v", b)
	}
	books.lost.Store(false)
	_, err = root.Redeem(t.Context(), codes[0].Code, "", sluice.WriteOptions{})
	must(t, err)
}

// Lost if it fails: codes can be guessed as fast as a line carries them, or a
// repeated request is told that somebody else had the code.
func TestCodesCannotBeGuessed(t *testing.T) {
	p, _, root := shakyPlane(t)
	dev := p.As(p.user("acme", "dev", sluice.RoleDeveloper))
	codes, err := root.CreateCodes(t.Context(), sluice.CodeOrder{Amount: usd, Asset: "USD", ExpiresAt: p.clock.Now().Add(maxGuessing)}, sluice.WriteOptions{})
	must(t, err)
	for i := range 8 {
		_, err := dev.Redeem(t.Context(), sluice.NewRedemptionCode(), "", sluice.WriteOptions{})
		want := sluice.CodeNotFound
		if i > 4 {
			want = sluice.CodeRequestRate
		}
		wants(t, err, want, "a guess")
	}
	_, err = dev.Redeem(t.Context(), codes[0].Code, "", sluice.WriteOptions{})
	wants(t, err, sluice.CodeRequestRate, "the right code, too early")
	p.clock.add(maxGuessing / 2)
	_, err = dev.Redeem(t.Context(), codes[0].Code, sluice.WalletTenant, sluice.WriteOptions{})
	wants(t, err, sluice.CodeForbidden, "into the tenant's wallet")
	repeat := sluice.WriteOptions{IdempotencyKey: "k"}
	first, err := dev.Redeem(t.Context(), codes[0].Code, "", repeat)
	must(t, err)
	again, err := dev.Redeem(t.Context(), codes[0].Code, "", repeat)
	if err != nil || again != first || first.User != "dev" {
		t.Errorf("repeated: %+v, %v, at first %+v", again, err, first)
	}
	_, err = dev.Redeem(t.Context(), codes[0].Code, "", sluice.WriteOptions{})
	wants(t, err, sluice.CodeConflict, "a code that was redeemed")
	late, err := root.CreateCodes(t.Context(), sluice.CodeOrder{Amount: usd, Asset: "USD", ExpiresAt: p.clock.Now().Add(1)}, sluice.WriteOptions{})
	must(t, err)
	p.clock.add(maxGuessing)
	_, err = dev.Redeem(t.Context(), late[0].Code, "", sluice.WriteOptions{})
	if wants(t, err, sluice.CodeConflict, "an expired code"); err != nil && sluice.AsError(err).Details["status"] != sluice.RedemptionExpired {
		t.Errorf("an expired code answers %v", sluice.AsError(err).Details)
	}
}

// maxGuessing is longer than any pause between attempts at a code.
const maxGuessing = 3_600_000_000_000
