package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

// TopUp credits a wallet with money that was received outside; the wallet is
// opened when it is the first. created is false when the payment of that id was
// made before: the same content is the same answer, other content
// [sluice.CodeConflict] naming the field. Platform admins only.
func (s *Session) TopUp(ctx context.Context, p sluice.Payment, opts sluice.WriteOptions) (out sluice.Payment, created bool, err error) {
	p.Kind = sluice.PaymentTopUp
	return s.pay(ctx, p, opts)
}

// Grant gives a wallet credit of the house, which is spent before the wallet and
// is gone at p.ExpiresAt, if that is set. created and errors as for TopUp.
// Platform admins only.
func (s *Session) Grant(ctx context.Context, p sluice.Payment, opts sluice.WriteOptions) (out sluice.Payment, created bool, err error) {
	p.Kind = sluice.PaymentGrant
	return s.pay(ctx, p, opts)
}

// Adjust corrects a wallet, up or down: for what was paid back outside, or
// entered wrongly. It never takes a wallet below what the owner's terms allow:
// [sluice.CodeInsufficientBalance]. One that names a grant takes back what is left
// of it, or with an amount below zero a part: [sluice.CodeNotFound] when there is
// no such grant, [sluice.CodeConflict] with what is left and held in the details.
// created and other errors as for TopUp. Platform admins only.
func (s *Session) Adjust(ctx context.Context, p sluice.Payment, opts sluice.WriteOptions) (out sluice.Payment, created bool, err error) {
	p.Kind = sluice.PaymentAdjustment
	if p.Grant != "" {
		return s.payLeft(ctx, p, opts, checkRevocation, s.agreeRevocation)
	}
	return s.pay(ctx, p, opts)
}

// Payments returns the payments of an owner's wallets, newest first, within what
// the caller may read.
func (s *Session) Payments(ctx context.Context, q sluice.PaymentQuery) (sluice.Page[sluice.Payment], error) {
	page := sluice.Page[sluice.Payment]{Items: []sluice.Payment{}}
	size := q.Limit
	if size < 0 || size > maxPage {
		return page, sluice.Errorf(sluice.CodeInvalidRequest, "limit must be 1 to %d", maxPage).At("limit")
	}
	if size == 0 {
		size = defaultPage
	}
	before, err := decodeCursor(q.Cursor)
	if err != nil {
		return page, err
	}
	err = s.c.db.Read(ctx, func(tx *store.Tx) error {
		sel := store.PaymentSelection{Kind: q.Kind, Before: before, Limit: size + 1}
		if !s.caller.Platform || q.Tenant != everyTenant {
			owner, err := s.readableWallet(tx, q.WalletOwner)
			if err != nil {
				return err
			}
			sel.Owner = owner.ledgerOwner()
		}
		list, numbers, err := tx.Payments(sel)
		if len(list) > size {
			list, page.Next = list[:size], encodeCursor(numbers[size-1])
		}
		page.Items = list
		return err
	})
	return page, err
}

// authoriseBilling decides whether the caller may move money without a request:
// who gives credit is not one of those who spend it.
func (s *Session) authoriseBilling() error {
	if !s.caller.Platform || !s.caller.may(string(sluice.KindBilling), verbWrite, false) {
		return forbidden("only a platform admin moves money into and out of wallets")
	}
	return nil
}

// pay makes a payment that a platform admin asks for.
func (s *Session) pay(ctx context.Context, p sluice.Payment, opts sluice.WriteOptions) (sluice.Payment, bool, error) {
	if err := s.authoriseBilling(); err != nil {
		return p, false, err
	}
	keyed, err := s.keyedPayment(&p, opts)
	if err != nil {
		return p, false, err
	}
	if err := p.Validate(); err != nil {
		return p, false, err
	}
	if p.Kind != sluice.PaymentGrant && !p.ExpiresAt.IsZero() {
		return p, false, sluice.Errorf(sluice.CodeInvalidRequest, "only grants expire").At("/expires_at")
	}
	if !p.Request.IsZero() {
		return p, false, sluice.Errorf(sluice.CodeInvalidRequest, "only refunds belong to a request").At("/request_id")
	}
	if p.Grant != "" {
		return p, false, sluice.Errorf(sluice.CodeInvalidRequest, "only adjustments take grants back").At("/grant")
	}
	p.ExpiresAt = p.ExpiresAt.UTC().Truncate(time.Microsecond)
	out, created, err := s.carryOut(ctx, opts.DryRun, func(tx *store.Tx) (payment, error) {
		owner, err := s.walletOwner(tx, p.WalletOwner)
		if err != nil {
			return payment{}, err
		}
		p.WalletOwner, p.Wallet = owner.named(), owner.account(p.Asset)
		return s.agree(tx, payment{Payment: p, floor: owner.floor(p.Asset)})
	})
	if keyed && sluice.CodeOf(err) == sluice.CodeConflict {
		err = sluice.Errorf(sluice.CodeIdempotency, "the Idempotency-Key was used for another payment").At("Idempotency-Key")
	}
	return out, created, err
}

// payLeft makes a payment whose wallet and asset, and where it names none the
// amount, follow from what it gives or takes back; check judges it by itself.
func (s *Session) payLeft(ctx context.Context, p sluice.Payment, opts sluice.WriteOptions, check func(sluice.Payment) error,
	agree func(*store.Tx, sluice.Payment) (payment, error)) (out sluice.Payment, created bool, err error) {
	if err := s.authoriseBilling(); err != nil {
		return p, false, err
	}
	keyed, err := s.keyedPayment(&p, opts)
	if err != nil {
		return p, false, err
	}
	if err := check(p); err != nil {
		return p, false, err
	}
	out, created, err = s.carryOut(ctx, opts.DryRun, func(tx *store.Tx) (payment, error) {
		old, _, err := tx.Payment(p.Kind, p.ID)
		if sluice.CodeOf(err) == sluice.CodeNotFound {
			return agree(tx, p)
		}
		if err != nil {
			return payment{}, err
		}
		return s.agreeAgain(tx, p, old)
	})
	if keyed && sluice.CodeOf(err) == sluice.CodeConflict && sluice.AsError(err).Details["left"] == nil {
		err = sluice.Errorf(sluice.CodeIdempotency, "the Idempotency-Key was used for another payment").At("Idempotency-Key")
	}
	return out, created, err
}

// agreeAgain compares what is asked for with what was made under the id before,
// in what a client says of such a payment.
func (s *Session) agreeAgain(tx *store.Tx, p, old sluice.Payment) (payment, error) {
	p.WalletOwner, p.Wallet, p.Asset = old.WalletOwner, old.Wallet, old.Asset
	if p.Amount == 0 {
		p.Amount = old.Amount
	}
	floor, err := floorOf(tx, p.WalletOwner, p.Asset)
	if err != nil {
		return payment{}, err
	}
	return s.agree(tx, payment{Payment: p, floor: floor})
}

// keyedPayment gives a payment without an id one that is derived from the
// request's Idempotency-Key, so that either makes it safe to repeat.
func (s *Session) keyedPayment(p *sluice.Payment, opts sluice.WriteOptions) (keyed bool, err error) {
	key := opts.IdempotencyKey
	if p.ID != "" || key == "" {
		return false, nil
	}
	if len(key) > maxIdempotencyKey || !printable(key) {
		return false, sluice.Errorf(sluice.CodeInvalidRequest, "the Idempotency-Key must be at most %d bytes of printable ASCII", maxIdempotencyKey).At("Idempotency-Key")
	}
	p.ID = "key." + sluice.HashToken(s.actor() + "\x00" + key)[:40]
	return true, nil
}

// payment is a payment on its way into the ledger.
type payment struct {
	sluice.Payment
	// floor is on what terms the wallet is opened.
	floor sluice.Nanos
	// booked says that the ledger has it, added that it is new.
	booked, added bool
}

// agree stores and audits what is to be paid, or finds what was paid under the id
// before: it must be the same.
func (s *Session) agree(tx *store.Tx, p payment) (payment, error) {
	p.By = s.actor()
	asked := p.Payment
	var err error
	if p.added, p.booked, err = tx.AddPayment(&p.Payment); err != nil {
		return p, err
	}
	if field := differentPayment(p.Payment, asked); field != "" {
		return p, sluice.Errorf(sluice.CodeConflict, "%s %q was made with another %s", p.Kind, p.ID, field[1:]).At(field)
	}
	if p.added && !p.ExpiresAt.IsZero() && !p.ExpiresAt.After(tx.Now()) {
		return p, sluice.Errorf(sluice.CodeInvalidRequest, "expires_at has passed").At("/expires_at")
	}
	if p.added {
		err = s.auditPayment(tx, &p.Payment)
	}
	return p, err
}

// differentPayment is the first field in which what was paid differs from what is
// asked for, "" for none.
func differentPayment(was, is sluice.Payment) string {
	switch {
	case was.Amount != is.Amount:
		return "/amount"
	case was.Asset != is.Asset:
		return "/asset"
	case was.Tenant != is.Tenant:
		return "/tenant"
	case was.User != is.User:
		return "/user"
	case was.Wallet != is.Wallet:
		return "/key"
	case !was.ExpiresAt.Equal(is.ExpiresAt):
		return "/expires_at"
	case was.Request != is.Request:
		return "/request_id"
	case was.Grant != is.Grant:
		return "/grant"
	case was.Note != is.Note:
		return "/note"
	}
	return ""
}

// carryOut agrees on a payment and has the ledger book it. Payments are made one
// after another: one process keeps the ledger, and here it is. What was agreed on
// and not booked, because the process died or the ledger was taken away, is
// booked when it is asked for again, or by [Control.CompletePayments].
func (s *Session) carryOut(ctx context.Context, dryRun bool, agree func(*store.Tx) (payment, error)) (out sluice.Payment, created bool, err error) {
	books, err := s.c.ledger()
	if err != nil {
		return out, false, err
	}
	s.c.paying.Lock()
	defer s.c.paying.Unlock()
	var p payment
	err = s.c.db.Write(ctx, func(tx *store.Tx) error {
		if p, err = agree(tx); err == nil && dryRun {
			err = errDryRun
		}
		return err
	})
	if errors.Is(err, errDryRun) {
		return p.Payment, p.added, nil
	}
	if err != nil || p.booked {
		return p.Payment, false, err
	}
	created, err = s.settle(ctx, books, p)
	return p.Payment, created, err
}

// auditPayment writes a payment into the audit log of the tenant that has the
// wallet.
func (s *Session) auditPayment(tx *store.Tx, p *sluice.Payment) error {
	diff, err := addedFields(p)
	if err != nil {
		return fmt.Errorf("describe payment %s: %w", p.ID, err)
	}
	return tx.Append(&sluice.AuditEntry{
		Tenant: p.Tenant, Actor: s.actor(), Action: string(p.Kind), Kind: sluice.KindBilling, Object: p.ID,
		Diff: diff, RequestID: s.caller.RequestID, IP: s.caller.IP,
	})
}

// addedFields renders the fields of something new as {"field": [null, value]}.
func addedFields(v any) (json.RawMessage, error) {
	b, err := json.Marshal(v)
	var fields map[string]json.RawMessage
	if err == nil {
		err = json.Unmarshal(b, &fields)
	}
	if err != nil {
		return nil, err
	}
	diff := map[string][2]json.RawMessage{}
	for name, value := range fields {
		diff[name] = [2]json.RawMessage{json.RawMessage("null"), value}
	}
	return json.Marshal(diff)
}
