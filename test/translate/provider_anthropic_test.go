package translate_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// messagesAPI is Anthropic's Messages API.
type messagesAPI struct{}

type messagesRequest struct {
	Model     string          `json:"model"`
	MaxTokens *int            `json:"max_tokens"`
	System    json.RawMessage `json:"system"`
	Messages  []struct {
		Role    string          `json:"role"`
		Content json.RawMessage `json:"content"`
	} `json:"messages"`
	Stream        bool            `json:"stream"`
	Temperature   *float64        `json:"temperature"`
	TopP          *float64        `json:"top_p"`
	TopK          *int            `json:"top_k"`
	StopSequences []string        `json:"stop_sequences"`
	ToolChoice    json.RawMessage `json:"tool_choice"`
	Tools         []struct {
		Name         string          `json:"name"`
		Description  string          `json:"description"`
		InputSchema  json.RawMessage `json:"input_schema"`
		Strict       *bool           `json:"strict"`
		CacheControl json.RawMessage `json:"cache_control"`
	} `json:"tools"`
	Thinking *struct {
		Type         string `json:"type"`
		BudgetTokens int    `json:"budget_tokens"`
	} `json:"thinking"`
	OutputConfig *struct {
		Format *struct {
			Type   string          `json:"type"`
			Schema json.RawMessage `json:"schema"`
		} `json:"format"`
	} `json:"output_config"`
	Metadata json.RawMessage `json:"metadata"`
}

type messagesBlock struct {
	Type      string          `json:"type"`
	Text      string          `json:"text"`
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Input     json.RawMessage `json:"input"`
	ToolUseID string          `json:"tool_use_id"`
	Content   json.RawMessage `json:"content"`
	IsError   bool            `json:"is_error"`
	Thinking  *string         `json:"thinking"`
	Signature string          `json:"signature"`
	Source    *struct {
		Type      string `json:"type"`
		URL       string `json:"url"`
		MediaType string `json:"media_type"`
		Data      string `json:"data"`
	} `json:"source"`
	CacheControl json.RawMessage `json:"cache_control"`
	Citations    json.RawMessage `json:"citations"`
}

func (messagesAPI) credential() string { return "X-Api-Key" }

// hear implements protocol.
func (p messagesAPI) hear(h *heard, r *http.Request, body []byte) {
	var q messagesRequest
	if r.Method != "POST" || r.URL.Path != "/v1/messages" || r.URL.RawQuery != "" || r.Header.Get("Anthropic-Version") != "2023-06-01" {
		h.refuse("%s %s version %q", r.Method, r.URL, r.Header.Get("Anthropic-Version"))
	}
	if !h.strictly(body, &q) {
		return
	}
	h.model, h.stream, h.stops = q.Model, q.Stream, q.StopSequences
	if q.MaxTokens == nil || *q.MaxTokens < 1 {
		h.refuse("max_tokens: Field required")
		return
	}
	if h.thinks = q.Thinking != nil && q.Thinking.Type == "enabled"; h.thinks {
		if q.Thinking.BudgetTokens < 1024 || q.Thinking.BudgetTokens >= *q.MaxTokens || q.Temperature != nil && *q.Temperature != 1 {
			h.refuse("thinking with budget %d of %d", q.Thinking.BudgetTokens, *q.MaxTokens)
		}
	}
	h.shows = h.thinks
	if q.Temperature != nil && (*q.Temperature < 0 || *q.Temperature > 1 || q.TopP != nil) {
		h.refuse("temperature %v", *q.Temperature)
	}
	if f := q.OutputConfig; f != nil && f.Format != nil {
		h.schema = string(f.Format.Schema)
	}
	for _, t := range q.Tools {
		if !toolName.MatchString(t.Name) || !strings.Contains(string(t.InputSchema), `"object"`) {
			h.refuse("tool %q with %s", t.Name, t.InputSchema)
		}
		h.tools = append(h.tools, t.Name)
	}
	if json.Unmarshal(q.System, &h.system) != nil && len(q.System) > 0 {
		for _, b := range p.blocks(h, q.System) {
			h.system += b.Text
		}
	}
	p.hearTurns(h, &q)
}

var (
	toolName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)
	toolID   = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)
)

// blocks reads content; a text is one block.
func (messagesAPI) blocks(h *heard, raw json.RawMessage) (blocks []messagesBlock) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return []messagesBlock{{Type: "text", Text: text}}
	}
	h.strictly(raw, &blocks)
	return blocks
}

func (p messagesAPI) hearTurns(h *heard, q *messagesRequest) {
	if len(q.Messages) == 0 || q.Messages[0].Role != "user" {
		h.refuse("messages: the first must be of the user")
	}
	var open []string
	for _, m := range q.Messages {
		blocks := p.blocks(h, m.Content)
		if len(blocks) == 0 || m.Role != "user" && m.Role != "assistant" {
			h.refuse("messages: %s with %s", m.Role, m.Content)
		}
		waiting := open
		open = nil
		for i := range blocks {
			b := &blocks[i]
			if b.Type == "tool_result" {
				at := slices.Index(waiting, b.ToolUseID)
				if at < 0 || i > 0 && blocks[i-1].Type != "tool_result" {
					h.refuse("tool_result %q is not at the start of the turn behind its tool_use", b.ToolUseID)
					continue
				}
				waiting = slices.Delete(slices.Clone(waiting), at, at+1)
			}
			if b.Type == "tool_use" {
				open = append(open, b.ID)
			}
			p.hearBlock(h, m.Role, i, b)
		}
		if len(waiting) > 0 {
			h.refuse("tool_use ids were found without tool_result blocks: %v", waiting)
		}
		if h.thinks && m.Role == "assistant" && len(open) > 0 && blocks[0].Type != "thinking" {
			h.refuse("a final assistant message must start with a thinking block")
		}
	}
	if len(open) > 0 {
		h.refuse("tool_use without results")
	}
}

func (p messagesAPI) hearBlock(h *heard, role string, at int, b *messagesBlock) {
	user := role == "user"
	switch {
	case b.Type == "text":
		if strings.TrimSpace(b.Text) == "" {
			h.refuse("text content blocks must be non-empty")
		}
		if user {
			h.prompts = append(h.prompts, b.Text)
		}
	case b.Type == "image" && user:
		h.images += p.hearImage(h, b)
	case b.Type == "tool_use" && !user:
		if !toolID.MatchString(b.ID) || !strings.HasPrefix(string(b.Input), "{") {
			h.refuse("tool_use %v", *b)
		}
		h.calls = append(h.calls, call{b.ID, b.Name, string(b.Input)})
	case b.Type == "tool_result" && user:
		r := heardResult{id: b.ToolUseID}
		for _, inner := range p.blocks(h, b.Content) {
			switch inner.Type {
			case "text":
				r.text += inner.Text
			case "image":
				r.images += p.hearImage(h, &inner)
			default:
				h.refuse("%s in a tool_result", inner.Type)
			}
		}
		h.results = append(h.results, r)
	case b.Type == "thinking" && !user:
		if b.Thinking == nil || !slices.ContainsFunc(scenes, func(s scene) bool {
			return b.Signature != "" && s.says.signature == b.Signature && s.says.thought == *b.Thinking
		}) {
			h.refuse("Invalid signature in thinking block")
			return
		}
		h.signature, h.thought = h.signature+b.Signature, h.thought+*b.Thinking
	default:
		h.refuse("block %q in a turn of %s", b.Type, role)
	}
}

func (messagesAPI) hearImage(h *heard, b *messagesBlock) int {
	s := b.Source
	if s == nil || !(s.Type == "url" && s.URL == imageURL || s.Type == "base64" && s.Data == imageData && s.MediaType == "image/png") {
		h.refuse("image %v", s)
	}
	return 1
}

// tells implements protocol.
func (messagesAPI) tells(h *heard, s said) said {
	if !h.thinks {
		s.thought, s.signature = "", ""
		s.usage.Output += s.usage.Reasoning
		s.usage.Reasoning = 0
	}
	s.refusal = "" // told as the reason alone
	if s.stop == stopFilter {
		s.stop = stopRefusal
	}
	s.calls = append([]call(nil), s.calls...)
	for i := range s.calls {
		s.calls[i].id = "toolu_" + string(rune('a'+i)) + "3"
	}
	return s
}

var messagesReasons = map[string]string{stopEnd: "end_turn", stopCalls: "tool_use", stopLength: "max_tokens", stopRefusal: "refusal", stopSequence: "stop_sequence", "": ""}

func (messagesAPI) usage(s said) obj {
	u := s.usage
	return obj{"input_tokens": u.Input, "cache_read_input_tokens": u.CachedInput, "cache_creation_input_tokens": u.CacheWrite5m + u.CacheWrite1h,
		"cache_creation": obj{"ephemeral_5m_input_tokens": u.CacheWrite5m, "ephemeral_1h_input_tokens": u.CacheWrite1h},
		"output_tokens":  u.Output + u.Reasoning, "output_tokens_details": obj{"thinking_tokens": u.Reasoning}, "service_tier": "standard"}
}

func (p messagesAPI) message(s said, done bool) obj {
	m := obj{"id": "msg_1", "type": "message", "role": "assistant", "model": "their-model", "content": list{}, "stop_reason": nil, "stop_sequence": nil, "usage": p.usage(s)}
	if !done {
		m["usage"].(obj)["output_tokens"] = 1
		return m
	}
	content := list{}
	if s.thought != "" {
		content = append(content, obj{"type": "thinking", "thinking": s.thought, "signature": s.signature})
	}
	if s.text != "" {
		content = append(content, obj{"type": "text", "text": s.text})
	}
	for _, c := range s.calls {
		content = append(content, obj{"type": "tool_use", "id": c.id, "name": c.name, "input": json.RawMessage(c.args)})
	}
	m["content"], m["stop_reason"] = content, messagesReasons[s.stop]
	if s.sequence != "" {
		m["stop_sequence"] = s.sequence
	}
	return m
}

// whole implements protocol.
func (p messagesAPI) whole(s said) string { return js(p.message(s, true)) }

// frames implements protocol.
func (p messagesAPI) frames(s said) (events []string, content int) {
	event := func(kind string, members obj) {
		members["type"] = kind
		events = append(events, "event: "+kind+"\ndata: "+js(members)+"\n\n")
	}
	at := 0
	block := func(start obj, deltas ...obj) {
		event("content_block_start", obj{"index": at, "content_block": start})
		for _, d := range deltas {
			event("content_block_delta", obj{"index": at, "delta": d})
		}
		event("content_block_stop", obj{"index": at})
		at++
	}
	deltas := func(kind, member, text string) (list []obj) {
		for _, piece := range pieces(text) {
			list = append(list, obj{"type": kind, member: piece})
		}
		return list
	}
	event("message_start", obj{"message": p.message(s, false)})
	event("ping", obj{})
	content = len(events)
	if s.thought != "" {
		block(obj{"type": "thinking", "thinking": "", "signature": ""}, append(deltas("thinking_delta", "thinking", s.thought), obj{"type": "signature_delta", "signature": s.signature})...)
	}
	if s.text != "" {
		block(obj{"type": "text", "text": ""}, deltas("text_delta", "text", s.text)...)
	}
	for _, c := range s.calls {
		args := c.args
		if args == "{}" {
			args = ""
		}
		block(obj{"type": "tool_use", "id": c.id, "name": c.name, "input": obj{}}, append([]obj{{"type": "input_json_delta", "partial_json": ""}}, deltas("input_json_delta", "partial_json", args)...)...)
	}
	m := p.message(s, true)
	event("message_delta", obj{"delta": obj{"stop_reason": m["stop_reason"], "stop_sequence": m["stop_sequence"]}, "usage": p.usage(s)})
	event("message_stop", obj{})
	return events, content
}

// failure implements protocol.
func (messagesAPI) failure(message string, event bool) string {
	doc := js(obj{"type": "error", "error": obj{"type": "overloaded_error", "message": message}})
	if event {
		return "event: error\ndata: " + doc + "\n\n"
	}
	return doc
}
