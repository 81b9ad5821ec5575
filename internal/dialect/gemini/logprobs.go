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

// form reads the probabilities; nil when there are none.
func (r *logprobsResult) form() *form.Logprobs {
	if r == nil || len(r.ChosenCandidates) == 0 {
		return nil
	}
	p := &form.Logprobs{Tokens: make([]form.Token, len(r.ChosenCandidates))}
	for i, c := range r.ChosenCandidates {
		p.Tokens[i] = c.token()
		if i >= len(r.TopCandidates) {
			continue
		}
		for _, top := range r.TopCandidates[i].Candidates {
			p.Tokens[i].Top = append(p.Tokens[i].Top, top.token())
		}
	}
	return p
}

func (c chosen) token() form.Token {
	if c.LogProbability == "" {
		c.LogProbability = certain
	}
	return form.Token{Text: c.Token, Logprob: c.LogProbability}
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
