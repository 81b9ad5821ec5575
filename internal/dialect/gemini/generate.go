package gemini

import (
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// maxStops is the most stop sequences that Google takes.
const maxStops = 5

// generation writes the generationConfig.
func (e *encoder) generation() error {
	c, s := e.chat, e.chat.Sampling
	g := generation{
		CandidateCount: s.N, MaxOutputTokens: c.MaxTokens, Temperature: s.Temperature, TopP: s.TopP, TopK: s.TopK,
		Seed: s.Seed, PresencePenalty: s.PresencePenalty, FrequencyPenalty: s.FrequencyPenalty,
	}
	for _, stop := range c.Stop {
		if stop != "" {
			g.StopSequences = append(g.StopSequences, stop)
		}
	}
	if len(g.StopSequences) > maxStops {
		return form.Refuse("/stop", "the provider of this model takes at most %d stop sequences", maxStops)
	}
	if g.ResponseLogprobs, e.target.Logprobs = s.Logprobs, s.Logprobs; s.Logprobs {
		g.Logprobs = s.TopLogprobs
	} else if s.TopLogprobs > 0 { // alternatives come with the tokens alone
		if err := e.target.Drop("top_logprobs", ""); err != nil {
			return err
		}
	}
	if err := e.format(&g); err != nil {
		return err
	}
	if err := e.thinking(&g); err != nil {
		return err
	}
	if doc := mustJSON(g); string(doc) != "{}" {
		e.out.GenerationConfig = &g
	}
	return nil
}

// format writes the shape of the answer.
func (e *encoder) format(g *generation) error {
	f := e.chat.Format
	if f.Kind == form.FormatText {
		return nil
	}
	g.ResponseMimeType = "application/json"
	if f.Kind != form.FormatSchema || len(f.Schema) == 0 {
		return nil
	}
	if !e.lower {
		g.ResponseJSONSchema = f.Schema
		return nil
	}
	lowered, err := lowerSchema(f.Schema, f.Field)
	g.ResponseSchema = lowered
	return err
}

// thinking writes how much the model thinks; docs/dialects/gemini.md has the
// table.
func (e *encoder) thinking(g *generation) error {
	r := e.chat.Reasoning
	// Clients that state a budget are those of protocols that show thoughts
	// unless they are told not to.
	shown := r.Shown == nil && r.Budget != nil || r.Shown != nil && *r.Shown
	if !r.Stated() && !shown {
		return nil
	}
	t := &thinking{}
	exact := true
	switch e.family {
	case familyOther:
		if r.Off() {
			return nil // it does not think anyway
		}
		return e.target.Drop(nameAt(r.Field), r.Field)
	case familyBudget:
		t.ThinkingBudget, exact = budgetFor(r, e.target.Model)
	case familyLevel:
		t.ThinkingLevel, exact = levelFor(r, e.target.Model)
	}
	if shown && !r.Off() {
		t.IncludeThoughts = &shown
	}
	g.ThinkingConfig = t
	if !exact {
		return e.target.Drop(nameAt(r.Field), r.Field)
	}
	return nil
}

// nameAt is the client's name of what stands at a JSON pointer.
func nameAt(field string) string {
	if name := strings.ReplaceAll(strings.Trim(field, "/"), "/", "."); name != "" {
		return name
	}
	return "reasoning"
}

// budgets are the tokens for each effort, as Google translates them for
// OpenAI's clients.
var budgets = map[string]int64{"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576, "max": 24576}

// Bounds of the budgets of Gemini 2.5: its pro models cannot be kept from
// thinking.
const (
	leastPro, mostPro     = 128, 32768
	leastLite, mostOthers = 512, 24576
)

// budgetFor is the budget of a model of Gemini 2.5, nil to leave it to the
// model, and whether it is what was asked for.
func budgetFor(r form.Reasoning, model string) (budget *int64, exact bool) {
	var n int64
	switch {
	case r.Budget != nil:
		n = *r.Budget
	case r.Effort != "":
		n = budgets[r.Effort]
	default:
		return nil, true
	}
	least, most := int64(0), int64(mostOthers)
	if strings.Contains(model, "pro") {
		least, most = leastPro, mostPro
	} else if strings.Contains(model, "lite") && n != 0 {
		least = leastLite
	}
	if n < 0 {
		n = -1
		return &n, true
	}
	exact = n > 0 || least == 0
	n = min(max(n, least), most)
	return &n, exact
}

// levelFor is the level of a model from Gemini 3 on, "" to leave it to the
// model, and whether it is what was asked for: these models always think.
func levelFor(r form.Reasoning, model string) (level string, exact bool) {
	least := "MINIMAL"
	if strings.Contains(model, "pro") {
		least = "LOW"
	}
	if r.Off() {
		return least, false
	}
	if r.Budget != nil {
		switch n := *r.Budget; {
		case n < 0:
			return "", true
		case n <= 1024:
			return "LOW", true
		case n <= 8192:
			return mediumOf(model), true
		}
		return "HIGH", true
	}
	switch r.Effort {
	case "minimal":
		return least, true
	case "low":
		return "LOW", true
	case "medium":
		return mediumOf(model), true
	case "":
		return "", true
	}
	return "HIGH", true
}

// mediumOf is the level between low and high, which the first pro models of
// Gemini 3 lack.
func mediumOf(model string) string {
	if strings.Contains(model, "gemini-3-pro") {
		return "HIGH"
	}
	return "MEDIUM"
}
