package sdktest

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
)

// responsesTalk is a conversation by responses, without state at the server.
type responsesTalk struct {
	t      *testing.T
	client openai.Client
	params responses.ResponseNewParams
	calls  []call
}

func newResponses(t *testing.T, model string, o options) talker {
	c := &responsesTalk{t: t, client: client(t, "SLUICE_TEST_KEY")}
	c.params = responses.ResponseNewParams{Model: model, Store: openai.Bool(false)}
	if o.system != "" {
		c.params.Instructions = openai.String(o.system)
	}
	if o.tools {
		c.params.Tools = []responses.ToolUnionParam{
			responses.ToolParamOfFunction("get_weather", citySchema, true),
			responses.ToolParamOfFunction("ping", emptySchema, false),
		}
	}
	if o.schema {
		c.params.Text.Format = responses.ResponseFormatTextConfigParamOfJSONSchema("weather", answerSchema)
	}
	if o.think {
		c.params.Reasoning = shared.ReasoningParam{Effort: shared.ReasoningEffortLow, Summary: shared.ReasoningSummaryAuto}
		c.params.Include = []responses.ResponseIncludable{responses.ResponseIncludableReasoningEncryptedContent}
		c.params.MaxOutputTokens = openai.Int(8192)
	}
	return c
}

func (c *responsesTalk) add(item responses.ResponseInputItemUnionParam) {
	c.params.Input.OfInputItemList = append(c.params.Input.OfInputItemList, item)
}

func (c *responsesTalk) user(text string, withPicture bool) {
	content := responses.ResponseInputMessageContentListParam{responses.ResponseInputContentParamOfInputText(text)}
	if withPicture {
		image := responses.ResponseInputContentParamOfInputImage(responses.ResponseInputImageDetailAuto)
		image.OfInputImage.ImageURL = openai.String("data:image/png;base64," + picture)
		content = append(content, image)
	}
	c.add(responses.ResponseInputItemParamOfMessage(content, responses.EasyInputMessageRoleUser))
}

func (c *responsesTalk) results(texts []string) {
	for i, text := range texts {
		item := responses.ResponseInputItemParamOfFunctionCallOutput(text)
		item.OfFunctionCallOutput.CallID = openai.String(c.calls[i].id)
		c.add(item)
	}
}

func (c *responsesTalk) next(stream bool) (turn, error) {
	got, err := c.ask(stream)
	if err != nil {
		return turn{}, err
	}
	return c.remember(got), nil
}

// ask asks for a response. The stream goes through the SDK's accumulator, which
// rejects events that do not fit together.
func (c *responsesTalk) ask(stream bool) (*responses.Response, error) {
	if !stream {
		return c.client.Responses.New(c.t.Context(), c.params)
	}
	events := c.client.Responses.NewStreaming(c.t.Context(), c.params)
	var acc responses.ResponseAccumulator
	var last *responses.Response
	for number := int64(0); events.Next(); number++ {
		raw := events.Current().RawJSON()
		var event responses.ResponsesServerEventUnion
		if err := json.Unmarshal([]byte(raw), &event); err != nil {
			c.t.Fatal(err)
		}
		if err := acc.AddEvent(event); err != nil {
			c.t.Fatalf("does not fit: %v: %s", err, raw)
		}
		if events.Current().SequenceNumber != number {
			c.t.Fatalf("event %d is numbered otherwise: %s", number, raw)
		}
		switch e := events.Current(); e.Type {
		case "response.failed":
			return nil, fmt.Errorf("failed: %s", e.Response.Error.Message)
		case "response.completed", "response.incomplete":
			last = &e.Response
		}
	}
	if err := events.Err(); err != nil {
		return nil, err
	}
	if last == nil {
		return nil, errors.New("the stream ended without an end")
	}
	if built, err := acc.ReconstructedResponse(); err != nil || built.OutputText() != last.OutputText() {
		c.t.Errorf("the pieces are not the whole: %v", err)
	}
	return last, nil
}

// remember puts the items into the history as they came.
func (c *responsesTalk) remember(r *responses.Response) turn {
	got := turn{text: r.OutputText(), end: "stop", usage: usage{r.Usage.InputTokens, r.Usage.InputTokensDetails.CachedTokens, r.Usage.OutputTokens}}
	for _, item := range r.Output {
		switch item.Type {
		case "reasoning":
			for _, s := range item.AsReasoning().Summary {
				got.thought += s.Text
			}
		case "function_call":
			one := item.AsFunctionCall()
			got.calls, got.end = append(got.calls, call{one.CallID, one.Name, one.Arguments}), "calls"
		}
		c.add(param.Override[responses.ResponseInputItemUnionParam](json.RawMessage(item.RawJSON())))
	}
	if r.Status == "incomplete" && r.IncompleteDetails.Reason == "max_output_tokens" {
		got.end = "length"
	}
	c.calls = got.calls
	return got
}

func (c *responsesTalk) fault(err error) (int, string) { return openAIFault(err) }

// TestInputTokens counts before asking: exactly where the provider can, else by
// an estimate.
func TestInputTokens(t *testing.T) {
	needTargets(t)
	for _, target := range []string{"openai", "responses", "anthropic", "gemini"} {
		c := newResponses(t, target+"-chat", options{system: "Be brief.", tools: true}).(*responsesTalk)
		got, err := c.client.Responses.InputTokens.Count(t.Context(), responses.InputTokenCountParams{
			Model: openai.String(target + "-chat"), Instructions: openai.String("Be brief."),
			Input: responses.InputTokenCountParamsInputUnion{OfString: openai.String(script("say no"))}, Tools: c.params.Tools,
		})
		if err != nil || got.InputTokens != 42 {
			t.Errorf("%s: %+v, %v", target, got, err)
		}
	}
}

// TestStoredResponses: what would lie in an account that tenants share is
// refused by name.
func TestStoredResponses(t *testing.T) {
	needTargets(t)
	c := newResponses(t, "openai-chat", options{}).(*responsesTalk)
	c.user(script("say never"), false)
	c.params.PreviousResponseID = openai.String("resp_of_another")
	_, err := c.next(false)
	if status, message := openAIFault(err); status != 400 || message == "" {
		t.Errorf("previous_response_id: %v", err)
	}
	_, err = c.client.Responses.Get(t.Context(), "resp_of_another", responses.ResponseGetParams{})
	if status, _ := openAIFault(err); status != 501 && status != 404 && status != 400 {
		t.Errorf("get: %v", err)
	}
}
