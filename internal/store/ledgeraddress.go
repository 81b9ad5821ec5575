package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/sluicegate/sluice"
)

// Announce says where other processes on the database reach this owner of the
// ledger: what they cannot do themselves they pass on to it. [sluice.CodeConflict]
// means that another process has taken the ledger.
func (l *Ledger) Announce(ctx context.Context, address string) error {
	return l.db.add(ctx, func(tx *Tx) error {
		n, err := tx.exec(`UPDATE ledger_owner SET address = $1 WHERE name = $2 AND epoch = $3`, address, ledgerName, l.epoch)
		if err == nil && n == 0 {
			return lostLedger()
		}
		return err
	})
}

// LedgerAddress returns where the process that keeps the ledger now is reached.
// [sluice.CodeUnavailable] says that no process keeps it, or that the one which
// does has not said where it is.
func (db *DB) LedgerAddress(ctx context.Context) (address string, err error) {
	err = db.Read(ctx, func(tx *Tx) error {
		var owner string
		err := tx.row(`SELECT owner, address FROM ledger_owner WHERE name = $1 AND expires_at > `+db.engine.now(), []any{ledgerName}, &owner, &address)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return sluice.Errorf(sluice.CodeUnavailable, "no process keeps the ledger at the moment; one takes it within seconds").After(1)
		case err == nil && address == "":
			return sluice.Errorf(sluice.CodeUnavailable, "the process that keeps the ledger, %s, does not say where it is reached", owner).After(1)
		}
		return err
	})
	return address, err
}
