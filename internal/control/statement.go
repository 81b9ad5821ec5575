package control

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"slices"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

// maxStatementGrants bounds the grants of one statement: the newest to be read,
// with wallets and receivables within what the store allows.
const maxStatementGrants = 48

// Transactions returns the transfers of a wallet, its grants and its receivable,
// newest first, with the request or payment that each belongs to, within what
// the caller may read as for [Session.Balance].
func (s *Session) Transactions(ctx context.Context, q sluice.StatementQuery) (sluice.Page[sluice.StatementLine], error) {
	page := sluice.Page[sluice.StatementLine]{Items: []sluice.StatementLine{}}
	if q.Limit < 0 || q.Limit > maxPage {
		return page, sluice.Errorf(sluice.CodeInvalidRequest, "limit must be 1 to %d", maxPage).At("limit")
	}
	var accounts []sluice.AccountID
	err := s.c.db.Read(ctx, func(tx *store.Tx) error {
		owner, err := s.readableWallet(tx, q.WalletOwner)
		if err == nil {
			accounts, err = statementAccounts(tx, owner, q.Asset)
		}
		return err
	})
	if err != nil || len(accounts) == 0 {
		return page, err
	}
	entries, err := s.c.db.Statement(ctx, store.StatementSelection{Accounts: accounts, Code: q.Code, Request: q.Request,
		From: q.From, To: q.To, Cursor: q.Cursor, Limit: q.Limit})
	if err != nil {
		return page, err
	}
	page.Next = entries.Next
	for _, e := range entries.Items {
		page.Items = append(page.Items, statementLines(e, accounts)...)
	}
	return page, s.namePayments(ctx, page.Items)
}

// TransactionsCSV renders a page of [Session.Transactions] as a table with a
// header, and returns the cursor of the next one.
func (s *Session) TransactionsCSV(ctx context.Context, q sluice.StatementQuery) (table []byte, next string, err error) {
	page, err := s.Transactions(ctx, q)
	if err != nil {
		return nil, "", err
	}
	rows := [][]string{{"booked_at", "code", "kind", "account", "posted", "held", "asset", "request_id", "payment_id", "note", "id"}}
	for _, l := range page.Items {
		request := ""
		if !l.Request.IsZero() {
			request = l.Request.String()
		}
		rows = append(rows, []string{l.BookedAt.Format(time.RFC3339Nano), string(l.Code), string(l.Kind), string(l.Account),
			l.Posted.String(), l.Held.String(), l.Asset, request, l.Payment, cell(l.Note), l.ID.String()})
	}
	table, err = renderCSV(rows)
	return table, page.Next, err
}

// renderCSV writes rows as RFC 4180 has them.
func renderCSV(rows [][]string) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.WriteAll(rows); err != nil {
		return nil, fmt.Errorf("render a table: %w", err)
	}
	return b.Bytes(), nil
}

// cell keeps what people wrote from becoming a formula in a spreadsheet.
func cell(text string) string {
	if text != "" && bytes.IndexByte([]byte("=+-@\t\r"), text[0]) >= 0 {
		return "'" + text
	}
	return text
}

// statementAccounts lists what belongs to an owner's wallets.
func statementAccounts(tx *store.Tx, o walletOwner, asset string) ([]sluice.AccountID, error) {
	wallets, err := tx.Accounts(store.AccountSelection{Kind: sluice.AccountWallet, Owner: o.ledgerOwner() + "@" + asset})
	var out []sluice.AccountID
	for _, w := range wallets {
		out = append(out, w.ID, sluice.OwnedAccount(sluice.AccountReceivable, o.ledgerOwner(), w.Asset))
	}
	for _, w := range wallets {
		grants, err := tx.Accounts(store.AccountSelection{Kind: sluice.AccountGrant, Wallet: w.ID})
		if err != nil {
			return nil, err
		}
		slices.SortFunc(grants, func(a, b sluice.Account) int { return b.ExpiresAt.Compare(a.ExpiresAt) })
		for _, g := range grants[:min(len(grants), maxStatementGrants)] {
			out = append(out, g.ID)
		}
	}
	return out[:min(len(out), maxStatementAccounts)], err
}

// maxStatementAccounts is what the store reads one statement of.
const maxStatementAccounts = 64

// statementLines is a transfer as seen from accounts: one line for each side that
// is among them.
func statementLines(e store.StatementEntry, accounts []sluice.AccountID) (out []sluice.StatementLine) {
	line := sluice.StatementLine{ID: e.ID, BookedAt: e.BookedAt, Code: e.Code, Kind: e.Kind, Asset: e.Debit.Asset(), Request: e.Request}
	moves := e.Kind == sluice.TransferSingle || e.Kind == sluice.TransferPost
	if slices.Contains(accounts, e.Debit) {
		l := line
		l.Account = e.Debit
		if moves {
			l.Posted = -e.Amount
		}
		if l.Held = -e.Released; e.Kind == sluice.TransferPending {
			l.Held = e.Amount
		}
		out = append(out, l)
	}
	if moves && slices.Contains(accounts, e.Credit) {
		line.Account, line.Posted = e.Credit, e.Amount
		out = append(out, line)
	}
	return out
}

// namePayments says which payments lines belong to.
func (s *Session) namePayments(ctx context.Context, lines []sluice.StatementLine) error {
	return s.c.db.Read(ctx, func(tx *store.Tx) error {
		for i := range lines {
			switch lines[i].Code {
			case sluice.TransferTopUp, sluice.TransferGrant, sluice.TransferRedemption, sluice.TransferRefund, sluice.TransferAdjust:
			default:
				continue
			}
			p, err := tx.PaymentOf(lines[i].ID)
			if sluice.CodeOf(err) == sluice.CodeNotFound {
				continue // made by something else, such as the seed of a demonstration
			}
			if err != nil {
				return err
			}
			lines[i].Payment, lines[i].Note = p.ID, p.Note
		}
		return nil
	})
}

// requestLines are the transfers of a request as its owner sees them: what it
// held, was charged and got back, without what it cost the house and without caps,
// which hold no money.
func requestLines(tx *store.Tx, request sluice.RequestID) ([]sluice.StatementLine, error) {
	transfers, err := tx.RequestTransfers(request)
	if err != nil {
		return nil, err
	}
	held := map[sluice.TransferID]sluice.Nanos{}
	var out []sluice.StatementLine
	for _, t := range transfers {
		e := store.StatementEntry{Transfer: t, Released: held[t.Pending]}
		if t.Kind == sluice.TransferPending {
			held[t.ID] = t.Amount
		}
		var own []sluice.AccountID
		for _, id := range []sluice.AccountID{t.Debit, t.Credit} {
			switch id.Kind() {
			case sluice.AccountWallet, sluice.AccountGrant, sluice.AccountReceivable:
				own = append(own, id)
			}
		}
		out = append(out, statementLines(e, own)...)
	}
	return out, nil
}
