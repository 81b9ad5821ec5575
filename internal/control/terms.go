package control

import (
	"slices"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

// blameTerm names the term of payment that a refused change of a tenant was
// about: only a platform admin changes tenants, and who tries to give itself
// credit is told by which field.
func blameTerm(refused error, before, after sluice.Object) error {
	is, ok := after.(*sluice.Tenant)
	if !ok || sluice.CodeOf(refused) != sluice.CodeForbidden {
		return refused
	}
	was := &sluice.Tenant{}
	if before != nil {
		was = before.(*sluice.Tenant)
	}
	if field := changedTerm(was, is); field != "" {
		return sluice.Errorf(sluice.CodeForbidden, "only a platform admin changes a tenant's terms of payment").At(field)
	}
	return refused
}

// changedTerm is the first term of payment in which two states of a tenant
// differ, "" for none.
func changedTerm(before, after *sluice.Tenant) string {
	was, is := store.Clone(before).(*sluice.Tenant), store.Clone(after).(*sluice.Tenant)
	was.Normalize()
	is.Normalize()
	switch {
	case was.Spending != is.Spending:
		return "/spending"
	case !sameMoney(was.CreditLimit, is.CreditLimit):
		return "/credit_limit"
	case was.UnlimitedCredit != is.UnlimitedCredit:
		return "/unlimited_credit"
	case was.DebtForbidden != is.DebtForbidden:
		return "/debt_forbidden"
	case was.Durability != is.Durability:
		return "/durability"
	}
	return ""
}

func sameMoney(a, b *sluice.Money) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// keepsTerms keeps people who may write their own keys only from spending more
// than a key was given: it does not go back to the tenant's wallet, and its caps
// stay, whoever set them, or become lower. That is simpler than knowing who set
// which, and always safe; an admin lifts them.
func keepsTerms(was, is *sluice.Key) error {
	if was.Wallet != sluice.WalletTenant && is.Wallet == sluice.WalletTenant {
		return sluice.Errorf(sluice.CodeForbidden, "your roles do not permit spending from the tenant's wallet by this key; an admin may allow it").At("/wallet")
	}
	for _, set := range was.Caps {
		kept := slices.ContainsFunc(is.Caps, func(c sluice.SpendingCap) bool {
			return c.Period == set.Period && c.Limit.Asset == set.Limit.Asset && c.Limit.Amount <= set.Limit.Amount
		})
		if !kept {
			return sluice.Errorf(sluice.CodeForbidden, "your roles do not permit removing or raising the cap by %s in %s; an admin may", set.Period, set.Limit.Asset).At("/caps")
		}
	}
	return nil
}
