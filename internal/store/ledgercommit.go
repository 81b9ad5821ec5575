package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/ledger"
)

// Commit implements [ledger.Store]. It changes nothing after another process has
// taken the ledger: [sluice.CodeConflict].
//
// A batch that is committed again, because its outcome was unknown, is rare: the
// first try on PostgreSQL expects all of it to be new.
func (l *Ledger) Commit(ctx context.Context, batch ledger.Batch) error {
	err := l.commit(ctx, &batch, l.db.engine.shared())
	if isTaken(err) {
		return l.commit(ctx, &batch, false)
	}
	return err
}

// commit is Commit of a batch of which nothing is there yet, or else of any.
func (l *Ledger) commit(ctx context.Context, batch *ledger.Batch, allNew bool) error {
	var c *commit
	err := l.db.add(ctx, func(tx *Tx) error {
		c = &commit{tx: tx, batch: batch, allNew: allNew, numbers: map[sluice.AccountID]int64{}, moves: map[int64]*movement{}}
		return c.run(l)
	})
	if err != nil {
		return err
	}
	l.known(c.numbers)
	return nil
}

// commit is one batch in one transaction.
type commit struct {
	tx    *Tx
	batch *ledger.Batch
	// allNew says that the batch is copied into the tables, which takes no row that
	// is there.
	allNew bool
	// numbers are those of the batch's accounts.
	numbers map[sluice.AccountID]int64
	first   int64  // the seq of the batch's first transfer
	fresh   []bool // which of the transfers were inserted by this commit
	moves   map[int64]*movement
}

// movement is how a commit changes one account.
type movement struct {
	posted, pending sluice.Nanos
	floor           sluice.Nanos
	refloored       bool
}

func (c *commit) run(l *Ledger) error {
	steps := []func() error{
		func() error { return c.fence(l.epoch) },
		func() error { return c.resolveAccounts(l) },
		c.insertTransfers, c.move, c.moveAccounts, c.movePositions, c.tellAnomalies, c.keepRecords,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// fence makes sure that the ledger is still its owner's, until the transaction
// ends, and takes numbers for the transfers.
func (c *commit) fence(epoch int64) error {
	n := int64(len(c.batch.Transfers))
	var booked int64
	err := c.tx.row(`UPDATE ledger_owner SET booked = booked + $1 WHERE name = $2 AND epoch = $3 RETURNING booked`, []any{n, ledgerName, epoch}, &booked)
	if errors.Is(err, sql.ErrNoRows) {
		return lostLedger()
	}
	c.first = booked - n + 1
	return err
}

// resolveAccounts opens what the batch opens and finds the number of every
// account that it names.
func (c *commit) resolveAccounts(l *Ledger) error {
	missing := c.unknown(l)
	if len(missing) == 0 {
		return nil
	}
	found, err := c.tx.accountNumbers(missing)
	if err != nil {
		return err
	}
	maps.Copy(c.numbers, found)
	if err := c.open(); err != nil {
		return err
	}
	for _, id := range missing {
		if c.numbers[id] == 0 {
			return sluice.Errorf(sluice.CodeDiscrepancy, "the ledger books on %s, which nobody has opened", id)
		}
	}
	return nil
}

// unknown fills in the numbers that the ledger remembers and returns the
// accounts that it does not.
func (c *commit) unknown(l *Ledger) (missing []sluice.AccountID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	need := func(id sluice.AccountID) {
		if _, done := c.numbers[id]; done {
			return
		}
		number := l.numbers[id]
		c.numbers[id] = number
		if number == 0 {
			missing = append(missing, id)
		}
	}
	for _, a := range c.batch.Opened {
		need(a.ID)
	}
	for i := range c.batch.Transfers {
		need(c.batch.Transfers[i].Debit)
		need(c.batch.Transfers[i].Credit)
	}
	for _, id := range slices.Sorted(maps.Keys(c.batch.Floors)) {
		need(id)
	}
	return missing
}

// open inserts the accounts that the batch opens and nobody has before.
func (c *commit) open() error {
	var last int64
	if err := c.tx.row(`SELECT COALESCE(MAX(number), 0) FROM accounts`, nil, &last); err != nil {
		return err
	}
	var fresh []*sluice.Account
	for i := range c.batch.Opened {
		if a := &c.batch.Opened[i]; c.numbers[a.ID] == 0 {
			last++
			c.numbers[a.ID] = last
			fresh = append(fresh, a)
		}
	}
	rows := rowSource{len(fresh), func(args []any, i int) ([]any, error) {
		a := fresh[i]
		return append(args, c.numbers[a.ID], string(a.ID), a.Asset, string(a.Wallet), nullFloor(a.Floor), micros(a.ExpiresAt), micros(c.tx.now)), nil
	}}
	return c.tx.insertRows("accounts", []string{"number", "id", "asset", "wallet", "floor", "expires_at", "opened_at"}, rows, "")
}

func nullFloor(floor sluice.Nanos) any {
	if floor == sluice.NoFloor {
		return nil
	}
	return int64(floor)
}

// insertTransfers inserts what is not there yet and notes what that was.
func (c *commit) insertTransfers() error {
	c.fresh = make([]bool, len(c.batch.Transfers))
	rows := rowSource{len(c.batch.Transfers), func(args []any, i int) ([]any, error) {
		t := &c.batch.Transfers[i]
		return transferValues(args, t, c.first+int64(i), c.numbers[t.Debit], c.numbers[t.Credit]), nil
	}}
	if c.allNew {
		for i := range c.fresh {
			c.fresh[i] = true
		}
		return c.tx.copyRows("transfers", transferColumns, rows)
	}
	inserted, err := c.tx.insertBulk("transfers", transferColumns, rows, ` ON CONFLICT (id) DO NOTHING`)
	if err != nil || inserted == int64(rows.n) {
		for i := range c.fresh {
			c.fresh[i] = true
		}
		return err
	}
	return c.tx.each(`SELECT seq FROM transfers WHERE seq >= $1`, []any{c.first}, func(rows *sql.Rows) error {
		var seq int64
		err := rows.Scan(&seq)
		c.fresh[seq-c.first] = true
		return err
	})
}

// move adds up what the inserted transfers change, and keeps the list of open
// holds: what is resolved within the batch never gets there.
func (c *commit) move() error {
	open := map[sluice.TransferID]int{}
	var resolved []sluice.TransferID
	for i := range c.batch.Transfers {
		t := &c.batch.Transfers[i]
		if !c.fresh[i] {
			continue
		}
		switch t.Kind {
		case sluice.TransferPending:
			open[t.ID] = i
			c.of(t.Debit).pending += t.Amount
			continue
		case sluice.TransferPost, sluice.TransferVoid:
			if at, ours := open[t.Pending]; ours {
				c.of(t.Debit).pending -= c.batch.Transfers[at].Amount
				delete(open, t.Pending)
			} else {
				resolved = append(resolved, t.Pending)
			}
		}
		if t.Kind != sluice.TransferVoid {
			c.of(t.Debit).posted -= t.Amount
			c.of(t.Credit).posted += t.Amount
		}
	}
	if err := c.resolve(resolved); err != nil {
		return err
	}
	return c.hold(slices.Sorted(maps.Values(open)))
}

func (c *commit) of(id sluice.AccountID) *movement { return c.ofNumber(c.numbers[id]) }

func (c *commit) ofNumber(number int64) *movement {
	m := c.moves[number]
	if m == nil {
		m = &movement{}
		c.moves[number] = m
	}
	return m
}

// resolve takes holds off the list; how much that frees is what the list says.
func (c *commit) resolve(ids []sluice.TransferID) error {
	freed := 0
	err := c.tx.eachAmong(ids, func(among string, args []any) error {
		return c.tx.each(`DELETE FROM holds WHERE id `+among+` RETURNING debit, amount`, args, func(rows *sql.Rows) error {
			var debit, amount int64
			err := rows.Scan(&debit, &amount)
			c.ofNumber(debit).pending -= sluice.Nanos(amount)
			freed++
			return err
		})
	})
	if err == nil && freed != len(ids) {
		return sluice.Errorf(sluice.CodeDiscrepancy, "of %d holds that are resolved, %d are open", len(ids), freed)
	}
	return err
}

// hold puts pending transfers, by their place in the batch, on the list.
func (c *commit) hold(open []int) error {
	rows := rowSource{len(open), func(args []any, i int) ([]any, error) {
		t := &c.batch.Transfers[open[i]]
		return append(args, t.ID[:], c.first+int64(open[i]), c.numbers[t.Debit], int64(t.Amount)), nil
	}}
	_, err := c.tx.insertBulk("holds", bulk{"id bytea", "seq bigint", "debit bigint", "amount bigint"}, rows, "")
	return err
}

// moveAccounts changes balances and floors together, in the order of the
// accounts' numbers.
func (c *commit) moveAccounts() error {
	for id, floor := range c.batch.Floors {
		m := c.of(id)
		m.floor, m.refloored = floor, true
	}
	numbers := slices.Sorted(maps.Keys(c.moves))
	rows := rowSource{len(numbers), func(args []any, i int) ([]any, error) {
		m := c.moves[numbers[i]]
		return append(args, numbers[i], int64(m.posted), int64(m.pending), flag(m.refloored), nullFloor(m.floor)), nil
	}}
	changed, err := c.tx.updateBulk("accounts", bulk{"number bigint", "posted bigint", "pending bigint", "refloored bigint", "bound bigint"}, rows,
		`posted = accounts.posted + m.posted, pending = accounts.pending + m.pending, floor = CASE WHEN m.refloored = 1 THEN m.bound ELSE accounts.floor END`,
		`accounts.number = m.number`)
	if err == nil && changed != int64(len(numbers)) {
		return sluice.Errorf(sluice.CodeDiscrepancy, "of %d accounts that a commit moves, %d exist", len(numbers), changed)
	}
	return err
}

func (c *commit) movePositions() error {
	for _, journal := range slices.Sorted(maps.Keys(c.batch.Positions)) {
		_, err := c.tx.exec(`INSERT INTO journals (id, position, updated_at) VALUES ($1, $2, $3)
			ON CONFLICT (id) DO UPDATE SET position = excluded.position, updated_at = excluded.updated_at WHERE excluded.position > journals.position`,
			journal, int64(c.batch.Positions[journal]), micros(c.tx.now))
		if err != nil {
			return err
		}
	}
	return nil
}

// keepRecords stores what requests were, with what was booked for them.
func (c *commit) keepRecords() error {
	records, err := c.unrecorded()
	if err != nil {
		return err
	}
	rows := recordRows(len(records), func(i int) *sluice.Record { return records[i] })
	if c.allNew {
		return c.tx.copyRows("records", typed(recordColumns, recordTexts), rows)
	}
	return c.tx.insertRecords(rows)
}

// unrecorded are the batch's records without those that a crash seems to have
// ended, though the store knows how they did end: of a request that moved no money
// nothing else tells, and the time in its second record is another one.
func (c *commit) unrecorded() ([]*sluice.Record, error) {
	var kept []*sluice.Record
	for i, r := range c.batch.Records {
		known := false
		if r.Outcome == sluice.OutcomeCrash {
			var err error
			if known, err = c.tx.recorded(r.ID); err != nil {
				return nil, err
			}
		}
		if known && kept == nil {
			kept = append(make([]*sluice.Record, 0, len(c.batch.Records)), c.batch.Records[:i]...)
		}
		if !known && kept != nil {
			kept = append(kept, r)
		}
	}
	if kept == nil {
		return c.batch.Records, nil
	}
	return kept, nil
}

func (c *commit) tellAnomalies() error {
	for _, a := range c.batch.Anomalies {
		e, err := anomalyEvent(a.Journal, a.Seq, a.Request, a.Reason)
		if err != nil {
			return err
		}
		if err := c.tx.AddEvents(e); err != nil {
			return err
		}
	}
	return nil
}
