package anthropic

import (
	"encoding/json"
	"unicode/utf8"
)

// mustJSON encodes values of this package's own types, which cannot fail.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("anthropic: encoding an own type: " + err.Error())
	}
	return b
}

const hex = "0123456789abcdef"

// appendText appends s as a JSON string. Bytes that are not UTF-8 become the
// replacement character, as in encoding/json.
func appendText(to []byte, s string) []byte {
	to = append(to, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		to = appendEscape(append(to, s[start:i]...), c)
		i++
		start = i
	}
	return append(append(to, s[start:]...), '"')
}

// appendEscape appends the escape of a byte that cannot stand as it is.
func appendEscape(to []byte, c byte) []byte {
	switch {
	case c == '"' || c == '\\':
		return append(to, '\\', c)
	case c == '\n':
		return append(to, '\\', 'n')
	case c == '\r':
		return append(to, '\\', 'r')
	case c == '\t':
		return append(to, '\\', 't')
	case c >= utf8.RuneSelf:
		return append(to, `\ufffd`...)
	}
	return append(to, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xF])
}
