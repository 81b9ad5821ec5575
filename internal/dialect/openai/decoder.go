package openai

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/peer"
)

// decoder reads an answer of any provider of this protocol. Why a choice ended
// is told at the end of the stream, not where it stands: some providers say it
// with the last content, some before it, some twice.
type decoder struct {
	emitter *form.Emitter
	target  *form.Target
	endings []ending
	// customs are calls of tools that the client knows as those of free text.
	customs []custom
	// probs are the probabilities of the content that is being read, nil once they
	// have gone with a text.
	probs *form.Logprobs
}

// ending is why a choice ended, "" while it has not, and the key of the call
// that pieces without any go to.
type ending struct {
	choice   int
	reason   form.StopReason
	sequence string
	key      string
	calls    int
	// refused tells that the model said no in words of their own.
	refused bool
}

// answerDoc is a chunk, or a whole answer: the one has deltas where the other
// has messages.
type answerDoc struct {
	ID      json.RawMessage `json:"id"`
	Created json.RawMessage `json:"created"`
	Choices []answerChoice  `json:"choices"`
	Usage   json.RawMessage `json:"usage"`
	Groq    struct {
		Usage json.RawMessage `json:"usage"`
	} `json:"x_groq"`
	Base *baseResp `json:"base_resp"`
}

type answerChoice struct {
	Index   *int            `json:"index"`
	Delta   *said           `json:"delta"`
	Message *said           `json:"message"`
	Finish  string          `json:"finish_reason"`
	Stopped json.RawMessage `json:"stop_reason"` // vLLM: the sequence that was met
	Usage   json.RawMessage `json:"usage"`       // Moonshot
	Failure json.RawMessage `json:"error"`       // OpenRouter
	// Logprobs are those of the content; not every relay writes an object.
	Logprobs json.RawMessage `json:"logprobs"`
}

// Event implements [form.Decoder].
func (d *decoder) Event(_, data []byte) error {
	// The first event names the answer and its choice.
	if len(d.endings) > 0 && d.endings[0].choice == 0 {
		if text, plain := plainText(data); plain {
			return d.emitter.Text(0, text)
		}
	}
	return d.read(data, false)
}

// Whole implements [form.Decoder].
func (d *decoder) Whole(doc []byte) error {
	if err := d.read(doc, true); err != nil {
		return err
	}
	if len(d.endings) == 0 {
		return peer.Broken("it holds no choices")
	}
	for i := range d.endings {
		if e := &d.endings[i]; e.reason == "" {
			e.reason = form.StopEnd // a whole answer is complete by itself
		}
	}
	return d.End()
}

// End implements [form.Decoder]. Choices whose end was not told stay open, so
// that a stream that was cut off never looks complete.
func (d *decoder) End() error {
	if err := d.endCustoms(); err != nil {
		return err
	}
	for i := range d.endings {
		e := &d.endings[i]
		if e.reason == "" {
			continue
		}
		if err := d.emitter.Finish(e.choice, e.reason, e.sequence); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) read(data []byte, whole bool) error {
	var doc answerDoc
	if err := json.Unmarshal(data, &doc); err != nil {
		return peer.Broken("it holds what is no answer of this protocol")
	}
	if fault := doc.Base.fault(); fault != nil {
		return fault
	}
	id := ""
	_ = json.Unmarshal(doc.ID, &id) // an odd id is not worth an answer
	created, _ := strconv.ParseInt(string(doc.Created), 10, 64)
	if len(doc.Choices) > 0 || whole {
		if err := d.emitter.Start(id, created); err != nil {
			return err
		}
	}
	for i := range doc.Choices {
		if err := d.choice(&doc.Choices[i], i); err != nil {
			return err
		}
	}
	if err := d.usage(doc.Groq.Usage); err != nil {
		return err
	}
	return d.usage(doc.Usage)
}

// usage tells what was stated, if it can be believed.
func (d *decoder) usage(raw json.RawMessage) error {
	if len(raw) == 0 || raw[0] != '{' {
		return nil
	}
	u, ok := parseUsage(raw, false)
	if !ok {
		return nil
	}
	return d.emitter.Usage(u)
}

// choice reads one choice; place is where it stands in its list.
func (d *decoder) choice(c *answerChoice, place int) error {
	if len(c.Failure) > 0 && c.Failure[0] == '{' {
		return &form.Fault{Doc: slices.Concat([]byte(`{"error":`), c.Failure, []byte("}"))}
	}
	n := place
	if c.Index != nil {
		n = *c.Index
	}
	if n < 0 || n >= maxChoices {
		return peer.Broken("it numbers a choice that was not asked for")
	}
	e := d.ending(n)
	d.probs = readProbs(c.Logprobs)
	for _, s := range [...]*said{c.Delta, c.Message} {
		if s == nil {
			continue
		}
		if err := d.said(e, s); err != nil {
			return err
		}
		if err := d.lone(n, s); err != nil {
			return err
		}
	}
	if err := d.usage(c.Usage); err != nil {
		return err
	}
	return d.finish(e, c)
}

// ending is what is remembered of a choice.
func (d *decoder) ending(n int) *ending {
	for i := range d.endings {
		if d.endings[i].choice == n {
			return &d.endings[i]
		}
	}
	d.endings = append(d.endings, ending{choice: n})
	return &d.endings[len(d.endings)-1]
}

// finish remembers why a choice ended; only the first time counts.
func (d *decoder) finish(e *ending, c *answerChoice) error {
	if c.Finish == "" || e.reason != "" {
		return nil
	}
	reason, ok := reasons[c.Finish]
	if !ok {
		reason = form.StopEnd
	}
	if reason == "" {
		return peer.Broken("the provider ended it with " + clip(c.Finish))
	}
	called := d.emitter.Called(e.choice)
	switch {
	case reason == form.StopCalls && !called:
		reason = form.StopEnd
	case reason == form.StopEnd && called:
		reason = form.StopCalls
	case reason == form.StopEnd && e.refused:
		reason = form.StopRefusal
	}
	sequence := ""
	if json.Unmarshal(c.Stopped, &sequence) == nil && sequence != "" && reason == form.StopEnd {
		reason = form.StopSequence
	}
	e.reason, e.sequence = reason, sequence
	return nil
}

// reasons are the words for why an answer ended; "" is a failure of the
// provider. A word that is not here ends the answer as any other does.
var reasons = map[string]form.StopReason{
	"stop": form.StopEnd, "end_turn": form.StopEnd, "eos": form.StopEnd, "stop_sequence": form.StopSequence,
	"length": form.StopLength, "max_tokens": form.StopLength, "model_length": form.StopContext,
	"model_context_window_exceeded": form.StopContext,
	"tool_calls":                    form.StopCalls, "function_call": form.StopCalls, "tool_use": form.StopCalls,
	"content_filter": form.StopFilter, "sensitive": form.StopFilter, "refusal": form.StopRefusal,
	"error": "", "network_error": "", "insufficient_system_resource": "", "abort": "", "load": "",
}

// baseResp is how MiniMax reports errors inside of successes.
type baseResp struct {
	Code    int    `json:"status_code"`
	Message string `json:"status_msg"`
}

// statuses are the HTTP statuses that its codes mean.
var statuses = map[int]int{1002: 429, 1039: 429, 1041: 429, 1004: 401, 2049: 401, 1008: 402, 2013: 400, 1026: 400, 1027: 400}

// fault is the error, nil if there is none.
func (b *baseResp) fault() error {
	if b == nil || b.Code == 0 {
		return nil
	}
	status := statuses[b.Code]
	if status == 0 {
		status = 500
	}
	type failure struct {
		Message string `json:"message"`
		Code    int    `json:"code"`
	}
	return &form.Fault{Doc: mustJSON(map[string]failure{"error": {b.Message, status}})}
}
