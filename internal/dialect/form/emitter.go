package form

import (
	"strconv"
	"strings"

	"github.com/sluicegate/sluice"
)

// maxQueued bounds what is kept of parts that wait for their turn, in bytes.
const maxQueued = 1 << 20

// Emitter turns what a back reads into events in their proper order. Parts are
// opened and closed as the kind of what comes changes; a part that begins while
// a call's arguments are still incomplete waits until they are whole, so that
// parts never overlap. It is used by one goroutine.
type Emitter struct {
	// out takes the events.
	out func(*Event) error
	// made is what ids of calls are made from where the provider gives none.
	made    string
	calls   int
	started bool
	choices []*choice
	// spare is the memory of a part that was told.
	spare *part
	ev    Event
}

// choice is one of several answers.
type choice struct {
	number int
	// next is the index of the next part.
	next int
	// open is the part that is being told, nil between parts.
	open *part
	// waiting are those that follow, queued their bytes; done the calls that
	// were told.
	waiting, done []*part
	queued        int
	// called tells that it holds a call, finished that it is over.
	called, finished bool
}

// part is a part that is being told or waits for it.
type part struct {
	head Part
	// key tells calls of one choice apart, as the provider numbers them.
	key string
	// steps are what came while it waited.
	steps []step
	json  completeness
	// closed tells that nothing more comes, signed that a signature was told,
	// told that all of it was.
	closed, signed, told bool
}

// step is one delta.
type step struct {
	text, sealed string
	signature    Signature
	logprobs     *Logprobs
}

// size is how many bytes a step counts while it waits.
func (s *step) size() int {
	return len(s.text) + len(s.sealed) + len(s.signature.Value) + s.logprobs.size()
}

// NewEmitter returns an emitter that hands its events to out. made is what ids
// of calls are made from where a provider gives none: the request's id.
func NewEmitter(made string, out func(*Event) error) *Emitter {
	e := &Emitter{}
	e.Reset(made, out)
	return e
}

// keptParts is how many parts an idle choice keeps room for, and keptChoices how
// many choices an idle emitter keeps.
const (
	keptParts   = 16
	keptChoices = 4
)

// Reset begins another answer in the same memory, of which nothing may be in use
// any more; see [NewEmitter].
func (e *Emitter) Reset(made string, out func(*Event) error) {
	choices := e.choices
	if len(choices) > keptChoices {
		choices = nil
	}
	*e = Emitter{out: out, made: made, choices: choices[:0], spare: e.spare}
	if e.spare != nil {
		*e.spare = part{}
	}
	for _, c := range choices {
		c.clear()
	}
}

// clear forgets a choice, and keeps its lists unless they are long.
func (c *choice) clear() {
	waiting, done := c.waiting, c.done
	if cap(waiting) > keptParts {
		waiting = nil
	}
	if cap(done) > keptParts {
		done = nil
	}
	clear(waiting[:cap(waiting)])
	clear(done)
	*c = choice{waiting: waiting[:0], done: done[:0]}
}

// Start tells that the answer begins; what follows tells it by itself if nobody
// did. Only the first counts.
func (e *Emitter) Start(id string, created int64) error {
	if e.started {
		return nil
	}
	e.started = true
	e.ev = Event{Kind: EventStart, ID: id, Created: created}
	return e.out(&e.ev)
}

// Text adds visible text to a choice.
func (e *Emitter) Text(n int, text string) error {
	return e.add(n, Part{Kind: PartText}, "", step{text: text})
}

// TextWith adds visible text with the probabilities of its tokens, which may be
// nil. Tokens that are no text by themselves come with "".
func (e *Emitter) TextWith(n int, text string, p *Logprobs) error {
	return e.add(n, Part{Kind: PartText}, "", step{text: text, logprobs: p})
}

// Reasoning adds thought. A piece that follows a signature begins a new part.
func (e *Emitter) Reasoning(n int, text string) error {
	return e.add(n, Part{Kind: PartReasoning}, "", step{text: text})
}

// Refusal adds to the text of a refusal.
func (e *Emitter) Refusal(n int, text string) error {
	return e.add(n, Part{Kind: PartRefusal}, "", step{text: text})
}

// Signature signs the part that is open when its kind can be signed, or else a
// part of reasoning of its own.
func (e *Emitter) Signature(n int, s Signature) error {
	if s.Value == "" {
		return nil
	}
	return e.add(n, Part{Kind: PartReasoning}, "", step{signature: s})
}

// Sealed adds a part of reasoning that only the provider can read.
func (e *Emitter) Sealed(n int, origin, sealed string) error {
	if err := e.Close(n); err != nil {
		return err
	}
	if err := e.add(n, Part{Kind: PartReasoning}, "", step{sealed: sealed, signature: Signature{Origin: origin}}); err != nil {
		return err
	}
	return e.Close(n)
}

// Call adds to a call of a tool: what is known of it so far and a piece of its
// arguments. key tells the calls of a choice apart; a piece without id and name
// continues the call of that key. signature is that of the call itself
// (Gemini), if there is one.
func (e *Emitter) Call(n int, key string, c Call, piece string, signature Signature) error {
	at := e.choice(n)
	if p := at.find(key); p != nil && (c.ID == "" || c.ID == p.head.Call.ID) {
		return e.step(at, p, step{text: piece})
	}
	if c.ID == "" {
		c.ID = e.callID()
	}
	call := c
	return e.begin(at, e.newPart(Part{Kind: PartCall, Call: &call, Signature: signature}, key), step{text: piece})
}

// callID makes an id for a call whose provider gave none.
func (e *Emitter) callID() string {
	e.calls++
	return "call_" + strings.ReplaceAll(e.made, "-", "") + "_" + strconv.Itoa(e.calls)
}

// Whole adds a part that comes in one piece: an image, or one of PartOther.
func (e *Emitter) Whole(n int, p Part) error {
	if err := e.begin(e.choice(n), e.newPart(p, ""), step{}); err != nil {
		return err
	}
	return e.Close(n)
}

// Close ends the part that came last, for protocols that say where parts end.
func (e *Emitter) Close(n int) error {
	at := e.choice(n)
	if p := at.last(); p != nil {
		p.closed = true
	}
	return e.advance(at)
}

// Usage tells what the provider stated so far.
func (e *Emitter) Usage(u sluice.Usage) error {
	e.ev = Event{Kind: EventUsage, Usage: u}
	return e.tell()
}

// InputUsage tells what the provider stated of the input before the answer; what
// it says of the output is not told.
func (e *Emitter) InputUsage(u sluice.Usage) error {
	u.Output, u.Reasoning, u.AudioOutput, u.Image = 0, 0, 0, 0
	e.ev = Event{Kind: EventUsage, Usage: u, Partial: true}
	return e.tell()
}

// Ping passes on that the provider is alive.
func (e *Emitter) Ping() error {
	e.ev = Event{Kind: EventPing}
	return e.out(&e.ev)
}

// Finish ends a choice; only the first counts.
func (e *Emitter) Finish(n int, reason StopReason, sequence string) error {
	at := e.choice(n)
	if at.finished {
		return nil
	}
	if at.open != nil {
		at.open.closed = true
	}
	for _, p := range at.waiting {
		p.closed = true
	}
	if err := e.advance(at); err != nil {
		return err
	}
	at.finished = true
	e.ev = Event{Kind: EventFinish, Choice: n, Reason: reason, StopSequence: sequence}
	return e.tell()
}

// Finished reports whether every choice that began has ended, and at least one
// has.
func (e *Emitter) Finished() bool {
	for _, c := range e.choices {
		if !c.finished {
			return false
		}
	}
	return len(e.choices) > 0
}

// Called reports whether a choice has called a tool.
func (e *Emitter) Called(n int) bool { return e.choice(n).called }

// tell hands the event on, the start before it.
func (e *Emitter) tell() error {
	if !e.started {
		ev := e.ev
		if err := e.Start("", 0); err != nil {
			return err
		}
		e.ev = ev
	}
	return e.out(&e.ev)
}
