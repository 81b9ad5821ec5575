package openai

import (
	"encoding/json"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/responses"
)

// readProbs reads a choice's logprobs; nil when there are none of its content that
// can be read. What is odd about them is not worth an answer.
func readProbs(raw json.RawMessage) *form.Logprobs {
	if len(raw) == 0 || raw[0] != '{' {
		return nil
	}
	var of struct {
		Content json.RawMessage `json:"content"`
	}
	if json.Unmarshal(raw, &of) != nil {
		return nil
	}
	return responses.ReadLogprobs(of.Content)
}

// text tells visible text; the first of a choice takes the probabilities.
func (d *decoder) text(n int, text string) error {
	if text == "" {
		return d.emitter.Text(n, "")
	}
	probs := d.probs
	d.probs = nil
	return d.emitter.TextWith(n, text, probs)
}

// lone tells probabilities that no text came with: of tokens that are no text by
// themselves, or whose text is held back. What comes with anything else is of that,
// as is what follows a call; and to who did not ask, nothing is told with no text.
func (d *decoder) lone(n int, s *said) error {
	if d.probs == nil || !d.target.Logprobs || !s.silent() || d.emitter.Called(n) {
		return nil
	}
	probs := d.probs
	d.probs = nil
	return d.emitter.TextWith(n, "", probs)
}

// silent reports whether nothing but text was said.
func (s *said) silent() bool {
	return s.Refusal == "" && s.Thought == "" && len(s.Details) == 0 && len(s.Calls) == 0 && s.Function == nil && len(s.Images) == 0 &&
		(len(s.Thoughts) == 0 || string(s.Thoughts) == "null" || string(s.Thoughts) == `""`)
}
