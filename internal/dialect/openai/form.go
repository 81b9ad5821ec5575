package openai

import (
	"bytes"
	"mime"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/sluicegate/sluice"
)

// Limits on multipart bodies.
const (
	maxParts     = 256
	maxPartHead  = 8 << 10
	maxFormValue = 1 << 20
	// maxAddressed is how much of a recording is searched for an address in its place.
	maxAddressed = 1 << 10
)

// part is one part of a form, in place.
type part struct {
	name string
	file bool
	span span
}

// readForm reads a multipart/form-data body (RFC 7578) in place.
func (a *asked) readForm(boundary string) error {
	parts, err := splitForm(a.ask.Body, boundary)
	if err != nil {
		return err
	}
	var found [memberCount]bool
	for _, p := range parts {
		if err := a.refuseElsewhere(p); err != nil {
			return err
		}
		if p.file || a.isRecording(p) {
			a.measure.file = a.measure.file || a.isRecording(p)
			a.readFile(p.span)
			continue
		}
		a.size.text += int64(p.span.end - p.span.start)
		m, err := memberNamed([]byte(p.name))
		if err != nil {
			return err
		}
		if m == memberCount {
			if err := a.measure.picture.take(p.name, string(a.ask.Body[p.span.start:p.span.end])); err != nil {
				return err
			}
		}
		if m != mModel && m != mStream && m != mN {
			continue
		}
		if found[m] {
			return invalid(m, "is given twice")
		}
		found[m] = true
		if err := a.readField(m, p.span); err != nil {
			return err
		}
	}
	if !found[mModel] {
		return invalid(mModel, "is required")
	}
	if a.endpoint.pieces == recording && !a.measure.file {
		return sluice.Errorf(sluice.CodeInvalidRequest, "file is required").At("/" + fileField)
	}
	return nil
}

// fileField is the field of a form that holds a recording.
const fileField = "file"

// isRecording reports whether a part holds the recording, whether or not it gives
// the file a name.
func (a *asked) isRecording(p part) bool {
	return a.endpoint.pieces == recording && p.name == fileField
}

// refuseElsewhere refuses recordings that are not in the form but at an address, or
// with the provider: how long they are cannot be told.
func (a *asked) refuseElsewhere(p part) error {
	if a.endpoint.pieces != recording {
		return nil
	}
	for _, name := range [...]string{"url", "file_url", "file_id"} {
		if strings.EqualFold(p.name, name) {
			return sluice.Errorf(sluice.CodeInvalidRequest, "%s is not accepted, send the recording as file", name).At("/" + name)
		}
	}
	start := bytes.ToLower(bytes.TrimLeft(a.ask.Body[p.span.start:min(p.span.end, p.span.start+maxAddressed)], " \t\r\n"))
	if p.name == fileField && (bytes.HasPrefix(start, []byte("http://")) || bytes.HasPrefix(start, []byte("https://"))) {
		return sluice.Errorf(sluice.CodeInvalidRequest, "file must be the recording, not its address").At("/" + fileField)
	}
	return nil
}

// readField takes one field of the form.
func (a *asked) readField(m member, s span) error {
	text := string(a.ask.Body[s.start:s.end])
	switch m {
	case mModel:
		if text == "" || len(text) > maxModelName {
			return invalid(m, "must be 1 to %d bytes long", maxModelName)
		}
		a.ask.Model, a.model = text, s
	case mStream:
		switch strings.ToLower(text) {
		case "true", "1", "on", "yes":
			a.ask.Stream = a.endpoint.streams
		case "false", "0", "off", "no", "":
		default:
			return invalid(m, "must be true or false")
		}
	case mN:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 1 || n > maxChoices {
			return invalid(m, "must be 1 to %d", maxChoices)
		}
		a.ask.Choices = n
	}
	return nil
}

// malformed says what is wrong with a form.
func malformed(format string, args ...any) error {
	return sluice.Errorf(sluice.CodeInvalidRequest, "malformed multipart body: "+format, args...)
}

// splitForm finds the parts of a form. It is stricter than most readers, so
// that none of them can find another model in the same bytes: CRLF line ends
// only, nothing before the first boundary, nothing but white space behind the
// last.
func splitForm(body []byte, boundary string) ([]part, error) {
	if boundary == "" || len(boundary) > 70 {
		return nil, malformed("Content-Type needs a boundary of 1 to 70 characters")
	}
	dash := []byte("--" + boundary)
	if !bytes.HasPrefix(body, dash) {
		return nil, malformed("it does not begin with the boundary")
	}
	separator := append([]byte("\r\n"), dash...)
	var parts []part
	for at := len(dash); ; {
		rest := body[at:]
		if bytes.HasPrefix(rest, []byte("--")) {
			if len(bytes.TrimSpace(rest[2:])) > 0 {
				return nil, malformed("text follows the last boundary")
			}
			return parts, nil
		}
		if !bytes.HasPrefix(rest, []byte("\r\n")) {
			return nil, malformed("a boundary at byte %d is not followed by a line end", at)
		}
		if len(parts) == maxParts {
			return nil, malformed("it has more than %d parts", maxParts)
		}
		p, err := readPartHead(body, at+2)
		if err != nil {
			return nil, err
		}
		// The line end of an empty part is that of its head.
		n := bytes.Index(body[p.span.start-2:], separator)
		if n < 0 {
			return nil, malformed("part %q does not end", clip(p.name))
		}
		p.span.end = max(p.span.start, p.span.start-2+n)
		at = p.span.start - 2 + n + len(separator)
		if !p.file && p.span.end-p.span.start > maxFormValue {
			return nil, malformed("field %q is longer than %d bytes", clip(p.name), maxFormValue)
		}
		parts = append(parts, p)
	}
}

// readPartHead reads the head of the part that begins at i; the part's span
// starts behind it.
func readPartHead(body []byte, i int) (part, error) {
	end := bytes.Index(body[i:min(len(body), i+maxPartHead)], []byte("\r\n\r\n"))
	if end < 0 {
		return part{}, malformed("the head of the part at byte %d does not end within %d bytes", i, maxPartHead)
	}
	p := part{span: span{start: i + end + 4}}
	named := false
	for line := range strings.SplitSeq(string(body[i:i+end]), "\r\n") {
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsAny(line, "\r\n\x00") || strings.TrimSpace(name) != name {
			return part{}, malformed("the head of the part at byte %d holds a line that is no field", i)
		}
		switch textproto.CanonicalMIMEHeaderKey(name) {
		case "Content-Disposition":
			if named {
				return part{}, malformed("the part at byte %d has two Content-Disposition fields", i)
			}
			named = true
			if err := p.disposition(value); err != nil {
				return part{}, err
			}
		case "Content-Transfer-Encoding":
			return part{}, malformed("Content-Transfer-Encoding is not accepted")
		}
	}
	if !named {
		return part{}, malformed("the part at byte %d has no Content-Disposition", i)
	}
	return p, nil
}

// disposition reads the part's name and whether it is a file.
func (p *part) disposition(value string) error {
	kind, params, err := mime.ParseMediaType(value)
	if err != nil || kind != "form-data" || params["name"] == "" {
		return malformed("Content-Disposition %q is not form-data with a name", clip(value))
	}
	p.name = params["name"]
	_, p.file = params["filename"]
	// What some readers take for a file and others for a field is refused where
	// it would matter.
	m, err := memberNamed([]byte(p.name))
	if err != nil {
		return err
	}
	if m == mModel && (p.file || strings.Contains(value, "*")) {
		return invalid(m, "must be a plain field of the form")
	}
	return nil
}
