package openai

import (
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// Limits on what one translated request may hold.
const (
	maxTurns = 10_000
	maxTools = 2_000
	maxStops = 64
)

// chatReader decodes a request of /chat/completions.
type chatReader struct {
	chat *form.Chat
	// calls are those that wait for their results.
	calls callBook
	// choice is the tool choice as it stands in the body.
	choice node
}

// readChat decodes the body of an ask, which is sound JSON with its model, cap
// and stream flag read.
func readChat(ask *dialect.Ask) (*form.Chat, error) {
	r := chatReader{chat: &form.Chat{Model: ask.Model, Stream: ask.Stream, MaxTokens: ask.MaxTokens}}
	if err := documentNode(ask.Body).members(r.member); err != nil {
		return nil, err
	}
	if err := r.calls.done(); err != nil {
		return nil, err
	}
	return r.chat, r.checkChoice()
}

// member takes one member of the body.
func (r *chatReader) member(m node) (err error) {
	c := r.chat
	switch m.name {
	case "model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "store":
		// The ask has read them.
	case "messages":
		return m.elements(r.message)
	case "tools":
		return m.elements(r.tool)
	case "functions":
		return m.elements(r.function)
	case "tool_choice", "function_call":
		return r.toolChoice(m)
	case "parallel_tool_calls":
		c.Parallel, err = m.boolean()
	case "response_format":
		return r.format(m)
	case "stop":
		c.Stop, err = readStop(m)
	case "user":
		c.User, err = m.text()
	case "reasoning_effort", "reasoning", "thinking":
		return r.reasoning(m)
	case "modalities":
		return r.modalities(m)
	default:
		return r.sampling(m)
	}
	return err
}

// sampling takes the members that say how tokens are chosen, and everything
// that nobody knows.
func (r *chatReader) sampling(m node) (err error) {
	s := &r.chat.Sampling
	switch m.name {
	case "temperature":
		s.Temperature, err = m.number(0, 2)
	case "top_p":
		s.TopP, err = m.number(0, 1)
	case "frequency_penalty":
		s.FrequencyPenalty, err = m.number(-2, 2)
	case "presence_penalty":
		s.PresencePenalty, err = m.number(-2, 2)
	case "top_k":
		s.TopK, err = pointer(m.integer(-1, 1<<31))
	case "seed":
		s.Seed, err = pointer(m.integer(-1<<63, 1<<63-1))
	case "n":
		s.N, err = m.integer(1, maxChoices)
	case "logprobs":
		var asked *bool
		if asked, err = m.boolean(); err == nil {
			s.Logprobs = *asked
		}
	case "top_logprobs":
		s.TopLogprobs, err = m.integer(0, 20)
	default:
		r.chat.Extras = append(r.chat.Extras, form.Extra{Name: m.name, Value: m.raw()})
	}
	return err
}

// pointer makes a pointer of a value that was read.
func pointer(n int64, err error) (*int64, error) { return &n, err }

// readStop reads one stop sequence or several.
func readStop(m node) (stops []string, err error) {
	if m.v.Kind == jsonscan.String {
		text, err := m.text()
		return []string{text}, err
	}
	err = m.elements(func(e node) error {
		text, err := e.text()
		if len(stops) == maxStops {
			return m.bad("must not hold more than %d sequences", maxStops)
		}
		stops = append(stops, text)
		return err
	})
	return stops, err
}

// modalities accepts text; sound cannot be carried over.
func (r *chatReader) modalities(m node) error {
	return m.elements(func(e node) error {
		if kind, err := e.text(); err != nil || kind == "text" {
			return err
		}
		return e.bad("must be text: the provider of this model cannot answer with anything else")
	})
}

// efforts are the words for how much a model thinks.
const efforts = " none minimal low medium high xhigh max "

// effort reads one of the words.
func effort(m node) (string, error) {
	word, err := m.text()
	if err == nil && (word == "" || !strings.Contains(efforts, " "+word+" ")) {
		return "", m.bad("must be one of %s", strings.ReplaceAll(strings.TrimSpace(efforts), " ", ", "))
	}
	return word, err
}

// reasoning reads OpenAI's reasoning_effort, OpenRouter's reasoning and the
// thinking of several vendors.
func (r *chatReader) reasoning(m node) (err error) {
	c := &r.chat.Reasoning
	c.Field = m.at()
	switch m.name {
	case "reasoning_effort":
		c.Effort, err = effort(m)
	case "reasoning":
		return m.members(r.reasoningMember)
	case "thinking":
		return m.members(r.thinkingMember)
	}
	return err
}

func (r *chatReader) reasoningMember(m node) (err error) {
	c := &r.chat.Reasoning
	switch m.name {
	case "effort":
		c.Effort, err = effort(m)
	case "max_tokens":
		c.Budget, err = pointer(m.integer(0, maxTokens))
	case "enabled":
		if m.v.Kind == jsonscan.False {
			c.Effort = "none"
		}
	case "exclude":
		var hidden *bool
		if hidden, err = m.boolean(); err == nil {
			shown := !*hidden
			c.Shown = &shown
		}
	}
	return err
}

func (r *chatReader) thinkingMember(m node) (err error) {
	c := &r.chat.Reasoning
	switch m.name {
	case "type":
		var kind string
		if kind, err = m.text(); kind == "disabled" {
			c.Effort = "none"
		}
		if (kind == "enabled" || kind == "adaptive" || kind == "auto") && c.Budget == nil {
			c.Budget = new(int64)
			*c.Budget = -1
		}
	case "budget_tokens":
		c.Budget, err = pointer(m.integer(-1, maxTokens))
	}
	return err
}

// format reads response_format.
func (r *chatReader) format(m node) error {
	if err := m.object(); err != nil {
		return err
	}
	kind, err := m.find("type").text()
	if err != nil {
		return err
	}
	f := &r.chat.Format
	switch f.Field = m.at(); kind {
	case "text":
	case "json_object":
		f.Kind = form.FormatJSON
	case "json_schema":
		f.Kind = form.FormatSchema
		return r.schema(m.find("json_schema"))
	default:
		return m.find("type").bad("must be text, json_object or json_schema")
	}
	return nil
}

// schema reads response_format.json_schema.
func (r *chatReader) schema(m node) (err error) {
	f := &r.chat.Format
	err = m.members(func(e node) (err error) {
		switch e.name {
		case "name":
			f.Name, err = e.text()
		case "description":
			f.Description, err = e.text()
		case "strict":
			f.Strict, err = e.boolean()
		case "schema":
			f.Schema, err = e.raw(), e.object()
		}
		return err
	})
	if err == nil && f.Schema == nil {
		return m.find("schema").must("an object")
	}
	return err
}

// checkChoice refuses a choice that no model can obey.
func (r *chatReader) checkChoice() error {
	choice := r.chat.Choice
	if choice.Mode != form.ToolRequired && choice.Mode != form.ToolNamed {
		return nil
	}
	if len(r.chat.Tools) == 0 {
		return r.choice.bad("needs tools to choose from")
	}
	if choice.Mode == form.ToolRequired {
		return nil
	}
	for i := range r.chat.Tools {
		if r.chat.Tools[i].Name == choice.Name {
			return nil
		}
	}
	return sluice.Errorf(sluice.CodeInvalidRequest, "tool_choice names %q, which is not among the tools", clip(choice.Name)).At(r.choice.at())
}
