package wire_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/wire"
)

// recorder is an upstream that answers "ok" and tells every head and trailer
// that reached it.
func recorder(t *testing.T) (addr string, got *seen) {
	got = &seen{}
	return target(t, func(_ int, c net.Conn, r *bufio.Reader) {
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			io.Copy(io.Discard, req.Body)
			got.add(fmt.Sprint(req.Method, " ", req.RequestURI, " ", req.Host, " ", req.Header, " ", req.Trailer))
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	}), got
}

// Flaws that other gateways had on the wire, by the number of our list. Each
// request is followed by another on the same connection, which must get its own
// answer whenever the first left it open.
func TestPeerFlaws(t *testing.T) {
	const next = "GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	for _, x := range []struct {
		cve, why, request string
		status            int
		passes, never     []string
	}{
		{"T-CVE-13", "dots that a matcher does not see", "GET /public/%2e%2e/admin HTTP/1.1\r\nHost: a\r\n\r\n", 400, nil, []string{"admin"}},
		{"T-CVE-13", "a parameter that hides dots", "GET /public/..;/admin HTTP/1.1\r\nHost: a\r\n\r\n", 400, nil, []string{"admin"}},
		{"T-CVE-13", "a fragment", "GET /public#/admin HTTP/1.1\r\nHost: a\r\n\r\n", 400, nil, []string{"admin"}},
		{"T-CVE-13", "the host's case", "GET /x HTTP/1.1\r\nHost: ADMIN.Example\r\n\r\n", 200, []string{" admin.example "}, []string{"ADMIN"}},
		{"T-CVE-13", "two authorities", "GET http://b/x HTTP/1.1\r\nHost: admin\r\n\r\n", 200, []string{" /x b "}, []string{"admin"}},
		{"T-CVE-14", "CONNECT with a body", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nContent-Length: 43\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n12345678", 501, nil, []string{"smuggled"}},
		{"T-CVE-14", "GET with a body", "GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 35\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", 200, []string{"Content-Length:[35]"}, []string{"smuggled"}},
		{"T-CVE-14", "OPTIONS with chunks", "OPTIONS /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n23\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n\r\n0\r\n\r\n", 200, nil, []string{"smuggled"}},
		{"T-CVE-15", "an upgrade to h2c", "GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", 200, nil, []string{"h2c", "Http2", "Upgrade"}},
		{"T-CVE-15", "a websocket is not forwarded as a request", "GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 200, nil, []string{"websocket", "Upgrade"}},
		{"T-CVE-16", "a trailer that poses as a field", "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Consumer-Name\r\n\r\n1\r\na\r\n0\r\nX-Consumer-Name: root\r\nAuthorization: Bearer root\r\n\r\n", 200, nil, []string{"root", "Trailer"}},
		{"T-CVE-16", "an alias with underscores", "GET /x HTTP/1.1\r\nHost: a\r\nX_Consumer_Name: root\r\nX-Forwarded_For: 10.0.0.1\r\n\r\n", 200, nil, []string{"root", "10.0.0.1"}},
		{"T-CVE-17", "fields that Connection may not remove", "GET /x HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Authorization, X-Auth-User, X-Forwarded-For, Traceparent\r\nAuthorization: secret\r\nX-Auth-User: u\r\nX-Forwarded-For: 1\r\nTraceparent: t\r\n\r\n", 200, []string{"secret", "X-Auth-User", "X-Forwarded-For", "Traceparent"}, nil},
		{"T-CVE-17", "fields that Connection removes", "GET /x HTTP/1.1\r\nHost: a\r\nConnection: X-Private\r\nX-Private: 1\r\nProxy-Authorization: p\r\n\r\n", 200, nil, []string{"X-Private", "Proxy-Authorization"}},
	} {
		for _, stream := range []bool{false, true} {
			origin, got := recorder(t)
			f := &forwarder{pool: newPool(t, wire.PoolConfig{}), addr: origin, stream: stream, first: time.Second, idle: time.Second}
			_, addr := serve(t, wire.Config{Handler: f.handle, CanonicalPath: noDots})
			answers := bufio.NewReader(strings.NewReader(raw(t, addr, x.request+next)))
			resp, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatalf("%s, %s: %v", x.cve, x.why, err)
			}
			io.Copy(io.Discard, resp.Body)
			if resp.StatusCode != x.status {
				t.Errorf("%s, %s: status %d", x.cve, x.why, resp.StatusCode)
			}
			all := got.all()
			for _, want := range x.passes {
				if !strings.Contains(all, want) {
					t.Errorf("%s, %s: %q is missing: %s", x.cve, x.why, want, all)
				}
			}
			for _, evil := range x.never {
				if strings.Contains(all, evil) {
					t.Errorf("%s, %s: %q reached the upstream: %s", x.cve, x.why, evil, all)
				}
			}
			if second, err := http.ReadResponse(answers, nil); resp.Close != (err != nil) || err == nil && (second.StatusCode != 200 || !strings.Contains(all, "GET /next ")) {
				t.Errorf("%s, %s: then %+v, %v", x.cve, x.why, second, err)
			}
		}
	}
}

// noDots is the least that a canonical path must refuse.
func noDots(path string) (string, error) {
	if l := strings.ToLower(path); strings.Contains(l, "..") || strings.Contains(l, "%2e") {
		return "", sluice.Errorf(sluice.CodeInvalidRequest, "dot segments")
	}
	return path, nil
}

// A compressed answer passes as it is: 256 MiB behind 256 KiB must neither be
// unpacked nor gathered.
func TestGzipBombPasses(t *testing.T) {
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	zeros := make([]byte, 1<<20)
	for range 256 {
		w.Write(zeros)
	}
	w.Close()
	origin := says(t, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", bomb.Len(), bomb.Bytes()))
	f := &forwarder{pool: newPool(t, wire.PoolConfig{}), addr: origin, first: time.Second, idle: time.Second}
	_, addr := serve(t, wire.Config{Handler: f.handle})
	c := dial(t, addr)
	defer c.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, bomb.Len())
	_, err = io.ReadFull(resp.Body, got)
	runtime.ReadMemStats(&after)
	if err != nil || !bytes.Equal(got, bomb.Bytes()) || resp.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("changed on the way: %v, %v", resp.Header, err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 4<<20 {
		t.Errorf("%d bytes were allocated for %d that passed", took, bomb.Len())
	}
}

// A target that resets, at any point, must cost no more than its own exchange,
// and its half answer must not look whole to the client.
func TestUpstreamResets(t *testing.T) {
	for why, x := range map[string]struct {
		said   string
		status int
	}{
		"before the head":              {"", 502},
		"within the head":              {"HTTP/1.1 200 OK\r\nContent-", 502},
		"within a length":              {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", 200},
		"within a chunk":               {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc", 200},
		"within a body without an end": {"HTTP/1.1 200 OK\r\n\r\nabc", 200},
		"within a 1.0 body":            {"HTTP/1.0 200 OK\r\n\r\nabc", 200},
	} {
		origin := target(t, func(_ int, c net.Conn, r *bufio.Reader) {
			http.ReadRequest(r)
			io.WriteString(c, x.said)
			time.Sleep(30 * time.Millisecond) // what was said arrives before the reset
			c.(*net.TCPConn).SetLinger(0)
		})
		f := &forwarder{pool: newPool(t, wire.PoolConfig{}), addr: origin, first: time.Second, idle: time.Second}
		_, addr := serve(t, wire.Config{Handler: f.handle})
		for _, version := range []string{"1.1", "1.0"} {
			c := dial(t, addr)
			fmt.Fprintf(c, "GET / HTTP/%s\r\nHost: a\r\n\r\n", version)
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Errorf("%s, HTTP/%s: %v", why, version, err)
				continue
			}
			if _, err = io.ReadAll(resp.Body); resp.StatusCode != x.status || (x.status == 200) != (err != nil) {
				t.Errorf("%s, HTTP/%s: status %d, %v", why, version, resp.StatusCode, err)
			}
			c.Close()
		}
		eventually(t, why+": the connection goes", func() bool { return f.pool.(*wire.Pool).Conns() == 0 })
	}
}

// A target that closes its sending half after an answer reads on and would
// swallow the next request: the connection must not be used again, and a call
// that may not be repeated must not fail for it.
func TestUpstreamHalfCloses(t *testing.T) {
	origin := target(t, func(_ int, c net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		c.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, c)
	})
	p := newPool(t, wire.PoolConfig{})
	for range 3 {
		call := get(origin)
		call.Replayable = false
		if _, body, err := fetch(p, call); err != nil || body != "ok" {
			t.Errorf("%q, %v", body, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	half := target(t, func(_ int, c net.Conn, r *bufio.Reader) {
		http.ReadRequest(r)
		c.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, c)
	})
	if _, _, err := fetch(p, get(half)); sluice.CodeOf(err) != sluice.CodeProviderError {
		t.Errorf("closed half before the answer: %v", err)
	}
}

// A body that the end of the connection delimits gets framing of its own for the
// client, who keeps its connection.
func TestBodyWithoutAnEndIsFramed(t *testing.T) {
	f := &forwarder{pool: newPool(t, wire.PoolConfig{}), addr: says(t, "HTTP/1.1 200 OK\r\n\r\nall of it"), first: time.Second, idle: time.Second}
	_, addr := serve(t, wire.Config{Handler: f.handle})
	c := dial(t, addr)
	defer c.Close()
	r := bufio.NewReader(c)
	for range 2 {
		if resp, body := exchange(t, c, r, "GET", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); body != "all of it" || resp.Close || len(resp.TransferEncoding) != 1 {
			t.Errorf("%q, %+v", body, resp)
		}
	}
	if got := raw(t, addr, "GET / HTTP/1.0\r\n\r\n"); !strings.HasSuffix(got, "\r\n\r\nall of it") {
		t.Errorf("HTTP/1.0 got %q", got)
	}
}
