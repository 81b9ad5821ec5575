package openai

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// chatEncoder writes a conversation for one account.
type chatEncoder struct {
	plan   *plan
	quirks *quirks
	chat   *form.Chat
	target *form.Target
	body   chatBody
}

// chatBody is a request of /chat/completions, in the order that people write
// it; more are the members that only some providers have.
type chatBody struct {
	Model            string            `json:"model"`
	Messages         []writtenTurn     `json:"messages"`
	Stream           bool              `json:"stream,omitempty"`
	StreamOptions    json.RawMessage   `json:"stream_options,omitempty"`
	MaxTokens        int64             `json:"max_tokens,omitempty"`
	MaxCompletion    int64             `json:"max_completion_tokens,omitempty"`
	Temperature      json.Number       `json:"temperature,omitempty"`
	TopP             json.Number       `json:"top_p,omitempty"`
	FrequencyPenalty json.Number       `json:"frequency_penalty,omitempty"`
	PresencePenalty  json.Number       `json:"presence_penalty,omitempty"`
	N                int64             `json:"n,omitempty"`
	Logprobs         bool              `json:"logprobs,omitempty"`
	TopLogprobs      int64             `json:"top_logprobs,omitempty"`
	Stop             []string          `json:"stop,omitempty"`
	Tools            []writtenTool     `json:"tools,omitempty"`
	ToolChoice       any               `json:"tool_choice,omitempty"`
	Parallel         *bool             `json:"parallel_tool_calls,omitempty"`
	Format           *writtenFormat    `json:"response_format,omitempty"`
	more             []json.RawMessage // name, value, name, value
}

// encode writes the body.
func (e *chatEncoder) encode() ([]byte, error) {
	e.body = chatBody{Model: e.target.Model, Stream: e.chat.Stream}
	if e.chat.Stream && e.plan.states {
		e.body.StreamOptions = injectedObject
	}
	for _, step := range [...]func() error{e.turns, e.limits, e.sampling, e.tools, e.format, e.reasoning, e.rest} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	body, err := appendPlain(nil, &e.body)
	if err != nil {
		return nil, err
	}
	return e.close(body), nil
}

// more adds a member that only some providers have.
func (e *chatEncoder) more(name string, value json.RawMessage) {
	e.body.more = append(e.body.more, json.RawMessage(name), value)
}

// close writes those members behind the others.
func (e *chatEncoder) close(body []byte) []byte {
	body = body[:len(body)-1]
	for i := 0; i < len(e.body.more); i += 2 {
		body = jsonscan.AppendText(append(body, ','), string(e.body.more[i]))
		body = append(append(body, ':'), e.body.more[i+1]...)
	}
	return append(body, '}')
}

// limits writes what ends an answer.
func (e *chatEncoder) limits() error {
	if e.quirks.cap == "max_completion_tokens" {
		e.body.MaxCompletion = e.chat.MaxTokens
	} else {
		e.body.MaxTokens = e.chat.MaxTokens
	}
	most := e.quirks.stops
	if most == 0 {
		most = 4
	}
	e.body.Stop = e.chat.Stop
	if len(e.chat.Stop) > most {
		e.body.Stop = e.chat.Stop[:most]
		return e.target.Drop("stop["+strconv.Itoa(most)+"]", "")
	}
	return nil
}

// sampling writes how tokens are chosen.
func (e *chatEncoder) sampling() error {
	s := &e.chat.Sampling
	if e.quirks.selective && e.thinks() {
		return e.usualSampling()
	}
	e.body.Temperature, e.body.TopP = s.Temperature, s.TopP
	if err := e.cool(); err != nil {
		return err
	}
	if e.quirks.frequency {
		e.body.FrequencyPenalty = s.FrequencyPenalty
	}
	if e.quirks.presence {
		e.body.PresencePenalty = s.PresencePenalty
	}
	if err := e.dropStated("frequency_penalty", s.FrequencyPenalty != e.body.FrequencyPenalty,
		"presence_penalty", s.PresencePenalty != e.body.PresencePenalty); err != nil {
		return err
	}
	return e.rarer()
}

// usualSampling is for models that think, which refuse every other sampling;
// what is the default anyway need not be said.
func (e *chatEncoder) usualSampling() error {
	s := &e.chat.Sampling
	if err := e.dropStated("temperature", isnt(s.Temperature, 1), "top_p", isnt(s.TopP, 1),
		"frequency_penalty", isnt(s.FrequencyPenalty, 0), "presence_penalty", isnt(s.PresencePenalty, 0)); err != nil {
		return err
	}
	return e.rarer()
}

// isnt reports whether a number was stated and differs from a default.
func isnt(n json.Number, usual float64) bool {
	f, err := n.Float64()
	return n != "" && (err != nil || f != usual)
}

// cool keeps the temperature within what the provider takes.
func (e *chatEncoder) cool() error {
	f, err := e.body.Temperature.Float64()
	if err != nil {
		return nil
	}
	taken := max(f, e.quirks.coldest)
	if e.quirks.hottest > 0 {
		taken = min(taken, e.quirks.hottest)
	}
	if taken == f {
		return nil
	}
	e.body.Temperature = json.Number(strconv.FormatFloat(taken, 'g', -1, 64))
	return e.target.Drop("temperature", "")
}

// rarer writes what few providers have.
func (e *chatEncoder) rarer() error {
	s := &e.chat.Sampling
	if s.N > 1 && !e.quirks.many {
		return form.Refuse("/n", "the provider of this model gives one answer only, n must be 1")
	}
	if s.N > 1 {
		e.body.N = s.N
	}
	if err := e.integer("top_k", e.quirks.topK, s.TopK); err != nil {
		return err
	}
	if err := e.integer("seed", e.quirks.seed, s.Seed); err != nil {
		return err
	}
	return e.probabilities()
}

// probabilities asks for those of the tokens. The alternatives come with them
// alone, and models of OpenAI's that think tell none.
func (e *chatEncoder) probabilities() error {
	s := &e.chat.Sampling
	if !s.Logprobs || !e.quirks.logprobs || e.quirks.selective && e.thinks() {
		return e.dropStated("logprobs", s.Logprobs, "top_logprobs", s.TopLogprobs > 0)
	}
	e.body.Logprobs, e.body.TopLogprobs, e.target.Logprobs = true, s.TopLogprobs, true
	return nil
}

// integer writes a number under the provider's name of it.
func (e *chatEncoder) integer(name, theirs string, n *int64) error {
	switch {
	case n == nil:
		return nil
	case theirs == "":
		return e.target.Drop(name, "")
	}
	e.more(theirs, strconv.AppendInt(nil, *n, 10))
	return nil
}

// dropStated drops the members, given as name and whether it was stated, that
// were.
func (e *chatEncoder) dropStated(pairs ...any) error {
	for i := 0; i < len(pairs); i += 2 {
		if !pairs[i+1].(bool) {
			continue
		}
		if err := e.target.Drop(pairs[i].(string), ""); err != nil {
			return err
		}
	}
	return nil
}

// rest writes the user, what passes as it stands, and what is always said.
func (e *chatEncoder) rest() error {
	if user := e.chat.User; user != "" && e.quirks.user != "" {
		e.more(e.quirks.user, quote(user))
	} else if user != "" {
		if err := e.target.Drop("user", ""); err != nil {
			return err
		}
	}
	for _, pair := range e.quirks.always {
		e.more(pair[0], json.RawMessage(pair[1]))
	}
	return e.target.DropExtras(e.chat.Extras, func(x form.Extra) bool {
		if !slices.Contains(e.quirks.extras, x.Name) || !sound(x) {
			return false
		}
		e.more(x.Name, x.Value)
		return true
	})
}

// sound reports whether a member of that name means the same here: Anthropic
// has a service_tier with other words.
func sound(x form.Extra) bool {
	if x.Name != "service_tier" {
		return true
	}
	return slices.Contains([]string{`"auto"`, `"default"`, `"flex"`, `"priority"`, `"scale"`}, string(x.Value))
}
