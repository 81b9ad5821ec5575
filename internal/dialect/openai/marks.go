package openai

import (
	"bytes"

	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// The names that are looked for. They begin behind the opening quote: those are
// everywhere, and a search that begins with one stops at each.
var (
	nameUsage  = []byte(`usage"`)
	nameError  = []byte(`error"`)
	nameFinish = []byte(`finish_reason"`)
	nameDelta  = []byte(`delta"`)
	nameText   = []byte(`text"`)
	nameType   = []byte(`type"`)
)

// behind returns the offset behind the next member of that name, from an offset
// on, at whatever depth it stands; -1 when there is none. It searches and does
// not parse. It cannot take text for a member, because the quotes of a name
// within a string are escaped, but it may take one member for another of the
// same name deeper down; whoever acts on usage or error walks the event.
func behind(data []byte, from int, name []byte) int {
	for {
		i := bytes.Index(data[from:], name)
		if i < 0 {
			return -1
		}
		at := from + i
		from = at + len(name)
		if at > 0 && data[at-1] == '"' {
			return from
		}
	}
}

// mark returns the first value of that name that is not null; its kind is
// [jsonscan.None] when there is none.
func mark(data, name []byte) jsonscan.Value {
	for at := behind(data, 0, name); at >= 0; at = behind(data, at, name) {
		if i := value(data, at); i >= 0 {
			if v := jsonscan.At(data, i); v.Kind != jsonscan.None && v.Kind != jsonscan.Null {
				return v
			}
		}
	}
	return jsonscan.Value{}
}

// value returns the offset of the value behind a name, -1 when no colon is
// there.
func value(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\t' || data[i] == '\n' || data[i] == '\r') {
		i++
	}
	if i == len(data) || data[i] != ':' {
		return -1
	}
	return i + 1
}

// deltaSize is about how much text the first delta of a chunk holds.
func deltaSize(data []byte) int {
	for at := behind(data, 0, nameDelta); at >= 0; at = behind(data, at, nameDelta) {
		i := value(data, at)
		if i < 0 {
			continue
		}
		size := 0
		members := jsonscan.MembersAt(data, i)
		for members.Next() {
			if string(members.Key()) != "role" {
				size += textSize(members.Value())
			}
		}
		return size
	}
	return 0
}
