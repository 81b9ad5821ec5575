package ledger

import (
	"slices"
	"time"

	"github.com/sluicegate/sluice"
)

// End is where a journal ends: the number of the last entry that it has.
type End struct {
	Journal string
	Seq     uint64
}

// Expire voids holds whose deadline has come, drops promises that nobody opened
// in time, and turns what is left of expired grants into breakage. It returns
// how many holds and grants it touched. A charge that comes later is settled
// late. It is cheap when there is nothing to do; once a second is often enough.
//
// journals are those that carry what this book promises, as they end now. What
// such a journal may still tell of stays held until the book has applied all that
// was journaled when the deadline came: the request may have ended long ago, and
// only its entries wait for the store to come back. Where the journals of other
// processes end is not known here: what they asked for, or opened, expires at its
// deadline, or when the time is over for which [Book.Spare] keeps it.
func (b *Book) Expire(now time.Time, journals ...End) (holds, grants int) {
	b.mu.Lock()
	defer b.leave(nil)
	if b.Broken() != nil {
		return 0, 0
	}
	var due []*hold
	for _, h := range b.holds {
		if h.Deadline.After(now) {
			continue
		}
		if !h.overdue {
			h.overdue, h.awaits = true, journals
		}
		if !b.awaits(h, now) {
			due = append(due, h)
		}
	}
	slices.SortFunc(due, func(x, y *hold) int { return slices.Compare(x.Request[:], y.Request[:]) })
	for _, h := range due {
		b.expireHold(h, now)
	}
	return len(due), b.expireGrants(now)
}

// Spare keeps holds from expiring, until a time, whose endings may be on their way
// in journals of other processes: while the store is away, or nobody keeps the
// ledger, those cannot come. An earlier time than the one before changes nothing.
func (b *Book) Spare(until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if until.After(b.spared) {
		b.spared = until
	}
}

// awaits reports whether a hold past its deadline may still be told of by entries
// that were journaled before: the OPEN of a promise, the ending of what a journal
// has opened, which after a crash another process wrote behind it. A promise may
// be another process's.
func (b *Book) awaits(h *hold, now time.Time) bool {
	ours := !h.opened || slices.ContainsFunc(h.awaits, func(e End) bool { return h.journal == e.Journal })
	if ours && slices.ContainsFunc(h.awaits, func(e End) bool { return b.applied[e.Journal] < e.Seq }) {
		return true
	}
	return now.Before(b.spared) && (!ours || !h.opened)
}

func (b *Book) expireHold(h *hold, now time.Time) {
	out := item{}
	for _, l := range h.legs {
		if l.pending.IsZero() {
			continue
		}
		id := b.id(h.Request, l.pending.String(), "expire", 0)
		out.transfers = append(out.transfers, sluice.Transfer{
			ID: id, Txn: b.id(h.Request, h.Request.String(), "hold", 0), Debit: l.from.ID, Credit: l.to.ID, Amount: l.amount,
			Kind: sluice.TransferVoid, Pending: l.pending, Code: sluice.TransferExpire, Request: h.Request, BookedAt: now,
		})
		l.from.Pending -= l.amount
		if l.from.bounded() {
			l.from.unconfirmed += l.amount
			out.confirms = append(out.confirms, confirm{l.from, l.amount})
		}
		l.from.assert()
	}
	b.drop(h)
	if len(out.transfers) > 0 {
		b.outbox = append(b.outbox, out)
	}
}

// expireGrants sweeps grants past their time. What is still held stays until it
// is resolved; the next call sweeps what that releases.
func (b *Book) expireGrants(now time.Time) (swept int) {
	due := 0
	for due < len(b.grants) && !b.grants[due].ExpiresAt.IsZero() && !b.grants[due].ExpiresAt.After(now) {
		due++
	}
	kept := slices.DeleteFunc(b.grants[:due:due], func(g *account) bool {
		if rest := g.available(); rest > 0 {
			b.breakage(g, rest, now)
			swept++
		}
		done := g.Posted == 0 && g.Pending == 0 && g.promised == 0
		g.swept = done
		if w := b.accounts[g.Wallet]; done && w != nil {
			w.grants = slices.DeleteFunc(w.grants, func(o *account) bool { return o == g })
		}
		return done
	})
	b.grants = slices.Delete(b.grants, len(kept), due)
	return swept
}

// breakage moves the rest of a grant to the house. Its id has the balance that
// was left, which only falls once a grant has expired.
func (b *Book) breakage(g *account, rest sluice.Nanos, now time.Time) {
	to := b.account(sluice.HouseAccount(sluice.AccountBreakage, g.Asset))
	id := sluice.NewTransferID(string(g.ID), "expire", int(g.Posted))
	t := sluice.Transfer{ID: id, Txn: id, Debit: g.ID, Credit: to.ID, Amount: rest, Kind: sluice.TransferSingle, Code: sluice.TransferExpire, BookedAt: now}
	g.add(-rest)
	to.add(rest)
	g.assert()
	b.outbox = append(b.outbox, item{transfers: []sluice.Transfer{t}})
}
