package translate_test

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sluicegate/sluice"
)

// surface is an API that clients speak, as its software sees it.
type surface interface {
	name() string
	// auth is the field that its clients send their key in.
	auth() string
	// request writes a round of a scene for a model. first is the answer to the
	// first round, nil in it.
	request(s *scene, model string, stream bool, first *reply) (path, body string)
	// whole and stream read an answer, strictly; what is wrong goes to r.wrong.
	whole(r *reply, doc []byte)
	stream(r *reply, body []byte)
	// fault reads an error: our code, and the field.
	fault(doc []byte) (code, field string, ok bool)
	// shows is what the surface can show of what a provider told.
	shows(s said) said
	// reason is its word for a reason, usage its sums.
	reason(s said) string
	usage(u sluice.Usage) map[string]int64
}

// reply is an answer as a client's software read it.
type reply struct {
	thought, text, refusal string
	calls                  []call
	signed                 bool
	reason, sequence       string
	model                  string
	usage                  map[string]int64
	// echo is what the client sends back of it, in the surface's own shape.
	echo any
	// ended tells that the stream ended as a complete one does, broke that it
	// ended with an error, whose code is fault.
	ended, broke bool
	fault        string
	// native tells that the provider's own bytes are expected.
	native bool
	wrong  []string
}

// refuse notes what breaks the surface's rules.
func (r *reply) refuse(format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
}

// decode reads JSON of an answer.
func (r *reply) decode(raw []byte, to any) bool {
	if err := json.Unmarshal(raw, to); err != nil {
		r.refuse("%v in %.200q", err, raw)
		return false
	}
	return true
}

// event is one server-sent event.
type event struct{ name, data string }

// events splits a stream into events that end in a blank line, and refuses what
// is not one. Comments are legal anywhere between.
func (r *reply) events(body []byte, eol string) (list []event) {
	text := string(body)
	if text != "" && !strings.HasSuffix(text, eol+eol) {
		r.refuse("the stream ends within an event: %q", text[max(0, len(text)-60):])
	}
	for frame := range strings.SplitSeq(strings.TrimSuffix(text, eol+eol), eol+eol) {
		var e event
		for line := range strings.SplitSeq(frame, eol) {
			name, value, _ := strings.Cut(line, ": ")
			switch name {
			case "event":
				e.name = value
			case "data":
				e.data += value
			case "":
			default:
				r.refuse("line %q", line)
			}
		}
		if e != (event{}) {
			list = append(list, e)
		}
	}
	return list
}

// flatten lists the numbers of a document by their dotted paths.
func flatten(to map[string]int64, prefix string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			flatten(to, prefix+"."+name, inner)
		}
	case float64:
		to[strings.TrimPrefix(prefix, ".")] = int64(v)
	}
}

// numbers are the numbers of a usage object.
func numbers(raw json.RawMessage) map[string]int64 {
	var v any
	to := map[string]int64{}
	if json.Unmarshal(raw, &v) == nil {
		flatten(to, "", v)
	}
	return to
}
