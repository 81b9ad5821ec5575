package openai

import (
	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

const (
	// holdMost is how much of a document is held back until it is known to be
	// whole: more than any chat answer. A larger one (pictures, embeddings by
	// the thousand) passes as it comes; if it then breaks off, so does the
	// client's.
	holdMost = 256 << 10
	// maxAnswer ends an answer that never does: more than any picture or table of
	// embeddings.
	maxAnswer = 256 << 20
	// keptHeld is the most that idle memory keeps.
	keptHeld = 64 << 10
)

// document is a JSON answer. Its bytes are not changed. What is held back is
// read once, when it is whole; a larger one is read as it passes.
type document struct {
	leg  *leg
	held []byte
	// found is what held says, once it was read.
	found found
	read  bool
	// scan reads what passes; nil while everything is held back.
	scan   *jsonscan.Stream
	given  bool // the client has some of it
	bytes  int64
	window window
}

// found is what matters of a document that is held back.
type found struct {
	usage, failure, object, required jsonscan.Value
	// duration is that of a recording, meta what a ranking states besides.
	duration, meta jsonscan.Value
	err            error
}

// start begins another answer; nil drops the last.
func (d *document) start(l *leg) {
	if cap(d.held) > keptHeld {
		d.held = nil
	}
	d.window.start(l)
	*d = document{leg: l, held: d.held[:0], window: d.window}
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
	if d.bytes += int64(len(b)); d.bytes > maxAnswer {
		return nil, tooLarge()
	}
	if d.scan == nil {
		d.held = append(d.held, b...)
		if len(d.held) > holdMost {
			return d.release()
		}
		return nil, d.begin()
	}
	if err := d.scan.Write(b); err != nil {
		return nil, peer.Broken(err.Error())
	}
	return d.give(d.window.pass(b)), nil
}

func tooLarge() error {
	return sluice.Errorf(sluice.CodeProviderTooLarge, "the provider's answer is larger than %d bytes", int64(maxAnswer))
}

// begin refuses at once what is no document from its first byte on, instead of
// waiting for more of it.
func (d *document) begin() error {
	for _, c := range d.held {
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		case '{':
			return nil
		}
		return peer.Broken("it is not a JSON object")
	}
	return nil
}

// release ends holding back.
func (d *document) release() ([]byte, error) {
	d.scan = jsonscan.NewStream("usage", "error", "object", "duration", "meta")
	if name := d.required(); name != "" {
		d.scan.Watch(name)
	}
	if err := d.scan.Write(d.held); err != nil {
		return nil, peer.Broken(err.Error())
	}
	if err := d.refused(d.scan.Captured("error"), d.scan.Captured("object")); err != nil {
		return nil, err
	}
	b := d.held
	d.held = nil
	return d.give(d.window.pass(b)), nil
}

// look reads what is held back.
func (d *document) look() *found {
	if d.read {
		return &d.found
	}
	d.read = true
	f, required := &d.found, d.required()
	members := jsonscan.Document(d.held)
	for members.Next() {
		switch key := members.Key(); string(key) {
		case "usage":
			f.usage = members.Value()
		case "error":
			f.failure = members.Value()
		case "object":
			f.object = members.Value()
		case required:
			f.required = members.Value()
		case "duration":
			f.duration = members.Value()
		case "meta":
			f.meta = members.Value()
		}
	}
	if err := members.Err(); err != nil {
		f.err = err
	}
	return f
}

func (d *document) finish() ([]byte, error) {
	switch {
	case d.bytes == 0:
		return nil, peer.Broken("it is empty")
	case d.scan != nil:
		return d.finishScan()
	}
	f := d.look()
	if f.err != nil {
		return nil, peer.Broken(f.err.Error())
	}
	if err := d.refused(f.failure.In(d.held), f.object.In(d.held)); err != nil {
		return nil, err
	}
	if name := d.required(); name != "" && f.required.Kind == jsonscan.None {
		return nil, peer.Broken("it holds no " + name)
	}
	return d.give(d.leg.scrubber().Answer(d.held)), nil
}

func (d *document) finishScan() ([]byte, error) {
	if err := d.scan.End(); err != nil {
		return nil, peer.Broken(err.Error())
	}
	return d.give(d.window.rest()), nil
}

func (d *document) give(b []byte) []byte {
	d.given = d.given || len(b) > 0
	return b
}

// refused recognises an error that was sent as a success.
func (d *document) refused(failure, object []byte) error {
	if len(failure) > 0 && (failure[0] == '{' || failure[0] == '"') || string(object) == `"error"` {
		return d.leg.scrubber().Embedded(d.held)
	}
	return nil
}

func (d *document) delivered() bool { return d.given }

func (d *document) usage() (sluice.Usage, statement) {
	images := d.leg.asked.endpoint.name == opImages
	if d.scan != nil {
		u, said := readUsage(d.scan.Captured("usage"), images)
		return d.besides(u, said, d.scan.Captured("duration"), d.scan.Captured("meta"))
	}
	f := d.look()
	u, said := readUsage(f.usage.In(d.held), images)
	return d.besides(u, said, f.duration.In(d.held), f.meta.In(d.held))
}

// besides adds what is stated elsewhere than in the usage object.
func (d *document) besides(u sluice.Usage, said statement, duration, meta []byte) (sluice.Usage, statement) {
	switch d.leg.asked.endpoint.pieces {
	case recording:
		if n, ok := seconds(duration, jsonscan.At(duration, 0)); ok && !said.seconds {
			u.AudioSeconds, said.seconds = n, true
		}
	case ranking:
		if n, ok := searchUnits(meta); ok {
			u.SearchUnits, said.searches = n, true
		}
	}
	return u, said
}

// pictures counts the elements of data that are no failures, which are small: in
// what passes as it comes they are pictures.
func (d *document) pictures() (n int64) {
	if d.scan != nil {
		return d.scan.Elements("data")
	}
	for e := d.look().required.Elements(d.held); e.Next(); {
		if jsonscan.Find(d.held, e.Value(), "error").Kind != jsonscan.Object {
			n++
		}
	}
	return n
}

// output takes four bytes for a token, where there is text at all.
func (d *document) output() int64 {
	switch d.leg.asked.endpoint.name {
	case opChat, opCompletions, opAudio:
		return d.bytes / bytesUsual
	}
	return 0
}
