package openai

import (
	"strconv"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// chunkWriter renders a stream of chat.completion.chunk. It remembers of each
// choice where it stands, nothing of what was said.
type chunkWriter struct {
	// head is how every chunk begins, tail how those with a choice end.
	head, tail string
	wantsUsage bool
	usage      sluice.Usage
	stated     bool
	choices    []chunkChoice
}

// chunkChoice is where one choice stands.
type chunkChoice struct {
	// begun tells that the role was told, argued that the open call has
	// arguments, refused and called that there was one.
	begun, argued, refused, called bool
	// calls and thoughts count those that began; custom says what the open call
	// is.
	calls, thoughts int
	custom          bool
}

func newChunkWriter(info form.Info, wantsUsage bool) *chunkWriter {
	head := appendID([]byte("data: {\"id\":"), &info)
	head = strconv.AppendInt(append(head, `,"object":"chat.completion.chunk","created":`...), info.Created, 10)
	head = jsonscan.AppendText(append(head, `,"model":`...), info.Model)
	w := &chunkWriter{head: string(head), tail: "}]}\n\n", wantsUsage: wantsUsage}
	if wantsUsage {
		w.tail = "}],\"usage\":null}\n\n"
	}
	return w
}

// ContentType implements [form.Writer].
func (*chunkWriter) ContentType() string { return "text/event-stream" }

// Write implements [form.Writer].
func (w *chunkWriter) Write(to []byte, ev *form.Event) ([]byte, error) {
	switch ev.Kind {
	case form.EventUsage:
		w.usage, w.stated = ev.Usage, true
	case form.EventPartStart:
		return w.partStart(to, ev), nil
	case form.EventDelta:
		return w.delta(to, ev), nil
	case form.EventPartStop:
		return w.partStop(to, ev), nil
	case form.EventFinish:
		return w.finish(to, ev)
	}
	return to, nil
}

// choice is the state of a choice, which the emitter keeps to a small number.
func (w *chunkWriter) choice(n int) *chunkChoice {
	for len(w.choices) <= n {
		w.choices = append(w.choices, chunkChoice{})
	}
	return &w.choices[n]
}

// open appends a chunk up to the inside of its delta, the role with the first.
func (w *chunkWriter) open(to []byte, n int, empty bool) []byte {
	to = append(append(to, w.head...), `,"choices":[{"index":`...)
	to = append(strconv.AppendInt(to, int64(n), 10), `,"delta":{`...)
	c := w.choice(n)
	if c.begun {
		return to
	}
	c.begun = true
	if to = append(to, `"role":"assistant"`...); empty {
		return append(to, `,"content":""`...)
	}
	return append(to, ',')
}

// shut ends a chunk that says nothing of an end.
func (w *chunkWriter) shut(to []byte) []byte { return w.shutWith(to, nil) }

// shutWith does so with the probabilities of what the chunk says.
func (w *chunkWriter) shutWith(to []byte, p *form.Logprobs) []byte {
	to = appendProbs(append(to, `},"logprobs":`...), p)
	return append(append(to, `,"finish_reason":null`...), w.tail...)
}

// partStart tells calls and pictures, and counts.
func (w *chunkWriter) partStart(to []byte, ev *form.Event) []byte {
	c := w.choice(ev.Choice)
	switch ev.Part.Kind {
	case form.PartCall:
		c.calls++
		c.called, c.argued, c.custom = true, false, ev.Part.Call.Custom
		to = append(w.open(to, ev.Choice, false), `"tool_calls":[`...)
		to = append(appendCall(to, c.calls-1, &ev.Part), ']')
		return w.shut(to)
	case form.PartImage:
		if ev.Part.Media == nil {
			return to
		}
		to = append(w.open(to, ev.Choice, false), `"images":[{"type":"image_url","image_url":{"url":`...)
		to = append(jsonscan.AppendText(to, imageURL(ev.Part.Media)), "}}]"...)
		return w.shut(to)
	case form.PartReasoning:
		c.thoughts++
	case form.PartRefusal:
		c.refused = true
	}
	return to
}

// appendCall appends the first piece of a call.
func appendCall(to []byte, index int, p *form.Part) []byte {
	to = strconv.AppendInt(append(to, `{"index":`...), int64(index), 10)
	to = jsonscan.AppendText(append(to, `,"id":`...), p.Call.ID)
	kind, input := "function", "arguments"
	if p.Call.Custom {
		kind, input = "custom", "input"
	}
	to = append(append(append(to, `,"type":"`...), kind...), `","`...)
	to = append(append(to, kind...), `":{"name":`...)
	to = append(jsonscan.AppendText(to, p.Call.Name), `,"`...)
	to = append(append(to, input...), `":""}`...)
	if signature := p.Signature.Travelling(form.OriginGemini); signature != "" {
		to = append(to, `,"extra_content":{"google":{"thought_signature":`...)
		to = append(jsonscan.AppendText(to, signature), "}}"...)
	}
	return append(to, '}')
}

// delta tells one piece.
func (w *chunkWriter) delta(to []byte, ev *form.Event) []byte {
	switch ev.Part.Kind {
	case form.PartText:
		return w.text(to, ev, `"content":`)
	case form.PartRefusal:
		return w.text(to, ev, `"refusal":`)
	case form.PartCall:
		return w.arguments(to, ev.Choice, ev.Text)
	case form.PartReasoning:
		return w.thought(to, ev)
	}
	return to
}

func (w *chunkWriter) text(to []byte, ev *form.Event, member string) []byte {
	if ev.Text == "" && ev.Logprobs == nil {
		return to
	}
	to = append(w.open(to, ev.Choice, false), member...)
	return w.shutWith(jsonscan.AppendText(to, ev.Text), ev.Logprobs)
}

// arguments tells a piece of the open call's input.
func (w *chunkWriter) arguments(to []byte, n int, piece string) []byte {
	c := w.choice(n)
	if piece == "" {
		return to
	}
	c.argued = true
	to = strconv.AppendInt(append(w.open(to, n, false), `"tool_calls":[{"index":`...), int64(c.calls-1), 10)
	if c.custom {
		to = append(to, `,"custom":{"input":`...)
	} else {
		to = append(to, `,"function":{"arguments":`...)
	}
	return w.shut(append(jsonscan.AppendText(to, piece), "}}]"...))
}

// thought tells a piece of reasoning twice, as text and with what signs it.
func (w *chunkWriter) thought(to []byte, ev *form.Event) []byte {
	to = w.open(to, ev.Choice, false)
	if ev.Text != "" {
		to = append(jsonscan.AppendText(append(to, `"reasoning_content":`...), ev.Text), ',')
	}
	d := detail{Type: detailText, Text: ev.Text, Signature: ev.Signature.Value, Format: formatOf(ev.Signature.Origin)}
	if ev.Sealed != "" {
		d.Type, d.Data = detailSealed, ev.Sealed
	}
	d.Index = strconv.AppendInt(nil, int64(w.choice(ev.Choice).thoughts-1), 10)
	to = append(append(to, `"reasoning_details":[`...), mustJSON(d)...)
	return w.shut(append(to, ']'))
}

// partStop completes a call without arguments: "" is not JSON.
func (w *chunkWriter) partStop(to []byte, ev *form.Event) []byte {
	if c := w.choice(ev.Choice); ev.Part.Kind == form.PartCall && !c.argued && !c.custom {
		return w.arguments(to, ev.Choice, "{}")
	}
	return to
}

// finish tells why a choice ended.
func (w *chunkWriter) finish(to []byte, ev *form.Event) ([]byte, error) {
	c := w.choice(ev.Choice)
	reason, err := finishReason(ev.Reason, c.called, c.refused)
	if err != nil {
		return to, err
	}
	to = w.open(to, ev.Choice, true)
	to = append(append(append(to, `},"logprobs":null,"finish_reason":"`...), reason...), '"')
	return append(to, w.tail...), nil
}

// End implements [form.Writer]: usage if it was asked for and stated, then the
// one [DONE].
func (w *chunkWriter) End(to []byte) ([]byte, error) {
	if w.wantsUsage && w.stated {
		to = append(append(to, w.head...), `,"choices":[],"usage":`...)
		to = append(appendUsage(to, &w.usage), "}\n\n"...)
	}
	return append(to, doneEvent...), nil
}
