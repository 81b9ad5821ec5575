package form

import (
	"slices"
	"strings"

	"github.com/sluicegate/sluice"
)

// maxChoices and maxParts bound what a provider can make the emitter remember.
const (
	maxChoices = 128
	maxParts   = 4096
)

// choice returns the choice of that number.
func (e *Emitter) choice(n int) *choice {
	for _, c := range e.choices {
		if c.number == n {
			return c
		}
	}
	if before := e.choices[:cap(e.choices)]; len(e.choices) < len(before) && before[len(e.choices)] != nil {
		e.choices = before[:len(e.choices)+1] // memory of the answer before
	} else {
		e.choices = append(e.choices, new(choice))
	}
	c := e.choices[len(e.choices)-1]
	c.number = n
	return c
}

// newPart returns a part, in the memory of one that was told where there is one.
func (e *Emitter) newPart(head Part, key string) *part {
	p := e.spare
	if e.spare = nil; p == nil {
		p = new(part)
	}
	p.head, p.key = head, key
	return p
}

// add continues the part that came last if it is of that kind, or begins one.
func (e *Emitter) add(n int, head Part, key string, s step) error {
	at := e.choice(n)
	if p := at.last(); p != nil && !p.closed && p.head.Kind == head.Kind && p.takes(s) {
		return e.step(at, p, s)
	}
	if s == (step{}) {
		return nil
	}
	return e.begin(at, e.newPart(head, key), s)
}

// takes reports whether a part can go on with a step: thought that follows its
// signature is another thought.
func (p *part) takes(s step) bool {
	if p.head.Kind != PartReasoning || s.signature.Value != "" {
		return true
	}
	for _, before := range p.steps {
		if before.signature.Value != "" {
			return false
		}
	}
	return !p.signed
}

// begin makes a part the last one of its choice.
func (e *Emitter) begin(at *choice, p *part, s step) error {
	if at.finished {
		return broken("something follows the end of the answer")
	}
	if len(e.choices) > maxChoices || at.next+len(at.waiting) > maxParts {
		return broken("it has too many parts")
	}
	if before := at.last(); before != nil && before.head.Kind != PartCall {
		before.closed = true
	}
	at.called = at.called || p.head.Kind == PartCall
	at.waiting = append(at.waiting, p)
	// What opens at once does not have to remember its first step.
	if err := e.advance(at); err != nil {
		return err
	}
	return e.step(at, p, s)
}

// step adds to a part: at once if it is open, else it waits.
func (e *Emitter) step(at *choice, p *part, s step) error {
	if p.head.Kind == PartCall {
		p.json.take(s.text)
	}
	if p != at.open {
		if p.told {
			if strings.TrimSpace(s.text) == "" {
				return nil
			}
			return broken("it continues a part that was complete")
		}
		p.steps = append(p.steps, s)
		if at.queued += s.size(); at.queued > maxQueued {
			return sluice.Errorf(sluice.CodeProviderTooLarge, "the provider's answer interleaves more than %d bytes", maxQueued)
		}
		return e.advance(at)
	}
	if err := e.delta(at, s); err != nil {
		return err
	}
	return e.advance(at)
}

// advance tells what can be told: the next part opens once the open one is
// over, and a call is over when its arguments are whole and something follows.
func (e *Emitter) advance(at *choice) error {
	for {
		if p := at.open; p != nil {
			if !p.closed && (len(at.waiting) == 0 || !p.over()) {
				return nil
			}
			if err := e.stop(at, p); err != nil {
				return err
			}
		}
		if len(at.waiting) == 0 {
			return nil
		}
		if err := e.open(at, at.waiting[0]); err != nil {
			return err
		}
	}
}

// over reports whether nothing more can come for a part. Free text of a custom
// tool never shows its end.
func (p *part) over() bool {
	return p.closed || p.head.Kind != PartCall || !p.head.Call.Custom && p.json.whole()
}

// open tells the start of the part and what came while it waited.
func (e *Emitter) open(at *choice, p *part) error {
	at.waiting = slices.Delete(at.waiting, 0, 1)
	at.open = p
	e.ev = Event{Kind: EventPartStart, Choice: at.number, Index: at.next, Part: p.head}
	if err := e.tell(); err != nil {
		return err
	}
	steps := p.steps
	p.steps = nil
	for _, s := range steps {
		at.queued -= s.size()
		if err := e.delta(at, s); err != nil {
			return err
		}
	}
	return nil
}

// delta tells a step of the open part.
func (e *Emitter) delta(at *choice, s step) error {
	p := at.open
	p.signed = p.signed || s.signature.Value != ""
	if s == (step{}) {
		return nil
	}
	e.ev = Event{
		Kind: EventDelta, Choice: at.number, Index: at.next, Part: Part{Kind: p.head.Kind},
		Text: s.text, Signature: s.signature, Sealed: s.sealed, Logprobs: s.logprobs,
	}
	return e.tell()
}

// stop tells the end of the open part.
func (e *Emitter) stop(at *choice, p *part) error {
	e.ev = Event{Kind: EventPartStop, Choice: at.number, Index: at.next, Part: Part{Kind: p.head.Kind}}
	at.open, p.told = nil, true
	at.next++
	if p.head.Kind == PartCall {
		at.done = append(at.done, p)
	} else {
		*p = part{} // nobody looks for it any more
		e.spare = p
	}
	return e.tell()
}

// last is the part that came last and is not told yet, nil between parts.
func (at *choice) last() *part {
	if n := len(at.waiting); n > 0 {
		return at.waiting[n-1]
	}
	return at.open
}

// find returns the call of that key, told or not, the latest first.
func (at *choice) find(key string) *part {
	for i := len(at.waiting) - 1; i >= 0; i-- {
		if p := at.waiting[i]; p.head.Kind == PartCall && p.key == key {
			return p
		}
	}
	if p := at.open; p != nil && p.head.Kind == PartCall && p.key == key {
		return p
	}
	for i := len(at.done) - 1; i >= 0; i-- {
		if at.done[i].key == key {
			return at.done[i]
		}
	}
	return nil
}

// broken says why an answer cannot be told.
func broken(why string) error {
	return sluice.Errorf(sluice.CodeProviderError, "the provider's answer cannot be used: %s", why)
}
