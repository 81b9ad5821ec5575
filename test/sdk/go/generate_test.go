package sdktest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genai"
)

// geminiClient is the SDK as its documentation shows.
func geminiClient(t *testing.T, key string) *genai.Client {
	t.Helper()
	base := os.Getenv("SLUICE_TEST_BASE_URL")
	if base == "" || key == "" {
		t.Skip("run by the suite in test/sdk, which sets SLUICE_TEST_BASE_URL and SLUICE_TEST_KEY")
	}
	c, err := genai.NewClient(t.Context(), &genai.ClientConfig{APIKey: key, Backend: genai.BackendGeminiAPI,
		HTTPOptions: genai.HTTPOptions{BaseURL: strings.TrimSuffix(base, "/v1")}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// generateTalk is a conversation by generateContent.
type generateTalk struct {
	t        *testing.T
	client   *genai.Client
	model    string
	contents []*genai.Content
	config   genai.GenerateContentConfig
	calls    []*genai.FunctionCall
}

func newGenerate(t *testing.T, model string, o options) talker {
	c := &generateTalk{t: t, client: geminiClient(t, os.Getenv("SLUICE_TEST_KEY")), model: model}
	if o.system != "" {
		c.config.SystemInstruction = genai.NewContentFromText(o.system, genai.RoleUser)
	}
	if o.tools {
		c.config.Tools = []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{
			{Name: "get_weather", Description: "tells the weather", Parameters: &genai.Schema{Type: genai.TypeObject, Required: []string{"city"},
				Properties: map[string]*genai.Schema{"city": {Type: genai.TypeString, Nullable: genai.Ptr(true)}}}},
			{Name: "ping", ParametersJsonSchema: emptySchema},
		}}}
	}
	if o.schema {
		c.config.ResponseMIMEType, c.config.ResponseJsonSchema = "application/json", answerSchema
	}
	if o.think {
		c.config.ThinkingConfig = &genai.ThinkingConfig{IncludeThoughts: true, ThinkingBudget: genai.Ptr(int32(2048))}
		c.config.MaxOutputTokens = 8192
	}
	return c
}

func (c *generateTalk) user(text string, withPicture bool) {
	parts := []*genai.Part{genai.NewPartFromText(text)}
	if withPicture {
		data, err := base64.StdEncoding.DecodeString(picture)
		if err != nil {
			c.t.Fatal(err)
		}
		parts = append(parts, genai.NewPartFromBytes(data, "image/png"))
	}
	c.contents = append(c.contents, genai.NewContentFromParts(parts, genai.RoleUser))
}

func (c *generateTalk) results(texts []string) {
	var parts []*genai.Part
	for i, text := range texts {
		parts = append(parts, &genai.Part{FunctionResponse: &genai.FunctionResponse{ID: c.calls[i].ID, Name: c.calls[i].Name, Response: map[string]any{"output": text}}})
	}
	c.contents = append(c.contents, genai.NewContentFromParts(parts, genai.RoleUser))
}

func (c *generateTalk) next(stream bool) (turn, error) {
	if !stream {
		got, err := c.client.Models.GenerateContent(c.t.Context(), c.model, c.contents, &c.config)
		if err != nil {
			return turn{}, err
		}
		return c.remember([]*genai.GenerateContentResponse{got})
	}
	var chunks []*genai.GenerateContentResponse
	for chunk, err := range c.client.Models.GenerateContentStream(c.t.Context(), c.model, c.contents, &c.config) {
		if err != nil {
			return turn{}, err
		}
		chunks = append(chunks, chunk)
	}
	return c.remember(chunks)
}

// remember puts the parts of all chunks into the history, signatures included.
func (c *generateTalk) remember(chunks []*genai.GenerateContentResponse) (turn, error) {
	var got turn
	content := &genai.Content{Role: genai.RoleModel}
	c.calls = nil
	for _, chunk := range chunks {
		if u := chunk.UsageMetadata; u != nil {
			got.usage = usage{int64(u.PromptTokenCount), int64(u.CachedContentTokenCount), int64(u.CandidatesTokenCount + u.ThoughtsTokenCount)}
		}
		for _, candidate := range chunk.Candidates {
			if candidate.FinishReason != "" {
				got.end = map[genai.FinishReason]string{"STOP": "stop", "MAX_TOKENS": "length"}[candidate.FinishReason]
			}
			if candidate.Content == nil {
				continue
			}
			for _, p := range candidate.Content.Parts {
				c.hear(p, &got)
				if p.Text != "" || p.FunctionCall != nil || len(p.ThoughtSignature) > 0 { // as the SDK's chats do
					content.Parts = append(content.Parts, p)
				}
			}
		}
	}
	if got.end == "" {
		return got, errors.New("the stream ended without an end")
	}
	if got.end == "stop" && len(got.calls) > 0 {
		got.end = "calls"
	}
	c.contents = append(c.contents, content)
	return got, nil
}

// hear takes one part into account.
func (c *generateTalk) hear(p *genai.Part, got *turn) {
	switch {
	case p.FunctionCall != nil:
		arguments, err := json.Marshal(p.FunctionCall.Args)
		if err != nil {
			c.t.Fatal(err)
		}
		c.calls = append(c.calls, p.FunctionCall)
		got.calls = append(got.calls, call{p.FunctionCall.ID, p.FunctionCall.Name, string(arguments)})
	case p.Thought:
		got.thought += p.Text
	default:
		got.text += p.Text
	}
}

func (c *generateTalk) fault(err error) (int, string) {
	var e genai.APIError
	if !errors.As(err, &e) || e.Status == "" {
		return 0, ""
	}
	return e.Code, e.Message
}

// TestGeminiCountTokens counts before asking, at every provider.
func TestGeminiCountTokens(t *testing.T) {
	needTargets(t)
	c := geminiClient(t, os.Getenv("SLUICE_TEST_KEY"))
	for _, target := range targets {
		got, err := c.Models.CountTokens(t.Context(), target+"-chat", genai.Text(script("say no")), nil)
		if err != nil || got.TotalTokens != 42 {
			t.Errorf("%s: %+v, %v", target, got, err)
		}
	}
}

// TestGeminiEmbeddings embeds one text and a batch, in their order, by either
// provider.
func TestGeminiEmbeddings(t *testing.T) {
	needTargets(t)
	c := geminiClient(t, os.Getenv("SLUICE_TEST_KEY"))
	for _, model := range []string{"openai-embed", "gemini-embed"} {
		for _, texts := range [][]*genai.Content{genai.Text("one"), append(genai.Text("one"), genai.Text("two")...)} {
			got, err := c.Models.EmbedContent(t.Context(), model, texts, nil)
			if err != nil {
				t.Errorf("%s: %v", model, err)
				continue
			}
			if len(got.Embeddings) != len(texts) {
				t.Errorf("%s: %d vectors of %d", model, len(got.Embeddings), len(texts))
			}
			for i, e := range got.Embeddings {
				if want := []float32{float32(i), 0.5, -0.25}; !slices.Equal(e.Values, want) {
					t.Errorf("%s: %v, want %v", model, e.Values, want)
				}
			}
		}
	}
}

// TestGeminiModels lists and gets models in Google's form.
func TestGeminiModels(t *testing.T) {
	c := geminiClient(t, os.Getenv("SLUICE_TEST_KEY"))
	var names []string
	for model, err := range c.Models.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, model.Name)
	}
	if !slices.Contains(names, "models/demo-chat") {
		t.Errorf("models %v", names)
	}
	if got, err := c.Models.Get(t.Context(), "demo-chat", nil); err != nil || got.Name != "models/demo-chat" {
		t.Errorf("get: %+v, %v", got, err)
	}
}

// TestGeminiErrors maps our codes to the SDK's error.
func TestGeminiErrors(t *testing.T) {
	key := os.Getenv("SLUICE_TEST_KEY")
	for _, c := range []struct {
		name, key, model, text string
		code                   int
		status                 string
	}{
		{"wrong key", "slc_live_wrong", "demo-chat", "x", 401, "UNAUTHENTICATED"},
		{"unknown model", key, "no-such-model", "x", 404, "NOT_FOUND"},
		{"nothing said", key, "demo-chat", "", 400, "INVALID_ARGUMENT"},
	} {
		var contents []*genai.Content
		if c.text != "" {
			contents = genai.Text(c.text)
		}
		_, err := geminiClient(t, c.key).Models.GenerateContent(t.Context(), c.model, contents, nil)
		var e genai.APIError
		if !errors.As(err, &e) || e.Code != c.code || e.Status != c.status || e.Message == "" {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
