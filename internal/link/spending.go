package link

import (
	"context"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/ledger"
)

// SpendingConfig configures a [Spending].
type SpendingConfig struct {
	// Limits decides everything but the money; required.
	Limits sluice.Admission
	// Book returns the ledger in memory, or nil while this process does not own
	// one; required, and called for every hold.
	Book func() *ledger.Book
	// TopUpURL is where a client whose balance is short is sent; empty tells it
	// of none.
	TopUpURL string
	// Now is the clock; required.
	Now func() time.Time
}

// Spending is the Admission port of a process that has the ledger: it sets the
// hold aside in the ledger's memory and leaves limits to another admission. It
// is safe for concurrent use and waits for no disk and no network.
type Spending struct{ cfg SpendingConfig }

var _ sluice.Admission = (*Spending)(nil)

// NewSpending returns an admission that keeps balances.
func NewSpending(cfg SpendingConfig) *Spending { return &Spending{cfg} }

// Admit implements [sluice.Admission]: the hold first, then the limits; a limit
// that refuses gives the hold back. Without a ledger only spending without a
// limit is admitted, and journaled and posted like every other.
func (s *Spending) Admit(ctx context.Context, c sluice.Claims) (sluice.Grant, error) {
	book := s.cfg.Book()
	if c.Hold == nil || book == nil {
		return s.cfg.Limits.Admit(ctx, c)
	}
	hold := c.Hold
	if err := book.Hold(*hold, s.cfg.Now()); err != nil {
		return sluice.Grant{}, s.refusal(err)
	}
	c.Hold = nil // kept here: who counts limits has nothing to say to it
	grant, err := s.cfg.Limits.Admit(ctx, c)
	if err != nil {
		book.Release(hold.Request)
	}
	return grant, err
}

// refusal tells a client whose balance is short where to top up.
func (s *Spending) refusal(err error) error {
	if sluice.CodeOf(err) != sluice.CodeInsufficientBalance || s.cfg.TopUpURL == "" {
		return err
	}
	return sluice.AsError(err).With("top_up_url", s.cfg.TopUpURL)
}

// Extend implements [sluice.Admission]. While this process has lost its ledger,
// nothing more is promised: [sluice.CodeUnavailable].
func (s *Spending) Extend(_ context.Context, id sluice.RequestID, total sluice.Nanos) error {
	book := s.cfg.Book()
	if book == nil {
		return sluice.Errorf(sluice.CodeUnavailable, "this process does not have the ledger now").After(1)
	}
	return s.refusal(book.Extend(id, total, s.cfg.Now()))
}

// Settle implements [sluice.Admission].
func (s *Spending) Settle(ctx context.Context, g sluice.Grant, tokens int64) error {
	return s.cfg.Limits.Settle(ctx, g, tokens)
}

// Release implements [sluice.Admission].
func (s *Spending) Release(ctx context.Context, g sluice.Grant) error {
	if book := s.cfg.Book(); book != nil {
		if id, err := sluice.ParseRequestID(g.RequestID); err == nil {
			book.Release(id)
		}
	}
	return s.cfg.Limits.Release(ctx, g)
}
