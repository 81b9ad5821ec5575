package anthropic_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/anthropic"
	"github.com/sluicegate/sluice/internal/dialect/form"
)

// A path that is misread answers the wrong request, or creates objects in an
// account that tenants share.
func TestOperations(t *testing.T) {
	for _, c := range []struct{ method, path, want string }{
		{"POST", "/v1/messages", "chat /v1/messages"},
		{"GET", "/v1/messages", "COMMON_008"},
		{"POST", "/v1/messages/count_tokens", "count /v1/messages/count_tokens"},
		{"GET", "/v1/models", "models /v1/models local"},
		{"GET", "/v1/models/claude-x", "models /v1/models local claude-x"},
		{"GET", "/v1/models/org%2Fmodel", "models /v1/models local org/model"},
		{"DELETE", "/v1/models/x", "COMMON_008"},
		{"POST", "/v1/messages/batches", "COMMON_011"},
		{"GET", "/v1/messages/batches/b/results", "COMMON_011"},
		{"POST", "/v1/files", "COMMON_011"},
		{"POST", "/v1/skills", "COMMON_011"},
		{"GET", "/v1/organizations/usage_report/messages", "COMMON_011"},
		{"POST", "/v1/complete", "COMMON_002"},
		{"POST", "/v1/messages/", "COMMON_002"},
		{"GET", "/", "COMMON_002"},
	} {
		op, err := anthropic.Surface{}.Operation(c.method, c.path)
		got := op.Name + " " + op.Path
		if op.Local {
			got = strings.TrimSpace(got + " local " + op.Model)
		}
		if err != nil {
			got = string(sluice.CodeOf(err))
		}
		if got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.method, c.path, got, c.want)
		}
	}
}

// Limits, checks of the model and holds rest on what the ask says.
func TestAsk(t *testing.T) {
	ask, err := askFor("/v1/messages", `{"model":"m","max_tokens":100,"stream":true,"tools":[{"name":"a"}],"tool_choice":{"type":"any"},"messages":[{"role":"user","content":[`+
		`{"type":"text","text":"x"},{"type":"tool_result","content":[{"type":"image","source":{"data":"`+strings.Repeat("A", 40_000)+`"}}]}]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if !ask.Stream || ask.MaxTokens != 100 || ask.Model != "m" || !ask.NeedsVision || !ask.NeedsFunctions || !ask.NeedsToolChoice || ask.Choices != 1 || ask.Front == nil {
		t.Errorf("the ask is %+v", ask)
	}
	if ask.InputEstimate > 2000 || ask.InputUpper < 1<<16 {
		t.Errorf("an image of 40 kB counts as %d tokens, at most %d", ask.InputEstimate, ask.InputUpper)
	}
	counting, err := askFor("/v1/messages/count_tokens", `{"model":"m","stream":true,"messages":[{"role":"user","content":"x"}]}`)
	if err != nil || counting.Stream {
		t.Fatalf("counting: %v", err)
	}
	if _, err := counting.Front.Chat(); err != nil {
		t.Error(err)
	}
	if got := string(counting.Front.Count(form.Count{Tokens: 14})); got != `{"input_tokens":14}` {
		t.Errorf("the count is %s", got)
	}
}

// A body that is read as something else than it is lets a client ask for what
// nobody checked.
func TestBodiesThatAreRefused(t *testing.T) {
	for _, c := range []struct{ name, value string }{
		{"Content-Type", "text/plain"}, {"Content-Type", "application/json; charset=utf-16"}, {"Content-Encoding", "gzip"},
	} {
		head := sluice.Head{Method: "POST", Path: "/v1/messages"}
		head.Fields.Add(c.name, c.value)
		op, _ := anthropic.Surface{}.Operation("POST", "/v1/messages")
		if _, err := (anthropic.Surface{}).Ask(op, &head, []byte(`{}`)); sluice.CodeOf(err) != sluice.CodeMediaType {
			t.Errorf("%s %s: %v", c.name, c.value, err)
		}
	}
}

// The official SDKs read type and message; people read the code and the id.
func TestErrorsHaveAnthropicsShape(t *testing.T) {
	e := sluice.Errorf(sluice.CodeInvalidRequest, "text must not be empty").At("/messages/0/content/0/text")
	const want = `{"type":"error","error":{"type":"invalid_request_error","message":"text must not be empty","code":"COMMON_001",` +
		`"field":"/messages/0/content/0/text","retryable":false,"doc_url":"https://github.com/sluicegate/sluice/blob/main/docs/errors.md#common_001"},"request_id":"req-1"}`
	kind, body := anthropic.Surface{}.Error(e, "req-1")
	if kind != "application/json" || string(body) != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
	if event := string(anthropic.Surface{}.StreamError(e, "req-1")); event != "event: error\ndata: "+want+"\n\n" {
		t.Errorf("stream error is %q", event)
	}
	types := map[int]string{401: "authentication_error", 402: "billing_error", 403: "permission_error", 404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 400: "invalid_request_error", 500: "api_error", 504: "timeout_error"}
	for _, info := range sluice.Codes() {
		_, body := anthropic.Surface{}.Error(sluice.Errorf(info.Code, "x").With("odd", func() {}), "id")
		var got struct {
			Type  string
			Error struct{ Type, Code string }
		}
		if err := json.Unmarshal(body, &got); err != nil || got.Type != "error" || got.Error.Code != string(info.Code) || got.Error.Type == "" {
			t.Errorf("%s renders as %s", info.Code, body)
		}
		if want := types[info.Status]; want != "" && got.Error.Type != want {
			t.Errorf("%s (%d) has the type %s, want %s", info.Code, info.Status, got.Error.Type, want)
		}
	}
}

// The SDKs page through models by these members.
func TestModels(t *testing.T) {
	a, b := &sluice.Model{}, &sluice.Model{ContextWindow: 200_000, MaxOutputTokens: 64_000}
	a.Name, a.CreatedAt, b.Name = "org/a", time.Unix(1700000000, 0), "b"
	const one = `{"type":"model","id":"org/a","display_name":"org/a","created_at":"2023-11-14T22:13:20Z"}`
	if got := string(anthropic.Surface{}.Model(a)); got != one {
		t.Errorf("model is %s", got)
	}
	const two = `{"type":"model","id":"b","display_name":"b","created_at":"1970-01-01T00:00:00Z","max_input_tokens":200000,"max_tokens":64000}`
	if got := string(anthropic.Surface{}.Models([]*sluice.Model{a, b})); got != `{"data":[`+one+`,`+two+`],"has_more":false,"first_id":"org/a","last_id":"b"}` {
		t.Errorf("models are %s", got)
	}
	if got := string(anthropic.Surface{}.Models(nil)); got != `{"data":[],"has_more":false,"first_id":null,"last_id":null}` {
		t.Errorf("no models are %s", got)
	}
}

// A provider that cannot work has to be refused when it is saved, not when the
// first client calls.
func TestCheck(t *testing.T) {
	for _, c := range []struct{ provider, field string }{
		{`{}`, ""},
		{`{"settings":{"auth":"bearer","anthropic_version":"2023-06-01"}}`, ""},
		{`{"base_url":"https://relay.example.com/anthropic"}`, ""},
		{`{"base_url":"https://api.anthropic.com/v1/messages"}`, "/base_url"},
		{`{"settings":{"auth":"basic"}}`, "/settings/auth"},
		{`{"settings":{"anthropic_version":"a\nb"}}`, "/settings/anthropic_version"},
		{`{"settings":{"version":"x"}}`, "/settings/version"},
		{`{"api_version":"2024-10-21"}`, "/api_version"},
		{`{"api_key":"a\r\nX: y"}`, "/api_key"},
	} {
		var p sluice.Provider
		if err := json.Unmarshal([]byte(c.provider), &p); err != nil {
			t.Fatal(err)
		}
		field := ""
		if err := (anthropic.Dialect{}).Check(&p); err != nil {
			field = sluice.AsError(err).Field
		}
		if field != c.field {
			t.Errorf("%s: blamed %q, want %q", c.provider, field, c.field)
		}
	}
}

// Counting for other surfaces costs nothing and must not be refused for what
// only an answer needs.
func TestCounter(t *testing.T) {
	counter := back(t).(form.Counter)
	chat := &form.Chat{Turns: []form.Turn{{Role: form.RoleUser, Parts: []form.Part{{Kind: form.PartText, Text: "Hi"}}}}}
	chat.Sampling.N = 2
	got, err := counter.EncodeCount(chat, &form.Target{Model: "claude-x"})
	if err != nil {
		t.Fatal(err)
	}
	if got.Path != "/v1/messages/count_tokens" || string(got.Body) != `{"model":"claude-x","messages":[{"role":"user","content":[{"text":"Hi","type":"text"}]}]}` {
		t.Errorf("the request is %s %s", got.Path, got.Body)
	}
	if n, err := counter.DecodeCount([]byte(`{"input_tokens":14}`)); n != 14 || err != nil {
		t.Errorf("the count is %d, %v", n, err)
	}
	if _, err := counter.DecodeCount([]byte(`{"input_tokens":-1}`)); sluice.CodeOf(err) != sluice.CodeProviderError {
		t.Errorf("a negative count is %v", err)
	}
}

// An ask of another surface without a front must not be opened.
func TestOpenRefusesWhatCannotBeCarriedOver(t *testing.T) {
	ask := &dialect.Ask{Surface: "openai", Operation: dialect.Operation{Name: "images"}}
	_, err := anthropic.Dialect{}.Open(ask, dialect.Account{Provider: &sluice.Provider{Type: "anthropic"}})
	if sluice.CodeOf(err) != sluice.CodeUnsupported {
		t.Errorf("it is %v", err)
	}
}
