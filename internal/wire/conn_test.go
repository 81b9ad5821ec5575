package wire_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/wire"
)

// echo answers with what it was sent.
func echo(x sluice.Inbound) {
	b, err := x.Body(1 << 20)
	if err != nil {
		answer(x, sluice.CodeInfo(sluice.CodeOf(err)).Status, string(sluice.CodeOf(err)))
		return
	}
	answer(x, 200, x.Head().Method+" "+x.Head().Path+" "+string(b))
}

// exchange sends one request and reads one answer on an open connection.
func exchange(t *testing.T, c net.Conn, r *bufio.Reader, method, request string) (*http.Response, string) {
	t.Helper()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	return resp, string(b)
}

// A body on any method is consumed with its request; left on the connection it
// would be the next one (T-CVE-14).
func TestBodyOnEveryMethod(t *testing.T) {
	for _, read := range []bool{true, false} {
		_, addr := serve(t, wire.Config{Handler: func(x sluice.Inbound) {
			if read {
				echo(x)
				return
			}
			answer(x, 200, x.Head().Method+" "+x.Head().Path+" ")
		}})
		c := dial(t, addr)
		defer c.Close()
		r := bufio.NewReader(c)
		smuggled := "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
		for _, method := range []string{"GET", "HEAD", "OPTIONS", "DELETE", "POST", "TRACE"} {
			for _, framed := range []string{
				fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(smuggled), smuggled),
				fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(smuggled), smuggled),
			} {
				resp, body := exchange(t, c, r, method, method+" /first HTTP/1.1\r\nHost: a\r\n"+framed)
				if resp.StatusCode != 200 || method != "HEAD" && !strings.HasPrefix(body, method+" /first ") {
					t.Fatalf("%s: %d %q", method, resp.StatusCode, body)
				}
				if _, body = exchange(t, c, r, "GET", "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"); body != "GET /next " {
					t.Fatalf("after %s read=%v: next request answered with %q", method, read, body)
				}
			}
		}
	}
}

// 100 Continue tells the client to send; given before the handler wants the
// body it would make a refused client upload for nothing.
func TestContinueOnlyWhenRead(t *testing.T) {
	_, addr := serve(t, wire.Config{Handler: func(x sluice.Inbound) {
		if x.Head().Path == "/refuse" {
			answer(x, 401, "no")
			return
		}
		echo(x)
	}})
	const head = " HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
	c := dial(t, addr)
	defer c.Close()
	r := bufio.NewReader(c)
	io.WriteString(c, "POST /read"+head)
	if l, err := r.ReadString('\n'); err != nil || l != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("got %q, %v", l, err)
	}
	r.ReadString('\n')
	if resp, body := exchange(t, c, r, "POST", "abc"); resp.StatusCode != 200 || body != "POST /read abc" {
		t.Fatalf("%d %q", resp.StatusCode, body)
	}
	got := raw(t, addr, "POST /refuse"+head)
	if !strings.HasPrefix(got, "HTTP/1.1 401 ") || !strings.Contains(got, "Connection: close\r\n") {
		t.Errorf("refused: %q", got)
	}
}

// A client that asks for 100 Continue and does not wait for it, as curl does after
// a second, would have to connect anew for every request.
func TestUnawaitedContinueKeepsTheConnection(t *testing.T) {
	_, addr := serve(t, wire.Config{Handler: echo})
	c := dial(t, addr)
	defer c.Close()
	r := bufio.NewReader(c)
	for name, body := range map[string]string{
		"length":  "Content-Length: 3\r\n\r\nabc",
		"chunked": "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	} {
		request := "POST /" + name + " HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" + body
		resp, got := exchange(t, c, r, "POST", request)
		if want := "POST /" + name + " abc"; resp.StatusCode != 200 || got != want || resp.Close {
			t.Errorf("%s: %d %q, close %v", name, resp.StatusCode, got, resp.Close)
		}
	}
}

// A body where none may be would be read as the next answer.
func TestAnswersWithoutBody(t *testing.T) {
	_, addr := serve(t, wire.Config{Handler: func(x sluice.Inbound) {
		status := map[string]int{"/204": 204, "/304": 304}[x.Head().Path]
		if status == 0 {
			status = 200
		}
		length := int64(4)
		if x.Head().Path == "/chunked" {
			length = -1
		}
		if x.Begin(&sluice.RespHead{Status: status, ContentLength: length}) != nil || x.Write([]byte("body")) != nil || x.End(nil) != nil {
			t.Error("answer failed")
		}
	}})
	c := dial(t, addr)
	defer c.Close()
	r := bufio.NewReader(c)
	for _, x := range []struct{ method, path, want string }{
		{"GET", "/204", ""}, {"GET", "/304", ""}, {"HEAD", "/", ""}, {"HEAD", "/chunked", ""}, {"GET", "/", "body"}, {"GET", "/chunked", "body"},
	} {
		resp, body := exchange(t, c, r, x.method, x.method+" "+x.path+" HTTP/1.1\r\nHost: a\r\n\r\n")
		if body != x.want || x.path == "/204" && resp.Header.Get("Content-Length") != "" {
			t.Errorf("%s %s: %q %v", x.method, x.path, body, resp.Header)
		}
	}
}

// HTTP/1.0 clients know neither chunks nor, unasked, a second request.
func TestHTTP10(t *testing.T) {
	_, addr := serve(t, wire.Config{Handler: func(x sluice.Inbound) {
		if x.Begin(&sluice.RespHead{Status: 200, ContentLength: -1}) == nil && x.Write([]byte("body")) == nil {
			x.End(nil)
		}
	}})
	if got := raw(t, addr, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"); !strings.HasSuffix(got, "\r\n\r\nbody") || strings.Contains(got, "chunked") {
		t.Errorf("got %q", got)
	}
	_, addr = serve(t, wire.Config{Handler: echo})
	c := dial(t, addr)
	defer c.Close()
	r := bufio.NewReader(c)
	for range 2 {
		if resp, _ := exchange(t, c, r, "GET", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"); resp.Header.Get("Connection") != "keep-alive" {
			t.Fatalf("connection %v", resp.Header)
		}
	}
}

// A field that ends a line early writes another answer (response splitting).
func TestAnswerSplittingRefused(t *testing.T) {
	errs := make(chan error, 4)
	_, addr := serve(t, wire.Config{Handler: func(x sluice.Inbound) {
		for _, f := range []sluice.Field{{Name: "X", Value: "a\r\nSet-Cookie: b"}, {Name: "X\r\nY", Value: "a"}, {Name: "X", Value: "a\x00"}} {
			h := &sluice.RespHead{Status: 200}
			h.Fields.Add(f.Name, f.Value)
			errs <- x.Begin(h)
		}
		answer(x, 200, "ok")
	}})
	if got := raw(t, addr, "GET / HTTP/1.0\r\n\r\n"); !strings.HasSuffix(got, "ok") || strings.Contains(got, "Set-Cookie") {
		t.Errorf("got %q", got)
	}
	for range 3 {
		if err := <-errs; sluice.CodeOf(err) != sluice.CodeInternal {
			t.Errorf("Begin accepted it: %v", err)
		}
	}
}

// What was broken off must not look complete, or a cut answer is billed and
// cached as a whole one.
func TestBrokenOffIsVisible(t *testing.T) {
	_, addr := serve(t, wire.Config{Handler: func(x sluice.Inbound) {
		length := int64(-1)
		switch x.Head().Path {
		case "/length", "/short":
			length = 100
		}
		x.Begin(&sluice.RespHead{Status: 200, ContentLength: length})
		x.Write([]byte("half"))
		switch x.Head().Path {
		case "/short":
			if sluice.CodeOf(x.End(nil)) != sluice.CodeInternal {
				t.Error("a short answer ended well")
			}
		case "/panic":
			panic("a handler's")
		case "/return":
		default:
			x.Abort()
		}
	}})
	for _, line := range []string{"/length HTTP/1.1", "/chunked HTTP/1.1", "/eof HTTP/1.0", "/short HTTP/1.1", "/panic HTTP/1.1", "/return HTTP/1.1"} {
		c := dial(t, addr)
		io.WriteString(c, "GET "+line+"\r\nHost: a\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
		}
		if err == nil {
			t.Errorf("%s looks complete", line)
		}
		c.Close()
	}
}

// More than was announced would be read as the next answer.
func TestNoMoreThanAnnounced(t *testing.T) {
	_, addr := serve(t, wire.Config{Handler: func(x sluice.Inbound) {
		x.Begin(&sluice.RespHead{Status: 200, ContentLength: 2})
		if sluice.CodeOf(x.Write([]byte("abc"))) != sluice.CodeInternal {
			t.Error("too long a piece was accepted")
		}
		x.Write([]byte("ab"))
		x.End(nil)
	}})
	if got := raw(t, addr, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); !strings.HasSuffix(got, "\r\n\r\nab") {
		t.Errorf("got %q", got)
	}
}

// Trailers carry grpc-status and checksums; they must reach the client and
// nothing that frames or vouches must pass with them.
func TestAnswerTrailers(t *testing.T) {
	_, addr := serve(t, wire.Config{Handler: func(x sluice.Inbound) {
		x.Begin(&sluice.RespHead{Status: 200, ContentLength: -1})
		x.Write([]byte("a"))
		var f sluice.Fields
		f.Add("X-Sum", "1")
		f.Add("Content-Length", "5")
		f.Add("X_Sum", "2")
		f.Add("X-Bad", "a\r\nb")
		x.End(&f)
	}})
	if got := raw(t, addr, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); !strings.HasSuffix(got, "\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n") {
		t.Errorf("got %q", got)
	}
}

// Whoever sends slowly holds memory and a descriptor: each phase lets go of
// them, and says why where somebody may still read it.
func TestSlowClients(t *testing.T) {
	lim := wire.Limits{HeadTime: 100 * time.Millisecond, Idle: 150 * time.Millisecond, BodyGrace: 100 * time.Millisecond, BodyPause: 100 * time.Millisecond, Sweep: 5 * time.Millisecond}
	s, addr := serve(t, wire.Config{Handler: echo, Limits: lim})
	for why, x := range map[string]struct{ send, want string }{
		"nothing":    {"", ""},
		"half head":  {"GET / HTTP/1.1\r\nHo", "HTTP/1.1 408 "},
		"half body":  {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc", "HTTP/1.1 408 "},
		"half chunk": {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", "HTTP/1.1 408 "},
		"idle":       {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 "},
	} {
		c := dial(t, addr)
		io.WriteString(c, x.send)
		c.SetReadDeadline(time.Now().Add(3 * time.Second))
		b, err := io.ReadAll(c)
		if err != nil || !strings.HasPrefix(string(b), x.want) || x.want == "" && len(b) > 0 {
			t.Errorf("%s: %q, %v", why, b, err)
		}
		c.Close()
	}
	drip := dial(t, addr) // one byte at a time does not restart the clock
	start := time.Now()
	for i := 0; ; i++ {
		if _, err := drip.Write([]byte("GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"[i%20 : i%20+1])); err != nil || time.Since(start) > 3*time.Second {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("a dripping head held on for %v", took)
	}
	drip.Close()
	eventually(t, "connections close", func() bool { return s.Conns() == 0 })
}

// A client that does not read must not hold a stream, its upstream and its
// memory for ever.
func TestSlowReaderIsCut(t *testing.T) {
	result := make(chan error, 1)
	_, addr := serve(t, wire.Config{
		Limits: wire.Limits{Frame: 100 * time.Millisecond, Sweep: 5 * time.Millisecond},
		Handler: func(x sluice.Inbound) {
			x.Begin(&sluice.RespHead{Status: 200, ContentLength: -1})
			piece := make([]byte, 32<<10)
			for {
				if err := x.Write(piece); err != nil {
					result <- err
					return
				}
			}
		},
	})
	c := dial(t, addr)
	defer c.Close()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	select {
	case err := <-result:
		if sluice.CodeOf(err) != sluice.CodeClientGone {
			t.Errorf("got %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the write never ended")
	}
}

// A drain that cuts a running answer or refuses a first request is an outage;
// one that leaves idle connections open never ends.
func TestDrain(t *testing.T) {
	entered, proceed := make(chan bool), make(chan bool)
	s, addr := serve(t, wire.Config{Handler: func(x sluice.Inbound) {
		if x.Head().Path == "/slow" {
			entered <- true
			<-proceed
		}
		answer(x, 200, "done")
	}})
	idle, busy := dial(t, addr), dial(t, addr)
	defer idle.Close()
	defer busy.Close()
	exchange(t, idle, bufio.NewReader(idle), "GET", "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	io.WriteString(busy, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	<-entered
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	idle.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := idle.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the idle connection got %v", err)
	}
	if _, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
		t.Error("still accepting")
	}
	close(proceed)
	b, err := io.ReadAll(busy)
	if err != nil || !strings.Contains(string(b), "Connection: close\r\n") || !strings.HasSuffix(string(b), "done") {
		t.Errorf("the busy connection got %q, %v", b, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A handler that never ends must not make a drain endless.
func TestDrainDeadline(t *testing.T) {
	gone := make(chan bool)
	entered := make(chan bool)
	s, addr := serve(t, wire.Config{Handler: func(x sluice.Inbound) {
		x.OnGone(func() { close(gone) })
		close(entered)
		<-gone
	}})
	c := dial(t, addr)
	defer c.Close()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	<-entered
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// The canonical path is what authorises; a path it refuses must not arrive, and
// the one it gives must be the one that is seen (T-CVE-13).
func TestCanonicalPath(t *testing.T) {
	_, addr := serve(t, wire.Config{Handler: echo, CanonicalPath: func(p string) (string, error) {
		if strings.Contains(p, "..") {
			return "", errors.New("dot segments")
		}
		return strings.ToLower(p), nil
	}})
	if got := raw(t, addr, "GET /A/B HTTP/1.0\r\n\r\n"); !strings.HasSuffix(got, "GET /a/b ") {
		t.Errorf("got %q", got)
	}
	if got := raw(t, addr, "GET /a/..;/b HTTP/1.0\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 400 ") {
		t.Errorf("got %q", got)
	}
}

// A body over the limit is refused before it is read, a chunked one when it
// passes the limit, and the client can read the answer.
func TestBodyLimit(t *testing.T) {
	_, addr := serve(t, wire.Config{Handler: echo})
	big := strings.Repeat("x", 2<<20)
	for _, framed := range []string{
		fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(big), big),
		fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(big), big),
	} {
		c := dial(t, addr)
		go io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\n"+framed)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != 413 {
			t.Errorf("got %+v, %v", resp, err)
		}
		c.Close()
	}
}

// A tunnel hands over the socket with nothing lost and nothing of ours left on
// it, and only after a protocol switch.
func TestTunnel(t *testing.T) {
	_, addr := serve(t, wire.Config{Handler: func(x sluice.Inbound) {
		if _, _, err := x.Tunnel(); sluice.CodeOf(err) != sluice.CodeUnsupported {
			t.Errorf("before the switch: %v", err)
		}
		h := &sluice.RespHead{Status: 101}
		h.Fields.Add("Upgrade", "websocket")
		if err := x.Begin(h); err != nil {
			t.Error(err)
		}
		c, ahead, err := x.Tunnel()
		if err != nil || string(ahead) != "early" {
			t.Errorf("%q, %v", ahead, err)
		}
		defer c.Close()
		io.Copy(c, c)
	}})
	c := dial(t, addr)
	defer c.Close()
	r := bufio.NewReader(c)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nearly")
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != 101 || resp.Header.Get("Upgrade") != "websocket" {
		t.Fatalf("%+v, %v", resp, err)
	}
	io.WriteString(c, "ping")
	b := make([]byte, 4)
	if _, err := io.ReadFull(r, b); err != nil || string(b) != "ping" {
		t.Errorf("%q, %v", b, err)
	}
}

// A hang-up while nothing is written must be told within milliseconds: until
// then an upstream works, and bills, for nobody. A late one must not reach the
// next exchange.
func TestHangUp(t *testing.T) {
	var calls atomic.Int32
	told := make(chan time.Time, 1)
	entered := make(chan bool, 1)
	_, addr := serve(t, wire.Config{Handler: func(x sluice.Inbound) {
		if x.Head().Path == "/quick" {
			x.OnGone(func() { calls.Add(1) })
			answer(x, 200, "")
			return
		}
		gone := make(chan bool)
		x.OnGone(func() { told <- time.Now(); close(gone) })
		entered <- true
		<-gone
	}})
	c := dial(t, addr)
	exchange(t, c, bufio.NewReader(c), "GET", "GET /quick HTTP/1.1\r\nHost: a\r\n\r\n")
	io.WriteString(c, "GET /hang HTTP/1.1\r\nHost: a\r\n\r\n")
	<-entered
	start := time.Now()
	c.Close()
	select {
	case at := <-told:
		if took := at.Sub(start); took > 500*time.Millisecond {
			t.Errorf("told after %v", took)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("never told")
	}
	if calls.Load() != 0 {
		t.Error("a finished exchange was told of a later hang-up")
	}
}

// A client that closes its sending half counts as gone: one that left looks the
// same, and waiting for it would bill it.
func TestHalfClosedClientIsGone(t *testing.T) {
	told := make(chan bool, 1)
	_, addr := serve(t, wire.Config{Handler: func(x sluice.Inbound) {
		gone := make(chan bool)
		x.OnGone(func() { close(gone) })
		<-gone
		told <- true
	}})
	c := dial(t, addr)
	defer c.Close()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	c.(*net.TCPConn).CloseWrite()
	select {
	case <-told:
	case <-time.After(5 * time.Second):
		t.Fatal("never told")
	}
}

// One that comes before anybody asked must not be lost.
func TestHangUpBeforeAsked(t *testing.T) {
	told := make(chan bool, 1)
	proceed := make(chan bool)
	_, addr := serve(t, wire.Config{Handler: func(x sluice.Inbound) {
		first := make(chan bool)
		x.OnGone(func() { close(first) })
		<-proceed
		<-first
		second := make(chan bool)
		x.OnGone(func() { close(second) })
		<-second
		told <- true
	}})
	c := dial(t, addr)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	proceed <- true
	c.Close()
	select {
	case <-told:
	case <-time.After(5 * time.Second):
		t.Fatal("never told")
	}
}

// A sweep that comes between two phases, however late the hour, must not hurt
// the phase that follows.
func TestSweepBetweenPhases(t *testing.T) {
	server := make(chan *wire.Server, 1)
	handler := func(x sluice.Inbound) {
		s := <-server
		server <- s
		s.LateSweep() // reading is over, writing has not begun
		b, err := x.Body(10)
		if err != nil {
			t.Error(err)
		}
		s.LateSweep()
		answer(x, 200, string(b))
	}
	s, addr := serve(t, wire.Config{Limits: wire.Limits{Sweep: time.Hour}, Handler: handler})
	server <- s
	c := dial(t, addr)
	defer c.Close()
	r := bufio.NewReader(c)
	for range 3 {
		if _, body := exchange(t, c, r, "POST", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok"); body != "ok" {
			t.Errorf("%q", body)
		}
	}
}

// eventually waits for a condition that other goroutines bring about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("never: %s", what)
}
