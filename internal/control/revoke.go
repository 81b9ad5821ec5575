package control

import (
	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

// checkRevocation judges an adjustment that names a grant by itself. The grant
// says which wallet and which asset.
func checkRevocation(p sluice.Payment) error {
	switch {
	case p.Tenant != "" || p.User != "" || p.Key != "" || p.Asset != "" || !p.ExpiresAt.IsZero() || !p.Request.IsZero():
		return sluice.Errorf(sluice.CodeInvalidRequest, "a grant is taken back from the wallet that has it; send grant and amount alone").At("/grant")
	case p.Amount > 0:
		return sluice.Errorf(sluice.CodeInvalidRequest, "a grant is taken back by an amount below zero, and raised by another grant").At("/amount")
	}
	if p.Asset = "USD"; p.Amount == 0 {
		p.Amount = -1
	}
	return p.Validate()
}

// agreeRevocation finds what is left of a grant to take back. What requests hold
// of it stays until they end: what that releases can be taken back then.
func (s *Session) agreeRevocation(tx *store.Tx, p sluice.Payment) (payment, error) {
	grant, booked, err := tx.Payment(sluice.PaymentGrant, p.Grant)
	missing := sluice.Errorf(sluice.CodeNotFound, "there is no such grant").At("/grant")
	if err == nil && !booked {
		err = missing
	}
	if err != nil {
		return payment{}, orMissing(err, missing)
	}
	books, err := s.c.ledger()
	if err != nil {
		return payment{}, err
	}
	book := books.Book()
	if book == nil {
		return payment{}, notOwner()
	}
	has, _ := book.Balance(sluice.OwnedAccount(sluice.AccountGrant, grant.ID, grant.Asset))
	left := max(has.Available, 0)
	if p.Amount == 0 {
		p.Amount = -left
	}
	if left == 0 || -p.Amount > left {
		return payment{}, sluice.Errorf(sluice.CodeConflict, "of the grant %s %s is left to take back, beside %s that requests hold", left, grant.Asset, has.Posted-left).
			At("/amount").With("left", left.String()).With("held", (has.Posted - left).String())
	}
	p.WalletOwner, p.Wallet, p.Asset = grant.WalletOwner, grant.Wallet, grant.Asset
	floor, err := floorOf(tx, p.WalletOwner, p.Asset)
	if err != nil {
		return payment{}, err
	}
	return s.agree(tx, payment{Payment: p, floor: floor})
}
