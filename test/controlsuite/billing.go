package controlsuite

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/ledger"
)

const usd = sluice.NanosPerUnit

// paid is a payment into the wallet of the tenant acme.
func paid(id string, amount sluice.Nanos) sluice.Payment {
	return sluice.Payment{ID: id, WalletOwner: sluice.WalletOwner{Tenant: "acme"}, Amount: amount, Asset: "USD"}
}

// wantAvailable compares what acme may spend.
func wantAvailable(t *testing.T, f Face, want sluice.Nanos) {
	t.Helper()
	b, err := f.Balance(ctx(t), sluice.BalanceQuery{WalletOwner: sluice.WalletOwner{Tenant: "acme"}, Asset: "USD"})
	must(t, err)
	if len(b.Wallets) != 1 || b.Wallets[0].Available == nil || *b.Wallets[0].Available != want {
		t.Errorf("the balance is %+v, want %s available", b, want)
	}
}

// atOnce calls fn so often at once and returns the errors.
func atOnce(n int, fn func(i int) error) []error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = fn(i) })
	}
	all.Wait()
	return errs
}

// paymentsOnce would credit a wallet twice for one payment, or nothing for it.
func paymentsOnce(t *testing.T, w *World, open Opener) {
	f := open(t, w, Root)
	none := sluice.WriteOptions{}
	wantAvailable(t, f, 0)
	_, created, err := f.TopUp(ctx(t), paid("t-0", usd), sluice.WriteOptions{DryRun: true})
	must(t, err)
	if !created {
		t.Error("a trial says that the payment exists")
	}
	var mu sync.Mutex
	var made []sluice.Payment
	first := 0
	for _, err := range atOnce(20, func(int) error {
		p, created, err := f.TopUp(ctx(t), paid("t-1", 25*usd), none)
		mu.Lock()
		defer mu.Unlock()
		if made = append(made, p); created {
			first++
		}
		return err
	}) {
		must(t, err)
	}
	for _, p := range made {
		if p != made[0] || p.Transfer != p.TransferID() || p.Wallet != sluice.TenantWallet("acme", "USD") || p.By != "platform/root" {
			t.Errorf("one answer is %+v, another %+v", made[0], p)
		}
	}
	if first != 1 {
		t.Errorf("%d of 20 say that they made it", first)
	}
	wantAvailable(t, f, 25*usd)
	for field, change := range map[string]func(*sluice.Payment){
		"/amount": func(p *sluice.Payment) { p.Amount++ },
		"/asset":  func(p *sluice.Payment) { p.Asset = "EUR" },
		"/tenant": func(p *sluice.Payment) { p.Tenant = "other" },
		"/user":   func(p *sluice.Payment) { p.User = "dev" },
		"/note":   func(p *sluice.Payment) { p.Note = "other" },
	} {
		p := paid("t-1", 25*usd)
		change(&p)
		_, _, err := f.TopUp(ctx(t), p, none)
		wantCode(t, err, sluice.CodeConflict, field)
	}
	for _, want := range []bool{true, false} { // the Idempotency-Key stands for the id
		_, created, err := f.TopUp(ctx(t), paid("", usd), sluice.WriteOptions{IdempotencyKey: "k-1"})
		if err != nil || created != want {
			t.Errorf("by key: created %t, %v", created, err)
		}
	}
	_, _, err = f.TopUp(ctx(t), paid("", 2*usd), sluice.WriteOptions{IdempotencyKey: "k-1"})
	wantCode(t, err, sluice.CodeIdempotency, "Idempotency-Key")
	later := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	g := paid("g-1", 5*usd)
	g.ExpiresAt = later
	for range 2 {
		_, _, err = f.Grant(ctx(t), g, none)
		must(t, err)
	}
	g.ExpiresAt = later.Add(time.Hour)
	_, _, err = f.Grant(ctx(t), g, none)
	wantCode(t, err, sluice.CodeConflict, "/expires_at")
	wantAvailable(t, f, 31*usd)
	_, _, err = f.Adjust(ctx(t), paid("a-1", -26*usd-1), none) // a grant is not paid out
	wantCode(t, err, sluice.CodeInsufficientBalance, "")
	_, created, err = f.Adjust(ctx(t), paid("a-1", -6*usd), none) // what was refused left the id free
	if err != nil || !created {
		t.Errorf("adjusted: created %t, %v", created, err)
	}
	wantAvailable(t, f, 25*usd)
	b, err := f.Balance(ctx(t), sluice.BalanceQuery{WalletOwner: sluice.WalletOwner{Tenant: "acme"}})
	must(t, err)
	if len(b.Wallets) != 1 || b.Wallets[0].Posted != 20*usd || len(b.Wallets[0].Grants) != 1 || b.Wallets[0].Grants[0].Left != 5*usd || !b.Wallets[0].Grants[0].ExpiresAt.Equal(later) {
		t.Errorf("the balance is %+v", b)
	}
	page, err := f.Payments(ctx(t), sluice.PaymentQuery{WalletOwner: sluice.WalletOwner{Tenant: "acme"}, Limit: 2})
	must(t, err)
	rest, err := f.Payments(ctx(t), sluice.PaymentQuery{WalletOwner: sluice.WalletOwner{Tenant: "acme"}, Cursor: page.Next})
	must(t, err)
	if len(page.Items) != 2 || page.Items[0].ID != "a-1" || page.Items[1].ID != "g-1" || len(rest.Items) != 2 || rest.Next != "" {
		t.Errorf("payments %+v, then %+v", page, rest)
	}
	lines, err := f.Transactions(ctx(t), sluice.StatementQuery{WalletOwner: sluice.WalletOwner{Tenant: "acme"}})
	must(t, err)
	sum := sluice.Nanos(0)
	for _, l := range lines.Items {
		if sum += l.Posted; l.Payment == "" {
			t.Errorf("nobody can tell where %+v comes from", l)
		}
	}
	if len(lines.Items) != 4 || sum != 25*usd {
		t.Errorf("the statement has %d lines over %s", len(lines.Items), sum)
	}
	err = f.Tenants.Delete(ctx(t), "acme", "acme", none)
	if code := sluice.CodeOf(err); code != sluice.CodeReferenced && code != sluice.CodeConflict {
		t.Errorf("a tenant with money is deleted: %v", err)
	}
	log, err := f.Audit(ctx(t), sluice.AuditQuery{Tenant: "acme", Kind: sluice.KindBilling})
	must(t, err)
	if len(log.Items) != 6 || log.Items[0].Action != "adjust" || log.Items[1].Action != "refuse" || log.Items[5].Object != "t-1" || !strings.Contains(string(log.Items[5].Diff), `"25"`) {
		t.Errorf("the audit log says %+v", log.Items)
	}
}

// paymentMistakes would take a wrong amount, or refuse it without a reason.
func paymentMistakes(t *testing.T, w *World, open Opener) {
	f := open(t, w, Root)
	none := sluice.WriteOptions{}
	bad := map[string][]func(*sluice.Payment){
		"/id":         {func(p *sluice.Payment) { p.ID = "" }, func(p *sluice.Payment) { p.ID = "a b" }, func(p *sluice.Payment) { p.ID = strings.Repeat("x", 65) }, func(p *sluice.Payment) { p.ID = "a@USD" }},
		"/amount":     {func(p *sluice.Payment) { p.Amount = 0 }, func(p *sluice.Payment) { p.Amount = -1 }, func(p *sluice.Payment) { p.Amount = math.MaxInt64 }, func(p *sluice.Payment) { p.Amount = 1_000_000_000*usd + 1 }},
		"/asset":      {func(p *sluice.Payment) { p.Asset = "" }, func(p *sluice.Payment) { p.Asset = "UDS" }, func(p *sluice.Payment) { p.Asset = "usd" }},
		"/tenant":     {func(p *sluice.Payment) { p.Tenant = "nobody" }},
		"/user":       {func(p *sluice.Payment) { p.User = "nobody" }},
		"/key":        {func(p *sluice.Payment) { p.Key = "nothing" }, func(p *sluice.Payment) { p.Key = "99" }, func(p *sluice.Payment) { p.User, p.Key = "dev", "k" }},
		"/expires_at": {func(p *sluice.Payment) { p.ExpiresAt = time.Now().Add(time.Hour) }},
		"/request_id": {func(p *sluice.Payment) { p.Request = sluice.RequestID{1} }},
		"/note":       {func(p *sluice.Payment) { p.Note = strings.Repeat("x", 501) }},
	}
	for field, changes := range bad {
		for i, change := range changes {
			p := paid("t-1", usd)
			change(&p)
			if _, _, err := f.TopUp(ctx(t), p, none); sluice.CodeOf(err) != sluice.CodeInvalidRequest || sluice.AsError(err).Field != field {
				t.Errorf("mistake %d of %s answers %v at %q", i, field, err, sluice.AsError(err).Field)
			}
		}
	}
	g := paid("g-1", usd)
	g.ExpiresAt = time.Now().Add(-time.Second)
	_, _, err := f.Grant(ctx(t), g, none)
	wantCode(t, err, sluice.CodeInvalidRequest, "/expires_at")
	for i := range 2 { // two of a billion fit, the third overflows
		_, _, err = f.TopUp(ctx(t), paid(fmt.Sprint("big-", i), 1_000_000_000*usd), none)
		must(t, err)
	}
	_, _, err = f.TopUp(ctx(t), paid("big-2", 1_000_000_000*usd), none)
	wantCode(t, err, sluice.CodeInvalidRequest, "/amount")
	for field, order := range map[string]sluice.CodeOrder{
		"/count": {Count: 1001, Amount: usd, Asset: "USD"}, "/amount": {Asset: "USD"}, "/asset": {Amount: usd, Asset: "???"},
		"/expires_at": {Amount: usd, Asset: "USD", ExpiresAt: time.Now().Add(-time.Second)},
	} {
		_, err := f.CreateCodes(ctx(t), order, none)
		wantCode(t, err, sluice.CodeInvalidRequest, field)
	}
	wantCodeOnly := func(q sluice.StatementQuery, field string) {
		t.Helper()
		_, err := f.Transactions(ctx(t), q)
		wantCode(t, err, sluice.CodeInvalidRequest, field)
	}
	wantCodeOnly(sluice.StatementQuery{WalletOwner: sluice.WalletOwner{Tenant: "acme"}, Cursor: "!"}, "cursor")
	wantCodeOnly(sluice.StatementQuery{WalletOwner: sluice.WalletOwner{Tenant: "nobody"}}, "/tenant")
}

// codesOnce would pay a code twice, or one that is void.
func codesOnce(t *testing.T, w *World, open Opener) {
	f := open(t, w, Root)
	none := sluice.WriteOptions{}
	order := sluice.CodeOrder{Count: 3, Amount: 5 * usd, Asset: "USD", Note: "meetup"}
	codes, err := f.CreateCodes(ctx(t), order, sluice.WriteOptions{IdempotencyKey: "k"})
	must(t, err)
	again, err := f.CreateCodes(ctx(t), order, sluice.WriteOptions{IdempotencyKey: "k"})
	must(t, err)
	if len(codes) != 3 || len(again) != 3 || again[0].ID != codes[0].ID || again[0].Code != "" || !strings.HasPrefix(codes[0].Code, codes[0].Prefix) {
		t.Errorf("codes %+v, again %+v", codes, again)
	}
	typed := strings.ToLower(strings.ReplaceAll(codes[0].Code, "-", " "))
	people := []Face{open(t, w, AcmeAdmin), open(t, w, OtherAdmin), open(t, w, AcmeDev), f}
	won := 0
	for _, err := range atOnce(48, func(i int) error {
		_, err := people[i%len(people)].Redeem(ctx(t), typed, "", none)
		return err
	}) {
		switch sluice.CodeOf(err) {
		case "":
			won++
		case sluice.CodeConflict, sluice.CodeRequestRate:
		default:
			t.Errorf("a loser is told %v", err)
		}
	}
	if won != 1 {
		t.Errorf("the code was redeemed %d times", won)
	}
	list, err := f.Codes(ctx(t), sluice.CodeQuery{Order: codes[0].Order})
	must(t, err)
	if len(list.Items) != 3 || list.Items[0].Status != sluice.RedemptionRedeemed || list.Items[0].RedeemedBy == "" || list.Items[0].Code != "" || list.Items[1].Status != sluice.RedemptionOpen {
		t.Errorf("codes are listed as %+v", list.Items)
	}
	_, err = f.RevokeCode(ctx(t), codes[0].ID)
	wantCode(t, err, sluice.CodeConflict, "")
	_, err = f.RevokeCode(ctx(t), codes[1].ID)
	must(t, err)
	_, err = open(t, w, AcmeReader).Redeem(ctx(t), codes[2].Code, "", none)
	wantCode(t, err, sluice.CodeForbidden, "/wallet")
	log, err := f.Audit(ctx(t), sluice.AuditQuery{Tenant: "*", Kind: sluice.KindBilling})
	must(t, err)
	if len(log.Items) != 3 { // the order, the redemption, the revocation
		t.Errorf("the audit log says %+v", log.Items)
	}
	for _, e := range log.Items {
		for _, c := range codes {
			if strings.Contains(string(e.Diff), c.Code) {
				t.Errorf("the audit log shows a code: %s", e.Diff)
			}
		}
	}
}

// settled has the ledger charge acme for a request.
func settled(t *testing.T, w *World, request sluice.RequestID, charge sluice.Nanos) {
	t.Helper()
	hold := sluice.Hold{Request: request, Wallet: sluice.TenantWallet("acme", "USD"), Amount: 3 * usd, Deadline: time.Now().Add(time.Hour)}
	must(t, w.Ledger.Book().Hold(hold, time.Now()))
	journal := "gw-" + request.String()
	_, err := w.Ledger.Receive(ctx(t), journal, 0, []ledger.Fact{{Seq: 1, Hold: &hold},
		{Seq: 2, Posting: &sluice.Posting{Request: request, Attempt: 1, Final: true, Outcome: sluice.OutcomeComplete, Wallet: hold.Wallet, Charge: charge}}})
	must(t, err)
}

// refunds would give back more than was taken.
func refunds(t *testing.T, w *World, open Opener) {
	f := open(t, w, Root)
	none := sluice.WriteOptions{}
	_, _, err := f.TopUp(ctx(t), paid("t-1", 10*usd), none)
	must(t, err)
	const id = "019ca945-0a7b-7abc-8def-0123456789ab"
	request, err := sluice.ParseRequestID(id)
	must(t, err)
	settled(t, w, request, 4*usd) // of which one is beyond the hold
	must(t, w.DB.InsertRecords(ctx(t), []sluice.Record{{ID: id, Time: request.Time(), Tenant: "acme", User: "boss", Model: "m", Outcome: sluice.OutcomeComplete, Cost: sluice.Money{Amount: 4 * usd, Asset: "USD"}}}))
	wantAvailable(t, f, 6*usd)
	refund := func(id string, amount sluice.Nanos) sluice.Payment {
		return sluice.Payment{ID: id, Request: request, Amount: amount}
	}
	won := 0
	for _, err := range atOnce(12, func(i int) error {
		_, _, err := f.Refund(ctx(t), refund(fmt.Sprint("r-", i), usd/2), none)
		return err
	}) {
		if err == nil {
			won++
		} else {
			wantCode(t, err, sluice.CodeConflict, "/amount")
		}
	}
	if won != 8 {
		t.Errorf("%d refunds of half a dollar were made of 4", won)
	}
	wantAvailable(t, f, 10*usd)
	_, _, err = f.Refund(ctx(t), refund("r-all", 0), none)
	wantCode(t, err, sluice.CodeConflict, "/amount")
	_, _, err = f.Refund(ctx(t), sluice.Payment{ID: "r-x", Request: sluice.RequestID{9}}, none)
	wantCode(t, err, sluice.CodeNotFound, "/request_id")
	_, _, err = f.Refund(ctx(t), sluice.Payment{ID: "r-x"}, none)
	wantCode(t, err, sluice.CodeInvalidRequest, "/request_id")
	_, _, err = f.Refund(ctx(t), refund("r-x", -1), none)
	wantCode(t, err, sluice.CodeInvalidRequest, "/amount")

	second := sluice.RequestID{1, 0x9c, 0xa9, 0x45, 0x0a, 0x7b, 0x7a, 0xbc, 0x8d, 0xef, 7}
	settled(t, w, second, 2*usd)
	for range 2 {
		p, _, err := f.Refund(ctx(t), sluice.Payment{ID: "all", Request: second}, none)
		if err != nil || p.Amount != 2*usd || p.Wallet != sluice.TenantWallet("acme", "USD") {
			t.Errorf("all of it is %+v, %v", p, err)
		}
	}
	cost, err := open(t, w, AcmeAdmin).RecordCost(ctx(t), id)
	must(t, err)
	codes := map[sluice.TransferCode]int{}
	posted, held := sluice.Nanos(0), sluice.Nanos(0)
	for _, l := range cost.Transfers {
		codes[l.Code]++
		posted, held = posted+l.Posted, held+l.Held
	}
	if codes[sluice.TransferHold] != 1 || codes[sluice.TransferCharge] != 1 || codes[sluice.TransferOverage] != 1 || codes[sluice.TransferRefund] != 8 || posted != 0 || held != 0 {
		t.Errorf("the request is explained by %v: posted %s, held %s: %+v", codes, posted, held, cost.Transfers)
	}
	lines, err := f.Transactions(ctx(t), sluice.StatementQuery{WalletOwner: sluice.WalletOwner{Tenant: "acme"}, Request: second})
	must(t, err)
	if len(lines.Items) != 3 || lines.Items[0].Payment != "all" || lines.Items[1].Posted != -2*usd || lines.Items[1].Held != -3*usd || lines.Items[2].Held != 3*usd {
		t.Errorf("its statement is %+v", lines.Items)
	}
}

// usageAgreesWithTheLedger would put another sum on a bill than what was charged.
func usageAgreesWithTheLedger(t *testing.T, w *World, open Opener) {
	f := open(t, w, Root)
	_, _, err := f.TopUp(ctx(t), paid("t-1", 1000*usd), sluice.WriteOptions{})
	must(t, err)
	_, _, err = f.Grant(ctx(t), paid("g-1", 10*usd), sluice.WriteOptions{})
	must(t, err)
	var records []sluice.Record
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for i := range 25 { // of a hold of 3: some cost nothing, some all of it, some more
		request := sluice.RequestID{6: 0x70, 8: 0x80, 15: byte(i)}
		for b, ms := 5, at.Add(time.Duration(i)*time.Hour).UnixMilli(); b >= 0; b, ms = b-1, ms>>8 {
			request[b] = byte(ms)
		}
		cost := sluice.Nanos(i) * 166_666_667
		settled(t, w, request, cost)
		records = append(records, sluice.Record{ID: request.String(), Time: request.Time(), Tenant: "acme", User: "dev", Model: fmt.Sprint("m", i%3),
			Outcome: sluice.OutcomeComplete, Cost: sluice.Money{Amount: cost, Asset: "USD"}})
	}
	must(t, w.DB.InsertRecords(ctx(t), records))
	rows, err := f.BilledUsage(ctx(t), sluice.BilledUsageQuery{Bucket: "day", UsageQuery: sluice.UsageQuery{GroupBy: []string{"model"},
		RecordQuery: sluice.RecordQuery{Tenant: "acme", From: at, To: at.AddDate(0, 0, 2)}}})
	must(t, err)
	billed := sluice.Nanos(0)
	for _, r := range rows {
		for _, c := range r.Cost {
			billed += c.Amount
		}
	}
	spent := sluice.Nanos(0)
	for q := (sluice.StatementQuery{WalletOwner: sluice.WalletOwner{Tenant: "acme"}}); ; {
		page, err := f.Transactions(ctx(t), q)
		must(t, err)
		for _, l := range page.Items {
			if !l.Request.IsZero() {
				spent -= l.Posted
			}
		}
		if q.Cursor = page.Next; page.Next == "" {
			break
		}
	}
	if len(rows) != 4 || billed != 300*166_666_667 || spent != billed {
		t.Errorf("%d rows bill %s, the ledger took %s", len(rows), billed, spent)
	}
	wantAvailable(t, f, 1010*usd-billed)
}

// moneyIsPrivate would show wallets to strangers, or let those who spend fill them.
func moneyIsPrivate(t *testing.T, w *World, open Opener) {
	f, boss, dev, reader, other := open(t, w, Root), open(t, w, AcmeAdmin), open(t, w, AcmeDev), open(t, w, AcmeReader), open(t, w, OtherAdmin)
	none := sluice.WriteOptions{}
	_, err := dev.Keys.Create(ctx(t), sluice.Key{Meta: sluice.Meta{Name: "mine"}, Wallet: sluice.WalletKey,
		Caps: []sluice.SpendingCap{{Period: "month", Limit: sluice.Money{Amount: usd, Asset: "USD"}}}}, none)
	must(t, err)
	for i, of := range []sluice.WalletOwner{{Tenant: "acme"}, {Tenant: "acme", User: "dev"}, {Tenant: "acme", Key: "mine"}} {
		p := paid(fmt.Sprint("t-", i), usd)
		p.WalletOwner = of
		_, _, err := f.TopUp(ctx(t), p, none)
		must(t, err)
	}
	for _, who := range []Face{boss, dev, reader, other} {
		for _, pay := range []func(Face) error{
			func(f Face) error { _, _, err := f.TopUp(ctx(t), paid("x", usd), none); return err },
			func(f Face) error { _, _, err := f.Grant(ctx(t), paid("x", usd), none); return err },
			func(f Face) error { _, _, err := f.Adjust(ctx(t), paid("x", usd), none); return err },
			func(f Face) error {
				_, _, err := f.Refund(ctx(t), sluice.Payment{ID: "x", Request: sluice.RequestID{1}}, none)
				return err
			},
			func(f Face) error {
				_, err := f.CreateCodes(ctx(t), sluice.CodeOrder{Amount: usd, Asset: "USD"}, none)
				return err
			},
			func(f Face) error { _, err := f.Codes(ctx(t), sluice.CodeQuery{}); return err },
			func(f Face) error { _, err := f.RevokeCode(ctx(t), 1); return err },
		} {
			wantCode(t, pay(who), sluice.CodeForbidden, "")
		}
	}
	for _, c := range []struct {
		who  Face
		of   sluice.WalletOwner
		want sluice.Code
	}{
		{boss, sluice.WalletOwner{}, ""}, {boss, sluice.WalletOwner{User: "dev"}, ""}, {reader, sluice.WalletOwner{Key: "mine"}, ""},
		{dev, sluice.WalletOwner{}, ""}, {dev, sluice.WalletOwner{User: "dev"}, ""}, {dev, sluice.WalletOwner{Key: "mine"}, ""},
		{dev, sluice.WalletOwner{User: "boss"}, sluice.CodeForbidden},
		{other, sluice.WalletOwner{Tenant: "acme"}, sluice.CodeNotFound}, {other, sluice.WalletOwner{Tenant: "acme", Key: "mine"}, sluice.CodeNotFound},
		{dev, sluice.WalletOwner{Tenant: "other"}, sluice.CodeNotFound},
	} {
		b, err := c.who.Balance(ctx(t), sluice.BalanceQuery{WalletOwner: c.of})
		_, statement := c.who.Transactions(ctx(t), sluice.StatementQuery{WalletOwner: c.of})
		_, payments := c.who.Payments(ctx(t), sluice.PaymentQuery{WalletOwner: c.of})
		if sluice.CodeOf(err) != c.want || sluice.CodeOf(statement) != c.want || sluice.CodeOf(payments) != c.want {
			t.Errorf("%+v: %v, %v, %v, want %q", c.of, err, statement, payments, c.want)
		}
		if err == nil && (len(b.Wallets) != 1 || *b.Wallets[0].Available != usd) {
			t.Errorf("%+v has %+v", c.of, b)
		}
		if caps := c.of.Key != "" || c.of.User != "" || c.who == dev; err == nil && caps != (len(b.Caps) == 1) {
			t.Errorf("%+v has the caps %+v", c.of, b.Caps)
		}
	}
	err = boss.Keys.Delete(ctx(t), "", "mine", none)
	wantCode(t, err, sluice.CodeConflict, "")
	out := paid("out", -usd)
	out.Key = "mine"
	_, _, err = f.Adjust(ctx(t), out, none)
	must(t, err)
	must(t, boss.Keys.Delete(ctx(t), "", "mine", none))
}

// billedUsage would put costs into the wrong month, or lose some on the way into
// a spreadsheet.
func billedUsage(t *testing.T, w *World, open Opener) {
	f := open(t, w, Root)
	var records []sluice.Record
	for i, at := range []string{"2026-01-31T23:59:59Z", "2026-02-01T00:00:00Z", "2026-02-28T10:00:00Z", "2026-02-28T10:59:00Z", "2026-03-01T00:00:00Z"} {
		moment, err := time.Parse(time.RFC3339, at)
		must(t, err)
		records = append(records, sluice.Record{ID: fmt.Sprint("r", i), Time: moment, Tenant: "acme", User: "dev", Model: "=m", Outcome: sluice.OutcomeComplete,
			Usage: sluice.Usage{Input: 10, ImageInput: 5, Pieces: sluice.Pieces{Images: 1, AudioSeconds: 2, Characters: 3, SearchUnits: 4}},
			Cost:  sluice.Money{Amount: usd / 4, Asset: []string{"USD", "EUR"}[i/4]}})
	}
	must(t, w.DB.InsertRecords(ctx(t), records))
	q := func(bucket string, by ...string) sluice.BilledUsageQuery {
		return sluice.BilledUsageQuery{UsageQuery: sluice.UsageQuery{RecordQuery: sluice.RecordQuery{Tenant: "acme",
			From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)}, GroupBy: by}, Bucket: bucket}
	}
	for bucket, want := range map[string]string{
		"":      "5 0.25,1",
		"month": "2026-01-01T00:00:00Z 1 0.25 2026-02-01T00:00:00Z 3 0.75 2026-03-01T00:00:00Z 1 0.25",
		"day":   "2026-01-31T00:00:00Z 1 0.25 2026-02-01T00:00:00Z 1 0.25 2026-02-28T00:00:00Z 2 0.5 2026-03-01T00:00:00Z 1 0.25",
		"hour":  "2026-01-31T23:00:00Z 1 0.25 2026-02-01T00:00:00Z 1 0.25 2026-02-28T10:00:00Z 2 0.5 2026-03-01T00:00:00Z 1 0.25",
	} {
		rows, err := f.BilledUsage(ctx(t), q(bucket))
		must(t, err)
		var got []string
		for _, r := range rows {
			costs := []string{}
			for _, c := range r.Cost {
				costs = append(costs, c.Amount.String())
			}
			if bucket != "" {
				got = append(got, r.Group[bucket])
			}
			got = append(got, fmt.Sprint(r.Requests), strings.Join(costs, ","))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("by %q: %s, want %s", bucket, strings.Join(got, " "), want)
		}
	}
	table, err := f.BilledUsageCSV(ctx(t), q("month", "model", "user"))
	must(t, err)
	want := "month,model,user,requests,errors,input,cached_input,cache_write_5m,cache_write_1h,output,reasoning,audio_input,audio_output,image,image_input,images,audio_seconds,characters,search_units,cost_EUR,cost_USD\n" +
		"2026-01-01T00:00:00Z,'=m,dev,1,0,10,0,0,0,0,0,0,0,0,5,1,2,3,4,,0.25\n2026-02-01T00:00:00Z,'=m,dev,3,0,30,0,0,0,0,0,0,0,0,15,3,6,9,12,,0.75\n2026-03-01T00:00:00Z,'=m,dev,1,0,10,0,0,0,0,0,0,0,0,5,1,2,3,4,0.25,\n"
	if string(table) != want {
		t.Errorf("the table is\n%swant\n%s", table, want)
	}
	long := q("month")
	long.From = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	_, err = f.BilledUsage(ctx(t), long)
	wantCode(t, err, sluice.CodeInvalidRequest, "from")
	_, err = f.BilledUsage(ctx(t), q("", "day"))
	wantCode(t, err, sluice.CodeInvalidRequest, "group_by")
	_, err = open(t, w, OtherAdmin).BilledUsage(ctx(t), q("day"))
	wantCode(t, err, sluice.CodeNotFound, "")
	rows, err := open(t, w, AcmeReader).BilledUsage(ctx(t), q("day"))
	if err != nil || len(rows) != 4 {
		t.Errorf("a reader gets %d rows, %v", len(rows), err)
	}
}
