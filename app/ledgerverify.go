package app

import (
	"context"
	"fmt"
	"io"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/journal"
	"github.com/sluicegate/sluice/internal/price"
	"github.com/sluicegate/sluice/internal/store"
)

// maxShown bounds the violations that are printed; all are counted.
const maxShown = 1000

// audit collects what a verification finds.
type audit struct {
	out   io.Writer
	found int
}

func (a *audit) violation(invariant string, subject any, format string, args ...any) {
	if a.found++; a.found <= maxShown {
		fmt.Fprintf(a.out, "%s\t%v\t%s\n", invariant, subject, fmt.Sprintf(format, args...))
	}
}

// verifyLedger proves a database's ledger, and that each journal agrees with it.
// A finding is [sluice.CodeDiscrepancy] after all were printed.
func verifyLedger(ctx context.Context, db *store.DB, folders []string, out io.Writer) error {
	a := &audit{out: out}
	transfers, found, err := proveLedger(ctx, db)
	if err != nil {
		return err
	}
	for _, v := range found {
		a.violation(v.Invariant, v.Subject, "%s", v.Message)
	}
	fmt.Fprintf(out, "ledger: %d transfers\n", transfers)
	for _, folder := range folders {
		if err := a.journal(ctx, db, folder); err != nil {
			return fmt.Errorf("%s: %w", folder, err)
		}
	}
	if a.found > 0 {
		return sluice.Errorf(sluice.CodeDiscrepancy, "%d violations", a.found)
	}
	fmt.Fprintln(out, "no violation")
	return nil
}

// journal verifies one journal's chain, and each of its endings by the transfers
// and the price that belong to it.
func (a *audit) journal(ctx context.Context, db *store.DB, folder string) error {
	disk, err := newReadOnly(folder)
	if err != nil {
		return err
	}
	j, found, err := journal.OpenJournal(journal.Config{Disk: disk})
	if err != nil {
		return err
	}
	defer j.Close()
	for _, d := range found.Damage {
		a.violation("I11", d.Segment, "entries %s to %s: %s", d.From, d.Through, d.Reason)
	}
	return db.ReadLedger(ctx, func(tx *store.Tx) error {
		positions, err := tx.JournalPositions()
		if err != nil {
			return err
		}
		check := endings{audit: a, tx: tx, positions: positions, begin: j.Begin(), prices: map[uint64]*price.Version{}}
		if err := check.read(ctx, j.Reader(0)); err != nil {
			return err
		}
		ends := j.Ends()
		for id, last := range ends {
			if booked := journal.Seq(positions[id]); last < booked {
				a.violation("I11", id, "the books have entries up to %s, the journal ends at %s: it is an old copy, or its end is gone", booked, last)
			}
		}
		fmt.Fprintf(a.out, "journal %s: %d entries of %d processes, %d endings, %d not booked yet, %d requests open\n", folder, found.Entries, len(ends), check.seen, check.waiting, found.Unfinished)
		return nil
	})
}

// endings checks the TERMINALs of one journal.
type endings struct {
	*audit
	tx        *store.Tx
	positions map[string]uint64         // of the books
	begin     journal.Seq               // of the journal
	booked    journal.Seq               // of whoever wrote the entry at hand
	prices    map[uint64]*price.Version // few: a version is an operator's act
	seen      int
	// waiting are those that the books do not have yet, which is no violation.
	waiting int
}

func (c *endings) read(ctx context.Context, r *journal.Reader) error {
	defer r.Close()
	first := true
	for ctx.Err() == nil {
		e, ok, err := r.Next()
		if err != nil || !ok {
			return err
		}
		c.booked = journal.Seq(c.positions[r.ID()])
		// What comes before the oldest segment was booked and truncated.
		gone := first && e.Kind == journal.Lost && e.Through <= max(c.booked, c.begin)
		first = false
		if e.Kind == journal.Lost && !gone {
			c.violation("I11", e.Seq, "entries up to %s are lost", e.Through)
		}
		if e.Kind == journal.Terminal && e.Posting.Final {
			if err := c.ending(&e); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// ending checks one: charged once, by what it used and at the price it names.
func (c *endings) ending(e *journal.Entry) error {
	c.seen++
	p := e.Posting
	if err := c.recompute(p); err != nil {
		return err
	}
	if e.Seq > c.booked {
		c.waiting++
		return nil
	}
	transfers, err := c.tx.RequestTransfers(e.Request)
	if err != nil {
		return err
	}
	if charged := chargedBy(transfers); charged != p.Charge {
		c.violation("I6", e.Request, "entry %s charges %s, its transfers %s", e.Seq, p.Charge, charged)
	}
	return nil
}

// chargedBy is what transfers of a request took from its customer.
func chargedBy(transfers []sluice.Transfer) (sum sluice.Nanos) {
	for _, t := range transfers {
		switch t.Code {
		case sluice.TransferCharge, sluice.TransferOverage, sluice.TransferLateSettle:
			if t.Debit.Kind() != sluice.AccountCap && (t.Kind == sluice.TransferPost || t.Kind == sluice.TransferSingle) {
				sum += t.Amount
			}
		}
	}
	return sum
}

// recompute prices a posting's usage again. An ending that is charged for nothing
// has usage all the same.
func (c *endings) recompute(p *sluice.Posting) error {
	if p.Charge == 0 {
		return nil
	}
	v, known := c.prices[p.Price.Version]
	if !known {
		found, err := c.tx.Price(p.Price.Version)
		if err != nil && sluice.CodeOf(err) != sluice.CodeNotFound {
			return err
		}
		if err == nil {
			book, err := price.NewBook([]sluice.Price{found})
			if err != nil {
				return err
			}
			v, _ = book.Version(p.Price.Version)
		}
		c.prices[p.Price.Version] = v
	}
	if v == nil {
		c.violation("I6", p.Request, "charged by price version %d, which does not exist", p.Price.Version)
		return nil
	}
	if want, err := v.Charge(p.Quantities, p.Price.Multiplier); err != nil || want != p.Charge {
		c.violation("I6", p.Request, "charged %s, its usage costs %s at price version %d", p.Charge, want, p.Price.Version)
	}
	return nil
}
