package ledger

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
)

// account is an account with what only memory knows of it.
type account struct {
	sluice.Account
	// limit is what the terms allow the balance to go down to. The floor follows
	// it, and stays lower while more than that is used already.
	limit sluice.Nanos
	// promised is held for requests that no OPEN has been applied of.
	promised sluice.Nanos
	// unconfirmed was credited or released and is not in the store yet.
	unconfirmed sluice.Nanos
	// swept says that a grant has expired and holds nothing: it is in no list of
	// grants any more.
	swept bool
	// grants of a wallet, the earliest to expire first.
	grants []*account
	// revenue is where a wallet's charges go, once it has been looked up.
	revenue *account
	// tally is the book's, round the last check that has seen the account.
	tally *tally
	round uint64
}

// available is what may be held or spent now; below zero while more is used than
// the terms allow.
func (a *account) available() sluice.Nanos {
	if a.limit == sluice.NoFloor {
		return maxAmount
	}
	return a.left() - a.limit
}

// left is what nobody has used: the balance that a crash cannot lower.
func (a *account) left() sluice.Nanos { return a.Posted - a.Pending - a.promised - a.unconfirmed }

// bounded reports whether terms may bound the account: then what raises it waits
// until the store has it, whatever the terms are now.
func (a *account) bounded() bool {
	switch a.ID.Kind() {
	case sluice.AccountWallet, sluice.AccountGrant, sluice.AccountCap:
		return true
	}
	return false
}

// maxID bounds the name of an account; see [sluice.Account.Validate].
const maxID = 200

// maxAmount bounds every single amount, so that sums of a few cannot overflow.
const maxAmount = sluice.Nanos(1) << 61

// add moves the posted balance; the chart as a whole stays at zero because every
// move has two sides.
func (a *account) add(n sluice.Nanos) {
	sum, ok := a.Posted.Add(n)
	if !ok {
		panic(fmt.Sprintf("ledger: account %s overflows by %s", a.ID, n))
	}
	a.Posted = sum
	if a.tally != nil && a.round == a.tally.round {
		a.tally.moved[a.Asset] += n
	}
}

// assert breaks the book when a balance is impossible: going on would charge or
// give away what nobody can explain.
func (a *account) assert() {
	if a.Pending < 0 || a.promised < 0 || a.unconfirmed < 0 {
		panic(fmt.Sprintf("ledger: account %s: pending %s, promised %s, unconfirmed %s", a.ID, a.Pending, a.promised, a.unconfirmed))
	}
	if a.Floor != sluice.NoFloor && a.Posted-a.Pending < a.Floor {
		panic(fmt.Sprintf("ledger: account %s: posted %s less pending %s is below the floor %s", a.ID, a.Posted, a.Pending, a.Floor))
	}
}

// owner is what stands between kind and asset in an id.
func owner(id sluice.AccountID) string {
	name, _, _ := strings.Cut(string(id), "@")
	_, who, _ := strings.Cut(name, ":")
	return who
}

// Open opens wallets, grants and caps, all or none; they reach the store with the
// next commit, before any transfer that needs them. A wallet or cap that exists
// takes the floor as its new terms. A grant that exists with other content is
// [sluice.CodeConflict], one of a wallet that neither exists nor comes before it
// [sluice.CodeNotFound]. Other accounts open themselves. Use [Poster.Open], which
// commits.
func (b *Book) Open(accounts ...sluice.Account) (err error) {
	b.mu.Lock()
	defer b.leave(&err)
	if err := b.Broken(); err != nil {
		return err
	}
	for i, a := range accounts {
		if err := b.openable(a, accounts[:i]); err != nil {
			return err
		}
	}
	for _, a := range accounts {
		if a.ID.Kind() == sluice.AccountGrant && b.accounts[a.ID] == nil {
			a.ExpiresAt = storedTime(a.ExpiresAt)
			b.opened(a)
		} else if a.ID.Kind() != sluice.AccountGrant {
			b.meet(a.ID, a.Floor)
		}
	}
	return nil
}

// openable checks an account that is to be opened after others.
func (b *Book) openable(a sluice.Account, before []sluice.Account) error {
	if err := a.Validate(); err != nil {
		return err
	}
	if !floorInRange(a.Floor) || a.Posted != 0 || a.Pending != 0 {
		return sluice.Errorf(sluice.CodeInvalidRequest, "account %s must begin empty and with a floor in range", a.ID).At("/floor")
	}
	switch a.ID.Kind() {
	case sluice.AccountWallet, sluice.AccountCap:
		return nil
	case sluice.AccountGrant:
	default:
		return sluice.Errorf(sluice.CodeInvalidRequest, "account %s opens by itself", a.ID).At("/id")
	}
	if old := b.accounts[a.ID]; old != nil && (old.Wallet != a.Wallet || !old.ExpiresAt.Equal(storedTime(a.ExpiresAt))) {
		return sluice.Errorf(sluice.CodeConflict, "grant %s exists with other terms", a.ID)
	}
	comes := slices.ContainsFunc(before, func(w sluice.Account) bool { return w.ID == a.Wallet })
	if b.accounts[a.Wallet] == nil && !comes {
		return sluice.Errorf(sluice.CodeNotFound, "there is no wallet %s", a.Wallet)
	}
	return nil
}

// storedTime is a time as stores keep it: whole microseconds.
func storedTime(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func floorInRange(floor sluice.Nanos) bool { return floor == sluice.NoFloor || floor >= -maxAmount }

// meet returns a wallet or cap on the terms that a request or an operator
// brought: the first one opens it.
func (b *Book) meet(id sluice.AccountID, limit sluice.Nanos) *account {
	a := b.accounts[id]
	if a == nil {
		id = sluice.AccountID(strings.Clone(string(id))) // a hold's is leased
		return b.opened(sluice.Account{ID: id, Asset: id.Asset(), Floor: limit})
	}
	b.follow(a, limit)
	return a
}

// follow puts an account on new terms. Of a limit that is lowered below what is
// used already, the floor takes only as much as keeps it true, and the rest as
// money comes in; nothing more is spent until then.
func (b *Book) follow(a *account, limit sluice.Nanos) {
	a.limit = limit
	floor := limit
	if limit != sluice.NoFloor {
		floor = min(limit, a.left())
	}
	b.bound(a, floor)
}

// yield lowers an account's floor as far as it takes to spend an amount, however
// little is left. The terms stay: nothing more is held until there is room again.
func (b *Book) yield(a *account, amount sluice.Nanos) { b.bound(a, min(a.Floor, a.left()-amount)) }

// bound gives an account another floor.
func (b *Book) bound(a *account, floor sluice.Nanos) {
	if floor != a.Floor {
		a.Floor = floor
		b.outbox = append(b.outbox, item{floors: []floorChange{{a.ID, floor}}})
	}
}

// opened inserts a new account and has the store know of it before anything else
// that happens to it.
func (b *Book) opened(a sluice.Account) *account {
	b.outbox = append(b.outbox, item{opened: []sluice.Account{a}})
	return b.insert(a)
}

// insert adds an account and ties grants to their wallet.
func (b *Book) insert(a sluice.Account) *account {
	acct := &account{Account: a, limit: a.Floor, tally: b.tally, round: b.tally.round}
	b.accounts[a.ID] = acct
	if wallet := b.accounts[a.Wallet]; wallet != nil && a.ID.Kind() == sluice.AccountGrant {
		wallet.grants = place(wallet.grants, acct)
		b.grants = place(b.grants, acct)
	}
	return acct
}

// place inserts a grant where it belongs.
func place(grants []*account, g *account) []*account {
	i, _ := slices.BinarySearchFunc(grants, g, func(x, y *account) int { return compareGrants(&x.Account, &y.Account) })
	return slices.Insert(grants, i, g)
}

// compareGrants orders by expiry; what never expires is last.
func compareGrants(x, y *sluice.Account) int {
	if x.ExpiresAt.IsZero() != y.ExpiresAt.IsZero() {
		if x.ExpiresAt.IsZero() {
			return 1
		}
		return -1
	}
	if c := x.ExpiresAt.Compare(y.ExpiresAt); c != 0 {
		return c
	}
	return strings.Compare(string(x.ID), string(y.ID))
}

// Balance is an account as the book sees it now.
type Balance struct {
	sluice.Account
	// Available is what may be held now: less than posted less pending by what
	// requests that have just begun hold, and by credit that is not durable yet;
	// below zero while more is used than the terms allow.
	Available sluice.Nanos
	// Left is the same without the terms, which change with the next request.
	Left sluice.Nanos
}

// Balance returns an account; ok is false when the book has none of that id.
func (b *Book) Balance(id sluice.AccountID) (balance Balance, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.accounts[id]
	if a == nil {
		return Balance{}, false
	}
	return a.balance(), true
}

// Grants returns the grants of a wallet that hold something or have not expired,
// the earliest to expire first.
func (b *Book) Grants(wallet sluice.AccountID) (grants []Balance) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w := b.accounts[wallet]; w != nil {
		for _, g := range w.grants {
			grants = append(grants, g.balance())
		}
	}
	return grants
}

func (a *account) balance() Balance {
	return Balance{Account: a.Account, Available: a.available(), Left: a.left()}
}

// account returns an account, opening it when it is of a kind that opens itself.
func (b *Book) account(id sluice.AccountID) *account {
	if a := b.accounts[id]; a != nil {
		return a
	}
	a := sluice.Account{ID: id, Asset: id.Asset(), Floor: sluice.NoFloor}
	switch id.Kind() {
	case "", sluice.AccountWallet, sluice.AccountGrant, sluice.AccountCap:
		return nil
	case sluice.AccountReceivable:
		a.Wallet = sluice.OwnedAccount(sluice.AccountWallet, owner(id), id.Asset())
	}
	return b.opened(a)
}
