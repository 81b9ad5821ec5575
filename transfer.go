package sluice

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
)

// TransferID identifies a transfer for ever: whatever is asked for twice under
// one id happens once. It is derived from what the transfer is for, never drawn
// at random, so that every retry anywhere finds the same id.
type TransferID [16]byte

// NewTransferID derives the id of the n-th transfer of a subject (a request id,
// a payment, a grant) in a role, for instance "settle". It is the first 128
// bits of SHA-256 over the parts and does not allocate for short subjects.
func NewTransferID(subject, role string, n int) TransferID {
	var buf [160]byte
	b := append(buf[:0], subject...)
	b = append(b, 0)
	b = append(b, role...)
	b = append(b, 0)
	b = strconv.AppendInt(b, int64(n), 10)
	sum := sha256.Sum256(b)
	return TransferID(sum[:16])
}

// Of makes an id that of a transfer which is booked for a request: the first half
// becomes that of the request's id, which is its time. What is booked at about the
// same time then lies together in every index, whose pages a store would otherwise
// read and write one for each transfer; and the transfers of a request are found
// by the beginning of their ids. 64 bits of the hash remain to tell apart what is
// booked for one request.
func (id TransferID) Of(request RequestID) TransferID {
	copy(id[:transferPrefix], request[:])
	return id
}

// transferPrefix is how much of a transfer's id is its request's.
const transferPrefix = 8

// TransferRange is between which ids those of a request's transfers are, where
// they were made by [TransferID.Of]; a few of other requests may be there, too.
func (id RequestID) TransferRange() (first, last TransferID) {
	for i := range last {
		last[i] = 0xff
	}
	return first.Of(id), last.Of(id)
}

// String renders 32 hexadecimal digits.
func (id TransferID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether the id was never set.
func (id TransferID) IsZero() bool { return id == TransferID{} }

// MarshalText renders 32 hexadecimal digits.
func (id TransferID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads 32 hexadecimal digits; anything else is
// [CodeInvalidRequest].
func (id *TransferID) UnmarshalText(b []byte) error {
	if len(b) != 2*len(id) {
		return Errorf(CodeInvalidRequest, "%q is not a transfer id", clip(string(b)))
	}
	if _, err := hex.Decode(id[:], b); err != nil {
		return Errorf(CodeInvalidRequest, "%q is not a transfer id", clip(string(b)))
	}
	return nil
}

// TransferKind says how a transfer moves money.
type TransferKind string

// The kinds of transfers.
const (
	// TransferSingle takes effect at once.
	TransferSingle TransferKind = "single"
	// TransferPending holds its amount on the debit account until it is resolved
	// by exactly one post or void.
	TransferPending TransferKind = "pending"
	// TransferPost resolves a pending transfer: its amount, at most the pending
	// one, takes effect; the rest is released.
	TransferPost TransferKind = "post"
	// TransferVoid resolves a pending transfer: all of it is released. Its
	// amount is that of the pending transfer and moves nothing.
	TransferVoid TransferKind = "void"
)

// TransferCode says why a transfer was made.
type TransferCode string

// The codes of transfers.
const (
	TransferHold       TransferCode = "hold"        // a request may cost this much
	TransferCharge     TransferCode = "charge"      // what a request did cost
	TransferOverage    TransferCode = "overage"     // what it cost beyond its hold
	TransferLateSettle TransferCode = "late_settle" // a charge whose hold is gone, or never arrived
	TransferRelease    TransferCode = "release"     // a hold that was not needed
	TransferExpire     TransferCode = "expire"      // a hold, or a grant's rest, past its time
	TransferCost       TransferCode = "cost"        // what an attempt cost the house
	TransferTopUp      TransferCode = "top_up"
	TransferGrant      TransferCode = "grant"
	TransferRedemption TransferCode = "redemption"
	TransferRefund     TransferCode = "refund"
	TransferRepay      TransferCode = "repay"  // a receivable paid from a wallet
	TransferAdjust     TransferCode = "adjust" // an operator's correction
)

// Transfer moves an amount of one asset from the debit to the credit account.
// It is immutable: a correction is another transfer that names it in Txn.
type Transfer struct {
	ID TransferID `json:"id"`
	// Txn groups transfers that took effect together, or not at all; it is the
	// id of the first of them.
	Txn    TransferID `json:"txn"`
	Debit  AccountID  `json:"debit"`
	Credit AccountID  `json:"credit"`
	// Amount is above zero, always.
	Amount Nanos        `json:"amount"`
	Kind   TransferKind `json:"kind"`
	// Pending is the transfer that a post or void resolves.
	Pending TransferID   `json:"pending,omitzero"`
	Code    TransferCode `json:"code"`
	// Request, Attempt, PriceVersion, Gateway and JournalSeq lead from a
	// transfer to the request, price and journal entry that it came from; they
	// are zero for transfers that no request made.
	Request      RequestID `json:"request,omitzero"`
	Attempt      uint16    `json:"attempt,omitempty"`
	PriceVersion uint64    `json:"price_version,omitempty"`
	Gateway      string    `json:"gateway,omitempty"`
	JournalSeq   uint64    `json:"journal_seq,omitempty"`
	// BookedAt is the ledger's time; it is not part of the content.
	BookedAt time.Time `json:"booked_at"`
	// ExpiresAt is when a pending transfer is voided if nothing resolved it.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// SameContent reports whether two transfers ask for the same thing; when they
// were booked does not matter, nor until when a hold would have lived.
func (t Transfer) SameContent(o Transfer) bool {
	t.BookedAt, o.BookedAt = time.Time{}, time.Time{}
	t.ExpiresAt, o.ExpiresAt = time.Time{}, time.Time{}
	return t == o
}

// Validate checks a transfer by itself. The error is an *Error with
// [CodeInvalidRequest] and the field to blame.
func (t Transfer) Validate() error {
	switch {
	case t.ID.IsZero():
		return Errorf(CodeInvalidRequest, "a transfer needs an id").At("/id")
	case t.Amount <= 0:
		return Errorf(CodeInvalidRequest, "the amount %s must be above zero", t.Amount).At("/amount")
	case t.Debit.Kind() == "":
		return Errorf(CodeInvalidRequest, "%q is not an account of the chart", clip(string(t.Debit))).At("/debit")
	case t.Credit.Kind() == "":
		return Errorf(CodeInvalidRequest, "%q is not an account of the chart", clip(string(t.Credit))).At("/credit")
	case t.Debit == t.Credit:
		return Errorf(CodeInvalidRequest, "debit and credit are the same account").At("/credit")
	case t.Debit.Asset() != t.Credit.Asset():
		return Errorf(CodeInvalidRequest, "%s and %s are kept in different assets", t.Debit, t.Credit).At("/credit")
	}
	resolves := t.Kind == TransferPost || t.Kind == TransferVoid
	if !resolves && t.Kind != TransferSingle && t.Kind != TransferPending {
		return Errorf(CodeInvalidRequest, "%q is not a kind of transfer", clip(string(t.Kind))).At("/kind")
	}
	if resolves == t.Pending.IsZero() {
		return Errorf(CodeInvalidRequest, "a post or void, and nothing else, names a pending transfer").At("/pending")
	}
	return nil
}
