package jsonscan

import "bytes"

// soundEnd returns the kind of the value at i and the offset behind it. The value
// lies in a document that was validated before: nothing of it is looked at twice,
// and long strings are searched for their end alone.
func soundEnd(doc []byte, i int) (Kind, int) {
	switch doc[i] {
	case '"':
		return String, soundString(doc, i)
	case '{':
		return Object, soundContainer(doc, i)
	case '[':
		return Array, soundContainer(doc, i)
	case 't':
		return True, i + len("true")
	case 'f':
		return False, i + len("false")
	case 'n':
		return Null, i + len("null")
	}
	for i < len(doc) && (isDigit(doc[i]) || doc[i] == '-' || doc[i] == '+' || doc[i] == '.' || doc[i]|0x20 == 'e') {
		i++
	}
	return Number, i
}

// soundString returns the offset behind the string at i: behind the first quote
// that an even number of backslashes precedes.
func soundString(doc []byte, i int) int {
	for {
		i++
		i += bytes.IndexByte(doc[i:], '"')
		slashes := i
		for doc[slashes-1] == '\\' {
			slashes--
		}
		if (i-slashes)%2 == 0 {
			return i + 1
		}
	}
}

// soundContainer returns the offset behind the object or array at i.
func soundContainer(doc []byte, i int) int {
	for open := 0; ; i++ {
		switch doc[i] {
		case '"':
			i = soundString(doc, i) - 1
		case '{', '[':
			open++
		case '}', ']':
			if open--; open == 0 {
				return i + 1
			}
		}
	}
}
