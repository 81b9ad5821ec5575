package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/sluicegate/sluice"
)

// transferColumns are written from a transfer in this order.
var transferColumns = bulk{
	"seq bigint", "id bytea", "txn bytea", "debit bigint", "credit bigint", "amount bigint", "kind text", "pending bytea", "code text", "request bytea",
	"attempt bigint", "price_version bigint", "gateway text", "journal_seq bigint", "booked_at bigint", "expires_at bigint",
}

// transferSelection reads what [scanTransfer] wants.
const transferSelection = `SELECT t.seq, t.id, t.txn, d.id, c.id, t.amount, t.kind, t.pending, t.code, t.request, t.attempt, t.price_version, t.gateway, t.journal_seq, t.booked_at, t.expires_at
	FROM transfers t JOIN accounts d ON d.number = t.debit JOIN accounts c ON c.number = t.credit`

// transferValues appends the columns of a transfer to args.
func transferValues(args []any, t *sluice.Transfer, seq, debit, credit int64) []any {
	return append(args, seq, t.ID[:], t.Txn[:], debit, credit, int64(t.Amount), string(t.Kind), optional(t.Pending), string(t.Code), optional(t.Request),
		int64(t.Attempt), int64(t.PriceVersion), t.Gateway, int64(t.JournalSeq), micros(t.BookedAt), micros(t.ExpiresAt))
}

// optional is an id, or NULL for the zero one.
func optional[ID ~[16]byte](id ID) any {
	if id == (ID{}) {
		return nil
	}
	return id[:]
}

// scanTransfer reads a row of [transferSelection].
func scanTransfer(rows *sql.Rows) (t sluice.Transfer, seq int64, err error) {
	var id, txn, pending, request sql.RawBytes
	var amount, attempt, version, journalSeq, booked, expires int64
	err = rows.Scan(&seq, &id, &txn, &t.Debit, &t.Credit, &amount, &t.Kind, &pending, &t.Code, &request, &attempt, &version, &t.Gateway, &journalSeq, &booked, &expires)
	copy(t.ID[:], id)
	copy(t.Txn[:], txn)
	copy(t.Pending[:], pending)
	copy(t.Request[:], request)
	t.Amount, t.Attempt, t.PriceVersion, t.JournalSeq = sluice.Nanos(amount), uint16(attempt), uint64(version), uint64(journalSeq)
	t.BookedAt, t.ExpiresAt = fromMicros(booked), fromMicros(expires)
	return t, seq, err
}

// transfers reads transfers in the order in which they were booked.
func (tx *Tx) transfers(rest string, args []any) (list []sluice.Transfer, err error) {
	err = tx.each(transferSelection+rest+` ORDER BY t.seq`, args, func(rows *sql.Rows) error {
		t, _, err := scanTransfer(rows)
		list = append(list, t)
		return err
	})
	return list, err
}

// Transfer returns a transfer by its id; ok is false when there is none.
func (tx *Tx) Transfer(id sluice.TransferID) (t sluice.Transfer, ok bool, err error) {
	list, err := tx.transfers(` WHERE t.id = $1`, []any{id[:]})
	if err != nil || len(list) == 0 {
		return t, false, err
	}
	return list[0], true, nil
}

// Transfers returns those of the transfers with these ids that there are.
func (tx *Tx) Transfers(ids []sluice.TransferID) (found []sluice.Transfer, err error) {
	err = tx.eachAmong(ids, func(among string, args []any) error {
		list, err := tx.transfers(` WHERE t.id `+among, args)
		found = append(found, list...)
		return err
	})
	return found, err
}

// RequestTransfers returns everything that was booked for a request, refunds
// included, in its order. The ids of most begin with the request's; the index by
// request has the others.
func (tx *Tx) RequestTransfers(id sluice.RequestID) ([]sluice.Transfer, error) {
	first, last := id.TransferRange()
	return tx.transfers(` WHERE t.seq IN (SELECT seq FROM transfers WHERE id >= $1 AND id <= $2 AND request = $3
		UNION ALL SELECT seq FROM transfers WHERE request = $3 AND request IS NOT NULL AND substr(id, 1, 8) <> substr(request, 1, 8))`,
		[]any{first[:], last[:], id[:]})
}

// formerIDs is the end of the ids of before schema 6; see [ledger.State].
func (tx *Tx) formerIDs() (time.Time, error) {
	var before int64
	err := tx.row(`SELECT former FROM ledger_owner WHERE name = $1`, []any{ledgerName}, &before)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return fromMicros(before), err
}

// OpenHolds returns the pending transfers that nothing has resolved, in the
// order in which they were booked: those of one account, or of all for "".
func (tx *Tx) OpenHolds(account sluice.AccountID) ([]sluice.Transfer, error) {
	if account == "" {
		return tx.transfers(` JOIN holds h ON h.seq = t.seq`, nil)
	}
	return tx.transfers(` JOIN holds h ON h.seq = t.seq WHERE d.id = $1`, []any{string(account)})
}

// JournalPositions returns up to where each journal is applied.
func (tx *Tx) JournalPositions() (map[string]uint64, error) {
	positions := map[string]uint64{}
	err := tx.each(`SELECT id, position FROM journals`, nil, func(rows *sql.Rows) error {
		var id string
		var position int64
		err := rows.Scan(&id, &position)
		positions[id] = uint64(position)
		return err
	})
	return positions, err
}

// ReadLedger is [DB.Read] without limits in time, for what reads all of a
// ledger: [Tx.EachAccount], [Tx.EachTransfer].
func (db *DB) ReadLedger(ctx context.Context, fn func(*Tx) error) error {
	return db.Read(ctx, func(tx *Tx) error {
		if err := db.engine.unhurried(tx); err != nil {
			return err
		}
		return fn(tx)
	})
}

// EachTransfer calls fn for every transfer in the order in which they were
// booked, a page in memory at a time; an error of fn ends it.
func (tx *Tx) EachTransfer(fn func(sluice.Transfer) error) error {
	for last := int64(0); ; {
		page := make([]sluice.Transfer, 0, maxBatch)
		err := tx.each(transferSelection+` WHERE t.seq > $1 ORDER BY t.seq`+limit(maxBatch), []any{last}, func(rows *sql.Rows) (err error) {
			var t sluice.Transfer
			t, last, err = scanTransfer(rows)
			page = append(page, t)
			return err
		})
		if err != nil {
			return err
		}
		for _, t := range page {
			if err := fn(t); err != nil {
				return err
			}
		}
		if len(page) < maxBatch {
			return nil
		}
	}
}
