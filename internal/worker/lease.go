package worker

import (
	"context"
	"time"

	"github.com/sluicegate/sluice/internal/ledger"
)

// leaseMargin is how long before the end of its lease an owner ceases to decide:
// a decision takes a moment, and clocks do not run equally fast.
const leaseMargin = tick

// inForce reports whether nobody else can have taken the ledger. An owner that
// cannot reach the database learns it from its own clock alone, counted from when
// it sent what was granted.
func (o *Owned) inForce(now time.Time) bool {
	sent := o.sent.Load()
	return o.Lease == 0 || sent != nil && now.Sub(*sent) < o.Lease-leaseMargin
}

// renew says once more that the ledger is ours, and waits for no longer than a
// tick: a database that hangs has to be noticed before the lease is over.
func (b *Books) renew(ctx context.Context, o *Owned) error {
	ctx, cancel := context.WithTimeout(ctx, tick)
	defer cancel()
	sent := b.cfg.Now()
	err := o.Renew(ctx)
	if err == nil {
		o.sent.Store(&sent)
	}
	return err
}

// keep renews the lease and tells once that it cannot, and once that it can again.
// It is false when another process has taken the ledger.
func (b *Books) keep(ctx context.Context, o *Owned) bool {
	if o.Renew == nil {
		return true
	}
	switch err := b.renew(ctx, o); {
	case lost(err):
		b.lose(o, err)
		return false
	case err == nil && b.unsure:
		b.unsure = false
		b.cfg.Log.Info("the lease of the ledger is renewed again")
	case err != nil && !b.unsure && ctx.Err() == nil:
		b.unsure = true
		b.cfg.Log.Error("the lease of the ledger cannot be renewed; spending with a limit stops when it is over, and it is tried again every second", "error", err)
	}
	return true
}

// Follow names a journal of this process, by the ends that it has whenever it is
// asked, of former processes and its own: holds do not expire, and nothing is decided, before the ledger has caught
// up with it. It is called before [Books.Run] and [Books.Deciding].
func (b *Books) Follow(ends func() []ledger.End) { b.journals = append(b.journals, ends) }

// Deciding is the ledger in memory as long as it may decide on what is spent: it
// is ours, it is whole, and it has applied all that the journals of this process
// had when it was taken. Else it is nil: what lies in a journal is missing from
// its balances.
func (b *Books) Deciding() *ledger.Book {
	o := b.owned.Load()
	if o == nil || !o.inForce(b.cfg.Now()) || !b.caughtUp(o) || o.Book.Broken() != nil {
		return nil
	}
	return o.Book
}

// caughtUp reports whether a ledger has what the journals had at the first call.
func (b *Books) caughtUp(o *Owned) bool {
	if o.caught.Load() {
		return true
	}
	o.catching.Lock()
	defer o.catching.Unlock()
	if o.behind == nil {
		o.behind = []ledger.End{}
		for _, ends := range b.journals {
			o.behind = append(o.behind, ends()...)
		}
	}
	for _, end := range o.behind {
		if o.Book.Applied(end.Journal) < end.Seq {
			return false
		}
	}
	o.caught.Store(true)
	return true
}
