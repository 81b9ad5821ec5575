package api_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/test/controlsuite"
)

// call is one request of a test.
type call struct {
	method, path string
	body         string
	header       map[string]string
	token        string
	cookie       *http.Cookie
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request to the world's listener. A body is JSON unless the header
// says otherwise.
func do(t *testing.T, w *controlsuite.World, c call) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), c.method, w.URL+c.path, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	if c.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.cookie != nil {
		req.AddCookie(c.cookie)
	}
	for name, value := range c.header {
		req.Header.Set(name, value)
		if value == "" {
			req.Header.Del(name)
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, body}
}

// problem is the error shape as a client of any language sees it.
type problem struct {
	Error struct {
		Code    sluice.Code       `json:"code"`
		Message string            `json:"message"`
		I18n    map[string]string `json:"message_i18n"`
		Details map[string]any    `json:"details"`
		TraceID string            `json:"trace_id"`
		DocURL  string            `json:"doc_url"`
	} `json:"error"`
}

// problem decodes the error shape and fails the test when the answer is not
// exactly of that shape.
func (a answer) problem(t *testing.T) problem {
	t.Helper()
	var p problem
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatalf("status %d is not an error in our shape: %s", a.status, a.body)
	}
	e := p.Error
	if e.Code == "" || e.Message == "" || e.I18n["zh_CN"] == "" || e.I18n["en_US"] == "" || e.Details == nil || e.DocURL == "" {
		t.Errorf("status %d: the error lacks fields: %s", a.status, a.body)
	}
	if e.TraceID == "" || e.TraceID != a.header.Get("X-Request-Id") {
		t.Errorf("trace_id %q is not the request id %q", e.TraceID, a.header.Get("X-Request-Id"))
	}
	if want := sluice.CodeInfo(e.Code).Status; a.status != want {
		t.Errorf("code %s came with status %d, want %d", e.Code, a.status, want)
	}
	return p
}

// wantProblem checks the code of an error answer.
func wantProblem(t *testing.T, a answer, code sluice.Code) problem {
	t.Helper()
	p := a.problem(t)
	if p.Error.Code != code {
		t.Errorf("got %s, want %s: %s", p.Error.Code, code, a.body)
	}
	return p
}

// decode reads an answer that must have the status.
func decode[T any](t *testing.T, a answer, status int) T {
	t.Helper()
	var v T
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	if err := json.NewDecoder(bytes.NewReader(a.body)).Decode(&v); err != nil {
		t.Fatalf("decode %s: %v", a.body, err)
	}
	return v
}
