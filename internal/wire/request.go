package wire

import (
	"strings"

	"github.com/sluicegate/sluice"
)

// request is a parsed request head: what the handler sees, and what only the
// connection needs to know. Its strings are spans of the buffer parsed.
type request struct {
	head sluice.Head
	// chunked: the body is framed by chunks; otherwise by head.ContentLength.
	chunked bool
	// close: the connection ends with this exchange.
	close bool
	// expect: the client waits for 100 Continue before it sends the body.
	expect bool
	// old: HTTP/1.0, which knows neither chunks nor interim answers.
	old bool

	hosts, lengths, codings int
	connection, upgrade     string
}

// parse reads one whole head, blank line included. It may lower-case the host
// within b.
func (r *request) parse(b []byte, lim *Limits, canonical func(string) (string, error)) error {
	r.reset()
	l, rest, ok := line(b)
	if !ok {
		return errLineEnd
	}
	if err := r.parseLine(l, lim); err != nil {
		return err
	}
	if err := r.parseFields(rest, lim); err != nil {
		return err
	}
	if err := r.settle(); err != nil {
		return err
	}
	return r.canonicalise(canonical)
}

func (r *request) reset() {
	fields := r.head.Fields
	fields.Reset()
	*r = request{head: sluice.Head{Fields: fields, Peer: r.head.Peer, TLS: r.head.TLS}}
}

// parseLine reads method, target and version (RFC 9112, 3).
func (r *request) parseLine(l []byte, lim *Limits) error {
	method, rest, ok := strings.Cut(span(l), " ")
	if !ok || !tokenBytes.all(method) || len(method) > maxMethod {
		return errRequestLine
	}
	target, version, ok := strings.Cut(rest, " ")
	if !ok {
		return errRequestLine
	}
	switch version {
	case "HTTP/1.1":
	case "HTTP/1.0":
		r.old = true
	default:
		if strings.HasPrefix(version, "HTTP/") && len(version) == len("HTTP/1.1") {
			return errVersion
		}
		return errRequestLine
	}
	if len(target) > lim.URL {
		return errURLTooLarge
	}
	if !validTarget(target) {
		return errTarget
	}
	r.head.Method, r.head.Target, r.head.Proto = method, target, version
	return r.parseTarget()
}

// parseTarget tells the forms of the target apart (RFC 9112, 3.2).
func (r *request) parseTarget() error {
	h := &r.head
	if h.Method == "CONNECT" {
		return errConnect
	}
	if h.Target == "*" {
		if h.Method != "OPTIONS" {
			return errTarget
		}
		h.Path = "*"
		return nil
	}
	origin := h.Target
	if origin[0] != '/' {
		var err error
		if h.Host, origin, err = cutAuthority(origin); err != nil {
			return err
		}
	}
	h.Path, h.RawQuery, _ = strings.Cut(origin, "?")
	if h.Path == "" {
		h.Path = "/"
	}
	if !validEscapes(h.Path) {
		return errTarget
	}
	return nil
}

// cutAuthority splits an absolute-form target into authority and the rest.
func cutAuthority(target string) (authority, origin string, err error) {
	scheme, rest, ok := strings.Cut(target, "://")
	if !ok || !fold(scheme, "http") && !fold(scheme, "https") {
		return "", "", errTarget
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	if !validHost(rest[:end]) {
		return "", "", errTarget
	}
	return strings.ToLower(rest[:end]), rest[end:], nil
}

// validEscapes reports whether every "%" of a path begins two hex digits.
func validEscapes(path string) bool {
	for i := strings.IndexByte(path, '%'); i >= 0; {
		if i+2 >= len(path) || hexDigit(path[i+1]) < 0 || hexDigit(path[i+2]) < 0 {
			return false
		}
		next := strings.IndexByte(path[i+3:], '%')
		if next < 0 {
			return true
		}
		i += 3 + next
	}
	return true
}

// validHost reports whether s is host, or host:port, or [v6]:port, by the bytes
// and brackets that could confuse a matcher; whether the name exists is not
// asked.
func validHost(s string) bool {
	if !hostBytes.all(s) {
		return false
	}
	host, port := s, ""
	if s[0] == '[' {
		end := strings.IndexByte(s, ']')
		if end < 2 || strings.IndexByte(s[1:end], '[') >= 0 {
			return false
		}
		host, port = s[1:end], s[end+1:]
	} else if i := strings.IndexByte(s, ':'); i >= 0 {
		host, port = s[:i], s[i:]
		if strings.ContainsAny(host, "[]") {
			return false
		}
	} else if strings.ContainsAny(s, "[]") {
		return false
	}
	return host != "" && validPort(port)
}

// validPort reports whether s is empty or ":" and at most five digits.
func validPort(s string) bool {
	if s == "" {
		return true
	}
	if s[0] != ':' || len(s) > 6 {
		return false
	}
	for i := 1; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// parseFields reads the field lines up to the blank one.
func (r *request) parseFields(b []byte, lim *Limits) error {
	for count := 0; ; count++ {
		l, rest, ok := line(b)
		if !ok {
			return errLineEnd
		}
		if len(l) == 0 {
			return nil
		}
		if count == lim.Fields {
			return errHeadTooLarge
		}
		name, value, err := parseField(l)
		if err != nil {
			return err
		}
		if err := r.field(name, value, l); err != nil {
			return err
		}
		b = rest
	}
}

// field takes in one field: framing and connection fields end here, the others
// reach the handler.
func (r *request) field(name, value string, l []byte) error {
	switch len(name) {
	case 4:
		if fold(name, "host") {
			return r.host(value, l)
		}
	case 6:
		if fold(name, "expect") {
			if !fold(value, "100-continue") {
				return errExpect
			}
			r.expect = true
			return nil
		}
	case 7:
		if fold(name, "upgrade") {
			r.upgrade = value
			return nil
		}
	case 10:
		if fold(name, "connection") {
			return r.connectionField(value)
		}
	case 14:
		if fold(name, "content-length") {
			return r.length(name, value)
		}
	case 17:
		if fold(name, "transfer-encoding") {
			r.codings++
			if r.codings > 1 || !fold(value, "chunked") {
				return errCoding
			}
			return nil
		}
	}
	if hop(name) || strings.IndexByte(name, '_') >= 0 {
		return nil
	}
	r.head.Fields.Add(name, value)
	return nil
}

func (r *request) host(value string, l []byte) error {
	if r.hosts++; r.hosts > 1 || !validHost(value) {
		return errHost
	}
	if r.head.Host == "" {
		lowerInPlace(l)
		r.head.Host = value
	}
	return nil
}

func (r *request) length(name, value string) error {
	n, ok := parseLength(value)
	if r.lengths++; r.lengths > 1 || !ok {
		return errLength
	}
	r.head.ContentLength = n
	r.head.Fields.Add(name, value)
	return nil
}

// connectionField keeps the list of options; several fields are joined, which
// is rare enough to allocate.
func (r *request) connectionField(value string) error {
	if r.connection != "" {
		value = r.connection + "," + value
	}
	r.connection = value
	return nil
}

// settle decides what the fields mean together.
func (r *request) settle() error {
	switch {
	case r.hosts == 0 && !r.old: // required beside an absolute target too (RFC 9112, 3.2)
		return errHost
	case r.codings > 0 && r.lengths > 0:
		return errFraming
	case r.codings > 0 && r.old:
		return errCodingVersion
	}
	if r.codings > 0 {
		r.chunked, r.head.ContentLength = true, -1
	}
	r.expect = r.expect && !r.old && r.head.ContentLength != 0
	r.close = r.old
	r.settleConnection()
	return nil
}

// settleConnection applies the Connection options: keep-alive or close, the
// fields it names, and an upgrade that the handler may want to see.
func (r *request) settleConnection() {
	upgrade, closing, keep := false, false, false
	switch {
	case r.connection == "":
	case fold(r.connection, "keep-alive"):
		keep = true
	default:
		eachToken(r.connection, func(token string) {
			switch {
			case fold(token, "close"):
				closing = true
			case fold(token, "keep-alive"):
				keep = true
			case fold(token, "upgrade"):
				upgrade = true
			case !protected(token):
				r.head.Fields.Del(token)
			}
		})
	}
	r.close = closing || r.old && !keep
	if upgrade && fold(r.upgrade, "websocket") {
		r.head.Fields.Add("Connection", "Upgrade")
		r.head.Fields.Add("Upgrade", r.upgrade)
	}
}

// canonicalise replaces the path by its one canonical form.
func (r *request) canonicalise(canonical func(string) (string, error)) error {
	if canonical == nil || r.head.Path == "*" {
		return nil
	}
	path, err := canonical(r.head.Path)
	if err != nil {
		return errTarget.Because(err)
	}
	r.head.Path = path
	return nil
}
