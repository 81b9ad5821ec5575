package gateway

import (
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/journal"
)

// The money session owns what a request costs from its admission to its end:
//
//	fixPrice, bill -> Admit takes the hold
//	openAttempt    -> OPEN, durable before the first upstream byte (Call.Before)
//	progress       -> PROGRESS as content is delivered; the hold grows with it
//	closeAttempt   -> TERMINAL of an attempt that gave no answer
//	account        -> the final TERMINAL, durable before the last piece leaves
//	settleMoney    -> the same for every other exit
//
// Plugins can only refuse before it.
type money struct {
	id    sluice.RequestID
	terms *terms
	hold  sluice.Hold
	// held says that Admit took the hold.
	held bool
	// attempt is the last one of which OPEN was appended, 0 for none, and running
	// that it has no TERMINAL yet.
	attempt uint16
	running bool
	// opening is its OPEN.
	opening journal.Seq
	// limit is what is held by now.
	limit sluice.Nanos
	// noted is when PROGRESS was last written, or the answer began, and output
	// how many tokens had been delivered by then.
	noted  time.Time
	output int64
	// final says that the final TERMINAL was appended; record is what it says.
	final  bool
	record *finished
	// late says that an ending waits for the journal to have room.
	late bool
	// broken says that the journal failed, which no other target mends.
	broken bool
}

// ink is what a session keeps from one request to the next.
type ink struct {
	entry   journal.Entry
	posting sluice.Posting
	text    []byte
	// ready is waitOpen as a value, made once.
	ready func() error
}
