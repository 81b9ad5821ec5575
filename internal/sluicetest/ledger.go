package sluicetest

import (
	"context"
	"time"

	"github.com/sluicegate/sluice/internal/ledger"
	"github.com/sluicegate/sluice/internal/store"
)

// Ledger is a real ledger on a real database, as the process that owns it has it.
type Ledger struct {
	*ledger.Poster
	book *ledger.Book
}

// OwnLedger takes the ledger of a database and loads it; nil now means time.Now.
func OwnLedger(ctx context.Context, db *store.DB, now func() time.Time) (*Ledger, error) {
	if now == nil {
		now = time.Now
	}
	owned, err := db.OwnLedger(ctx, "test", time.Hour)
	if err != nil {
		return nil, err
	}
	book := ledger.NewBook(ledger.Config{})
	l := &Ledger{ledger.NewPoster(book, owned, now), book}
	return l, l.Start(ctx)
}

// Book returns the ledger in memory.
func (l *Ledger) Book() *ledger.Book { return l.book }
