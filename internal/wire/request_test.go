package wire_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/wire"
)

// refusedHeads are requests that two parsers could read differently, or that
// nobody should have to read; each says why.
var refusedHeads = []struct {
	why, head string
	code      sluice.Code
}{
	{"length beside coding", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", sluice.CodeInvalidRequest},
	{"coding beside length", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", sluice.CodeInvalidRequest},
	{"two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", sluice.CodeInvalidRequest},
	{"the same length twice", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", sluice.CodeInvalidRequest},
	{"length list", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\n", sluice.CodeInvalidRequest},
	{"negative length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\n", sluice.CodeInvalidRequest},
	{"signed length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n", sluice.CodeInvalidRequest},
	{"hex length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\n", sluice.CodeInvalidRequest},
	{"empty length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", sluice.CodeInvalidRequest},
	{"length of 19 digits", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999999\r\n\r\n", sluice.CodeInvalidRequest},
	{"folded line", "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", sluice.CodeInvalidRequest},
	{"folded first line", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", sluice.CodeInvalidRequest},
	{"bare LF after a field", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", sluice.CodeInvalidRequest},
	{"bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", sluice.CodeInvalidRequest},
	{"bare CR in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", sluice.CodeInvalidRequest},
	{"CR CR LF", "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\r\n\r\n", sluice.CodeInvalidRequest},
	{"NUL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", sluice.CodeInvalidRequest},
	{"DEL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a\x7fb\r\n\r\n", sluice.CodeInvalidRequest},
	{"NUL in a name", "GET / HTTP/1.1\r\nHost: a\r\nX\x00: a\r\n\r\n", sluice.CodeInvalidRequest},
	{"space before the colon", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 0\r\n\r\n", sluice.CodeInvalidRequest},
	{"no colon", "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", sluice.CodeInvalidRequest},
	{"empty name", "GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", sluice.CodeInvalidRequest},
	{"name with bytes above ASCII", "GET / HTTP/1.1\r\nHost: a\r\nX\xe9: x\r\n\r\n", sluice.CodeInvalidRequest},
	{"no host", "GET / HTTP/1.1\r\n\r\n", sluice.CodeInvalidRequest},
	{"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", sluice.CodeInvalidRequest},
	{"empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", sluice.CodeInvalidRequest},
	{"host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", sluice.CodeInvalidRequest},
	{"host with user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", sluice.CodeInvalidRequest},
	{"host with a bad port", "GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n", sluice.CodeInvalidRequest},
	{"host with two ports", "GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", sluice.CodeInvalidRequest},
	{"host with half a bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", sluice.CodeInvalidRequest},
	{"absolute target without host", "GET http://a/ HTTP/1.1\r\n\r\n", sluice.CodeInvalidRequest},
	{"coding in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", sluice.CodeInvalidRequest},
	{"unknown coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", sluice.CodeUnsupported},
	{"coding twice", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", sluice.CodeUnsupported},
	{"chunked twice", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", sluice.CodeUnsupported},
	{"identity", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", sluice.CodeUnsupported},
	{"coding hidden by a vertical tab", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n", sluice.CodeInvalidRequest},
	{"empty coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", sluice.CodeUnsupported},
	{"fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", sluice.CodeInvalidRequest},
	{"broken escape", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", sluice.CodeInvalidRequest},
	{"cut escape", "GET /a%4 HTTP/1.1\r\nHost: a\r\n\r\n", sluice.CodeInvalidRequest},
	{"target above ASCII", "GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", sluice.CodeInvalidRequest},
	{"tab in the target", "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", sluice.CodeInvalidRequest},
	{"no leading slash", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", sluice.CodeInvalidRequest},
	{"asterisk for GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", sluice.CodeInvalidRequest},
	{"other scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", sluice.CodeInvalidRequest},
	{"user in the target", "GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n", sluice.CodeInvalidRequest},
	{"no authority", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", sluice.CodeInvalidRequest},
	{"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", sluice.CodeInvalidRequest},
	{"trailing space", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", sluice.CodeInvalidRequest},
	{"no version", "GET /\r\nHost: a\r\n\r\n", sluice.CodeInvalidRequest},
	{"lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n", sluice.CodeInvalidRequest},
	{"leading blank line", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", sluice.CodeInvalidRequest},
	{"method with a byte outside tokens", "G@T / HTTP/1.1\r\nHost: a\r\n\r\n", sluice.CodeInvalidRequest},
	{"endless method", strings.Repeat("G", 40) + " / HTTP/1.1\r\nHost: a\r\n\r\n", sluice.CodeInvalidRequest},
	{"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", sluice.CodeUnsupported},
	{"HTTP/2 in clear", "PRI * HTTP/2.0\r\n\r\n", sluice.CodeUnsupported},
	{"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", sluice.CodeUnsupported},
	{"other expectation", "POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\nContent-Length: 1\r\n\r\n", sluice.CodeInvalidRequest},
	{"65 fields", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: y\r\n", 64) + "\r\n", sluice.CodeHeadTooLarge},
	{"URL over 8 KiB", "GET /" + strings.Repeat("a", 8<<10) + " HTTP/1.1\r\nHost: a\r\n\r\n", sluice.CodeHeadTooLarge},
	{"head over 16 KiB", "GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("a", 16<<10) + "\r\n\r\n", sluice.CodeHeadTooLarge},
}

// Every ambiguity that gets through is somebody's smuggled request.
func TestRefusedHeads(t *testing.T) {
	for _, x := range refusedHeads {
		_, err := wire.ParseRequest([]byte(x.head))
		if sluice.CodeOf(err) != x.code {
			t.Errorf("%s: got %v, want %s", x.why, err, x.code)
		}
	}
}

// A refusal must reach the client as a status and end the connection, and the
// handler must not run.
func TestRefusedOnTheSocket(t *testing.T) {
	_, addr := serve(t, wire.Config{Handler: func(x sluice.Inbound) {
		t.Errorf("handler ran for %s %s", x.Head().Method, x.Head().Target)
		answer(x, 200, "")
	}})
	for _, x := range refusedHeads {
		got := raw(t, addr, x.head+"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(got)), nil)
		if err != nil {
			t.Errorf("%s: %q: %v", x.why, got, err)
			continue
		}
		if resp.StatusCode != sluice.CodeInfo(x.code).Status || !resp.Close {
			t.Errorf("%s: status %d, close %v", x.why, resp.StatusCode, resp.Close)
		}
		if strings.Count(got, "\r\nDate: ") != 1 {
			t.Errorf("%s: more than one answer: %q", x.why, got)
		}
	}
}

// What the handler sees decides matching, limits and billing: each form of
// target and each changed field exactly so.
func TestAcceptedHeads(t *testing.T) {
	for _, x := range []struct {
		why, head string
		check     func(wire.ParsedRequest) bool
	}{
		{"origin form", "GET /a/b?c=d&e HTTP/1.1\r\nHost: A.Example:8080\r\n\r\n", func(p wire.ParsedRequest) bool {
			return p.Head.Path == "/a/b" && p.Head.RawQuery == "c=d&e" && p.Head.Host == "a.example:8080" && p.Head.Target == "/a/b?c=d&e" && !p.Close
		}},
		{"absolute form replaces Host", "GET http://B.Example/x?y HTTP/1.1\r\nHost: a\r\n\r\n", func(p wire.ParsedRequest) bool {
			return p.Head.Host == "b.example" && p.Head.Path == "/x" && p.Head.RawQuery == "y"
		}},
		{"absolute form without path", "GET https://b HTTP/1.1\r\nHost: b\r\n\r\n", func(p wire.ParsedRequest) bool { return p.Head.Path == "/" }},
		{"absolute form with query alone", "GET http://b?q HTTP/1.1\r\nHost: b\r\n\r\n", func(p wire.ParsedRequest) bool {
			return p.Head.Path == "/" && p.Head.RawQuery == "q"
		}},
		{"asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", func(p wire.ParsedRequest) bool { return p.Head.Path == "*" }},
		{"IPv6 host", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", func(p wire.ParsedRequest) bool { return p.Head.Host == "[::1]:80" }},
		{"1.0 closes", "GET / HTTP/1.0\r\n\r\n", func(p wire.ParsedRequest) bool { return p.Close }},
		{"1.0 keeps when asked", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", func(p wire.ParsedRequest) bool { return !p.Close }},
		{"close among options", "GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n", func(p wire.ParsedRequest) bool { return p.Close }},
		{"chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n", func(p wire.ParsedRequest) bool {
			return p.Chunked && p.Head.ContentLength == -1 && p.Head.Fields.Count("transfer-encoding") == 0
		}},
		{"hop-by-hop ends here", "GET / HTTP/1.1\r\nHost: a\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: 1\r\nTE: trailers\r\nTrailer: x\r\nProxy-Connection: a\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nX-Stay: 1\r\n\r\n", func(p wire.ParsedRequest) bool {
			return p.Head.Fields.Len() == 1 && p.Head.Fields.Get("x-stay") == "1"
		}},
		{"h2c named by Connection", "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n", func(p wire.ParsedRequest) bool { return p.Head.Fields.Len() == 0 }},
		{"a websocket upgrade stays visible", "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n", func(p wire.ParsedRequest) bool {
			return p.Head.Fields.Get("Upgrade") == "WebSocket" && p.Head.Fields.Get("connection") == "Upgrade"
		}},
		{"an unannounced upgrade does not", "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", func(p wire.ParsedRequest) bool { return p.Head.Fields.Len() == 0 }},
		{"Connection cannot remove what others vouch for", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, Authorization, X-Auth-User, x-api-key, traceparent, X-Forwarded-For, Content-Type, cookie, X-Request-Id\r\nAuthorization: b\r\nX-Auth-User: u\r\nX-API-Key: k\r\nTraceparent: t\r\nX-Forwarded-For: 1\r\nContent-Type: c\r\nCookie: c\r\nX-Request-ID: i\r\n\r\n", func(p wire.ParsedRequest) bool {
			return p.Head.Fields.Len() == 8
		}},
		{"underscore aliases are dropped", "GET / HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 1\r\nContent_Length: 5\r\nX-A: 1\r\n\r\n", func(p wire.ParsedRequest) bool {
			return p.Head.Fields.Len() == 1 && p.Head.ContentLength == 0
		}},
		{"expectation", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n", func(p wire.ParsedRequest) bool {
			return p.Expect && p.Head.Fields.Count("expect") == 0
		}},
		{"expectation in 1.0 means nothing", "POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n", func(p wire.ParsedRequest) bool { return !p.Expect }},
		{"white space around a value", "GET / HTTP/1.1\r\nHost:\t a \t\r\nX:  y z\t\r\n\r\n", func(p wire.ParsedRequest) bool {
			return p.Head.Host == "a" && p.Head.Fields.Get("x") == "y z"
		}},
		{"value above ASCII", "GET / HTTP/1.1\r\nHost: a\r\nX: \xc3\xa9\r\n\r\n", func(p wire.ParsedRequest) bool { return p.Head.Fields.Get("x") == "é" }},
	} {
		p, err := wire.ParseRequest([]byte(x.head))
		if err != nil || !x.check(p) {
			t.Errorf("%s: %v, %+v", x.why, err, p)
		}
	}
}
