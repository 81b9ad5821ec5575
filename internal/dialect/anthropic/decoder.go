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
	// over tells that message_stop came: nothing follows it.
	over bool
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
	id, _ := jsonscan.Text(data, jsonscan.Find(data, message, "id"))
	if err := d.out.Start(id, 0); err != nil {
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
	if usage.Kind == jsonscan.Object {
		d.usage.take(data, usage)
		if u, ok := d.usage.usage(); ok {
			if err := d.out.Usage(u); err != nil {
				return err
			}
		}
	}
	reason, ok := jsonscan.Text(data, jsonscan.Find(data, why, "stop_reason"))
	if !ok {
		return nil
	}
	if err := d.stop(); err != nil {
		return err
	}
	sequence, _ := jsonscan.Text(data, jsonscan.Find(data, why, "stop_sequence"))
	return d.out.Finish(0, d.reason(reason), sequence)
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

// Whole implements [form.Decoder].
func (d *decoder) Whole(doc []byte) error {
	root := jsonscan.At(doc, 0)
	content := jsonscan.Find(doc, root, "content")
	if content.Kind != jsonscan.Array {
		return peer.Broken("it holds no content")
	}
	id, _ := jsonscan.Text(doc, jsonscan.Find(doc, root, "id"))
	if err := d.out.Start(id, 0); err != nil {
		return err
	}
	for e := content.Elements(doc); e.Next(); {
		if err := d.start(doc, e.Value()); err != nil {
			return err
		}
		if err := d.stop(); err != nil {
			return err
		}
	}
	if jsonscan.Find(doc, root, "stop_reason").Kind != jsonscan.String {
		return peer.Broken("it does not say why it ended")
	}
	return d.end(doc, root, jsonscan.Find(doc, root, "usage"))
}

// End implements [form.Decoder]. Whether the answer was whole is known by the
// emitter: message_delta finished it.
func (d *decoder) End() error { return nil }
