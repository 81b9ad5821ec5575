package sluice

import "slices"

// OutcomeCrash is the ending of a request whose gateway died: it is found in the
// journal when the gateway starts again.
const OutcomeCrash Outcome = "crash"

// ChargeBasis says what an ended request is charged for.
type ChargeBasis string

// The bases. Whatever the basis, a provider's own final usage is believed when
// there is one, an explicit zero stays zero, and error text is never output.
const (
	// ChargeNothing releases the hold.
	ChargeNothing ChargeBasis = "nothing"
	// ChargeUsage is the provider's usage, or what was counted where it states
	// none.
	ChargeUsage ChargeBasis = "usage"
	// ChargeDelivered is what had been delivered to the client, as counted; with
	// a provider's usage, the greater of the two.
	ChargeDelivered ChargeBasis = "delivered"
	// ChargeProgress is what the last durable PROGRESS says, never more.
	ChargeProgress ChargeBasis = "progress"
)

// Ending is one row of the closed table of ways in which a request can end: what
// it is charged for, and what an operator may choose instead.
type Ending struct {
	Outcome Outcome
	// Content says whether any content had reached the client.
	Content bool
	// Charge is the basis by default.
	Charge ChargeBasis
	// Choices are the bases an operator may select, the default among them. None
	// charges for more than was served.
	Choices []ChargeBasis
	Reason  string // why, in one sentence
}

// endings is the table. docs/money.md shows it; a test compares the two.
var endings = []Ending{
	{OutcomeComplete, true, ChargeUsage, []ChargeBasis{ChargeUsage}, "The whole answer was delivered."},
	{OutcomeComplete, false, ChargeUsage, []ChargeBasis{ChargeUsage}, "A whole answer can be empty, and its prompt was still read."},
	{OutcomeRefused, false, ChargeNothing, []ChargeBasis{ChargeNothing}, "No provider was called."},
	{OutcomeError, false, ChargeNothing, []ChargeBasis{ChargeNothing}, "No provider gave an answer; what their attempts cost is the house's."},
	{OutcomeError, true, ChargeDelivered, []ChargeBasis{ChargeDelivered, ChargeNothing}, "An error followed content that the client keeps."},
	{OutcomeIncomplete, true, ChargeDelivered, []ChargeBasis{ChargeDelivered, ChargeNothing}, "The provider broke off after content that the client keeps."},
	{OutcomeIncomplete, false, ChargeNothing, []ChargeBasis{ChargeNothing}, "The provider broke off before any content."},
	{OutcomeClientGone, true, ChargeDelivered, []ChargeBasis{ChargeDelivered, ChargeNothing}, "The client chose to stop; a drained call is charged by its usage frame."},
	{OutcomeClientGone, false, ChargeUsage, []ChargeBasis{ChargeUsage, ChargeNothing}, "The provider bills a call that it has begun; nothing is charged when it states and counted nothing."},
	{OutcomeTimeout, true, ChargeDelivered, []ChargeBasis{ChargeDelivered, ChargeNothing}, "A limit ended it after content that the client keeps."},
	{OutcomeTimeout, false, ChargeNothing, []ChargeBasis{ChargeNothing}, "A limit ended it before any content."},
	{OutcomeInternal, true, ChargeDelivered, []ChargeBasis{ChargeDelivered, ChargeNothing}, "A fault of our own after content that the client keeps."},
	{OutcomeInternal, false, ChargeNothing, []ChargeBasis{ChargeNothing}, "A fault of our own is never charged by itself."},
	{OutcomeShuttingDown, true, ChargeDelivered, []ChargeBasis{ChargeDelivered, ChargeNothing}, "The drain deadline cut content that the client keeps."},
	{OutcomeShuttingDown, false, ChargeNothing, []ChargeBasis{ChargeNothing}, "The drain deadline came before any content."},
	{OutcomeCrash, true, ChargeProgress, []ChargeBasis{ChargeProgress, ChargeNothing}, "Only what the journal proves: unknown outcomes are the house's loss."},
	{OutcomeCrash, false, ChargeNothing, []ChargeBasis{ChargeNothing}, "The journal proves no delivery."},
}

// Endings returns the whole table in order, as a copy.
func Endings() []Ending { return append([]Ending(nil), endings...) }

// MayCharge reports whether an operator may charge endings of an outcome by a
// basis: whether it is among the choices of one of its rows.
func MayCharge(o Outcome, basis ChargeBasis) bool {
	for _, e := range endings {
		if e.Outcome == o && slices.Contains(e.Choices, basis) {
			return true
		}
	}
	return false
}

// EndingOf returns the row of an outcome; ok is false for an outcome outside the
// table, which nothing may be charged for.
func EndingOf(o Outcome, content bool) (row Ending, ok bool) {
	for _, e := range endings {
		if e.Outcome == o && e.Content == content {
			return e, true
		}
	}
	return Ending{}, false
}
