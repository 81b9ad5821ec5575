package sluice

import (
	"crypto/rand"
	"regexp"
	"strings"
	"time"
)

// KindBilling is what permissions and the audit log call wallets and what is done
// to them. It is no managed object: there is nothing to list under it.
const KindBilling Kind = "billing"

// WalletOwner names whose wallet is meant: a tenant's own or, by User or Key,
// never both, that of one of its users or keys.
type WalletOwner struct {
	// Tenant is the caller's own when it is left out.
	Tenant string `json:"tenant,omitempty"`
	User   string `json:"user,omitempty"`
	// Key is the name of a key, or its numeric id.
	Key string `json:"key,omitempty"`
}

// PaymentKind says what brought money into a wallet, or took it out.
type PaymentKind string

// The kinds of payments. Their transfers have the codes of the same names.
const (
	PaymentTopUp      PaymentKind = "top_up"     // money that was received outside
	PaymentGrant      PaymentKind = "grant"      // credit of the house that may expire
	PaymentRedemption PaymentKind = "redemption" // a code was redeemed
	PaymentRefund     PaymentKind = "refund"     // a request's charge, or a part of it, given back
	PaymentAdjustment PaymentKind = "adjust"     // an operator's correction, up or down
)

// paymentID is what a client may call a payment: short, and fit for an account's
// name.
var paymentID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$`)

// Payment moves money into a wallet, or by a negative adjustment out of it,
// without a request's doing. It is made once and never changed; the ID is the
// client's, and within a kind it is never used for another one.
type Payment struct {
	// ID is 1 to 64 letters, digits, dots, colons, underscores and dashes. It may
	// be left out when the request has an Idempotency-Key.
	ID   string      `json:"id,omitempty" maxLength:"64"`
	Kind PaymentKind `json:"kind,omitempty" readOnly:"true"`
	WalletOwner
	// Amount is above zero; that of an adjustment may be below. A refund without
	// one gives back what is left of the charge.
	Amount Nanos  `json:"amount,omitempty"`
	Asset  string `json:"asset,omitempty"`
	// ExpiresAt is when what is left of a grant is gone; zero is never.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// Request is what a refund gives back the charge of.
	Request RequestID `json:"request_id,omitzero"`
	// Grant is the id of the grant that an adjustment below zero takes back, all
	// that is left of it when it has no amount.
	Grant string `json:"grant,omitempty" maxLength:"64"`
	// Note says what it is for, for people and the audit log.
	Note string `json:"note,omitempty" maxLength:"500"`
	// Wallet is the account of the wallet that was credited, or owns the grant.
	Wallet AccountID `json:"wallet,omitempty" readOnly:"true"`
	// Transfer is the transfer that was made, for ever the same one.
	Transfer TransferID `json:"transfer,omitzero" readOnly:"true"`
	// By is who made it, "<tenant>/<user>" or "system".
	By        string    `json:"by,omitempty" readOnly:"true"`
	CreatedAt time.Time `json:"created_at,omitzero" readOnly:"true"`
}

// Validate checks what a client asks for: the id, the amount and the asset. The
// error is an *Error with [CodeInvalidRequest] and the field to blame.
func (p *Payment) Validate() error {
	switch {
	case !paymentID.MatchString(p.ID):
		return Errorf(CodeInvalidRequest, "id must be 1 to 64 letters, digits, dots, colons, underscores and dashes, and not begin with a mark").At("/id")
	case p.User != "" && p.Key != "":
		return Errorf(CodeInvalidRequest, "a wallet is a user's or a key's, not both").At("/key")
	case p.Amount == 0:
		return Errorf(CodeInvalidRequest, "amount must not be zero").At("/amount")
	case p.Amount < 0 && p.Kind != PaymentAdjustment:
		return Errorf(CodeInvalidRequest, "amount must be above zero").At("/amount")
	case p.Amount > maxCredit || p.Amount < -maxCredit:
		return Errorf(CodeInvalidRequest, "amount must be at most %s", maxCredit).At("/amount")
	case !KnownAsset(p.Asset):
		return Errorf(CodeInvalidRequest, "%q is not a currency of ISO 4217", clip(p.Asset)).At("/asset")
	case len(p.Note) > 500:
		return Errorf(CodeInvalidRequest, "note is longer than 500 bytes").At("/note")
	}
	return nil
}

// TransferID derives the id of the transfer that a payment makes.
func (p *Payment) TransferID() TransferID { return NewTransferID(p.ID, string(p.Kind), 0) }

// PaymentQuery selects payments, newest first.
type PaymentQuery struct {
	// WalletOwner keeps those of one owner's wallets: a tenant's without those of
	// its users and keys. Tenant "*" keeps all, for platform admins.
	WalletOwner
	Kind   PaymentKind
	Cursor string
	// Limit is the page size, 1 to 500; 0 means 50.
	Limit int
}

// BalanceQuery selects wallets.
type BalanceQuery struct {
	WalletOwner
	// Asset keeps those in one asset.
	Asset string
}

// Balances is what an owner may spend.
type Balances struct {
	Wallets []Wallet `json:"wallets"`
	// Caps are the spending caps of the owner's keys.
	Caps []CapUse `json:"caps,omitempty"`
}

// Wallet is the balance of a wallet with all that belongs to it.
type Wallet struct {
	Account AccountID `json:"account"`
	Asset   string    `json:"asset"`
	// Posted is what was paid in less what was charged; Held is set aside for
	// requests in progress.
	Posted Nanos `json:"posted"`
	Held   Nanos `json:"held"`
	// Available is what may be spent now, credit and grants included; it is left
	// out where the credit has no limit.
	Available *Nanos `json:"available,omitempty"`
	// Spending is prepaid or postpaid; see [Tenant].
	Spending string `json:"spending"`
	// CreditLimit is how far the wallet may go below zero.
	CreditLimit     Nanos `json:"credit_limit"`
	UnlimitedCredit bool  `json:"unlimited_credit,omitempty"`
	// Owed is what requests cost beyond what the wallet had.
	Owed Nanos `json:"owed"`
	// Grants are spent before the wallet, in this order.
	Grants []GrantLeft `json:"grants,omitempty"`
}

// GrantLeft is what is left of a grant.
type GrantLeft struct {
	Account AccountID `json:"account"`
	// Left includes what is Held for requests in progress.
	Left      Nanos     `json:"left"`
	Held      Nanos     `json:"held"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// CapUse is how far a spending cap is used up in the present period.
type CapUse struct {
	Key    string `json:"key"`
	Period string `json:"period"`
	Limit  Money  `json:"limit"`
	// Used is what was spent, Held what is set aside under it.
	Used Nanos `json:"used"`
	Held Nanos `json:"held"`
}

// StatementQuery selects the transfers of a wallet, its grants and its
// receivable, newest first.
type StatementQuery struct {
	WalletOwner
	// Asset keeps those in one asset; empty means every one.
	Asset string
	// Code keeps transfers of one code, such as charge or top_up.
	Code TransferCode
	// Request keeps the transfers of one request.
	Request RequestID
	// From (inclusive) and To (exclusive) bound when they were booked.
	From, To time.Time
	Cursor   string
	// Limit is the page size, 1 to 500; 0 means 50.
	Limit int
}

// StatementLine is one transfer as its owner sees it.
type StatementLine struct {
	ID       TransferID   `json:"id"`
	BookedAt time.Time    `json:"booked_at"`
	Code     TransferCode `json:"code"`
	Kind     TransferKind `json:"kind"`
	// Account is the wallet, grant or receivable that it moves.
	Account AccountID `json:"account"`
	// Posted is by how much the transfer moved the balance; Held is by how much
	// it moved what is set aside.
	Posted Nanos  `json:"posted"`
	Held   Nanos  `json:"held,omitempty"`
	Asset  string `json:"asset"`
	// Request or Payment is what it belongs to, with the payment's Note.
	Request RequestID `json:"request_id,omitzero"`
	Payment string    `json:"payment_id,omitempty"`
	Note    string    `json:"note,omitempty"`
}

// CodeOrder asks for redemption codes.
type CodeOrder struct {
	// Count is how many, 1 to 1000; 0 means one.
	Count  int    `json:"count,omitempty" minimum:"0" maximum:"1000"`
	Amount Nanos  `json:"amount"`
	Asset  string `json:"asset"`
	// ExpiresAt is when they can no longer be redeemed; zero is never.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	Note      string    `json:"note,omitempty" maxLength:"500"`
}

// maxCodes bounds one order of codes.
const maxCodes = 1000

// Validate checks an order and fills in the count. The error is an *Error with
// [CodeInvalidRequest] and the field to blame.
func (o *CodeOrder) Validate(now time.Time) error {
	if o.Count == 0 {
		o.Count = 1
	}
	switch {
	case o.Count < 0 || o.Count > maxCodes:
		return Errorf(CodeInvalidRequest, "count must be 1 to %d", maxCodes).At("/count")
	case o.Amount <= 0 || o.Amount > maxCredit:
		return Errorf(CodeInvalidRequest, "amount must be above zero and at most %s", maxCredit).At("/amount")
	case !KnownAsset(o.Asset):
		return Errorf(CodeInvalidRequest, "%q is not a currency of ISO 4217", clip(o.Asset)).At("/asset")
	case !o.ExpiresAt.IsZero() && !o.ExpiresAt.After(now):
		return Errorf(CodeInvalidRequest, "expires_at has passed").At("/expires_at")
	case len(o.Note) > 500:
		return Errorf(CodeInvalidRequest, "note is longer than 500 bytes").At("/note")
	}
	return nil
}

// What can be said of a redemption code.
const (
	RedemptionOpen     = "open"
	RedemptionRedeemed = "redeemed"
	RedemptionRevoked  = "revoked"
	RedemptionExpired  = "expired"
)

// RedemptionCode turns into credit once. Only its hash is kept.
type RedemptionCode struct {
	ID uint64 `json:"id"`
	// Order is the number that the codes of one order share.
	Order uint64 `json:"order"`
	// Code is the plaintext, present once: in the answer to the order.
	Code string `json:"code,omitempty"`
	// Prefix is the code's start, for people to recognise it by.
	Prefix    string    `json:"prefix"`
	Amount    Nanos     `json:"amount"`
	Asset     string    `json:"asset"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	Note      string    `json:"note,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
	// RedeemedBy and Wallet say who redeemed it and into which wallet.
	RedeemedBy string    `json:"redeemed_by,omitempty"`
	RedeemedAt time.Time `json:"redeemed_at,omitzero"`
	Wallet     AccountID `json:"wallet,omitempty"`
	// Status is open, redeemed, revoked or expired.
	Status string `json:"status" enum:"open,redeemed,revoked,expired"`
}

// StatusAt says what has become of the code at a moment.
func (c *RedemptionCode) StatusAt(now time.Time) string {
	switch {
	case c.Wallet != "":
		return RedemptionRedeemed
	case !c.RevokedAt.IsZero():
		return RedemptionRevoked
	case !c.ExpiresAt.IsZero() && !c.ExpiresAt.After(now):
		return RedemptionExpired
	}
	return RedemptionOpen
}

// CodeQuery selects redemption codes by ascending id.
type CodeQuery struct {
	// Order keeps those of one order.
	Order  uint64
	Cursor string
	// Limit is the page size, 1 to 500; 0 means 50.
	Limit int
}

// redemptionStart begins every redemption code, so that people and secret
// scanners tell it from a key.
const redemptionStart = "SLR-"

// NewRedemptionCode draws a code of 100 random bits, SLR-XXXXX-XXXXX-XXXXX-XXXXX:
// letters and the digits 2 to 7, to be read aloud and typed.
func NewRedemptionCode() string {
	s := rand.Text()[:20]
	return redemptionStart + s[:5] + "-" + s[5:10] + "-" + s[10:15] + "-" + s[15:]
}

// HashRedemptionCode returns the only form in which a code is stored and looked
// up, whatever case, spaces and dashes it was typed with.
func HashRedemptionCode(code string) string {
	plain := strings.NewReplacer("-", "", " ", "").Replace(strings.ToUpper(code))
	return HashToken("redemption " + plain)
}

// Time buckets of [BilledUsageQuery]; all begin at 00:00 UTC, hours at the full
// hour.
const (
	BucketHour  = "hour"
	BucketDay   = "day"
	BucketMonth = "month"
)

// BilledUsageQuery aggregates what requests used and cost, for people who check
// or pass on a bill.
type BilledUsageQuery struct {
	// UsageQuery selects and groups. Without From it begins with the month of To,
	// and without To it ends now. GroupBy names no time; Bucket does.
	UsageQuery
	// Bucket splits time into hours, days or months; empty does not.
	Bucket string
}
