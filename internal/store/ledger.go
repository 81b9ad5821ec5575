package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/ledger"
)

// Ledger is the system of record of a ledger that one process owns. It
// implements [ledger.Store] and is safe for concurrent use; commits of one
// ledger follow one another.
type Ledger struct {
	db    *DB
	epoch int64
	mu    sync.Mutex
	// numbers are those of accounts that are committed.
	numbers map[sluice.AccountID]int64
}

var _ ledger.Store = (*Ledger)(nil)

// ledgerName is the row of the one ledger that a database has.
const ledgerName = "ledger"

// LedgerOwner says who writes the ledger.
type LedgerOwner struct {
	Owner string
	// Epoch rises with every owner; 0 is before the first.
	Epoch uint64
	// Until is when others may take it, unless it is renewed before.
	Until time.Time
}

// OwnLedger takes the ledger of the database for this process: owner is what no
// other process is called, and lease how long it stays away before another one
// may take over. While another has it the error is [sluice.CodeUnavailable]. A
// file belongs to the process that opened it, so its ledger is never another's.
//
// Whoever owned it before cannot commit any more: a [Ledger] is fenced by the
// epoch that it was taken with, not by the time.
func (db *DB) OwnLedger(ctx context.Context, owner string, lease time.Duration) (*Ledger, error) {
	l := &Ledger{db: db, numbers: map[sluice.AccountID]int64{}}
	now := db.engine.now()
	err := db.add(ctx, func(tx *Tx) error {
		err := tx.row(`INSERT INTO ledger_owner (name, owner, epoch, expires_at, booked) VALUES ($1, $2, 1, `+now+` + $3, 0)
			ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, epoch = ledger_owner.epoch + 1, expires_at = excluded.expires_at, address = ''
			WHERE $4 = 0 OR ledger_owner.owner = excluded.owner OR ledger_owner.expires_at <= `+now+`
			RETURNING epoch`, []any{ledgerName, owner, lease.Microseconds(), flag(db.engine.shared())}, &l.epoch)
		if errors.Is(err, sql.ErrNoRows) {
			return sluice.Errorf(sluice.CodeUnavailable, "another process keeps the ledger")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// LedgerOwner returns who has the ledger; the zero value before the first.
func (db *DB) LedgerOwner(ctx context.Context) (o LedgerOwner, err error) {
	var epoch, until int64
	err = db.Read(ctx, func(tx *Tx) error {
		err := tx.row(`SELECT owner, epoch, expires_at FROM ledger_owner WHERE name = $1`, []any{ledgerName}, &o.Owner, &epoch, &until)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	o.Epoch, o.Until = uint64(epoch), fromMicros(until)
	return o, err
}

// Epoch is which owner of the ledger this is, from 1.
func (l *Ledger) Epoch() uint64 { return uint64(l.epoch) }

// Renew keeps the ledger for another lease. [sluice.CodeConflict] means that
// another process has taken it: everything in memory is void.
func (l *Ledger) Renew(ctx context.Context, lease time.Duration) error {
	return l.until(ctx, l.db.engine.now()+` + `, lease)
}

// Yield gives the ledger up, so that another process need not wait; nothing can
// be committed by l afterwards unless nobody has taken it.
func (l *Ledger) Yield(ctx context.Context) error { return l.until(ctx, ``, 0) }

func (l *Ledger) until(ctx context.Context, from string, lease time.Duration) error {
	return l.db.add(ctx, func(tx *Tx) error {
		n, err := tx.exec(`UPDATE ledger_owner SET expires_at = `+from+`CAST($1 AS BIGINT) WHERE name = $2 AND epoch = $3`, lease.Microseconds(), ledgerName, l.epoch)
		if err == nil && n == 0 {
			return lostLedger()
		}
		return err
	})
}

func lostLedger() error {
	return sluice.Errorf(sluice.CodeConflict, "another process has taken the ledger")
}

// Load implements [ledger.Store].
func (l *Ledger) Load(ctx context.Context) (ledger.State, error) {
	s := ledger.State{Positions: map[string]uint64{}}
	numbers := map[sluice.AccountID]int64{}
	err := l.db.ReadLedger(ctx, func(tx *Tx) (err error) {
		// Not the grants that nobody needs any more: they pile up as they are given.
		err = tx.accounts(` WHERE a.posted <> 0 OR a.pending <> 0 OR a.expires_at = 0 OR a.expires_at > $1`, []any{micros(tx.Now().Add(-ledger.KeepPast))}, func(number int64, a sluice.Account) error {
			s.Accounts = append(s.Accounts, a)
			numbers[a.ID] = number
			return nil
		})
		if err != nil {
			return err
		}
		if s.Pending, err = tx.OpenHolds(""); err != nil {
			return err
		}
		if s.Positions, err = tx.JournalPositions(); err != nil {
			return err
		}
		s.Former, err = tx.formerIDs()
		return err
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.numbers = numbers
	return s, err
}

// Find implements [ledger.Store].
func (l *Ledger) Find(ctx context.Context, ids ...sluice.TransferID) (found []sluice.Transfer, err error) {
	err = l.db.Read(ctx, func(tx *Tx) error {
		found, err = tx.Transfers(ids)
		return err
	})
	return found, err
}

// Accounts implements [ledger.Store].
func (l *Ledger) Accounts(ctx context.Context, ids ...sluice.AccountID) (found []sluice.Account, err error) {
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = string(id)
	}
	err = l.db.Read(ctx, func(tx *Tx) error {
		return tx.accounts(` WHERE a.id IN (`+placeholders(1, len(ids))+`)`, args, func(_ int64, a sluice.Account) error {
			found = append(found, a)
			return nil
		})
	})
	return found, err
}

// known returns the numbers of accounts that are committed.
func (l *Ledger) known(ids map[sluice.AccountID]int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.Copy(l.numbers, ids)
}
