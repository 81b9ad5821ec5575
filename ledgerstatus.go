package sluice

import "time"

// LedgerStatus is the condition of the books: each invariant of docs/money.md
// with its figure, and whether booking keeps up.
type LedgerStatus struct {
	// Owner says that the process which answers keeps the ledger; in another one
	// the figures are not known.
	Owner bool `json:"owner"`
	// CheckedAt is when the continuous invariants were last measured.
	CheckedAt time.Time `json:"checked_at,omitzero"`
	// Full is the latest proof of the whole ledger from its transfers.
	Full       LedgerProof       `json:"full"`
	Invariants []LedgerInvariant `json:"invariants"`
	// Violations lists at most 100 of what is broken; it is empty.
	Violations []LedgerViolation `json:"violations"`
	Accounts   int               `json:"accounts"`
	// OpenHolds are those of requests that run, Uncommitted changes that the
	// database does not have yet.
	OpenHolds   int `json:"open_holds"`
	Uncommitted int `json:"uncommitted"`
	// LagMS is how long the oldest entry of the latest batch waited to be booked.
	LagMS int64 `json:"lag_ms"`
	// FailingSince is when booking began to fail, and Problem why.
	FailingSince time.Time `json:"failing_since,omitzero"`
	Problem      string    `json:"problem,omitempty"`
}

// LedgerProof is one proof of a whole ledger.
type LedgerProof struct {
	// At is when it began; zero is never since the process started.
	At        time.Time `json:"at,omitzero"`
	TookMS    int64     `json:"took_ms"`
	Transfers int       `json:"transfers"`
	// Problem says why it could not be done.
	Problem string `json:"problem,omitempty"`
}

// LedgerInvariant is one row of the table of invariants.
type LedgerInvariant struct {
	ID    string `json:"id"` // "I1" ...
	Title string `json:"title"`
	// Checked says how: continuously, nightly, by `sluice ledger verify`, or with a
	// part of Sluice that is to come.
	Checked string `json:"checked" enum:"continuous,nightly,verify,later"`
	// Violations counts what breaks it; left out where this process does not check
	// it.
	Violations *int `json:"violations,omitempty"`
}

// LedgerViolation is one broken invariant.
type LedgerViolation struct {
	Invariant string `json:"invariant"`
	// Subject is the account, transfer or request.
	Subject string `json:"subject"`
	Message string `json:"message"`
}
