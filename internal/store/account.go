package store

import (
	"database/sql"

	"github.com/sluicegate/sluice"
)

// accounts reads accounts in the order of rest.
func (tx *Tx) accounts(rest string, args []any, fn func(number int64, a sluice.Account) error) error {
	return tx.each(`SELECT a.number, a.id, a.asset, a.wallet, a.floor, a.expires_at, a.posted, a.pending FROM accounts a`+rest, args, func(rows *sql.Rows) error {
		var a sluice.Account
		var floor sql.NullInt64
		var number, expires, posted, pending int64
		if err := rows.Scan(&number, &a.ID, &a.Asset, &a.Wallet, &floor, &expires, &posted, &pending); err != nil {
			return err
		}
		a.Floor = sluice.NoFloor
		if floor.Valid {
			a.Floor = sluice.Nanos(floor.Int64)
		}
		a.ExpiresAt, a.Posted, a.Pending = fromMicros(expires), sluice.Nanos(posted), sluice.Nanos(pending)
		return fn(number, a)
	})
}

// AccountSelection says which accounts [Tx.Accounts] returns.
type AccountSelection struct {
	// Kind is required.
	Kind sluice.AccountKind
	// Owner keeps those whose owner begins with it: "acme" for a tenant and
	// whoever has a name that begins so, "user/acme/" for a tenant's users,
	// "key/17@" for one key alone.
	Owner string
	// Wallet keeps grants or the receivable of one wallet.
	Wallet sluice.AccountID
	// After continues behind this account.
	After sluice.AccountID
	// Limit bounds the number of accounts; 0 means no bound.
	Limit int
}

// Accounts returns accounts by ascending id, with the balances that the ledger
// has committed.
func (tx *Tx) Accounts(sel AccountSelection) ([]sluice.Account, error) {
	from := string(sel.Kind) + "@"
	if owned := sluice.AccountKinds()[sel.Kind]; owned {
		from = string(sel.Kind) + ":" + sel.Owner
	}
	w := where{}
	w.add(`a.id >= ?`, max(from, string(sel.After)))
	w.add(`a.id < ?`, behind(from))
	if sel.After != "" {
		w.add(`a.id <> ?`, string(sel.After))
	}
	if sel.Wallet != "" {
		w.add(`a.wallet <> ''`)
		w.add(`a.wallet = ?`, string(sel.Wallet))
	}
	list := []sluice.Account{}
	err := tx.accounts(w.sql()+` ORDER BY a.id`+limit(sel.Limit), w.args, func(_ int64, a sluice.Account) error {
		list = append(list, a)
		return nil
	})
	return list, err
}

// behind is the least text that is greater than all with a prefix, which ends in
// ASCII.
func behind(prefix string) string {
	return prefix[:len(prefix)-1] + string(prefix[len(prefix)-1]+1)
}

// Account returns an account, or [sluice.CodeNotFound].
func (tx *Tx) Account(id sluice.AccountID) (account sluice.Account, err error) {
	found := false
	err = tx.accounts(` WHERE a.id = $1`, []any{string(id)}, func(_ int64, a sluice.Account) error {
		account, found = a, true
		return nil
	})
	if err == nil && !found {
		return account, sluice.Errorf(sluice.CodeNotFound, "there is no account %s", id)
	}
	return account, err
}

// EachAccount calls fn for every account by ascending id; an error of fn ends
// it. fn must not use the transaction.
func (tx *Tx) EachAccount(fn func(sluice.Account) error) error {
	return tx.accounts(` ORDER BY a.id`, nil, func(_ int64, a sluice.Account) error { return fn(a) })
}

// accountNumbers returns the numbers of accounts, by id; those that do not exist
// are missing.
func (tx *Tx) accountNumbers(ids []sluice.AccountID) (map[sluice.AccountID]int64, error) {
	numbers := map[sluice.AccountID]int64{}
	for len(ids) > 0 {
		n := min(len(ids), 200)
		args := make([]any, n)
		for i, id := range ids[:n] {
			args[i] = string(id)
		}
		err := tx.each(`SELECT number, id FROM accounts WHERE id IN (`+placeholders(1, n)+`)`, args, func(rows *sql.Rows) error {
			var number int64
			var id string
			err := rows.Scan(&number, &id)
			numbers[sluice.AccountID(id)] = number
			return err
		})
		if err != nil {
			return nil, err
		}
		ids = ids[n:]
	}
	return numbers, nil
}
