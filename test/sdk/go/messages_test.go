package sdktest

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
)

// anthropicClient is the SDK as its documentation shows, without retries.
func anthropicClient(t *testing.T, opts ...option.RequestOption) anthropic.Client {
	t.Helper()
	base, key := os.Getenv("SLUICE_TEST_BASE_URL"), os.Getenv("SLUICE_TEST_KEY")
	if base == "" || key == "" {
		t.Skip("run by the suite in test/sdk, which sets SLUICE_TEST_BASE_URL and SLUICE_TEST_KEY")
	}
	opts = append([]option.RequestOption{option.WithBaseURL(strings.TrimSuffix(base, "/v1")), option.WithAPIKey(key), option.WithMaxRetries(0)}, opts...)
	return anthropic.NewClient(opts...)
}

// messagesTalk is a conversation by messages.
type messagesTalk struct {
	t      *testing.T
	client anthropic.Client
	params anthropic.MessageNewParams
	calls  []call
}

func newMessages(t *testing.T, model string, o options) talker {
	c := &messagesTalk{t: t, client: anthropicClient(t)}
	c.params = anthropic.MessageNewParams{Model: model, MaxTokens: 8192}
	if o.system != "" {
		c.params.System = []anthropic.TextBlockParam{{Text: o.system, CacheControl: anthropic.NewCacheControlEphemeralParam()}}
	}
	if o.tools {
		c.params.Tools = []anthropic.ToolUnionParam{
			{OfTool: &anthropic.ToolParam{Name: "get_weather", InputSchema: anthropic.ToolInputSchemaParam{Properties: cityProperties, Required: []string{"city"}}}},
			{OfTool: &anthropic.ToolParam{Name: "ping", InputSchema: anthropic.ToolInputSchemaParam{Properties: map[string]any{}}}},
		}
	}
	if o.schema {
		c.params.OutputConfig.Format = anthropic.JSONOutputFormatParam{Schema: answerSchema}
	}
	if o.think {
		c.params.Thinking = anthropic.ThinkingConfigParamOfEnabled(2048)
	}
	return c
}

func (c *messagesTalk) user(text string, withPicture bool) {
	blocks := []anthropic.ContentBlockParamUnion{anthropic.NewTextBlock(text)}
	if withPicture {
		blocks = append(blocks, anthropic.NewImageBlockBase64("image/png", picture))
	}
	c.params.Messages = append(c.params.Messages, anthropic.NewUserMessage(blocks...))
}

func (c *messagesTalk) results(texts []string) {
	var blocks []anthropic.ContentBlockParamUnion
	for i, text := range texts {
		blocks = append(blocks, anthropic.NewToolResultBlock(c.calls[i].id, text, false))
	}
	c.params.Messages = append(c.params.Messages, anthropic.NewUserMessage(blocks...))
}

func (c *messagesTalk) next(stream bool) (turn, error) {
	if !stream {
		got, err := c.client.Messages.New(c.t.Context(), c.params)
		if err != nil {
			return turn{}, err
		}
		return c.remember(*got), nil
	}
	events := c.client.Messages.NewStreaming(c.t.Context(), c.params)
	var acc anthropic.Message
	ended := false
	for events.Next() {
		if err := acc.Accumulate(events.Current()); err != nil {
			c.t.Fatalf("does not fit: %v: %s", err, events.Current().RawJSON())
		}
		ended = events.Current().Type == "message_stop"
	}
	if err := events.Err(); err != nil {
		return turn{}, err
	}
	if !ended {
		return turn{}, errors.New("the stream ended without an end")
	}
	return c.remember(acc), nil
}

// remember puts the message into the history by the SDK's own conversion.
func (c *messagesTalk) remember(m anthropic.Message) turn {
	ends := map[anthropic.StopReason]string{"end_turn": "stop", "tool_use": "calls", "max_tokens": "length"}
	u := m.Usage
	got := turn{end: ends[m.StopReason], usage: usage{u.InputTokens + u.CacheReadInputTokens + u.CacheCreationInputTokens, u.CacheReadInputTokens, u.OutputTokens}}
	for _, block := range m.Content {
		switch b := block.AsAny().(type) {
		case anthropic.TextBlock:
			got.text += b.Text
		case anthropic.ThinkingBlock:
			got.thought += b.Thinking
		case anthropic.ToolUseBlock:
			got.calls = append(got.calls, call{b.ID, b.Name, string(b.Input)})
		}
	}
	c.params.Messages = append(c.params.Messages, m.ToParam())
	c.calls = got.calls
	return got
}

func (c *messagesTalk) fault(err error) (int, string) {
	var e *anthropic.Error
	if !errors.As(err, &e) {
		return 0, ""
	}
	var body struct {
		Error struct{ Type, Message string }
	}
	if json.Unmarshal([]byte(e.RawJSON()), &body) != nil || e.Type() == "" || string(e.Type()) != body.Error.Type {
		return e.StatusCode, ""
	}
	return e.StatusCode, body.Error.Message
}

// TestCountTokens counts before asking, at every provider.
func TestCountTokens(t *testing.T) {
	needTargets(t)
	c := anthropicClient(t)
	for _, target := range targets {
		got, err := c.Messages.CountTokens(t.Context(), anthropic.MessageCountTokensParams{
			Model: target + "-chat", Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(script("say no")))},
			Tools: []anthropic.MessageCountTokensToolUnionParam{anthropic.MessageCountTokensToolParamOfTool(anthropic.ToolInputSchemaParam{Properties: cityProperties}, "get_weather")},
		})
		if err != nil || got.InputTokens != 42 {
			t.Errorf("%s: %+v, %v", target, got, err)
		}
	}
}

// TestAnthropicModels lists and gets models in Anthropic's form.
func TestAnthropicModels(t *testing.T) {
	c := anthropicClient(t)
	pager := c.Models.ListAutoPaging(t.Context(), anthropic.ModelListParams{})
	var names []string
	for pager.Next() {
		names = append(names, pager.Current().ID)
	}
	if pager.Err() != nil || !slices.Contains(names, "demo-chat") {
		t.Errorf("models %v, %v", names, pager.Err())
	}
	if got, err := c.Models.Get(t.Context(), "demo-chat", anthropic.ModelGetParams{}); err != nil || got.ID != "demo-chat" {
		t.Errorf("get: %+v, %v", got, err)
	}
}

// TestAnthropicErrors maps our codes to the SDK's error types.
func TestAnthropicErrors(t *testing.T) {
	for _, c := range []struct {
		name, model string
		key         []option.RequestOption
		status      int
		kind        anthropic.ErrorType
	}{
		{"wrong key", "demo-chat", []option.RequestOption{option.WithAPIKey("slc_live_wrong")}, 401, anthropic.ErrorTypeAuthenticationError},
		{"unknown model", "no-such-model", nil, 404, anthropic.ErrorTypeNotFoundError},
		{"no messages", "demo-chat", nil, 400, anthropic.ErrorTypeInvalidRequestError},
	} {
		params := anthropic.MessageNewParams{Model: c.model, MaxTokens: 10, Messages: []anthropic.MessageParam{}}
		if c.status != 400 {
			params.Messages = append(params.Messages, anthropic.NewUserMessage(anthropic.NewTextBlock("x")))
		}
		client := anthropicClient(t, c.key...)
		_, err := client.Messages.New(t.Context(), params)
		var e *anthropic.Error
		if !errors.As(err, &e) || e.StatusCode != c.status || e.Type() != c.kind {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
