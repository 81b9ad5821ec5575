package api_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/api"
	"github.com/sluicegate/sluice/test/controlsuite"
)

// TestConditionalWrites holds ETag, If-Match and If-None-Match together: without
// them two admins overwrite each other unnoticed.
func TestConditionalWrites(t *testing.T) {
	w := controlsuite.StartPeopled(t, nil)
	token := w.Token(t, controlsuite.Root)
	path := "/admin/v1/groups/vip"
	put := func(header, value string) answer {
		return do(t, w, call{method: "PUT", path: path, body: fmt.Sprintf(`{"description":%q}`, header+value), token: token, header: map[string]string{header: value}})
	}
	made := put("If-None-Match", "*")
	if made.status != 201 || made.header.Get("ETag") != `"1"` || made.header.Get("Location") != path {
		t.Fatalf("create: %d, ETag %s, Location %s", made.status, made.header.Get("ETag"), made.header.Get("Location"))
	}
	wantProblem(t, put("If-None-Match", "*"), sluice.CodePrecondition)
	wantProblem(t, put("If-None-Match", `"1"`), sluice.CodeInvalidRequest)
	if a := put("If-Match", `"1"`); a.status != 200 || a.header.Get("ETag") != `"2"` || a.header.Get("Location") != "" {
		t.Errorf("replace: %d, ETag %s", a.status, a.header.Get("ETag"))
	}
	wantProblem(t, put("If-Match", `"1"`), sluice.CodePrecondition)
	for condition, code := range map[string]sluice.Code{`W/"2"`: sluice.CodePrecondition, `"1", W/"2", "somebody, else's"`: sluice.CodePrecondition,
		`2`: sluice.CodeInvalidRequest, `"2`: sluice.CodeInvalidRequest, `"1" "2"`: sluice.CodeInvalidRequest, strings.Repeat(`"1",`, 16) + `"2"`: sluice.CodeInvalidRequest} {
		if p := wantProblem(t, put("If-Match", condition), code); p.Error.Details["field"] != "If-Match" && code == sluice.CodeInvalidRequest {
			t.Errorf("If-Match %s: details %v", condition, p.Error.Details)
		}
	}
	for _, condition := range []string{`*`, ` "1" , "somebody, else's","2"`} {
		if a := do(t, w, call{method: "PATCH", path: path, body: `{}`, token: token, header: map[string]string{"If-Match": condition}}); a.status != 200 {
			t.Errorf("If-Match %s: %d %s", condition, a.status, a.body)
		}
	}
	absent := call{method: "PUT", path: path + "-2", body: `{}`, token: token, header: map[string]string{"If-Match": "*"}}
	wantProblem(t, do(t, w, absent), sluice.CodePrecondition)
	wantProblem(t, do(t, w, call{method: "DELETE", path: path, token: token, header: map[string]string{"If-Match": `"1"`}}), sluice.CodePrecondition)
	if a := do(t, w, call{method: "DELETE", path: path, token: token, header: map[string]string{"If-Match": `"2"`}}); a.status != 204 || len(a.body) != 0 {
		t.Errorf("delete: %d %q", a.status, a.body)
	}
}

// TestNamesWithSlashes keeps models reachable whose names are paths.
func TestNamesWithSlashes(t *testing.T) {
	w := controlsuite.StartPeopled(t, nil)
	token := w.Token(t, controlsuite.Root)
	a := do(t, w, call{method: "POST", path: "/admin/v1/models?tenant=acme", body: `{"name":"meta/llama-3.1:70b"}`, token: token})
	if want := "/admin/v1/models/meta%2Fllama-3.1:70b?tenant=acme"; a.status != 201 || a.header.Get("Location") != want {
		t.Fatalf("create: %d, Location %q, want %q", a.status, a.header.Get("Location"), want)
	}
	found := decode[sluice.Model](t, do(t, w, call{method: "GET", path: a.header.Get("Location"), token: token}), 200)
	if found.Name != "meta/llama-3.1:70b" {
		t.Errorf("the Location leads to %q", found.Name)
	}
}

// TestIdempotencyKey keeps a client that repeats a lost request from creating
// twice.
func TestIdempotencyKey(t *testing.T) {
	w := controlsuite.StartPeopled(t, nil)
	token := w.Token(t, controlsuite.AcmeAdmin)
	post := func(body string) answer {
		return do(t, w, call{method: "POST", path: "/keys", body: body, token: token, header: map[string]string{"Idempotency-Key": "k-1"}})
	}
	first := decode[sluice.Key](t, post(`{"description":"one"}`), 201)
	second := decode[sluice.Key](t, post(`{"description":"one"}`), 201)
	if first.ID != second.ID || first.Token == "" || second.Token != "" {
		t.Errorf("ids %d and %d, second token %q", first.ID, second.ID, second.Token)
	}
	wantProblem(t, post(`{"description":"two"}`), sluice.CodeIdempotency)
}

// TestRequestID lets an operator find a client's failure in the log, and keeps
// a client from writing into it.
func TestRequestID(t *testing.T) {
	w := controlsuite.Start(t, nil)
	for sent, kept := range map[string]bool{"trace-42": true, "": false, "has space": false, strings.Repeat("x", 129): false, `"><script>`: false} {
		a := do(t, w, call{method: "GET", path: "/health", header: map[string]string{"X-Request-Id": sent}})
		if got := a.header.Get("X-Request-Id"); got == "" || (got == sent) != kept {
			t.Errorf("sent %q, answered %q", sent, got)
		}
	}
}

// TestSecurityHeaders keeps answers from being sniffed, framed, cached or
// shared with other origins.
func TestSecurityHeaders(t *testing.T) {
	w := controlsuite.Start(t, func(cfg *api.Config) { cfg.PublicURL = "https://sluice.example" })
	for _, path := range []string{"/health", "/docs", "/openapi.json", "/nowhere", "/setup"} {
		h := do(t, w, call{method: "GET", path: path, header: map[string]string{"Origin": "https://evil.example"}}).header
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
			"Cache-Control": "no-store", "Access-Control-Allow-Origin": "", "Strict-Transport-Security": "max-age=31536000",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if policy := h.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") {
			t.Errorf("%s: policy %q", path, policy)
		}
	}
}

// TestInternalErrorsHideTheirCause keeps what only operators may know out of
// answers, and in the log; a panic is one of them and drops no connection.
func TestInternalErrorsHideTheirCause(t *testing.T) {
	var log bytes.Buffer
	w := controlsuite.StartPeopled(t, func(cfg *api.Config) {
		cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
		cfg.Gateways = func() []sluice.GatewayStatus { panic(errors.New("canary in the cellar")) }
	})
	a := do(t, w, call{method: "GET", path: "/admin/v1/gateways", token: w.Token(t, controlsuite.Root)})
	p := wantProblem(t, a, sluice.CodeInternal)
	if strings.Contains(string(a.body), "canary") {
		t.Errorf("the answer shows the cause: %s", a.body)
	}
	if !strings.Contains(log.String(), "canary") || !strings.Contains(log.String(), p.Error.TraceID) {
		t.Errorf("the log lacks cause or trace id: %s", log.String())
	}
}

// TestReady tells an orchestrator why a process cannot serve.
func TestReady(t *testing.T) {
	w := controlsuite.Start(t, func(cfg *api.Config) { cfg.Ready = func() string { return "the master key is wrong" } })
	a := do(t, w, call{method: "GET", path: "/ready"})
	if p := wantProblem(t, a, sluice.CodeUnavailable); !strings.Contains(p.Error.Message, "the master key is wrong") || a.header.Get("Retry-After") == "" {
		t.Errorf("message %q, Retry-After %q", p.Error.Message, a.header.Get("Retry-After"))
	}
}

// TestLogLevel lets an operator look closer without a restart, and nobody else.
func TestLogLevel(t *testing.T) {
	w := controlsuite.StartPeopled(t, nil)
	set := call{method: "PUT", path: "/admin/v1/system/log-level", body: `{"level":"debug"}`, token: w.Token(t, controlsuite.AcmeAdmin)}
	wantProblem(t, do(t, w, set), sluice.CodeForbidden)
	set.token = w.Token(t, controlsuite.Root)
	if a := do(t, w, set); a.status != 200 || w.LogLevel.Level() != slog.LevelDebug {
		t.Errorf("status %d, level %s", a.status, w.LogLevel.Level())
	}
	set.body = `{"level":"loud"}`
	wantProblem(t, do(t, w, set), sluice.CodeInvalidRequest)
}

// TestMisspeltDryRunIsRefused keeps a typing error from becoming a real write.
func TestMisspeltDryRunIsRefused(t *testing.T) {
	w := controlsuite.StartPeopled(t, nil)
	token := w.Token(t, controlsuite.Root)
	a := do(t, w, call{method: "DELETE", path: "/admin/v1/users/dev?tenant=acme&dryrun=true", token: token})
	wantProblem(t, a, sluice.CodeInvalidRequest)
	decode[sluice.User](t, do(t, w, call{method: "GET", path: "/admin/v1/users/dev?tenant=acme", token: token}), 200)
}

// TestSelfServiceIsAboutOneself keeps an admin's own pages from acting on
// somebody else's keys, and everybody from changing the own roles there.
func TestSelfServiceIsAboutOneself(t *testing.T) {
	w := controlsuite.StartPeopled(t, nil)
	dev, boss := w.Token(t, controlsuite.AcmeDev), w.Token(t, controlsuite.AcmeAdmin)
	decode[sluice.Key](t, do(t, w, call{method: "POST", path: "/v1/keys", body: `{"name":"devs"}`, token: dev}), 201)
	for _, c := range []call{{method: "GET", path: "/v1/keys/devs"}, {method: "DELETE", path: "/v1/keys/devs"}, {method: "POST", path: "/v1/keys/devs/rotate"}} {
		c.token = boss
		wantProblem(t, do(t, w, c), sluice.CodeNotFound)
	}
	if page := decode[sluice.Page[sluice.Key]](t, do(t, w, call{method: "GET", path: "/v1/keys", token: boss}), 200); len(page.Items) != 0 {
		t.Errorf("an admin's own keys: %+v", page.Items)
	}
	wantProblem(t, do(t, w, call{method: "POST", path: "/v1/keys", body: `{"user":"dev"}`, token: boss}), sluice.CodeInvalidRequest)
	wantProblem(t, do(t, w, call{method: "PATCH", path: "/v1/users/me", body: `{"roles":["tenant-admin"]}`, token: dev}), sluice.CodeInvalidRequest)
}

// TestSlowBody gives a client that never finishes its body an answer, and its
// connection back to the others.
func TestSlowBody(t *testing.T) {
	w := controlsuite.Start(t, func(cfg *api.Config) { cfg.BodyTimeout = 200 * time.Millisecond })
	reader, writer := newPipe(t)
	req, err := http.NewRequestWithContext(t.Context(), "POST", w.URL+"/v1/auth/token", reader)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	started := time.Now()
	go func() { _, _ = writer.Write([]byte(`{"email":`)) }() // ends with the pipe, at the test's end
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		defer resp.Body.Close()
		if resp.StatusCode != 408 {
			t.Errorf("status %d, want 408", resp.StatusCode)
		}
	}
	if waited := time.Since(started); waited > 10*time.Second {
		t.Errorf("the server waited %s", waited)
	}
}

// Lost if it fails: whoever exports a statement gets its first page, and no word of
// the rest.
func TestTablesSayHowToGoOn(t *testing.T) {
	w := controlsuite.StartPeopled(t, nil)
	token := w.Token(t, controlsuite.Root)
	for _, id := range []string{"t-1", "t-2", "t-3"} {
		a := do(t, w, call{method: "POST", path: "/v1/billing/top-up", body: `{"id":"` + id + `","tenant":"acme","amount":"1","asset":"USD"}`, token: token})
		if a.status != http.StatusCreated {
			t.Fatalf("status %d: %s", a.status, a.body)
		}
	}
	const path = "/v1/billing/transactions?tenant=acme&format=csv&limit=2"
	first := do(t, w, call{method: "GET", path: path, token: token})
	next := first.header.Get("Sluice-Next-Cursor")
	if kind := first.header.Get("Content-Type"); kind != "text/csv; charset=utf-8" || next == "" || strings.Count(string(first.body), "\n") != 3 {
		t.Fatalf("the first page is %s, then %q: %s", kind, next, first.body)
	}
	second := do(t, w, call{method: "GET", path: path + "&cursor=" + next, token: token})
	if _, more := second.header["Sluice-Next-Cursor"]; more || strings.Count(string(second.body), "\n") != 2 || !strings.Contains(string(second.body), ",t-1,") {
		t.Errorf("the second page, then %q: %s", second.header.Get("Sluice-Next-Cursor"), second.body)
	}
	if json := do(t, w, call{method: "GET", path: strings.Replace(path, "csv", "json", 1), token: token}); json.header.Get("Content-Type") != "application/json" || !strings.Contains(string(json.body), `"next`) {
		t.Errorf("as JSON: %s %s", json.header.Get("Content-Type"), json.body)
	}
}
