package anthropic

import (
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
	"github.com/sluicegate/sluice/internal/dialect/native"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

// protocol tells package native how answers of this API look.
type protocol struct{ counting bool }

var _ native.Protocol = protocol{}

// Event implements [native.Protocol]. What message_start states is
// believed of the input only: the output has just begun.
func (protocol) Event(_, data []byte, r *native.Reading) (native.Class, error) {
	f, ok := readFrame(data)
	if !ok {
		return 0, peer.Broken("an event is not a JSON object")
	}
	switch f.kind {
	case "content_block_delta":
		r.Text += int64(deltaSize(data, f.delta))
		return native.Content, nil
	case "content_block_start":
		return startClass(data, f.block), nil
	case "message_start":
		return native.Lifecycle, start(data, f.message, r)
	case "message_delta":
		readUsage(data, f.usage, r)
		return native.Content, nil
	case "message_stop":
		return native.Closed, nil
	}
	return native.Lifecycle, nil
}

// start checks that the first event is what it has to be.
func start(data []byte, message jsonscan.Value, r *native.Reading) error {
	if message.Kind != jsonscan.Object {
		return peer.Broken("its first event holds no message")
	}
	var s stated
	s.take(data, jsonscan.Find(data, message, "usage"))
	if u, ok := s.begun(); ok {
		r.Usage, r.Input = u, true
	}
	return nil
}

// startClass tells blocks that bring something with their start from those that
// announce it.
func startClass(data []byte, block jsonscan.Value) native.Class {
	kind, _ := jsonscan.Span(data, jsonscan.Find(data, block, "type"))
	if kind == "text" || kind == "thinking" {
		return native.Lifecycle
	}
	return native.Content
}

// deltaSize is how many bytes of output a delta brings.
func deltaSize(data []byte, delta jsonscan.Value) int {
	for m := delta.Members(data); m.Next(); {
		switch string(m.Key()) {
		case "text", "thinking", "partial_json":
			v := m.Value()
			return max(0, v.End-v.Start-len(`""`))
		}
	}
	return 0
}

// readUsage lets the last statement overwrite what the first one said.
func readUsage(data []byte, usage jsonscan.Value, r *native.Reading) {
	if usage.Kind != jsonscan.Object {
		return
	}
	before := r.Usage
	s := stated{
		input:     count{n: before.Input, set: true},
		read:      count{n: before.CachedInput, set: true},
		written:   count{n: before.CacheWrite5m + before.CacheWrite1h, set: true},
		written1h: count{n: before.CacheWrite1h, set: true},
	}
	s.take(data, usage)
	if u, ok := s.usage(); ok {
		r.Usage, r.Stated = u, true
	}
}

// Document implements [native.Protocol].
func (p protocol) Document(doc []byte, r *native.Reading) error {
	root := jsonscan.At(doc, 0)
	if p.counting {
		if _, ok := jsonscan.Int(doc, jsonscan.Find(doc, root, "input_tokens")); !ok {
			return peer.Broken("it holds no number of tokens")
		}
		r.Stated = true // counting uses nothing
		return nil
	}
	if jsonscan.Find(doc, root, "content").Kind != jsonscan.Array {
		return peer.Broken("it holds no content")
	}
	var s stated
	s.take(doc, jsonscan.Find(doc, root, "usage"))
	if u, ok := s.usage(); ok {
		r.Usage, r.Stated = u, true
	}
	r.Text = int64(len(doc))
	return nil
}
