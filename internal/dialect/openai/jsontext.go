package openai

import "unicode/utf8"

const hexDigits = "0123456789abcdef"

// appendJSON appends a string as JSON. It is for the pieces of streams, where
// encoding/json would cost an allocation for each.
func appendJSON(to []byte, s string) []byte {
	to = append(to, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				to = append(append(to, s[from:i]...), "\uFFFD"...)
				from = i + 1
			}
			i += size
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' {
			i++
			continue
		}
		to = appendEscape(append(to, s[from:i]...), c)
		i++
		from = i
	}
	return append(append(to, s[from:]...), '"')
}

// appendEscape appends a byte that cannot stand in a string of JSON.
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
	return append(to, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
