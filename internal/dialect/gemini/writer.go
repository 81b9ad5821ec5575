package gemini

import (
	"bytes"
	"encoding/json"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/form"
)

// answer is what every way of telling an answer to a client shares.
type answer struct {
	info form.Info
	// thoughts tells that the client asked to see them.
	thoughts bool
	usage    *usageMetadata
	// reasons are why candidates ended, by their number.
	reasons []finished
	// call is the one that is being told, and arguments its JSON so far: Gemini
	// tells a call in one piece.
	call      form.Part
	arguments []byte
	// malformed are calls whose arguments were no object, by their candidate.
	malformed map[int]string
}

// finished is the end of one candidate.
type finished struct {
	candidate       int
	reason, message string
}

// maxArguments is the most of a call's arguments that is gathered.
const maxArguments = 4 << 20

// take reads an event and returns the part that is to be told, if there is one.
func (a *answer) take(ev *form.Event) (p part, ok bool, err error) {
	switch ev.Kind {
	case form.EventUsage:
		a.usage = metadata(ev.Usage)
	case form.EventFinish:
		a.finish(ev)
	case form.EventPartStart:
		return a.start(ev)
	case form.EventDelta:
		return a.delta(ev)
	case form.EventPartStop:
		if ev.Part.Kind == form.PartCall {
			p, ok := a.called(ev.Choice)
			return p, ok, nil
		}
	}
	return part{}, false, nil
}

// start begins a part; what comes whole is told at once.
func (a *answer) start(ev *form.Event) (p part, ok bool, err error) {
	switch m := ev.Part.Media; {
	case ev.Part.Kind == form.PartCall:
		a.call, a.arguments = ev.Part, a.arguments[:0]
	case ev.Part.Kind == form.PartOther && ev.Part.Origin == form.OriginGemini:
		return part{raw: ev.Part.Raw}, true, nil
	case m != nil && m.Data != "":
		return part{InlineData: &blob{MimeType: m.Type, Data: m.Data}}, true, nil
	case m != nil && m.URL != "":
		return part{FileData: &fileData{MimeType: m.Type, FileURI: m.URL}}, true, nil
	}
	return part{}, false, nil
}

// delta tells a piece of text or thought.
func (a *answer) delta(ev *form.Event) (p part, ok bool, err error) {
	switch ev.Part.Kind {
	case form.PartText, form.PartRefusal:
		return part{Text: &ev.Text}, ev.Text != "" || ev.Logprobs != nil, nil
	case form.PartReasoning:
		return a.thought(ev)
	case form.PartCall:
		if len(a.arguments)+len(ev.Text) > maxArguments {
			return part{}, false, sluice.Errorf(sluice.CodeProviderTooLarge, "the provider's answer holds a call with more than %d bytes of arguments", maxArguments)
		}
		a.arguments = append(a.arguments, ev.Text...)
	}
	return part{}, false, nil
}

// thought tells a piece of thought. A signature of Google's belongs to what was
// said, not to a thought that is shown, and goes to every client.
func (a *answer) thought(ev *form.Event) (p part, ok bool, err error) {
	p = part{Text: &ev.Text, ThoughtSignature: writeSignature(ev.Signature, ev.Sealed)}
	if ev.Signature.Origin == form.OriginGemini && ev.Text == "" {
		return p, p.ThoughtSignature != "", nil
	}
	p.Thought = true
	return p, a.thoughts && (ev.Text != "" || p.ThoughtSignature != ""), nil
}

// called tells the call that is whole now. One whose arguments are no object was
// cut off or is malformed: Google's own answers leave such a call out and say so
// in the reason, lest a client execute it.
func (a *answer) called(n int) (part, bool) {
	args := bytes.TrimSpace(a.arguments)
	switch {
	case len(args) == 0, string(args) == "null":
		args = []byte("{}")
	case args[0] != '{' || !json.Valid(args):
		if a.malformed == nil {
			a.malformed = map[int]string{}
		}
		a.malformed[n] = a.call.Call.Name + string(args)
		return part{}, false
	}
	c := a.call.Call
	return part{
		FunctionCall:     &functionCall{ID: c.ID, Name: c.Name, Args: bytes.Clone(args)},
		ThoughtSignature: writeSignature(a.call.Signature, ""),
	}, true
}

// finish remembers why a candidate ended.
func (a *answer) finish(ev *form.Event) {
	f := finished{candidate: ev.Choice, reason: reasonOf(ev.Reason)}
	if text, ok := a.malformed[ev.Choice]; ok && f.reason == "STOP" {
		f.reason, f.message = reasonMalformed, "Malformed function call: "+text
	}
	a.reasons = append(a.reasons, f)
}

// reply is a response without candidates.
func (a *answer) reply() response {
	return response{UsageMetadata: a.usage, ModelVersion: a.info.Model, ResponseID: a.info.RequestID}
}

// reasonMalformed ends an answer with a call that cannot be read.
const reasonMalformed = "MALFORMED_FUNCTION_CALL"

// reasonOf is Google's word for why an answer ended. Calls end with STOP.
func reasonOf(r form.StopReason) string {
	switch r {
	case form.StopLength, form.StopContext:
		return "MAX_TOKENS"
	case form.StopFilter, form.StopRefusal:
		return "SAFETY"
	case form.StopMalformed:
		return reasonMalformed
	case form.StopPause:
		return "OTHER"
	}
	return "STOP"
}

// ending is the last response of a stream: every candidate with its reason.
func (a *answer) ending() response {
	last := a.reply()
	for _, f := range a.reasons {
		nothing := ""
		said := content{Role: roleModel, Parts: []part{{Text: &nothing}}}
		last.Candidates = append(last.Candidates, candidate{Content: &said, FinishReason: f.reason, FinishMessage: f.message, Index: f.candidate})
	}
	return last
}
