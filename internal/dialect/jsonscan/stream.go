package jsonscan

// Stream validates one JSON object that passes by in pieces of any size, with
// bounded memory, and keeps the values of a few members of it. It is used by
// one goroutine.
type Stream struct {
	captures []capture
	// current is the capture that is being filled, nil when none is.
	current *capture
	state   state
	// objects and open are the open containers, as in skipContainer.
	objects uint64
	open    int
	// inKey tells that the string being read is a member's name.
	inKey bool
	key   [maxKey]byte
	// keyLen counts the bytes of the name; more than maxKey matches nothing.
	keyLen int
	word   string // the rest of a literal
	hex    int    // digits of a \u escape still to come
	number numberState
	offset int
	reason string
}

// capture is one member of the object that is kept.
type capture struct {
	name  string
	value []byte
	// over tells that the value was too large to keep, or is only watched for.
	over bool
	// watched tells that the value is never kept, seen that the member began.
	watched, seen bool
	// elements counts those of a value that is an array.
	elements int64
}

// maxKey is the longest member name that can be captured.
const maxKey = 32

// MaxCapture is the most bytes of a member's value that a [Stream] keeps; of a
// larger value nothing is kept.
const MaxCapture = 64 << 10

type state byte

const (
	atDocument  state = iota // before the object
	atValue                  // a value must begin
	atFirst                  // a value or the end of an array
	atFirstKey               // a name or the end of an object
	atKey                    // a name must begin
	atColon                  // the colon behind a name
	afterValue               // a comma or the end of the container
	inString                 // within a string
	inEscape                 // behind a backslash
	inHex                    // within \uXXXX
	inWord                   // within true, false, null
	inNumber                 // within a number
	afterObject              // behind the whole document
)

type numberState byte

const (
	numberSign     numberState = iota // behind "-"
	numberZero                        // behind a leading 0
	numberInteger                     // within the integer part
	numberPoint                       // behind "."
	numberFraction                    // within the fraction
	numberE                           // behind "e"
	numberESign                       // behind "e+"
	numberExponent                    // within the exponent
)

// NewStream returns a validator that keeps the values of the members with these
// names (each of at most 32 bytes, without escapes) of the outermost object.
func NewStream(names ...string) *Stream {
	s := &Stream{captures: make([]capture, len(names))}
	for i, name := range names {
		s.captures[i].name = name
	}
	return s
}

// Watch also looks out for a member of the outermost object without keeping its
// value; see Seen.
func (s *Stream) Watch(name string) {
	s.captures = append(s.captures, capture{name: name, watched: true})
}

// Seen reports whether a member of that name, captured or watched, has begun.
func (s *Stream) Seen(name string) bool {
	for i := range s.captures {
		if s.captures[i].name == name && s.captures[i].seen {
			return true
		}
	}
	return false
}

// Elements is how many elements of the last member of that name, if it is an
// array, have begun.
func (s *Stream) Elements(name string) int64 {
	for i := range s.captures {
		if s.captures[i].name == name {
			return s.captures[i].elements
		}
	}
	return 0
}

// Captured returns the value of the last member of that name, nil if it has not
// been seen whole or exceeds [MaxCapture].
func (s *Stream) Captured(name string) []byte {
	for i := range s.captures {
		if c := &s.captures[i]; c.name == name && c != s.current && !c.over {
			return c.value
		}
	}
	return nil
}

// Complete reports whether the whole object has passed.
func (s *Stream) Complete() bool { return s.state == afterObject && s.reason == "" }

// Write validates the next piece. The error is an [*Error], and stays.
func (s *Stream) Write(b []byte) error {
	for i := 0; i < len(b) && s.reason == ""; {
		if s.state == inString {
			n := plainPrefix(b[i:])
			s.keep(b[i : i+n])
			if i += n; i == len(b) {
				s.offset += n
				break
			}
			s.offset += n
		}
		again := s.step(b[i])
		if !again {
			i++
			s.offset++
		}
	}
	if s.reason != "" {
		return &Error{Offset: s.offset, Reason: s.reason}
	}
	return nil
}

// End says why the document is not whole, nil if it is.
func (s *Stream) End() error {
	if s.Complete() {
		return nil
	}
	if s.reason != "" {
		return &Error{Offset: s.offset, Reason: s.reason}
	}
	return &Error{Offset: s.offset, Reason: reasonEnd}
}

// keep adds bytes to the name or the value that is being read.
func (s *Stream) keep(b []byte) {
	if s.inKey && s.open == 1 {
		if s.keyLen+len(b) <= maxKey {
			copy(s.key[s.keyLen:], b)
		}
		s.keyLen += len(b)
	}
	if s.current == nil || s.current.over {
		return
	}
	if len(s.current.value)+len(b) > MaxCapture {
		s.current.over, s.current.value = true, nil
		return
	}
	s.current.value = append(s.current.value, b...)
}

// step takes one byte. again means that the byte ended a number and is yet to
// be looked at.
func (s *Stream) step(c byte) (again bool) {
	switch s.state {
	case inString, inEscape, inHex:
		s.stepString(c)
		return false
	case inWord:
		s.stepWord(c)
		return false
	case inNumber:
		return s.stepNumber(c)
	}
	if isSpace(c) {
		if s.current != nil && len(s.current.value) > 0 {
			s.keep([]byte{c})
		}
		return false
	}
	switch s.state {
	case atDocument:
		if c != '{' {
			s.fail(reasonObject)
			return false
		}
		s.begin(c)
	case atFirst:
		if c == ']' {
			s.leave(c)
			return false
		}
		s.begin(c)
	case atValue:
		s.begin(c)
	case atFirstKey:
		if c == '}' {
			s.leave(c)
			return false
		}
		s.beginKey(c)
	case atKey:
		s.beginKey(c)
	case atColon:
		s.stepColon(c)
	case afterValue:
		s.stepAfter(c)
	case afterObject:
		s.fail(reasonTrailing)
	}
	return false
}

func (s *Stream) fail(reason string) { s.reason = reason }

// begin starts the value whose first byte is c.
func (s *Stream) begin(c byte) {
	s.keepByte(c)
	if s.open == 2 && s.objects&1 == 0 && s.current != nil {
		s.current.elements++
	}
	switch {
	case c == '{' || c == '[':
		if s.open == MaxDepth {
			s.fail(reasonDepth)
			return
		}
		s.open++
		s.objects <<= 1
		s.state = atFirst
		if c == '{' {
			s.objects |= 1
			s.state = atFirstKey
		}
	case c == '"':
		s.state = inString
	case c == 't':
		s.state, s.word = inWord, "rue"
	case c == 'f':
		s.state, s.word = inWord, "alse"
	case c == 'n':
		s.state, s.word = inWord, "ull"
	case c == '-':
		s.state, s.number = inNumber, numberSign
	case c == '0':
		s.state, s.number = inNumber, numberZero
	case isDigit(c):
		s.state, s.number = inNumber, numberInteger
	default:
		s.fail(reasonValue)
	}
}

// keepByte keeps one byte of a value that is captured.
func (s *Stream) keepByte(c byte) {
	if s.current != nil {
		s.keep([]byte{c})
	}
}

func (s *Stream) beginKey(c byte) {
	if c != '"' {
		s.fail(reasonKey)
		return
	}
	s.keepByte(c)
	s.state, s.inKey, s.keyLen = inString, true, 0
}

func (s *Stream) stepColon(c byte) {
	if c != ':' {
		s.fail(reasonColon)
		return
	}
	s.keepByte(c)
	s.state = atValue
	if s.open != 1 || s.keyLen > maxKey {
		return
	}
	for i := range s.captures {
		if s.captures[i].name == string(s.key[:s.keyLen]) {
			c := &s.captures[i]
			c.value, c.over, c.seen, c.elements = c.value[:0], c.watched, true, 0
			s.current = c
		}
	}
}

func (s *Stream) stepAfter(c byte) {
	object := s.objects&1 == 1
	switch {
	case c == ',' && object:
		s.keepByte(c)
		s.state = atKey
	case c == ',':
		s.keepByte(c)
		s.state = atValue
	case object && c == '}' || !object && c == ']':
		s.leave(c)
	case object:
		s.fail(reasonMember)
	default:
		s.fail(reasonElement)
	}
}

// leave closes the innermost container.
func (s *Stream) leave(c byte) {
	s.keepByte(c)
	s.open, s.objects = s.open-1, s.objects>>1
	s.endValue()
}

// endValue goes on behind a value.
func (s *Stream) endValue() {
	s.state = afterValue
	if s.open == 0 {
		s.state = afterObject
	}
	if s.open <= 1 {
		s.current = nil
	}
}

func (s *Stream) stepString(c byte) {
	switch s.state {
	case inString:
		s.stepText(c)
	case inEscape:
		s.keep([]byte{c})
		s.state = inString
		switch c {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		case 'u':
			s.state, s.hex = inHex, 4
		default:
			s.fail(reasonEscape)
		}
	case inHex:
		s.keep([]byte{c})
		if !isHex(c) {
			s.fail(reasonEscape)
		}
		if s.hex--; s.hex == 0 {
			s.state = inString
		}
	}
}

// stepText takes a quote, a backslash or a control character of a string.
func (s *Stream) stepText(c byte) {
	switch {
	case c == '"':
		s.keepByte(c)
		if s.inKey {
			s.inKey, s.state = false, atColon
			return
		}
		s.endValue()
	case c == '\\':
		s.keep([]byte{c})
		s.state = inEscape
	default:
		s.fail(reasonControl)
	}
}

func (s *Stream) stepWord(c byte) {
	if c != s.word[0] {
		s.fail(reasonValue)
		return
	}
	s.keepByte(c)
	if s.word = s.word[1:]; s.word == "" {
		s.endValue()
	}
}

// stepNumber takes one byte of a number, or ends it before c.
func (s *Stream) stepNumber(c byte) (again bool) {
	next, ok := s.number.next(c)
	if ok {
		s.number = next
		s.keepByte(c)
		return false
	}
	switch s.number {
	case numberZero, numberInteger, numberFraction, numberExponent:
		s.endValue()
		return true
	}
	s.fail(reasonNumber)
	return false
}

// next is the grammar of numbers: the state behind c, and whether c belongs to
// the number at all.
func (n numberState) next(c byte) (numberState, bool) {
	switch {
	case isDigit(c):
		return n.digit(c)
	case c == '.' && (n == numberZero || n == numberInteger):
		return numberPoint, true
	case (c == 'e' || c == 'E') && (n == numberZero || n == numberInteger || n == numberFraction):
		return numberE, true
	case (c == '+' || c == '-') && n == numberE:
		return numberESign, true
	}
	return n, false
}

// digit is the part of the grammar that takes digits.
func (n numberState) digit(c byte) (numberState, bool) {
	switch n {
	case numberSign:
		if c == '0' {
			return numberZero, true
		}
		return numberInteger, true
	case numberInteger:
		return n, true
	case numberPoint, numberFraction:
		return numberFraction, true
	case numberE, numberESign, numberExponent:
		return numberExponent, true
	}
	return n, false // a digit behind a leading zero
}
