package dialect_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/builtin"
)

// A name that is missing here is a route or a provider that cannot be used.
func TestRegistryKnowsEverythingBuiltIn(t *testing.T) {
	r := builtin.Registry(nil)
	if got := strings.Join(r.Surfaces(), " "); got != "anthropic gemini http openai" {
		t.Errorf("surfaces are %s", got)
	}
	if got := strings.Join(r.Dialects(), " "); got != "anthropic azure-openai deepseek demo doubao gemini groq minimax mistral moonshot ollama openai openai-compatible openrouter qwen sglang together vllm zhipu" {
		t.Errorf("dialects are %s", got)
	}
	if !r.KnownSurface("openai") || r.KnownSurface("gopher") {
		t.Error("the known surfaces are wrong")
	}
	if s, ok := r.Surface("http"); !ok || s.ReadsBody() {
		t.Error("the plain surface is missing, or reads bodies")
	}
	if d, ok := r.Dialect("demo"); !ok || d.Name() != "demo" {
		t.Error("the demo dialect is missing")
	}
	if err := r.CheckProvider(&sluice.Provider{Type: "gopher"}); sluice.CodeOf(err) != sluice.CodeInvalidRequest || sluice.AsError(err).Field != "/type" {
		t.Errorf("an unknown type is %v", err)
	}
	if err := r.CheckProvider(&sluice.Provider{Type: "demo"}); err != nil {
		t.Error(err)
	}
}

// Clients in two languages, and programs, read errors of plain routes.
func TestPlainErrorHasTheDocumentedShape(t *testing.T) {
	e := sluice.Errorf(sluice.CodeUnauthorized, "the key has expired").At("Authorization").With("expired", true)
	kind, body := dialect.Plain{}.Error(e, "trace-1")
	const want = `{"error":{"code":"AUTH_001","message":"the key has expired",` +
		`"message_i18n":{"zh_CN":"凭证缺失、无效或已过期。（字段：Authorization）","en_US":"the key has expired"},` +
		`"details":{"expired":true,"field":"Authorization"},"trace_id":"trace-1","retryable":false,` +
		`"doc_url":"https://github.com/sluicegate/sluice/blob/main/docs/errors.md#auth_001"}}`
	if kind != "application/json" || string(body) != want {
		t.Errorf("got  %s %s\nwant %s", kind, body, want)
	}
	if (dialect.Plain{}).StreamError(e, "trace-1") != nil {
		t.Error("a plain stream cannot carry an error")
	}
	odd := e.With("f", func() {}).JSON("trace-1")
	if !json.Valid(odd) || !strings.Contains(string(odd), "AUTH_001") {
		t.Errorf("an odd detail renders as %s", odd)
	}
}

// Moving on to another target for what the client got wrong wastes money; not
// moving on for what it did not loses the request.
func TestRetryable(t *testing.T) {
	for code, want := range map[sluice.Code]bool{
		sluice.CodeProviderError: true, sluice.CodeProviderRate: true, sluice.CodeProviderAuth: true, sluice.CodeProviderQuota: true,
		sluice.CodeProviderModel: true, sluice.CodeTimeout: true, sluice.CodeProviderRefused: false, sluice.CodeInvalidRequest: false,
		sluice.CodeClientGone: false,
	} {
		if got := dialect.Retryable(sluice.Errorf(code, "x")); got != want {
			t.Errorf("%s: got %v", code, got)
		}
	}
}
