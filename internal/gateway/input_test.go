package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/gateway"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// Whatever is wrong with a request has to be said in its own terms, before a
// connection to a target costs anything, and leave a record.
func TestBadRequests(t *testing.T) { onEveryTransport(t, testBadRequests) }

func testBadRequests(t *testing.T, over transport) {
	f := newFixture(t, over)
	u := sluicetest.NewUpstream(t, sluicetest.JSON(200, wholeChat))
	f.addProvider("p1", u, func(p *sluice.Provider) { p.Models = []string{"m*", "blind"} })
	f.add(&sluice.Model{Meta: meta("platform", "blind"), SupportsVision: new(bool), SupportsFunctions: new(bool), SupportsToolChoice: new(bool),
		MaxOutputTokens: 100, ContextWindow: 200, Operations: []string{"chat"}})
	f.add(&sluice.Model{Meta: meta("platform", "nobody-serves")})
	f.add(&sluice.Model{Meta: meta("platform", "moff"), Status: sluice.StatusDisabled})
	f.addService(func(r *sluice.Route, _ *sluice.Upstream) { r.MaxBodyBytes = 1000; r.Methods = []string{"POST"} }, u)
	f.apply()
	const chat = "/v1/chat/completions"
	token, _ := sluice.NewToken("test")
	for _, c := range []struct {
		name, method, path, body string
		fields                   []string
		status                   int
		code                     sluice.Code
	}{
		{"malformed JSON", "POST", chat, `{"model":`, nil, 400, sluice.CodeInvalidRequest},
		{"not an object", "POST", chat, `[]`, nil, 400, sluice.CodeInvalidRequest},
		{"empty body", "POST", chat, ``, nil, 400, sluice.CodeInvalidRequest},
		{"duplicate model", "POST", chat, `{"model":"m1","model":"m2","messages":[]}`, nil, 400, sluice.CodeInvalidRequest},
		{"missing model", "POST", chat, `{"messages":[]}`, nil, 400, sluice.CodeInvalidRequest},
		{"model of a wrong type", "POST", chat, `{"model":7,"messages":[]}`, nil, 400, sluice.CodeInvalidRequest},
		{"stream of a wrong type", "POST", chat, chatBody("m1", `,"stream":"yes"`), nil, 400, sluice.CodeInvalidRequest},
		{"unknown model", "POST", chat, chatBody("m9", ""), nil, 404, sluice.CodeNotFound},
		{"model that nobody serves", "POST", chat, chatBody("nobody-serves", ""), nil, 404, sluice.CodeNotFound},
		{"disabled model", "POST", chat, chatBody("moff", ""), nil, 404, sluice.CodeNotFound},
		{"vision", "POST", chat, `{"model":"blind","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:,"}}]}]}`, nil, 400, sluice.CodeInvalidRequest},
		{"functions", "POST", chat, chatBody("blind", `,"tools":[{"type":"function","function":{"name":"f"}}]`), nil, 400, sluice.CodeInvalidRequest},
		{"max output", "POST", chat, chatBody("blind", `,"max_tokens":101`), nil, 400, sluice.CodeInvalidRequest},
		{"context", "POST", chat, `{"model":"blind","messages":[{"role":"user","content":"` + strings.Repeat("word ", 1000) + `"}]}`, nil, 400, sluice.CodeInvalidRequest},
		{"operation of the model", "POST", "/v1/embeddings", `{"model":"blind","input":"x"}`, nil, 400, sluice.CodeInvalidRequest},
		{"unknown operation", "POST", "/v1/nothing", `{}`, nil, 404, sluice.CodeNotFound},
		{"wrong method of an operation", "GET", "/v1/embeddings", ``, nil, 405, sluice.CodeMethodNotAllowed},
		{"objects at the provider", "POST", "/v1/files", `{}`, nil, 501, sluice.CodeUnsupported},
		{"unknown path", "GET", "/nowhere", ``, nil, 404, sluice.CodeNotFound},
		{"wrong method of a route", "GET", "/svc/x", ``, nil, 405, sluice.CodeMethodNotAllowed},
		{"oversize body", "POST", "/svc/x", strings.Repeat("x", 1001), nil, 413, sluice.CodeTooLarge},
		{"long URL", "POST", "/svc/x?" + strings.Repeat("a", 9000), ``, nil, 431, sluice.CodeHeadTooLarge},
		{"large field", "POST", "/svc/x", ``, []string{"X-Large: " + strings.Repeat("a", 17000)}, 431, sluice.CodeHeadTooLarge},
		{"above the root", "POST", "/svc/%2e%2e/%2e%2e/etc", ``, nil, 400, sluice.CodeInvalidRequest},
		{"hidden dot segment", "POST", "/svc/..%2f..%2fv1/models", ``, nil, 400, sluice.CodeInvalidRequest},
		{"path parameter trick", "POST", "/svc/..;/v1/models", ``, nil, 400, sluice.CodeInvalidRequest},
		{"ambiguous route", "POST", "/svc%2fx", ``, nil, 400, sluice.CodeInvalidRequest},
		{"NUL", "POST", "/svc/%00", ``, nil, 400, sluice.CodeInvalidRequest},
		{"websocket", "GET", "/svc/x", ``, []string{"Connection: Upgrade", "Upgrade: websocket"}, 501, sluice.CodeUnsupported},
		{"TRACE", "TRACE", "/svc/x", ``, nil, 405, sluice.CodeMethodNotAllowed},
		{"key in the query", "POST", "/svc/x?a=1&whatever=" + token, ``, nil, 401, sluice.CodeUnauthorized},
		{"key in the query, encoded", "POST", "/svc/x?a=%zz&k=%73lc%5F" + token[4:], ``, nil, 401, sluice.CodeUnauthorized},
		{"key in the query, encoded twice", "POST", "/svc/x?k=%2573lc_" + token[4:], ``, nil, 401, sluice.CodeUnauthorized},
		{"key in the query after a semicolon", "POST", "/svc/x?a=1;key=" + token, ``, nil, 401, sluice.CodeUnauthorized},
		{"key as the whole query", "POST", "/svc/x?" + token, ``, nil, 401, sluice.CodeUnauthorized},
		{"key in the query with a scheme", "POST", "/svc/x?h=Bearer%20" + token, ``, nil, 401, sluice.CodeUnauthorized},
		{"key in the query of an LLM", "POST", chat + "?key=anything", chatBody("m1", ""), nil, 401, sluice.CodeUnauthorized},
	} {
		a := f.do(c.method, c.path, c.body, c.fields...)
		if a.status != c.status || a.errorCode() != c.code || a.header.Get("X-Request-Id") == "" {
			t.Errorf("%s: %d %s", c.name, a.status, a.body)
			continue
		}
		if r := f.recordOf(a.header.Get("X-Request-Id")); r.Code != c.code || r.Status != c.status || r.Outcome != sluice.OutcomeRefused || len(r.Attempts) > 0 {
			t.Errorf("%s: record %+v", c.name, r)
		}
	}
	if a := f.do("GET", "/svc/x", ""); a.header.Get("Allow") != "POST" {
		t.Errorf("Allow is %q", a.header.Get("Allow"))
	}
	if n := u.Connections(); n != 0 {
		t.Errorf("%d connections to the upstream", n)
	}
}

// A key that a client put into the path must not stay in the books for everyone
// who reads records.
func TestRecordMasksKeysInThePath(t *testing.T) { onEveryTransport(t, testRecordMasksKeysInThePath) }

func testRecordMasksKeysInThePath(t *testing.T, over transport) {
	f := newFixture(t, over)
	f.apply()
	token, prefix := sluice.NewToken("test")
	a := f.do("GET", "/nowhere/"+token+"/x", "")
	if r := f.recordOf(a.header.Get("X-Request-Id")); r.Path != "/nowhere/"+prefix+"_***/x" {
		t.Errorf("the record has %s", r.Path)
	}
}

// Many fields cost memory before anything is known of who sends them.
func TestTooManyFields(t *testing.T) { onEveryTransport(t, testTooManyFields) }

func testTooManyFields(t *testing.T, over transport) {
	f := newFixture(t, over)
	f.apply()
	var fields []string
	for i := range 70 {
		fields = append(fields, fmt.Sprintf("X-F%d: 1", i))
	}
	if a := f.do("GET", "/v1/models", "", fields...); a.status != 431 || a.errorCode() != sluice.CodeHeadTooLarge {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// raw sends bytes on a connection of their own and returns the answer's head.
func raw(t *testing.T, addr string, send func(net.Conn)) (status string, closed time.Duration) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	start := time.Now()
	c.SetDeadline(start.Add(patience))
	send(c)
	r := bufio.NewReader(c)
	line, _ := r.ReadString('\n')
	_, _ = io.Copy(io.Discard, r)
	return strings.TrimSpace(line), time.Since(start)
}

// A client that trickles its head or body holds a connection for nothing.
func TestSlowClients(t *testing.T) { onEveryTransport(t, testSlowClients) }

func testSlowClients(t *testing.T, over transport) {
	f := newFixture(t, over, func(_ *gateway.Config, l *limits) {
		l.head, l.bodyGrace = 100*time.Millisecond, 100*time.Millisecond
	})
	u := sluicetest.NewUpstream(t)
	f.addProvider("p1", u, nil)
	f.addService(nil, u)
	f.apply()
	if _, closed := raw(t, f.addr, func(c net.Conn) { io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\nX-Slow: ") }); closed > patience/2 {
		t.Errorf("a slow head held its connection for %v", closed)
	}
	for _, path := range []string{"/v1/chat/completions", "/svc/x"} {
		status, _ := raw(t, f.addr, func(c net.Conn) {
			fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{", path, f.token)
		})
		if !strings.Contains(status, "408") {
			t.Errorf("%s: slow body: %q", path, status)
		}
	}
	for _, r := range f.records(2) {
		if r.Code != sluice.CodeSlowClient {
			t.Errorf("record %+v", r)
		}
	}
}

// A body whose length is not told must not pass the limit either.
func TestOversizeChunkedBody(t *testing.T) { onEveryTransport(t, testOversizeChunkedBody) }

func testOversizeChunkedBody(t *testing.T, over transport) {
	f := newFixture(t, over)
	u := sluicetest.NewUpstream(t)
	f.addProvider("p1", u, nil)
	f.addService(func(r *sluice.Route, _ *sluice.Upstream) { r.MaxBodyBytes = 1000 }, u)
	f.snap.Routes[0].MaxBodyBytes = 1000
	f.apply()
	for _, path := range []string{"/svc/x", "/v1/chat/completions"} {
		req, _ := http.NewRequest("POST", f.url+path, io.MultiReader(strings.NewReader(strings.Repeat("x", 5000))))
		req.Header.Set("Authorization", "Bearer "+f.token)
		req.Header.Set("Content-Type", "application/json")
		resp, err := f.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 413 {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	if got := u.Requests(); len(got) > 0 {
		t.Errorf("the upstream got %d whole requests", len(got))
	}
}

// Protocol tricks must not reach a target: each of them once tunnelled past the
// rules of some gateway (T-CVE 14 to 17).
func TestProtocolTricks(t *testing.T) { onEveryTransport(t, testProtocolTricks) }

func testProtocolTricks(t *testing.T, over transport) {
	f := newFixture(t, over)
	u := sluicetest.NewUpstream(t)
	f.addService(nil, u)
	f.apply()
	for _, c := range []struct{ name, head, want string }{
		{"CONNECT", "CONNECT h:443 HTTP/1.1\r\n", "501"},
		{"CL and TE", "POST /svc/x HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ""},
		{"two lengths", "POST /svc/x HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "400"},
		{"other authority", "GET http://other/svc/x HTTP/1.1\r\n", ""},
	} {
		status, _ := raw(t, f.addr, func(c2 net.Conn) {
			first, rest, _ := strings.Cut(c.head, "\r\n")
			fmt.Fprintf(c2, "%s\r\nHost: h\r\nAuthorization: Bearer %s\r\nConnection: close\r\n%s\r\n", first, f.token, rest)
		})
		if !strings.Contains(status, c.want) {
			t.Errorf("%s: %q, want %s", c.name, status, c.want)
		}
	}
	a := f.do("GET", "/svc/y", "", "Connection: X-Request-Id, Traceparent, X-Drop, Upgrade, HTTP2-Settings", "Upgrade: h2c", "Http2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
		"Traceparent: 00-1-2-01", "X-Drop: 1", "TE: trailers", "Trailer: X-T", "X-Forwarded-Custom: spoof", "Forwarded: for=6.6.6.6")
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	list := u.Requests()
	got := list[len(list)-1].Header
	for _, gone := range []string{"X-Drop", "Upgrade", "Http2-Settings", "Te", "Trailer", "X-Forwarded-Custom", "Forwarded", "Connection"} {
		if got.Get(gone) != "" {
			t.Errorf("%s reached the upstream: %q", gone, got.Get(gone))
		}
	}
	if got.Get("Traceparent") == "" {
		t.Error("Connection removed the trace")
	}
}

// A body on a method that has none must not be read as the next request
// (T-CVE 14).
func TestBodyOfGetIsNotTheNextRequest(t *testing.T) {
	onEveryTransport(t, testBodyOfGetIsNotTheNextRequest)
}

func testBodyOfGetIsNotTheNextRequest(t *testing.T, over transport) {
	f := newFixture(t, over)
	u := sluicetest.NewUpstream(t)
	f.addService(nil, u)
	f.apply()
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	smuggled := "GET /svc/smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
	fmt.Fprintf(c, "GET /svc/one HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", f.token, len(smuggled), smuggled)
	fmt.Fprintf(c, "GET /svc/two HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n", f.token)
	answers, _ := io.ReadAll(c)
	if n := strings.Count(string(answers), "HTTP/1.1 200"); n != 2 {
		t.Errorf("%d answers: %s", n, answers)
	}
	for _, r := range u.Requests() {
		if strings.Contains(r.Target, "smuggled") {
			t.Error("the body became a request")
		}
	}
}
