package store

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sluicegate/sluice"
)

const paymentSequence = "payments"

// AddPayment stores a payment before its transfer is made, and stamps it. One of
// the same kind and id is returned as it is, with added = false and whether its
// transfer is known to be in the ledger.
func (tx *Tx) AddPayment(p *sluice.Payment) (added, booked bool, err error) {
	old, booked, err := tx.Payment(p.Kind, p.ID)
	if err == nil {
		*p = old
		return false, booked, nil
	}
	if sluice.CodeOf(err) != sluice.CodeNotFound {
		return false, false, err
	}
	number, err := tx.next(paymentSequence)
	if err != nil {
		return false, false, err
	}
	p.Transfer, p.CreatedAt = p.TransferID(), tx.now
	doc, err := json.Marshal(p)
	if err != nil {
		return false, false, fmt.Errorf("render payment %s: %w", p.ID, err)
	}
	request := ""
	if !p.Request.IsZero() {
		request = p.Request.String()
	}
	_, err = tx.exec(`INSERT INTO payments (kind, id, number, tenant, owner, request, transfer, amount, created_at, doc)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		string(p.Kind), p.ID, int64(number), p.Tenant, p.Wallet.Owner(), request, p.Transfer.String(), int64(p.Amount), micros(tx.now), string(doc))
	return err == nil, false, err
}

// Payment returns a payment and whether its transfer is known to be in the
// ledger, or [sluice.CodeNotFound].
func (tx *Tx) Payment(kind sluice.PaymentKind, id string) (p sluice.Payment, booked bool, err error) {
	var at int64
	var doc string
	err = tx.row(`SELECT booked_at, doc FROM payments WHERE kind = $1 AND id = $2`, []any{string(kind), id}, &at, &doc)
	if errors.Is(err, sql.ErrNoRows) {
		return p, false, sluice.Errorf(sluice.CodeNotFound, "no such payment")
	}
	if err != nil {
		return p, false, err
	}
	p, err = readPayment(doc)
	return p, at != 0, err
}

func readPayment(doc string) (p sluice.Payment, err error) {
	if err := json.Unmarshal([]byte(doc), &p); err != nil {
		return p, sluice.Errorf(sluice.CodeDatabase, "a stored payment is damaged").Because(fmt.Errorf("read payment: %w", err))
	}
	return p, nil
}

// BookPayment notes that the ledger has a payment's transfer; first is false when
// that was noted before.
func (tx *Tx) BookPayment(p *sluice.Payment) (first bool, err error) {
	n, err := tx.exec(`UPDATE payments SET booked_at = $1 WHERE kind = $2 AND id = $3 AND booked_at = 0`, micros(tx.now), string(p.Kind), p.ID)
	return n == 1, err
}

// DropPayment forgets a payment that the ledger refused; one that it has stays:
// dropped is false.
func (tx *Tx) DropPayment(p *sluice.Payment) (dropped bool, err error) {
	n, err := tx.exec(`DELETE FROM payments WHERE kind = $1 AND id = $2 AND booked_at = 0`, string(p.Kind), p.ID)
	return n == 1, err
}

// OpenPayments returns payments that were agreed on and whose transfers are not
// known to be in the ledger, the oldest first, behind the number after, and their
// numbers.
func (tx *Tx) OpenPayments(after uint64, most int) (list []sluice.Payment, numbers []uint64, err error) {
	w := where{}
	w.add(`booked_at = 0`)
	w.add(`number > ?`, int64(after))
	return tx.payments(w, ` ORDER BY number`+limit(most))
}

// PaysOpen reports whether a payment to an owner's wallets is open; see
// [Tx.OpenPayments] and [sluice.AccountID.Owner].
func (tx *Tx) PaysOpen(owner string) (open bool, err error) {
	n := 0
	err = tx.row(`SELECT COUNT(*) FROM payments WHERE owner = $1 AND booked_at = 0`, []any{owner}, &n)
	return n > 0, err
}

// PaidTenant returns the tenant that a wallet's owner belonged to when it was
// paid last, "" when it never was: what is known of the owner once it is deleted.
func (tx *Tx) PaidTenant(wallet sluice.AccountID) (tenant string, err error) {
	err = tx.row(`SELECT tenant FROM payments WHERE owner = $1 ORDER BY number DESC LIMIT 1`, []any{wallet.Owner()}, &tenant)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return tenant, err
}

// Refunded is what the refunds of a request give back, those that are being made
// included.
func (tx *Tx) Refunded(request sluice.RequestID) (sum sluice.Nanos, err error) {
	var v int64
	err = tx.row(`SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM payments WHERE request = $1`, []any{request.String()}, &v)
	return sluice.Nanos(v), err
}

// PaymentSelection says which payments [Tx.Payments] returns; empty fields keep
// every one.
type PaymentSelection struct {
	// Owner keeps those of one owner's wallets, as accounts name it; see
	// [sluice.AccountID.Owner].
	Owner string
	Kind  sluice.PaymentKind
	// Before continues behind this number.
	Before uint64
	// Limit bounds how many; 0 means no bound.
	Limit int
}

// Payments returns payments whose transfers the ledger has, newest first, and
// their numbers.
func (tx *Tx) Payments(sel PaymentSelection) (list []sluice.Payment, numbers []uint64, err error) {
	w := where{}
	w.add(`booked_at > 0`)
	w.addIf("owner", sel.Owner)
	w.addIf("kind", string(sel.Kind))
	if sel.Before > 0 {
		w.add(`number < ?`, int64(sel.Before))
	}
	return tx.payments(w, ` ORDER BY number DESC`+limit(sel.Limit))
}

func (tx *Tx) payments(w where, order string) (list []sluice.Payment, numbers []uint64, err error) {
	list = []sluice.Payment{}
	err = tx.each(`SELECT number, doc FROM payments`+w.sql()+order, w.args, func(rows *sql.Rows) error {
		var number int64
		var doc string
		if err := rows.Scan(&number, &doc); err != nil {
			return err
		}
		p, err := readPayment(doc)
		list, numbers = append(list, p), append(numbers, uint64(number))
		return err
	})
	return list, numbers, err
}

// PaymentOf returns the payment that made a transfer, or [sluice.CodeNotFound].
func (tx *Tx) PaymentOf(transfer sluice.TransferID) (p sluice.Payment, err error) {
	var doc string
	err = tx.row(`SELECT doc FROM payments WHERE transfer = $1`, []any{transfer.String()}, &doc)
	if errors.Is(err, sql.ErrNoRows) {
		return p, sluice.Errorf(sluice.CodeNotFound, "no such payment")
	}
	if err != nil {
		return p, err
	}
	return readPayment(doc)
}
