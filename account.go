package sluice

import (
	"math"
	"strings"
	"time"
)

// AccountID names an account of the ledger: its kind, a colon and whose it is
// ("cust.wallet:acme"), or the kind alone for the house's own, and the asset
// behind an @ ("sys.revenue@USD"). Build it with [OwnedAccount] and
// [HouseAccount]; read it with [AccountID.Kind] and [AccountID.Asset].
type AccountID string

// AccountKind says what an account is for. The chart is closed: the ledger
// refuses other kinds.
type AccountKind string

// The chart of accounts. An amount flows from the debit to the credit side of a
// transfer, so what an account holds is its credits less its debits: a wallet's
// is what the customer may still spend, a cost account's goes below zero.
const (
	AccountWallet     AccountKind = "cust.wallet"     // what a tenant, user or key may spend
	AccountGrant      AccountKind = "cust.grant"      // credit that expires, spent before the wallet
	AccountReceivable AccountKind = "cust.receivable" // what a customer owes beyond the wallet
	AccountCap        AccountKind = "cust.cap"        // a spending cap: mirrors what was spent, holds no money

	AccountRevenue      AccountKind = "sys.revenue"      // what customers paid for
	AccountClearing     AccountKind = "sys.clearing"     // money between two legs of one transaction
	AccountCash         AccountKind = "sys.cash"         // where top-ups come from
	AccountPromotion    AccountKind = "sys.promotion"    // where grants and redemption codes come from
	AccountBreakage     AccountKind = "sys.breakage"     // credit that expired unspent
	AccountLoss         AccountKind = "sys.loss"         // what the house bears
	AccountUnreconciled AccountKind = "sys.unreconciled" // what no record explains yet
	AccountCapSink      AccountKind = "sys.cap"          // the other side of every cap

	AccountCOGS            AccountKind = "cogs"             // what a provider's service cost
	AccountPayable         AccountKind = "payable"          // what is owed to a provider account
	AccountSupplierPending AccountKind = "supplier.pending" // a supplier's share within the refund window
	AccountSupplierCleared AccountKind = "supplier.cleared" // a supplier's share that may be paid out
)

// accountKinds is the chart: whether an account of the kind names an owner.
var accountKinds = map[AccountKind]bool{
	AccountWallet: true, AccountGrant: true, AccountReceivable: true, AccountCap: true,
	AccountRevenue: false, AccountClearing: false, AccountCash: false, AccountPromotion: false,
	AccountBreakage: false, AccountLoss: false, AccountUnreconciled: false, AccountCapSink: false,
	AccountCOGS: true, AccountPayable: true, AccountSupplierPending: true, AccountSupplierCleared: true,
}

// AccountKinds returns the chart as a set: the value says whether an account of
// the kind names an owner.
func AccountKinds() map[AccountKind]bool {
	chart := make(map[AccountKind]bool, len(accountKinds))
	for kind, owned := range accountKinds {
		chart[kind] = owned
	}
	return chart
}

// NoFloor is the floor of an account that may go down without limit.
const NoFloor Nanos = math.MinInt64

// Account is one account of the ledger with its balances.
type Account struct {
	ID    AccountID `json:"id"`
	Asset string    `json:"asset"`
	// Floor is what posted less pending never goes below by a hold or a checked
	// transfer: 0 for prepaid, minus the credit limit for postpaid, [NoFloor]
	// for no limit.
	Floor Nanos `json:"floor"`
	// Wallet is the wallet that a grant or a receivable belongs to.
	Wallet AccountID `json:"wallet,omitempty"`
	// ExpiresAt is when what is left of a grant becomes breakage; zero is never.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// Posted is credits less debits of all transfers that took effect.
	Posted Nanos `json:"posted"`
	// Pending is the sum of holds on this account that are still open.
	Pending Nanos `json:"pending"`
}

// OwnedAccount names an account of an owner: the wallet of a tenant ("acme"), a
// user ("user/7") or a key ("key/17"), what is payable to a provider account.
func OwnedAccount(kind AccountKind, owner, asset string) AccountID {
	return AccountID(string(kind) + ":" + owner + "@" + asset)
}

// HouseAccount names one of the house's own accounts in an asset.
func HouseAccount(kind AccountKind, asset string) AccountID {
	return AccountID(string(kind) + "@" + asset)
}

// Kind returns the account's kind, or "" when the id is not one of the chart.
func (id AccountID) Kind() AccountKind {
	name, _, ok := strings.Cut(string(id), "@")
	if !ok {
		return ""
	}
	kind, owner, owned := strings.Cut(name, ":")
	if want, known := accountKinds[AccountKind(kind)]; !known || want != owned || owned && owner == "" {
		return ""
	}
	return AccountKind(kind)
}

// Asset returns what follows the @: the asset that the account is kept in.
func (id AccountID) Asset() string {
	_, asset, _ := strings.Cut(string(id), "@")
	return asset
}

// Owner returns what stands between the kind and the asset, "" for an account of
// the house.
func (id AccountID) Owner() string {
	name, _, _ := strings.Cut(string(id), "@")
	_, owner, _ := strings.Cut(name, ":")
	return owner
}

// Validate checks an account that is to be opened. The error is an *Error with
// [CodeInvalidRequest] and the field to blame.
func (a Account) Validate() error {
	kind := a.ID.Kind()
	if kind == "" || len(a.ID) > 200 {
		return Errorf(CodeInvalidRequest, "%q is not an account of the chart", clip(string(a.ID))).At("/id")
	}
	if a.Asset == "" || a.Asset != a.ID.Asset() {
		return Errorf(CodeInvalidRequest, "account %s is not kept in %q", a.ID, clip(a.Asset)).At("/asset")
	}
	if a.Floor > 0 {
		return Errorf(CodeInvalidRequest, "the floor of an account must not be above zero").At("/floor")
	}
	if (kind == AccountGrant || kind == AccountReceivable) && a.Wallet.Kind() != AccountWallet {
		return Errorf(CodeInvalidRequest, "account %s must name its wallet", a.ID).At("/wallet")
	}
	if kind == AccountGrant && a.Floor != 0 {
		return Errorf(CodeInvalidRequest, "a grant has no credit limit").At("/floor")
	}
	return nil
}
