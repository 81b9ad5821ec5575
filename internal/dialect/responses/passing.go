package responses

import (
	"bytes"

	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
	"github.com/sluicegate/sluice/internal/dialect/native"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

// Passing watches an answer that passes from a provider of this API to a client
// of it. It belongs to one attempt: make one with [Front.Passing].
type Passing struct {
	scrub *peer.Scrubber
	place *place
}

var _ native.Protocol = (*Passing)(nil)

// Passing returns the watcher of another attempt, whose account has this
// scrubber.
func (f *Front) Passing(s *peer.Scrubber) *Passing {
	p := &Passing{scrub: s, place: &place{}}
	f.place = p.place
	return p
}

// Event implements [native.Protocol].
func (p *Passing) Event(_, data []byte, r *native.Reading) (native.Class, error) {
	var found passed
	if err := found.read(data); err != nil {
		return 0, err
	}
	p.note(data, &found)
	if found.response.Kind == jsonscan.Object {
		p.state(found.response.In(data), r)
	}
	if found.delta.Kind == jsonscan.String {
		r.Text += int64(found.delta.End - found.delta.Start - 2)
	}
	switch found.kind {
	case "response.completed", "response.incomplete":
		return native.Closed, nil
	case "response.failed", "response.cancelled":
		return 0, p.fault(found.response.In(data))
	case "response.created", "response.in_progress", "response.queued",
		"response.output_item.added", "response.content_part.added", "response.reasoning_summary_part.added":
		return native.Lifecycle, nil
	case "":
		return 0, peer.Broken("an event of it has no type")
	}
	return native.Content, nil
}

// passed is what matters of one event.
type passed struct {
	kind                      string
	sequence, delta, response jsonscan.Value
}

func (e *passed) read(data []byte) error {
	members := jsonscan.Document(data)
	for members.Next() {
		v := members.Value()
		switch string(members.Key()) {
		case "type":
			e.kind, _ = jsonscan.Span(data, v)
		case "sequence_number":
			e.sequence = v
		case "delta":
			e.delta = v
		case "response":
			e.response = v
		}
	}
	if err := members.Err(); err != nil {
		return peer.Broken("an event of it is " + err.Error())
	}
	return nil
}

// note remembers where the answer is, for an end of our own.
func (p *Passing) note(data []byte, e *passed) {
	if n, ok := jsonscan.Int(data, e.sequence); ok {
		p.place.sequence = n + 1
	}
	if p.place.id != "" || e.response.Kind != jsonscan.Object {
		return
	}
	p.place.id, _ = jsonscan.Text(data, jsonscan.Find(data, e.response, "id"))
	p.place.created, _ = jsonscan.Int(data, jsonscan.Find(data, e.response, "created_at"))
}

// state reads the usage of a response.
func (p *Passing) state(doc []byte, r *native.Reading) {
	usage := jsonscan.Find(doc, jsonscan.At(doc, 0), "usage")
	if usage.Kind != jsonscan.Object {
		return
	}
	if u, ok := readUsage(usage.In(doc)); ok {
		r.Usage, r.Stated = u, true
	}
}

// fault classifies the error of a response that failed.
func (p *Passing) fault(doc []byte) error {
	object := jsonscan.Find(doc, jsonscan.At(doc, 0), "error")
	if object.Kind != jsonscan.Object {
		return peer.Broken("it failed")
	}
	return p.scrub.Embedded(bytes.Join([][]byte{[]byte(`{"error":`), object.In(doc), []byte("}")}, nil))
}

// Document implements [native.Protocol], for responses and for counts.
func (p *Passing) Document(doc []byte, r *native.Reading) error {
	var isCount, isResponse bool
	var status string
	members := jsonscan.Document(doc)
	for members.Next() {
		v := members.Value()
		switch string(members.Key()) {
		case "input_tokens":
			isCount = v.Kind == jsonscan.Number
		case "output":
			isResponse = v.Kind == jsonscan.Array
		case "status":
			status, _ = jsonscan.Text(doc, v)
		}
	}
	if err := members.Err(); err != nil {
		return peer.Broken("it is " + err.Error())
	}
	switch {
	case isCount && !isResponse:
		r.Stated = true // counting uses nothing
		return nil
	case !isResponse || status != "completed" && status != "incomplete":
		return peer.Broken("it is no response that has ended")
	}
	p.state(doc, r)
	return nil
}
