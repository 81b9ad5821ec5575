package sdk_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const anthropicKey = "sk-ant-scripted"

// newAnthropic starts a provider that speaks the Messages API.
func newAnthropic(t *testing.T) *upstream {
	t.Helper()
	return newUpstream(t, "X-Api-Key", anthropicKey, anthropicFault, map[string]respond{
		"POST /v1/messages":              messages,
		"POST /v1/messages/count_tokens": messagesCount,
	})
}

func anthropicFault(err error) any {
	return object{"type": "error", "error": object{"type": "invalid_request_error", "message": err.Error()}, "request_id": "req_scripted"}
}

func anthropicFailure(status int) answer {
	kind := map[int]string{400: "invalid_request_error", 429: "rate_limit_error", 529: "overloaded_error"}[status]
	if kind == "" {
		kind = "api_error"
	}
	return answer{status: status, body: object{"type": "error", "error": object{"type": kind, "message": "scripted failure"}, "request_id": "req_scripted"}}
}

// messagesRequest is POST /v1/messages; what is not here Anthropic refuses.
type messagesRequest struct {
	Model         string
	MaxTokens     *int `json:"max_tokens"`
	Messages      []messagesTurn
	System        json.RawMessage
	Stream        bool
	StopSequences []string    `json:"stop_sequences"`
	Temperature   json.Number `json:"temperature"`
	TopP          json.Number `json:"top_p"`
	TopK          *int        `json:"top_k"`
	Metadata      *struct {
		UserID string `json:"user_id"`
	}
	ServiceTier string `json:"service_tier"`
	Tools       []struct {
		Type, Name, Description string
		InputSchema             map[string]any `json:"input_schema"`
		CacheControl            any            `json:"cache_control"`
		Strict                  *bool
		Eager                   *bool `json:"eager_input_streaming"`
		Deferred                *bool `json:"defer_loading"`
	}
	ToolChoice *struct {
		Type, Name string
		Single     *bool `json:"disable_parallel_tool_use"`
	} `json:"tool_choice"`
	Thinking *struct {
		Type, Display string
		Budget        int `json:"budget_tokens"`
	}
	OutputConfig *struct {
		Effort string
		Format *struct {
			Type   string
			Schema json.RawMessage
		}
	} `json:"output_config"`
	CacheControl      any `json:"cache_control"`
	ContextManagement any `json:"context_management"`
}

// messagesTurn is a message. Behind the first, with the betas of coding agents,
// it may be the system's, and name the effort from there on.
type messagesTurn struct {
	Role         string
	Content      json.RawMessage
	OutputConfig any `json:"output_config"`
}

// messagesBlock is a block of a request.
type messagesBlock struct {
	Type, Text, Thinking, Signature, Data, ID, Name string
	Input                                           map[string]any
	ToolUseID                                       string `json:"tool_use_id"`
	IsError                                         bool   `json:"is_error"`
	Content                                         json.RawMessage
	CacheControl                                    any `json:"cache_control"`
	Citations, Caller                               any
	Source                                          *struct {
		Type, URL, Data string
		MediaType       string `json:"media_type"`
	}
}

// messages answers POST /v1/messages.
func messages(r *http.Request, body []byte) (answer, error) {
	in, h, err := readMessages(r, body)
	if err != nil {
		return answer{}, err
	}
	if in.MaxTokens == nil || *in.MaxTokens < 1 {
		return answer{}, errors.New("max_tokens: Field required")
	}
	if in.Thinking != nil && in.Thinking.Type == "enabled" && (in.Thinking.Budget < 1024 || in.Thinking.Budget >= *in.MaxTokens) {
		return answer{}, fmt.Errorf("budget_tokens %d does not fit max_tokens %d", in.Thinking.Budget, *in.MaxTokens)
	}
	actions, err := h.actions()
	if err != nil {
		return answer{}, err
	}
	if s := status(actions); s != 0 {
		return anthropicFailure(s), nil
	}
	blocks := in.blocks(h.step, actions)
	if in.Stream {
		return messagesStream(in, blocks, actions), nil
	}
	return answer{body: messagesObject(in, blocks, messagesEnd(actions), messagesUsage(actions))}, nil
}

// messagesCount answers POST /v1/messages/count_tokens.
func messagesCount(r *http.Request, body []byte) (answer, error) {
	in, _, err := readMessages(r, body)
	if err == nil && (in.MaxTokens != nil || in.Stream || in.Temperature != "") {
		err = errors.New("counting takes nothing that only an answer needs")
	}
	return answer{body: object{"input_tokens": tokensCounted}}, err
}

// readMessages holds a request to the rules and reads the conversation.
func readMessages(r *http.Request, body []byte) (in messagesRequest, h *heard, err error) {
	if r.Header.Get("Anthropic-Version") == "" {
		return in, nil, errors.New("anthropic-version: header is required")
	}
	if err := strictly(body, &in); err != nil {
		return in, nil, err
	}
	h = &heard{}
	if in.Model != "claude-sonnet-4-5" {
		return in, nil, fmt.Errorf("model: %q", in.Model)
	}
	for _, tool := range in.Tools {
		if tool.Name == "" || tool.InputSchema["type"] != "object" {
			return in, nil, fmt.Errorf("a tool that cannot be: %+v", tool)
		}
		h.tools = append(h.tools, tool.Name)
	}
	if in.Thinking != nil && in.Temperature != "" && in.Temperature != "1" {
		return in, nil, errors.New("temperature may only be set to 1 when thinking is enabled")
	}
	if in.OutputConfig != nil && in.OutputConfig.Format != nil {
		if err := h.wants(in.OutputConfig.Format.Schema); err != nil {
			return in, nil, err
		}
	}
	if len(in.System) > 0 {
		blocks, err := readBlocks(in.System)
		if err != nil {
			return in, nil, fmt.Errorf("system: %w", err)
		}
		for _, b := range blocks {
			h.system += b.Text
		}
	}
	return in, h, in.hearTurns(h)
}

// readBlocks reads a content: a text, or blocks.
func readBlocks(content json.RawMessage) ([]messagesBlock, error) {
	var text string
	if json.Unmarshal(content, &text) == nil {
		return []messagesBlock{{Type: "text", Text: text}}, nil
	}
	var blocks []messagesBlock
	return blocks, strictly(content, &blocks)
}

// hearTurns reads the turns: results stand first in the turn behind their calls,
// and the thoughts before the calls of an open round come back signed.
func (in *messagesRequest) hearTurns(h *heard) error {
	var open []string
	for i, turn := range in.Messages {
		blocks, err := readBlocks(turn.Content)
		if err != nil {
			return fmt.Errorf("messages.%d: %w", i, err)
		}
		switch {
		case len(blocks) == 0:
			return fmt.Errorf("messages.%d is empty", i)
		case i == 0 && turn.Role != "user":
			return errors.New("the first message must be the user's")
		case i > 0 && turn.Role == in.Messages[i-1].Role:
			return fmt.Errorf("messages.%d: roles must alternate", i)
		}
		if turn.Role == "system" {
			for _, b := range blocks {
				h.system += b.Text
			}
			continue
		}
		if turn.Role == "assistant" {
			h.step++
			if open, err = hearAssistant(h, blocks); err != nil {
				return fmt.Errorf("messages.%d: %w", i, err)
			}
			if len(open) > 0 && h.thought() && in.Thinking != nil && in.Thinking.Type == "enabled" && blocks[0].Type != "thinking" && blocks[0].Type != "redacted_thinking" {
				return fmt.Errorf("messages.%d: expected thinking before tool_use when thinking is enabled", i)
			}
			continue
		}
		if err := hearUser(h, blocks, open); err != nil {
			return fmt.Errorf("messages.%d: %w", i, err)
		}
		open = nil
	}
	if len(open) > 0 {
		return fmt.Errorf("the call %q has no result", open[0])
	}
	return nil
}

// hearAssistant takes an assistant's turn into account and returns its calls.
func hearAssistant(h *heard, blocks []messagesBlock) (open []string, err error) {
	for _, b := range blocks {
		switch b.Type {
		case "text":
			if strings.TrimSpace(b.Text) == "" {
				return nil, errors.New("text content blocks must be non-empty")
			}
		case "thinking":
			if b.Signature != sign("anthropic", b.Thinking) {
				return nil, fmt.Errorf("invalid signature %q in thinking block", b.Signature)
			}
			h.signed++
		case "tool_use":
			if b.ID == "" || b.Name == "" || b.Input == nil {
				return nil, fmt.Errorf("a call that cannot be: %+v", b)
			}
			open = append(open, b.ID)
		default:
			return nil, fmt.Errorf("a block %q of the assistant", b.Type)
		}
	}
	return open, nil
}

// hearUser takes a user's turn into account, which answers the open calls.
func hearUser(h *heard, blocks []messagesBlock, open []string) error {
	var text string
	answered := map[string]bool{}
	for _, b := range blocks {
		switch b.Type {
		case "text":
			if strings.TrimSpace(b.Text) == "" {
				return errors.New("text content blocks must be non-empty")
			}
			text += b.Text + "\n"
		case "image":
			if b.Source == nil || b.Source.Type == "base64" && (b.Source.MediaType == "" || b.Source.Data == "") {
				return errors.New("an image without a source")
			}
			h.images = append(h.images, b.Source.MediaType+b.Source.URL)
		case "tool_result":
			if text != "" {
				return errors.New("tool_result blocks must come first")
			}
			answered[b.ToolUseID] = true
			result, err := hearResult(h, b)
			if err != nil {
				return err
			}
			h.results = append(h.results, result)
		default:
			return fmt.Errorf("a block %q of the user", b.Type)
		}
	}
	for _, id := range open {
		if !answered[id] {
			return fmt.Errorf("tool_use %q without tool_result", id)
		}
		delete(answered, id)
	}
	if len(answered) > 0 {
		return fmt.Errorf("results without a call: %v", answered)
	}
	h.says(text)
	return nil
}

// hearResult is the text of a result.
func hearResult(h *heard, b messagesBlock) (string, error) {
	if len(b.Content) == 0 {
		return "", nil
	}
	blocks, err := readBlocks(b.Content)
	var text string
	for _, inner := range blocks {
		text += inner.Text
		if inner.Source != nil {
			h.images = append(h.images, inner.Source.MediaType+inner.Source.URL)
		}
	}
	return text, err
}

// blocks are those of an answer. Thoughts are told only to who asked for them.
func (in *messagesRequest) blocks(step int, actions []action) []object {
	var blocks []object
	for _, a := range actions {
		switch a.verb {
		case "think":
			if in.Thinking != nil && in.Thinking.Type != "disabled" {
				blocks = append(blocks, object{"type": "thinking", "thinking": a.rest, "signature": sign("anthropic", a.rest)})
			}
		case "say":
			blocks = append(blocks, object{"type": "text", "text": a.rest})
		case "call":
			name, arguments := a.call()
			blocks = append(blocks, object{"type": "tool_use", "id": fmt.Sprintf("toolu_%d_%d", step, len(blocks)), "name": name,
				"input": json.RawMessage(arguments), "caller": object{"type": "direct"}})
		}
	}
	return blocks
}

func messagesEnd(actions []action) any {
	switch {
	case has(actions, "length"):
		return "max_tokens"
	case has(actions, "call"):
		return "tool_use"
	}
	return "end_turn"
}

// messagesUsage is the usage of every answer; Anthropic's input is what was not
// cached.
func messagesUsage(actions []action) object {
	output := tokensVisible
	usage := object{"input_tokens": tokensFresh, "cache_creation_input_tokens": 0, "cache_read_input_tokens": tokensCached,
		"cache_creation": object{"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}, "service_tier": "standard"}
	if has(actions, "think") {
		output += tokensThought
		usage["output_tokens_details"] = object{"thinking_tokens": tokensThought}
	}
	usage["output_tokens"] = output
	return usage
}

func messagesObject(in messagesRequest, blocks []object, end any, usage object) object {
	if blocks == nil {
		blocks = []object{}
	}
	return object{"id": "msg_scripted", "type": "message", "role": "assistant", "model": in.Model + "-20250929", "content": blocks,
		"stop_reason": end, "stop_sequence": nil, "usage": usage}
}

// messagesStream tells the answer block by block.
func messagesStream(in messagesRequest, blocks []object, actions []action) answer {
	var a answer
	send := func(kind string, event object) {
		event["type"] = kind
		a.events = append(a.events, "event: "+kind+"\ndata: "+encoded(event)+"\n\n")
	}
	first := messagesUsage(actions)
	first["output_tokens"] = 1
	send("message_start", object{"message": messagesObject(in, nil, nil, first)})
	send("ping", object{})
	for i, block := range blocks {
		delta := func(d object) { send("content_block_delta", object{"index": i, "delta": d}) }
		begun := object{}
		for name, value := range block {
			begun[name] = value
		}
		switch block["type"] {
		case "text":
			begun["text"] = ""
			send("content_block_start", object{"index": i, "content_block": begun})
			for _, piece := range halves(block["text"].(string)) {
				delta(object{"type": "text_delta", "text": piece})
			}
		case "thinking":
			begun["thinking"], begun["signature"] = "", ""
			send("content_block_start", object{"index": i, "content_block": begun})
			for _, piece := range halves(block["thinking"].(string)) {
				delta(object{"type": "thinking_delta", "thinking": piece})
			}
			delta(object{"type": "signature_delta", "signature": block["signature"]})
		case "tool_use":
			begun["input"] = object{}
			send("content_block_start", object{"index": i, "content_block": begun})
			delta(object{"type": "input_json_delta", "partial_json": ""})
			for _, piece := range halves(string(block["input"].(json.RawMessage))) {
				delta(object{"type": "input_json_delta", "partial_json": piece})
			}
		}
		if has(actions, "cut") {
			a.cut = true
			return a
		}
		send("content_block_stop", object{"index": i})
	}
	send("message_delta", object{"delta": object{"stop_reason": messagesEnd(actions), "stop_sequence": nil}, "usage": messagesUsage(actions)})
	send("message_stop", object{})
	return a
}
