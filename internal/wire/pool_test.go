package wire_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/wire"
)

// target runs script once per accepted connection, counted from 0.
func target(t testing.TB, script func(n int, c net.Conn, r *bufio.Reader)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for n := 0; ; n++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				script(n, c, bufio.NewReader(c))
			}()
		}
	}()
	return ln.Addr().String()
}

// says answers the first request with fixed bytes and closes.
func says(t testing.TB, answer string) string {
	return target(t, func(_ int, c net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err == nil {
			io.WriteString(c, answer)
		}
	})
}

func get(addr string) *sluice.Call {
	return &sluice.Call{Scheme: "http", Addr: addr, Method: "GET", Target: "/", Host: "h", Replayable: true,
		Connect: time.Second, FirstByte: 5 * time.Second, Idle: 5 * time.Second}
}

// fetch makes a call and reads its answer to the end.
func fetch(p sluice.Outbound, call *sluice.Call) (*sluice.RespHead, string, error) {
	s, err := p.Do(call)
	if err != nil {
		return nil, "", err
	}
	defer s.Close()
	var b strings.Builder
	for {
		piece, err := s.Next()
		b.Write(piece)
		if err == io.EOF {
			return s.Head(), b.String(), nil
		}
		if err != nil {
			return s.Head(), b.String(), err
		}
	}
}

// An upstream that breaks the rules must never be taken at its word: each is an
// error of the provider, and none a hang or a made-up answer.
func TestBrokenAnswers(t *testing.T) {
	for why, said := range map[string]string{
		"nothing":                "",
		"garbage":                "SSH-2.0-OpenSSH\r\n\r\n",
		"binary":                 "\x16\x03\x01\x00\x00\x00\x00\r\n\r\n",
		"HTTP/2":                 "HTTP/2.0 200 OK\r\n\r\n",
		"status of two digits":   "HTTP/1.1 20 OK\r\n\r\n",
		"status 600":             "HTTP/1.1 600 OK\r\n\r\n",
		"half a head":            "HTTP/1.1 200 OK\r\nContent-Le",
		"bare LF":                "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
		"folded":                 "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
		"space before the colon": "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
		"NUL":                    "HTTP/1.1 200 OK\r\nX: \x00\r\nContent-Length: 0\r\n\r\n",
		"two lengths":            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"length beside coding":   "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"negative length":        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"unknown coding":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
		"coding in 1.0":          "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"unasked switch":         "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
		"interim without end":    strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 50),
		"endless line":           "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", 100<<10) + "\r\n\r\n",
		"endless fields":         "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: a\r\n", 200) + "\r\n",
		"short body":             "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
		"bad chunk size":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
		"cut chunk":              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
		"no last chunk":          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
		"bad trailer":            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX : y\r\n\r\n",
	} {
		p := newPool(t, wire.PoolConfig{})
		_, body, err := fetch(p, get(says(t, said)))
		if sluice.CodeOf(err) != sluice.CodeProviderError {
			t.Errorf("%s: body %q, error %v", why, body, err)
		}
		eventually(t, why+": the connection goes", func() bool { return p.Conns() == 0 })
	}
}

// The framings of an answer, each to its exact end.
func TestAnswerFramings(t *testing.T) {
	for why, x := range map[string]struct {
		method, said, want string
		status             int
	}{
		"length":           {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc", 200},
		"chunked":          {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2;x\r\nbc\r\n0\r\n\r\n", "abc", 200},
		"end of line":      {"GET", "HTTP/1.1 200 OK\r\n\r\nabc", "abc", 200},
		"1.0":              {"GET", "HTTP/1.0 200 OK\r\n\r\nabc", "abc", 200},
		"HEAD":             {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "", 200},
		"204":              {"GET", "HTTP/1.1 204 No Content\r\n\r\n", "", 204},
		"304 with length":  {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", "", 304},
		"interim first":    {"GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc", 200},
		"no reason":        {"GET", "HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc", "abc", 200},
		"head over 4 KiB":  {"GET", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 9000) + "\r\nContent-Length: 3\r\n\r\nabc", "abc", 200},
		"head of 4090 B":   {"GET", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 4047) + "\r\nContent-Length: 3\r\n\r\nabc", "abc", 200},
		"body over 64 KiB": {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("z", 100000), strings.Repeat("z", 100000), 200},
	} {
		call := get(says(t, x.said))
		call.Method = x.method
		h, body, err := fetch(newPool(t, wire.PoolConfig{}), call)
		if err != nil || h.Status != x.status || body != x.want {
			t.Errorf("%s: %+v, %d bytes, %v", why, h, len(body), err)
		}
	}
}

// Each phase of a silent upstream ends in its own time, as a timeout.
func TestUpstreamTimeouts(t *testing.T) {
	hang := func(said string) string {
		return target(t, func(_ int, c net.Conn, r *bufio.Reader) {
			http.ReadRequest(r)
			io.WriteString(c, said)
			io.Copy(io.Discard, c)
		})
	}
	for why, said := range map[string]string{
		"before the head": "", "within the head": "HTTP/1.1 200 OK\r\nX: ", "within the body": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
		"within a chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na",
	} {
		for _, d := range []time.Duration{50 * time.Millisecond, 200 * time.Millisecond} { // exact, and by the sweeper
			call := get(hang(said))
			call.FirstByte, call.Idle = d, d
			start := time.Now()
			_, _, err := fetch(newPool(t, wire.PoolConfig{}), call)
			if took := time.Since(start); sluice.CodeOf(err) != sluice.CodeTimeout || took < d || took > d+2*time.Second {
				t.Errorf("%s, %v: %v after %v", why, d, err, took)
			}
		}
	}
	call := get("192.0.2.1:1")
	call.Connect = 30 * time.Millisecond
	p := newPool(t, wire.PoolConfig{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	if _, _, err := fetch(p, call); sluice.CodeOf(err) != sluice.CodeTimeout || call.Sent {
		t.Errorf("connect: %v, sent %v", err, call.Sent)
	}
}

// A dialer's refusal (an address that is not allowed) must keep its code.
func TestDialerErrors(t *testing.T) {
	p := newPool(t, wire.PoolConfig{Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, sluice.Errorf(sluice.CodeForbidden, "address not allowed")
	}})
	if _, _, err := fetch(p, get("a:1")); sluice.CodeOf(err) != sluice.CodeForbidden {
		t.Error(err)
	}
	p = newPool(t, wire.PoolConfig{Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("refused") }})
	if _, _, err := fetch(p, get("a:1")); sluice.CodeOf(err) != sluice.CodeProviderError {
		t.Error(err)
	}
}

// A stale connection costs a retry when the call may be repeated, an error when
// it may not, and never two retries: more would run a request twice.
func TestStaleConnections(t *testing.T) {
	var requests atomic.Int32
	// Every connection serves one request, reads the next and closes unanswered.
	addr := target(t, func(_ int, c net.Conn, r *bufio.Reader) {
		for i := range 2 {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			io.Copy(io.Discard, req.Body)
			requests.Add(1)
			if i == 0 {
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			}
		}
	})
	p := newPool(t, wire.PoolConfig{})
	for i, x := range []struct {
		replayable bool
		code       sluice.Code
		requests   int32
	}{{true, "", 1}, {true, "", 3}, {false, sluice.CodeProviderError, 4}, {true, "", 5}} {
		call := get(addr)
		call.Method, call.Body, call.Replayable = "POST", [][]byte{[]byte("body")}, x.replayable
		_, _, err := fetch(p, call)
		if sluice.CodeOf(err) != x.code || requests.Load() != x.requests || !call.Sent {
			t.Fatalf("call %d: %v, %d requests", i, err, requests.Load())
		}
	}
}

// A fresh connection that breaks is the target's fault and not repeated.
func TestNoRetryOnFreshConnection(t *testing.T) {
	var conns atomic.Int32
	addr := target(t, func(int, net.Conn, *bufio.Reader) { conns.Add(1) })
	if _, _, err := fetch(newPool(t, wire.PoolConfig{}), get(addr)); sluice.CodeOf(err) != sluice.CodeProviderError || conns.Load() != 1 {
		t.Errorf("%v after %d connections", err, conns.Load())
	}
}

// Bytes that an upstream sends unasked must not become the answer to somebody
// else's request.
func TestUnsolicitedBytes(t *testing.T) {
	for why, extra := range map[string]func(c net.Conn){
		"at once": func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
		},
		"later": func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			time.Sleep(30 * time.Millisecond)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
		},
	} {
		addr := target(t, func(_ int, c net.Conn, r *bufio.Reader) {
			for {
				if _, err := http.ReadRequest(r); err != nil {
					return
				}
				extra(c)
			}
		})
		p := newPool(t, wire.PoolConfig{})
		for range 3 {
			if _, body, err := fetch(p, get(addr)); body != "ok" || err != nil {
				t.Errorf("%s: %q, %v", why, body, err)
			}
			time.Sleep(60 * time.Millisecond)
		}
	}
}

// An upstream that answers before it has read the body must be heard, or both
// sides wait for ever.
func TestEarlyAnswer(t *testing.T) {
	for _, closes := range []bool{true, false} {
		release := make(chan bool)
		addr := target(t, func(_ int, c net.Conn, r *bufio.Reader) {
			http.ReadRequest(r)
			io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
			if !closes {
				<-release
			}
		})
		big := make([]byte, 32<<20)
		for name, set := range map[string]func(*sluice.Call){
			"whole":   func(c *sluice.Call) { c.Body = [][]byte{big[:1<<20], big} },
			"length":  func(c *sluice.Call) { c.Stream, c.ContentLength = strings.NewReader(string(big)), int64(len(big)) },
			"chunked": func(c *sluice.Call) { c.Stream, c.ContentLength = strings.NewReader(string(big)), -1 },
		} {
			call := get(addr)
			call.Method = "POST"
			set(call)
			p := newPool(t, wire.PoolConfig{})
			h, body, err := fetch(p, call)
			if closes && sluice.CodeOf(err) == sluice.CodeProviderError {
				continue // the reset overtook the answer: TCP's right
			}
			if err != nil || h.Status != 413 || body != "big" {
				t.Errorf("%s, closes %v: %+v %q %v", name, closes, h, body, err)
			}
			eventually(t, "a half-sent request's connection goes", func() bool { return p.Conns() == 0 })
		}
		close(release)
	}
}

// A client that pauses in the middle of an upload must be told at once that the
// target has answered, or is gone; the deadline for bodies is an hour here. The
// connection can not serve on: nobody knows where the body would end.
func TestEarlyAnswerWhileTheClientPauses(t *testing.T) {
	const half = "POST / HTTP/1.1\r\nHost: a\r\n"
	for why, x := range map[string]struct{ said, want string }{
		"answers": {"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig", "HTTP/1.1 413 "},
		"streams": {"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbig\r\n0\r\n\r\n", "HTTP/1.1 403 "},
		"closes":  {"", "HTTP/1.1 502 "},
	} {
		for framed, body := range map[string]string{
			"length":          "Content-Length: 1000000\r\n\r\nabc",
			"a longer half":   "Content-Length: 1000000\r\n\r\n" + strings.Repeat("a", 100_000),
			"chunked":         "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
			"within a chunk":  "Transfer-Encoding: chunked\r\n\r\nff\r\nabc",
			"all but the end": "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
		} {
			origin := target(t, func(_ int, c net.Conn, r *bufio.Reader) {
				http.ReadRequest(r)
				io.WriteString(c, x.said)
				if x.said != "" {
					io.Copy(io.Discard, r)
				}
			})
			f := &forwarder{pool: newPool(t, wire.PoolConfig{}), addr: origin, stream: true, first: time.Hour, idle: time.Hour}
			s, addr := serve(t, wire.Config{Handler: f.handle, Limits: wire.Limits{BodyPause: time.Hour, BodyGrace: time.Hour}})
			c := dial(t, addr)
			io.WriteString(c, half+body)
			c.SetReadDeadline(time.Now().Add(5 * time.Second))
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatalf("%s, %s: %v", why, framed, err)
			}
			text, err := io.ReadAll(resp.Body)
			if status := fmt.Sprintf("HTTP/1.1 %d ", resp.StatusCode); status != x.want || err != nil || x.said != "" && string(text) != "big" || !resp.Close {
				t.Errorf("%s, %s: %d %q, close %v, %v", why, framed, resp.StatusCode, text, resp.Close, err)
			}
			c.Close()
			eventually(t, why+", "+framed+": both connections go", func() bool { return s.Conns() == 0 && f.pool.(*wire.Pool).Conns() == 0 })
		}
	}
}

// Once the answer has begun "100 Continue" would be read as a part of it.
func TestNoContinueWithinTheAnswer(t *testing.T) {
	read := make(chan error, 1)
	_, addr := serve(t, wire.Config{Handler: func(x sluice.Inbound) {
		h := &sluice.RespHead{Status: 200, ContentLength: 2}
		if x.Begin(h) != nil || x.Write(nil) != nil {
			t.Error("no answer")
		}
		go func() {
			_, err := x.Read(make([]byte, 10))
			read <- err
		}()
		time.Sleep(30 * time.Millisecond) // the read waits now, and the end of the exchange ends it
		x.Write([]byte("ok"))
		x.End(nil)
	}})
	got := raw(t, addr, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 200 ") || !strings.HasSuffix(got, "\r\n\r\nok") {
		t.Errorf("got %q", got)
	}
	select {
	case err := <-read:
		if err == nil {
			t.Error("a read outlived its exchange")
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the read never ended")
	}
}

// A stop must end a call in any phase, at once, and leave nothing behind.
func TestStop(t *testing.T) {
	silent := target(t, func(_ int, c net.Conn, r *bufio.Reader) {
		http.ReadRequest(r)
		io.Copy(io.Discard, c)
	})
	begun := target(t, func(_ int, c net.Conn, r *bufio.Reader) {
		http.ReadRequest(r)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
		io.Copy(io.Discard, c)
	})
	hangs := func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
	for why, x := range map[string]struct {
		addr string
		dial func(context.Context, string, string) (net.Conn, error)
		body bool
	}{"dialling": {"a:1", hangs, false}, "before the head": {silent, nil, false}, "within the body": {begun, nil, false}} {
		p := newPool(t, wire.PoolConfig{Dial: x.dial})
		call := get(x.addr)
		go func() {
			time.Sleep(50 * time.Millisecond)
			call.Stopper().Stop()
		}()
		start := time.Now()
		_, _, err := fetch(p, call)
		if took := time.Since(start); sluice.CodeOf(err) != sluice.CodeClientGone || took > time.Second {
			t.Errorf("%s: %v after %v", why, err, took)
		}
		if p.Conns() != 0 {
			t.Errorf("%s: a stopped call's connection stays", why)
		}
	}
	call := get(silent)
	call.Stopper().Stop()
	if _, _, err := fetch(newPool(t, wire.PoolConfig{}), call); sluice.CodeOf(err) != sluice.CodeClientGone {
		t.Errorf("stopped before it began: %v", err)
	}
}

// A stop or a Close that comes late must not touch the connection in its next
// exchange: one client's hang-up would cut another's answer.
func TestLateStopTouchesNothing(t *testing.T) {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("ok"))
	}))
	defer origin.Close()
	p := newPool(t, wire.PoolConfig{})
	addr := origin.Listener.Addr().String()
	var late []*sluice.Call
	var streams []sluice.Stream
	for range 200 {
		call := get(addr)
		s, err := p.Do(call)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range late { // stops and closes of the past, in the middle of this exchange
			c.Stopper().Stop()
		}
		for _, old := range streams {
			old.Close()
		}
		var got []byte
		for {
			b, err := s.Next()
			got = append(got, b...)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if string(got) != "ok" {
			t.Fatalf("got %q", got)
		}
		s.Close()
		late, streams = append(late, call), append(streams, s)
	}
	if p.Conns() != 1 {
		t.Errorf("%d connections for calls one after the other", p.Conns())
	}
}

// What the wire owns must not come from a caller's fields, and nothing that
// could split a request may leave.
func TestCallHead(t *testing.T) {
	got := make(chan string, 1)
	addr := target(t, func(_ int, c net.Conn, r *bufio.Reader) {
		var b strings.Builder
		for {
			l, err := r.ReadString('\n')
			b.WriteString(l)
			if err != nil || l == "\r\n" {
				break
			}
		}
		got <- b.String()
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	})
	call := get(addr)
	call.Method = "POST"
	for _, name := range []string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "HTTP2-Settings", "TE", "Trailer", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Expect"} {
		call.Fields.Add(name, "evil")
	}
	call.Fields.Add("X-A", "b")
	if _, _, err := fetch(newPool(t, wire.PoolConfig{}), call); err != nil {
		t.Fatal(err)
	}
	if want := "POST / HTTP/1.1\r\nHost: h\r\nX-A: b\r\nContent-Length: 0\r\n\r\n"; <-got != want {
		t.Errorf("not %q", want)
	}
	for why, spoil := range map[string]func(*sluice.Call){
		"method": func(c *sluice.Call) { c.Method = "GET / HTTP/1.1\r\nX:" },
		"target": func(c *sluice.Call) { c.Target = "/ HTTP/1.1\r\n\r\nGET /" },
		"host":   func(c *sluice.Call) { c.Host = "a\r\nX: b" },
		"value":  func(c *sluice.Call) { c.Fields.Add("X", "a\r\nb: c") },
		"name":   func(c *sluice.Call) { c.Fields.Add("X: a\r\nY", "b") },
	} {
		call := get(addr)
		spoil(call)
		if _, err := newPool(t, wire.PoolConfig{}).Do(call); sluice.CodeOf(err) != sluice.CodeInternal || call.Sent {
			t.Errorf("%s: %v", why, err)
		}
	}
}

// Idle connections are bounded in number and in time.
func TestIdleBounds(t *testing.T) {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(20 * time.Millisecond)
		w.Write([]byte("ok"))
	}))
	defer origin.Close()
	p := newPool(t, wire.PoolConfig{MaxIdlePerHost: 2, IdleTime: 200 * time.Millisecond})
	done := make(chan error)
	for range 8 {
		go func() {
			_, _, err := fetch(p, get(origin.Listener.Addr().String()))
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := p.Conns(); n > 2 {
		t.Errorf("%d connections kept", n)
	}
	eventually(t, "idle connections close", func() bool { return p.Conns() == 0 })
}

// TLS on both sides, with verification by the call's name, is the default of
// every provider; a wrong name must not connect.
func TestTLS(t *testing.T) {
	origin := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%d", len(b))
	}))
	defer origin.Close()
	roots := origin.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	p := newPool(t, wire.PoolConfig{TLS: &tls.Config{RootCAs: roots}})
	handler := func(x sluice.Inbound) {
		body, err := x.Body(64 << 20)
		if err != nil || !x.Head().TLS {
			t.Error(err, x.Head().TLS)
		}
		call := get(origin.Listener.Addr().String())
		call.Scheme, call.ServerName, call.Method, call.Body = "https", "example.com", "POST", [][]byte{body}
		_, text, err := fetch(p, call)
		if err != nil {
			t.Error(err)
		}
		answer(x, 200, text)
	}
	_, addr := serve(t, wire.Config{Handler: handler, TLS: &tls.Config{Certificates: origin.TLS.Certificates, NextProtos: []string{"http/1.1"}}})
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "example.com"}}}
	defer client.CloseIdleConnections()
	for _, size := range []int{0, 1000, 200_000, 8 << 20, 10} {
		resp, err := client.Post("https://"+addr, "text/plain", strings.NewReader(strings.Repeat("x", size)))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(b) != fmt.Sprint(size) {
			t.Errorf("size %d: %q, %v", size, b, err)
		}
	}
	if p.Conns() != 1 {
		t.Errorf("%d connections for calls one after the other", p.Conns())
	}
	call := get(origin.Listener.Addr().String())
	call.Scheme, call.ServerName = "https", "wrong.test"
	if _, _, err := fetch(p, call); sluice.CodeOf(err) != sluice.CodeProviderError || call.Sent {
		t.Errorf("a wrong name: %v", err)
	}
}

// The client's hang-up must reach the upstream while it is silent, through
// server and pool: an abandoned generation bills.
func TestHangUpCancelsUpstream(t *testing.T) {
	closed, began := make(chan time.Time, 1), make(chan bool, 1)
	origin := target(t, func(_ int, c net.Conn, r *bufio.Reader) {
		http.ReadRequest(r)
		began <- true
		io.Copy(io.Discard, c)
		closed <- time.Now()
	})
	f := &forwarder{pool: newPool(t, wire.PoolConfig{}), addr: origin}
	_, addr := serve(t, wire.Config{Handler: f.handle})
	c := dial(t, addr)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	<-began
	start := time.Now()
	c.Close()
	select {
	case at := <-closed:
		if took := at.Sub(start); took > 500*time.Millisecond {
			t.Errorf("upstream cancelled after %v", took)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("upstream never cancelled")
	}
}
