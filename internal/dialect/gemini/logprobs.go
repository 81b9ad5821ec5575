package gemini

import (
	"encoding/json"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// logprobsResult is a LogprobsResult: what was chosen at each place, and what was
// likeliest there.
type logprobsResult struct {
	TopCandidates    []topCandidates `json:"topCandidates,omitempty"`
	ChosenCandidates []chosen        `json:"chosenCandidates,omitempty"`
}

type topCandidates struct {
	Candidates []chosen `json:"candidates,omitempty"`
}

// chosen is a token with the logarithm of its probability.
type chosen struct {
	Token          string      `json:"token"`
	LogProbability json.Number `json:"logProbability"`
}

// certain is a probability that was left out because it is 0, as Google leaves
// out all zeros.
const certain = "0"

// unlikely stands for a probability of 0, whose logarithm JSON has no number for:
// Google's servers write "-Infinity", other APIs this.
const unlikely = "-9999.0"

// UnmarshalJSON implements [json.Unmarshaler].
func (c *chosen) UnmarshalJSON(b []byte) error {
	var wire struct {
		Token          string          `json:"token"`
		LogProbability json.RawMessage `json:"logProbability"`
	}
	if err := json.Unmarshal(b, &wire); err != nil {
		return err
	}
	*c = chosen{wire.Token, logarithm(wire.LogProbability)}
	return nil
}

// logarithm reads that of a probability.
func logarithm(raw json.RawMessage) json.Number {
	switch {
	case len(raw) == 0, string(raw) == "null":
		return certain
	case raw[0] == '-', raw[0] >= '0' && raw[0] <= '9':
		return json.Number(raw)
	}
	return unlikely
}

// readLogprobs reads a logprobsResult; nil when there is none that can be read,
// which is not worth an answer.
func readLogprobs(raw json.RawMessage) *form.Logprobs {
	if len(raw) == 0 || raw[0] != '{' {
		return nil
	}
	var r logprobsResult
	if json.Unmarshal(raw, &r) != nil {
		return nil
	}
	return r.form()
}

// lone tells probabilities that no part came with. What follows a call is of that;
// and to who did not ask, nothing is told with no text.
func (d *decoder) lone(n int) error {
	if d.probs == nil || !d.target.Logprobs || d.emitter.Called(n) {
		return nil
	}
	probs := d.probs
	d.probs = nil
	return d.emitter.TextWith(n, "", probs)
}

// form reads the probabilities; nil when there are none.
func (r *logprobsResult) form() *form.Logprobs {
	if len(r.ChosenCandidates) == 0 {
		return nil
	}
	p := &form.Logprobs{Tokens: make([]form.Token, len(r.ChosenCandidates))}
	for i, c := range r.ChosenCandidates {
		p.Tokens[i] = form.Token{Text: c.Token, Logprob: c.LogProbability}
		if i >= len(r.TopCandidates) {
			continue
		}
		for _, top := range r.TopCandidates[i].Candidates {
			p.Tokens[i].Top = append(p.Tokens[i].Top, form.Token{Text: top.Token, Logprob: top.LogProbability})
		}
	}
	return p
}

// logprobsOf writes the probabilities, nil for none.
func logprobsOf(p *form.Logprobs) *logprobsResult {
	if p == nil {
		return nil
	}
	r := &logprobsResult{}
	for _, t := range p.Tokens {
		r.ChosenCandidates = append(r.ChosenCandidates, chosen{t.Text, t.Logprob})
		tops := topCandidates{}
		for _, top := range t.Top {
			tops.Candidates = append(tops.Candidates, chosen{top.Text, top.Logprob})
		}
		r.TopCandidates = append(r.TopCandidates, tops)
	}
	return r
}
