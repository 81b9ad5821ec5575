package sluice

import (
	"encoding/json"
	"time"
)

// Event is what operators, and systems outside, have to hear of: an entry of the
// outbox.
type Event struct {
	// Seq is the order of events, from 1, without gaps but for those that were too
	// old to keep.
	Seq uint64 `json:"seq"`
	// ID makes an event unique: one that is known already is not added again.
	ID string    `json:"id"`
	At time.Time `json:"at"`
	// Kind is what happened, such as "ledger.anomaly"; Subject whom it concerns.
	Kind    string          `json:"kind"`
	Subject string          `json:"subject"`
	Data    json.RawMessage `json:"data"`
}

// Kinds of events.
const (
	// EventAnomaly is something that must not happen and did not stop the ledger:
	// entries of a journal that are lost, a request that was settled twice.
	EventAnomaly = "ledger.anomaly"
	// EventViolation is an invariant of the ledger that does not hold, told at most
	// once a day for each account, transfer or request: when a check begins to find
	// it, and again by each nightly proof that does.
	EventViolation = "ledger.violation"
	// EventAlarm says that nothing could be booked for an hour.
	EventAlarm = "ledger.alarm"
)

// EventQuery selects events, newest first.
type EventQuery struct {
	// Kind keeps those of one kind; empty keeps all.
	Kind string
	// Cursor is the Next of the previous page; empty is the first page.
	Cursor string
	// Limit is the size of a page, 1 to 500; 0 means 50.
	Limit int
}
