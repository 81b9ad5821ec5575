package e2e_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sluicegate/sluice/test/process"
)

// stream is a running answer whose first event has arrived.
type stream struct {
	resp *http.Response
	in   *bufio.Reader
}

// openStream starts a long stream and waits for its first event.
func openStream(t *testing.T, p *process.Process) *stream {
	t.Helper()
	body := `{"model":"demo-chat","stream":true,"max_tokens":40,"messages":[{"role":"user","content":"Count to one hundred"}]}`
	req, err := http.NewRequest("POST", p.Gateway+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.Key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	s := &stream{resp: resp, in: bufio.NewReader(resp.Body)}
	if line, err := s.in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "data: ") {
		t.Fatalf("%s: %q, %v", resp.Status, line, err)
	}
	return s
}

func (s *stream) readAll(t *testing.T) string {
	t.Helper()
	defer s.close()
	b, err := io.ReadAll(s.in)
	if err != nil {
		t.Errorf("the stream broke off: %v", err)
	}
	return string(b)
}

func (s *stream) close() { _ = s.resp.Body.Close() }
