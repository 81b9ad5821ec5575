package sluice

import (
	"encoding/binary"
	"encoding/hex"
	"time"
)

// RequestID is the id of a request, a UUIDv7, as its sixteen bytes; in JSON and
// in records it is the usual text.
type RequestID [16]byte

// ParseRequestID reads the 36-character text of a UUID; anything else is
// [CodeInvalidRequest].
func ParseRequestID(s string) (RequestID, error) {
	var id RequestID
	bad := func() (RequestID, error) {
		return RequestID{}, Errorf(CodeInvalidRequest, "%q is not a request id", clip(s))
	}
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return bad()
	}
	var digits [32]byte
	copy(digits[0:], s[0:8])
	copy(digits[8:], s[9:13])
	copy(digits[12:], s[14:18])
	copy(digits[16:], s[19:23])
	copy(digits[20:], s[24:36])
	if _, err := hex.Decode(id[:], digits[:]); err != nil {
		return bad()
	}
	return id, nil
}

// String renders the 36-character text of a UUID.
func (id RequestID) String() string {
	var b [36]byte
	hex.Encode(b[0:8], id[0:4])
	hex.Encode(b[9:13], id[4:6])
	hex.Encode(b[14:18], id[6:8])
	hex.Encode(b[19:23], id[8:10])
	hex.Encode(b[24:36], id[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// Time is when the id was made, in whole milliseconds (RFC 9562, section 5.7).
func (id RequestID) Time() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(id[:8]) >> 16)).UTC()
}

// IsZero reports whether the id was never set.
func (id RequestID) IsZero() bool { return id == RequestID{} }

// MarshalText renders the text of a UUID.
func (id RequestID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the text of a UUID.
func (id *RequestID) UnmarshalText(b []byte) error {
	parsed, err := ParseRequestID(string(b))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// MaxCaps is how many spending caps one request may be held against.
const MaxCaps = 4

// Hold is what a request may cost, set aside before the first upstream byte. It
// is asked for at admission, written to the journal with OPEN, and becomes
// pending transfers in the ledger; a posting resolves it.
type Hold struct {
	Request RequestID `json:"request"`
	// Wallet pays; grants that belong to it pay first, the earliest to expire
	// before the others.
	Wallet AccountID `json:"wallet"`
	// Floor is what the wallet may go down to by the terms of its owner: 0 for
	// prepaid, minus the credit limit for postpaid, [NoFloor] for no limit. A
	// ledger that meets the wallet for the first time opens it with this floor,
	// and follows when the terms have changed.
	Floor Nanos `json:"floor"`
	// Amount is the upper estimate of the charge; 0 is a request that is free
	// and holds nothing.
	Amount Nanos `json:"amount"`
	// Caps must have room for the whole amount, too; at most [MaxCaps].
	Caps []CapLimit `json:"caps,omitempty"`
	// Deadline is when the hold is voided if nothing resolved it: later than any
	// ending of the request can be.
	Deadline time.Time `json:"deadline"`
	// Price is what the request will be priced by, whatever changes meanwhile.
	Price PriceRef `json:"price"`
	// DebtForbidden has the house bear what the charge exceeds the wallet by,
	// instead of the customer owing it.
	DebtForbidden bool `json:"debt_forbidden,omitempty"`
}

// CapLimit is a spending cap in force: an account that mirrors what was spent
// under it in one period, and how much that may be.
type CapLimit struct {
	// Account is of the kind [AccountCap] and names the period; a ledger opens it
	// when it meets it.
	Account AccountID `json:"account"`
	// Limit is the most that may be spent and held; never negative.
	Limit Nanos `json:"limit"`
}

// Validate checks a hold by itself. The error is an *Error with
// [CodeInvalidRequest] and the field to blame.
func (h Hold) Validate() error {
	switch {
	case h.Request.IsZero():
		return Errorf(CodeInvalidRequest, "a hold needs a request id").At("/request")
	case h.Wallet.Kind() != AccountWallet:
		return Errorf(CodeInvalidRequest, "%q is not a wallet", clip(string(h.Wallet))).At("/wallet")
	case h.Floor > 0:
		return Errorf(CodeInvalidRequest, "the floor %s must not be above zero", h.Floor).At("/floor")
	case h.Amount < 0:
		return Errorf(CodeInvalidRequest, "the amount %s must not be negative", h.Amount).At("/amount")
	case len(h.Caps) > MaxCaps:
		return Errorf(CodeInvalidRequest, "a request has at most %d caps", MaxCaps).At("/caps")
	case h.Deadline.IsZero():
		return Errorf(CodeInvalidRequest, "a hold needs a deadline").At("/deadline")
	}
	for _, c := range h.Caps {
		if c.Account.Kind() != AccountCap || c.Account.Asset() != h.Wallet.Asset() {
			return Errorf(CodeInvalidRequest, "%q is not a cap in %s", clip(string(c.Account)), h.Wallet.Asset()).At("/caps")
		}
		if c.Limit < 0 {
			return Errorf(CodeInvalidRequest, "the limit of %s must not be negative", c.Account).At("/caps")
		}
	}
	return nil
}
