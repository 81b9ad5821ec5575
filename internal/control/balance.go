package control

import (
	"context"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/ledger"
	"github.com/sluicegate/sluice/internal/store"
)

// maxCappedKeys bounds the keys of a user that a balance shows the caps of.
const maxCappedKeys = 100

// Balance says what an owner may spend: a tenant, one of its users with the caps
// of the user's keys, or a key with its caps and the wallet that it spends from.
// Callers who may read their own only get those when they name none. In the
// process that keeps the ledger the figures are those of this moment; in others,
// those that are stored.
func (s *Session) Balance(ctx context.Context, q sluice.BalanceQuery) (out sluice.Balances, err error) {
	out.Wallets = []sluice.Wallet{}
	err = s.c.db.Read(ctx, func(tx *store.Tx) error {
		owner, err := s.readableWallet(tx, q.WalletOwner)
		if err != nil {
			return err
		}
		r := balanceReader{tx: tx, now: tx.Now()}
		if s.c.cfg.Ledger != nil {
			r.book = s.c.cfg.Ledger.Book()
		}
		if out.Wallets, err = r.wallets(owner, q.Asset); err != nil {
			return err
		}
		keys, err := cappedKeys(tx, owner)
		if err != nil {
			return err
		}
		for _, k := range keys {
			used, err := r.caps(k, q.Asset)
			if err != nil {
				return err
			}
			out.Caps = append(out.Caps, used...)
		}
		return nil
	})
	return out, err
}

// cappedKeys are the keys whose caps belong into an owner's balance.
func cappedKeys(tx *store.Tx, o walletOwner) (keys []*sluice.Key, err error) {
	if o.key != nil {
		return []*sluice.Key{o.key}, nil
	}
	if o.user == nil {
		return nil, nil
	}
	list, err := tx.List(sluice.KindKey, store.Selection{Tenant: o.tenant.Name, Match: map[string]string{"user": o.user.Name}, Limit: maxCappedKeys})
	for _, k := range list {
		keys = append(keys, k.(*sluice.Key))
	}
	return keys, err
}

// balanceReader reads balances, from memory where the ledger is at hand and
// otherwise from what is stored.
type balanceReader struct {
	tx   *store.Tx
	book *ledger.Book
	now  time.Time
}

// wallets are an owner's in every asset, or in one, opened or not.
func (r balanceReader) wallets(o walletOwner, asset string) ([]sluice.Wallet, error) {
	out := []sluice.Wallet{}
	if asset != "" {
		w, err := r.wallet(o, asset)
		return append(out, w), err
	}
	accounts, err := r.tx.Accounts(store.AccountSelection{Kind: sluice.AccountWallet, Owner: o.ledgerOwner() + "@"})
	if err != nil {
		return nil, err
	}
	for _, a := range accounts {
		w, err := r.wallet(o, a.Asset)
		if err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, nil
}

func (r balanceReader) wallet(o walletOwner, asset string) (sluice.Wallet, error) {
	id := o.account(asset)
	a, err := r.account(id)
	if err != nil {
		return sluice.Wallet{}, err
	}
	w := sluice.Wallet{Account: id, Asset: asset, Posted: a.Posted, Held: a.Pending, Spending: o.spending()}
	available, limit := a.Left, o.floor(asset)
	if w.UnlimitedCredit = limit == sluice.NoFloor; !w.UnlimitedCredit {
		w.CreditLimit = -limit
		available -= limit // the present one, which the ledger takes over with the next request
	}
	owed, err := r.account(sluice.OwnedAccount(sluice.AccountReceivable, o.ledgerOwner(), asset))
	if err != nil {
		return w, err
	}
	w.Owed = -owed.Posted
	grants, err := r.grants(id)
	for _, g := range grants {
		if g.Posted == 0 || !g.ExpiresAt.IsZero() && !g.ExpiresAt.After(r.now) {
			continue
		}
		w.Grants = append(w.Grants, sluice.GrantLeft{Account: g.ID, Left: g.Posted, Held: g.Pending, ExpiresAt: g.ExpiresAt})
		available += g.Available
	}
	if !w.UnlimitedCredit {
		w.Available = &available
	}
	return w, err
}

// caps says how far a key's caps are used up.
func (r balanceReader) caps(k *sluice.Key, asset string) (out []sluice.CapUse, err error) {
	for _, c := range k.Caps {
		if asset != "" && c.Limit.Asset != asset {
			continue
		}
		one := sluice.Key{Meta: k.Meta, Caps: []sluice.SpendingCap{c}}
		account, err := r.account(one.CapLimits(c.Limit.Asset, r.now)[0].Account)
		if err != nil {
			return nil, err
		}
		out = append(out, sluice.CapUse{Key: k.Name, Period: c.Period, Limit: c.Limit, Used: -account.Posted, Held: account.Pending})
	}
	return out, nil
}

// account returns an account; one that was never opened is empty.
func (r balanceReader) account(id sluice.AccountID) (ledger.Balance, error) {
	if r.book != nil {
		b, _ := r.book.Balance(id)
		return b, nil
	}
	a, err := r.tx.Account(id)
	if sluice.CodeOf(err) == sluice.CodeNotFound {
		return ledger.Balance{}, nil
	}
	return stored(a), err
}

// grants returns the grants of a wallet, the earliest to expire first.
func (r balanceReader) grants(wallet sluice.AccountID) (out []ledger.Balance, err error) {
	if r.book != nil {
		return r.book.Grants(wallet), nil
	}
	list, err := r.tx.Accounts(store.AccountSelection{Kind: sluice.AccountGrant, Wallet: wallet})
	for _, a := range list {
		out = append(out, stored(a))
	}
	return out, err
}

// stored is an account as another process has stored it.
func stored(a sluice.Account) ledger.Balance {
	b := ledger.Balance{Account: a, Left: a.Posted - a.Pending}
	if a.Floor != sluice.NoFloor {
		b.Available = a.Posted - a.Pending - a.Floor
	}
	return b
}
