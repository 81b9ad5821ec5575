package wire

import (
	"bytes"
	"strings"

	"github.com/sluicegate/sluice"
)

// line cuts the first CRLF-ended line off b. ok is false when the line ends
// otherwise; control bytes inside are the caller's to check.
func line(b []byte) (first, rest []byte, ok bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 1 || b[i-1] != '\r' {
		return nil, nil, false
	}
	return b[:i-1], b[i+1:], true
}

// parseField takes one field line apart, without copying. It refuses what two
// parsers could read differently: folding, space before the colon, control
// bytes.
func parseField(l []byte) (name, value string, err error) {
	if l[0] == ' ' || l[0] == '\t' {
		return "", "", errLineEnd
	}
	i := 0
	for i < len(l) && tokenBytes[l[i]] {
		i++
	}
	if i == 0 || i == len(l) || l[i] != ':' {
		return "", "", errFieldName
	}
	value = trimOWS(span(l[i+1:]))
	if !validValue(value) {
		return "", "", errFieldValue
	}
	return span(l[:i]), value, nil
}

// headEnd returns the length of the head at the start of b, blank line
// included, and 0 while it is incomplete. Bytes before from were looked at.
func headEnd(b []byte, from int) int {
	from = max(0, from-3)
	if i := bytes.Index(b[from:], []byte("\r\n\r\n")); i >= 0 {
		return from + i + 4
	}
	return 0
}

// hasBareLF reports a line feed that no carriage return precedes, so that a
// head which will never end in CRLF CRLF is refused now and not at the
// deadline.
func hasBareLF(b []byte) bool {
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return false
		}
		if at += i; at == 0 || b[at-1] != '\r' {
			return true
		}
		at++
	}
}

// parseLength reads a Content-Length: 1 to 18 decimal digits and nothing else.
func parseLength(s string) (int64, bool) {
	if s == "" || len(s) > 18 {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}

// hop reports whether a field ends at this hop, whatever its value: it is taken
// in by the parsers and never written from a caller's fields.
func hop(name string) bool {
	switch len(name) {
	case 2:
		return fold(name, "te")
	case 7:
		return fold(name, "trailer") || fold(name, "upgrade")
	case 10:
		return fold(name, "connection") || fold(name, "keep-alive")
	case 14:
		return fold(name, "http2-settings")
	case 16:
		return fold(name, "proxy-connection")
	case 17:
		return fold(name, "transfer-encoding")
	case 18:
		return fold(name, "proxy-authenticate")
	case 19:
		return fold(name, "proxy-authorization")
	}
	return false
}

// protected reports whether a field stays although Connection names it: a
// client must not be able to have credentials, tracing, addressing or framing
// removed on their way to the back end.
func protected(name string) bool {
	for _, known := range []string{
		"authorization", "cookie", "host", "via", "forwarded", "x-real-ip",
		"x-request-id", "traceparent", "tracestate", "baggage", "b3",
		"date", "accept", "range", "origin", "expect", "cache-control", "idempotency-key",
	} {
		if fold(name, known) {
			return true
		}
	}
	for _, family := range []string{"x-forwarded-", "x-b3-", "content-", "if-"} {
		if len(name) > len(family) && fold(name[:len(family)], family) {
			return true
		}
	}
	return containsFold(name, "auth") || containsFold(name, "key") || containsFold(name, "token")
}

func containsFold(s, lower string) bool {
	for i := 0; i+len(lower) <= len(s); i++ {
		if fold(s[i:i+len(lower)], lower) {
			return true
		}
	}
	return false
}

// trailing reports whether a field may pass as a trailer: not one that frames,
// routes, authenticates or controls (RFC 9110, 6.5.1), nor its underscore
// alias.
func trailing(name string) bool {
	if strings.IndexByte(name, '_') >= 0 || hop(name) || protected(name) {
		return false
	}
	for _, denied := range []string{
		"set-cookie", "age", "expires", "location", "retry-after", "vary", "warning",
		"max-forwards", "pragma", "status", "server", "x-accel-redirect", "x-sendfile",
	} {
		if fold(name, denied) {
			return false
		}
	}
	return !containsFold(name, "x-sluice-") && !containsFold(name, "x-consumer-")
}

// parseTrailers reads a trailer section, blank line included, into fields: the
// trailers that may pass. A nil fields only checks.
func parseTrailers(b []byte, fields *sluice.Fields) error {
	for count := 0; ; count++ {
		l, rest, ok := line(b)
		if !ok || count > maxTrailers {
			return errTrailer
		}
		if len(l) == 0 {
			return nil
		}
		name, value, err := parseField(l)
		if err != nil {
			return errTrailer
		}
		if fields != nil && trailing(name) {
			fields.Add(name, value)
		}
		b = rest
	}
}
