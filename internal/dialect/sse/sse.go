// Package sse splits a stream of server-sent events (WHATWG HTML, section 9.2)
// into events as they lie in the bytes, whichever way the network cut them. It
// keeps what an event looked like, so that it can be passed on untouched, and
// never more than one event in memory.
//
// Start at [Scanner]. The package does not interpret data.
package sse

import "bytes"

// Event is one event, comment or stray separator. Its bytes are valid until the
// next call of Next or Push.
type Event struct {
	// Raw is everything of it as it came, the blank line at its end included.
	Raw []byte
	// Data is what its data lines say, joined by line feeds; nil when it has
	// none (a comment, a keep-alive), in which case a client does nothing.
	Data []byte
	// Name is the value of its event field, nil when absent.
	Name []byte
	// Tail tells that Raw is the late line feed of the carriage return that
	// ended the event before: it belongs to that one.
	Tail bool
	// Carried tells that Raw is a copy, because the event came in several
	// pieces; otherwise it lies in what was pushed.
	Carried bool
}

// Scanner cuts a stream into events. The zero value with Max set is ready. It
// is used by one goroutine.
type Scanner struct {
	// Max is the largest event in bytes; [Scanner.TooLarge] reports a larger one.
	Max int

	// in is what was pushed and not yet given out.
	in []byte
	// carry is the beginning of an event whose end has not come.
	carry []byte
	// state is how far the search has come, across pieces.
	state boundary
	// data is where data lines are joined.
	data []byte
	// givenCarry tells that the last event was carry, which may be reused now.
	givenCarry bool
	// tail tells that a line feed right now still belongs to the last event.
	tail     bool
	started  bool
	tooLarge bool
}

// boundary is how far the search for the end of an event has come.
type boundary byte

const (
	lineStart boundary = iota // at the start of a line: a line end ends the event
	inLine                    // within a line
	afterCR                   // behind a carriage return that ended a line
)

// keptBytes is the most memory that Reset keeps.
const keptBytes = 64 << 10

// Reset makes the scanner ready for another stream and keeps its memory.
func (s *Scanner) Reset(max int) {
	carry, data := s.carry[:0], s.data[:0]
	if cap(carry)+cap(data) > keptBytes {
		carry, data = nil, nil
	}
	*s = Scanner{Max: max, carry: carry, data: data}
}

// Push hands over the next piece; the scanner aliases it until Next has
// returned false.
func (s *Scanner) Push(b []byte) { s.in = b }

// TooLarge reports that an event exceeded Max; nothing follows.
func (s *Scanner) TooLarge() bool { return s.tooLarge }

// Partial reports whether the stream ended within an event.
func (s *Scanner) Partial() bool { return len(s.carry) > 0 && !s.givenCarry }

// Rest returns the beginning of an event whose end never came.
func (s *Scanner) Rest() []byte {
	if !s.Partial() {
		return nil
	}
	return s.carry
}

// Next fills ev with the next event and reports whether there is one; if not,
// the rest is kept until more is pushed.
func (s *Scanner) Next(ev *Event) bool {
	if s.tooLarge || len(s.in) == 0 {
		return false
	}
	if s.givenCarry {
		s.carry, s.givenCarry = s.carry[:0], false
	}
	if s.tail {
		s.tail = false
		if s.in[0] == '\n' {
			*ev = Event{Raw: s.in[:1], Tail: true}
			s.in = s.in[1:]
			return true
		}
	}
	if len(s.carry) == 0 && s.quick(ev) {
		return true
	}
	n, ended := s.find(s.in)
	if len(s.carry)+n > s.Max {
		s.tooLarge, s.in, s.carry = true, nil, nil
		return false
	}
	if !ended {
		s.carry = append(s.carry, s.in...)
		s.in = nil
		return false
	}
	raw := s.in[:n]
	if len(s.carry) > 0 {
		s.carry = append(s.carry, raw...)
		raw, s.givenCarry = s.carry, true
	}
	s.in = s.in[n:]
	s.tail = raw[len(raw)-1] == '\r'
	s.state = lineStart
	s.read(raw, ev)
	ev.Carried = s.givenCarry
	return true
}

// quick takes an event that is one line of data and lies here whole, as nearly
// all do.
func (s *Scanner) quick(ev *Event) bool {
	const field = "data:"
	end := bytes.IndexByte(s.in, '\n')
	if !s.started || end < len(field) || end+1 == len(s.in) || s.in[end+1] != '\n' || end+2 > s.Max || s.state != lineStart {
		return false
	}
	line := s.in[:end]
	if string(line[:len(field)]) != field || bytes.IndexByte(line, '\r') >= 0 {
		return false
	}
	data := line[len(field):]
	if len(data) > 0 && data[0] == ' ' {
		data = data[1:]
	}
	*ev = Event{Raw: s.in[:end+2], Data: data[:len(data):len(data)]}
	s.in = s.in[end+2:]
	return true
}

// find returns how much of b belongs to the current event and whether it ends
// there: at a line end that follows a line end.
func (s *Scanner) find(b []byte) (n int, ended bool) {
	for i := 0; i < len(b); {
		switch s.state {
		case inLine:
			j := indexLineEnd(b[i:])
			if j < 0 {
				return len(b), false
			}
			i += j
			s.state = lineStart
			if b[i] == '\r' {
				s.state = afterCR
			}
			i++
		case afterCR:
			s.state = lineStart
			if b[i] == '\n' {
				i++
			}
		case lineStart:
			switch b[i] {
			case '\n':
				return i + 1, true
			case '\r':
				// A line feed that follows belongs to this line end; one that
				// has not come yet is given out as a tail.
				if i+1 < len(b) && b[i+1] == '\n' {
					return i + 2, true
				}
				return i + 1, true
			}
			s.state = inLine
		}
	}
	return len(b), false
}

// indexLineEnd finds the first carriage return or line feed. Carriage returns
// are rare, so they are looked for only before the line feed.
func indexLineEnd(b []byte) int {
	lf := bytes.IndexByte(b, '\n')
	if lf < 0 {
		return bytes.IndexByte(b, '\r')
	}
	if cr := bytes.IndexByte(b[:lf], '\r'); cr >= 0 {
		return cr
	}
	return lf
}

// read takes an event's lines apart.
func (s *Scanner) read(raw []byte, ev *Event) {
	*ev = Event{Raw: raw}
	lines := raw
	if !s.started {
		s.started = true
		lines = bytes.TrimPrefix(lines, []byte("\xEF\xBB\xBF"))
	}
	joined := 0
	for len(lines) > 0 {
		var line []byte
		line, lines = cutLine(lines)
		name, value := cutField(line)
		switch string(name) {
		case "data":
			switch joined++; joined {
			case 1:
				ev.Data = value[:len(value):len(value)]
			case 2:
				s.data = append(append(append(s.data[:0], ev.Data...), '\n'), value...)
				ev.Data = s.data
			default:
				s.data = append(append(s.data, '\n'), value...)
				ev.Data = s.data
			}
		case "event":
			ev.Name = value
		}
	}
}

// cutLine returns the first line of b without its end, and what follows.
func cutLine(b []byte) (line, rest []byte) {
	i := indexLineEnd(b)
	if i < 0 {
		return b, nil
	}
	next := i + 1
	if b[i] == '\r' && next < len(b) && b[next] == '\n' {
		next++
	}
	return b[:i], b[next:]
}

// cutField splits a line at its first colon and drops one space behind it. A
// comment has an empty name.
func cutField(line []byte) (name, value []byte) {
	i := bytes.IndexByte(line, ':')
	if i < 0 {
		return line, line[len(line):]
	}
	value = line[i+1:]
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	return line[:i], value
}
