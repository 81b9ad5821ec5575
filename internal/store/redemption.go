package store

import (
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/sluicegate/sluice"
)

const (
	codeSequence  = "redemption_codes"
	orderSequence = "redemption_orders"
)

// AddCodes stores codes under one new order and stamps them; hashes are those of
// [sluice.HashRedemptionCode], in the order of the codes.
func (tx *Tx) AddCodes(codes []sluice.RedemptionCode, hashes []string) error {
	order, err := tx.next(orderSequence)
	if err != nil {
		return err
	}
	for i := range codes {
		c := &codes[i]
		if c.ID, err = tx.next(codeSequence); err != nil {
			return err
		}
		c.Order, c.CreatedAt = order, tx.now
	}
	columns := []string{"id", "batch", "hash", "prefix", "amount", "asset", "note", "created_at", "expires_at"}
	return tx.insertRows("redemption_codes", columns, rowSource{len(codes), func(args []any, i int) ([]any, error) {
		c := &codes[i]
		return append(args, int64(c.ID), int64(c.Order), hashes[i], c.Prefix, int64(c.Amount), c.Asset, c.Note, micros(c.CreatedAt), micros(c.ExpiresAt)), nil
	}}, "")
}

// codeQuery reads codes and, where one was redeemed, the payment.
const codeQuery = `SELECT c.id, c.batch, c.prefix, c.amount, c.asset, c.note, c.created_at, c.expires_at, c.revoked_at, COALESCE(p.doc, '')
	FROM redemption_codes c LEFT JOIN payments p ON p.kind = 'redemption' AND p.id = CAST(c.id AS TEXT)`

func (tx *Tx) scanCode(row scanner) (c sluice.RedemptionCode, err error) {
	var id, order, created, expires, revoked int64
	var doc string
	err = row.Scan(&id, &order, &c.Prefix, (*int64)(&c.Amount), &c.Asset, &c.Note, &created, &expires, &revoked, &doc)
	if err != nil {
		return c, err
	}
	c.ID, c.Order = uint64(id), uint64(order)
	c.CreatedAt, c.ExpiresAt, c.RevokedAt = fromMicros(created), fromMicros(expires), fromMicros(revoked)
	if doc != "" {
		var p sluice.Payment
		if err := json.Unmarshal([]byte(doc), &p); err != nil {
			return c, sluice.Errorf(sluice.CodeDatabase, "a stored payment is damaged").Because(err)
		}
		c.RedeemedBy, c.RedeemedAt, c.Wallet = p.By, p.CreatedAt, p.Wallet
	}
	c.Status = c.StatusAt(tx.now)
	return c, nil
}

// CodeByHash returns a redemption code, or [sluice.CodeNotFound].
func (tx *Tx) CodeByHash(hash string) (sluice.RedemptionCode, error) {
	return tx.code(codeQuery+` WHERE c.hash = $1`, hash)
}

// Code returns a redemption code by its number, or [sluice.CodeNotFound].
func (tx *Tx) Code(id uint64) (sluice.RedemptionCode, error) {
	return tx.code(codeQuery+` WHERE c.id = $1`, int64(id))
}

func (tx *Tx) code(query string, arg any) (c sluice.RedemptionCode, err error) {
	err = tx.get(query, []any{arg}, func(row scanner) (err error) {
		c, err = tx.scanCode(row)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return c, sluice.Errorf(sluice.CodeNotFound, "no such redemption code")
	}
	return c, err
}

// Codes returns redemption codes by ascending number, those of one order unless
// it is 0, behind the number after; limit 0 means no bound.
func (tx *Tx) Codes(order, after uint64, most int) ([]sluice.RedemptionCode, error) {
	w := where{}
	if order > 0 {
		w.add(`c.batch = ?`, int64(order))
	}
	if after > 0 {
		w.add(`c.id > ?`, int64(after))
	}
	list := []sluice.RedemptionCode{}
	err := tx.each(codeQuery+w.sql()+` ORDER BY c.id`+limit(most), w.args, func(rows *sql.Rows) error {
		c, err := tx.scanCode(rows)
		list = append(list, c)
		return err
	})
	return list, err
}

// RevokeCode makes a code void.
func (tx *Tx) RevokeCode(id uint64) error {
	_, err := tx.exec(`UPDATE redemption_codes SET revoked_at = $1 WHERE id = $2 AND revoked_at = 0`, micros(tx.now), int64(id))
	return err
}

// PaymentIDOf is what the payment that redeems a code is called.
func PaymentIDOf(c *sluice.RedemptionCode) string { return strconv.FormatUint(c.ID, 10) }
