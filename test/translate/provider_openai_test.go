package translate_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"strings"
)

// chatAPI is OpenAI's chat completions, and what presets make of it.
type chatAPI struct {
	// deepseek reads text only and thinks aloud; mistral refuses what it does
	// not know, and ids of another shape than its own.
	deepseek, mistral bool
	// rules are those of another preset; nil for OpenAI itself and the two above.
	rules *presetRules
}

// worded tells that a schema is told in words, plain that a refusal is, replays
// that thoughts come back.
func (p chatAPI) worded() bool  { return p.deepseek || p.rules != nil && !p.rules.schemas }
func (p chatAPI) plain() bool   { return p.deepseek || p.mistral || p.rules != nil }
func (p chatAPI) replays() bool { return p.deepseek || p.rules != nil && p.rules.replays }

type chatMessage struct {
	Role             string          `json:"role"`
	Content          json.RawMessage `json:"content"`
	ToolCalls        []chatCall      `json:"tool_calls"`
	ToolCallID       string          `json:"tool_call_id"`
	ReasoningContent string          `json:"reasoning_content"`
	// ReasoningDetails and Refusal come from clients of this surface alone.
	ReasoningDetails json.RawMessage `json:"reasoning_details"`
	Refusal          json.RawMessage `json:"refusal"`
}

type chatCall struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

type chatRequest struct {
	Model         string        `json:"model"`
	Messages      []chatMessage `json:"messages"`
	Stream        bool          `json:"stream"`
	StreamOptions *struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	MaxTokens           *int            `json:"max_tokens"`
	MaxCompletionTokens *int            `json:"max_completion_tokens"`
	Temperature         *float64        `json:"temperature"`
	TopP                *float64        `json:"top_p"`
	Stop                json.RawMessage `json:"stop"`
	Tools               []chatTool      `json:"tools"`
	ToolChoice          json.RawMessage `json:"tool_choice"`
	ParallelToolCalls   *bool           `json:"parallel_tool_calls"`
	ReasoningEffort     string          `json:"reasoning_effort"`
	ResponseFormat      *struct {
		Type       string `json:"type"`
		JSONSchema *struct {
			Name   string          `json:"name"`
			Schema json.RawMessage `json:"schema"`
			Strict *bool           `json:"strict"`
		} `json:"json_schema"`
	} `json:"response_format"`
	Thinking *struct {
		Type string `json:"type"`
	} `json:"thinking"`
	User string `json:"user"`
	// EnableThinking and ThinkingBudget are Qwen's.
	EnableThinking *bool `json:"enable_thinking"`
	ThinkingBudget *int  `json:"thinking_budget"`
	// Reasoning is OpenRouter's, ReasoningSplit MiniMax's, Template that of
	// engines.
	Reasoning *struct {
		Effort    string `json:"effort"`
		MaxTokens int    `json:"max_tokens"`
		Enabled   *bool  `json:"enabled"`
		Exclude   bool   `json:"exclude"`
	} `json:"reasoning"`
	ReasoningSplit bool `json:"reasoning_split"`
	Template       *struct {
		EnableThinking bool `json:"enable_thinking"`
		Thinking       bool `json:"thinking"`
	} `json:"chat_template_kwargs"`
}

type chatTool struct {
	Type     string `json:"type"`
	Function struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Parameters  json.RawMessage `json:"parameters"`
		Strict      *bool           `json:"strict"`
	} `json:"function"`
}

func (chatAPI) credential() string { return "Authorization" }

// hear implements protocol.
func (p chatAPI) hear(h *heard, r *http.Request, body []byte) {
	var q chatRequest
	if r.Method != "POST" || r.URL.Path != "/v1/chat/completions" || r.URL.RawQuery != "" {
		h.refuse("%s %s", r.Method, r.URL)
	}
	if !h.strictly(body, &q) {
		return
	}
	h.model, h.stream = q.Model, q.Stream
	p.hearSettings(h, &q)
	for _, t := range q.Tools {
		if t.Type != "function" || t.Function.Name == "" {
			h.refuse("tool %v", t)
		}
		h.tools = append(h.tools, t.Function.Name)
	}
	if len(q.Messages) == 0 {
		h.refuse("messages is empty")
	}
	open := map[string]bool{}
	for i := range q.Messages {
		if p.rules != nil && p.rules.leading && i > 0 && q.Messages[i].Role == "system" {
			h.refuse("instructions stand at the beginning")
		}
		p.hearMessage(h, &q.Messages[i], open)
	}
	h.paired()
}

func (p chatAPI) hearSettings(h *heard, q *chatRequest) {
	most := 4
	if p.rules != nil {
		p.rules.hear(h, q)
		most = p.rules.stops
	} else {
		p.hearOwn(h, q)
	}
	hearStops(h, q.Stop, most)
	if f := q.ResponseFormat; f != nil {
		switch {
		case f.Type == "json_schema" && f.JSONSchema != nil && f.JSONSchema.Name != "" && !p.worded():
			h.schema = string(f.JSONSchema.Schema)
		case f.Type == "json_object" && (p.rules == nil || !p.rules.wordy):
		default:
			h.refuse("response_format %v", *f)
		}
	}
}

// hearOwn checks what OpenAI, DeepSeek and Mistral disagree on.
func (p chatAPI) hearOwn(h *heard, q *chatRequest) {
	if q.EnableThinking != nil || q.ThinkingBudget != nil {
		h.refuse("Unknown parameter: enable_thinking")
	}
	if q.StreamOptions != nil && (!q.Stream || p.mistral) {
		h.refuse("stream_options")
	}
	if q.Stream && !p.mistral && (q.StreamOptions == nil || !q.StreamOptions.IncludeUsage) {
		h.refuse("nobody asked for usage, so that there would be none")
	}
	thinker := strings.HasPrefix(q.Model, "gpt-5")
	switch {
	case p.deepseek && (q.MaxCompletionTokens != nil || q.ReasoningEffort != ""), p.mistral && (q.MaxCompletionTokens != nil || q.ReasoningEffort != "" || q.Thinking != nil):
		h.refuse("a member that this provider does not know")
	case !p.deepseek && q.Thinking != nil:
		h.refuse("Unknown parameter: thinking")
	case thinker && (q.MaxTokens != nil || q.Temperature != nil && *q.Temperature != 1):
		h.refuse("Unsupported parameter for this model")
	case !thinker && q.ReasoningEffort != "":
		h.refuse("Unrecognized request argument: reasoning_effort")
	}
	if q.Temperature != nil && (*q.Temperature < 0 || *q.Temperature > 2 || p.mistral && *q.Temperature > 1.5) {
		h.refuse("temperature %v", *q.Temperature)
	}
	h.thinks = thinker || p.deepseek && q.Thinking != nil && q.Thinking.Type == "enabled"
	h.shows = p.deepseek && h.thinks
}

var mistralID = regexp.MustCompile(`^[A-Za-z0-9]{9}$`)

func (p chatAPI) hearMessage(h *heard, m *chatMessage, open map[string]bool) {
	if m.Role != "tool" && len(open) > 0 {
		h.refuse("an assistant message with tool_calls must be followed by tool messages")
	}
	detailed := p.rules != nil && p.rules.details()
	if p.rules != nil && !detailed && m.ReasoningDetails != nil || detailed && m.ReasoningContent != "" || p.mistral && (m.ReasoningContent != "" || m.ReasoningDetails != nil || m.Refusal != nil) || !p.replays() && m.ReasoningContent != "" {
		h.refuse("thoughts in a message")
	}
	text, images := p.hearContent(h, m.Content)
	switch m.Role {
	case "system", "developer":
		if p.mistral && m.Role == "developer" {
			h.refuse("role developer")
		}
		if p.worded() {
			text, h.schema, _ = strings.Cut(text, "\n\nAnswer with one JSON object that follows this JSON Schema, and nothing else: ")
		}
		h.system += text
	case "user":
		h.prompts = append(h.prompts, text)
		h.images += images
	case "assistant":
		if len(m.ToolCalls) == 0 && text == "" {
			h.refuse("an empty assistant message")
		}
		h.thought += m.ReasoningContent
		if detailed {
			h.thought += p.hearDetails(h, m.ReasoningDetails)
		}
		for _, c := range m.ToolCalls {
			if p.deepseek && c.Function.Arguments == "" {
				c.Function.Arguments = "{}" // as it says itself
			}
			if c.ID == "" || c.Type != "function" || !json.Valid([]byte(c.Function.Arguments)) || p.mistral && !mistralID.MatchString(c.ID) {
				h.refuse("call %v", c)
			}
			open[c.ID] = true
			h.calls = append(h.calls, call{c.ID, c.Function.Name, c.Function.Arguments})
		}
	case "tool":
		if images > 0 {
			h.refuse("an image in a tool message")
		}
		delete(open, m.ToolCallID)
		h.results = append(h.results, heardResult{id: m.ToolCallID, text: text})
	default:
		h.refuse("role %q", m.Role)
	}
}

// hearDetails reads thoughts that come back in reasoning_details.
func (chatAPI) hearDetails(h *heard, raw json.RawMessage) (thought string) {
	var details []struct {
		Type      string `json:"type"`
		Text      string `json:"text"`
		Signature string `json:"signature"`
		Format    string `json:"format"`
		Index     *int   `json:"index"`
	}
	if len(raw) == 0 || !h.strictly(raw, &details) {
		return ""
	}
	for i, d := range details {
		if d.Type != "reasoning.text" || d.Signature != "" {
			h.refuse("a detail of type %q, or signed by others", d.Type)
		}
		if d.Index != nil && *d.Index != i || d.Format != "" && d.Format != "unknown" { // both may be left out
			h.refuse("detail %d has another index, or the format %q", i, d.Format)
		}
		thought += d.Text
	}
	return thought
}

// thought tells a piece of thought in the provider's member.
func (p chatAPI) thought(piece string) obj {
	switch {
	case p.rules != nil && p.rules.details():
		return obj{"reasoning_details": list{obj{"type": "reasoning.text", "text": piece, "index": 0, "format": "unknown"}}}
	case p.rules != nil && p.rules.tellsIn != "":
		return obj{p.rules.tellsIn: piece}
	}
	return obj{"reasoning_content": piece}
}

// reason is the provider's word for why an answer ended.
func (p chatAPI) reason(stop string) string {
	if p.rules != nil && p.rules.words[stop] != "" {
		return p.rules.words[stop]
	}
	return chatReasons[stop]
}

func (p chatAPI) hearContent(h *heard, raw json.RawMessage) (text string, images int) {
	if len(raw) == 0 || string(raw) == "null" || json.Unmarshal(raw, &text) == nil {
		return text, 0
	}
	var parts []struct {
		Type     string `json:"type"`
		Text     string `json:"text"`
		ImageURL *struct {
			URL    string `json:"url"`
			Detail string `json:"detail"`
		} `json:"image_url"`
	}
	if !h.strictly(raw, &parts) {
		return "", 0
	}
	for _, part := range parts {
		switch {
		case part.Type == "text" && part.Text != "":
			text += part.Text
		case part.Type == "image_url" && part.ImageURL != nil && !p.deepseek && (p.rules == nil || !p.rules.blind):
			images++
			if u := part.ImageURL.URL; u != imageURL && u != "data:image/png;base64,"+imageData {
				h.refuse("image %.60s", u)
			} else if p.rules != nil && p.rules.inline && u == imageURL {
				h.refuse("nothing is fetched here")
			}
		default:
			h.refuse("content part of type %q", part.Type)
		}
	}
	return text, images
}

// tells implements protocol: caches are not written at a price, and nobody says
// which stop sequence was met.
func (p chatAPI) tells(h *heard, s said) said {
	s.usage.Input += s.usage.CacheWrite5m + s.usage.CacheWrite1h
	s.usage.CacheWrite5m, s.usage.CacheWrite1h = 0, 0
	if p.mistral { // which says nothing of caches
		s.usage.Input, s.usage.CachedInput = s.usage.Input+s.usage.CachedInput, 0
	}
	s.signature, s.sequence = "", ""
	if s.stop == stopSequence {
		s.stop = stopEnd
	}
	if !h.shows {
		s.thought = ""
	}
	if !h.thinks {
		s.usage.Output += s.usage.Reasoning
		s.usage.Reasoning = 0
	}
	if s.refusal != "" && p.plain() {
		s.text, s.refusal, s.stop = s.refusal, "", stopEnd
	}
	if s.stop == stopFilter && p.mistral {
		s.stop = stopEnd
	}
	s.calls = append([]call(nil), s.calls...)
	for i := range s.calls {
		s.calls[i].id = "call_" + string(rune('a'+i)) + "1"
		if p.mistral {
			s.calls[i].id = "Id" + strings.Repeat(string(rune('a'+i)), 7)
		}
	}
	if p.rules != nil {
		p.rules.tells(&s)
	}
	return s
}

var chatReasons = map[string]string{stopEnd: "stop", stopCalls: "tool_calls", stopLength: "length", stopFilter: "content_filter", stopRefusal: "stop", "": ""}

func (p chatAPI) usage(s said) obj {
	if p.rules != nil {
		return p.rules.usage(s)
	}
	u := s.usage
	usage := obj{"prompt_tokens": u.Input + u.CachedInput, "completion_tokens": u.Output + u.Reasoning, "total_tokens": u.Total()}
	if p.mistral {
		return usage
	}
	usage["prompt_tokens_details"] = obj{"cached_tokens": u.CachedInput}
	usage["completion_tokens_details"] = obj{"reasoning_tokens": u.Reasoning}
	if p.deepseek {
		usage["prompt_cache_hit_tokens"], usage["prompt_cache_miss_tokens"] = u.CachedInput, u.Input
	}
	return usage
}

func chatCalls(s said) list {
	var calls list
	for _, c := range s.calls {
		calls = append(calls, obj{"id": c.id, "type": "function", "function": obj{"name": c.name, "arguments": c.args}})
	}
	return calls
}

// whole implements protocol.
func (p chatAPI) whole(s said) string {
	m := obj{"role": "assistant", "content": s.text, "refusal": nil}
	if s.refusal != "" {
		m["content"], m["refusal"] = nil, s.refusal
	}
	if s.thought != "" {
		maps.Copy(m, p.thought(s.thought))
	}
	if calls := chatCalls(s); calls != nil {
		m["tool_calls"] = calls
		if s.text == "" {
			m["content"] = nil
		}
	}
	return js(obj{"id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000, "model": "their-model", "choices": list{
		obj{"index": 0, "message": m, "logprobs": nil, "finish_reason": p.reason(s.stop)},
	}, "usage": p.usage(s)})
}

// frames implements protocol.
func (p chatAPI) frames(s said) (events []string, content int) {
	chunk := func(delta obj, reason any, more obj) {
		c := obj{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "their-model",
			"choices": list{obj{"index": 0, "delta": delta, "logprobs": nil, "finish_reason": reason}}}
		for k, v := range more {
			c[k] = v
		}
		events = append(events, "data: "+js(c)+"\n\n")
	}
	events = append(events, ": OPENROUTER-LIKE KEEP-ALIVE\n\n")
	chunk(obj{"role": "assistant", "content": ""}, nil, nil)
	content = len(events)
	for _, piece := range pieces(s.thought) {
		chunk(p.thought(piece), nil, nil)
	}
	for _, piece := range pieces(s.refusal) {
		chunk(obj{"refusal": piece}, nil, nil)
	}
	for _, piece := range pieces(s.text) {
		chunk(obj{"content": piece}, nil, nil)
	}
	for i, c := range s.calls {
		args := c.args
		if args == "{}" && p.deepseek {
			args = "" // many say so of tools that take nothing
		}
		chunk(obj{"tool_calls": list{obj{"index": i, "id": c.id, "type": "function", "function": obj{"name": c.name, "arguments": ""}}}}, nil, nil)
		for _, piece := range pieces(args) {
			chunk(obj{"tool_calls": list{obj{"index": i, "function": obj{"arguments": piece}}}}, nil, nil)
		}
	}
	if p.deepseek || p.mistral || p.rules != nil && p.rules.ends {
		chunk(obj{"content": ""}, p.reason(s.stop), obj{"usage": p.usage(s)})
	} else {
		end := obj{"index": 0, "delta": obj{}, "logprobs": nil, "finish_reason": p.reason(s.stop)}
		if p.rules != nil && p.rules.within {
			end["usage"] = p.usage(s)
		}
		chunk(nil, nil, obj{"choices": list{end}})
		events = append(events, "data: "+js(obj{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "their-model", "choices": list{}, "usage": p.usage(s)})+"\n\n")
	}
	return append(events, "data: [DONE]\n\n"), content
}

// failure implements protocol.
func (chatAPI) failure(message string, event bool) string {
	doc := js(obj{"error": obj{"message": message, "type": "server_error", "param": nil, "code": nil}})
	if event {
		return "data: " + doc + "\n\n"
	}
	return doc
}
