package anthropic

import "github.com/sluicegate/sluice/internal/dialect/jsonscan"

// frame is one event of a stream, its members as spans of its data.
type frame struct {
	kind                         string
	delta, block, message, usage jsonscan.Value
}

// readFrame reads an event in one pass over its top level; ok is false when it
// is no JSON object. What it returns is leased like the data.
func readFrame(data []byte) (f frame, ok bool) {
	members := jsonscan.Document(data)
	for members.Next() {
		v := members.Value()
		switch string(members.Key()) {
		case "type":
			f.kind, _ = jsonscan.Span(data, v)
		case "delta":
			f.delta = v
		case "content_block":
			f.block = v
		case "message":
			f.message = v
		case "usage":
			f.usage = v
		}
	}
	return f, members.Err() == nil
}
