package translate_test

import (
	"encoding/json"
	"strings"

	"github.com/sluicegate/sluice"
)

// chatSurface is what OpenAI's SDKs speak at /v1/chat/completions.
type chatSurface struct{}

func (chatSurface) name() string { return "openai chat" }
func (chatSurface) auth() string { return "Authorization" }

// request implements surface.
func (chatSurface) request(s *scene, model string, stream bool, first *reply) (path, body string) {
	content := list{obj{"type": "text", "text": s.prompt()}}
	if s.ask.imageURL {
		content = append(content, obj{"type": "image_url", "image_url": obj{"url": imageURL}})
	}
	if s.ask.imageData {
		content = append(content, obj{"type": "image_url", "image_url": obj{"url": "data:image/png;base64," + imageData}})
	}
	messages := list{obj{"role": "system", "content": system}, obj{"role": "user", "content": content}}
	if first != nil {
		messages = append(messages, first.echo)
		var pictures list
		for _, r := range s.results {
			messages = append(messages, obj{"role": "tool", "tool_call_id": first.calls[r.call].id, "content": r.text})
			if r.image { // this API has no place for pictures in a result
				pictures = append(pictures, obj{"type": "image_url", "image_url": obj{"url": "data:image/png;base64," + imageData}})
			}
		}
		if pictures != nil {
			messages = append(messages, obj{"role": "user", "content": pictures})
		}
	}
	q := obj{"model": model, "messages": messages}
	if s.ask.think {
		q["reasoning_effort"], q["max_completion_tokens"] = "high", 8000
	} else {
		q["max_tokens"], q["temperature"] = 200, 0.5
	}
	if stream {
		q["stream"] = true
		if !strings.HasPrefix(model, "mistral") { // its own clients know that it refuses the member
			q["stream_options"] = obj{"include_usage": true}
		}
	}
	if s.ask.tools {
		var declared list
		for _, t := range tools {
			declared = append(declared, obj{"type": "function", "function": obj{"name": t.name, "description": t.about, "parameters": json.RawMessage(t.schema)}})
		}
		q["tools"], q["tool_choice"] = declared, "auto"
	}
	if s.ask.stop != "" {
		q["stop"] = s.ask.stop
	}
	if s.ask.schema {
		q["response_format"] = obj{"type": "json_schema", "json_schema": obj{"name": "trip", "strict": true, "schema": json.RawMessage(schema)}}
	}
	return "/v1/chat/completions", js(q)
}

// chatReply is a message or a delta of one.
type chatReply struct {
	Role             string            `json:"role"`
	Content          *string           `json:"content"`
	Refusal          string            `json:"refusal"`
	ReasoningContent string            `json:"reasoning_content"`
	ReasoningDetails []json.RawMessage `json:"reasoning_details"`
	ToolCalls        []struct {
		Index    *int   `json:"index"`
		ID       string `json:"id"`
		Type     string `json:"type"`
		Function struct {
			Name      string `json:"name"`
			Arguments string `json:"arguments"`
		} `json:"function"`
		ExtraContent json.RawMessage `json:"extra_content"`
	} `json:"tool_calls"`
}

type chatAnswer struct {
	ID, Object, Model string
	Choices           []struct {
		Index        int
		Message      *chatReply
		Delta        *chatReply
		FinishReason json.RawMessage `json:"finish_reason"`
	}
	Usage json.RawMessage
	Error json.RawMessage
}

// whole implements surface.
func (c chatSurface) whole(r *reply, doc []byte) {
	var a chatAnswer
	if !r.decode(doc, &a) || len(a.Choices) != 1 || a.Choices[0].Message == nil || a.Object != "chat.completion" {
		r.refuse("not a completion: %.200s", doc)
		return
	}
	m := a.Choices[0].Message
	if m.Role != "assistant" || a.ID == "" {
		r.refuse("role %q id %q", m.Role, a.ID)
	}
	r.model, r.usage = a.Model, numbers(a.Usage)
	var echo chatEcho
	for i := range m.ToolCalls {
		m.ToolCalls[i].Index = &i
	}
	c.add(r, &echo, m)
	r.decode(a.Choices[0].FinishReason, &r.reason)
	r.echo = echo.message(r)
	r.ended = true
}

// chatEcho gathers what a client sends back.
type chatEcho struct {
	details []json.RawMessage
	extra   map[int]json.RawMessage
}

func (e *chatEcho) message(r *reply) obj {
	m := obj{"role": "assistant", "content": r.text}
	if r.text == "" && len(r.calls) > 0 {
		m["content"] = nil
	}
	var calls list
	for i, c := range r.calls {
		t := obj{"id": c.id, "type": "function", "function": obj{"name": c.name, "arguments": c.args}}
		if extra := e.extra[i]; extra != nil {
			t["extra_content"] = extra
		}
		calls = append(calls, t)
	}
	if calls != nil {
		m["tool_calls"] = calls
	}
	if r.thought != "" {
		m["reasoning_content"] = r.thought
	}
	if e.details != nil {
		m["reasoning_details"] = e.details
	}
	return m
}

// add takes a message or delta.
func (chatSurface) add(r *reply, e *chatEcho, m *chatReply) {
	if m.Content != nil {
		r.text += *m.Content
	}
	r.refusal += m.Refusal
	r.thought += m.ReasoningContent
	e.details = append(e.details, m.ReasoningDetails...)
	for _, t := range m.ToolCalls {
		if t.Index == nil || *t.Index > len(r.calls) || *t.Index < len(r.calls)-1 {
			r.refuse("a call out of order")
			return
		}
		if *t.Index == len(r.calls) {
			if t.ID == "" || t.Type != "function" || t.Function.Name == "" {
				r.refuse("the first piece of a call without id, type or name")
			}
			r.calls = append(r.calls, call{t.ID, t.Function.Name, ""})
		} else if t.ID != "" && t.ID != r.calls[*t.Index].id {
			r.refuse("a call changes its id")
		}
		r.calls[*t.Index].args += t.Function.Arguments
		if t.ExtraContent != nil {
			if e.extra == nil {
				e.extra = map[int]json.RawMessage{}
			}
			e.extra[*t.Index] = t.ExtraContent
		}
	}
}

// stream implements surface.
func (c chatSurface) stream(r *reply, body []byte) {
	var echo chatEcho
	roles, id, finished := 0, "", false
	for _, e := range r.events(body, "\n") {
		if r.ended || r.broke || e.name != "" {
			r.refuse("%v behind the end, or with a name", e)
			return
		}
		if e.data == "[DONE]" {
			r.ended = true
			continue
		}
		var a chatAnswer
		if !r.decode([]byte(e.data), &a) {
			return
		}
		if a.Error != nil {
			r.fault, _, _ = c.fault([]byte(e.data))
			r.broke = true
			continue
		}
		if a.Object != "chat.completion.chunk" || id != "" && a.ID != id || a.Choices == nil {
			r.refuse("chunk %.200s", e.data)
		}
		id, r.model = a.ID, a.Model
		if n := numbers(a.Usage); len(n) > 0 {
			r.usage = n
		}
		if len(a.Choices) == 0 {
			if !finished {
				r.refuse("usage before the finish reason")
			}
			continue
		}
		choice := a.Choices[0]
		if choice.Delta == nil || choice.FinishReason == nil || finished {
			r.refuse("chunk without delta or finish_reason, or behind it: %.200s", e.data)
			return
		}
		if choice.Delta.Role != "" {
			roles++
		}
		c.add(r, &echo, choice.Delta)
		if string(choice.FinishReason) != "null" {
			finished = r.decode(choice.FinishReason, &r.reason)
		}
	}
	if roles != 1 {
		r.refuse("the role came %d times", roles)
	}
	if r.ended && !finished {
		r.refuse("[DONE] without a finish reason")
	}
	r.echo = echo.message(r)
}

// fault implements surface.
func (chatSurface) fault(doc []byte) (code, field string, ok bool) {
	var e struct {
		Error struct{ Message, Type, Code, Param string }
	}
	err := json.Unmarshal(doc, &e)
	if field = e.Error.Param; field != "" { // messages[0].role
		field = "/" + strings.NewReplacer("[", "/", "]", "", ".", "/").Replace(field)
	}
	return e.Error.Code, field, err == nil && e.Error.Message != "" && e.Error.Type != ""
}

// shows implements surface.
func (chatSurface) shows(s said) said { s.sequence = ""; return s }

// reason implements surface: a refusal in words is an ordinary end.
func (chatSurface) reason(s said) string {
	switch s.stop {
	case stopCalls:
		return "tool_calls"
	case stopLength:
		return "length"
	case stopFilter:
		return "content_filter"
	case stopRefusal:
		if s.refusal == "" {
			return "content_filter"
		}
	}
	return "stop"
}

// usage implements surface: cached tokens and thoughts are subsets.
func (chatSurface) usage(u sluice.Usage) map[string]int64 {
	in := u.Input + u.CachedInput + u.CacheWrite5m + u.CacheWrite1h
	return map[string]int64{
		"prompt_tokens": in, "completion_tokens": u.Output + u.Reasoning, "total_tokens": in + u.Output + u.Reasoning,
		"prompt_tokens_details.cached_tokens": u.CachedInput, "completion_tokens_details.reasoning_tokens": u.Reasoning,
	}
}
