package form

import "github.com/sluicegate/sluice"

// EventKind is the kind of an [Event].
type EventKind string

// The kinds of events, in the order of an answer: start; for every choice its
// parts one after the other, each as part-start, any number of deltas,
// part-stop; then its finish. Usage and pings come anywhere behind the start.
const (
	EventStart     EventKind = "start"
	EventPartStart EventKind = "part-start"
	EventDelta     EventKind = "delta"
	EventPartStop  EventKind = "part-stop"
	EventFinish    EventKind = "finish"
	EventUsage     EventKind = "usage"
	EventPing      EventKind = "ping"
)

// Event is one step of an answer. The whole of an answer that is not streamed
// is told in the same steps. Its strings are the receiver's to keep until the
// answer is over; the Event itself is leased until the call returns.
type Event struct {
	Kind EventKind
	// Choice is which of several answers it belongs to, from 0.
	Choice int
	// Index is the part's place in its choice, from 0 without gaps.
	Index int
	// Part describes the part at part-start: its kind, the id and name of a
	// call, the whole of an image or of PartOther. At part-stop it says the
	// kind again. Its text comes in deltas.
	Part Part
	// Text is what a delta adds: text, reasoning, refusal, or a piece of a
	// call's arguments.
	Text string
	// Signature and Sealed come with a delta of their own, whole.
	Signature Signature
	Sealed    string
	// Logprobs are the probabilities of the tokens of a text that a delta adds,
	// nil where they were not asked for or not told.
	Logprobs *Logprobs
	// Reason says why the choice ended, and StopSequence which sequence it met.
	Reason       StopReason
	StopSequence string
	// Usage is what was stated so far for the whole request; a later one
	// replaces it. Partial tells that it is of the input only, before the output
	// is known.
	Usage   sluice.Usage
	Partial bool
	// ID and Created are the provider's, at the start; "" and 0 when it gave
	// none.
	ID      string
	Created int64
}

// Content reports whether the event is something a user would see, so that from
// it on the answer can no longer move to another target.
func (e *Event) Content() bool {
	switch e.Kind {
	case EventDelta:
		return e.Text != "" || e.Signature.Value != "" || e.Sealed != ""
	case EventPartStart:
		return e.Part.Kind == PartCall || e.Part.Media != nil || e.Part.Kind == PartOther
	case EventFinish:
		return true
	}
	return false
}

// StopReason says why an answer ended.
type StopReason string

// The reasons.
const (
	StopEnd       StopReason = "end"        // the model was done
	StopLength    StopReason = "length"     // the cap on tokens
	StopCalls     StopReason = "tool_calls" // it waits for results of tools
	StopFilter    StopReason = "filter"     // a filter of content cut it off
	StopRefusal   StopReason = "refusal"    // the model refused
	StopSequence  StopReason = "sequence"   // a stop sequence was met
	StopPause     StopReason = "pause"      // a long turn was paused (Anthropic)
	StopContext   StopReason = "context"    // the context window is full
	StopMalformed StopReason = "malformed"  // the model wrote a call that cannot be read
)
