package openai

import (
	"bytes"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
	"github.com/sluicegate/sluice/internal/dialect/peer"
	"github.com/sluicegate/sluice/internal/dialect/sse"
)

// Limits of one stream.
const (
	// maxEvent is the largest event of text, maxPicture that of pictures and
	// sound, which carry base64.
	maxEvent   = 1 << 20
	maxPicture = 16 << 20
	// maxLifecycle is how much is held back while no content has come.
	maxLifecycle = 64 << 10
	// maxEnding is how much is kept back of what may be the end.
	maxEnding = 64 << 10
	// maxShared bounds what is remembered of the beginning of an event.
	maxShared = 1 << 10
)

// doneEvent ends a stream of chunks.
const doneEvent = "data: [DONE]\n\n"

// events is a streamed answer. Events pass as they stand; what is read of them
// is found by searching, and only the first ones, and those that hold an error
// or usage, are walked.
type events struct {
	leg     *leg
	scanner sse.Scanner
	// chunks tells chat and completions, which end in [DONE], from the typed
	// events of pictures and sound.
	chunks bool
	// out is what the client gets next; until released it only grows. While all
	// of it lies together in the piece that was fed, it is run instead.
	out, run []byte
	// released tells that content has come: until then another target could
	// still take over, so nothing is given out.
	released bool
	// direct says that it was released before this piece, so that what lies in
	// the piece need not be copied.
	direct bool
	given  bool
	begun  bool
	// refusal collects a document that came in place of a stream.
	refusal *document
	// ending is where in out, or in run, begins what is kept back because it may
	// be the end behind which only usage follows; noEnding when nothing is. tail is
	// what was kept back of the pieces before.
	ending int
	tail   []byte
	// shared is how the last event began, up to its delta, if nothing there
	// matters.
	shared []byte
	// fault is the error that follows bytes already returned.
	fault error
	// answered tells that a chunk came at all, finished that one said why it
	// ended, done that [DONE] came; dropped that the last event was kept back.
	answered, finished, done, dropped bool
	// ends counts the typed events that end an answer, drawn those by which
	// pictures come whose end is one for all; sketched tells that part of one came
	// whose whole did not.
	ends, drawn int64
	sketched    bool
	stated      sluice.Usage
	said        statement
	tokens      int64
}

// noEnding is the place of an end that has not come.
const noEnding = -1

// start begins another answer; nil drops the last.
func (e *events) start(l *leg) {
	e.scanner.Reset(maxPicture)
	if cap(e.out) > keptHeld {
		e.out = nil
	}
	*e = events{leg: l, scanner: e.scanner, out: e.out[:0], tail: e.tail[:0], shared: e.shared[:0], ending: noEnding}
	if l == nil {
		return
	}
	if name := l.asked.endpoint.name; name == opChat || name == opCompletions {
		e.chunks, e.scanner.Max = true, maxEvent
	}
}

func (e *events) delivered() bool { return e.given }

func (e *events) usage() (sluice.Usage, statement) { return e.stated, e.said }

func (e *events) output() int64 { return e.tokens }

// pictures counts the pictures that came, with one that the client has seen part
// of: it may be content with that.
func (e *events) pictures() int64 {
	n := e.ends
	if e.drawn > 0 {
		n = e.drawn
	}
	if e.sketched && n < e.leg.asked.ask.Choices {
		n++
	}
	return n
}

// complete reports whether the client has been given the end: [DONE], or of typed
// events the last one of each answer, or of all.
func (e *events) complete() bool {
	ended := e.done
	if !e.chunks {
		ended = e.ends >= max(1, e.leg.asked.ask.Choices) || e.drawn > 0 && e.ends > 0
	}
	return ended && e.given && e.fault == nil
}

func (e *events) feed(b []byte) ([]byte, error) {
	if e.fault != nil {
		return nil, e.fault
	}
	if !e.begun {
		if err := e.begin(b); err != nil {
			return nil, err
		}
	}
	if e.refusal != nil {
		_, err := e.refusal.feed(b)
		return nil, err
	}
	e.recycle()
	e.scanner.Push(b)
	return e.give(e.drain())
}

// begin looks at the first bytes, whatever the content type said.
func (e *events) begin(b []byte) error {
	b = bytes.TrimLeft(b, " \t\r\n")
	if len(b) == 0 {
		return nil
	}
	e.begun = true
	switch c := b[0]; {
	case c == '{':
		e.refusal = &e.leg.document
		e.refusal.start(e.leg)
		return nil
	case c == ':' || c == 0xEF || 'a' <= c && c <= 'z':
		return nil
	}
	return peer.Broken("it is not a stream of events")
}

// recycle empties what has been given out; what was kept back is next.
func (e *events) recycle() {
	e.run = nil
	if e.released {
		e.out = append(e.out[:0], e.tail...)
		e.tail = e.tail[:0]
		e.ending = min(e.ending, 0)
	}
	e.direct = e.released
}

// drain takes the events that are whole, until one is at fault.
func (e *events) drain() error {
	var ev sse.Event
	for e.scanner.Next(&ev) {
		if err := e.take(&ev); err != nil {
			return err
		}
	}
	if e.scanner.TooLarge() {
		return sluice.Errorf(sluice.CodeProviderTooLarge, "the provider's answer holds an event of more than %d bytes", e.scanner.Max)
	}
	if len(e.out) > maxLifecycle {
		e.released = true
	}
	return nil
}

// ready is what has come and not been given.
func (e *events) ready() []byte {
	if e.run != nil {
		return e.run
	}
	return e.out
}

// keep returns what is ready without what may be the end.
func (e *events) keep() []byte {
	ready := e.ready()
	if !e.released || e.ending == noEnding {
		return ready
	}
	if len(ready)-e.ending > maxEnding {
		e.ending = noEnding
		return ready
	}
	e.tail = append(e.tail[:0], ready[e.ending:]...)
	return ready[:e.ending]
}

// place finds out where the end is: behind the event that says why a choice ended
// only usage may follow, unless text of another one does.
func (e *events) place(m *marks) {
	if !e.chunks {
		return
	}
	if m.size > 0 {
		e.ending = noEnding
	}
	if m.finished && e.ending == noEnding {
		e.ending = len(e.ready())
	}
}

// give returns what is ready. What came before a fault is delivered first, but
// for an end that it contradicts.
func (e *events) give(err error) ([]byte, error) {
	out := e.keep()
	if err != nil && (!e.released || len(out) == 0) {
		return nil, err
	}
	e.fault = err
	if !e.released || len(out) == 0 {
		return nil, nil
	}
	e.given = true
	return e.leg.scrubber().Answer(out), nil
}

// pass hands an event on, drop keeps it back.
func (e *events) pass(ev *sse.Event) {
	e.dropped = false
	e.add(ev)
}

// add appends the bytes of an event.
func (e *events) add(ev *sse.Event) {
	if e.direct && !ev.Carried && len(e.out) == 0 {
		switch end := len(e.run); {
		case e.run == nil:
			e.run = ev.Raw
			return
		case cap(e.run) > end && &e.run[:end+1][end] == &ev.Raw[0]:
			e.run = e.run[:end+len(ev.Raw)]
			return
		}
	}
	e.own()
	e.out = append(e.out, ev.Raw...)
}

// own copies what lies in the piece.
func (e *events) own() {
	e.out = append(e.out, e.run...)
	e.run = nil
}

func (e *events) drop() { e.dropped = true }

// take decides on one event.
func (e *events) take(ev *sse.Event) error {
	data := bytes.TrimSpace(ev.Data)
	switch {
	case ev.Tail:
		if !e.dropped {
			e.add(ev)
		}
	case e.done:
		e.drop() // nothing follows [DONE], not even a second one
	case len(data) == 0:
		e.pass(ev)
	case string(data) == "[DONE]":
		return e.takeDone(ev)
	default:
		return e.takeData(ev, data)
	}
	return nil
}

func (e *events) takeDone(ev *sse.Event) error {
	if !e.answered {
		return peer.Broken("it is done before it began")
	}
	e.done, e.released, e.ending = true, true, noEnding
	e.pass(ev)
	return nil
}

// takeData decides on an event with data: search first, walk only if needed.
func (e *events) takeData(ev *sse.Event, data []byte) error {
	if string(ev.Name) == "error" {
		return e.leg.scrubber().Embedded(data)
	}
	m := e.findMarks(data)
	if e.released && !m.suspect && m.usage.Kind != jsonscan.Object && isObject(data) {
		e.measure(data, &m)
		e.place(&m)
		e.pass(ev)
		return nil
	}
	c, err := e.walk(data)
	if err != nil {
		return err
	}
	if c.usage.Kind == jsonscan.Object {
		e.state(c.usage.In(data))
		if e.chunks && c.empty && !e.leg.asked.ask.WantsUsage {
			e.drop()
			return nil
		}
	}
	e.measure(data, &m)
	e.released = e.released || c.content
	e.place(&m)
	e.pass(ev)
	return nil
}

// isObject reports whether an event's data looks like a whole JSON object; what
// does not is walked, which finds the fault. Parsing every event would double the
// cost of a stream.
func isObject(data []byte) bool { return data[0] == '{' && data[len(data)-1] == '}' }

// findMarks skips the beginning that events of one answer share: id, model and
// whatever else they repeat.
func (e *events) findMarks(data []byte) marks {
	from := 0
	if bytes.HasPrefix(data, e.shared) {
		from = len(e.shared)
	}
	m := findMarks(data, from)
	if m.plain > 0 && m.plain <= maxShared && from == 0 {
		e.shared = append(e.shared[:0], data[:m.plain]...)
	}
	return m
}

// chunk is what matters of one walked event.
type chunk struct {
	usage jsonscan.Value
	// empty tells that it holds no choice; content that it holds something a
	// user would see, or the end.
	empty, content bool
}

// walk reads one event's top level. An error in it is returned as such.
func (e *events) walk(data []byte) (chunk, error) {
	c := chunk{empty: true, content: !e.chunks}
	members := jsonscan.Document(data)
	for members.Next() {
		v := members.Value()
		switch string(members.Key()) {
		case "error":
			if v.Kind == jsonscan.Object || v.Kind == jsonscan.String {
				return c, e.leg.scrubber().Embedded(data)
			}
		case "object":
			if jsonscan.Is(data, v, "error") {
				return c, e.leg.scrubber().Embedded(data)
			}
		case "usage":
			c.usage = v
		case "choices":
			for choice := v.Elements(data); choice.Next(); {
				c.empty = false
				c.content = c.content || visible(data, choice.Value())
				// Moonshot states it in the choice that ends.
				if u := jsonscan.Find(data, choice.Value(), "usage"); c.usage.Kind != jsonscan.Object {
					c.usage = u
				}
			}
		}
	}
	if err := members.Err(); err != nil {
		return c, peer.Broken("an event of it is " + err.Error())
	}
	return c, nil
}

// visible reports whether a choice of a chunk is more than the announcement of
// a role.
func visible(data []byte, choice jsonscan.Value) bool {
	for m := choice.Members(data); m.Next(); {
		v := m.Value()
		switch string(m.Key()) {
		case "finish_reason", "text":
			if holds(data, v) {
				return true
			}
		case "delta":
			for d := v.Members(data); d.Next(); {
				if string(d.Key()) != "role" && holds(data, d.Value()) {
					return true
				}
			}
		}
	}
	return false
}

// holds reports whether a value is more than null, "", [] or {}.
func holds(data []byte, v jsonscan.Value) bool {
	switch v.Kind {
	case jsonscan.String:
		return v.End-v.Start > 2
	case jsonscan.Array:
		e := v.Elements(data)
		return e.Next()
	case jsonscan.Object:
		m := v.Members(data)
		return m.Next()
	}
	return v.Kind != jsonscan.Null && v.Kind != jsonscan.None
}

// state takes a usage object; the last one that can be believed counts.
func (e *events) state(text []byte) {
	if u, said := readUsage(text, e.leg.asked.endpoint.name == opImages); said.any() {
		e.stated, e.said = u, said
	}
}

// measure notes the end and estimates the size of one passing event.
func (e *events) measure(data []byte, m *marks) {
	e.answered = true
	if !e.chunks {
		kind, _ := jsonscan.Span(data, m.kind)
		e.measureTyped(kind)
		return
	}
	e.finished = e.finished || m.finished
	if m.size > 0 {
		// A chunk is at least one token, most often exactly one.
		e.tokens += max(1, int64(m.size)/bytesUsual)
	}
}

// measureTyped notes what came of pictures and sound. OpenAI ends each picture;
// Ark and MiniMax say of each that it succeeded, and end them all at once.
func (e *events) measureTyped(kind string) {
	switch {
	case strings.HasSuffix(kind, ".completed"), strings.HasSuffix(kind, ".done"):
		e.finished, e.sketched = true, false
		e.ends++
	case strings.HasSuffix(kind, ".partial_succeeded"):
		e.sketched = false
		e.drawn++
	case strings.HasSuffix(kind, ".partial_image"):
		e.sketched = true
	}
}

// textSize is how many bytes of text a value holds, about.
func textSize(v jsonscan.Value) int {
	switch v.Kind {
	case jsonscan.String:
		return v.End - v.Start - 2
	case jsonscan.Array, jsonscan.Object:
		return v.End - v.Start
	}
	return 0
}

func (e *events) finish() ([]byte, error) {
	if e.fault != nil {
		return nil, e.fault
	}
	if e.refusal != nil {
		if _, err := e.refusal.finish(); err != nil {
			return nil, err
		}
		return nil, peer.Broken("it is a document where a stream was asked for")
	}
	e.recycle()
	if err := e.last(); err != nil {
		return nil, err
	}
	switch {
	case e.done:
	case !e.finished:
		return nil, peer.Broken("it ended before it was complete")
	case e.chunks:
		e.own()
		e.out = append(e.out, doneEvent...)
	}
	e.released, e.ending = true, noEnding
	return e.give(nil)
}

// last takes an event whose blank line is missing, if it is whole otherwise.
func (e *events) last() error {
	rest := e.scanner.Rest()
	if len(rest) == 0 || e.done {
		return nil
	}
	if i := bytes.LastIndex(rest, []byte("data:")); i >= 0 {
		data := bytes.TrimSpace(rest[i+len("data:"):])
		if string(data) != "[DONE]" && jsonscan.At(data, 0).End != len(data) {
			return nil // cut off within: incomplete is what the caller finds
		}
	}
	e.scanner.Push([]byte("\n\n"))
	return e.drain()
}
