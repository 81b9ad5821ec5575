package jsonscan

import (
	"bytes"
	"encoding/json"
	"math"
	"unicode/utf8"
	"unsafe"
)

func hasEscape(b []byte) bool { return bytes.IndexByte(b, '\\') >= 0 }

// Text returns the text of a string value and whether it is one. Escapes and
// invalid UTF-8 read as encoding/json reads them.
func Text(doc []byte, v Value) (string, bool) {
	if v.Kind != String {
		return "", false
	}
	raw := doc[v.Start+1 : v.End-1]
	if !hasEscape(raw) && utf8.Valid(raw) {
		return string(raw), true
	}
	var s string
	if err := json.Unmarshal(v.In(doc), &s); err != nil {
		return "", false
	}
	return s, true
}

// Span is [Text] without a copy: where the string holds no escape it lies in doc
// and is valid as long as that.
func Span(doc []byte, v Value) (string, bool) {
	if v.Kind != String {
		return "", false
	}
	raw := doc[v.Start+1 : v.End-1]
	if hasEscape(raw) || !utf8.Valid(raw) {
		return Text(doc, v)
	}
	return unsafe.String(unsafe.SliceData(raw), len(raw)), true
}

// Empty reports whether an object or array holds nothing. Nothing in it is
// validated again.
func Empty(doc []byte, v Value) bool {
	i := skipSpace(doc, v.Start+1)
	return v.Kind == Array && doc[i] == ']' || v.Kind == Object && doc[i] == '}'
}

// Is reports whether the value is a string with exactly this text, without
// allocating unless the string holds escapes.
func Is(doc []byte, v Value, text string) bool {
	if v.Kind != String {
		return false
	}
	raw := doc[v.Start+1 : v.End-1]
	if !hasEscape(raw) {
		return string(raw) == text
	}
	s, _ := Text(doc, v)
	return s == text
}

// Int returns the value of an integral number and whether it is one: digits
// with an optional sign, within an int64. 1.0 and 1e3 are not.
func Int(doc []byte, v Value) (int64, bool) {
	if v.Kind != Number {
		return 0, false
	}
	digits := v.In(doc)
	negative := digits[0] == '-'
	if negative {
		digits = digits[1:]
	}
	var n int64
	for _, c := range digits {
		if !isDigit(c) || n > (math.MaxInt64-int64(c-'0'))/10 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if negative {
		n = -n
	}
	return n, true
}

// At returns the value that begins at or, behind white space, after offset i;
// its Kind is [None] when there is none that is whole and sound.
func At(doc []byte, i int) Value {
	i = skipSpace(doc, i)
	kind, end, reason := skipValue(doc, i)
	if reason != "" {
		return Value{}
	}
	return Value{Kind: kind, Start: i, End: end}
}

// Find returns the value of the first member of that name in an object value;
// its Kind is [None] when there is none.
func Find(doc []byte, object Value, name string) Value {
	m := object.Members(doc)
	for m.Next() {
		if string(m.Key()) == name {
			return m.Value()
		}
	}
	return Value{}
}
