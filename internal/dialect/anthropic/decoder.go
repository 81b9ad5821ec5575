package anthropic

import (
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

// maxGathered bounds what is kept of a block that is told in one piece.
const maxGathered = 1 << 20

// decoder reads one answer.
type decoder struct {
	out    *form.Emitter
	target *form.Target
	usage  stated
	// open is the block that is being told; Anthropic tells one at a time.
	open incoming
	// calls numbers calls of tools, to tell them apart; real counts those of the
	// client's own tools.
	calls, real int
	// over tells that message_stop came: nothing follows it. still tells that the
	// document stays where it is until the answer is written.
	over, still bool
}

// text is that of a string, copied unless the document stays.
func (d *decoder) text(data []byte, v jsonscan.Value) string {
	read := jsonscan.Text
	if d.still {
		read = jsonscan.Span
	}
	s, _ := read(data, v)
	return s
}

// Decoder implements [form.Back].
func (p *plan) Decoder(e *form.Emitter, t *form.Target) form.Decoder {
	return &decoder{out: e, target: t}
}

// Event implements [form.Decoder]. Events of a type that is not known are
// passed over, as the API's documentation asks.
func (d *decoder) Event(_, data []byte) error {
	if d.over {
		return nil
	}
	f, ok := readFrame(data)
	if !ok {
		return peer.Broken("an event is not a JSON object")
	}
	switch f.kind {
	case "message_stop":
		d.over = true
	case "content_block_delta":
		return d.delta(data, f.delta)
	case "content_block_start":
		return d.start(data, f.block)
	case "content_block_stop":
		return d.stop()
	case "message_start":
		return d.message(data, f.message)
	case "message_delta":
		return d.end(data, f.delta, f.usage)
	case "ping":
		return d.out.Ping()
	case "error":
		return &form.Fault{Doc: append([]byte(nil), data...)}
	}
	return nil
}

// message takes the message's head. Its usage is believed of the input only: the
// output has just begun.
func (d *decoder) message(data []byte, message jsonscan.Value) error {
	if message.Kind != jsonscan.Object {
		return peer.Broken("its first event holds no message")
	}
	if err := d.out.Start(d.text(data, jsonscan.Find(data, message, "id")), 0); err != nil {
		return err
	}
	d.usage.take(data, jsonscan.Find(data, message, "usage"))
	if u, ok := d.usage.begun(); ok {
		return d.out.InputUsage(u)
	}
	return nil
}

// end takes why the answer ended and what it used.
func (d *decoder) end(data []byte, why, usage jsonscan.Value) error {
	if err := d.spent(data, usage); err != nil {
		return err
	}
	reason := jsonscan.Find(data, why, "stop_reason")
	if reason.Kind != jsonscan.String {
		return nil
	}
	return d.finish(data, reason, jsonscan.Find(data, why, "stop_sequence"))
}

// spent takes what the answer used.
func (d *decoder) spent(data []byte, usage jsonscan.Value) error {
	if usage.Kind != jsonscan.Object {
		return nil
	}
	d.usage.take(data, usage)
	if u, ok := d.usage.usage(); ok {
		return d.out.Usage(u)
	}
	return nil
}

// finish takes why the answer ended.
func (d *decoder) finish(data []byte, reason, sequence jsonscan.Value) error {
	if err := d.stop(); err != nil {
		return err
	}
	return d.out.Finish(0, d.reason(d.text(data, reason)), d.text(data, sequence))
}

// reason reads why it ended: a call of the tool that stands for a format is
// none of the client's.
func (d *decoder) reason(wire string) form.StopReason {
	reason := formReason(wire)
	if reason == form.StopCalls && d.calls > 0 && d.real == 0 {
		return form.StopEnd
	}
	return reason
}

// answer is a whole message as it lies in its document.
type answer struct{ id, content, usage, reason, sequence jsonscan.Value }

// readAnswer finds what counts of a message; false of what is no whole object.
func readAnswer(doc []byte) (a answer, ok bool) {
	m := jsonscan.Document(doc)
	for m.Next() {
		switch v := m.Value(); string(m.Key()) {
		case "id":
			a.id = v
		case "content":
			a.content = v
		case "usage":
			a.usage = v
		case "stop_reason":
			a.reason = v
		case "stop_sequence":
			a.sequence = v
		}
	}
	return a, m.Err() == nil
}

// Whole implements [form.Decoder].
func (d *decoder) Whole(doc []byte) error {
	a, ok := readAnswer(doc)
	if !ok || a.content.Kind != jsonscan.Array {
		return peer.Broken("it holds no content")
	}
	d.still = true
	if err := d.out.Start(d.text(doc, a.id), 0); err != nil {
		return err
	}
	for e := a.content.Elements(doc); e.Next(); {
		if err := d.start(doc, e.Value()); err != nil {
			return err
		}
		if err := d.stop(); err != nil {
			return err
		}
	}
	if a.reason.Kind != jsonscan.String {
		return peer.Broken("it does not say why it ended")
	}
	if err := d.spent(doc, a.usage); err != nil {
		return err
	}
	return d.finish(doc, a.reason, a.sequence)
}

// End implements [form.Decoder]. Whether the answer was whole is known by the
// emitter: message_delta finished it.
func (d *decoder) End() error { return nil }
