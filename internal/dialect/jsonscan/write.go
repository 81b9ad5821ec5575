package jsonscan

import (
	"unicode/utf8"
	"unsafe"
)

const hexDigits = "0123456789abcdef"

// AppendText appends s as a JSON string with the fewest escapes that JSON needs:
// it finds them several bytes at a time and allocates nothing. Each byte that is
// not UTF-8 becomes the replacement character, as in encoding/json.
func AppendText(to []byte, s string) []byte {
	return AppendBytes(to, unsafe.Slice(unsafe.StringData(s), len(s)))
}

// AppendBytes is [AppendText] for text that lies in bytes.
func AppendBytes(to, text []byte) []byte {
	rest := text
	if !utf8.Valid(text) {
		rest = []byte(string([]rune(string(text))))
	}
	to = append(to, '"')
	for {
		n := plainPrefix(rest)
		to = append(to, rest[:n]...)
		if n == len(rest) {
			return append(to, '"')
		}
		to = appendEscape(to, rest[n])
		rest = rest[n+1:]
	}
}

// appendEscape appends a byte that cannot stand in a string as it is.
func appendEscape(to []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(to, '\\', c)
	case '\n':
		return append(to, '\\', 'n')
	case '\r':
		return append(to, '\\', 'r')
	case '\t':
		return append(to, '\\', 't')
	}
	return append(to, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xF])
}
