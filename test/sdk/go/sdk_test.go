package sdktest

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/shared"
)

const chatModel, embedModel = "demo-chat", "demo-embed"

// client returns the SDK as its documentation shows, without retries so that
// each error is seen once.
func client(t *testing.T, keyVariable string) openai.Client {
	t.Helper()
	base, key := os.Getenv("SLUICE_TEST_BASE_URL"), os.Getenv(keyVariable)
	if base == "" || key == "" {
		t.Skip("run by the suite in test/sdk, which sets SLUICE_TEST_BASE_URL and " + keyVariable)
	}
	return openai.NewClient(option.WithBaseURL(base), option.WithAPIKey(key), option.WithMaxRetries(0))
}

func ask(text string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{Model: chatModel, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(text)}}
}

// TestChat is what most clients do all day.
func TestChat(t *testing.T) {
	c := client(t, "SLUICE_TEST_KEY")
	got, err := c.Chat.Completions.New(context.Background(), ask("Say hello"))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Choices) != 1 || got.Choices[0].Message.Content == "" || got.Choices[0].FinishReason != "stop" {
		t.Errorf("choices: %+v", got.Choices)
	}
	if got.Usage.TotalTokens == 0 || got.Usage.TotalTokens != got.Usage.PromptTokens+got.Usage.CompletionTokens {
		t.Errorf("usage: %+v", got.Usage)
	}
	if got.Model != chatModel || got.ID == "" {
		t.Errorf("model %q, id %q", got.Model, got.ID)
	}
}

// TestChatStream accumulates a stream with the SDK's own accumulator, which
// rejects chunks that do not fit together.
func TestChatStream(t *testing.T) {
	c := client(t, "SLUICE_TEST_KEY")
	params := ask("Count to ten")
	params.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}
	stream := c.Chat.Completions.NewStreaming(context.Background(), params)
	var acc openai.ChatCompletionAccumulator
	chunks := 0
	for stream.Next() {
		chunks++
		if !acc.AddChunk(stream.Current()) {
			t.Fatalf("chunk %d does not fit: %s", chunks, stream.Current().RawJSON())
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	if chunks < 3 || acc.Choices[0].Message.Content == "" || acc.Choices[0].FinishReason != "stop" {
		t.Errorf("%d chunks, %+v", chunks, acc.Choices)
	}
	if acc.Usage.TotalTokens == 0 {
		t.Error("usage was asked for and did not come")
	}
}

// TestUsageIsHiddenUnlessAsked: the gateway meters every stream, but a client
// that did not ask must not see the chunk without choices.
func TestUsageIsHiddenUnlessAsked(t *testing.T) {
	c := client(t, "SLUICE_TEST_KEY")
	stream := c.Chat.Completions.NewStreaming(context.Background(), ask("Hi"))
	for stream.Next() {
		if chunk := stream.Current(); len(chunk.Choices) == 0 || chunk.Usage.TotalTokens != 0 {
			t.Errorf("unasked: %s", chunk.RawJSON())
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
}

func toolParams() openai.ChatCompletionNewParams {
	params := ask("What is the weather in Paris?")
	params.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
		Name: "get_weather",
		Parameters: shared.FunctionParameters{
			"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}, "required": []string{"city"},
		},
	})}
	params.ToolChoice = openai.ChatCompletionToolChoiceOptionUnionParam{OfAuto: param.NewOpt("required")}
	return params
}

// TestTools calls a function, whole and streamed: agents stand on this.
func TestTools(t *testing.T) {
	c := client(t, "SLUICE_TEST_KEY")
	got, err := c.Chat.Completions.New(context.Background(), toolParams())
	if err != nil {
		t.Fatal(err)
	}
	checkToolCall(t, got.Choices[0])

	stream := c.Chat.Completions.NewStreaming(context.Background(), toolParams())
	var acc openai.ChatCompletionAccumulator
	for stream.Next() {
		if !acc.AddChunk(stream.Current()) {
			t.Fatalf("does not fit: %s", stream.Current().RawJSON())
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	checkToolCall(t, acc.Choices[0])
}

func checkToolCall(t *testing.T, choice openai.ChatCompletionChoice) {
	t.Helper()
	if choice.FinishReason != "tool_calls" || len(choice.Message.ToolCalls) != 1 {
		t.Fatalf("no tool call: %s", choice.RawJSON())
	}
	call := choice.Message.ToolCalls[0]
	if call.ID == "" || call.Function.Name != "get_weather" || !json.Valid([]byte(call.Function.Arguments)) {
		t.Errorf("call: %+v", call)
	}
}

// TestEmbeddings decodes vectors as the SDK does by default.
func TestEmbeddings(t *testing.T) {
	c := client(t, "SLUICE_TEST_KEY")
	got, err := c.Embeddings.New(context.Background(), openai.EmbeddingNewParams{
		Model: embedModel, Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"one", "two"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Data) != 2 || len(got.Data[0].Embedding) == 0 || got.Data[1].Index != 1 || got.Usage.PromptTokens == 0 {
		t.Errorf("got %d vectors, usage %+v", len(got.Data), got.Usage)
	}
}

// TestCompletions keeps the legacy operation working.
func TestCompletions(t *testing.T) {
	c := client(t, "SLUICE_TEST_KEY")
	got, err := c.Completions.New(context.Background(), openai.CompletionNewParams{
		Model: chatModel, Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String("Once upon a time")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Choices) != 1 || got.Choices[0].Text == "" || got.Usage.TotalTokens == 0 {
		t.Errorf("got %s", got.RawJSON())
	}
}

// TestModels lists and gets what a key may call.
func TestModels(t *testing.T) {
	c := client(t, "SLUICE_TEST_KEY")
	pager := c.Models.ListAutoPaging(context.Background())
	var names []string
	for pager.Next() {
		names = append(names, pager.Current().ID)
	}
	if pager.Err() != nil || !strings.Contains(strings.Join(names, ","), chatModel) {
		t.Errorf("models %v, %v", names, pager.Err())
	}
	if got, err := c.Models.Get(context.Background(), chatModel); err != nil || got.ID != chatModel {
		t.Errorf("get: %+v, %v", got, err)
	}
}

// TestErrors maps our codes to the SDK's errors: clients branch on the status.
func TestErrors(t *testing.T) {
	status := func(err error) int {
		var e *openai.Error
		if !errors.As(err, &e) {
			t.Errorf("not an API error: %v", err)
			return 0
		}
		if e.Message == "" || e.Code == "" {
			t.Errorf("no message or code: %s", e.RawJSON())
		}
		return e.StatusCode
	}
	c := client(t, "SLUICE_TEST_KEY")
	ctx := context.Background()

	_, err := c.Chat.Completions.New(ctx, ask("x"), option.WithAPIKey("slc_live_wrong"))
	if got := status(err); got != 401 {
		t.Errorf("wrong key: %d", got)
	}
	unknown := ask("x")
	unknown.Model = "no-such-model"
	_, err = c.Chat.Completions.New(ctx, unknown)
	if got := status(err); got != 404 {
		t.Errorf("unknown model: %d", got)
	}
	_, err = c.Models.Get(ctx, "no-such-model")
	if got := status(err); got != 404 {
		t.Errorf("get unknown model: %d", got)
	}
	_, err = c.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{Model: chatModel})
	if got := status(err); got != 400 {
		t.Errorf("no messages: %d", got)
	}
	limited := client(t, "SLUICE_TEST_LIMITED_KEY")
	for range 5 {
		if _, err = limited.Chat.Completions.New(ctx, ask("x")); err != nil {
			break
		}
	}
	if got := status(err); got != 429 {
		t.Errorf("too many requests: %d", got)
	}
}
