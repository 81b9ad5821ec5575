package openai

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// reasoning says how much the model thinks, in the provider's way.
func (e *chatEncoder) reasoning() error {
	r := &e.chat.Reasoning
	if !r.Stated() && (r.Shown == nil || e.quirks.thinking != thinkObject) {
		return nil
	}
	switch e.quirks.thinking {
	case thinkEffort:
		return e.effort()
	case thinkObject:
		e.more("reasoning", e.reasoningObject())
	case thinkSwitch:
		kind := `{"type":"enabled"}`
		if r.Off() {
			kind = `{"type":"disabled"}`
		}
		e.more("thinking", json.RawMessage(kind))
	case thinkFlag:
		e.more("enable_thinking", strconv.AppendBool(nil, !r.Off()))
		if n := e.budget(); n > 0 {
			e.more("thinking_budget", strconv.AppendInt(nil, n, 10))
		}
	case thinkTemplate:
		flag := strconv.FormatBool(!r.Off())
		e.more("chat_template_kwargs", json.RawMessage(`{"enable_thinking":`+flag+`,"thinking":`+flag+`}`))
	default:
		if r.Off() {
			return nil // nothing thinks here
		}
		return e.target.Drop("reasoning", r.Field)
	}
	return nil
}

// effort writes reasoning_effort.
func (e *chatEncoder) effort() error {
	r := &e.chat.Reasoning
	if e.quirks.selective && !e.thinks() {
		if r.Off() {
			return nil
		}
		return e.target.Drop("reasoning", r.Field)
	}
	word := effortOf(r)
	if e.quirks.selective {
		word = e.known(word)
	}
	if word != "" {
		e.more("reasoning_effort", quote(word))
	}
	return nil
}

// The budgets up to which an effort is low and medium, in tokens.
const (
	lowBudget    = 4 << 10
	mediumBudget = 16 << 10
)

// effortOf is the word for how much is thought, "" where the model decides.
func effortOf(r *form.Reasoning) string {
	switch {
	case r.Off():
		return "none"
	case r.Effort == "max", r.Effort == "xhigh":
		return "high"
	case r.Effort != "":
		return r.Effort
	case r.Budget == nil || *r.Budget < 0:
		return ""
	case *r.Budget < lowBudget:
		return "low"
	case *r.Budget < mediumBudget:
		return "medium"
	}
	return "high"
}

// budget is how many tokens may be thought, 0 where the model decides.
func (e *chatEncoder) budget() int64 {
	r := &e.chat.Reasoning
	if r.Off() {
		return 0
	}
	if r.Budget != nil {
		return max(*r.Budget, 0)
	}
	switch r.Effort {
	case "minimal", "low":
		return lowBudget / 2
	case "medium":
		return mediumBudget / 2
	}
	return 0
}

// reasoningObject writes OpenRouter's reasoning.
func (e *chatEncoder) reasoningObject() json.RawMessage {
	r := &e.chat.Reasoning
	object := struct {
		Effort  string `json:"effort,omitempty"`
		Budget  int64  `json:"max_tokens,omitempty"`
		Enabled *bool  `json:"enabled,omitempty"`
		Exclude bool   `json:"exclude,omitempty"`
	}{Exclude: r.Shown != nil && !*r.Shown}
	on := true
	switch {
	case r.Off():
		on = false
		object.Enabled = &on
	case r.Budget != nil && *r.Budget > 0:
		object.Budget = *r.Budget
	case r.Effort != "":
		object.Effort = effortOf(r)
	case r.Stated():
		object.Enabled = &on
	}
	return mustJSON(object)
}

// thinkers are how the names of OpenAI's models that think begin.
var thinkers = []string{"o1", "o3", "o4", "gpt-5", "gpt-6", "codex-"}

// thinks reports whether the model is one of OpenAI's that think, by the
// provider's name of it or by the catalogue's: a deployment can be called
// anything.
func (e *chatEncoder) thinks() bool {
	return thinks(e.target.Model) || e.target.Entry != nil && thinks(e.target.Entry.Name)
}

func thinks(model string) bool {
	for _, prefix := range thinkers {
		if strings.HasPrefix(model, prefix) {
			return !strings.Contains(model, "-chat")
		}
	}
	return false
}

// known turns an effort into one that OpenAI's models of this generation take.
func (e *chatEncoder) known(word string) string {
	model := e.target.Model
	first := strings.HasPrefix(model, "o")
	switch {
	case word == "none" && strings.HasPrefix(model, "gpt-5."):
		return "none"
	case word == "none" && strings.HasPrefix(model, "gpt-5"):
		return "minimal"
	case first && (word == "none" || word == "minimal"):
		return "low"
	case word == "minimal" && strings.HasPrefix(model, "gpt-5."):
		return "low"
	}
	return word
}
