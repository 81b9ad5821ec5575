// Package native is the [dialect.Leg] of pairs that speak the same protocol of
// JSON documents and server-sent events: bytes pass as they stand, and are only
// looked at for their end, their usage and errors among them. What a protocol
// looks like is told by a [Protocol].
//
// Start at [Open]. The guard is that of package convert: nothing is given out
// before content, nothing is repeated after it, and a cut stream never looks
// complete.
package native

import (
	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

// Request is what is sent.
type Request struct {
	// Path is appended to the base URL, its query included.
	Path string
	// Body is the client's body with its edits, in pieces; see [Splice].
	Body [][]byte
	// Fields are added to those of the account.
	Fields []sluice.Field
	// Echo is how many bytes of the request the events before content may repeat:
	// that much more of them is held back.
	Echo int
	// Array tells that the client wants the events of a stream as the elements
	// of a JSON array; the provider sends server-sent events all the same.
	Array bool
}

// Reading is what a [Protocol] finds in an answer.
type Reading struct {
	// Usage is what the provider stated so far, if Stated.
	Usage  sluice.Usage
	Stated bool
	// Input tells that Usage holds what was stated of the input, before the
	// output is known.
	Input bool
	// Text is how many bytes of output have come, for estimates.
	Text int64
}

// Class says what an event is to the guard.
type Class byte

// The classes of events.
const (
	// Lifecycle announces content: it is held back until that comes.
	Lifecycle Class = iota
	// Content is something a user would see.
	Content
	// Last is an event behind which the answer may end, whether it brings content
	// or not. It is kept back until content follows or the answer ends: usage may
	// still come.
	Last
	// Closed is the end: nothing that follows is passed on.
	Closed
)

// Protocol knows one protocol's answers. It is stateless and safe for
// concurrent use.
type Protocol interface {
	// Event looks at one event; both slices are leased. Errors in the shape of
	// {"error":...} were recognised before. What cannot be part of an answer is
	// an error.
	Event(name, data []byte, r *Reading) (Class, error)
	// Document looks at a whole answer and reports one that is none.
	Document(doc []byte, r *Reading) error
}

// Open begins an attempt. Nothing can fail before the request is sent.
func Open(ask *dialect.Ask, p peer.Account, request Request, protocol Protocol) dialect.Leg {
	l := &leg{ask: ask, peer: p, request: request, protocol: protocol}
	if ask.Stream {
		l.events = peer.NewEvents(p.Scrubber(), l.take)
	}
	return l
}
