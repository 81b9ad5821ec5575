package openai

import (
	"bytes"

	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// marks are the members of an event that matter, at whatever depth they stand:
// of each name the first that is not null. They are found in one pass that does
// not parse. It cannot take text for members, because the quotes of a name
// within a string are escaped, but it may take one member for another of the
// same name deeper down; whoever acts on usage or error walks the event.
type marks struct {
	usage, finish, delta, text, kind jsonscan.Value
	// error tells that there is a member of that name.
	error bool
}

// findMarks hops from quote to quote.
func findMarks(data []byte) marks {
	var m marks
	for at := 0; ; {
		i := bytes.IndexByte(data[at:], '"')
		if i < 0 {
			return m
		}
		at += i + 1
		if at == len(data) {
			return m
		}
		switch data[at] {
		case 'u':
			takeMark(data, at, `usage"`, &m.usage)
		case 'f':
			takeMark(data, at, `finish_reason"`, &m.finish)
		case 'd':
			takeMark(data, at, `delta"`, &m.delta)
		case 't':
			takeMark(data, at, `text"`, &m.text)
			takeMark(data, at, `type"`, &m.kind)
		case 'e':
			m.error = m.error || bytes.HasPrefix(data[at:], []byte(`error"`))
		}
	}
}

// takeMark reads the value behind a name that begins at i, if it is this name.
func takeMark(data []byte, i int, name string, v *jsonscan.Value) {
	if v.Kind != jsonscan.None || len(data)-i < len(name) || string(data[i:i+len(name)]) != name {
		return
	}
	i += len(name)
	for i < len(data) && (data[i] == ' ' || data[i] == '\t' || data[i] == '\n' || data[i] == '\r') {
		i++
	}
	if i == len(data) || data[i] != ':' {
		return
	}
	if found := jsonscan.At(data, i+1); found.Kind != jsonscan.Null {
		*v = found
	}
}
