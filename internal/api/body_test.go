package api_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/api"
	"github.com/sluicegate/sluice/test/controlsuite"
)

var traceID = regexp.MustCompile(`"trace_id":"[^"]*"`)

// TestErrors shows, request by request, what a client that makes a mistake gets
// to read: testdata/errors.txt is requests, ----, and the answer. Without it
// error texts and pointers would change unseen.
func TestErrors(t *testing.T) {
	const file = "testdata/errors.txt"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w := controlsuite.StartPeopled(t, nil)
	token := w.Token(t, controlsuite.Root)
	var out strings.Builder
	for _, block := range strings.Split(strings.TrimSpace(string(text)), "\n\n\n") {
		request, _, _ := strings.Cut(block, "\n----\n")
		a := do(t, w, parseCall(request, token))
		a.problem(t)
		shown := traceID.ReplaceAllString(string(a.body), `"trace_id":"…"`)
		if out.Len() > 0 {
			out.WriteString("\n\n\n")
		}
		fmt.Fprintf(&out, "%s\n----\n%d %s", request, a.status, strings.TrimSpace(shown))
	}
	golden(t, file, []byte(out.String()+"\n"))
}

// parseCall reads a request of the golden file: a line with method and path,
// header lines, an empty line, the body. "{deep}" stands for 70 open brackets,
// "{large}" for a string beyond the limit.
func parseCall(text, token string) call {
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	for len(lines) > 0 && strings.HasPrefix(lines[0], "#") {
		lines = lines[1:]
	}
	c := call{token: token, header: map[string]string{}}
	c.method, c.path, _ = strings.Cut(lines[0], " ")
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		c.header[name] = strings.TrimSpace(value)
	}
	body = strings.ReplaceAll(body, "{deep}", strings.Repeat("[", 70))
	c.body = strings.ReplaceAll(body, "{large}", strings.Repeat("x", 1<<20))
	return c
}

// FuzzStrictDecode holds two things for any input: what is accepted is exactly
// what encoding/json accepts, too, and what is refused is refused as the
// client's fault.
func FuzzStrictDecode(f *testing.F) {
	for _, seed := range []string{`{"name":"a","nodes":[{"host":"h","port":80}]}`, `{"nodes":[{"port":1e3}]}`, `{"a":{"b":[1,{}]}}`, `null`, `[`, "\xff", `{"retries":null,"weight":-0}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var strict, lenient sluice.Upstream
		if err := api.StrictDecode(data, &strict, nil); err != nil {
			if code := sluice.CodeOf(err); code != sluice.CodeInvalidRequest {
				t.Fatalf("%q is refused with %s", data, code)
			}
			return
		}
		if err := json.Unmarshal(data, &lenient); err != nil {
			t.Fatalf("%q is accepted, encoding/json says %v", data, err)
		}
	})
}
