package sluice

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Whose wallet a key spends from; see [Key].
const (
	WalletTenant = "tenant"
	WalletUser   = "user"
	WalletKey    = "key"
)

// SpendingCap bounds what a key spends in one period.
type SpendingCap struct {
	// Period is day, week (from Monday), month, or total (for the key's life); all
	// begin at 00:00 UTC.
	Period string `json:"period" enum:"day,week,month,total"`
	// Limit is the most that may be spent in the period, holds included; spending
	// in other assets is not bounded by it.
	Limit Money `json:"limit"`
}

// periods are those of spending caps.
var periods = []string{"day", "week", "month", "total"}

// validateSpending checks wallet and caps of a key.
func (k *Key) validateSpending() error {
	if !slices.Contains([]string{WalletTenant, WalletUser, WalletKey}, k.Wallet) {
		return Errorf(CodeInvalidRequest, "wallet must be tenant, user or key").At("/wallet")
	}
	if len(k.Caps) > MaxCaps {
		return Errorf(CodeInvalidRequest, "a key has at most %d caps", MaxCaps).At("/caps")
	}
	seen := map[string]bool{}
	for i, c := range k.Caps {
		at := fmt.Sprintf("/caps/%d", i)
		name := c.Period + " " + c.Limit.Asset
		switch {
		case !slices.Contains(periods, c.Period):
			return Errorf(CodeInvalidRequest, "period must be day, week, month or total").At(at + "/period")
		case c.Limit.Amount < 0 || c.Limit.Amount > maxCredit:
			return Errorf(CodeInvalidRequest, "the limit must be 0 to %s", maxCredit).At(at + "/limit/amount")
		case !KnownAsset(c.Limit.Asset):
			return Errorf(CodeInvalidRequest, "%q is not a currency of ISO 4217", clip(c.Limit.Asset)).At(at + "/limit/asset")
		case seen[name]:
			return Errorf(CodeInvalidRequest, "there is another cap by %s in %s", c.Period, c.Limit.Asset).At(at)
		}
		seen[name] = true
	}
	return nil
}

// WalletAccount names the wallet that the key spends from, in an asset.
func (k *Key) WalletAccount(asset string) AccountID {
	switch {
	case k.Wallet == WalletKey:
		return KeyWallet(k.ID, asset)
	case k.Wallet == WalletUser && k.User != "":
		return UserWallet(k.Tenant, k.User, asset)
	}
	return TenantWallet(k.Tenant, asset)
}

// TenantWallet names a tenant's wallet in an asset.
func TenantWallet(tenant, asset string) AccountID {
	return OwnedAccount(AccountWallet, tenant, asset)
}

// UserWallet names the wallet of a user of a tenant in an asset.
func UserWallet(tenant, user, asset string) AccountID {
	return OwnedAccount(AccountWallet, "user/"+tenant+"/"+user, asset)
}

// KeyWallet names the wallet of a key in an asset, by the key's id, which is never
// given to another.
func KeyWallet(id uint64, asset string) AccountID {
	return OwnedAccount(AccountWallet, "key/"+strconv.FormatUint(id, 10), asset)
}

// CapLimits are the key's caps in an asset that are in force at a moment: one
// account for each period.
func (k *Key) CapLimits(asset string, at time.Time) []CapLimit {
	var list []CapLimit
	for _, c := range k.Caps {
		if c.Limit.Asset == asset {
			owner := "key/" + strconv.FormatUint(k.ID, 10) + "/" + c.Period
			if begin := periodBegin(c.Period, at); begin != "" {
				owner += "/" + begin
			}
			list = append(list, CapLimit{OwnedAccount(AccountCap, owner, asset), c.Limit.Amount})
		}
	}
	return list
}

// periodBegin names the period that a moment is in by its first day.
func periodBegin(period string, at time.Time) string {
	at = at.UTC()
	switch period {
	case "day":
		return at.Format(time.DateOnly)
	case "week":
		return at.AddDate(0, 0, -(int(at.Weekday())+6)%7).Format(time.DateOnly)
	case "month":
		return at.Format("2006-01")
	}
	return ""
}
