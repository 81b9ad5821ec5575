package jsonscan

// Members walks the members of an object in order. It is used like a
// bufio.Scanner; its zero value has no members.
type Members struct {
	walker
	key Value
}

// Elements walks the elements of an array in order; its zero value has none.
type Elements struct{ walker }

// walker is what both walks share: where they are in the document.
type walker struct {
	doc []byte
	// next is where the walk goes on, from its opening bracket on.
	next    int
	value   Value
	started bool
	ended   bool
	// whole means that nothing but space may follow, sound that the document was
	// validated before.
	whole, sound bool

	reason string
}

// Document walks the members of the object that doc consists of. Text that is
// not one JSON object is an error once the walk comes to it.
func Document(doc []byte) Members {
	m := Members{walker: walker{doc: doc, next: skipSpace(doc, 0), whole: true}}
	if m.next >= len(doc) {
		m.reason = reasonEnd
	} else if doc[m.next] != '{' {
		m.reason = reasonObject
	}
	return m
}

// Members walks the members of an object value that was found in doc, which is as
// it was then: nothing is validated again. Of any other value it walks none.
func (v Value) Members(doc []byte) Members {
	if v.Kind != Object {
		return Members{walker: walker{ended: true}}
	}
	return Members{walker: walker{doc: doc[:v.End], next: v.Start, sound: true}}
}

// MembersAt walks the members of the object that begins at or, behind white
// space, after offset i, of which nothing was validated; where there is none it
// walks none.
func MembersAt(doc []byte, i int) Members {
	i = skipSpace(doc, i)
	if i >= len(doc) || doc[i] != '{' {
		return Members{walker: walker{ended: true}}
	}
	return Members{walker: walker{doc: doc, next: i}}
}

// Elements walks the elements of an array value that was found in doc, which is as
// it was then: nothing is validated again. Of any other value it walks none.
func (v Value) Elements(doc []byte) Elements {
	if v.Kind != Array {
		return Elements{walker{ended: true}}
	}
	return Elements{walker{doc: doc[:v.End], next: v.Start, sound: true}}
}

// Next steps to the next member and reports whether there is one; if not, Err
// tells an end from a fault.
func (m *Members) Next() bool {
	if !m.step(true) {
		return false
	}
	if m.sound {
		end := soundString(m.doc, m.next)
		m.key = Value{Kind: String, Start: m.next, End: end}
		m.next = skipSpace(m.doc, skipSpace(m.doc, end)+1)
		return m.take()
	}
	end, reason := skipString(m.doc, m.next)
	if reason != "" {
		return m.fail(end, reason)
	}
	m.key = Value{Kind: String, Start: m.next, End: end}
	if m.next, reason = skipKey(m.doc, m.next); reason != "" {
		return m.fail(m.next, reason)
	}
	return m.take()
}

// Next steps to the next element and reports whether there is one; if not, Err
// tells an end from a fault.
func (e *Elements) Next() bool { return e.step(false) && e.take() }

// Key is the current member's name, unescaped.
func (m *Members) Key() []byte {
	raw := m.doc[m.key.Start+1 : m.key.End-1]
	if !hasEscape(raw) {
		return raw
	}
	s, _ := Text(m.doc, m.key)
	return []byte(s)
}

// Value is the current member's or element's value.
func (w *walker) Value() Value { return w.value }

// Err returns the fault that ended the walk, nil if it came to the end.
func (w *walker) Err() *Error {
	if w.reason == "" {
		return nil
	}
	return &Error{Offset: w.next, Reason: w.reason}
}

// fail ends the walk with a fault.
func (w *walker) fail(at int, reason string) bool {
	w.next, w.reason, w.ended = at, reason, true
	return false
}

// step moves next to the next member's name or element's value; false at the
// end of the container or at a fault.
func (w *walker) step(object bool) bool {
	if w.ended || w.reason != "" {
		return false
	}
	i := skipSpace(w.doc, w.next)
	if w.started {
		if i >= len(w.doc) {
			return w.fail(i, reasonEnd)
		}
		switch c := w.doc[i]; {
		case c == ',':
			i = skipSpace(w.doc, i+1)
		case object && c == '}' || !object && c == ']':
			return w.finish(i + 1)
		case object:
			return w.fail(i, reasonMember)
		default:
			return w.fail(i, reasonElement)
		}
	} else {
		w.started = true
		i = skipSpace(w.doc, i+1)
		if i < len(w.doc) && (object && w.doc[i] == '}' || !object && w.doc[i] == ']') {
			return w.finish(i + 1)
		}
	}
	if i >= len(w.doc) {
		return w.fail(i, reasonEnd)
	}
	if object && w.doc[i] != '"' {
		return w.fail(i, reasonKey)
	}
	w.next = i
	return true
}

// take finds the end of the value at next, and validates it unless that is done.
func (w *walker) take() bool {
	if w.sound {
		kind, end := soundEnd(w.doc, w.next)
		w.value = Value{Kind: kind, Start: w.next, End: end}
		w.next = end
		return true
	}
	kind, end, reason := skipValue(w.doc, w.next)
	if reason != "" {
		return w.fail(end, reason)
	}
	w.value = Value{Kind: kind, Start: w.next, End: end}
	w.next = end
	return true
}

// finish ends the walk behind the container.
func (w *walker) finish(i int) bool {
	w.ended = true
	if w.whole {
		if i = skipSpace(w.doc, i); i < len(w.doc) {
			return w.fail(i, reasonTrailing)
		}
	}
	w.next = i
	return false
}
