package openai

import (
	"slices"
	"strconv"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
	"github.com/sluicegate/sluice/internal/dialect/responses"
)

// wholeWriter gathers an answer that is not streamed; what it may hold is
// bounded by the document it is read from.
type wholeWriter struct {
	info    form.Info
	usage   sluice.Usage
	stated  bool
	choices []*gathered
	// only is the memory of the first choice, and room that of the list.
	only gathered
	room [1]*gathered
}

// gathered is one choice as far as it has come.
type gathered struct {
	text, refusal, thought pieces
	details                []detail
	calls                  []writtenCall
	images                 []writtenImage
	input                  pieces // of the open call
	probs                  *form.Logprobs
	reason                 form.StopReason
	finished               bool
}

// pieces are a text that mostly comes in one piece, which is not copied then.
type pieces struct {
	first string
	rest  []byte
}

func (p *pieces) add(text string) {
	if p.first == "" {
		p.first = text
		return
	}
	p.rest = append(p.rest, text...)
}

func (p *pieces) empty() bool { return p.first == "" }

func (p *pieces) len() int { return len(p.first) + len(p.rest) }

func (p *pieces) text() string {
	if len(p.rest) == 0 {
		return p.first
	}
	return p.first + string(p.rest)
}

func newWholeWriter(info form.Info) *wholeWriter { return &wholeWriter{info: info} }

// ContentType implements [form.Writer].
func (*wholeWriter) ContentType() string { return "application/json" }

// choice is a choice, which the emitter keeps to a small number.
func (w *wholeWriter) choice(n int) *gathered {
	if w.choices == nil {
		w.room[0] = &w.only
		w.choices = w.room[:]
	}
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
		c.input = pieces{}
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
		c.text.add(ev.Text)
		c.probs = c.probs.Add(ev.Logprobs)
	case form.PartRefusal:
		c.refusal.add(ev.Text)
	case form.PartCall:
		c.input.add(ev.Text)
	case form.PartReasoning:
		c.thinks(ev)
	}
}

// thinks adds to the thought that is open.
func (c *gathered) thinks(ev *form.Event) {
	c.thought.add(ev.Text)
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
		c.calls[len(c.calls)-1].input(c.input.text())
	}
}

// writtenImage is a picture that a model made, in OpenRouter's shape.
type writtenImage struct {
	Type     string `json:"type"`
	ImageURL struct {
		URL string `json:"url"`
	} `json:"image_url"`
}

// answerOverhead is more than what most answers take besides their texts.
const answerOverhead = 640

// End implements [form.Writer]. What most answers hold is written by hand.
func (w *wholeWriter) End(to []byte) ([]byte, error) {
	size := answerOverhead
	for _, c := range w.choices {
		size += c.text.len() + c.thought.len() + c.refusal.len()
	}
	to = append(slices.Grow(to, size), `{"id":`...)
	to = append(appendID(to, &w.info), `,"object":"chat.completion","created":`...)
	to = append(strconv.AppendInt(to, w.info.Created, 10), `,"model":`...)
	to = append(jsonscan.AppendText(to, w.info.Model), `,"choices":[`...)
	to, err := w.appendChoices(to)
	if err != nil {
		return to, err
	}
	if to = append(to, ']'); w.stated {
		to = appendUsage(append(to, `,"usage":`...), &w.usage)
	}
	return append(to, '}'), nil
}

func (w *wholeWriter) appendChoices(to []byte) ([]byte, error) {
	first := len(to)
	for i, c := range w.choices {
		if !c.finished {
			continue
		}
		reason, err := finishReason(c.reason, len(c.calls) > 0, !c.refusal.empty())
		if err != nil {
			return to, err
		}
		if len(to) > first {
			to = append(to, ',')
		}
		to = strconv.AppendInt(append(to, `{"index":`...), int64(i), 10)
		if to, err = c.appendMessage(append(to, `,"message":`...)); err != nil {
			return to, err
		}
		to = appendProbs(append(to, `,"logprobs":`...), c.probs)
		to = append(append(append(to, `,"finish_reason":"`...), reason...), `"}`...)
	}
	return to, nil
}

// appendProbs writes the probabilities of a content, or null for none.
func appendProbs(to []byte, p *form.Logprobs) []byte {
	if p == nil {
		return append(to, "null"...)
	}
	to = responses.AppendLogprobs(append(to, `{"content":[`...), p.Tokens)
	return append(to, `],"refusal":null}`...)
}

// appendMessage writes what was gathered of a choice.
func (c *gathered) appendMessage(to []byte) (_ []byte, err error) {
	to = append(to, `{"role":"assistant","content":`...)
	to = appendText(to, &c.text, len(c.calls) == 0 && c.refusal.empty())
	to = appendText(append(to, `,"refusal":`...), &c.refusal, false)
	if !c.thought.empty() {
		to = appendText(append(to, `,"reasoning_content":`...), &c.thought, false)
	}
	if slices.ContainsFunc(c.details, func(d detail) bool { return d.Signature != "" || d.Data != "" }) {
		if to, err = appendPlain(append(to, `,"reasoning_details":`...), c.details); err != nil {
			return to, err
		}
	}
	if len(c.images) > 0 {
		if to, err = appendPlain(append(to, `,"images":`...), c.images); err != nil {
			return to, err
		}
	}
	if len(c.calls) > 0 {
		if to, err = appendPlain(append(to, `,"tool_calls":`...), c.calls); err != nil {
			return to, err
		}
	}
	return append(to, '}'), nil
}

// appendText writes a text, or null for none unless there must be one.
func appendText(to []byte, p *pieces, must bool) []byte {
	if p.empty() && !must {
		return append(to, "null"...)
	}
	return jsonscan.AppendText(to, p.text())
}
