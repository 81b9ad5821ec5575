package sdktest

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/packages/respjson"
	"github.com/openai/openai-go/v3/shared"
)

// chatTalk is a conversation by chat completions.
type chatTalk struct {
	t      *testing.T
	client openai.Client
	params openai.ChatCompletionNewParams
	calls  []call
}

func newChat(t *testing.T, model string, o options) talker {
	c := &chatTalk{t: t, client: client(t, "SLUICE_TEST_KEY")}
	c.params.Model = model
	if o.system != "" {
		c.params.Messages = append(c.params.Messages, openai.SystemMessage(o.system))
	}
	if o.tools {
		for name, schema := range map[string]map[string]any{"get_weather": citySchema, "ping": emptySchema} {
			c.params.Tools = append(c.params.Tools, openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: name, Parameters: schema}))
		}
	}
	if o.schema {
		c.params.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{
			Name: "weather", Schema: answerSchema, Strict: openai.Bool(true)}}
	}
	if o.think {
		c.params.ReasoningEffort = shared.ReasoningEffortLow
		c.params.MaxCompletionTokens = openai.Int(8192)
	}
	return c
}

func (c *chatTalk) user(text string, withPicture bool) {
	if !withPicture {
		c.params.Messages = append(c.params.Messages, openai.UserMessage(text))
		return
	}
	c.params.Messages = append(c.params.Messages, openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
		openai.TextContentPart(text),
		openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: "data:image/png;base64," + picture}),
	}))
}

func (c *chatTalk) results(texts []string) {
	for i, text := range texts {
		c.params.Messages = append(c.params.Messages, openai.ToolMessage(text, c.calls[i].id))
	}
}

func (c *chatTalk) next(stream bool) (turn, error) {
	if stream {
		return c.streamed()
	}
	got, err := c.client.Chat.Completions.New(c.t.Context(), c.params)
	if err != nil {
		return turn{}, err
	}
	choice := got.Choices[0]
	return c.remember(choice, text(choice.Message.JSON.ExtraFields["reasoning_content"]), json.RawMessage(choice.Message.RawJSON()), got.Usage), nil
}

// streamed joins a stream with the SDK's accumulator. What the SDK does not know
// a client joins by itself: thoughts, and details as they come.
func (c *chatTalk) streamed() (turn, error) {
	params := c.params
	params.StreamOptions.IncludeUsage = openai.Bool(true)
	stream := c.client.Chat.Completions.NewStreaming(c.t.Context(), params)
	var acc openai.ChatCompletionAccumulator
	thought, details := "", []json.RawMessage{}
	signed := map[int]json.RawMessage{}
	for stream.Next() {
		chunk := stream.Current()
		if !acc.AddChunk(chunk) {
			c.t.Fatalf("does not fit: %s", chunk.RawJSON())
		}
		if len(chunk.Choices) == 0 {
			continue
		}
		extra := chunk.Choices[0].Delta.JSON.ExtraFields
		thought += text(extra["reasoning_content"])
		var more []json.RawMessage
		if raw := extra["reasoning_details"].Raw(); raw != "" {
			if err := json.Unmarshal([]byte(raw), &more); err != nil {
				c.t.Fatal(err)
			}
		}
		details = append(details, more...)
		for _, one := range chunk.Choices[0].Delta.ToolCalls {
			if raw := one.JSON.ExtraFields["extra_content"].Raw(); raw != "" {
				signed[int(one.Index)] = json.RawMessage(raw)
			}
		}
	}
	if err := stream.Err(); err != nil {
		return turn{}, err
	}
	if len(acc.Choices) == 0 {
		c.t.Fatal("a stream without choices")
	}
	return c.remember(acc.Choices[0], thought, joined(c.t, acc.Choices[0].Message, details, signed), acc.Usage), nil
}

// joined is the message of a stream as a client sends it back.
func joined(t *testing.T, m openai.ChatCompletionMessage, details []json.RawMessage, signed map[int]json.RawMessage) json.RawMessage {
	t.Helper()
	message := map[string]any{"role": "assistant", "content": m.Content}
	if m.Content == "" {
		message["content"] = nil
	}
	var calls []any
	for i, one := range m.ToolCalls {
		sent := map[string]any{"id": one.ID, "type": "function", "function": map[string]any{"name": one.Function.Name, "arguments": one.Function.Arguments}}
		if signed[i] != nil {
			sent["extra_content"] = signed[i]
		}
		calls = append(calls, sent)
	}
	if calls != nil {
		message["tool_calls"] = calls
	}
	if len(details) > 0 {
		message["reasoning_details"] = details
	}
	b, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// text is a member that the SDK does not know.
func text(f respjson.Field) string {
	var s string
	_ = json.Unmarshal([]byte(f.Raw()), &s) // absent is empty
	return s
}

// remember puts the assistant's message into the history as it came.
func (c *chatTalk) remember(choice openai.ChatCompletionChoice, thought string, raw json.RawMessage, u openai.CompletionUsage) turn {
	got := turn{text: choice.Message.Content, thought: thought, end: map[string]string{"tool_calls": "calls"}[choice.FinishReason],
		usage: usage{u.PromptTokens, u.PromptTokensDetails.CachedTokens, u.CompletionTokens}}
	if got.end == "" {
		got.end = choice.FinishReason
	}
	for _, one := range choice.Message.ToolCalls {
		got.calls = append(got.calls, call{one.ID, one.Function.Name, one.Function.Arguments})
	}
	message := param.Override[openai.ChatCompletionAssistantMessageParam](raw)
	c.params.Messages = append(c.params.Messages, openai.ChatCompletionMessageParamUnion{OfAssistant: &message})
	c.calls = got.calls
	return got
}

func (c *chatTalk) fault(err error) (int, string) { return openAIFault(err) }

func openAIFault(err error) (int, string) {
	var e *openai.Error
	if !errors.As(err, &e) {
		return 0, ""
	}
	return e.StatusCode, e.Message
}
