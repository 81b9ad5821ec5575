package gemini_test

import (
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/gemini"
)

// secret is the account's credential.
const secret = "AIza-very-secret-credential"

// open begins an attempt of a client's request at an account that serves the
// model under another name.
func open(t *testing.T, path, body string) (*dialect.Ask, dialect.Leg) {
	t.Helper()
	head := &sluice.Head{Method: "POST"}
	head.Path, head.RawQuery, _ = strings.Cut(path, "?")
	head.Fields.Add("Content-Type", "application/json")
	op, err := gemini.Surface{}.Operation(head.Method, head.Path)
	if err != nil {
		t.Fatal(err)
	}
	ask, err := gemini.Surface{}.Ask(op, head, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	account := dialect.Account{Provider: &sluice.Provider{Type: gemini.Name}, APIKey: secret, Model: "gemini-2.5-flash"}
	if account.Plan, err = (gemini.Dialect{}).Prepare(account); err != nil {
		t.Fatal(err)
	}
	leg, err := gemini.Dialect{}.Open(ask, account)
	if err != nil {
		t.Fatal(err)
	}
	return ask, leg
}

// sent is the call of a leg.
func sent(t *testing.T, leg dialect.Leg) (call *sluice.Call, body string) {
	t.Helper()
	call = new(sluice.Call)
	if err := leg.Request(call); err != nil {
		t.Fatal(err)
	}
	for _, piece := range call.Body {
		body += string(piece)
	}
	return call, body
}

// answered feeds an answer in pieces of n bytes.
func answered(leg dialect.Leg, contentType, body string, n int) (out string, head sluice.RespHead, err error) {
	in := sluice.RespHead{Status: 200}
	in.Fields.Add("Content-Type", contentType)
	if err = leg.Begin(&in, &head); err != nil {
		return "", head, err
	}
	for len(body) > 0 {
		piece := body[:min(n, len(body))]
		body = body[len(piece):]
		b, err := leg.Feed([]byte(piece))
		if err != nil {
			return out, head, err
		}
		out += string(b)
	}
	b, err := leg.Finish()
	return out + string(b), head, err
}

// A request of the provider's own clients must reach it as it was written, but
// for the model's name: whatever is changed is a feature lost.
func TestNativeRequestsPassUntouched(t *testing.T) {
	for _, c := range []struct{ path, body, target, sent string }{
		{
			"/v1beta/models/fast:generateContent", `{"contents":[{"parts":[{"text":"x","future":1}]}], "futureMember":{"a_b":1}}`,
			"/v1beta/models/gemini-2.5-flash:generateContent", `{"contents":[{"parts":[{"text":"x","future":1}]}], "futureMember":{"a_b":1}}`,
		},
		{
			"/v1/models/models%2Ffast:streamGenerateContent", `{"model":"models/fast","contents":[{"parts":[{"text":"x"}]}]}`,
			"/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", `{"model":"models/gemini-2.5-flash","contents":[{"parts":[{"text":"x"}]}]}`,
		},
		{
			"/v1beta/models/fast:countTokens", `{"generateContentRequest":{"model":"fast","contents":[{"parts":[{"text":"x"}]}]}}`,
			"/v1beta/models/gemini-2.5-flash:countTokens", `{"generateContentRequest":{"model":"models/gemini-2.5-flash","contents":[{"parts":[{"text":"x"}]}]}}`,
		},
		{
			"/v1beta/models/fast:batchEmbedContents", `{"requests":[{"model":"models/fast","content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]},"model":"models/fast"}]}`,
			"/v1beta/models/gemini-2.5-flash:batchEmbedContents", `{"requests":[{"model":"models/gemini-2.5-flash","content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]},"model":"models/gemini-2.5-flash"}]}`,
		},
	} {
		_, leg := open(t, c.path, c.body)
		call, body := sent(t, leg)
		if call.Target != c.target || body != c.sent || call.Host != "generativelanguage.googleapis.com" || call.Addr != "generativelanguage.googleapis.com:443" {
			t.Errorf("%s: sent %s %s %s", c.path, call.Addr, call.Target, body)
		}
		if key := call.Fields.Get("x-goog-api-key"); key != secret || call.Fields.Get("Authorization") != "" {
			t.Errorf("%s: the credential is %q", c.path, key)
		}
	}
}

// events is a stream as Google sends it, its frames ending in CRLF.
const events = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Grüß\"}],\"role\":\"model\"},\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":9,\"candidatesTokenCount\":1,\"totalTokenCount\":10},\"modelVersion\":\"gemini-2.5-flash\"}\r\n\r\n" +
	"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\" Gott\"}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":9,\"candidatesTokenCount\":3,\"thoughtsTokenCount\":4,\"totalTokenCount\":16}}\r\n\r\n"

// The answer must be the provider's own, whichever way the network cut it, and
// the bill its last statement.
func TestNativeStreamPassesUntouched(t *testing.T) {
	const body = `{"contents":[{"parts":[{"text":"x"}]}]}`
	for _, n := range []int{1, 7, 4096} {
		_, leg := open(t, "/v1beta/models/fast:streamGenerateContent?alt=sse", body)
		out, head, err := answered(leg, "text/event-stream", events, n)
		if err != nil || out != events || head.Fields.Get("Content-Type") != "text/event-stream" {
			t.Errorf("in pieces of %d: %q %v", n, out, err)
		}
		want := sluice.Usage{Input: 9, Output: 3, Reasoning: 4}
		if u, source := leg.Usage(); u != want || source != sluice.UsageProvider {
			t.Errorf("in pieces of %d: the usage is %+v, %s", n, u, source)
		}
	}
}

// Clients that do not ask for events get an array, and can tell one that was cut.
func TestNativeArrayIsOneDocument(t *testing.T) {
	const body = `{"contents":[{"parts":[{"text":"x"}]}]}`
	_, leg := open(t, "/v1beta/models/fast:streamGenerateContent", body)
	out, head, err := answered(leg, "text/event-stream", events, 11)
	if err != nil || head.Fields.Get("Content-Type") != "application/json" || !strings.HasPrefix(out, `[{"candidates"`) || !strings.HasSuffix(out, "}}]") {
		t.Errorf("%q %v", out, err)
	}

	ask, leg := open(t, "/v1beta/models/fast:streamGenerateContent", body)
	first, _, _ := strings.Cut(events, "\r\n\r\n")
	out, _, err = answered(leg, "text/event-stream", first+"\r\n\r\n", 11)
	if sluice.CodeOf(err) != sluice.CodeProviderError || !strings.HasPrefix(out, "[{") || strings.HasSuffix(out, "]") {
		t.Errorf("cut: %q %v", out, err)
	}
	end := string(ask.StreamError(gemini.Surface{}, sluice.AsError(err), "req-1"))
	if !strings.HasPrefix(end, ",\r\n{\"error\":{\"code\":502,") || !strings.HasSuffix(end, "}\r\n]") {
		t.Errorf("the array ends with %q", end)
	}
}

// A 200 that holds an error, or nothing, must not be taken for an answer.
func TestNativeGuard(t *testing.T) {
	const body = `{"contents":[{"parts":[{"text":"x"}]}]}`
	for _, c := range []struct {
		path, kind, answer string
		code               sluice.Code
	}{
		{":streamGenerateContent?alt=sse", "text/event-stream", "data: {\"error\":{\"code\":429,\"message\":\"slow down\",\"status\":\"RESOURCE_EXHAUSTED\"}}\n\n", sluice.CodeProviderRate},
		{":streamGenerateContent?alt=sse", "application/json", `[{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}]`, sluice.CodeProviderError},
		{":streamGenerateContent?alt=sse", "text/event-stream", "data: {\"usageMetadata\":{\"promptTokenCount\":1}}\n\n", sluice.CodeProviderError},
		{":generateContent", "application/json", `{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}`, sluice.CodeProviderRefused},
		{":generateContent", "application/json", `{"hello":1}`, sluice.CodeProviderError},
		{":generateContent", "application/json", `{"candidates":[`, sluice.CodeProviderError},
		{":generateContent", "application/json", ``, sluice.CodeProviderError},
		{":countTokens", "application/json", `{"candidates":[]}`, sluice.CodeProviderError},
	} {
		_, leg := open(t, "/v1beta/models/fast"+c.path, body)
		out, _, err := answered(leg, c.kind, c.answer, 4096)
		if sluice.CodeOf(err) != c.code || out != "" {
			t.Errorf("%s %s: %q %v", c.path, c.answer, out, err)
		}
		if u, source := leg.Usage(); u != (sluice.Usage{}) || source != sluice.UsageNone {
			t.Errorf("%s: an answer that is none costs %+v", c.answer, u)
		}
	}
}

// A blocked prompt is an answer, and costs its prompt.
func TestNativeBlockedPromptIsAnAnswer(t *testing.T) {
	const blocked = `{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":7,"totalTokenCount":7}}`
	_, leg := open(t, "/v1beta/models/fast:generateContent", `{"contents":[{"parts":[{"text":"x"}]}]}`)
	out, _, err := answered(leg, "application/json", blocked, 5)
	if u, _ := leg.Usage(); err != nil || out != blocked || u.Input != 7 {
		t.Errorf("%q %v %+v", out, err, u)
	}
	_, leg = open(t, "/v1beta/models/fast:streamGenerateContent?alt=sse", `{"contents":[{"parts":[{"text":"x"}]}]}`)
	if out, _, err = answered(leg, "text/event-stream", "data: "+blocked+"\r\n\r\n", 5); err != nil || !strings.Contains(out, "SAFETY") {
		t.Errorf("%q %v", out, err)
	}
}
