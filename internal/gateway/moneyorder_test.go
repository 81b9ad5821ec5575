package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// moment is how long a test looks on whether something happens that must not.
const moment = 30 * time.Millisecond

// counter reads a metric without labels.
func (m *money) counter(name string) float64 {
	m.t.Helper()
	families, err := m.metrics.Gather()
	if err != nil {
		m.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	m.t.Fatalf("there is no metric %s", name)
	return 0
}

// reading is an answer while it arrives.
type reading struct {
	mu     sync.Mutex
	status int
	body   bytes.Buffer
	done   bool
	err    error
}

// begin sends a request and reads the answer as it comes.
func (m *money) begin(path, body string, fields ...string) *reading {
	m.t.Helper()
	return m.beginIn(m.t.Context(), path, body, fields...)
}

// beginIn hangs up when ctx is done.
func (m *money) beginIn(ctx context.Context, path, body string, fields ...string) *reading {
	m.t.Helper()
	req, err := http.NewRequestWithContext(ctx, "POST", m.url+path, strings.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+m.token)
	req.Header.Set("Content-Type", "application/json")
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		req.Header.Set(name, value)
	}
	r := &reading{}
	go r.follow(m.client, req) // ends with the answer, or with the test
	return r
}

func (r *reading) follow(c *http.Client, req *http.Request) {
	resp, err := c.Do(req)
	if err == nil {
		r.note(func() { r.status = resp.StatusCode })
		b := make([]byte, 4<<10)
		for err == nil {
			var n int
			n, err = resp.Body.Read(b)
			r.note(func() { r.body.Write(b[:n]) })
		}
		resp.Body.Close()
	}
	r.note(func() {
		r.done = true
		if err != io.EOF {
			r.err = err
		}
	})
}

func (r *reading) note(do func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	do()
}

// now is what has arrived so far.
func (r *reading) now() (status int, body string, done bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status, r.body.String(), r.done
}

// whole waits for the end.
func (r *reading) whole(m *money) answer {
	m.t.Helper()
	m.eventually("the answer is whole", func() bool { _, _, done := r.now(); return done })
	return answer{status: r.status, body: r.body.String(), err: r.err}
}

// A provider would be called, and paid, for a request that a loss of power
// forgets.
func TestNoByteBeforeOpen(t *testing.T) { onEveryTransport(t, testNoByteBeforeOpen) }

func testNoByteBeforeOpen(t *testing.T, over transport) {
	for _, extra := range []string{"", streamed} {
		m := newMoney(t, over, setting{})
		m.topUp(acme, usd(100_000))
		m.ask("") // the segment is there, and a connection
		m.settled()
		m.disk.hold()
		r := m.begin("/v1/chat/completions", chatBody("m1", extra))
		m.eventually("OPEN waits for the disk", func() bool { return m.disk.stuck() == 1 })
		time.Sleep(moment)
		if n := len(m.up.Requests()); n != 1 {
			t.Errorf("the provider was called %d times", n)
		}
		m.disk.release()
		if a := r.whole(m); a.status != 200 || a.err != nil {
			t.Errorf("%d %s %v", a.status, a.body, a.err)
		}
		m.exact()
	}
}

// Fast terms would wait for the disk, or not even for the write.
func TestFastTermsDoNotWaitForTheDisk(t *testing.T) {
	onEveryTransport(t, testFastTermsDoNotWaitForTheDisk)
}

func testFastTermsDoNotWaitForTheDisk(t *testing.T, over transport) {
	for _, extra := range []string{"", streamed} {
		m := newMoney(t, over, setting{})
		m.terms(fast)
		m.apply()
		m.topUp(acme, usd(100_000))
		m.ask("")
		m.settled()
		late := m.counter("sluice_settle_late_total")
		m.up.Script(func(w *sluicetest.Wire, r sluicetest.Request) { // called although OPEN is not on the disk
			for m.disk.stuck() == 0 && w.Sleep(time.Millisecond) { // the disk is asked for it a moment later
			}
			m.till.serve(w, r)
		})
		m.disk.hold()
		if a := m.begin("/v1/chat/completions", chatBody("m1", extra)).whole(m); a.status != 200 || a.err != nil || m.disk.stuck() != 1 {
			t.Errorf("%d %s %v", a.status, a.body, a.err)
		}
		if n := m.counter("sluice_settle_late_total") - late; n != 1 {
			t.Errorf("%g late endings are counted", n)
		}
		m.disk.release()
		m.exact()
	}
}

// ends are the ways in which an answer ends on each surface: mark is in what must
// not leave before the cost is durable, "" where that is the end of a document.
var ends = []struct{ name, path, body, mark string }{
	{"chat", "/v1/chat/completions", chatBody("m1", ""), ""},
	{"chat stream", "/v1/chat/completions", chatBody("m1", streamed), "[DONE]"},
	{"responses", "/v1/responses", `{"model":"m1","input":"hi"}`, ""},
	{"responses stream", "/v1/responses", `{"model":"m1","input":"hi","stream":true}`, "response.completed"},
	{"messages", "/v1/messages", `{"model":"m1","max_tokens":99,"messages":[{"role":"user","content":"hi"}]}`, ""},
	{"messages stream", "/v1/messages", `{"model":"m1","max_tokens":99,"stream":true,"messages":[{"role":"user","content":"hi"}]}`, "message_stop"},
	{"gemini", "/v1beta/models/m1:generateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`, ""},
	{"gemini stream", "/v1beta/models/m1:streamGenerateContent?alt=sse", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`, "finishReason"},
	{"gemini array", "/v1beta/models/m1:streamGenerateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`, ""},
}

// everySurface adds routes of the surfaces that the harness has none of.
func (m *money) everySurface() {
	m.add(&sluice.Route{Meta: meta("platform", "claude"), Paths: []string{"/v1/messages"}, Surface: "anthropic", Plugins: pluginSet("bearer", `{}`)})
	m.add(&sluice.Route{Meta: meta("platform", "gem"), Paths: []string{"/v1beta/*"}, Surface: "gemini", Plugins: pluginSet("bearer", `{}`)})
	m.apply()
}

// over reports whether the client of an answer may take it for complete.
func over(body, mark string, done bool) bool {
	return done || mark != "" && strings.Contains(body, mark) || mark == "" && json.Valid([]byte(body))
}

// A client would have the end of an answer that nobody can be charged for.
func TestNoEndBeforeTerminal(t *testing.T) { onEveryTransport(t, testNoEndBeforeTerminal) }

func testNoEndBeforeTerminal(t *testing.T, transport transport) {
	m := newMoney(t, transport, setting{})
	m.everySurface()
	m.topUp(acme, usd(1_000_000))
	m.up.Script(func(w *sluicetest.Wire, r sluicetest.Request) {
		m.disk.hold() // OPEN is durable, or this would not have come
		m.till.serve(w, r)
	})
	for _, c := range ends {
		t.Run(c.name, func(t *testing.T) {
			r := m.begin(c.path, c.body)
			m.eventually("TERMINAL waits for the disk", func() bool { return m.disk.stuck() == 1 && m.journal.Stats().Requests == 0 })
			time.Sleep(moment)
			if status, body, done := r.now(); over(body, c.mark, done) {
				t.Errorf("%d %q has left", status, body)
			}
			m.disk.release()
			if a := r.whole(m); a.status != 200 || a.err != nil || !over(a.body, c.mark, false) {
				t.Errorf("%d %q %v", a.status, a.body, a.err)
			}
			m.exact()
		})
	}
}
