package demo

import (
	"encoding/json"
	"fmt"
	"strings"
)

// request is what the demo provider reads of a body. It is decoded properly:
// nothing here is a hot path.
type request struct {
	Model               string          `json:"model"`
	Stream              bool            `json:"stream"`
	MaxTokens           *int64          `json:"max_tokens"`
	MaxCompletionTokens *int64          `json:"max_completion_tokens"`
	N                   int             `json:"n"`
	Messages            []message       `json:"messages"`
	Prompt              json.RawMessage `json:"prompt"`
	Suffix              string          `json:"suffix"`
	Tools               []tool          `json:"tools"`
	ToolChoice          json.RawMessage `json:"tool_choice"`
	ResponseFormat      struct {
		Type   string `json:"type"`
		Schema struct {
			Schema map[string]any `json:"schema"`
		} `json:"json_schema"`
	} `json:"response_format"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	Input          json.RawMessage `json:"input"`
	Dimensions     int             `json:"dimensions"`
	EncodingFormat string          `json:"encoding_format"`
}

type message struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

type tool struct {
	Type     string `json:"type"`
	Function struct {
		Name       string         `json:"name"`
		Parameters map[string]any `json:"parameters"`
	} `json:"function"`
}

func readRequest(body []byte) (*request, error) {
	var r request
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, fmt.Errorf("the request cannot be read: %w", err)
	}
	r.N = max(1, r.N)
	if r.N > 128 {
		return nil, fmt.Errorf("n must be at most 128")
	}
	return &r, nil
}

// limit is the cap on one answer, -1 for none.
func (r *request) limit() int64 {
	switch {
	case r.MaxCompletionTokens != nil:
		return *r.MaxCompletionTokens
	case r.MaxTokens != nil && *r.MaxTokens > 0:
		return *r.MaxTokens
	}
	return -1
}

// last is the text and the role of the last message.
func (r *request) last() (text, role string) {
	if len(r.Messages) == 0 {
		return promptText(r.Prompt), "user"
	}
	m := r.Messages[len(r.Messages)-1]
	return contentText(m.Content), m.Role
}

// called is the tool to call: the one that was chosen by name, or the first;
// nil when none may be.
func (r *request) called() *tool {
	if _, role := r.last(); len(r.Tools) == 0 || role == "tool" {
		return nil
	}
	var word string
	if json.Unmarshal(r.ToolChoice, &word) == nil && word == "none" {
		return nil
	}
	var choice tool
	if json.Unmarshal(r.ToolChoice, &choice) == nil && choice.Function.Name != "" {
		for i := range r.Tools {
			if r.Tools[i].Function.Name == choice.Function.Name {
				return &r.Tools[i]
			}
		}
	}
	if r.Tools[0].Function.Name == "" {
		return nil
	}
	return &r.Tools[0]
}

// contentText is the text of a message's content: a string or parts.
func contentText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var parts []struct {
		Text string `json:"text"`
	}
	if json.Unmarshal(raw, &parts) != nil {
		return ""
	}
	var out []string
	for _, p := range parts {
		if p.Text != "" {
			out = append(out, p.Text)
		}
	}
	return strings.Join(out, " ")
}

// promptText is the text of a legacy prompt: a string or several.
func promptText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var texts []string
	_ = json.Unmarshal(raw, &texts) // token ids have no text to echo
	return strings.Join(texts, " ")
}

// inputTokens counts the prompt: four bytes a token, and what a template adds.
func (r *request) inputTokens() int64 {
	n := int64(3)
	for _, m := range r.Messages {
		n += 4 + tokensOf(contentText(m.Content))
	}
	n += tokensOf(promptText(r.Prompt))
	for _, t := range r.Tools {
		n += 8 + tokensOf(t.Function.Name)
	}
	return n
}

func tokensOf(text string) int64 { return int64(len(text)+3) / 4 }

// refusal is an error body in OpenAI's shape.
func refusal(err error) []byte {
	return encode(map[string]any{"error": map[string]any{
		"message": err.Error(), "type": "invalid_request_error", "param": nil, "code": nil,
	}})
}

// encode writes values of this package, which JSON can always hold.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("demo: encoding an own value: " + err.Error())
	}
	return b
}
