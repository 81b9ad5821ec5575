package wire

import (
	"strings"
	"unsafe"
)

// byteSet is a set of bytes that is asked once per byte of a head.
type byteSet [256]bool

// setOf returns the set that holds the bytes of members.
func setOf(members string) *byteSet {
	var s byteSet
	for i := range len(members) {
		s[members[i]] = true
	}
	return &s
}

const alphanumeric = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// tokenBytes are the tchar of RFC 9110, 5.6.2; hostBytes those of a host with
// port (RFC 3986, 3.2.2), percent-encoding left out: no name needs it.
var (
	tokenBytes = setOf("!#$%&'*+-.^_`|~" + alphanumeric)
	hostBytes  = setOf("-._~!$&'()*+,;=:[]" + alphanumeric)
)

// all reports whether s is not empty and consists of members only.
func (set *byteSet) all(s string) bool {
	for i := range len(s) {
		if !set[s[i]] {
			return false
		}
	}
	return s != ""
}

// validValue reports whether s may stand as a field value: no control byte but
// a tab (RFC 9110, 5.5).
func validValue(s string) bool {
	for i := range len(s) {
		if b := s[i]; b < ' ' && b != '\t' || b == 0x7f {
			return false
		}
	}
	return true
}

// validTarget reports whether s is visible ASCII without a fragment.
func validTarget(s string) bool {
	for i := range len(s) {
		if b := s[i]; b <= ' ' || b >= 0x7f || b == '#' {
			return false
		}
	}
	return s != ""
}

// fold reports whether s equals lower without regard to case; lower is lower
// case and has no bytes from "@[\]^_`{|}~".
func fold(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		b := s[i]
		if 'A' <= b && b <= 'Z' {
			b |= 0x20
		}
		if b != lower[i] {
			return false
		}
	}
	return true
}

// trimOWS cuts optional white space (RFC 9110, 5.6.3) from both ends.
func trimOWS(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// eachToken calls f with every element of a comma-separated list.
func eachToken(list string, f func(token string)) {
	for list != "" {
		token, rest, _ := strings.Cut(list, ",")
		if token = trimOWS(token); token != "" {
			f(token)
		}
		list = rest
	}
}

// span views bytes of a leased buffer as a string, without a copy. Whoever
// returns the buffer ends the string's life.
func span(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return unsafe.String(&b[0], len(b))
}

// lowerInPlace makes b lower case and reports nothing: b is ours.
func lowerInPlace(b []byte) {
	for i, x := range b {
		if 'A' <= x && x <= 'Z' {
			b[i] = x | 0x20
		}
	}
}
