package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
)

// maxStatementAccounts bounds the accounts of one statement.
const maxStatementAccounts = 64

// StatementSelection says which transfers [DB.Statement] returns.
type StatementSelection struct {
	// Accounts are those that the statement is of, 1 to 64: a wallet, its grants
	// and its receivable. Those that do not exist have no transfers.
	Accounts []sluice.AccountID
	// Code keeps transfers of one code; Settled those that moved money, without
	// holds and what released them.
	Code    sluice.TransferCode
	Settled bool
	// Request keeps those of one request.
	Request sluice.RequestID
	// From (inclusive) and To (exclusive) bound when they were booked.
	From, To time.Time
	Cursor   string
	// Limit is the page size, 1 to 500; 0 means 50.
	Limit int
}

// StatementEntry is a transfer of a statement.
type StatementEntry struct {
	sluice.Transfer
	// Seq is its place in the order of all transfers of the ledger.
	Seq uint64
	// Released is what a post or void took off the pending balance of Debit: the
	// whole amount of the hold that it resolved.
	Released sluice.Nanos
}

// Statement returns transfers from and to accounts, newest first.
func (db *DB) Statement(ctx context.Context, sel StatementSelection) (page sluice.Page[StatementEntry], err error) {
	page.Items = []StatementEntry{}
	if n := len(sel.Accounts); n == 0 || n > maxStatementAccounts {
		return page, sluice.Errorf(sluice.CodeInvalidRequest, "a statement is of 1 to %d accounts", maxStatementAccounts)
	}
	before := int64(0)
	if sel.Cursor != "" {
		if before, err = parseStatementCursor(sel.Cursor); err != nil {
			return page, err
		}
	}
	size := pageSize(sel.Limit)
	err = db.Read(ctx, func(tx *Tx) error {
		page.Items, err = tx.statementOf(sel, before, size+1)
		return err
	})
	if len(page.Items) > size {
		page.Items = page.Items[:size]
		page.Next = base64.RawURLEncoding.EncodeToString([]byte("s" + strconv.FormatUint(page.Items[size-1].Seq, 10)))
	}
	return page, err
}

func parseStatementCursor(cursor string) (before int64, err error) {
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) == 0 || b[0] != 's' {
		return 0, badCursor()
	}
	if before, err = strconv.ParseInt(string(b[1:]), 10, 64); err != nil || before <= 0 {
		return 0, badCursor()
	}
	return before, nil
}

func (tx *Tx) statementOf(sel StatementSelection, before int64, most int) ([]StatementEntry, error) {
	list := []StatementEntry{}
	numbers, err := tx.accountNumbers(sel.Accounts)
	if err != nil || len(numbers) == 0 {
		return list, err
	}
	query, args := statementQuery(numbers, sel, before, most)
	err = tx.each(query, args, func(rows *sql.Rows) error {
		t, seq, err := scanTransfer(rows)
		list = append(list, StatementEntry{Transfer: t, Seq: uint64(seq)})
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, tx.releases(list)
}

// statementQuery takes the newest of each account and side by its index, and the
// newest of those.
func statementQuery(numbers map[sluice.AccountID]int64, sel StatementSelection, before int64, most int) (query string, args []any) {
	w := where{}
	var newest []string
	for _, id := range slices.Sorted(maps.Keys(numbers)) {
		for _, side := range []string{"debit = ?", "credit = ? AND kind IN ('single', 'post')"} {
			w.conds = nil
			w.add(side, numbers[id])
			w.statement(sel, before)
			newest = append(newest, `SELECT seq FROM (SELECT seq FROM transfers`+w.sql()+` ORDER BY seq DESC`+limit(most)+fmt.Sprintf(`) s%d`, len(newest)))
		}
	}
	return transferSelection + ` WHERE t.seq IN (` + strings.Join(newest, ` UNION `) + `) ORDER BY t.seq DESC` + limit(most), w.args
}

// statement adds what a selection wants of a transfer.
func (w *where) statement(sel StatementSelection, before int64) {
	if before > 0 {
		w.add(`seq < ?`, before)
	}
	w.addIf("code", string(sel.Code))
	if sel.Settled {
		w.add(`kind IN ('single', 'post')`)
	}
	if !sel.Request.IsZero() {
		w.add(`request = ?`, sel.Request[:])
	}
	if !sel.From.IsZero() {
		w.add(`booked_at >= ?`, micros(sel.From))
	}
	if !sel.To.IsZero() {
		w.add(`booked_at < ?`, micros(sel.To))
	}
}

// releases fills in what posts and voids released.
func (tx *Tx) releases(list []StatementEntry) error {
	at := map[sluice.TransferID]int{}
	var args []any
	for i, e := range list {
		if !e.Pending.IsZero() {
			at[e.Pending] = i
			args = append(args, e.Pending[:])
		}
	}
	if len(args) == 0 {
		return nil
	}
	return tx.each(`SELECT id, amount FROM transfers WHERE id IN (`+placeholders(1, len(args))+`)`, args, func(rows *sql.Rows) error {
		var id sql.RawBytes
		var amount int64
		if err := rows.Scan(&id, &amount); err != nil {
			return err
		}
		list[at[sluice.TransferID(id)]].Released = sluice.Nanos(amount)
		return nil
	})
}
