package openai

import (
	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// holdMost is how much of a document is held back until it is known to be
// whole: more than any chat answer. A larger one (pictures, embeddings by the
// thousand) passes as it comes; if it then breaks off, so does the client's.
const holdMost = 256 << 10

// document is a JSON answer. Its bytes are not changed.
type document struct {
	leg    *leg
	scan   *jsonscan.Stream
	held   []byte
	open   bool // held back no more
	given  bool // the client has some of it
	bytes  int64
	window window
}

func newDocument(l *leg) *document {
	d := &document{leg: l, scan: jsonscan.NewStream("usage", "error", "object"), window: window{scrub: l.scrub}}
	if name := d.required(); name != "" {
		d.scan.Watch(name)
	}
	return d
}

// required is the member without which a document is no answer, "" when there
// is no such thing (vendors disagree on what a ranking is called).
func (d *document) required() string {
	switch d.leg.asked.endpoint.name {
	case opChat, opCompletions:
		return "choices"
	case opEmbeddings, opImages:
		return "data"
	case opModerations:
		return "results"
	}
	return ""
}

func (d *document) feed(b []byte) ([]byte, error) {
	if err := d.scan.Write(b); err != nil {
		return nil, d.leg.broken(err.Error())
	}
	d.bytes += int64(len(b))
	if !d.open {
		d.held = append(d.held, b...)
		if len(d.held) <= holdMost {
			return nil, nil
		}
		if err := d.check(); err != nil {
			return nil, err
		}
		d.open, b, d.held = true, d.held, nil
	}
	return d.give(d.window.pass(b)), nil
}

func (d *document) finish() ([]byte, error) {
	if err := d.scan.End(); err != nil {
		if d.bytes == 0 {
			return nil, d.leg.broken("it is empty")
		}
		return nil, d.leg.broken(err.Error())
	}
	if d.open {
		return d.give(d.window.rest()), nil
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	if name := d.required(); name != "" && !d.scan.Seen(name) {
		return nil, d.leg.broken("it holds no " + name)
	}
	d.open = true
	return d.give(d.leg.scrub.answer(d.held)), nil
}

func (d *document) give(b []byte) []byte {
	d.given = d.given || len(b) > 0
	return b
}

// check recognises an error that was sent as a success.
func (d *document) check() error {
	if e := d.scan.Captured("error"); len(e) > 0 && (e[0] == '{' || e[0] == '"') {
		return d.leg.embedded(d.held)
	}
	if string(d.scan.Captured("object")) == `"error"` {
		return d.leg.embedded(d.held)
	}
	return nil
}

func (d *document) delivered() bool { return d.given }

func (d *document) usage() (sluice.Usage, bool) {
	return parseUsage(d.scan.Captured("usage"), d.leg.asked.endpoint.name == opImages)
}

// output takes four bytes for a token, where there is text at all.
func (d *document) output() int64 {
	switch d.leg.asked.endpoint.name {
	case opChat, opCompletions, opAudio:
		return d.bytes / bytesUsual
	}
	return 0
}
