package anthropic

import (
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// efforts are the levels of effort, with the budget that stands for each on
// models that think by budget; above the largest, budgets are max.
var efforts = []struct {
	name   string
	budget int64
}{
	{"minimal", 1024}, {"low", 4096}, {"medium", 8192}, {"high", 16384}, {"xhigh", 32768}, {"max", 65536},
}

// dynamicBudget stands for an amount that is left to a model which cannot
// decide.
const dynamicBudget = 8192

// reasoning writes how much the model thinks. Where it cannot, that is named: a
// forced tool and a begun answer say more of what the client wants.
func (e *encoder) reasoning() error {
	r := &e.chat.Reasoning
	switch {
	case !r.Stated():
		return nil
	case r.Off():
		if e.version >= v3_7 {
			e.out.thinking = &thinking{kind: "disabled"}
		}
		return nil
	case !e.version.thinks():
		return e.dropReasoning()
	case e.version.adaptive():
		e.think()
		return nil
	}
	return e.budget()
}

// dropReasoning names the client's own member.
func (e *encoder) dropReasoning() error {
	field := e.chat.Reasoning.Field
	return e.target.Drop(memberName(field, "reasoning_effort"), field)
}

// memberName is the client's own name of the member at a field: its path with
// dots.
func memberName(field, otherwise string) string {
	if field == "" {
		return otherwise
	}
	return strings.ReplaceAll(strings.TrimPrefix(field, "/"), "/", ".")
}

// think writes the effort, and adaptive thinking unless a tool is forced, which
// excludes it.
func (e *encoder) think() {
	e.out.effort = e.effort()
	if e.forced() {
		return
	}
	e.out.thinking = &thinking{kind: "adaptive"}
	if shown := e.chat.Reasoning.Shown; shown != nil {
		e.out.thinking.display = map[bool]string{true: "summarized", false: "omitted"}[*shown]
	}
}

// effort is the level that was asked for, or the one whose budget covers what
// was.
func (e *encoder) effort() string {
	r := &e.chat.Reasoning
	name := r.Effort
	if name == "" && r.Budget != nil && *r.Budget > 0 {
		name = "max"
		for i := len(efforts) - 1; i >= 0; i-- {
			if *r.Budget <= efforts[i].budget {
				name = efforts[i].name
			}
		}
	}
	switch {
	case name == "minimal":
		return "low"
	case name == "xhigh" && e.version < v4_7:
		return "high"
	}
	return name
}

// forced reports whether a tool must be called.
func (e *encoder) forced() bool {
	c := e.out.toolChoice
	return c != nil && (c.kind == "any" || c.kind == "tool")
}

// budget writes a budget, which has to be smaller than max_tokens.
func (e *encoder) budget() error {
	if e.forced() || !e.continuesThought() {
		return e.dropReasoning()
	}
	budget := e.budgetTokens()
	if e.chat.MaxTokens == 0 {
		// The default is for the answer; the thought comes on top of it.
		if most := e.target.MaxOutput(); most == 0 {
			e.out.maxTokens += budget
		}
	}
	budget = min(budget, e.out.maxTokens*4/5)
	if budget < leastBudget {
		return e.dropReasoning()
	}
	e.out.thinking = &thinking{kind: "enabled", budget: budget}
	return nil
}

// budgetTokens is the budget that was asked for, or that of the effort.
func (e *encoder) budgetTokens() int64 {
	r := &e.chat.Reasoning
	if r.Budget != nil && *r.Budget > 0 {
		return max(*r.Budget, leastBudget)
	}
	for _, level := range efforts {
		if level.name == r.Effort {
			return level.budget
		}
	}
	return dynamicBudget
}

// continuesThought reports whether the conversation can go on with thought: a
// turn of the assistant that is still open, because its calls were just
// answered or because it was begun, has to start with thought of its own.
func (e *encoder) continuesThought() bool {
	messages := e.out.messages
	last := len(messages) - 1
	if last >= 1 && messages[last].content[0].kind == blockResult {
		last--
	}
	if last < 0 || messages[last].role != form.RoleAssistant {
		return true
	}
	kind := messages[last].content[0].kind
	return kind == blockThinking || kind == blockSealed
}
