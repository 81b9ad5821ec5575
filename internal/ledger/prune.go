package ledger

import (
	"strings"
	"time"

	"github.com/sluicegate/sluice"
)

// keepPast is how long after its period a cap is still in memory: longer than any
// hold, and than clocks differ.
const keepPast = 48 * time.Hour

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
		return err == nil && from.AddDate(0, 0, days).Add(keepPast).Before(now)
	case "month":
		from, err := time.Parse("2006-01", begin)
		return err == nil && from.AddDate(0, 1, 0).Add(keepPast).Before(now)
	}
	return false
}

// cut splits at the last slash.
func cut(s string) (before, after string) {
	i := strings.LastIndexByte(s, '/')
	return s[:max(i, 0)], s[i+1:]
}

// Prune forgets caps of periods that have been over for two days and that no
// request needs: each key with a daily cap has a new one every day. The store
// keeps them. It returns how many it forgot; once an hour is often enough. The lock
// is held for a slice of accounts at a time.
func (b *Book) Prune(now time.Time) (forgotten int) {
	b.checking.Lock()
	defer b.checking.Unlock()
	var idle []*account
	b.walk(func(a *account) {
		if a.Pending == 0 && a.promised == 0 && a.unconfirmed == 0 && over(a.ID, now) {
			idle = append(idle, a)
		}
	})
	b.mu.Lock()
	needed := map[sluice.AccountID]bool{}
	for _, h := range b.holds {
		for _, l := range h.legs {
			needed[l.from.ID] = true
		}
		for _, c := range h.Caps {
			needed[c.Account] = true
		}
	}
	b.mu.Unlock()
	// What has begun since then names no cap that is over: see current.
	for len(idle) > 0 {
		n := min(len(idle), sliceLength)
		b.mu.Lock()
		for _, a := range idle[:n] {
			if !needed[a.ID] && a.Pending == 0 && a.promised == 0 && a.unconfirmed == 0 {
				b.past[a.Asset] += a.Posted
				delete(b.accounts, a.ID)
				forgotten++
			}
		}
		b.mu.Unlock()
		idle = idle[n:]
	}
	return forgotten
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
