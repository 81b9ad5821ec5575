package gemini

import (
	"encoding/json"
	"strconv"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

// Decoder implements [form.Back].
func (*plan) Decoder(e *form.Emitter, t *form.Target) form.Decoder {
	return &decoder{emitter: e, target: t}
}

// decoder reads one answer.
type decoder struct {
	emitter *form.Emitter
	target  *form.Target
	// ends are the candidates that came, in order. A reason counts at the end
	// of the stream only: some models give one with every chunk.
	ends []ending
	// calls counts them, for their keys.
	calls int
	// blocked is why the prompt was refused.
	blocked string
	// probs are the probabilities of the tokens of a candidate.
	probs *form.Logprobs
}

// ending is how far a candidate has come.
type ending struct {
	index  int
	reason string
}

// maxCandidates bounds what a provider can make the decoder remember.
const maxCandidates = 128

// Event implements [form.Decoder].
func (d *decoder) Event(_, data []byte) error {
	var r struct {
		Candidates     []json.RawMessage `json:"candidates"`
		PromptFeedback *promptFeedback   `json:"promptFeedback"`
		UsageMetadata  json.RawMessage   `json:"usageMetadata"`
		ResponseID     string            `json:"responseId"`
		Error          json.RawMessage   `json:"error"`
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return peer.Broken("it is not what the API answers")
	}
	if len(r.Error) > 0 && string(r.Error) != "null" {
		return &form.Fault{Doc: append([]byte(nil), data...)}
	}
	if r.ResponseID != "" {
		if err := d.emitter.Start(r.ResponseID, 0); err != nil {
			return err
		}
	}
	if u, ok := readUsage(r.UsageMetadata); ok {
		if err := d.emitter.Usage(u); err != nil {
			return err
		}
	}
	if r.PromptFeedback != nil {
		d.blocked = r.PromptFeedback.BlockReason
	}
	for _, raw := range r.Candidates {
		if err := d.candidate(raw); err != nil {
			return err
		}
	}
	return nil
}

// readUsage reads a usageMetadata and whether it states anything.
func readUsage(raw json.RawMessage) (sluice.Usage, bool) {
	var m usageMetadata
	if len(raw) == 0 || json.Unmarshal(raw, &m) != nil {
		return sluice.Usage{}, false
	}
	for _, name := range [...]string{"promptTokenCount", "totalTokenCount", "candidatesTokenCount"} {
		if jsonscan.Find(raw, jsonscan.At(raw, 0), name).Kind == jsonscan.Number {
			return m.usage(), true
		}
	}
	return sluice.Usage{}, false
}

// candidate reads what came of one of the answers.
func (d *decoder) candidate(raw json.RawMessage) error {
	var c struct {
		Content struct {
			Parts []json.RawMessage `json:"parts"`
		} `json:"content"`
		FinishReason   string          `json:"finishReason"`
		LogprobsResult json.RawMessage `json:"logprobsResult"`
		Index          int             `json:"index"`
	}
	if err := json.Unmarshal(raw, &c); err != nil || c.Index < 0 || c.Index >= maxCandidates {
		return peer.Broken("it holds a candidate that cannot be read")
	}
	end := d.ending(c.Index)
	if c.FinishReason != "" && c.FinishReason != "FINISH_REASON_UNSPECIFIED" {
		end.reason = c.FinishReason
	}
	// They are told of all parts together, and go with the first text.
	d.probs = readLogprobs(c.LogprobsResult)
	for _, raw := range c.Content.Parts {
		if err := d.part(c.Index, raw); err != nil {
			return err
		}
	}
	if len(c.Content.Parts) > 0 {
		return nil // those that are left are of thoughts or calls
	}
	return d.lone(c.Index)
}

// ending returns the candidate of that number.
func (d *decoder) ending(index int) *ending {
	for i := range d.ends {
		if d.ends[i].index == index {
			return &d.ends[i]
		}
	}
	d.ends = append(d.ends, ending{index: index})
	return &d.ends[len(d.ends)-1]
}

// part reads one part, which is whole.
func (d *decoder) part(n int, raw json.RawMessage) error {
	var p part
	if err := json.Unmarshal(raw, &p); err != nil {
		return peer.Broken("it holds a part that cannot be read")
	}
	signature := form.Signature{}
	if p.ThoughtSignature != "" {
		signature = form.Signature{Origin: form.OriginGemini, Value: p.ThoughtSignature}
	}
	var err error
	switch {
	case p.FunctionCall != nil:
		return d.call(n, p.FunctionCall, signature)
	case p.InlineData != nil:
		err = d.emitter.Whole(n, mediaPart(&form.Media{Type: p.InlineData.MimeType, Data: p.InlineData.Data}))
	case p.FileData != nil:
		err = d.emitter.Whole(n, mediaPart(&form.Media{Type: p.FileData.MimeType, URL: p.FileData.FileURI}))
	case p.Text != nil && p.Thought:
		err = d.emitter.Reasoning(n, *p.Text)
	case p.Text != nil:
		err = d.emitter.TextWith(n, *p.Text, d.probs)
		d.probs = nil
	case !p.Thought && p.ThoughtSignature == "":
		own := form.Part{Kind: form.PartOther, Raw: append(json.RawMessage(nil), raw...), Origin: form.OriginGemini}
		return d.emitter.Whole(n, own)
	}
	if err != nil {
		return err
	}
	return d.emitter.Signature(n, signature)
}

// call tells a call, which comes in one piece.
func (d *decoder) call(n int, c *functionCall, signature form.Signature) error {
	arguments := string(c.Args)
	if arguments == "" || arguments == "null" {
		arguments = "{}"
	}
	name, custom := d.target.ClientTool(c.Name)
	if custom {
		if text, ok := jsonscan.Text(c.Args, jsonscan.Find(c.Args, jsonscan.At(c.Args, 0), customInput)); ok {
			arguments = text
		}
	}
	d.calls++
	call := form.Call{ID: c.ID, Name: name, Custom: custom}
	if err := d.emitter.Call(n, strconv.Itoa(d.calls), call, arguments, signature); err != nil {
		return err
	}
	return d.emitter.Close(n)
}

// Whole implements [form.Decoder].
func (d *decoder) Whole(doc []byte) error {
	if err := d.Event(nil, doc); err != nil {
		return err
	}
	return d.End()
}

// End implements [form.Decoder]. A candidate without a reason was cut off, and
// stays unfinished. A prompt that was blocked has no candidates; what it has is
// an answer that a filter ended.
func (d *decoder) End() error {
	if len(d.ends) == 0 && d.blocked != "" {
		return d.emitter.Finish(0, form.StopFilter, "")
	}
	for _, end := range d.ends {
		if end.reason == "" {
			return peer.Broken("it ended before it was complete")
		}
		reason := stopOf(end.reason)
		if reason == form.StopEnd && d.emitter.Called(end.index) {
			reason = form.StopCalls
		}
		if err := d.emitter.Finish(end.index, reason, ""); err != nil {
			return err
		}
	}
	return nil
}

// stopOf reads Google's words for why an answer ended. What nobody knows is
// taken for a filter, for it was not the model that was done.
func stopOf(reason string) form.StopReason {
	switch reason {
	case "STOP":
		return form.StopEnd
	case "MAX_TOKENS":
		return form.StopLength
	case reasonMalformed, "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE", "MALFORMED_RESPONSE":
		return form.StopMalformed
	}
	return form.StopFilter
}
