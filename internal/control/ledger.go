package control

import (
	"context"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/ledger"
)

// Ledger is what control needs of the ledger. One process of an installation owns
// it; in the others every write is [sluice.CodeUnavailable], and balances are
// those that the owner has stored.
type Ledger interface {
	// Open opens wallets and grants; see [ledger.Poster.Open].
	Open(ctx context.Context, accounts ...sluice.Account) error
	// Transfer books transfers, durably once it returns; see
	// [ledger.Poster.Transfer].
	Transfer(ctx context.Context, transfers ...sluice.Transfer) ([]sluice.Transfer, error)
	// Book returns the ledger in memory, nil while another process owns it.
	Book() *ledger.Book
}

// ledger returns the ledger of this process, or says who else may have it.
func (c *Control) ledger() (Ledger, error) {
	if c.cfg.Ledger == nil || c.cfg.Ledger.Book() == nil {
		return nil, notOwner()
	}
	return c.cfg.Ledger, nil
}

func notOwner() error {
	return sluice.Errorf(sluice.CodeUnavailable, "this process does not keep the ledger at the moment").After(1)
}
