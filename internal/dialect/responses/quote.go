package responses

import "unicode/utf8"

const hexDigits = "0123456789abcdef"

// quote appends text as a JSON string. Bytes that are no UTF-8 become U+FFFD.
func quote[T string | []byte](to []byte, text T) []byte {
	to = append(to, '"')
	from := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(string(text[i:min(i+utf8.UTFMax, len(text))]))
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		to = append(to, text[from:i]...)
		to = escape(to, c)
		i++
		from = i
	}
	return append(append(to, text[from:]...), '"')
}

// escape appends a byte that cannot stand in a string as it is.
func escape(to []byte, c byte) []byte {
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
	if c >= utf8.RuneSelf {
		return append(to, "\uFFFD"...)
	}
	return append(to, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
