package openai

import (
	"encoding/json"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// detail is one element of reasoning_details, OpenRouter's shape of reasoning
// that carries signatures, so that they survive a client that sends back what
// it was given.
type detail struct {
	Type      string          `json:"type"`
	Text      string          `json:"text,omitempty"`
	Summary   string          `json:"summary,omitempty"`
	Data      string          `json:"data,omitempty"`
	Signature string          `json:"signature,omitempty"`
	Format    string          `json:"format,omitempty"`
	Index     json.RawMessage `json:"index,omitempty"`
}

// The types of details.
const (
	detailText    = "reasoning.text"
	detailSummary = "reasoning.summary"
	detailSealed  = "reasoning.encrypted"
)

// formats are OpenRouter's names of those who sign, by our own.
var formats = []struct{ origin, format string }{
	{form.OriginAnthropic, "anthropic-claude-v1"},
	{form.OriginGemini, "google-gemini-v1"},
	{form.OriginOpenAI, "openai-responses-v1"},
}

// formatOf is the format of an origin; one that has no name keeps its own.
func formatOf(origin string) string {
	for _, f := range formats {
		if f.origin == origin {
			return f.format
		}
	}
	return origin
}

// originOf is the inverse of formatOf.
func originOf(format string) string {
	for _, f := range formats {
		if f.format == format {
			return f.origin
		}
	}
	return format
}

// signature reads who signed.
func (d *detail) signature() form.Signature {
	return form.ReadSignature(d.Signature, originOf(d.Format))
}

// said is the readable text.
func (d *detail) said() string {
	if d.Type == detailSummary {
		return d.Summary
	}
	return d.Text
}

// part is a detail of its own as a part of a turn.
func (d *detail) part() form.Part {
	p := form.Part{Kind: form.PartReasoning, Text: d.said(), Signature: d.signature()}
	if d.Type == detailSealed {
		p.Sealed, p.Signature.Origin = d.Data, originOf(d.Format)
	}
	return p
}

// reasoning reads the thoughts of an assistant's message.
func (w *message) reasoning() ([]form.Part, error) {
	text, err := w.thought.optional()
	if err == nil && text == "" && w.thoughts.given() {
		text, err = w.thoughts.text()
	}
	if err != nil {
		return nil, err
	}
	parts, err := w.detailed()
	if err != nil {
		return nil, err
	}
	return withText(parts, text, w.at()), nil
}

// detailed reads reasoning_details, of which a client may have kept the pieces
// of one thought apart.
func (w *message) detailed() (parts []form.Part, err error) {
	if !w.details.given() {
		return nil, nil
	}
	last := detail{}
	err = w.details.elements(func(e node) error {
		d := detail{}
		if err := json.Unmarshal(e.raw(), &d); err != nil {
			return e.bad("is not a detail of reasoning")
		}
		if n := len(parts); n > 0 && continues(&last, &d) && parts[n-1].Signature.Value == "" {
			parts[n-1].Text += d.said()
			parts[n-1].Signature = d.signature()
		} else {
			p := d.part()
			p.Field = e.at()
			parts = append(parts, p)
		}
		last = d
		return nil
	})
	return parts, err
}

// continues reports whether b is a further piece of the thought that a is.
func continues(a, b *detail) bool {
	return a.Type == detailText && b.Type == detailText && string(a.Index) == string(b.Index) && len(a.Index) > 0
}

// withText adds the plain text of thoughts unless the details have it: to a
// lone signature, or as a thought of its own.
func withText(parts []form.Part, text, field string) []form.Part {
	if text == "" {
		return parts
	}
	for i := range parts {
		if parts[i].Text != "" {
			return parts
		}
	}
	for i := range parts {
		if parts[i].Sealed == "" {
			parts[i].Text = text
			return parts
		}
	}
	return append([]form.Part{{Kind: form.PartReasoning, Text: text, Field: field}}, parts...)
}
