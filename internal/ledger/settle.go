package ledger

import (
	"slices"
	"time"

	"github.com/sluicegate/sluice"
)

// settling collects the transfers of one final posting.
type settling struct {
	b    *Book
	p    *sluice.Posting
	key  string // the request, as text
	fact position
	now  time.Time
	made []sluice.Transfer
	txn  sluice.TransferID // the first of them
	free []confirm         // what may be spent once the store has this
}

// position is where in which journal something came from.
type position struct {
	journal string
	seq     uint64
}

// transfer books one transfer of the settlement; the first is always
// "settle" 0, so that no second settlement of the request can get past a store.
func (s *settling) transfer(kind sluice.TransferKind, code sluice.TransferCode, from, to *account, amount sluice.Nanos, pending sluice.TransferID) {
	id := s.b.id(s.p.Request, s.key, "settle", len(s.made))
	if len(s.made) == 0 {
		s.txn = id
	}
	t := sluice.Transfer{
		ID: id, Txn: s.txn, Debit: from.ID, Credit: to.ID, Amount: amount, Kind: kind, Pending: pending, Code: code,
		Request: s.p.Request, Attempt: s.p.Attempt, PriceVersion: s.p.Price.Version,
		Gateway: s.fact.journal, JournalSeq: s.fact.seq, BookedAt: s.now,
	}
	s.made = append(s.made, t)
	if kind == sluice.TransferVoid {
		return
	}
	from.add(-amount)
	to.add(amount)
	if to.bounded() {
		to.unconfirmed += amount
		s.free = append(s.free, confirm{to, amount})
	}
}

// settle resolves a request by its final posting and returns what it made.
func (b *Book) settle(p *sluice.Posting, at position, now time.Time) ([]sluice.Transfer, []confirm) {
	s := &settling{b: b, p: p, key: p.Request.String(), fact: at, now: now}
	h := b.holds[p.Request]
	code, rest := sluice.TransferOverage, p.Charge
	var caps []capRest
	if h == nil || !h.opened {
		code = sluice.TransferLateSettle
	}
	if h != nil {
		rest, caps = s.resolve(h)
		b.drop(h)
	}
	s.overage(code, rest)
	for _, c := range caps {
		s.mirror(code, c)
	}
	b.settled.put(p.Request, settlement{at.journal, at.seq, p.Charge})
	return s.made, s.free
}

// mirror books under a cap what its hold did not cover, all of it and whatever
// its limit: a cap that had forgotten some of what was spent would let that much
// more through once it is raised.
func (s *settling) mirror(code sluice.TransferCode, c capRest) {
	if c.rest == 0 {
		return
	}
	s.b.yield(c.cap, c.rest)
	s.transfer(sluice.TransferSingle, code, c.cap, s.b.account(sluice.HouseAccount(sluice.AccountCapSink, c.cap.Asset)), c.rest, sluice.TransferID{})
	c.cap.assert()
}

// capRest is what a cap has not mirrored of the charge yet.
type capRest struct {
	cap  *account
	rest sluice.Nanos
}

// resolve posts the charge against the hold's pending transfers, in their order,
// and voids what is not needed. It returns what they did not cover.
func (s *settling) resolve(h *hold) (rest sluice.Nanos, caps []capRest) {
	rest = s.p.Charge
	under := func(c *account) *capRest {
		i := slices.IndexFunc(caps, func(r capRest) bool { return r.cap == c })
		if i < 0 {
			i, caps = len(caps), append(caps, capRest{c, s.p.Charge})
		}
		return &caps[i]
	}
	for _, limit := range h.Caps { // also those that had no room to hold anything
		if c := s.b.accounts[limit.Account]; c != nil {
			under(c)
		}
	}
	for _, l := range h.legs {
		left := &rest
		if l.from.ID.Kind() == sluice.AccountCap {
			left = &under(l.from).rest
		}
		if l.pending.IsZero() {
			continue // an extension: dropped, then spent as overage
		}
		post := min(l.amount, *left)
		*left -= post
		s.settleLeg(l, post)
	}
	return rest, caps
}

// settleLeg resolves one pending transfer.
func (s *settling) settleLeg(l leg, post sluice.Nanos) {
	l.from.Pending -= l.amount
	if post > 0 {
		s.transfer(sluice.TransferPost, sluice.TransferCharge, l.from, l.to, post, l.pending)
	} else {
		s.transfer(sluice.TransferVoid, sluice.TransferRelease, l.from, l.to, l.amount, l.pending)
	}
	if released := l.amount - post; released > 0 && l.from.bounded() {
		l.from.unconfirmed += released
		s.free = append(s.free, confirm{l.from, released})
	}
	l.from.assert()
}

// overage takes what no pending transfer covered: from grants and wallet as far
// as they reach, then from the receivable, or from the house if the customer
// must not owe.
func (s *settling) overage(code sluice.TransferCode, rest sluice.Nanos) {
	if rest == 0 {
		return
	}
	b, wallet := s.b, s.p.Wallet
	var legs []leg
	missing := rest
	if w := b.accounts[wallet]; w != nil {
		legs, missing = b.legs(w, rest, s.now)
	}
	for _, l := range legs {
		s.transfer(sluice.TransferSingle, code, l.from, l.to, l.amount, sluice.TransferID{})
		l.from.assert()
	}
	if missing == 0 {
		return
	}
	debtor := sluice.OwnedAccount(sluice.AccountReceivable, owner(wallet), wallet.Asset())
	if s.p.DebtForbidden || b.accounts[wallet] == nil {
		debtor = sluice.HouseAccount(sluice.AccountLoss, wallet.Asset())
	}
	s.transfer(sluice.TransferSingle, code, b.account(debtor), b.account(sluice.HouseAccount(sluice.AccountRevenue, wallet.Asset())), missing, sluice.TransferID{})
}

// costOf names what an attempt cost the house; zero when it cost nothing.
func (b *Book) costOf(p *sluice.Posting) sluice.TransferID {
	if p.Cost.Amount == 0 {
		return sluice.TransferID{}
	}
	return b.id(p.Request, p.Request.String(), "cost", int(p.Attempt))
}

// cost books what an attempt cost the house.
func (b *Book) cost(p *sluice.Posting, at position, now time.Time) []sluice.Transfer {
	if p.Cost.Amount == 0 {
		return nil
	}
	from, to := b.account(p.Cost.Debit), b.account(p.Cost.Credit)
	id := b.costOf(p)
	from.add(-p.Cost.Amount)
	to.add(p.Cost.Amount)
	return []sluice.Transfer{{
		ID: id, Txn: id, Debit: from.ID, Credit: to.ID, Amount: p.Cost.Amount, Kind: sluice.TransferSingle, Code: sluice.TransferCost,
		Request: p.Request, Attempt: p.Attempt, PriceVersion: p.Price.Version, Gateway: at.journal, JournalSeq: at.seq, BookedAt: now,
	}}
}
