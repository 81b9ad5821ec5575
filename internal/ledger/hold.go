package ledger

import (
	"slices"
	"time"

	"github.com/sluicegate/sluice"
)

// hold is what a request holds: first a promise, then, once its OPEN is applied,
// pending transfers.
type hold struct {
	sluice.Hold
	opened bool
	loaded bool // from the store, which does not keep what was asked for
	// overdue says that the deadline was seen to have come, awaits where journals
	// ended then.
	overdue bool
	awaits  []End
	legs    []leg
	// where the pending transfers came from.
	journal string
	seq     uint64
}

// leg is a part of a hold on one account. Without a pending transfer it is a
// promise.
type leg struct {
	from, to *account
	amount   sluice.Nanos
	pending  sluice.TransferID
}

// same reports whether a hold asks for what h asked for.
func (h *hold) same(o sluice.Hold) bool {
	return h.loaded || h.Wallet == o.Wallet && h.Amount == o.Amount && h.Price == o.Price && slices.Equal(h.Caps, o.Caps)
}

// Hold sets aside what a request may cost, from the grants of its wallet in the
// order of their expiry and then from the wallet, all or nothing. The wallet and
// the caps are opened, or follow, on the terms that the hold carries. The same
// hold again changes nothing. Errors: [sluice.CodeInsufficientBalance], with
// "required" and "available" in the details and "cap" when it is a cap that has
// no room; [sluice.CodeConflict] for another hold under the same request, or a
// request that was settled; [sluice.CodeInvalidRequest]; [sluice.CodeUnavailable]
// for a book that is broken.
func (b *Book) Hold(h sluice.Hold, now time.Time) (err error) {
	if err := validate(&h); err != nil {
		return err
	}
	if !h.Deadline.After(now) || h.Amount > maxAmount {
		return sluice.Errorf(sluice.CodeInvalidRequest, "the hold's deadline has passed, or its amount is out of range")
	}
	b.mu.Lock()
	defer b.leave(&err)
	if err := b.Broken(); err != nil {
		return err
	}
	if old := b.holds[h.Request]; old != nil {
		if old.same(h) {
			return nil
		}
		return sluice.Errorf(sluice.CodeConflict, "request %s holds something else", h.Request)
	}
	if _, done := b.settled.by[h.Request]; done {
		return sluice.Errorf(sluice.CodeConflict, "request %s is settled", h.Request)
	}
	wallet := b.meet(h.Wallet, h.Floor)
	legs, missing := b.legs(wallet, h.Amount, now)
	if missing > 0 {
		return insufficient(h.Amount, h.Amount-missing)
	}
	h.Wallet, h.Caps = wallet.ID, slices.Clone(h.Caps) // the caller's are leased
	for i, limit := range h.Caps {
		if over(limit.Account, now) {
			return sluice.Errorf(sluice.CodeInvalidRequest, "the period of cap %s is over", limit.Account).At("/caps")
		}
		c := b.meet(limit.Account, -limit.Limit)
		h.Caps[i].Account = c.ID
		if c.available() < h.Amount {
			return insufficient(h.Amount, max(c.available(), 0)).With("cap", string(limit.Account))
		}
		if h.Amount > 0 {
			legs = append(legs, leg{from: c, to: b.account(sluice.HouseAccount(sluice.AccountCapSink, c.Asset)), amount: h.Amount})
		}
	}
	b.promise(&hold{Hold: h, legs: legs})
	return nil
}

// validate checks a hold by itself and against what a book can count.
func validate(h *sluice.Hold) error {
	if err := h.Validate(); err != nil {
		return err
	}
	if !floorInRange(h.Floor) || len(h.Wallet) > maxID {
		return sluice.Errorf(sluice.CodeInvalidRequest, "the wallet's name or floor is out of range").At("/floor")
	}
	for _, c := range h.Caps {
		if c.Limit > maxAmount || len(c.Account) > maxID {
			return sluice.Errorf(sluice.CodeInvalidRequest, "the name or the limit of a cap is out of range").At("/caps")
		}
	}
	return nil
}

func insufficient(required, available sluice.Nanos) *sluice.Error {
	return sluice.Errorf(sluice.CodeInsufficientBalance, "the request needs %s, %s is available", required, available).
		With("required", required.String()).With("available", available.String())
}

// promise puts a hold's legs, which have no pending transfers yet, in force.
func (b *Book) promise(h *hold) {
	for _, l := range h.legs {
		l.from.promised += l.amount
		l.from.assert()
	}
	b.holds[h.Request] = h
}

// legs spreads an amount over a wallet's grants and the wallet as far as they
// reach; missing is what they lack.
func (b *Book) legs(w *account, amount sluice.Nanos, now time.Time) (legs []leg, missing sluice.Nanos) {
	if w.revenue == nil {
		w.revenue = b.account(sluice.HouseAccount(sluice.AccountRevenue, w.Asset))
	}
	take := func(a *account) {
		if part := min(amount, max(a.available(), 0)); part > 0 {
			legs = append(legs, leg{from: a, to: w.revenue, amount: part})
			amount -= part
		}
	}
	for _, g := range w.grants {
		if g.ExpiresAt.IsZero() || g.ExpiresAt.After(now) {
			take(g)
		}
	}
	take(w)
	return legs, amount
}

// Extend raises a running request's hold to a total, as its delivery reaches
// what was held; a lower total changes nothing. The extension is a promise: it
// keeps the money for the charge and is not written. Errors:
// [sluice.CodeInsufficientBalance] (the request has to end),
// [sluice.CodeNotFound] for a request that holds nothing.
func (b *Book) Extend(id sluice.RequestID, total sluice.Nanos, now time.Time) (err error) {
	b.mu.Lock()
	defer b.leave(&err)
	if err := b.Broken(); err != nil {
		return err
	}
	h := b.holds[id]
	if h == nil || total > maxAmount || b.accounts[h.Wallet] == nil {
		return sluice.Errorf(sluice.CodeNotFound, "request %s holds nothing", id)
	}
	more := total
	for _, l := range h.legs {
		if l.from.ID.Kind() != sluice.AccountCap {
			more -= l.amount
		}
	}
	if more <= 0 {
		return nil
	}
	legs, missing := b.legs(b.accounts[h.Wallet], more, now)
	if missing > 0 {
		return insufficient(more, more-missing)
	}
	for _, limit := range h.Caps {
		if c := b.accounts[limit.Account]; c.available() < more {
			return insufficient(more, max(c.available(), 0)).With("cap", string(limit.Account))
		}
	}
	for _, limit := range h.Caps {
		legs = append(legs, leg{from: b.accounts[limit.Account], to: b.account(sluice.HouseAccount(sluice.AccountCapSink, h.Wallet.Asset())), amount: more})
	}
	for _, l := range legs {
		l.from.promised += l.amount
		l.from.assert()
	}
	h.legs = append(h.legs, legs...)
	return nil
}

// Release takes back the promise of a request that never opened an attempt. A
// request that did is settled through the journal, at 0 if need be; Release
// leaves it alone. Unknown requests are no error.
func (b *Book) Release(id sluice.RequestID) {
	b.mu.Lock()
	defer b.leave(nil)
	if h := b.holds[id]; b.Broken() == nil && h != nil && !h.opened {
		b.drop(h)
	}
}

// drop ends a hold's promises and forgets it.
func (b *Book) drop(h *hold) {
	for _, l := range h.legs {
		if l.pending.IsZero() {
			l.from.promised -= l.amount
			l.from.assert()
		}
	}
	delete(b.holds, h.Request)
}

// open turns a hold's promises into pending transfers, and finds what it can
// for a hold that this book never promised: money that was journaled is spoken
// for, so the OPEN is not refused; what is missing becomes overage.
func (b *Book) open(o sluice.Hold, journal string, seq uint64, now time.Time) []sluice.Transfer {
	if _, done := b.settled.by[o.Request]; done {
		return nil
	}
	h := b.holds[o.Request]
	if h == nil {
		h = b.find(o, now)
	}
	if h.opened {
		return nil
	}
	h.opened, h.journal, h.seq = true, journal, seq
	key := h.Request.String()
	var made []sluice.Transfer
	for i := range h.legs {
		l := &h.legs[i]
		l.pending = b.id(h.Request, key, "hold", i)
		l.from.promised -= l.amount
		l.from.Pending += l.amount
		l.from.assert()
		made = append(made, h.pendingTransfer(i, h.legs[0].pending, now))
	}
	return made
}

// find promises what there is for a hold, on the terms that it carries.
func (b *Book) find(o sluice.Hold, now time.Time) *hold {
	h := &hold{Hold: o}
	h.legs, _ = b.legs(b.meet(o.Wallet, o.Floor), min(o.Amount, maxAmount), now)
	h.Caps = current(o.Caps, now)
	for _, limit := range h.Caps {
		c := b.meet(limit.Account, -limit.Limit)
		if part := min(o.Amount, max(c.available(), 0)); part > 0 {
			h.legs = append(h.legs, leg{from: c, to: b.account(sluice.HouseAccount(sluice.AccountCapSink, c.Asset)), amount: part})
		}
	}
	b.promise(h)
	return h
}

// pendingTransfer is the transfer of one leg, in the transaction of its hold.
func (h *hold) pendingTransfer(i int, txn sluice.TransferID, now time.Time) sluice.Transfer {
	l := h.legs[i]
	return sluice.Transfer{
		ID: l.pending, Txn: txn, Debit: l.from.ID, Credit: l.to.ID, Amount: l.amount,
		Kind: sluice.TransferPending, Code: sluice.TransferHold, Request: h.Request, PriceVersion: h.Price.Version,
		Gateway: h.journal, JournalSeq: h.seq, BookedAt: now, ExpiresAt: h.Deadline,
	}
}
