package sdk_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const openAIKey = "sk-scripted-openai"

// compatibleModel is one that is served as most do who follow OpenAI's chats:
// with the members that all had from the beginning.
const compatibleModel = "relayed"

// newOpenAI starts a provider that speaks chats, responses and embeddings.
func newOpenAI(t *testing.T) *upstream {
	t.Helper()
	return newUpstream(t, "Authorization", "Bearer "+openAIKey, openAIFault, map[string]respond{
		"POST /v1/chat/completions":       chat,
		"POST /v1/responses":              responses,
		"POST /v1/responses/input_tokens": responsesCount,
		"POST /v1/embeddings":             openAIEmbeddings,
	})
}

func openAIFault(err error) any {
	return object{"error": object{"message": err.Error(), "type": "invalid_request_error", "param": nil, "code": nil}}
}

// openAIFailure is what a script asked for.
func openAIFailure(status int) answer {
	kind, code := "server_error", any(nil)
	switch status {
	case 400:
		kind = "invalid_request_error"
	case 429:
		kind, code = "requests", "rate_limit_exceeded"
	}
	return answer{status: status, body: object{"error": object{"message": "scripted failure", "type": kind, "param": nil, "code": code}}}
}

// chatRequest is POST /v1/chat/completions; what is not here OpenAI refuses.
type chatRequest struct {
	Model         string
	Messages      []chatMessage
	Stream        bool
	StreamOptions *struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	MaxCompletionTokens *int `json:"max_completion_tokens"`
	MaxTokens           *int `json:"max_tokens"`
	Temperature, N      json.Number
	TopP                json.Number `json:"top_p"`
	Stop                any
	User                string
	Store               *bool
	Metadata            map[string]string
	Tools               []struct {
		Type     string
		Function *struct {
			Name, Description string
			Parameters        map[string]any
			Strict            *bool
		}
		Custom *struct {
			Name, Description string
			Format            any
		}
	}
	ToolChoice        any   `json:"tool_choice"`
	ParallelToolCalls *bool `json:"parallel_tool_calls"`
	ResponseFormat    *struct {
		Type       string
		JSONSchema *struct {
			Name, Description string
			Schema            json.RawMessage
			Strict            *bool
		} `json:"json_schema"`
	} `json:"response_format"`
	ReasoningEffort string `json:"reasoning_effort"`
	PromptCacheKey  string `json:"prompt_cache_key"`
	ServiceTier     string `json:"service_tier"`
	Verbosity       string
	SafetyID        string `json:"safety_identifier"`
}

// chatMessage is a message of a request.
type chatMessage struct {
	Role        string
	Name        string
	Content     json.RawMessage
	Refusal     any
	Annotations []any      // of an answer that comes back as it was
	ToolCallID  string     `json:"tool_call_id"`
	ToolCalls   []chatCall `json:"tool_calls"`
}

type chatCall struct {
	ID, Type string
	Function *struct{ Name, Arguments string }
	Custom   *struct{ Name, Input string }
}

// chatPart is a part of a message's content.
type chatPart struct {
	Type, Text string
	ImageURL   *struct{ URL, Detail string } `json:"image_url"`
}

// chat answers POST /v1/chat/completions.
func chat(_ *http.Request, body []byte) (answer, error) {
	var in chatRequest
	if err := strictly(body, &in); err != nil {
		return answer{}, err
	}
	h := heard{stream: in.Stream}
	if err := in.check(&h); err != nil {
		return answer{}, err
	}
	for i, m := range in.Messages {
		if err := m.hear(&h, in.Messages[:i]); err != nil {
			return answer{}, fmt.Errorf("messages[%d]: %w", i, err)
		}
	}
	actions, err := h.actions()
	if err != nil {
		return answer{}, err
	}
	if s := status(actions); s != 0 {
		return openAIFailure(s), nil
	}
	if in.Stream {
		return chatStream(in, h.step, actions), nil
	}
	return answer{body: chatWhole(in, h.step, actions)}, nil
}

// check holds the request to the rules beside its messages.
func (in *chatRequest) check(h *heard) error {
	switch {
	case in.Model == compatibleModel && in.MaxCompletionTokens != nil:
		return errors.New("max_completion_tokens is not known")
	case in.Model == compatibleModel && in.ReasoningEffort != "":
		return errors.New("reasoning_effort is not known")
	case in.Model == compatibleModel:
	case in.Model != "gpt-5-mini":
		return fmt.Errorf("the model %q does not exist", in.Model)
	case len(in.Messages) == 0:
		return errors.New("messages are missing")
	case in.StreamOptions != nil && !in.Stream:
		return errors.New("stream_options without stream")
	case in.ToolChoice != nil && len(in.Tools) == 0:
		return errors.New("tool_choice without tools")
	case in.MaxTokens != nil:
		return errors.New("max_tokens is not supported with this model")
	case in.Temperature != "" && in.Temperature != "1":
		return errors.New("temperature does not support this value with this model")
	}
	for _, tool := range in.Tools {
		if tool.Type != "function" || tool.Function == nil || tool.Function.Name == "" || len(tool.Function.Name) > 64 {
			return fmt.Errorf("a tool that is no function: %+v", tool)
		}
		h.tools = append(h.tools, tool.Function.Name)
	}
	if f := in.ResponseFormat; f != nil && f.Type == "json_schema" {
		if f.JSONSchema == nil || f.JSONSchema.Name == "" {
			return errors.New("response_format without a name")
		}
		return h.wants(f.JSONSchema.Schema)
	}
	return nil
}

// hear takes one message into account.
func (m chatMessage) hear(h *heard, before []chatMessage) error {
	text, err := m.content(h)
	if err != nil {
		return err
	}
	switch m.Role {
	case "system", "developer":
		h.system += text
	case "user":
		h.says(text)
	case "assistant":
		h.step++
		if text == "" && len(m.ToolCalls) == 0 && m.Refusal == nil {
			return errors.New("an assistant's message without content or calls")
		}
		for _, c := range m.ToolCalls {
			if c.ID == "" || c.Function == nil || !json.Valid([]byte(c.Function.Arguments)) {
				return fmt.Errorf("a call that cannot be: %+v", c)
			}
		}
	case "tool":
		if !answers(before, m.ToolCallID) {
			return fmt.Errorf("%q answers no call of the message before", m.ToolCallID)
		}
		h.results = append(h.results, text)
	default:
		return fmt.Errorf("role %q", m.Role)
	}
	if open := unanswered(before); m.Role != "tool" && open != "" {
		return fmt.Errorf("the call %q has no answer", open)
	}
	return nil
}

// content joins what a message says.
func (m chatMessage) content(h *heard) (string, error) {
	var text string
	if len(m.Content) == 0 || string(m.Content) == "null" || json.Unmarshal(m.Content, &text) == nil {
		return text, nil
	}
	var parts []chatPart
	if err := strictly(m.Content, &parts); err != nil {
		return "", err
	}
	for _, p := range parts {
		switch {
		case p.Type == "text" && p.Text != "":
			text += p.Text
		case p.Type == "image_url" && p.ImageURL != nil && m.Role == "user":
			h.images = append(h.images, mediaType(p.ImageURL.URL))
		default:
			return "", fmt.Errorf("a part that cannot be: %+v", p)
		}
	}
	return text, nil
}

// mediaType is that of a data URL; other addresses are told as they are.
func mediaType(address string) string {
	data, isData := strings.CutPrefix(address, "data:")
	if kind, encoded, ok := strings.Cut(data, ";base64,"); isData && ok && encoded != "" {
		return kind
	}
	return address
}

// answers reports whether id is a call of the assistant's last message that has
// no answer yet.
func answers(before []chatMessage, id string) bool {
	for i := len(before) - 1; i >= 0; i-- {
		switch before[i].Role {
		case "tool":
			if before[i].ToolCallID == id {
				return false
			}
		case "assistant":
			for _, c := range before[i].ToolCalls {
				if c.ID == id {
					return true
				}
			}
			return false
		default:
			return false
		}
	}
	return false
}

// unanswered is the first call of the assistant's last message without an
// answer.
func unanswered(before []chatMessage) string {
	done := map[string]bool{}
	for i := len(before) - 1; i >= 0; i-- {
		switch before[i].Role {
		case "tool":
			done[before[i].ToolCallID] = true
		case "assistant":
			for _, c := range before[i].ToolCalls {
				if !done[c.ID] {
					return c.ID
				}
			}
			return ""
		default:
			return ""
		}
	}
	return ""
}

// chatCalls are the calls of an answer.
func chatCalls(step int, actions []action) []object {
	var calls []object
	for _, a := range actions {
		if a.verb == "call" {
			name, arguments := a.call()
			calls = append(calls, object{"id": fmt.Sprintf("call_%d_%d", step, len(calls)), "type": "function",
				"function": object{"name": name, "arguments": arguments}})
		}
	}
	return calls
}

// said is the visible text of an answer.
func said(actions []action) string {
	var text string
	for _, a := range actions {
		if a.verb == "say" {
			text += a.rest
		}
	}
	return text
}

func chatEnd(actions []action) string {
	switch {
	case has(actions, "length"):
		return "length"
	case has(actions, "call"):
		return "tool_calls"
	}
	return "stop"
}

// chatUsage is the usage of every answer; OpenAI's sums include their parts.
func chatUsage(actions []action) object {
	thought := 0
	if has(actions, "think") {
		thought = tokensThought
	}
	return object{
		"prompt_tokens": tokensFresh + tokensCached, "completion_tokens": tokensVisible + thought,
		"total_tokens":              tokensFresh + tokensCached + tokensVisible + thought,
		"prompt_tokens_details":     object{"cached_tokens": tokensCached},
		"completion_tokens_details": object{"reasoning_tokens": thought},
	}
}

func chatWhole(in chatRequest, step int, actions []action) object {
	message := object{"role": "assistant", "content": nil, "refusal": nil, "annotations": []any{}}
	if text := said(actions); text != "" {
		message["content"] = text
	}
	if calls := chatCalls(step, actions); calls != nil {
		message["tool_calls"] = calls
	}
	return object{"id": "chatcmpl-scripted", "object": "chat.completion", "created": 1767225600, "model": in.Model + "-2025-08-07",
		"choices": []any{object{"index": 0, "message": message, "logprobs": nil, "finish_reason": chatEnd(actions)}},
		"usage":   chatUsage(actions), "service_tier": "default", "system_fingerprint": nil}
}

// chatStream tells the answer in pieces, as OpenAI does: the role alone, text,
// then each call with its name first.
func chatStream(in chatRequest, step int, actions []action) answer {
	var a answer
	usage := in.StreamOptions != nil && in.StreamOptions.IncludeUsage
	send := func(choices []any, more object) {
		chunk := object{"id": "chatcmpl-scripted", "object": "chat.completion.chunk", "created": 1767225600,
			"model": in.Model + "-2025-08-07", "service_tier": "default", "choices": choices, "obfuscation": "xyz"}
		if usage {
			chunk["usage"] = more["usage"]
		}
		a.events = append(a.events, "data: "+encoded(chunk)+"\n\n")
	}
	delta := func(d object, end any) {
		send([]any{object{"index": 0, "delta": d, "logprobs": nil, "finish_reason": end}}, nil)
	}
	delta(object{"role": "assistant", "content": "", "refusal": nil}, nil)
	for _, piece := range halves(said(actions)) {
		if piece != "" {
			delta(object{"content": piece}, nil)
		}
	}
	if has(actions, "cut") {
		a.cut = true
		return a
	}
	for i, call := range chatCalls(step, actions) {
		function := call["function"].(object)
		delta(object{"tool_calls": []any{object{"index": i, "id": call["id"], "type": "function",
			"function": object{"name": function["name"], "arguments": ""}}}}, nil)
		for _, piece := range halves(function["arguments"].(string)) {
			delta(object{"tool_calls": []any{object{"index": i, "function": object{"arguments": piece}}}}, nil)
		}
	}
	delta(object{}, chatEnd(actions))
	if usage {
		send([]any{}, object{"usage": chatUsage(actions)})
	}
	a.events = append(a.events, "data: [DONE]\n\n")
	return a
}
