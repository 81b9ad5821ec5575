package ledger

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
)

// Violation is a broken invariant, by its number in docs/money.md.
type Violation struct {
	Invariant string `json:"invariant"` // "I1" ...
	Subject   string `json:"subject"`   // the account, transfer or request
	Message   string `json:"message"`
}

func violation(invariant string, subject any, format string, args ...any) Violation {
	return Violation{invariant, fmt.Sprint(subject), fmt.Sprintf(format, args...)}
}

// Figures are what the continuous checks measured; every count of violations
// belongs at 0.
type Figures struct {
	Accounts, OpenHolds, Promises, Uncommitted int
	// Sums is posted over all accounts, by asset: 0 (I1).
	Sums       map[string]sluice.Nanos
	Violations []Violation
}

// Check measures the invariants that the book can tell by itself: I1 (postings
// of an asset sum to zero), I3 (pending is the sum of open holds), I4 (no
// account is below its floor) and I12 (no hold outlives its deadline by more
// than grace, unless it waits for the store or for a journal; see [Book.Expire]).
//
// The lock is held for a slice of accounts at a time, so that requests go on, and
// once for all holds. What moves between the slices is added to the sums.
func (b *Book) Check(now time.Time, grace time.Duration) Figures {
	b.checking.Lock()
	defer b.checking.Unlock()
	f := Figures{Sums: map[string]sluice.Nanos{}}
	b.mu.Lock()
	b.tally.round++
	clear(b.tally.moved)
	b.mu.Unlock()
	var busy []*account // something is held of them, or was when they were seen
	b.walk(func(a *account) {
		if a.round == b.tally.round {
			return // opened meanwhile: all that is posted on it has moved
		}
		a.round = b.tally.round
		f.Sums[a.Asset] += a.Posted
		if a.Pending != 0 || a.promised != 0 {
			busy = append(busy, a)
		}
		if a.Floor != sluice.NoFloor && a.Posted-a.Pending < a.Floor {
			f.Violations = append(f.Violations, violation("I4", a.ID, "posted %s less pending %s is below %s", a.Posted, a.Pending, a.Floor))
		}
	})
	b.mu.Lock()
	b.checkHolds(&f, busy, now, grace)
	f.Accounts, f.Uncommitted = len(b.accounts), len(b.outbox)
	for _, more := range []map[string]sluice.Nanos{b.past, b.tally.moved} {
		for asset, n := range more {
			f.Sums[asset] += n
		}
	}
	b.mu.Unlock()
	for asset, sum := range f.Sums {
		if sum != 0 {
			f.Violations = append(f.Violations, violation("I1", asset, "all accounts together hold %s", sum))
		}
	}
	sortViolations(f.Violations)
	return f
}

// checkHolds compares holds with what their accounts, and others, say is held.
func (b *Book) checkHolds(f *Figures, busy []*account, now time.Time, grace time.Duration) {
	type held struct{ pending, promised sluice.Nanos }
	by := make(map[*account]held, len(busy))
	for _, a := range busy {
		by[a] = held{}
	}
	for _, h := range b.holds {
		if h.opened {
			f.OpenHolds++
		} else {
			f.Promises++
		}
		if h.Deadline.Add(grace).Before(now) && !b.stalled && !b.awaits(h, now) {
			f.Violations = append(f.Violations, violation("I12", h.Request, "its hold should have expired at %s", h.Deadline.UTC().Format(time.RFC3339)))
		}
		for _, l := range h.legs {
			sums := by[l.from]
			if l.pending.IsZero() {
				sums.promised += l.amount
			} else {
				sums.pending += l.amount
			}
			by[l.from] = sums
		}
	}
	for a, sums := range by {
		if a.Pending != sums.pending || a.promised != sums.promised {
			f.Violations = append(f.Violations, violation("I3", a.ID, "pending %s and promised %s, but open holds are %s and %s", a.Pending, a.promised, sums.pending, sums.promised))
		}
	}
}

// tally is what was posted on accounts that a running check has seen already.
type tally struct {
	round uint64
	moved map[string]sluice.Nanos // by asset
}

// sliceLength is how many accounts are looked at before others get the lock: about
// 50 us.
const sliceLength = 128

// walk calls fn for every account that stays, with the lock held, and lets go of
// it again and again. Accounts that are opened meanwhile may be left out.
func (b *Book) walk(fn func(*account)) {
	b.mu.Lock()
	n := 0
	for _, a := range b.accounts {
		if n == sliceLength {
			b.pause(n)
			n = 0
		}
		fn(a)
		n++
	}
	b.mu.Unlock()
	b.sliced(n)
}

// pause lets others have the lock between two slices.
func (b *Book) pause(n int) {
	b.mu.Unlock()
	b.sliced(n)
	runtime.Gosched() // whoever waits is first
	b.mu.Lock()
}

// sliced tells of a slice.
func (b *Book) sliced(n int) {
	if b.onSlice != nil {
		b.onSlice(n)
	}
}

func sortViolations(v []Violation) {
	slices.SortFunc(v, func(x, y Violation) int {
		if c := strings.Compare(x.Invariant, y.Invariant); c != 0 {
			return c
		}
		return strings.Compare(x.Subject, y.Subject)
	})
}

// Verify proves accounts from nothing but transfers, in the order in which they
// were booked: ids are unique, each transfer is valid, a pending transfer is
// resolved at most once and by no more than it holds, balances are the sums of
// transfers (I1 to I3), and no account ends below its floor (I4). It shares no
// code with the book.
func Verify(accounts []sluice.Account, transfers []sluice.Transfer) []Violation {
	p := NewProof()
	p.v.seen = map[sluice.TransferID]bool{}
	for _, t := range transfers {
		p.Transfer(t)
	}
	for _, a := range accounts {
		p.Account(a)
	}
	return p.End()
}

// Proof is [Verify] for a ledger that does not fit into memory: it keeps the sums
// of accounts and the holds that are open, not the transfers. That ids are unique
// is left to the store. First come all transfers, in their order, then all
// accounts, then the end. It belongs to one goroutine.
type Proof struct {
	v    verifier
	sums map[string]sluice.Nanos
}

// NewProof returns a proof that has seen nothing.
func NewProof() *Proof {
	return &Proof{sums: map[string]sluice.Nanos{}, v: verifier{
		open:   map[sluice.TransferID]sluice.Transfer{},
		posted: map[sluice.AccountID]sluice.Nanos{}, pending: map[sluice.AccountID]sluice.Nanos{},
	}}
}

// Transfer takes the next transfer.
func (p *Proof) Transfer(t sluice.Transfer) { p.v.transfer(t) }

// Account compares an account with its transfers.
func (p *Proof) Account(a sluice.Account) {
	v := &p.v
	p.sums[a.Asset] += a.Posted
	if a.Posted != v.posted[a.ID] {
		v.report("I2", a.ID, "posted %s, its transfers sum to %s", a.Posted, v.posted[a.ID])
	}
	if a.Pending != v.pending[a.ID] {
		v.report("I3", a.ID, "pending %s, its open transfers sum to %s", a.Pending, v.pending[a.ID])
	}
	if a.Floor != sluice.NoFloor && a.Posted-a.Pending < a.Floor {
		v.report("I4", a.ID, "posted %s less pending %s is below %s", a.Posted, a.Pending, a.Floor)
	}
	delete(v.posted, a.ID)
	delete(v.pending, a.ID)
}

// End returns what is wrong, in a fixed order; nothing is right.
func (p *Proof) End() []Violation {
	for id, n := range p.v.posted {
		if n != 0 {
			p.v.report("I2", id, "transfers of %s to an account that does not exist", n)
		}
	}
	for asset, sum := range p.sums {
		if sum != 0 {
			p.v.report("I1", asset, "all accounts together hold %s", sum)
		}
	}
	sortViolations(p.v.found)
	return p.v.found
}

// verifier replays transfers.
type verifier struct {
	seen            map[sluice.TransferID]bool // nil: ids are known to be unique
	open            map[sluice.TransferID]sluice.Transfer
	posted, pending map[sluice.AccountID]sluice.Nanos
	found           []Violation
}

func (v *verifier) report(invariant string, subject any, format string, args ...any) {
	v.found = append(v.found, violation(invariant, subject, format, args...))
}

func (v *verifier) transfer(t sluice.Transfer) {
	if v.seen[t.ID] {
		v.report("I2", t.ID, "booked twice")
		return
	}
	if v.seen != nil {
		v.seen[t.ID] = true
	}
	if err := t.Validate(); err != nil {
		v.report("I1", t.ID, "%v", err)
		return
	}
	if t.Kind == sluice.TransferPending {
		v.open[t.ID] = t
		v.pending[t.Debit] += t.Amount
		return
	}
	if t.Kind != sluice.TransferSingle {
		p, ok := v.open[t.Pending]
		if !ok || p.Debit != t.Debit || p.Credit != t.Credit || t.Amount > p.Amount {
			v.report("I3", t.ID, "resolves %s, which is not open, elsewhere, or smaller", t.Pending)
			return
		}
		delete(v.open, t.Pending)
		v.pending[p.Debit] -= p.Amount
	}
	if t.Kind != sluice.TransferVoid {
		v.posted[t.Debit] -= t.Amount
		v.posted[t.Credit] += t.Amount
	}
}
