package route

import (
	"strings"
	"unicode/utf8"

	"github.com/sluicegate/sluice"
)

// CanonicalPath returns the one form of a request path that is used to match,
// to authorise and to forward, so that no two components can read it
// differently (RFC 3986, section 6.2.2, made stricter):
//
//   - percent-encodings of unreserved characters and of those that no server
//     gives a meaning inside a segment are decoded, all others are kept with
//     upper-case digits; raw bytes that a URI may not hold are encoded;
//   - dot segments are resolved and empty segments dropped; a final slash stays;
//   - an encoded slash stays "%2F": [Index.Match] refuses it where it would
//     change the route.
//
// A path that some server would read as another one is refused with
// [sluice.CodeInvalidRequest]: controls, NUL, backslashes, "..;" and dot
// segments behind encoded slashes, bytes that are not UTF-8, and ".." above the
// root. It does not allocate when the path is canonical already.
func CanonicalPath(raw string) (string, error) {
	if raw == "" || raw[0] != '/' {
		return "", refuse("it must begin with /")
	}
	if isCanonical(raw) {
		return raw, nil
	}
	segments, err := splitSegments(raw)
	if err != nil {
		return "", err
	}
	return joinSegments(segments)
}

// refuse renders the error for a path that has no canonical form.
func refuse(why string) error {
	return sluice.Errorf(sluice.CodeInvalidRequest, "the path is not acceptable: %s", why).At("path")
}

// isCanonical reports the common case: plain characters, no empty segment and
// no segment that begins with a dot.
func isCanonical(p string) bool {
	for i := range len(p) {
		c := p[i]
		switch {
		case c == '/':
			if i+1 < len(p) && (p[i+1] == '/' || p[i+1] == '.') {
				return false
			}
		case c == ';' || !plain(c):
			return false
		}
	}
	return true
}

// plain reports whether a byte stands for itself in a canonical segment: what
// RFC 3986 calls pchar. The semicolon is one of them only where it came
// unencoded, because servers cut parameters off there.
func plain(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("-._~!$&'()*+,=:@", c) >= 0
}

// splitSegments canonicalises each segment by itself.
func splitSegments(raw string) ([]string, error) {
	parts := strings.Split(raw[1:], "/")
	for i, part := range parts {
		segment, err := canonicalSegment(part)
		if err != nil {
			return nil, err
		}
		parts[i] = segment
	}
	return parts, nil
}

const upperHex = "0123456789ABCDEF"

// canonicalSegment decodes what may be decoded and refuses what is ambiguous.
func canonicalSegment(s string) (string, error) {
	var out, decoded strings.Builder
	for i := 0; i < len(s); i++ {
		c, encoded := s[i], false
		if c == '%' {
			if i+2 >= len(s) {
				return "", refuse("a percent sign is not followed by two hex digits")
			}
			hi, lo := unhex(s[i+1]), unhex(s[i+2])
			if hi < 0 || lo < 0 {
				return "", refuse("a percent sign is not followed by two hex digits")
			}
			c, encoded = byte(hi<<4|lo), true
			i += 2
		}
		if c < 0x20 || c == 0x7f || c == '\\' {
			return "", refuse("it holds a control character or a backslash")
		}
		if !encoded && (c == '#' || c == '?') {
			return "", refuse("it holds a fragment or a query")
		}
		decoded.WriteByte(c)
		if plain(c) || c == ';' && !encoded {
			out.WriteByte(c)
		} else {
			out.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		}
	}
	return out.String(), checkDecoded(decoded.String())
}

// checkDecoded looks at a segment as the most eager server would read it.
func checkDecoded(s string) error {
	if !utf8.ValidString(s) {
		return refuse("it is not UTF-8")
	}
	pieces := strings.Split(s, "/")
	for _, piece := range pieces {
		name, _, parameters := strings.Cut(piece, ";")
		dots := name == "." || name == ".."
		if dots && (parameters || len(pieces) > 1) {
			return refuse("it hides a dot segment")
		}
	}
	return nil
}

// joinSegments resolves dot segments and drops empty ones.
func joinSegments(segments []string) (string, error) {
	kept := segments[:0]
	folder := false // whether the path ends in a slash
	for _, s := range segments {
		folder = s == "" || s == "." || s == ".."
		switch {
		case s == "..":
			if len(kept) == 0 {
				return "", refuse("it leads above the root")
			}
			kept = kept[:len(kept)-1]
		case !folder:
			kept = append(kept, s)
		}
	}
	path := "/" + strings.Join(kept, "/")
	if folder && len(kept) > 0 {
		path += "/"
	}
	return path, nil
}

// unhex returns the value of a hex digit, -1 for anything else.
func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
