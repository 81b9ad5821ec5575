package control

import (
	"context"
	"fmt"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

// settle has the ledger book a payment that was agreed on, and stores what came
// of it; first is false when that was known. Both are idempotent: after an error
// whose outcome is unknown the payment stays open and is settled again.
func (s *Session) settle(ctx context.Context, books Ledger, p payment) (first bool, err error) {
	if err := bookPayment(ctx, books, p); err != nil {
		if refusedForGood(err) {
			return false, s.refuse(ctx, p, err)
		}
		return false, err
	}
	err = s.c.db.Write(ctx, func(tx *store.Tx) error {
		first, err = tx.BookPayment(&p.Payment)
		return err
	})
	return first, err
}

// bookPayment opens the wallet and makes the transfer.
func bookPayment(ctx context.Context, books Ledger, p payment) error {
	accounts := []sluice.Account{{ID: p.Wallet, Asset: p.Asset, Floor: p.floor}}
	t := sluice.Transfer{ID: p.Transfer, Amount: p.Amount, Kind: sluice.TransferSingle, Code: sluice.TransferCode(p.Kind), Request: p.Request,
		Credit: p.Wallet, Debit: sluice.HouseAccount(source(&p.Payment), p.Asset)}
	switch {
	case p.Kind == sluice.PaymentGrant:
		t.Credit = sluice.OwnedAccount(sluice.AccountGrant, p.ID, p.Asset)
		accounts = append(accounts, sluice.Account{ID: t.Credit, Asset: p.Asset, Wallet: p.Wallet, ExpiresAt: p.ExpiresAt})
	case p.Grant != "":
		t.Credit = sluice.OwnedAccount(sluice.AccountGrant, p.Grant, p.Asset)
	}
	if t.Amount < 0 {
		t.Amount, t.Debit, t.Credit = -t.Amount, t.Credit, t.Debit
	}
	if err := books.Open(ctx, accounts...); err != nil {
		return err
	}
	_, err := books.Transfer(ctx, t)
	return err
}

// source is the account of the house that a payment comes from, or returns to.
func source(p *sluice.Payment) sluice.AccountKind {
	switch {
	case p.Kind == sluice.PaymentGrant, p.Kind == sluice.PaymentRedemption, p.Grant != "":
		return sluice.AccountPromotion
	case p.Kind == sluice.PaymentRefund:
		return sluice.AccountRevenue
	}
	return sluice.AccountCash
}

// refusedForGood reports whether the ledger will never book what it answered with
// this error; anything else leaves the outcome open.
func refusedForGood(err error) bool {
	switch sluice.CodeOf(err) {
	case sluice.CodeInvalidRequest, sluice.CodeConflict, sluice.CodeNotFound, sluice.CodeInsufficientBalance:
		return true
	}
	return false
}

// refuse forgets a payment that the ledger refused for good, so that its id can
// be used for what it accepts, and leaves the reason in the audit log.
func (s *Session) refuse(ctx context.Context, p payment, refused error) error {
	err := s.c.db.Write(ctx, func(tx *store.Tx) error {
		dropped, err := tx.DropPayment(&p.Payment)
		if err == nil && !dropped {
			err = notOwner() // whoever has the ledger now has booked it
		}
		if err != nil {
			return err
		}
		return s.auditRefusal(tx, &p.Payment, refused)
	})
	if err != nil {
		return fmt.Errorf("note that payment %s was refused: %w", p.ID, err)
	}
	return refused
}

// auditRefusal writes into the audit log that a payment of it was not made.
func (s *Session) auditRefusal(tx *store.Tx, p *sluice.Payment, refused error) error {
	diff, err := addedFields(map[string]any{"kind": p.Kind, "code": sluice.CodeOf(refused), "reason": sluice.AsError(refused).Message})
	if err != nil {
		return fmt.Errorf("describe the refusal of payment %s: %w", p.ID, err)
	}
	return tx.Append(&sluice.AuditEntry{
		Tenant: p.Tenant, Actor: s.actor(), Action: "refuse", Kind: sluice.KindBilling, Object: p.ID,
		Diff: diff, RequestID: s.caller.RequestID, IP: s.caller.IP,
	})
}
