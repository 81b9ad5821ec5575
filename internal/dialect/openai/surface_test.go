package openai_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/openai"
)

// A path that is misread answers the wrong request, or creates objects in an
// account that tenants share.
func TestOperations(t *testing.T) {
	for _, c := range []struct{ method, path, want string }{
		{"POST", "/v1/chat/completions", "chat /chat/completions"},
		{"POST", "/v1/completions", "completions /completions"},
		{"POST", "/v1/embeddings", "embeddings /embeddings"},
		{"POST", "/v1/images/generations", "images /images/generations"},
		{"POST", "/v1/images/edits", "images /images/edits"},
		{"POST", "/v1/images/variations", "images /images/variations"},
		{"POST", "/v1/audio/speech", "audio /audio/speech"},
		{"POST", "/v1/audio/transcriptions", "audio /audio/transcriptions"},
		{"POST", "/v1/audio/translations", "audio /audio/translations"},
		{"POST", "/v1/moderations", "moderations /moderations"},
		{"POST", "/v1/rerank", "rerank /rerank"},
		{"GET", "/v1/models", "models /models local"},
		{"GET", "/v1/models/gpt-4o", "models /models local gpt-4o"},
		{"GET", "/v1/models/org/deep/model", "models /models local org/deep/model"},
		{"GET", "/v1/models/org%2Fmodel", "models /models local org/model"},
		{"POST", "/v1/models", "COMMON_008"},
		{"DELETE", "/v1/models/ft:x", "COMMON_011"},
		{"GET", "/v1/embeddings", "COMMON_008"},
		{"GET", "/v1/chat/completions", "COMMON_011"},
		{"GET", "/v1/chat/completions/chatcmpl-1", "COMMON_011"},
		{"POST", "/v1/chat/completions/", "COMMON_002"},
		{"POST", "/v1/responses", "chat /responses"},
		{"POST", "/v1/responses/input_tokens", "count /responses/input_tokens"},
		{"GET", "/v1/responses", "COMMON_008"},
		{"DELETE", "/v1/responses/resp_1", "COMMON_011"},
		{"POST", "/v1/responses/resp_1/cancel", "COMMON_011"},
		{"GET", "/v1/responses/resp_1/input_items", "COMMON_011"},
		{"GET", "/v1/responses/resp_1", "COMMON_011"},
		{"POST", "/v1/files", "COMMON_011"},
		{"POST", "/v1/batches", "COMMON_011"},
		{"POST", "/v1/uploads", "COMMON_011"},
		{"POST", "/v1/fine_tuning/jobs", "COMMON_011"},
		{"POST", "/v1/assistants", "COMMON_011"},
		{"POST", "/v1/threads/runs", "COMMON_011"},
		{"POST", "/v1/vector_stores", "COMMON_011"},
		{"GET", "/v1/realtime", "COMMON_011"},
		{"POST", "/v1/containers", "COMMON_011"},
		{"GET", "/v1/organization/usage", "COMMON_011"},
		{"POST", "/v1/filesystem", "COMMON_002"},
		{"POST", "/v1/chat", "COMMON_002"},
		{"POST", "/v2/chat/completions", "COMMON_002"},
		{"GET", "/", "COMMON_002"},
	} {
		op, err := openai.Surface{}.Operation(c.method, c.path)
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

// The official SDKs read message, type, param and code; people read trace_id.
func TestErrorsHaveOpenAIsShape(t *testing.T) {
	e := sluice.Errorf(sluice.CodeUnauthorized, "the key is not valid").At("/messages/0/content")
	kind, body := openai.Surface{}.Error(e, "trace-1")
	if kind != "application/json" {
		t.Errorf("content type %q", kind)
	}
	const want = `{"error":{"message":"the key is not valid","type":"authentication_error","param":"messages[0].content","code":"AUTH_001","trace_id":"trace-1","retryable":false,"doc_url":"https://github.com/sluicegate/sluice/blob/main/docs/errors.md#auth_001"}}`
	if string(body) != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
	if event := string(openai.Surface{}.StreamError(e, "trace-1")); event != "data: "+want+"\n\n" {
		t.Errorf("stream error is %q", event)
	}
}

// Every code has to reach an SDK as JSON with the members it insists on, even
// with a detail that cannot be encoded.
func TestEveryCodeRenders(t *testing.T) {
	for _, info := range sluice.Codes() {
		_, body := openai.Surface{}.Error(sluice.Errorf(info.Code, "x").With("odd", func() {}), "id")
		var got struct {
			Error struct {
				Message, Type, Code string
				Param               *string
			}
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatalf("%s: %v", info.Code, err)
		}
		if got.Error.Code != string(info.Code) || got.Error.Type == "" || !strings.Contains(string(body), `"param":null`) {
			t.Errorf("%s renders as %s", info.Code, body)
		}
	}
}

// The SDKs refuse a list of models that lacks a member.
func TestModels(t *testing.T) {
	m := &sluice.Model{}
	m.Name, m.CreatedAt = "org/model", time.Unix(1700000000, 0)
	const one = `{"id":"org/model","object":"model","created":1700000000,"owned_by":"sluice"}`
	if got := string(openai.Surface{}.Model(m)); got != one {
		t.Errorf("model is %s", got)
	}
	if got := string(openai.Surface{}.Models([]*sluice.Model{m, {}})); got != `{"object":"list","data":[`+one+`,{"id":"","object":"model","created":0,"owned_by":"sluice"}]}` {
		t.Errorf("models are %s", got)
	}
	if got := string(openai.Surface{}.Models(nil)); got != `{"object":"list","data":[]}` {
		t.Errorf("no models are %s", got)
	}
}

// A provider that cannot work has to be refused when it is saved, not when the
// first client calls.
func TestCheck(t *testing.T) {
	for _, c := range []struct{ kind, provider, field string }{
		{"openai", `{}`, ""},
		{"openai", `{"settings":{"organization":"org-1","project":"p","stream_usage":false}}`, ""},
		{"openai", `{"settings":{"organisation":"org-1"}}`, "/settings/organisation"},
		{"openai", `{"settings":{"stream_usage":"no"}}`, "/settings/stream_usage"},
		{"openai", `{"settings":{"project":"a\nb"}}`, "/settings/project"},
		{"openai", `{"api_version":"2024-10-21"}`, "/api_version"},
		{"openai", `{"api_key":"a\r\nX: y"}`, "/api_key"},
		{"openai-compatible", `{}`, "/base_url"},
		{"openai-compatible", `{"base_url":"http://x/v1/chat/completions"}`, "/base_url"},
		{"openai-compatible", `{"base_url":"http://x/v1/"}`, ""},
		{"azure-openai", `{"base_url":"https://x.openai.azure.com","api_version":"2024-10-21"}`, ""},
		{"azure-openai", `{}`, "/base_url"},
	} {
		var p sluice.Provider
		if err := json.Unmarshal([]byte(c.provider), &p); err != nil {
			t.Fatal(err)
		}
		for _, d := range openai.Dialects() {
			if d.Name() != c.kind {
				continue
			}
			field := ""
			if err := d.Check(&p); err != nil {
				field = sluice.AsError(err).Field
			}
			if field != c.field {
				t.Errorf("%s %s: blamed %q, want %q", c.kind, c.provider, field, c.field)
			}
		}
	}
}

// Where a call goes is where the credential goes.
func TestTargets(t *testing.T) {
	for _, c := range []struct{ provider, want string }{
		{`{"type":"openai"}`, "https://api.openai.com:443 /v1/chat/completions"},
		{`{"type":"openai","base_url":"https://eu.api.openai.com/v1/"}`, "https://eu.api.openai.com:443 /v1/chat/completions"},
		{`{"type":"openai-compatible","base_url":"http://[::1]:8000"}`, "http://[::1]:8000 /v1/chat/completions"},
		{`{"type":"openai-compatible","base_url":"http://[::1]"}`, "http://[::1]:80 /v1/chat/completions"},
		{`{"type":"openai-compatible","base_url":"https://x/"}`, "https://x:443 /v1/chat/completions"},
		{`{"type":"openai-compatible","base_url":"https://x/api/paas/v4"}`, "https://x:443 /api/paas/v4/chat/completions"},
		{`{"type":"openai-compatible","base_url":"https://x/a%2Fb/v1"}`, "https://x:443 /a%2Fb/v1/chat/completions"},
		{`{"type":"azure-openai","base_url":"https://r.openai.azure.com"}`, "https://r.openai.azure.com:443 /openai/v1/chat/completions"},
		{`{"type":"azure-openai","base_url":"https://r.openai.azure.com/openai/v1/"}`, "https://r.openai.azure.com:443 /openai/v1/chat/completions"},
		{`{"type":"azure-openai","base_url":"https://r.openai.azure.com/openai","api_version":"v+1"}`, "https://r.openai.azure.com:443 /openai/deployments/m/chat/completions?api-version=v%2B1"},
	} {
		s := script{method: "POST", path: "/v1/chat/completions", body: []byte(`{"model":"m","messages":[{}]}`)}
		s.head.Fields.Add("Content-Type", "application/json")
		if err := json.Unmarshal([]byte(c.provider), &s.provider); err != nil {
			t.Fatal(err)
		}
		op, _ := openai.Surface{}.Operation(s.method, s.path)
		ask, err := openai.Surface{}.Ask(op, &s.head, s.body)
		if err != nil {
			t.Fatal(err)
		}
		leg, err := open(s, ask)
		if err != nil {
			t.Fatalf("%s: %v", c.provider, err)
		}
		var call sluice.Call
		if err := leg.Request(&call); err != nil {
			t.Fatal(err)
		}
		if got := call.Scheme + "://" + call.Addr + " " + call.Target; got != c.want {
			t.Errorf("%s: got %s, want %s", c.provider, got, c.want)
		}
	}
}
