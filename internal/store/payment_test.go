package store_test

import (
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

// Lost if it fails: one id means two payments, or a refund forgets another one.
func TestPaymentsAreMadeOnce(t *testing.T) {
	db := open(t, place(t))
	request := sluice.RequestID{1}
	p := sluice.Payment{ID: "r-1", Kind: sluice.PaymentRefund, WalletOwner: sluice.WalletOwner{Tenant: "acme"}, Amount: 5, Asset: "USD",
		Request: request, Wallet: sluice.TenantWallet("acme", "USD"), By: "platform/root"}
	other := p
	other.Amount = 7
	must(t, db.Write(t.Context(), func(tx *store.Tx) error {
		added, booked, err := tx.AddPayment(&p)
		if !added || booked || p.Transfer != p.TransferID() || p.CreatedAt.IsZero() {
			t.Errorf("added %t, booked %t: %+v", added, booked, p)
		}
		return err
	}))
	must(t, db.Write(t.Context(), func(tx *store.Tx) error {
		if added, booked, err := tx.AddPayment(&other); err != nil || added || booked || other.Amount != 5 {
			t.Errorf("again: added %t, booked %t: %+v, %v", added, booked, other, err)
		}
		if open, numbers, err := tx.OpenPayments(0, 5); err != nil || len(open) != 1 || open[0] != p || numbers[0] != 1 {
			t.Errorf("open are %+v %v, %v", open, numbers, err)
		}
		if list, _, err := tx.Payments(store.PaymentSelection{Owner: "acme"}); err != nil || len(list) != 0 {
			t.Errorf("a payment that is not booked is listed: %+v, %v", list, err)
		}
		if sum, err := tx.Refunded(request); err != nil || sum != 5 {
			t.Errorf("refunded %s, %v", sum, err)
		}
		for _, want := range []bool{true, false} {
			if first, err := tx.BookPayment(&p); err != nil || first != want {
				t.Errorf("booked first %t, %v", first, err)
			}
		}
		if dropped, err := tx.DropPayment(&p); err != nil || dropped {
			t.Errorf("what is booked is dropped: %t, %v", dropped, err)
		}
		if open, _, err := tx.OpenPayments(0, 5); err != nil || len(open) != 0 {
			t.Errorf("open are still %+v, %v", open, err)
		}
		for wallet, want := range map[sluice.AccountID]string{p.Wallet: "acme", sluice.KeyWallet(1, "USD"): ""} {
			if tenant, err := tx.PaidTenant(wallet); err != nil || tenant != want {
				t.Errorf("%s was of %q, %v", wallet, tenant, err)
			}
		}
		if list, _, err := tx.Payments(store.PaymentSelection{Owner: "user/acme/dev"}); err != nil || len(list) != 0 {
			t.Errorf("of another owner: %+v, %v", list, err)
		}
		list, numbers, err := tx.Payments(store.PaymentSelection{Owner: "acme", Kind: p.Kind})
		if err != nil || len(list) != 1 || list[0] != p || numbers[0] != 1 {
			t.Errorf("listed %+v %v, %v", list, numbers, err)
		}
		if of, err := tx.PaymentOf(p.Transfer); err != nil || of != p {
			t.Errorf("found %+v, %v", of, err)
		}
		if list, _, err = tx.Payments(store.PaymentSelection{Before: 1}); err != nil || len(list) != 0 {
			t.Errorf("before the first: %+v, %v", list, err)
		}
		return err
	}))
}

// Lost if it fails: a code is shown wrongly as open, or cannot be found again.
func TestRedemptionCodesTellWhatBecameOfThem(t *testing.T) {
	db := open(t, place(t))
	soon := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	codes := make([]sluice.RedemptionCode, 4)
	hashes := make([]string, len(codes))
	for i := range codes {
		codes[i] = sluice.RedemptionCode{Prefix: "SLR-A", Amount: 5, Asset: "USD", Note: "spring", ExpiresAt: soon}
		hashes[i] = sluice.HashRedemptionCode(sluice.NewRedemptionCode())
	}
	codes[3].ExpiresAt = soon.Add(-2 * time.Hour)
	must(t, db.Write(t.Context(), func(tx *store.Tx) error {
		if err := tx.AddCodes(codes, hashes); err != nil {
			return err
		}
		if err := tx.RevokeCode(codes[1].ID); err != nil {
			return err
		}
		p := sluice.Payment{ID: store.PaymentIDOf(&codes[2]), Kind: sluice.PaymentRedemption, Amount: 5, Asset: "USD",
			Wallet: sluice.TenantWallet("acme", "USD"), By: "acme/boss"}
		_, _, err := tx.AddPayment(&p)
		return err
	}))
	must(t, db.Read(t.Context(), func(tx *store.Tx) error {
		list, err := tx.Codes(codes[0].Order, 0, 0)
		for i, want := range []string{sluice.RedemptionOpen, sluice.RedemptionRevoked, sluice.RedemptionRedeemed, sluice.RedemptionExpired} {
			if list[i].Status != want || list[i].ID != codes[i].ID || list[i].Amount != 5 || list[i].Note != "spring" {
				t.Errorf("code %d is %+v, want it %s", i, list[i], want)
			}
		}
		if c, err := tx.CodeByHash(hashes[2]); err != nil || c.RedeemedBy != "acme/boss" || c.Wallet != sluice.TenantWallet("acme", "USD") {
			t.Errorf("by hash: %+v, %v", c, err)
		}
		if c, err := tx.Code(codes[1].ID); err != nil || c.RevokedAt.IsZero() {
			t.Errorf("by number: %+v, %v", c, err)
		}
		_, missing := tx.CodeByHash("none")
		wants(t, missing, sluice.CodeNotFound, "an unknown code")
		if list, err := tx.Codes(0, codes[0].ID, 2); err != nil || len(list) != 2 || list[0].ID != codes[1].ID {
			t.Errorf("the next page: %+v, %v", list, err)
		}
		return err
	}))
}
