package jsonscan

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// skipSpace returns the offset of the first byte at or after i that is not
// white space.
func skipSpace(doc []byte, i int) int {
	for i < len(doc) && isSpace(doc[i]) {
		i++
	}
	return i
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// skipValue validates the value that begins at i, which is not white space. It
// returns the offset behind it; or, with a reason, the offset of the fault.
func skipValue(doc []byte, i int) (kind Kind, end int, reason string) {
	if i >= len(doc) {
		return None, i, reasonEnd
	}
	switch doc[i] {
	case '{':
		end, reason = skipContainer(doc, i)
		return Object, end, reason
	case '[':
		end, reason = skipContainer(doc, i)
		return Array, end, reason
	default:
		return skipScalar(doc, i)
	}
}

// skipScalar validates a value that is neither object nor array.
func skipScalar(doc []byte, i int) (Kind, int, string) {
	switch c := doc[i]; {
	case c == '"':
		end, reason := skipString(doc, i)
		return String, end, reason
	case c == '-' || isDigit(c):
		end, reason := skipNumber(doc, i)
		return Number, end, reason
	case c == 't':
		end, reason := skipWord(doc, i, "true")
		return True, end, reason
	case c == 'f':
		end, reason := skipWord(doc, i, "false")
		return False, end, reason
	case c == 'n':
		end, reason := skipWord(doc, i, "null")
		return Null, end, reason
	}
	return None, i, reasonValue
}

// skipContainer validates the object or array that begins at i. Which of the
// open containers are objects is kept in the bits of one word, innermost lowest.
func skipContainer(doc []byte, i int) (int, string) {
	var objects uint64
	open := 0
	for {
		// A value begins at i.
		if i >= len(doc) {
			return i, reasonEnd
		}
		if c := doc[i]; c == '{' || c == '[' {
			if open == MaxDepth {
				return i, reasonDepth
			}
			open++
			objects <<= 1
			if c == '{' {
				objects |= 1
			}
			next, empty, reason := enter(doc, i)
			if reason != "" {
				return next, reason
			}
			i = next
			if !empty {
				continue
			}
			open, objects = open-1, objects>>1
		} else {
			_, end, reason := skipScalar(doc, i)
			if reason != "" {
				return end, reason
			}
			i = end
		}
		// A value ended before i: close what ends with it.
		for more := false; !more; {
			if open == 0 {
				return i, ""
			}
			var closed bool
			var reason string
			if i, closed, reason = after(doc, i, objects&1 == 1); reason != "" {
				return i, reason
			}
			if closed {
				open, objects = open-1, objects>>1
			}
			more = !closed
		}
	}
}

// enter steps into the container at i: to its first value, or behind it when
// it is empty.
func enter(doc []byte, i int) (next int, empty bool, reason string) {
	object := doc[i] == '{'
	i = skipSpace(doc, i+1)
	if i >= len(doc) {
		return i, false, reasonEnd
	}
	if object && doc[i] == '}' || !object && doc[i] == ']' {
		return i + 1, true, ""
	}
	if object {
		i, reason = skipKey(doc, i)
	}
	return i, false, reason
}

// after steps from behind a value to the next value of the same container, or
// behind the container when it ends.
func after(doc []byte, i int, object bool) (next int, closed bool, reason string) {
	i = skipSpace(doc, i)
	if i >= len(doc) {
		return i, false, reasonEnd
	}
	switch c := doc[i]; {
	case c == ',':
		i = skipSpace(doc, i+1)
		if object {
			i, reason = skipKey(doc, i)
		}
		return i, false, reason
	case object && c == '}' || !object && c == ']':
		return i + 1, true, ""
	case object:
		return i, false, reasonMember
	default:
		return i, false, reasonElement
	}
}

// skipKey steps over a member's name and colon to its value.
func skipKey(doc []byte, i int) (int, string) {
	if i >= len(doc) {
		return i, reasonEnd
	}
	if doc[i] != '"' {
		return i, reasonKey
	}
	i, reason := skipString(doc, i)
	if reason != "" {
		return i, reason
	}
	if i = skipSpace(doc, i); i >= len(doc) {
		return i, reasonEnd
	}
	if doc[i] != ':' {
		return i, reasonColon
	}
	return skipSpace(doc, i+1), ""
}

// skipString validates the string that begins at i.
func skipString(doc []byte, i int) (int, string) {
	i++
	for {
		i += plainPrefix(doc[i:])
		if i >= len(doc) {
			return i, reasonEnd
		}
		switch c := doc[i]; {
		case c == '"':
			return i + 1, ""
		case c < 0x20:
			return i, reasonControl
		}
		width := escapeWidth(doc[i:])
		if width == 0 {
			if len(doc)-i < 6 {
				return len(doc), reasonEnd
			}
			return i, reasonEscape
		}
		i += width
	}
}

// escapeWidth returns the length of the escape that begins b, 0 if it is none.
func escapeWidth(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) >= 6 && isHex(b[2]) && isHex(b[3]) && isHex(b[4]) && isHex(b[5]) {
			return 6
		}
	}
	return 0
}

func isHex(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// The masks with which eight bytes are looked at together.
const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// The sizes by which long strings are told from short ones, and how far the first
// search in a long one looks.
const (
	shortString = 256
	firstWindow = 1024
)

// plainPrefix returns how many bytes of b precede the first quote, backslash or
// control character. Strings are most of a body. A long one is searched by the
// vectorised search of package bytes, in windows that double while nothing is
// found: text with many escapes must not be searched to its end for each of them.
func plainPrefix(b []byte) int {
	n := shortPrefix(b[:min(len(b), shortString)])
	if n < shortString {
		return n
	}
	for window := firstWindow; n < len(b); window *= 2 {
		w := b[n:min(len(b), n+window)]
		end := len(w)
		if i := bytes.IndexByte(w, '"'); i >= 0 {
			end = i
		}
		if i := bytes.IndexByte(w[:end], '\\'); i >= 0 {
			end = i
		}
		printable := printablePrefix(w[:end])
		if n += printable; printable < end || end < len(w) {
			break
		}
	}
	return n
}

// shortPrefix is plainPrefix eight bytes at a time, and four times eight while
// nothing is found.
func shortPrefix(b []byte) int {
	rest := b
	for len(rest) >= 32 {
		w := rest[:32]
		if special(binary.LittleEndian.Uint64(w))|special(binary.LittleEndian.Uint64(w[8:]))|
			special(binary.LittleEndian.Uint64(w[16:]))|special(binary.LittleEndian.Uint64(w[24:])) != 0 {
			break
		}
		rest = rest[32:]
	}
	for len(rest) >= 8 {
		if hit := special(binary.LittleEndian.Uint64(rest)); hit != 0 {
			return len(b) - len(rest) + bits.TrailingZeros64(hit)/8
		}
		rest = rest[8:]
	}
	for len(rest) > 0 && rest[0] != '"' && rest[0] != '\\' && rest[0] >= 0x20 {
		rest = rest[1:]
	}
	return len(b) - len(rest)
}

// printablePrefix returns how many bytes of b, which holds neither quotes nor
// backslashes, precede the first control character.
func printablePrefix(b []byte) int {
	rest := b
	for len(rest) >= 64 {
		w := (*[64]byte)(rest)
		if suspicious(w) && holdsControl(w) {
			break
		}
		rest = rest[64:]
	}
	return len(b) - len(rest) + shortPrefix(rest)
}

// suspicious reports whether a byte is a control character, or one far outside
// ASCII: the subtraction leaves the high bit of those alone that are in between.
func suspicious(w *[64]byte) bool {
	const space = lowBits * ' '
	return ((word(w, 0)-space)|(word(w, 1)-space)|(word(w, 2)-space)|(word(w, 3)-space)|
		(word(w, 4)-space)|(word(w, 5)-space)|(word(w, 6)-space)|(word(w, 7)-space))&highBits != 0
}

// holdsControl reports whether a byte is a control character.
func holdsControl(w *[64]byte) bool {
	const space = lowBits * ' '
	var below uint64
	for i := range 8 {
		below |= (word(w, i) - space) &^ word(w, i)
	}
	return below&highBits != 0
}

func word(w *[64]byte, i int) uint64 { return binary.LittleEndian.Uint64(w[8*i:]) }

// special marks the high bit of the first byte of w that is a quote, a backslash
// or a control character; a borrow may mark bytes above it, which do not count.
// Flipping bit one moves the quote (0x22) to 0x20, right behind the control
// characters, and the space out of its way, so that one comparison finds both.
func special(w uint64) uint64 {
	low := w ^ lowBits*0x02
	slash := w ^ lowBits*'\\'
	return ((low-lowBits*0x21)&^low | (slash-lowBits)&^slash) & highBits
}

// skipNumber validates the number that begins at i.
func skipNumber(doc []byte, i int) (int, string) {
	if doc[i] == '-' {
		i++
	}
	switch {
	case i >= len(doc):
		return i, reasonEnd
	case doc[i] == '0':
		i++
	case isDigit(doc[i]):
		i = skipDigits(doc, i)
	default:
		return i, reasonNumber
	}
	if i < len(doc) && doc[i] == '.' {
		start := i + 1
		if i = skipDigits(doc, start); i == start {
			return i, endOr(doc, i, reasonNumber)
		}
	}
	if i < len(doc) && (doc[i] == 'e' || doc[i] == 'E') {
		i++
		if i < len(doc) && (doc[i] == '+' || doc[i] == '-') {
			i++
		}
		start := i
		if i = skipDigits(doc, start); i == start {
			return i, endOr(doc, i, reasonNumber)
		}
	}
	return i, ""
}

func skipDigits(doc []byte, i int) int {
	for i < len(doc) && isDigit(doc[i]) {
		i++
	}
	return i
}

// skipWord validates a literal.
func skipWord(doc []byte, i int, word string) (int, string) {
	for j := range len(word) {
		if i+j >= len(doc) || doc[i+j] != word[j] {
			return i + j, endOr(doc, i+j, reasonValue)
		}
	}
	return i + len(word), ""
}

// endOr returns the reason for a fault at i.
func endOr(doc []byte, i int, reason string) string {
	if i >= len(doc) {
		return reasonEnd
	}
	return reason
}
