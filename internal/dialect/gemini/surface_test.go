package gemini_test

import (
	"encoding/json"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/gemini"
)

// A path that is taken for another operation would be checked, limited and
// billed as that; one with a memory would show tenants each other's objects.
func TestOperations(t *testing.T) {
	for _, c := range []struct {
		method, path string
		want         dialect.Operation
		code         sluice.Code
	}{
		{"POST", "/v1beta/models/gemini-2.5-pro:generateContent", dialect.Operation{Name: "chat", Path: ":generateContent", Model: "gemini-2.5-pro"}, ""},
		{"POST", "/v1/models/a:b:streamGenerateContent", dialect.Operation{Name: "chat", Path: ":streamGenerateContent", Model: "a:b"}, ""},
		{"POST", "/v1beta/models/models%2Fa%2Fb:countTokens", dialect.Operation{Name: "count", Path: ":countTokens", Model: "a/b"}, ""},
		{"POST", "/v1beta/models/a/b:embedContent", dialect.Operation{Name: "embeddings", Path: ":embedContent", Model: "a/b"}, ""},
		{"POST", "/v1alpha/models/a:batchEmbedContents", dialect.Operation{Name: "embeddings", Path: ":batchEmbedContents", Model: "a"}, ""},
		{"GET", "/v1beta/models", dialect.Operation{Name: "models", Path: "/models", Local: true}, ""},
		{"GET", "/v1beta/models/a%2Fb:1", dialect.Operation{Name: "models", Path: "/models", Local: true, Model: "a/b:1"}, ""},
		{"POST", "/v1beta/models", dialect.Operation{}, sluice.CodeMethodNotAllowed},
		{"PUT", "/v1beta/models/a:generateContent", dialect.Operation{}, sluice.CodeMethodNotAllowed},
		{"POST", "/v1beta/models/a:predict", dialect.Operation{}, sluice.CodeNotFound},
		{"POST", "/v1beta/models/a:batchGenerateContent", dialect.Operation{}, sluice.CodeUnsupported},
		{"POST", "/v1beta/models/a:predictLongRunning", dialect.Operation{}, sluice.CodeUnsupported},
		{"POST", "/v1beta/models/tunedModels%2Fa:generateContent", dialect.Operation{}, sluice.CodeUnsupported},
		{"POST", "/v1beta/tunedModels/a:generateContent", dialect.Operation{}, sluice.CodeUnsupported},
		{"GET", "/v1beta/files/abc", dialect.Operation{}, sluice.CodeUnsupported},
		{"POST", "/upload/v1beta/files", dialect.Operation{}, sluice.CodeUnsupported},
		{"POST", "/v1beta/cachedContents", dialect.Operation{}, sluice.CodeUnsupported},
		{"GET", "/v1beta/operations/x", dialect.Operation{}, sluice.CodeUnsupported},
		{"GET", "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent", dialect.Operation{}, sluice.CodeUnsupported},
		{"POST", "/v1beta/chat/completions", dialect.Operation{}, sluice.CodeNotFound},
		{"GET", "/", dialect.Operation{}, sluice.CodeNotFound},
	} {
		op, err := gemini.Surface{}.Operation(c.method, c.path)
		if op != c.want || sluice.CodeOf(err) != c.code {
			t.Errorf("%s %s: %+v %v", c.method, c.path, op, err)
		}
	}
}

// Limits, holds and routing are decided by what an ask says of the body.
func TestAskSaysWhatTheBodyAsksFor(t *testing.T) {
	ask, _ := open(t, "/v1beta/models/m:streamGenerateContent?alt=sse", `{
		"contents":[{"parts":[{"text":"x"},{"inline_data":{"mime_type":"image/png","data":"`+string(make64(40_000))+`"}}]}],
		"tools":[{"function_declarations":[{"name":"f"}]}],"tool_config":{"function_calling_config":{"mode":"ANY"}},
		"generation_config":{"max_output_tokens":"77","candidate_count":3}}`)
	if !ask.Stream || ask.MaxTokens != 77 || ask.Choices != 3 || !ask.NeedsVision || !ask.NeedsFunctions || !ask.NeedsToolChoice || ask.Model != "m" {
		t.Errorf("%+v", ask)
	}
	if ask.InputEstimate > 1200 || ask.InputUpper < 16_000 || ask.InputUpper > 20_000 {
		t.Errorf("a picture counts by its bytes: %d, at most %d", ask.InputEstimate, ask.InputUpper)
	}
	ask, _ = open(t, "/v1beta/models/m:generateContent", `{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{},"parts":[{"inlineData":{"mimeType":"image/png","data":"`+string(make64(40_000))+`"}}]}}]}]}`)
	if !ask.NeedsVision || ask.InputEstimate > 1200 {
		t.Errorf("a picture in a tool's answer counts by its bytes: %d", ask.InputEstimate)
	}
	ask, _ = open(t, "/v1beta/models/m:generateContent?alt=sse", `{"contents":{"parts":[{"text":"x"}]},"tools":[{"functionDeclarations":[]},{"googleSearch":{}}]}`)
	if ask.Stream || ask.NeedsVision || ask.NeedsFunctions || ask.NeedsToolChoice || ask.Choices != 1 {
		t.Errorf("%+v", ask)
	}
}

func make64(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'A'
	}
	return b
}

// SDKs decide by status and details whether to try again and what to show.
func TestErrorsHaveGooglesShape(t *testing.T) {
	e := sluice.Errorf(sluice.CodeRequestRate, "too many").At("/contents/0").With("limit", 5).After(30)
	kind, body := gemini.Surface{}.Error(e, "req-1")
	const want = `{"error":{"code":429,"message":"too many","status":"RESOURCE_EXHAUSTED","details":[` +
		`{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"RATE_LIMIT_001","domain":"sluice","metadata":{"doc_url":"https://github.com/sluicegate/sluice/blob/main/docs/errors.md#rate_limit_001","limit":"5","request_id":"req-1","retryable":"true"}},` +
		`{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"/contents/0","description":"too many"}]},` +
		`{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"30s"}]}}`
	if kind != "application/json" || string(body) != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
	for _, info := range sluice.Codes() {
		var got struct {
			Error struct {
				Code   int
				Status string
			}
		}
		_, body := gemini.Surface{}.Error(sluice.Errorf(info.Code, "x"), "r")
		if err := json.Unmarshal(body, &got); err != nil || got.Error.Code != info.Status || got.Error.Status == "" {
			t.Errorf("%s: %s %v", info.Code, body, err)
		}
	}
	if got := string(gemini.Surface{}.StreamError(e, "req-1")); got != "data: "+want+"\r\n\r\n" {
		t.Errorf("the event is %q", got)
	}
}

// SDKs page through models until there is no token, and call what a model's
// methods name.
func TestModelsAreListedInGooglesForm(t *testing.T) {
	m := &sluice.Model{ContextWindow: 1000, MaxOutputTokens: 100, Operations: []string{"embeddings"}}
	m.Name = "ns.embed"
	const one = `{"name":"models/ns.embed","baseModelId":"ns.embed","version":"001","displayName":"ns.embed","inputTokenLimit":1000,"outputTokenLimit":100,"supportedGenerationMethods":["embedContent","batchEmbedContents"]}`
	if got := string(gemini.Surface{}.Model(m)); got != one {
		t.Errorf("got %s", got)
	}
	if got := string(gemini.Surface{}.Models([]*sluice.Model{m})); got != `{"models":[`+one+`]}` {
		t.Errorf("got %s", got)
	}
	if got := string(gemini.Surface{}.Models(nil)); got != `{"models":[]}` {
		t.Errorf("got %s", got)
	}
}

// A provider that cannot work must be refused when it is written, not when a
// client asks.
func TestCheckNamesWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		provider sluice.Provider
		field    string
	}{
		{sluice.Provider{}, ""},
		{sluice.Provider{BaseURL: "https://proxy.example"}, ""},
		{sluice.Provider{Settings: map[string]any{"json_schema": false}}, ""},
		{sluice.Provider{BaseURL: "https://h/v1beta/models"}, "/base_url"},
		{sluice.Provider{BaseURL: "::"}, "/base_url"},
		{sluice.Provider{APIVersion: "v1"}, "/api_version"},
		{sluice.Provider{APIKey: "a\nb"}, "/api_key"},
		{sluice.Provider{Settings: map[string]any{"json_schema": "no"}}, "/settings/json_schema"},
		{sluice.Provider{Settings: map[string]any{"other": 1}}, "/settings/other"},
	} {
		err := gemini.Dialect{}.Check(&c.provider)
		if c.field == "" && err != nil || c.field != "" && (err == nil || sluice.AsError(err).Field != c.field) {
			t.Errorf("%+v: %v", c.provider, err)
		}
	}
}
