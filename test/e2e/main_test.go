// Package e2e_test uses the real binary as a stranger would: by what it prints,
// over HTTP and through signals.
package e2e_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice/test/process"
)

func TestMain(m *testing.M) { process.Main(m) }

// answer is a whole HTTP answer.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request and reads the whole answer.
func do(t *testing.T, method, url, token, body string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v after %q", method, url, err, b)
	}
	return answer{resp.StatusCode, resp.Header, string(b)}
}

const chatBody = `{"model":"demo-chat","messages":[{"role":"user","content":"Hello"}]}`

// chat makes one whole chat and returns the answer.
func chat(t *testing.T, p *process.Process, key string) answer {
	t.Helper()
	return do(t, "POST", p.Gateway+"/v1/chat/completions", key, chatBody)
}

// eventually waits until what is expected holds; records, for instance, are
// written in batches.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// field reads one field of a JSON object.
func field(t *testing.T, body, name string) string {
	t.Helper()
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &object); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return string(bytes.Trim(object[name], `"`))
}
