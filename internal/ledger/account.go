package ledger

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluicegate/sluice"
)

// account is an account with what only memory knows of it.
type account struct {
	sluice.Account
	// promised is held for requests that no OPEN has been applied of.
	promised sluice.Nanos
	// unconfirmed was credited or released and is not in the store yet.
	unconfirmed sluice.Nanos
	// grants of a wallet, the earliest to expire first.
	grants []*account
	// revenue is where a wallet's charges go, once it has been looked up.
	revenue *account
}

// available is what may be held or spent now.
func (a *account) available() sluice.Nanos {
	if a.Floor == sluice.NoFloor {
		return maxAmount
	}
	return a.Posted - a.Pending - a.promised - a.unconfirmed - a.Floor
}

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
}

// assert stops the process when a balance is impossible: going on would charge
// or give away what nobody can explain.
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

// Open opens an account that the store already has. Opening it again with the
// same content changes nothing; with other content it is
// [sluice.CodeConflict]. Accounts of the house, of providers and receivables
// open themselves.
func (b *Book) Open(a sluice.Account) error {
	if err := a.Validate(); err != nil {
		return err
	}
	if a.Floor != sluice.NoFloor && a.Floor < -maxAmount || a.Posted != 0 || a.Pending != 0 {
		return sluice.Errorf(sluice.CodeInvalidRequest, "account %s must begin empty and with a floor in range", a.ID).At("/floor")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if old := b.accounts[a.ID]; old != nil {
		if old.Asset == a.Asset && old.Wallet == a.Wallet && old.Floor == a.Floor && old.ExpiresAt.Equal(a.ExpiresAt) {
			return nil
		}
		return sluice.Errorf(sluice.CodeConflict, "account %s exists with other terms", a.ID)
	}
	if a.ID.Kind() == sluice.AccountGrant && b.accounts[a.Wallet] == nil {
		return sluice.Errorf(sluice.CodeNotFound, "there is no wallet %s", a.Wallet)
	}
	b.insert(a)
	return nil
}

// insert adds an account and ties grants to their wallet.
func (b *Book) insert(a sluice.Account) *account {
	acct := &account{Account: a}
	b.accounts[a.ID] = acct
	if wallet := b.accounts[a.Wallet]; wallet != nil && a.ID.Kind() == sluice.AccountGrant {
		wallet.grants = append(wallet.grants, acct)
		slices.SortFunc(wallet.grants, compareGrants)
		b.grants = append(b.grants, acct)
		slices.SortFunc(b.grants, compareGrants)
	}
	return acct
}

// compareGrants orders by expiry; what never expires is last.
func compareGrants(x, y *account) int {
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

// SetFloor changes the credit limit of a wallet or the limit of a cap. A floor
// above what is spent or held already is [sluice.CodeConflict].
func (b *Book) SetFloor(id sluice.AccountID, floor sluice.Nanos) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.accounts[id]
	if a == nil {
		return sluice.Errorf(sluice.CodeNotFound, "there is no account %s", id)
	}
	if kind := id.Kind(); floor > 0 || floor != sluice.NoFloor && floor < -maxAmount || kind != sluice.AccountWallet && kind != sluice.AccountCap {
		return sluice.Errorf(sluice.CodeInvalidRequest, "the floor of %s cannot be %s", id, floor).At("/floor")
	}
	if floor != sluice.NoFloor && a.Posted-a.Pending-a.promised < floor {
		return sluice.Errorf(sluice.CodeConflict, "account %s has used more than its new limit", id)
	}
	a.Floor = floor
	return nil
}

// Balance is an account as the book sees it now.
type Balance struct {
	sluice.Account
	// Available is what may be held now: less than posted less pending by what
	// requests that have just begun hold, and by credit that is not durable yet.
	Available sluice.Nanos
}

// Balance returns an account; ok is false when the book has none of that id.
func (b *Book) Balance(id sluice.AccountID) (balance Balance, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.accounts[id]
	if a == nil {
		return Balance{}, false
	}
	return Balance{Account: a.Account, Available: a.available()}, true
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
	return b.insert(a)
}
