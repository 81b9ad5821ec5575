package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// What a target does wrong has to become a clear error in bounded time.
func TestBadTargets(t *testing.T) { onEveryTransport(t, testBadTargets) }

func testBadTargets(t *testing.T, over transport) {
	for name, c := range map[string]struct {
		answer sluicetest.Answer
		status int
		code   sluice.Code
	}{
		"hang":             {sluicetest.Hang(), 504, sluice.CodeTimeout},
		"reset":            {sluicetest.Reset(), 502, sluice.CodeProviderError},
		"reset after head": {sluicetest.ResetAfterHead(), 502, sluice.CodeProviderError},
		"garbage":          {sluicetest.Garbage(), 502, sluice.CodeProviderError},
		"HTML":             {sluicetest.Whole(200, "text/html", "<html>Sign in</html>"), 502, sluice.CodeProviderError},
		"empty":            {sluicetest.JSON(200, ""), 502, sluice.CodeProviderError},
		"short":            {sluicetest.ShortBody("text/event-stream", ""), 502, sluice.CodeProviderError},
		"endless head":     {sluicetest.EndlessHead(), 502, sluice.CodeProviderError},
		"switch protocols": {sluicetest.Raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"), 502, sluice.CodeProviderError},
		"redirect":         {sluicetest.Text(302, "", "Location: http://169.254.169.254/"), 502, sluice.CodeProviderError},
		"500":              {sluicetest.JSON(500, `{"error":{"message":"boom"}}`), 502, sluice.CodeProviderError},
		"429":              {sluicetest.JSON(429, `{"error":{"message":"slow down"}}`, "Retry-After: 3"), 429, sluice.CodeProviderRate},
		"refused key":      {sluicetest.JSON(401, `{"error":{"message":"Incorrect API key provided: sk-p1"}}`), 502, sluice.CodeProviderAuth},
		"business error":   {sluicetest.JSON(400, `{"error":{"message":"max_tokens is too large","param":"max_tokens"}}`), 400, sluice.CodeProviderRefused},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, over)
			u := sluicetest.NewUpstream(t, c.answer)
			f.addProvider("p1", u, func(p *sluice.Provider) { p.Timeouts.FirstByteMS = 300 })
			f.apply()
			a := f.chat("")
			if a.status != c.status || a.errorCode() != c.code || strings.Contains(a.body, "sk-p1") || strings.Contains(a.body, u.Addr()) {
				t.Errorf("%d %s", a.status, a.body)
			}
			r := f.record()
			if r.Code != c.code || len(r.Attempts) != 1 || r.Attempts[0].Target != "p1" || r.Outcome == sluice.OutcomeComplete {
				t.Errorf("record %+v", r)
			}
			if !f.admission.released[r.ID] {
				t.Error("the claims were not released")
			}
		})
	}
}

// heap returns the bytes in use after a collection.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// An answer of any size must pass in bounded memory, or be cut off; it must
// never be gathered.
func TestEndlessAnswers(t *testing.T) { onEveryTransport(t, testEndlessAnswers) }

func testEndlessAnswers(t *testing.T, over transport) {
	const size = 96 << 20 // of ten gigabytes, what a test has time for; memory is the same
	for name, c := range map[string]struct {
		answer sluicetest.Answer
		path   string
		extra  string
	}{
		"10 GB body on a plain route": {sluicetest.Huge(size), "/svc/x", ""},
		"10 GB body of a provider":    {sluicetest.Huge(size), "/v1/chat/completions", ""},
		"line without end":            {sluicetest.EndlessLine(size), "/v1/chat/completions", `,"stream":true`},
		"gzip bomb":                   {sluicetest.GzipBomb(64 << 20), "/v1/chat/completions", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, over)
			u := sluicetest.NewUpstream(t, c.answer)
			f.addProvider("p1", u, nil)
			f.addService(nil, u)
			f.apply()
			req, _ := http.NewRequest("POST", f.url+c.path, strings.NewReader(chatBody("m1", c.extra)))
			req.Header.Set("Authorization", "Bearer "+f.token)
			req.Header.Set("Content-Type", "application/json")
			before, most := heap(), uint64(0)
			resp, err := f.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			buf := make([]byte, 1<<20)
			for n, next := int64(0), int64(0); err == nil; {
				var k int
				k, err = resp.Body.Read(buf)
				if n += int64(k); n >= next {
					next += size / 4
					most = max(most, heap())
				}
			}
			if grown := int64(most) - int64(before); grown > 16<<20 {
				t.Errorf("the heap grew by %d MiB", grown>>20)
			}
			f.record()
		})
	}
}

// Another target may answer as long as the client has seen nothing.
func TestFailover(t *testing.T) { onEveryTransport(t, testFailover) }

func testFailover(t *testing.T, over transport) {
	for name, bad := range map[string]sluicetest.Answer{
		"reset": sluicetest.Reset(), "500": sluicetest.JSON(500, `{}`), "429": sluicetest.JSON(429, `{}`), "401": sluicetest.JSON(401, `{}`),
		"garbage": sluicetest.Garbage(), "stream without events": sluicetest.SSEThenReset(0),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, over)
			first, second := sluicetest.NewUpstream(t, bad), sluicetest.NewUpstream(t, sluicetest.SSE(0, chatEvents...))
			f.addProvider("first", first, nil)
			f.addProvider("second", second, func(p *sluice.Provider) { p.Priority = 1 })
			f.apply()
			a := f.chat(`,"stream":true`)
			if a.status != 200 || strings.Count(a.body, "[DONE]") != 1 || strings.Count(a.body, `"he"`) != 1 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			r := f.record()
			if len(r.Attempts) != 2 || r.Attempts[0].Code == "" || r.Attempts[1].Code != "" || r.Provider != "second" || r.Code != "" {
				t.Errorf("record %+v", r)
			}
		})
	}
}

// After the first content a second target would repeat what the client has read
// and bill it twice.
func TestNoFailoverAfterContent(t *testing.T) { onEveryTransport(t, testNoFailoverAfterContent) }

func testNoFailoverAfterContent(t *testing.T, over transport) {
	f := newFixture(t, over)
	first, second := sluicetest.NewUpstream(t, sluicetest.SSEThenReset(0, chatEvents[:2]...)), sluicetest.NewUpstream(t, sluicetest.SSE(0, chatEvents...))
	f.addProvider("first", first, nil)
	f.addProvider("second", second, func(p *sluice.Provider) { p.Priority = 1 })
	f.apply()
	a := f.chat(`,"stream":true`)
	if a.status != 200 || strings.Contains(a.body, "[DONE]") || !strings.Contains(a.body, string(sluice.CodeProviderError)) {
		t.Errorf("%d %v %s", a.status, a.err, a.body)
	}
	if second.Connections() != 0 {
		t.Error("the second target was called")
	}
	r := f.record()
	if r.Outcome != sluice.OutcomeIncomplete || r.UsageSource != sluice.UsageEstimated || r.Usage.Output == 0 || f.admission.settled[r.ID] == 0 {
		t.Errorf("record %+v", r)
	}
}

// What the client got wrong is wrong at every target: asking again only costs.
func TestBusinessErrorsAreNotRetried(t *testing.T) {
	onEveryTransport(t, testBusinessErrorsAreNotRetried)
}

func testBusinessErrorsAreNotRetried(t *testing.T, over transport) {
	for _, status := range []int{400, 413, 422} {
		f := newFixture(t, over)
		first, second := sluicetest.NewUpstream(t, sluicetest.JSON(status, `{"error":{"message":"no"}}`)), sluicetest.NewUpstream(t, sluicetest.JSON(200, wholeChat))
		f.addProvider("first", first, nil)
		f.addProvider("second", second, func(p *sluice.Provider) { p.Priority = 1 })
		f.apply()
		if a := f.chat(""); a.status >= 500 || a.status < 400 {
			t.Errorf("%d: %d %s", status, a.status, a.body)
		}
		if second.Connections() != 0 {
			t.Errorf("%d was retried", status)
		}
	}
}

// Attempts have to be bounded, and the client told that all of them failed.
func TestAttemptsAreBounded(t *testing.T) { onEveryTransport(t, testAttemptsAreBounded) }

func testAttemptsAreBounded(t *testing.T, over transport) {
	f := newFixture(t, over)
	u := sluicetest.NewUpstream(t, sluicetest.JSON(500, `{}`))
	for i := range 5 {
		f.addProvider(fmt.Sprintf("p%d", i), u, nil)
	}
	f.snap.Groups[0].MaxAttempts = 2
	f.apply()
	a := f.chat("")
	if a.status != 503 || a.errorCode() != sluice.CodeTargetsFailed {
		t.Errorf("%d %s", a.status, a.body)
	}
	if n := len(u.Requests()); n != 2 {
		t.Errorf("%d attempts, want 2", n)
	}
	if r := f.record(); r.Outcome != sluice.OutcomeError || len(r.Attempts) != 2 || r.Attempts[0].Target == r.Attempts[1].Target {
		t.Errorf("record %+v", r)
	}
}

// When every target fails alike, the client has to learn how: waiting longer
// helps against time-outs, an operator against a refused credential.
func TestCommonFailureIsNamed(t *testing.T) { onEveryTransport(t, testCommonFailureIsNamed) }

func testCommonFailureIsNamed(t *testing.T, over transport) {
	for _, c := range []struct {
		answer  sluicetest.Answer
		status  int
		code    sluice.Code
		outcome sluice.Outcome
	}{
		{sluicetest.Hang(), 504, sluice.CodeTimeout, sluice.OutcomeTimeout},
		{sluicetest.JSON(401, `{}`), 502, sluice.CodeProviderAuth, sluice.OutcomeError},
	} {
		f := newFixture(t, over)
		u := sluicetest.NewUpstream(t, c.answer)
		for _, name := range []string{"a", "b"} {
			f.addProvider(name, u, func(p *sluice.Provider) { p.Timeouts.FirstByteMS = 200 })
		}
		f.apply()
		if a := f.chat(""); a.status != c.status || a.errorCode() != c.code {
			t.Errorf("%s: %d %s", c.code, a.status, a.body)
		}
		if r := f.record(); r.Outcome != c.outcome || len(r.Attempts) != 2 {
			t.Errorf("%s: record %+v", c.code, r)
		}
	}
}

// Retries must not multiply the load on a group that is down.
func TestRetryBudget(t *testing.T) { onEveryTransport(t, testRetryBudget) }

func testRetryBudget(t *testing.T, over transport) {
	f := newFixture(t, over)
	u := sluicetest.NewUpstream(t, sluicetest.JSON(500, `{}`))
	f.addProvider("a", u, nil)
	f.addProvider("b", u, nil)
	f.apply()
	const requests = 40
	for range requests {
		f.chat("")
	}
	// A fifth of the requests, three a second, and three to begin with.
	if n := len(u.Requests()); n > requests+requests/5+3+3*10 || n < requests+3 {
		t.Errorf("%d calls for %d requests", n, requests)
	}
	if retries := len(u.Requests()) - requests; retries > requests/2 {
		t.Errorf("%d retries for %d requests", retries, requests)
	}
}

// Without a usable member the answer is quick and says when to come back.
func TestNoHealthyMember(t *testing.T) { onEveryTransport(t, testNoHealthyMember) }

func testNoHealthyMember(t *testing.T, over transport) {
	f := newFixture(t, over)
	f.apply()
	if a := f.chat(""); a.status != 503 || a.errorCode() != sluice.CodeNoTarget {
		t.Errorf("empty group: %d %s", a.status, a.body)
	}
	u := sluicetest.NewUpstream(t, sluicetest.JSON(429, `{}`, "Retry-After: 9"))
	f.addProvider("off", u, func(p *sluice.Provider) { p.Status = sluice.StatusDisabled })
	f.apply()
	if a := f.chat(""); a.status != 503 || a.errorCode() != sluice.CodeNoTarget || u.Connections() != 0 {
		t.Errorf("disabled member: %d %s", a.status, a.body)
	}
	f.addProvider("limited", u, nil)
	f.apply()
	if a := f.chat(""); a.status != 429 || a.header.Get("Retry-After") != "9" {
		t.Errorf("limited member: %d %v", a.status, a.header)
	}
	a := f.chat("")
	if a.status != 503 || a.errorCode() != sluice.CodeNoTarget || a.header.Get("Retry-After") == "" {
		t.Errorf("resting member: %d %v %s", a.status, a.header, a.body)
	}
	if n := len(u.Requests()); n != 1 {
		t.Errorf("a resting member was called %d times", n)
	}
}

// A plain request may be sent twice only when that cannot do harm.
func TestPlainRetries(t *testing.T) { onEveryTransport(t, testPlainRetries) }

func testPlainRetries(t *testing.T, over transport) {
	for name, c := range map[string]struct {
		method string
		body   int
		bad    sluicetest.Answer
		want   int
	}{
		"GET after a reset":  {"GET", 0, sluicetest.Reset(), 200},
		"PUT after a reset":  {"PUT", 1, sluicetest.Reset(), 200},
		"PUT of a long body": {"PUT", 1 << 20, sluicetest.Reset(), 502}, // part of it is gone
		"POST after a reset": {"POST", 1, sluicetest.Reset(), 502},
		"GET with 500":       {"GET", 0, sluicetest.Text(500, "own error"), 500},
		"GET with 404":       {"GET", 0, sluicetest.Text(404, "own error"), 404},
	} {
		f := newFixture(t, over)
		bad, good := sluicetest.NewUpstream(t, c.bad), sluicetest.NewUpstream(t)
		f.addService(func(_ *sluice.Route, u *sluice.Upstream) { u.Nodes[1].Priority = 1 }, bad, good)
		f.apply()
		if a := f.do(c.method, "/svc/x", strings.Repeat("x", c.body)); a.status != c.want {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	f := newFixture(t, over)
	dead, good := sluicetest.NewUpstream(t), sluicetest.NewUpstream(t)
	dead.Close()
	f.addService(func(_ *sluice.Route, u *sluice.Upstream) { u.Nodes[1].Priority = 1 }, dead, good)
	f.apply()
	if a := f.do("POST", "/svc/x", "x"); a.status != 200 {
		t.Errorf("POST to a closed port: %d %s", a.status, a.body)
	}
}

// Weights of nodes are what operators plan capacity by.
func TestNodesShareByWeight(t *testing.T) { onEveryTransport(t, testNodesShareByWeight) }

func testNodesShareByWeight(t *testing.T, over transport) {
	f := newFixture(t, over)
	a, b := sluicetest.NewUpstream(t), sluicetest.NewUpstream(t)
	f.addService(func(_ *sluice.Route, u *sluice.Upstream) { u.Nodes[0].Weight = new(3) }, a, b)
	f.apply()
	for range 20 {
		f.do("GET", "/svc/x", "")
	}
	if n, m := len(a.Requests()), len(b.Requests()); n != 15 || m != 5 {
		t.Errorf("%d and %d, want 15 and 5", n, m)
	}
	if a.Connections() != 1 || b.Connections() != 1 {
		t.Errorf("%d and %d connections: they are not kept", a.Connections(), b.Connections())
	}
}

// A pooled connection that the server closed meanwhile is the pool's problem,
// not the client's.
func TestStalePooledConnection(t *testing.T) { onEveryTransport(t, testStalePooledConnection) }

func testStalePooledConnection(t *testing.T, over transport) {
	f := newFixture(t, over)
	u := sluicetest.NewUpstream(t, sluicetest.JSON(200, wholeChat))
	f.addProvider("p1", u, nil)
	f.apply()
	for range 5 {
		if a := f.chat(""); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		u.CloseIdle()
	}
	for _, r := range f.records(5) {
		if len(r.Attempts) != 1 {
			t.Errorf("record %+v", r)
		}
	}
}

// A large upload must stream, and an upstream that answers before it has read it
// must be heard without a deadlock.
func TestUploads(t *testing.T) { onEveryTransport(t, testUploads) }

func testUploads(t *testing.T, over transport) {
	f := newFixture(t, over)
	u := sluicetest.NewUpstream(t, sluicetest.Text(200, "done"))
	f.addService(func(r *sluice.Route, _ *sluice.Upstream) { r.MaxBodyBytes = 1 << 30 }, u)
	f.apply()
	if a := f.do("POST", "/svc/x", strings.Repeat("x", 8<<20)); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if n := len(u.Requests()[0].Body); n != 8<<20 {
		t.Errorf("%d bytes arrived", n)
	}
	u.Script(func(w *sluicetest.Wire, _ sluicetest.Request) {
		w.Print("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
		w.Sleep(50 * time.Millisecond)
		w.Close()
	})
	u.AnswerEarly(func(r sluicetest.Request) bool { return true })
	pr, pw := io.Pipe()
	go func() { // ends when the transport closes the pipe
		for {
			if _, err := pw.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	}()
	req, _ := http.NewRequest("POST", f.url+"/svc/x", pr)
	req.Header.Set("Authorization", "Bearer "+f.token)
	resp, err := f.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 403 {
		t.Errorf("status %d", resp.StatusCode)
	}
}

// HEAD, 204 and 304 have no body whatever their head says; a gateway that waits
// for one hangs.
func TestBodylessAnswers(t *testing.T) { onEveryTransport(t, testBodylessAnswers) }

func testBodylessAnswers(t *testing.T, over transport) {
	f := newFixture(t, over)
	u := sluicetest.NewUpstream(t,
		sluicetest.Text(200, "twelve bytes"), sluicetest.Raw("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"), sluicetest.Raw("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nConnection: close\r\n\r\n"))
	f.addService(nil, u)
	f.apply()
	if a := f.do("HEAD", "/svc/x", ""); a.status != 200 || a.header.Get("Content-Length") != "12" {
		t.Errorf("HEAD: %d %v", a.status, a.header)
	}
	if a := f.do("GET", "/svc/x", ""); a.status != 204 {
		t.Errorf("%d", a.status)
	}
	if a := f.do("GET", "/svc/x", ""); a.status != 304 || a.header.Get("Etag") != `"x"` {
		t.Errorf("%d %v", a.status, a.header)
	}
}

// Trailers carry the status of gRPC-like protocols.
func TestTrailers(t *testing.T) { onEveryTransport(t, testTrailers) }

func testTrailers(t *testing.T, over transport) {
	f := newFixture(t, over)
	u := sluicetest.NewUpstream(t, sluicetest.Raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n"))
	f.addService(nil, u)
	f.apply()
	req, _ := http.NewRequest("GET", f.url+"/svc/x", nil)
	req.Header.Set("Authorization", "Bearer "+f.token)
	resp, err := f.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); string(b) != "ok" || err != nil || resp.Trailer.Get("X-Sum") != "7" {
		t.Errorf("%q %v %v", b, err, resp.Trailer)
	}
}
