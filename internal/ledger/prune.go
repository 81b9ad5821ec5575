package ledger

import (
	"strings"
	"time"

	"github.com/sluicegate/sluice"
)

// KeepPast is how long after its period a cap, and after its expiry a grant, is
// still in memory: longer than any hold, and than clocks differ.
const KeepPast = 48 * time.Hour

// over reports whether a cap's period has been over for so long that the cap
// limits nothing any more: its name ends with the period's first day or month, as
// [sluice.Key.CapLimits] gives it. A cap without a period is never over.
func over(id sluice.AccountID, now time.Time) bool {
	if id.Kind() != sluice.AccountCap {
		return false
	}
	of := owner(id)
	rest, begin := cut(of)
	_, period := cut(rest)
	switch period {
	case "day", "week":
		from, err := time.Parse(time.DateOnly, begin)
		days := 1
		if period == "week" {
			days = 7
		}
		return err == nil && from.AddDate(0, 0, days).Add(KeepPast).Before(now)
	case "month":
		from, err := time.Parse("2006-01", begin)
		return err == nil && from.AddDate(0, 1, 0).Add(KeepPast).Before(now)
	}
	return false
}

// cut splits at the last slash.
func cut(s string) (before, after string) {
	i := strings.LastIndexByte(s, '/')
	return s[:max(i, 0)], s[i+1:]
}

// idle reports whether nothing moves on an account, or is about to.
func (a *account) idle() bool { return a.Pending == 0 && a.promised == 0 && a.unconfirmed == 0 }

// past reports whether an account can be forgotten once nothing names it: it is a
// cap whose period is over, or a grant that is spent or swept, and expired long
// enough ago that nothing is credited to it any more.
func (a *account) past(now time.Time) bool {
	if a.ID.Kind() == sluice.AccountGrant {
		return a.idle() && a.swept && a.ExpiresAt.Add(KeepPast).Before(now)
	}
	return a.idle() && over(a.ID, now)
}

// Prune forgets caps of periods, and grants, that have been over for two days and
// that no request needs: each key with a daily cap has a new one every day, and
// grants pile up as they are given. The store keeps them; [Poster] finds a grant
// there that is named again. It returns how many it forgot; once an hour is often
// enough. The lock is held for a slice of accounts at a time.
func (b *Book) Prune(now time.Time) (forgotten int) {
	b.checking.Lock()
	defer b.checking.Unlock()
	var past []*account
	b.walk(func(a *account) {
		if a.past(now) {
			past = append(past, a)
		}
	})
	needed := b.named()
	// What has begun since then names no cap that is over (see current) and holds
	// nothing of a grant that has expired.
	for len(past) > 0 {
		n := min(len(past), sliceLength)
		b.mu.Lock()
		for _, a := range past[:n] {
			if !needed[a.ID] && a.past(now) {
				b.past[a.Asset] += a.Posted
				delete(b.accounts, a.ID)
				forgotten++
			}
		}
		b.mu.Unlock()
		past = past[n:]
	}
	return forgotten
}

// named returns the accounts that requests hold something of, and grants that the
// store has not heard the last of: found there again, they would have what they
// had before.
func (b *Book) named() map[sluice.AccountID]bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	named := map[sluice.AccountID]bool{}
	for _, h := range b.holds {
		for _, l := range h.legs {
			named[l.from.ID] = true
		}
		for _, c := range h.Caps {
			named[c.Account] = true
		}
	}
	for i := range b.outbox {
		for _, t := range b.outbox[i].transfers {
			if t.Debit.Kind() == sluice.AccountGrant {
				named[t.Debit] = true
			}
			if t.Credit.Kind() == sluice.AccountGrant {
				named[t.Credit] = true
			}
		}
		for _, a := range b.outbox[i].opened {
			if a.ID.Kind() == sluice.AccountGrant {
				named[a.ID] = true
			}
		}
	}
	return named
}

// strangers returns the grants among accounts that the book does not know.
func (b *Book) strangers(named []sluice.AccountID) (unknown []sluice.AccountID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range named {
		if id.Kind() == sluice.AccountGrant && b.accounts[id] == nil {
			unknown = append(unknown, id)
		}
	}
	return unknown
}

// meetAgain takes grants of the store back into memory.
func (b *Book) meetAgain(grants []sluice.Account) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, g := range grants {
		if b.accounts[g.ID] == nil {
			b.insert(g)
		}
	}
}

// current keeps the caps that still limit something: entries that were away for
// long must not meet a cap again that is forgotten, and would seem unused.
func current(caps []sluice.CapLimit, now time.Time) (list []sluice.CapLimit) {
	for _, c := range caps {
		if !over(c.Account, now) {
			list = append(list, c)
		}
	}
	return list
}
