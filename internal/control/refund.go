package control

import (
	"context"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

// Refund gives back what a request was charged, or a part of it, to the wallet
// that paid; an amount of 0 gives back what is left. All refunds of a request
// together never exceed its charge: [sluice.CodeConflict] with what is left in
// the details. A request that was charged nothing is [sluice.CodeNotFound].
// created and other errors as for [Session.TopUp]. Platform admins only.
func (s *Session) Refund(ctx context.Context, p sluice.Payment, opts sluice.WriteOptions) (out sluice.Payment, created bool, err error) {
	if err := s.authoriseBilling(); err != nil {
		return p, false, err
	}
	p.Kind = sluice.PaymentRefund
	keyed, err := s.keyedPayment(&p, opts)
	if err != nil {
		return p, false, err
	}
	if err := checkRefund(p); err != nil {
		return p, false, err
	}
	out, created, err = s.carryOut(ctx, opts.DryRun, func(tx *store.Tx) (payment, error) { return s.agreeRefund(tx, p) })
	if keyed && sluice.CodeOf(err) == sluice.CodeConflict && sluice.AsError(err).Field != "/amount" {
		err = sluice.Errorf(sluice.CodeIdempotency, "the Idempotency-Key was used for another payment").At("Idempotency-Key")
	}
	return out, created, err
}

// checkRefund judges what is asked for by itself. The request says which wallet
// and which asset.
func checkRefund(p sluice.Payment) error {
	switch {
	case p.Request.IsZero():
		return sluice.Errorf(sluice.CodeInvalidRequest, "a refund needs the id of the request").At("/request_id")
	case p.Tenant != "" || p.User != "" || p.Key != "" || p.Asset != "" || !p.ExpiresAt.IsZero():
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
	old, _, err := tx.Payment(p.Kind, p.ID)
	if err == nil {
		if p.Amount == 0 {
			p.Amount = old.Amount
		}
		return s.agree(tx, payment{Payment: p, floor: paid.floor})
	}
	if sluice.CodeOf(err) != sluice.CodeNotFound {
		return payment{}, err
	}
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

// charge is what a request was charged, and who paid.
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
	account, err := tx.Account(c.wallet)
	if err != nil {
		return c, err
	}
	c.floor = account.Floor
	c.owner, err = ownerOf(tx, c.wallet)
	return c, err
}

// walletOf is the wallet that an account of a customer belongs to.
func walletOf(tx *store.Tx, id sluice.AccountID) (sluice.AccountID, error) {
	if id.Kind() == sluice.AccountWallet {
		return id, nil
	}
	a, err := tx.Account(id)
	return a.Wallet, err
}
