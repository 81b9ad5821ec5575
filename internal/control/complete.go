package control

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/ledger"
	"github.com/sluicegate/sluice/internal/store"
)

const (
	// completeEvery is how often open payments are looked for by whoever has the
	// ledger; one that has just got it looks at once.
	completeEvery = time.Minute
	// watchEvery is how often it is looked whether the ledger came.
	watchEvery = time.Second
	// completeBatch bounds how many open payments are read at a time.
	completeBatch = 100
)

// completing remembers when open payments were looked for.
type completing struct {
	mu   sync.Mutex
	book *ledger.Book
	at   time.Time
}

// due reports whether to look for open payments now: the ledger has come, or it
// has been long enough.
func (c *completing) due(book *ledger.Book, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := book != c.book
	c.book = book
	if book == nil || !taken && now.Sub(c.at).Abs() < completeEvery {
		return false
	}
	c.at = now
	return true
}

// Run completes payments whenever it is due, until ctx ends.
func (c *Control) Run(ctx context.Context) {
	watch := time.NewTicker(watchEvery)
	defer watch.Stop()
	for {
		if err := c.CompleteDue(ctx); err != nil && ctx.Err() == nil {
			c.cfg.Log.Warn("payments that were agreed on wait for the ledger; they are tried again in a minute", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-watch.C:
		}
	}
}

// CompleteDue is what [Control.Run] does once a second: [Control.CompletePayments]
// when this process has got the ledger, and every minute while it keeps it.
func (c *Control) CompleteDue(ctx context.Context) error {
	if c.cfg.Ledger == nil || !c.completing.due(c.cfg.Ledger.Book(), c.cfg.Clock()) {
		return nil
	}
	return c.CompletePayments(ctx)
}

// CompletePayments has the ledger book every payment that was agreed on and is
// not known to be booked, because a process died or the ledger was taken away in
// between. One that the ledger refuses for good is given up, with the reason in
// the audit log. [sluice.CodeUnavailable] while another process has the ledger;
// what could not be decided stays open.
func (c *Control) CompletePayments(ctx context.Context) error {
	books, err := c.ledger()
	if err != nil {
		return err
	}
	c.paying.Lock()
	defer c.paying.Unlock()
	var undecided []error
	for after := uint64(0); ; {
		open, last, err := c.openPayments(ctx, after)
		if err != nil || len(open) == 0 {
			return errors.Join(append(undecided, err)...)
		}
		for _, p := range open {
			if err := c.complete(ctx, books, p); err != nil {
				undecided = append(undecided, err)
			}
		}
		after = last
	}
}

// complete settles one open payment; that it was refused is no error here.
func (c *Control) complete(ctx context.Context, books Ledger, p payment) error {
	_, err := c.As(System()).settle(ctx, books, p)
	if err == nil || refusedForGood(err) {
		c.cfg.Log.Info("a payment that was agreed on is settled", "kind", p.Kind, "id", p.ID, "wallet", p.Wallet, "refused", err)
		return nil
	}
	return fmt.Errorf("complete %s %s: %w", p.Kind, p.ID, err)
}

// openPayments reads a batch of open payments with the terms of their wallets,
// and the number of the last.
func (c *Control) openPayments(ctx context.Context, after uint64) (open []payment, last uint64, err error) {
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		list, numbers, err := tx.OpenPayments(after, completeBatch)
		if err != nil || len(list) == 0 {
			return err
		}
		last = numbers[len(numbers)-1]
		for _, p := range list {
			floor, err := floorOf(tx, p.WalletOwner, p.Asset)
			if err != nil {
				return err
			}
			open = append(open, payment{Payment: p, floor: floor})
		}
		return nil
	})
	return open, last, err
}

// floorOf is what an owner's wallet may go down to; that of one that is gone,
// nothing.
func floorOf(tx *store.Tx, of sluice.WalletOwner, asset string) (sluice.Nanos, error) {
	if of.User != "" || of.Key != "" {
		return 0, nil
	}
	found, err := tx.ByName(sluice.KindTenant, of.Tenant, of.Tenant)
	if sluice.CodeOf(err) == sluice.CodeNotFound {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return found.(*sluice.Tenant).Floor(asset), nil
}
