package sluice

import (
	"context"
	"crypto/sha256"
	"time"
)

// Snapshots brings configuration to a gateway.
//
// Implementations deliver whole, consistent snapshots in increasing revision
// and may skip intermediate ones. They are safe for concurrent use.
type Snapshots interface {
	// Next blocks until a snapshot with a revision greater than after exists
	// and returns it; ctx ends the wait with ctx.Err(). The snapshot is shared
	// and must not be changed. [CodeUnavailable] means that none can be had
	// now; the gateway keeps its last one and calls again.
	Next(ctx context.Context, after uint64) (*Snapshot, error)
}

// KeySource finds the keys that a snapshot leaves out ([Snapshot.MoreKeys]). It
// belongs to the Snapshots port and follows the same revisions: a key that was
// deleted or rotated is gone, and a new one there, as soon as a snapshot would
// show it. Implementations are safe for concurrent use.
type KeySource interface {
	// KeyByHash returns the key whose token has this SHA-256, or had it before a
	// rotation that is not over (RetiringHash). The key is shared and must not be
	// changed; the same pointer means that it did not change. It answers within a
	// bounded time: [CodeUnauthorized] means that there is no such key,
	// [CodeUnavailable] that it cannot be told now.
	KeyByHash(ctx context.Context, hash [sha256.Size]byte) (*Key, error)
}

// ClaimKind says what a claim counts.
type ClaimKind string

// The kinds of claims.
const (
	ClaimRequests    ClaimKind = "requests"    // Amount requests per Window
	ClaimTokens      ClaimKind = "tokens"      // Amount tokens per Window: an estimate, corrected by Settle
	ClaimConcurrency ClaimKind = "concurrency" // Amount slots until Settle or Release
)

// Claim asks for a share of one limit.
type Claim struct {
	Kind ClaimKind
	// Bucket identifies what is limited, for instance "key:17"; equal kind and
	// bucket share one limit across all gateways.
	Bucket string
	// Limit is what the bucket allows per Window (or at once).
	Limit int64
	// Burst is how much may be taken at once; 0 means Limit.
	Burst  int64
	Window time.Duration
	// Amount is what this request takes; 0 on a tokens claim means the gateway's
	// own estimate, which it fills in before Admit.
	Amount int64
}

// Claims is everything that one request asks for. It is admitted or refused as
// a whole.
type Claims struct {
	// RequestID makes Admit idempotent: the same id is counted once.
	RequestID string
	// TokenHash is that of the key that asks, in hex; an authority that knows the
	// status of keys refuses one that is gone or disabled. Empty is no key.
	TokenHash string
	// Revision is that of the snapshot which let the key in. An authority that is
	// behind it does not judge the key.
	Revision uint64
	List     []Claim
	// Hold is the money that the request may cost, set aside together with the
	// claims or not at all; nil when nothing is charged. Like the claims it is
	// leased.
	Hold *Hold
	// Standings is memory that the grant's standings may be written to.
	Standings []Standing
}

// Standing is what is left of a claim's limit after the decision.
type Standing struct {
	Claim     Claim
	Remaining int64
	// Reset is how long until the bucket is full again.
	Reset time.Duration
}

// Grant is an admitted request's leave to run.
type Grant struct {
	RequestID string
	// Standings are in the order of the claims; empty when there were none.
	Standings []Standing
}

// Admission decides, in one call, whether a request may run.
//
// All claims and the hold are taken or none: a refusal leaves every bucket and
// balance as it was.
// Implementations are safe for concurrent use, exact within one authority, and
// answer within a bounded time.
type Admission interface {
	// Admit takes every claim. A refusal is an *Error with [CodeRequestRate],
	// [CodeTokenRate] or [CodeConcurrency], RetryAfter set and the refused
	// bucket in Details["bucket"], [CodeInsufficientBalance] for the hold with
	// "required" and "available" in the details, or [CodeUnauthorized] for the
	// key itself; [CodeUnavailable] means undecided, or that this authority does
	// not keep the balance. The
	// claims and their strings are leased until it returns, and so are those of
	// a grant in Settle and Release: what is kept is cloned.
	Admit(ctx context.Context, c Claims) (Grant, error)
	// Extend raises the hold of a running request to a total; a lower one changes
	// nothing. [CodeInsufficientBalance] means that the request has to end.
	Extend(ctx context.Context, id RequestID, total Nanos) error
	// Settle corrects the grant's token claims to the tokens really used (more
	// or fewer) and frees its concurrency. It never fails for lack of tokens:
	// what was overused is carried as debt. The second call is a no-op. The hold is
	// none of its business: a posting resolves it, by way of the journal.
	Settle(ctx context.Context, g Grant, tokens int64) error
	// Release gives tokens and concurrency back, because nothing was used; the
	// request itself stays counted. After Settle it is a no-op. A hold that no
	// OPEN was journaled of is given back, too; one that was is left alone.
	Release(ctx context.Context, g Grant) error
}

// Events carries finished requests to the books.
type Events interface {
	// Publish hands over a batch and returns the position up to which
	// everything of this gateway is durably applied, this batch included, once
	// the call returns nil. The same record id is applied once, however often
	// it is published. [CodeUnavailable] means: keep it and publish again.
	Publish(ctx context.Context, batch []Record) (Position, error)
}

// Position counts the records of one gateway that are durably applied.
type Position uint64

// Condition is the health of one object as a gateway sees it.
type Condition struct {
	Kind   Kind   `json:"kind"`
	Tenant string `json:"tenant"`
	Name   string `json:"name"`
	// Problem says why the object is disabled, in English.
	Problem string `json:"problem"`
}

// GatewayStatus is what a gateway tells control about itself.
type GatewayStatus struct {
	Gateway string    `json:"gateway"`
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	Time    time.Time `json:"time"`
	// Revision is the applied snapshot; Refused the one that was not applied,
	// with the reason.
	Revision uint64 `json:"revision"`
	Refused  uint64 `json:"refused,omitempty"`
	Reason   string `json:"reason,omitempty"`
	// LagMS is how long after its publication the revision was applied, and
	// Health whether the gateway serves what is published: ok, refused, degraded
	// or silent. Control fills both in for whoever asks it.
	LagMS  int64  `json:"lag_ms,omitempty"`
	Health string `json:"health,omitempty"`
	// Conditions lists objects of the applied snapshot that are disabled.
	Conditions []Condition `json:"conditions,omitempty"`
	// Active is the number of requests in flight.
	Active int64 `json:"active"`
	// RecordsQueued is the number of records that wait to be published, and
	// RecordsDropped of those that were lost since the start.
	RecordsQueued  int64  `json:"records_queued,omitempty"`
	RecordsDropped uint64 `json:"records_dropped,omitempty"`
	// Journal is how far what was charged is written and booked; nil of a gateway
	// that has none, or that another control process speaks for.
	Journal *JournalStatus `json:"journal,omitempty"`
	// KeysUsed maps ids of keys to when they were last admitted, since the
	// previous report.
	KeysUsed map[uint64]time.Time `json:"keys_used,omitempty"`
}

// JournalStatus is the condition of a gateway's journal. Positions are its epoch
// and a count, "3:1207", as the log and `sluice ledger` show them; positions of one
// journal are comparable within an epoch.
type JournalStatus struct {
	// Last is the newest entry, Synced the last that survives the loss of power,
	// and Shipped the last up to which the books have confirmed all; "0:0" before
	// they have answered.
	Last    string `json:"last"`
	Synced  string `json:"synced"`
	Shipped string `json:"shipped"`
	// WaitingMS is how long the oldest entry has waited that the books have not
	// confirmed; 0 when there is none.
	WaitingMS int64 `json:"waiting_ms"`
	// Bytes is what the journal takes on disk, and Failing why the disk cannot be
	// written: billable requests are refused meanwhile.
	Bytes   int64  `json:"bytes"`
	Failing string `json:"failing,omitempty"`
}

// StatusSink is the Status port: what gateways know, to control and console.
type StatusSink interface {
	// Report replaces the gateway's previous status. A lost report is replaced
	// by the next one; nothing depends on a single one.
	Report(ctx context.Context, s GatewayStatus) error
}
