package peer

import (
	"bytes"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// maxAnswer ends a whole answer that never does.
const maxAnswer = 64 << 20

// Account is one that requests can be sent to. It is immutable and safe for
// concurrent use.
type Account interface {
	// Address fills in scheme, addresses, host and target of a call to a path
	// below the base URL, and the fields that every call of the account has,
	// its credential among them.
	Address(call *sluice.Call, path string)
	// Scrubber knows what of the account must not be shown.
	Scrubber() *Scrubber
}

// CheckHead refuses successes that cannot be an answer of an LLM's API.
func CheckHead(h *sluice.RespHead, streamed bool) error {
	if h.Status < 200 || h.Status > 299 || h.Status == 204 || h.Status == 205 {
		return Broken("its status is not that of an answer").With("provider_status", h.Status)
	}
	if coding := h.Fields.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return Broken("it is compressed, which was not asked for")
	}
	switch kind := MediaType(h.Fields.Get("Content-Type")); {
	case kind == "text/html", kind == "text/xml", kind == "application/xml":
		return Broken("it is " + kind)
	case kind == "text/event-stream" && !streamed:
		return Broken("it is a stream, which was not asked for")
	}
	return nil
}

// Document gathers a whole answer. The zero value is ready; it is used by one
// goroutine.
type Document struct{ held []byte }

// Hold takes the next piece and refuses at once what is no JSON document.
func (d *Document) Hold(b []byte) error {
	if len(d.held)+len(b) > maxAnswer {
		return sluice.Errorf(sluice.CodeProviderTooLarge, "the provider's answer is larger than %d bytes", maxAnswer)
	}
	if len(d.held) == 0 {
		b = bytes.TrimLeft(b, " \t\r\n")
		if len(b) > 0 && b[0] != '{' && b[0] != '[' {
			return Broken("it is not a JSON object")
		}
	}
	d.held = append(d.held, b...)
	return nil
}

// keptDocument is the most memory that an idle document keeps.
const keptDocument = 64 << 10

// Reset forgets what came. Nothing of it may be in use any more.
func (d *Document) Reset() {
	if cap(d.held) > keptDocument {
		d.held = nil
	}
	d.held = d.held[:0]
}

// Empty reports whether nothing has come.
func (d *Document) Empty() bool { return len(d.held) == 0 }

// Whole returns the document, unless it is an error that was sent as a success.
func (d *Document) Whole(s *Scrubber) ([]byte, error) {
	if len(d.held) == 0 {
		return nil, Broken("it is empty")
	}
	if bytes.Contains(d.held, []byte(`"error"`)) && IsError(d.held) {
		return nil, s.Embedded(d.held)
	}
	return d.held, nil
}

// IsError reports whether a document is an error: {"error":...},
// {"type":"error"}, {"object":"error"}, or one of these in an array.
func IsError(doc []byte) bool {
	if list := jsonscan.At(doc, 0); list.Kind == jsonscan.Array {
		first := list.Elements(doc)
		if !first.Next() {
			return false
		}
		doc = first.Value().In(doc)
	}
	members := jsonscan.Document(doc)
	for members.Next() {
		v := members.Value()
		switch string(members.Key()) {
		case "error":
			if v.Kind == jsonscan.Object || v.Kind == jsonscan.String {
				return true
			}
		case "object", "type":
			if jsonscan.Is(doc, v, "error") {
				return true
			}
		}
	}
	return false
}

// mostTokens is the most that one answer can plausibly state of anything.
const mostTokens = 1_000_000_000

// Plausible reports whether a stated usage can be believed: more, or less than
// nothing, is taken for a fault of the provider, not for a bill.
func Plausible(u *sluice.Usage) bool {
	for _, n := range [...]int64{u.Input, u.CachedInput, u.CacheWrite5m, u.CacheWrite1h, u.Output, u.Reasoning, u.AudioInput, u.AudioOutput, u.ImageInput, u.Image,
		u.Images, u.AudioSeconds, u.Characters, u.SearchUnits} {
		if n < 0 || n > mostTokens {
			return false
		}
	}
	return true
}
