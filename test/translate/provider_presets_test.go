package translate_test

import (
	"encoding/json"
	"slices"
	"strings"
)

// presetRules are what one provider makes of OpenAI's chat completions: only
// what its documentation promises is taken, everything else refused.
type presetRules struct {
	// caps are the members that cap an answer, hottest is the highest temperature,
	// stops how many stop sequences are taken.
	caps    []string
	hottest float64
	stops   int
	// choices are the tool choices that are taken, parallel tells that
	// parallel_tool_calls is, user that the end user may be named.
	choices        []string
	parallel, user bool
	// schemas tells that answers can be held to a schema; elsewhere it comes in
	// words.
	schemas bool
	// thinking is the member that asks for thought, replays tells that thoughts
	// come back with the calls that follow them.
	thinking string
	replays  bool
	// inline tells that pictures come as data, because nothing is fetched.
	inline bool
	// filters tells that an answer can be cut off by a filter, caches and thoughts
	// that usage tells what was cached and thought.
	filters, caches, thoughts bool
	// id is how calls are named, from the name of the tool and its number.
	id func(name string, i int) string
	// within tells that a stream's usage lies within the choice that ends it, too,
	// and that cached tokens are told twice.
	within bool
	// ends tells that usage lies on the chunk that says why the answer ended.
	ends bool
	// tells is the member that thoughts are told in, "" for reasoning_content;
	// those that come back do so in reasoning_details where that is the one.
	tellsIn string
	// leading tells that instructions stand at the beginning only, blind that
	// there are no pictures, wordy that answers are text, whatever is wanted.
	leading, blind, wordy bool
	// coldest is the lowest temperature.
	coldest float64
	// words are reasons that are called by another name.
	words map[string]string
}

// rulesOf are those of the presets that have a script.
var rulesOf = map[string]*presetRules{
	// https://help.aliyun.com/zh/model-studio: below 2, tools by name but never
	// "required".
	"qwen": {
		caps: []string{"max_tokens"}, hottest: 1.9999, stops: 4, choices: []string{"auto", "none"}, parallel: true,
		thinking: "enable_thinking", filters: true, caches: true, thoughts: true,
	},
	// https://platform.moonshot.ai/docs: ids have points and colons, usage lies
	// in the last choice as well.
	"moonshot": {
		caps: []string{"max_tokens"}, hottest: 1, stops: 5, choices: []string{"auto", "none"}, thinking: "thinking", replays: true,
		inline: true, filters: true, caches: true, within: true,
		id: func(name string, i int) string { return "functions." + name + ":" + string(rune('0'+i)) },
	},
	// https://console.groq.com/docs/api-reference: max_tokens is the older name.
	"groq": {
		caps: []string{"max_completion_tokens", "max_tokens"}, hottest: 2, stops: 4, choices: []string{"auto", "none", "required"}, parallel: true, user: true,
		schemas: true, thinking: "reasoning_effort", caches: true, thoughts: true,
	},
	// https://docs.ollama.com/api/openai-compatibility: tools are always a matter
	// of the model, and usage has no details.
	"ollama": {
		caps: []string{"max_tokens"}, hottest: 2, stops: 4, choices: []string{"auto"}, schemas: true, thinking: "reasoning_effort", inline: true,
	},
	// https://docs.bigmodel.cn/api-reference: one stop sequence, tools are a
	// matter of the model, a filter is called sensitive, and streams state usage
	// with their end.
	"zhipu": {
		caps: []string{"max_tokens"}, hottest: 1, stops: 1, choices: []string{"auto"}, thinking: "thinking", replays: true,
		filters: true, caches: true, ends: true, words: map[string]string{stopFilter: "sensitive"},
	},
	// https://www.volcengine.com/docs/82379/1494384: Ark.
	"doubao": {
		caps: []string{"max_tokens", "max_completion_tokens"}, hottest: 2, stops: 4, choices: []string{"none", "auto", "required"}, parallel: true,
		schemas: true, thinking: "thinking", filters: true, caches: true, thoughts: true,
	},
	// https://platform.minimax.io/docs/api-reference/text-openai-api: text only,
	// a temperature above 0, and thoughts apart from the text when reasoning_split
	// says so.
	"minimax": {
		caps: []string{"max_tokens", "max_completion_tokens"}, hottest: 1, coldest: 0.01, stops: 4, choices: []string{"none", "auto"}, thinking: "reasoning_split",
		replays: true, tellsIn: "reasoning_details", blind: true, wordy: true, caches: true, thoughts: true,
	},
	// https://docs.together.ai/reference/chat-completions-1: the end is called eos.
	"together": {
		caps: []string{"max_tokens"}, hottest: 2, stops: 4, choices: []string{"none", "auto", "required"}, schemas: true,
		thinking: "reasoning_effort", tellsIn: "reasoning", words: map[string]string{stopEnd: "eos"},
	},
	// https://openrouter.ai/docs/api-reference: reasoning is an object.
	"openrouter": {
		caps: []string{"max_tokens"}, hottest: 2, stops: 4, choices: []string{"none", "auto", "required"}, parallel: true, user: true,
		schemas: true, thinking: "reasoning", replays: true, tellsIn: "reasoning_details", filters: true, caches: true, thoughts: true,
	},
	// https://docs.vllm.ai: the templates of models decide about instructions and
	// thought.
	"vllm": {
		caps: []string{"max_tokens", "max_completion_tokens"}, hottest: 2, stops: 4, choices: []string{"none", "auto", "required"}, parallel: true, user: true,
		schemas: true, thinking: "chat_template_kwargs", tellsIn: "reasoning", leading: true,
		id: func(_ string, i int) string { return "chatcmpl-tool-" + strings.Repeat(string(rune('a'+i)), 32) },
	},
	// https://docs.sglang.ai
	"sglang": {
		caps: []string{"max_tokens", "max_completion_tokens"}, hottest: 2, stops: 4, choices: []string{"none", "auto", "required"}, parallel: true, user: true,
		schemas: true, thinking: "chat_template_kwargs", leading: true,
	},
}

// details tells that thoughts are told, and come back, in reasoning_details.
func (p *presetRules) details() bool { return p.tellsIn == "reasoning_details" }

// hear checks what presets disagree on.
func (p *presetRules) hear(h *heard, q *chatRequest) {
	if q.StreamOptions != nil && !q.Stream || q.Stream && (q.StreamOptions == nil || !q.StreamOptions.IncludeUsage) {
		h.refuse("stream_options")
	}
	if q.MaxTokens != nil && !slices.Contains(p.caps, "max_tokens") || q.MaxCompletionTokens != nil && !slices.Contains(p.caps, "max_completion_tokens") {
		h.refuse("the cap is called %s", p.caps)
	}
	if q.Temperature != nil && (*q.Temperature < p.coldest || *q.Temperature > p.hottest) {
		h.refuse("temperature %v", *q.Temperature)
	}
	if choice := string(q.ToolChoice); choice != "" && !slices.Contains(p.choices, strings.Trim(choice, `"`)) {
		h.refuse("tool_choice %s", choice)
	}
	if q.ParallelToolCalls != nil && !p.parallel || q.User != "" && !p.user {
		h.refuse("parallel_tool_calls or user")
	}
	p.hearThinking(h, q)
}

func (p *presetRules) hearThinking(h *heard, q *chatRequest) {
	asked := map[string]bool{
		"thinking": q.Thinking != nil, "enable_thinking": q.EnableThinking != nil || q.ThinkingBudget != nil, "reasoning_effort": q.ReasoningEffort != "",
		"reasoning": q.Reasoning != nil, "chat_template_kwargs": q.Template != nil, "reasoning_split": q.ReasoningSplit,
	}
	for name, given := range asked {
		if given && name != p.thinking {
			h.refuse("%s is not known", name)
		}
	}
	switch {
	case q.Thinking != nil && q.Thinking.Type != "enabled" && q.Thinking.Type != "disabled":
		h.refuse("thinking %q", q.Thinking.Type)
	case q.ThinkingBudget != nil && (*q.ThinkingBudget < 1 || q.EnableThinking == nil || !*q.EnableThinking):
		h.refuse("thinking_budget %d", *q.ThinkingBudget)
	case q.ReasoningEffort != "" && !slices.Contains([]string{"none", "low", "medium", "high"}, q.ReasoningEffort):
		h.refuse("reasoning_effort %q", q.ReasoningEffort)
	case q.Reasoning != nil && q.Reasoning.Effort != "" && q.Reasoning.MaxTokens != 0:
		h.refuse("only one of reasoning.effort and reasoning.max_tokens")
	case q.Reasoning != nil && q.Reasoning.Effort != "" && !slices.Contains([]string{"none", "minimal", "low", "medium", "high", "xhigh"}, q.Reasoning.Effort):
		h.refuse("reasoning.effort %q", q.Reasoning.Effort)
	case strings.HasPrefix(q.Model, "MiniMax-M") && !q.ReasoningSplit:
		h.refuse("thoughts would stand within the text")
	}
	object := q.Reasoning != nil && (q.Reasoning.Effort != "" && q.Reasoning.Effort != "none" || q.Reasoning.MaxTokens > 0 || q.Reasoning.Enabled != nil && *q.Reasoning.Enabled)
	h.thinks = object || q.ReasoningSplit && strings.HasPrefix(q.Model, "MiniMax-M") || q.Template != nil && q.Template.EnableThinking ||
		q.Thinking != nil && q.Thinking.Type == "enabled" || q.EnableThinking != nil && *q.EnableThinking || q.ReasoningEffort != "" && q.ReasoningEffort != "none"
	h.shows = h.thinks && (q.Reasoning == nil || !q.Reasoning.Exclude)
}

// hearStops checks how many there are.
func hearStops(h *heard, raw json.RawMessage, most int) {
	if len(raw) == 0 {
		return
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		h.stops = []string{one}
	} else if json.Unmarshal(raw, &h.stops) != nil || len(h.stops) > most {
		h.refuse("stop %s", raw)
	}
}

// tells narrows an answer to what the provider can tell of it.
func (p *presetRules) tells(s *said) {
	if s.refusal != "" { // in words of the answer
		s.text, s.refusal, s.stop = s.refusal, "", stopEnd
	}
	if s.stop == stopFilter && !p.filters {
		s.stop = stopEnd
	}
	if !p.caches {
		s.usage.Input, s.usage.CachedInput = s.usage.Input+s.usage.CachedInput, 0
	}
	if !p.thoughts {
		s.usage.Output, s.usage.Reasoning = s.usage.Output+s.usage.Reasoning, 0
	}
	if p.id == nil {
		return
	}
	for i := range s.calls {
		s.calls[i].id = p.id(s.calls[i].name, i)
	}
}

// usage writes what the provider states of it.
func (p *presetRules) usage(s said) obj {
	u := s.usage
	usage := obj{"prompt_tokens": u.Input + u.CachedInput, "completion_tokens": u.Output + u.Reasoning, "total_tokens": u.Total()}
	if p.caches {
		usage["prompt_tokens_details"] = obj{"cached_tokens": u.CachedInput}
	}
	if p.within {
		usage["cached_tokens"] = u.CachedInput
	}
	if p.thoughts {
		usage["completion_tokens_details"] = obj{"reasoning_tokens": u.Reasoning}
	}
	return usage
}
