package openai

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/form"
)

// wholeWriter gathers an answer that is not streamed; what it may hold is
// bounded by the document it is read from.
type wholeWriter struct {
	info    form.Info
	usage   sluice.Usage
	stated  bool
	choices []*gathered
}

// gathered is one choice as far as it has come.
type gathered struct {
	text, refusal, thought strings.Builder
	details                []detail
	calls                  []writtenCall
	images                 []writtenImage
	input                  strings.Builder // of the open call
	reason                 form.StopReason
	finished               bool
}

func newWholeWriter(info form.Info) *wholeWriter { return &wholeWriter{info: info} }

// ContentType implements [form.Writer].
func (*wholeWriter) ContentType() string { return "application/json" }

// choice is a choice, which the emitter keeps to a small number.
func (w *wholeWriter) choice(n int) *gathered {
	for len(w.choices) <= n {
		w.choices = append(w.choices, &gathered{})
	}
	return w.choices[n]
}

// Write implements [form.Writer].
func (w *wholeWriter) Write(to []byte, ev *form.Event) ([]byte, error) {
	switch ev.Kind {
	case form.EventUsage:
		w.usage, w.stated = ev.Usage, true
	case form.EventPartStart:
		w.choice(ev.Choice).partStart(&ev.Part)
	case form.EventDelta:
		w.choice(ev.Choice).delta(ev)
	case form.EventPartStop:
		w.choice(ev.Choice).partStop(ev.Part.Kind)
	case form.EventFinish:
		c := w.choice(ev.Choice)
		c.reason, c.finished = ev.Reason, true
	}
	return to, nil
}

func (c *gathered) partStart(p *form.Part) {
	switch {
	case p.Kind == form.PartCall:
		c.input.Reset()
		c.calls = append(c.calls, callOf(p, ""))
	case p.Kind == form.PartImage && p.Media != nil:
		image := writtenImage{Type: "image_url"}
		image.ImageURL.URL = imageURL(p.Media)
		c.images = append(c.images, image)
	case p.Kind == form.PartReasoning:
		index := strconv.AppendInt(nil, int64(len(c.details)), 10)
		c.details = append(c.details, detail{Type: detailText, Index: index})
	}
}

func (c *gathered) delta(ev *form.Event) {
	switch ev.Part.Kind {
	case form.PartText:
		c.text.WriteString(ev.Text)
	case form.PartRefusal:
		c.refusal.WriteString(ev.Text)
	case form.PartCall:
		c.input.WriteString(ev.Text)
	case form.PartReasoning:
		c.thinks(ev)
	}
}

// thinks adds to the thought that is open.
func (c *gathered) thinks(ev *form.Event) {
	c.thought.WriteString(ev.Text)
	d := &c.details[len(c.details)-1]
	d.Text += ev.Text
	if ev.Signature.Value != "" {
		d.Signature, d.Format = ev.Signature.Value, formatOf(ev.Signature.Origin)
	}
	if ev.Sealed != "" {
		d.Type, d.Data, d.Format = detailSealed, ev.Sealed, formatOf(ev.Signature.Origin)
	}
}

func (c *gathered) partStop(kind form.PartKind) {
	if kind == form.PartCall {
		c.calls[len(c.calls)-1].input(c.input.String())
	}
}

// writtenMessage is the message of a whole answer.
type writtenMessage struct {
	Role      string         `json:"role"`
	Content   *string        `json:"content"`
	Refusal   *string        `json:"refusal"`
	Reasoning string         `json:"reasoning_content,omitempty"`
	Details   []detail       `json:"reasoning_details,omitempty"`
	Images    []writtenImage `json:"images,omitempty"`
	Calls     []writtenCall  `json:"tool_calls,omitempty"`
}

// writtenImage is a picture that a model made, in OpenRouter's shape.
type writtenImage struct {
	Type     string `json:"type"`
	ImageURL struct {
		URL string `json:"url"`
	} `json:"image_url"`
}

type writtenChoice struct {
	Index    int             `json:"index"`
	Message  writtenMessage  `json:"message"`
	Logprobs json.RawMessage `json:"logprobs"`
	Finish   string          `json:"finish_reason"`
}

// End implements [form.Writer].
func (w *wholeWriter) End(to []byte) ([]byte, error) {
	doc := struct {
		ID      string          `json:"id"`
		Object  string          `json:"object"`
		Created int64           `json:"created"`
		Model   string          `json:"model"`
		Choices []writtenChoice `json:"choices"`
		Usage   *writtenUsage   `json:"usage,omitempty"`
	}{ID: completionID(&w.info), Object: "chat.completion", Created: w.info.Created, Model: w.info.Model, Choices: []writtenChoice{}}
	for i, c := range w.choices {
		if !c.finished {
			continue
		}
		reason, err := finishReason(c.reason, len(c.calls) > 0, c.refusal.Len() > 0)
		if err != nil {
			return to, err
		}
		doc.Choices = append(doc.Choices, writtenChoice{Index: i, Message: c.message(), Logprobs: json.RawMessage("null"), Finish: reason})
	}
	if w.stated {
		usage := renderUsage(w.usage)
		doc.Usage = &usage
	}
	return appendPlain(to, doc)
}

// message is what was gathered of a choice.
func (c *gathered) message() writtenMessage {
	m := writtenMessage{
		Role: "assistant", Reasoning: c.thought.String(), Images: c.images, Calls: c.calls,
		Refusal: text(&c.refusal),
	}
	if m.Content = text(&c.text); m.Content == nil && len(c.calls) == 0 && m.Refusal == nil {
		m.Content = new(string)
	}
	for i := range c.details {
		if c.details[i].Signature != "" || c.details[i].Data != "" {
			m.Details = c.details
		}
	}
	return m
}

// text is what was gathered, nil when that is nothing.
func text(b *strings.Builder) *string {
	if b.Len() == 0 {
		return nil
	}
	s := b.String()
	return &s
}
