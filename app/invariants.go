package app

import (
	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/ledger"
	"github.com/sluicegate/sluice/internal/worker"
)

// How an invariant is checked.
const (
	checkedHere    = "continuous"
	checkedNightly = "nightly"
	checkedOffline = "verify"
	checkedLater   = "later"
)

// invariant is a row of the table in docs/money.md.
type invariant struct{ id, title, checked string }

// here reports whether a running process counts violations of it.
func (i invariant) here() bool { return i.checked == checkedHere || i.checked == checkedNightly }

// invariants are those of docs/money.md, in its order.
var invariants = []invariant{
	{"I1", "debits equal credits, by asset", checkedHere},
	{"I2", "posted is the sum of an account's transfers", checkedNightly},
	{"I3", "pending is the sum of open holds", checkedHere},
	{"I4", "no account is below its floor", checkedHere},
	{"I5", "each OPEN has one TERMINAL, each request one final", checkedOffline},
	{"I6", "each charge is booked once and recomputes from usage and price version", checkedOffline},
	{"I7", "what decides and what is stored agree when nothing moves", checkedOffline},
	{"I8", "the ledger's totals are those of usage", checkedOffline},
	{"I9", "supplier shares", checkedLater},
	{"I10", "provider invoices", checkedLater},
	{"I11", "the journal has no gap and its chain verifies", checkedHere},
	{"I12", "no hold outlives its deadline", checkedHere},
}

// ledgerStatus is the condition of the books for the API.
func (c *controlRole) ledgerStatus() sluice.LedgerStatus {
	s := c.books.Status()
	out := sluice.LedgerStatus{
		Owner: s.Owner, CheckedAt: s.Checked, Accounts: s.Figures.Accounts, OpenHolds: s.Figures.OpenHolds, Uncommitted: s.Figures.Uncommitted,
		LagMS: s.Lag.Milliseconds(), FailingSince: s.Since, Problem: s.Problem, Violations: []sluice.LedgerViolation{},
		Full: sluice.LedgerProof{At: s.Full.At, TookMS: s.Full.Took.Milliseconds(), Transfers: s.Full.Transfers, Problem: s.Full.Problem},
	}
	for _, row := range invariants {
		i := sluice.LedgerInvariant{ID: row.id, Title: row.title, Checked: row.checked}
		if row.here() && s.Owner {
			i.Violations = new(violations(s, row.id))
		}
		out.Invariants = append(out.Invariants, i)
	}
	for _, v := range found(s) {
		if len(out.Violations) < worker.MaxListed {
			out.Violations = append(out.Violations, sluice.LedgerViolation(v))
		}
	}
	return out
}

// found are the violations of the continuous check and of the whole one.
func found(s worker.BooksStatus) []ledger.Violation {
	return append(append([]ledger.Violation{}, s.Figures.Violations...), s.Full.Violations...)
}

// violations counts those of one invariant.
func violations(s worker.BooksStatus, id string) (n int) {
	for _, v := range found(s) {
		if v.Invariant == id {
			n++
		}
	}
	if id == "I11" {
		n += int(s.Lost)
	}
	return n
}
