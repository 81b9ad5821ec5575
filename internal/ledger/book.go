package ledger

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicegate/sluice"
)

// Config says how much a book remembers.
type Config struct {
	// Remember is how many settled requests and direct transfers are known by
	// heart; older ones are looked up in the store. 0 is 65,536.
	Remember int
}

// Book is the ledger in memory. It is safe for concurrent use; its state is a
// function of the calls made, in their order.
type Book struct {
	mu       sync.Mutex
	accounts map[sluice.AccountID]*account
	grants   []*account // all of them, the earliest to expire first
	holds    map[sluice.RequestID]*hold
	settled  window[sluice.RequestID, settlement]
	direct   window[sluice.TransferID, sluice.Transfer]
	costs    window[sluice.TransferID, struct{}] // of attempts that did not end their request
	// applied is the position of each journal in memory, durable in the store.
	applied map[string]uint64
	durable map[string]uint64
	// former is State.Former.
	former time.Time
	outbox []item
	// past is what was posted on accounts that are forgotten, by asset.
	past map[string]sluice.Nanos
	// checking is held by what goes through all accounts slice by slice; tally is
	// what moved meanwhile.
	checking sync.Mutex
	tally    *tally
	// onSlice is told how many accounts were looked at under one lock, once that is
	// given back; for tests.
	onSlice func(accounts int)
	// spared is until when holds of others do not expire; see Spare.
	spared time.Time
	// stalled says that the store did not take the oldest of it.
	stalled bool
	// broken is why nothing may happen to the book any more; see Broken.
	broken atomic.Pointer[sluice.Error]
}

// settlement is what is remembered of a settled request.
type settlement struct {
	journal string
	seq     uint64
	charge  sluice.Nanos
}

// NewBook returns an empty book.
func NewBook(cfg Config) *Book {
	if cfg.Remember == 0 {
		cfg.Remember = 65_536
	}
	return &Book{
		accounts: map[sluice.AccountID]*account{}, holds: map[sluice.RequestID]*hold{},
		settled: newWindow[sluice.RequestID, settlement](cfg.Remember),
		direct:  newWindow[sluice.TransferID, sluice.Transfer](cfg.Remember),
		costs:   newWindow[sluice.TransferID, struct{}](cfg.Remember),
		applied: map[string]uint64{}, durable: map[string]uint64{},
		past: map[string]sluice.Nanos{}, tally: &tally{moved: map[string]sluice.Nanos{}},
	}
}

// State is what a store keeps of a book.
type State struct {
	Accounts []sluice.Account
	// Pending are the pending transfers that nothing has resolved, in the order
	// in which they were booked.
	Pending []sluice.Transfer
	// Positions says for each journal up to where it is applied.
	Positions map[string]uint64
	// Former is when requests began whose transfers have ids that do not begin with
	// theirs: before it. Zero for a store that never had such.
	Former time.Time
}

// Load fills an empty book from what a store has. A state that breaks an
// invariant is [sluice.CodeDiscrepancy], naming the account.
func (b *Book) Load(s State) (err error) {
	b.mu.Lock()
	defer b.leave(&err)
	var grants []sluice.Account // after their wallets, and in the order that they are kept in
	for _, a := range s.Accounts {
		if a.ID.Kind() == sluice.AccountGrant {
			grants = append(grants, a)
		} else {
			b.insert(a)
		}
	}
	slices.SortFunc(grants, func(x, y sluice.Account) int { return compareGrants(&x, &y) })
	for _, a := range grants {
		b.insert(a)
	}
	b.former = s.Former
	open := map[sluice.AccountID]sluice.Nanos{}
	for _, t := range s.Pending {
		a := b.accounts[t.Debit]
		if a == nil {
			return sluice.Errorf(sluice.CodeDiscrepancy, "a pending transfer is on %s, which does not exist", t.Debit)
		}
		open[t.Debit] += t.Amount
		h := b.holds[t.Request]
		if h == nil {
			h = &hold{Hold: sluice.Hold{Request: t.Request, Deadline: t.ExpiresAt}, opened: true, loaded: true, journal: t.Gateway, seq: t.JournalSeq}
			h.Price.Version = t.PriceVersion
			b.holds[t.Request] = h
		}
		switch a.ID.Kind() {
		case sluice.AccountWallet:
			h.Wallet = a.ID
		case sluice.AccountGrant:
			h.Wallet = a.Wallet
		}
		h.legs = append(h.legs, leg{from: a, to: b.account(t.Credit), amount: t.Amount, pending: t.ID})
	}
	for _, a := range s.Accounts {
		if a.Pending != open[a.ID] {
			return sluice.Errorf(sluice.CodeDiscrepancy, "account %s has %s pending, its open holds are %s", a.ID, a.Pending, open[a.ID])
		}
		if a.Floor != sluice.NoFloor && a.Posted-a.Pending < a.Floor {
			return sluice.Errorf(sluice.CodeDiscrepancy, "account %s is below its floor", a.ID)
		}
	}
	for journal, seq := range s.Positions {
		b.applied[journal], b.durable[journal] = seq, seq
	}
	return nil
}

// Snapshot returns the book's state in a fixed order: what a store has once
// everything in the outbox is committed. Promises are not part of it.
func (b *Book) Snapshot() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := State{Positions: map[string]uint64{}, Former: b.former}
	for _, a := range b.accounts {
		s.Accounts = append(s.Accounts, a.Account)
	}
	slices.SortFunc(s.Accounts, func(x, y sluice.Account) int { return strings.Compare(string(x.ID), string(y.ID)) })
	for _, h := range b.holds {
		for i, l := range h.legs {
			if !l.pending.IsZero() {
				s.Pending = append(s.Pending, h.pendingTransfer(i, b.id(h.Request, h.Request.String(), "hold", 0), time.Time{}))
			}
		}
	}
	slices.SortFunc(s.Pending, func(x, y sluice.Transfer) int { return slices.Compare(x.ID[:], y.ID[:]) })
	for journal, seq := range b.applied {
		s.Positions[journal] = seq
	}
	return s
}

// window remembers the last n things by key.
type window[K comparable, V any] struct {
	by   map[K]V
	ring []K
	next int
}

func newWindow[K comparable, V any](n int) window[K, V] {
	return window[K, V]{by: make(map[K]V), ring: make([]K, 0, n)}
}

func (w *window[K, V]) put(k K, v V) {
	if _, ok := w.by[k]; ok {
		w.by[k] = v
		return
	}
	if len(w.ring) < cap(w.ring) {
		w.ring = append(w.ring, k)
	} else {
		delete(w.by, w.ring[w.next])
		w.ring[w.next] = k
		w.next = (w.next + 1) % len(w.ring)
	}
	w.by[k] = v
}
