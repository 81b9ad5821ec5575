package link

import (
	"context"
	"sync"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/ledger"
)

// SpendingConfig configures a [Spending].
type SpendingConfig struct {
	// Limits decides everything but the money; required.
	Limits sluice.Admission
	// Book returns the ledger in memory, or nil while this process does not own
	// one, or it lacks what was journaled before; required, and called for every
	// hold.
	Book func() *ledger.Book
	// Away asks the process that keeps the ledger, where this one does not; nil
	// means that there is none to ask.
	Away *Holds
	// TopUpURL is where a client whose balance is short is sent; empty tells it
	// of none.
	TopUpURL string
	// Now is the clock; required.
	Now func() time.Time
}

// Spending is the Admission port of a process that has the ledger, or can ask
// the one that has: it sets the hold aside in the ledger's memory and leaves limits
// to another admission. It is safe for concurrent use, and waits for no disk and,
// where the ledger is at hand or spending has no limit, no network.
type Spending struct {
	cfg SpendingConfig
	mu  sync.Mutex
	// unlimited are running requests whose spending has no limit: they are as many
	// as requests run, and no ledger has to know them.
	unlimited map[sluice.RequestID]struct{}
	// away are running requests that another process holds for.
	away map[sluice.RequestID]struct{}
}

var _ sluice.Admission = (*Spending)(nil)

// NewSpending returns an admission that keeps balances.
func NewSpending(cfg SpendingConfig) *Spending {
	return &Spending{cfg: cfg, unlimited: map[sluice.RequestID]struct{}{}, away: map[sluice.RequestID]struct{}{}}
}

// Admit implements [sluice.Admission]: the hold first, then the limits; a limit
// that refuses gives the hold back. Spending without a limit needs no ledger; it is
// journaled and posted like every other.
func (s *Spending) Admit(ctx context.Context, c sluice.Claims) (sluice.Grant, error) {
	hold := c.Hold
	if hold == nil {
		return s.cfg.Limits.Admit(ctx, c)
	}
	book, free := s.cfg.Book(), unlimited(hold)
	away := book == nil && !free
	switch {
	case away && s.cfg.Away == nil:
		return sluice.Grant{}, sluice.Errorf(sluice.CodeUnavailable, "the balance of %s cannot be decided on now: this process does not have the ledger, or it has not caught up with its journal", hold.Wallet).After(1)
	case away:
		if err := s.cfg.Away.take(ctx, hold); err != nil {
			return sluice.Grant{}, s.refusal(err)
		}
	case book != nil:
		if err := book.Hold(*hold, s.cfg.Now()); err != nil {
			return sluice.Grant{}, s.refusal(err)
		}
	}
	c.Hold = nil // decided here: who counts limits has nothing to say to it
	grant, err := s.cfg.Limits.Admit(ctx, c)
	switch {
	case err != nil && away:
		s.cfg.Away.release(ctx, hold.Request)
	case err != nil && book != nil:
		book.Release(hold.Request)
	case err == nil && (free || away):
		s.mu.Lock()
		defer s.mu.Unlock()
		if free {
			s.unlimited[hold.Request] = struct{}{}
		} else {
			s.away[hold.Request] = struct{}{}
		}
	}
	return grant, err
}

// ended forgets a request and reports whether another process holds for it.
func (s *Spending) ended(g sluice.Grant) (id sluice.RequestID, away bool) {
	id, err := sluice.ParseRequestID(g.RequestID)
	if err != nil {
		return id, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, away = s.away[id]
	delete(s.unlimited, id)
	delete(s.away, id)
	return id, away
}

// refusal tells a client whose balance is short where to top up.
func (s *Spending) refusal(err error) error {
	if sluice.CodeOf(err) != sluice.CodeInsufficientBalance || s.cfg.TopUpURL == "" {
		return err
	}
	return sluice.AsError(err).With("top_up_url", s.cfg.TopUpURL)
}

// Extend implements [sluice.Admission]. Spending without a limit needs no ledger,
// and whichever there is now need not know of it. While this process has lost its
// ledger, nothing else is promised more: [sluice.CodeUnavailable].
func (s *Spending) Extend(ctx context.Context, id sluice.RequestID, total sluice.Nanos) error {
	s.mu.Lock()
	_, free := s.unlimited[id]
	_, away := s.away[id]
	s.mu.Unlock()
	if free {
		return nil
	}
	book := s.cfg.Book()
	if book == nil && away {
		return s.refusal(s.cfg.Away.extend(ctx, id, total))
	}
	if book == nil {
		return sluice.Errorf(sluice.CodeUnavailable, "this process does not have the ledger now").After(1)
	}
	return s.refusal(book.Extend(id, total, s.cfg.Now()))
}

// Settle implements [sluice.Admission].
func (s *Spending) Settle(ctx context.Context, g sluice.Grant, tokens int64) error {
	s.ended(g)
	return s.cfg.Limits.Settle(ctx, g, tokens)
}

// Release implements [sluice.Admission].
func (s *Spending) Release(ctx context.Context, g sluice.Grant) error {
	id, away := s.ended(g)
	if away {
		s.cfg.Away.release(ctx, id)
	}
	if book := s.cfg.Book(); book != nil && !id.IsZero() {
		book.Release(id)
	}
	return s.cfg.Limits.Release(ctx, g)
}
