package wire

import (
	"strings"

	"github.com/sluicegate/sluice"
)

// response is a parsed answer head: what the pipeline sees, and how the body is
// framed. Its strings are spans of the buffer parsed.
type response struct {
	head sluice.RespHead
	body framing
	// close: the connection ends with this answer.
	close bool

	lengths, codings int
	old              bool
	connection       string
}

// framing is how the end of a body is found.
type framing uint8

const (
	bodyNone framing = iota
	bodyLength
	bodyChunked
	bodyEOF
)

// parse reads one whole head, blank line included, of an answer to a request
// with the given method.
func (r *response) parse(b []byte, method string) error {
	r.reset()
	l, rest, ok := line(b)
	if !ok {
		return errStatusLine
	}
	if err := r.parseLine(span(l)); err != nil {
		return err
	}
	if err := r.parseFields(rest); err != nil {
		return err
	}
	return r.settle(method)
}

func (r *response) reset() {
	fields := r.head.Fields
	fields.Reset()
	*r = response{head: sluice.RespHead{Fields: fields}}
}

// parseLine reads version and status (RFC 9112, 4); the reason is checked and
// dropped.
func (r *response) parseLine(l string) error {
	version, rest, ok := strings.Cut(l, " ")
	if !ok || version != "HTTP/1.1" && version != "HTTP/1.0" || len(rest) < 3 {
		return errStatusLine
	}
	r.old = version == "HTTP/1.0"
	for i := range 3 {
		if rest[i] < '0' || rest[i] > '9' {
			return errStatusLine
		}
		r.head.Status = r.head.Status*10 + int(rest[i]-'0')
	}
	if len(rest) > 3 && rest[3] != ' ' || r.head.Status < 100 || r.head.Status > 599 || !validValue(rest) {
		return errStatusLine
	}
	return nil
}

func (r *response) parseFields(b []byte) error {
	for count := 0; ; count++ {
		l, rest, ok := line(b)
		if !ok {
			return errAnswerHead
		}
		if len(l) == 0 {
			return nil
		}
		if count == maxAnswerFields {
			return errAnswerLarge
		}
		name, value, err := parseField(l)
		if err != nil {
			return errAnswerHead
		}
		if err := r.field(name, value); err != nil {
			return err
		}
		b = rest
	}
}

// field takes in one field; framing and connection fields end here.
func (r *response) field(name, value string) error {
	switch len(name) {
	case 10:
		if fold(name, "connection") {
			return r.connectionField(value)
		}
	case 14:
		if fold(name, "content-length") {
			n, ok := parseLength(value)
			if r.lengths++; r.lengths > 1 || !ok {
				return errAnswerFrame
			}
			r.head.ContentLength = n
			return nil
		}
	case 17:
		if fold(name, "transfer-encoding") {
			if r.codings++; r.codings > 1 || !fold(value, "chunked") {
				return errAnswerFrame
			}
			return nil
		}
	}
	if !hop(name) {
		r.head.Fields.Add(name, value)
	}
	return nil
}

// settle decides how the body is framed (RFC 9112, 6.3).
func (r *response) settle(method string) error {
	if r.codings > 0 && (r.lengths > 0 || r.old) {
		return errAnswerFrame
	}
	r.settleConnection()
	switch {
	case bodiless(method, r.head.Status):
		r.body = bodyNone
		if r.lengths == 0 {
			r.head.ContentLength = -1
		}
	case r.codings > 0:
		r.body, r.head.ContentLength = bodyChunked, -1
	case r.lengths > 0:
		r.body = bodyLength
	default:
		r.body, r.head.ContentLength, r.close = bodyEOF, -1, true
	}
	return nil
}

// connectionField keeps the list of options; several fields are joined, which
// is rare enough to allocate.
func (r *response) connectionField(value string) error {
	if r.connection != "" {
		value = r.connection + "," + value
	}
	r.connection = value
	return nil
}

// settleConnection applies the Connection options and drops what they name.
func (r *response) settleConnection() {
	keep := false
	switch {
	case r.connection == "":
	case fold(r.connection, "keep-alive"):
		keep = true
	default:
		eachToken(r.connection, func(token string) {
			switch {
			case fold(token, "close"):
				r.close = true
			case fold(token, "keep-alive"):
				keep = true
			case !protected(token):
				r.head.Fields.Del(token)
			}
		})
	}
	r.close = r.close || r.old && !keep
}

// bodiless reports whether an answer has no body whatever its fields say.
func bodiless(method string, status int) bool {
	return method == "HEAD" || status < 200 || status == 204 || status == 304
}
