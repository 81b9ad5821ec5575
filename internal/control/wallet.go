package control

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

// walletOwner is a tenant, or a user or key of it, that has wallets.
type walletOwner struct {
	tenant *sluice.Tenant
	user   *sluice.User
	key    *sluice.Key
}

// walletOwner finds whose wallet is meant, if the caller may know of it.
func (s *Session) walletOwner(tx *store.Tx, of sluice.WalletOwner) (o walletOwner, err error) {
	if of.User != "" && of.Key != "" {
		return o, sluice.Errorf(sluice.CodeInvalidRequest, "a wallet is a user's or a key's, not both").At("/key")
	}
	tenant := cmp.Or(of.Tenant, s.caller.Tenant)
	if !s.caller.Platform && tenant != s.caller.Tenant {
		return o, sluice.Errorf(sluice.CodeNotFound, "no such wallet")
	}
	found, err := s.member(tx, sluice.KindTenant, tenant, tenant, "/tenant")
	if err != nil {
		return o, err
	}
	o.tenant = found.(*sluice.Tenant)
	if of.User != "" {
		found, err = s.member(tx, sluice.KindUser, tenant, of.User, "/user")
		o.user, _ = found.(*sluice.User)
	}
	if of.Key != "" {
		found, err = s.member(tx, sluice.KindKey, tenant, of.Key, "/key")
		o.key, _ = found.(*sluice.Key)
	}
	return o, err
}

// member finds an object of a tenant; field is to blame when there is none.
func (s *Session) member(tx *store.Tx, kind sluice.Kind, tenant, ref, field string) (sluice.Object, error) {
	found, err := lookup(tx, kind, tenant, ref, tenant)
	missing := sluice.Errorf(sluice.CodeInvalidRequest, "%q does not exist in %s", clipped(ref), kind).At(field)
	if err != nil {
		return nil, orMissing(err, missing)
	}
	if found.GetMeta().Tenant != tenant {
		return nil, missing
	}
	return found, nil
}

// account names the owner's wallet in an asset.
func (o walletOwner) account(asset string) sluice.AccountID {
	switch {
	case o.key != nil:
		return sluice.KeyWallet(o.key.ID, asset)
	case o.user != nil:
		return sluice.UserWallet(o.tenant.Name, o.user.Name, asset)
	}
	return sluice.TenantWallet(o.tenant.Name, asset)
}

// ledgerOwner is how accounts name the owner.
func (o walletOwner) ledgerOwner() string {
	switch {
	case o.key != nil:
		return "key/" + strconv.FormatUint(o.key.ID, 10)
	case o.user != nil:
		return "user/" + o.tenant.Name + "/" + o.user.Name
	}
	return o.tenant.Name
}

// floor is what the owner's wallet may go down to; those of users and keys are
// prepaid.
func (o walletOwner) floor(asset string) sluice.Nanos {
	if o.user != nil || o.key != nil {
		return 0
	}
	return o.tenant.Floor(asset)
}

// spending is how the owner pays.
func (o walletOwner) spending() string {
	if o.user != nil || o.key != nil {
		return sluice.SpendingPrepaid
	}
	return cmp.Or(o.tenant.Spending, sluice.SpendingPostpaid) // none was stored by older releases
}

// named is the owner as payments name it.
func (o walletOwner) named() sluice.WalletOwner {
	named := sluice.WalletOwner{Tenant: o.tenant.Name}
	if o.user != nil {
		named.User = o.user.Name
	}
	if o.key != nil {
		named.Key = o.key.Name
	}
	return named
}

// ownedBy reports whether the wallet is of the caller's own user or of a key of
// that user; a tenant's own is nobody's.
func (o walletOwner) ownedBy(c Caller) bool {
	return o.user != nil && c.owns(o.user) || o.key != nil && c.owns(o.key)
}

// readableWallet finds an owner whose wallets the caller may read. Callers who
// may read their own only are taken to ask for those when they name none.
func (s *Session) readableWallet(tx *store.Tx, of sluice.WalletOwner) (o walletOwner, err error) {
	all := s.caller.may(string(sluice.KindBilling), verbRead, false)
	if !all && of.User == "" && of.Key == "" {
		of.User = s.caller.User
	}
	if o, err = s.walletOwner(tx, of); err != nil {
		return o, err
	}
	if !all && !s.caller.may(string(sluice.KindBilling), verbRead, o.ownedBy(s.caller)) {
		return o, forbidden("your roles do not permit reading this wallet")
	}
	return o, nil
}

// clipped bounds text from outside that a message repeats.
func clipped(s string) string {
	const most = 64
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// ownerOf reads whose a wallet is from its account's name; see
// [sluice.TenantWallet] and the others. What a user or key had that was deleted is
// its tenant's.
func ownerOf(tx *store.Tx, wallet sluice.AccountID) (o sluice.WalletOwner, err error) {
	owner := wallet.Owner()
	if id, ok := strings.CutPrefix(owner, "key/"); ok {
		return ownerByKey(tx, wallet, id)
	}
	rest, ok := strings.CutPrefix(owner, "user/")
	if !ok {
		return sluice.WalletOwner{Tenant: owner}, nil
	}
	o.Tenant, o.User, _ = strings.Cut(rest, "/")
	_, err = tx.ByName(sluice.KindUser, o.Tenant, o.User)
	if sluice.CodeOf(err) == sluice.CodeNotFound {
		return sluice.WalletOwner{Tenant: o.Tenant}, nil
	}
	return o, err
}

// ownerByKey reads whose the wallet of a key is. That of one that was deleted was
// paid by somebody: the payments know its tenant.
func ownerByKey(tx *store.Tx, wallet sluice.AccountID, id string) (o sluice.WalletOwner, err error) {
	number, err := strconv.ParseUint(id, 10, 63)
	if err != nil {
		return o, sluice.Errorf(sluice.CodeDiscrepancy, "the wallet %s is nobody's", wallet)
	}
	key, err := tx.ByID(sluice.KindKey, number)
	if err == nil {
		return sluice.WalletOwner{Tenant: key.GetMeta().Tenant, Key: key.GetMeta().Name}, nil
	}
	if sluice.CodeOf(err) != sluice.CodeNotFound {
		return o, err
	}
	if o.Tenant, err = tx.PaidTenant(wallet); err == nil && o.Tenant == "" {
		err = sluice.Errorf(sluice.CodeConflict, "the key of the wallet that paid was deleted, and nobody knows whose it was")
	}
	return o, err
}

// guardMoney refuses to delete who still has money, owes some, or has requests in
// progress: wallets outlive their owners' objects, and a tenant or user of the
// same name would find what is left in them. Adjustments settle it first, those of
// grants by naming them.
func guardMoney(tx *store.Tx, o sluice.Object) error {
	owner := ""
	switch o := o.(type) {
	case *sluice.Tenant:
		owner = walletOwner{tenant: o}.ledgerOwner()
	case *sluice.User:
		owner = walletOwner{tenant: &sluice.Tenant{Meta: sluice.Meta{Name: o.Tenant}}, user: o}.ledgerOwner()
	case *sluice.Key:
		owner = walletOwner{key: o}.ledgerOwner()
	default:
		return nil
	}
	open, err := tx.PaysOpen(owner)
	if err != nil {
		return err
	}
	if open {
		return sluice.Errorf(sluice.CodeConflict, "a payment to %s is being made; try again in a minute", owner)
	}
	wallets, err := tx.Accounts(store.AccountSelection{Kind: sluice.AccountWallet, Owner: owner + "@"})
	if err != nil {
		return err
	}
	accounts := wallets
	for _, w := range wallets {
		for _, kind := range []sluice.AccountKind{sluice.AccountGrant, sluice.AccountReceivable} {
			sel := store.AccountSelection{Kind: kind, Wallet: w.ID}
			more, err := tx.Accounts(sel)
			if err != nil {
				return err
			}
			accounts = append(accounts, more...)
		}
	}
	for _, a := range accounts {
		if a.Posted != 0 || a.Pending != 0 {
			return sluice.Errorf(sluice.CodeConflict, "%s still has %s %s, of which %s is held; settle it by %s first", a.ID, a.Posted, a.Asset, a.Pending, remedy(a.ID)).
				With("account", string(a.ID)).With("posted", a.Posted.String()).With("held", a.Pending.String())
		}
	}
	return nil
}

// remedy says what brings an account to zero.
func remedy(id sluice.AccountID) string {
	if id.Kind() == sluice.AccountGrant {
		return "an adjustment that names the grant " + strconv.Quote(id.Owner())
	}
	return "an adjustment"
}
