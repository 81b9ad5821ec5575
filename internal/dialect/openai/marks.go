package openai

import (
	"bytes"

	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// marks are what matters of an event that passes, at whatever depth it stands.
// They are found in one pass that does not parse but hops from colon to colon. It
// cannot take text for a member, because the quotes of a name within a string are
// escaped, but it may take one member for another of the same name deeper down;
// whoever acts on usage or suspect walks the event.
type marks struct {
	// usage and kind are the first values of usage and type that are not null.
	usage, kind jsonscan.Value
	// suspect tells that it may be an error.
	suspect bool
	// finished tells that it says why the answer ended.
	finished bool
	// size is about how much text it brings, of the first delta or text.
	size  int
	sized bool
	// plain is how many bytes before the first delta hold nothing of all this.
	plain int
}

// findMarks reads the members of one event, of which the first bytes, up to from,
// are known to be plain.
func findMarks(data []byte, from int) marks {
	var m marks
	for at := from; ; {
		i := bytes.IndexByte(data[at:], ':')
		if i < 0 {
			return m
		}
		at += i + 1
		name := data[:at-1]
		if last := len(name) - 1; last >= 0 && name[last] != '"' {
			name = bytes.TrimRight(name, " \t\r\n")
		}
		if len(name) < len(`"text"`) || name[len(name)-1] != '"' {
			continue
		}
		switch name[len(name)-2] { // most names end in another letter than these
		case 'e', 'r', 'n', 'a', 't':
			at = m.member(data, name, at)
		}
	}
}

// member takes the member whose name, with both quotes, ends in name. Its value
// is behind the offset at; the search goes on at the offset returned.
func (m *marks) member(data, name []byte, at int) int {
	switch {
	case ends(name, `"delta"`):
		if *m == (marks{}) {
			m.plain = len(name) - len(`"delta"`)
		}
		return m.delta(data, at)
	case ends(name, `"usage"`):
		first(data, at, &m.usage)
	case ends(name, `"type"`):
		first(data, at, &m.kind)
	case ends(name, `"finish_reason"`):
		v := jsonscan.At(data, at) // "" is how some relays say null
		m.finished = m.finished || v.Kind == jsonscan.String && v.End-v.Start > len(`""`)
	case ends(name, `"text"`):
		if v := jsonscan.At(data, at); !m.sized && v.Kind == jsonscan.String {
			m.size, m.sized = textSize(v), true
		}
	case ends(name, `"error"`):
		m.suspect = true
	case ends(name, `"object"`):
		m.suspect = m.suspect || jsonscan.Is(data, jsonscan.At(data, at), "error")
	}
	return at
}

func ends(name []byte, with string) bool {
	return len(name) >= len(with) && string(name[len(name)-len(with):]) == with
}

// first keeps the first value that is not null.
func first(data []byte, at int, v *jsonscan.Value) {
	if v.Kind != jsonscan.None {
		return
	}
	if found := jsonscan.At(data, at); found.Kind != jsonscan.Null {
		*v = found
	}
}

// delta measures the delta behind an offset and returns the offset behind it.
func (m *marks) delta(data []byte, at int) int {
	members := jsonscan.MembersAt(data, at)
	size := 0
	for members.Next() {
		if v := members.Value(); string(members.Key()) != "role" {
			size += textSize(v)
		}
		at = members.Value().End
	}
	if !m.sized && size > 0 {
		m.size, m.sized = size, true
	}
	return at
}
