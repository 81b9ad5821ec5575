package control

import (
	"context"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

// Refund gives back what a request was charged, or a part of it, to the wallet
// that paid, or to that of the tenant when its user or key was deleted; an amount
// of 0 gives back what is left. All refunds of a request
// together never exceed its charge: [sluice.CodeConflict] with what is left in
// the details. A request that was charged nothing is [sluice.CodeNotFound].
// created and other errors as for [Session.TopUp]. Platform admins only.
func (s *Session) Refund(ctx context.Context, p sluice.Payment, opts sluice.WriteOptions) (out sluice.Payment, created bool, err error) {
	p.Kind = sluice.PaymentRefund
	return s.payLeft(ctx, p, opts, checkRefund, s.agreeRefund)
}

// checkRefund judges what is asked for by itself. The request says which wallet
// and which asset.
func checkRefund(p sluice.Payment) error {
	switch {
	case p.Request.IsZero():
		return sluice.Errorf(sluice.CodeInvalidRequest, "a refund needs the id of the request").At("/request_id")
	case p.Tenant != "" || p.User != "" || p.Key != "" || p.Asset != "" || p.Grant != "" || !p.ExpiresAt.IsZero():
		return sluice.Errorf(sluice.CodeInvalidRequest, "a refund goes to the wallet that paid, in its asset; send request_id and amount alone").At("/request_id")
	}
	if p.Asset = "USD"; p.Amount == 0 {
		p.Amount = 1
	}
	return p.Validate()
}

// agreeRefund finds what is left to give back. The rows of refunds count from the
// moment they are agreed on, so that no two of them share what is left.
func (s *Session) agreeRefund(tx *store.Tx, p sluice.Payment) (payment, error) {
	paid, err := chargeOf(tx, p.Request)
	if err != nil {
		return payment{}, err
	}
	p.WalletOwner, p.Wallet, p.Asset = paid.owner, paid.wallet, paid.wallet.Asset()
	refunded, err := tx.Refunded(p.Request)
	if err != nil {
		return payment{}, err
	}
	left := paid.amount - refunded
	if p.Amount == 0 {
		p.Amount = left
	}
	if left <= 0 || p.Amount > left {
		return payment{}, sluice.Errorf(sluice.CodeConflict, "the request was charged %s %s, of which %s is left to refund", paid.amount, p.Asset, left).
			At("/amount").With("charged", paid.amount.String()).With("left", left.String())
	}
	return s.agree(tx, payment{Payment: p, floor: paid.floor})
}

// charge is what a request was charged, and who gets it back.
type charge struct {
	owner  sluice.WalletOwner
	wallet sluice.AccountID
	floor  sluice.Nanos
	amount sluice.Nanos
}

// chargeOf reads from the ledger what a request was charged: what reached the
// revenue, from its wallet, the wallet's grants, or what the owner owes now.
func chargeOf(tx *store.Tx, request sluice.RequestID) (c charge, err error) {
	transfers, err := tx.RequestTransfers(request)
	if err != nil {
		return c, err
	}
	for _, t := range transfers {
		settled := t.Kind == sluice.TransferSingle || t.Kind == sluice.TransferPost
		kind := t.Debit.Kind()
		if !settled || t.Credit.Kind() != sluice.AccountRevenue || kind == sluice.AccountLoss {
			continue
		}
		if c.wallet == "" {
			if c.wallet, err = walletOf(tx, t.Debit); err != nil {
				return c, err
			}
		}
		c.amount += t.Amount
	}
	if c.wallet == "" {
		return c, sluice.Errorf(sluice.CodeNotFound, "no request %s was charged", request).At("/request_id")
	}
	if c.owner, c.wallet, err = receiver(tx, c.wallet); err != nil {
		return c, err
	}
	c.floor, err = floorOf(tx, c.owner, c.wallet.Asset())
	return c, err
}

// receiver is whose wallet gets back what another one paid: the same, or the
// tenant's, when its user or key was deleted.
func receiver(tx *store.Tx, paid sluice.AccountID) (o sluice.WalletOwner, wallet sluice.AccountID, err error) {
	if o, err = ownerOf(tx, paid); err != nil {
		return o, paid, err
	}
	if _, err := tx.ByName(sluice.KindTenant, o.Tenant, o.Tenant); err != nil {
		return o, paid, orMissing(err, sluice.Errorf(sluice.CodeConflict, "the tenant of the wallet that paid was deleted"))
	}
	if o.User == "" && o.Key == "" {
		return o, sluice.TenantWallet(o.Tenant, paid.Asset()), nil
	}
	return o, paid, nil
}

// walletOf is the wallet that an account of a customer belongs to.
func walletOf(tx *store.Tx, id sluice.AccountID) (sluice.AccountID, error) {
	if id.Kind() == sluice.AccountWallet {
		return id, nil
	}
	a, err := tx.Account(id)
	return a.Wallet, err
}
