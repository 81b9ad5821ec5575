package nethttp_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/gateway/nethttp"
)

// serve starts a server with a pipeline of one function.
func serve(t *testing.T, cfg nethttp.ServerConfig, pipeline func(sluice.Inbound)) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.Config = nethttp.NewServer(cfg, pipeline)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// plain answers with a whole body.
func plain(in sluice.Inbound, status int, body string) error {
	h := &sluice.RespHead{Status: status, ContentLength: int64(len(body))}
	if err := in.Begin(h); err != nil {
		return err
	}
	if err := in.Write([]byte(body)); err != nil {
		return err
	}
	return in.End(nil)
}

// What the pipeline decides by must be what the client sent, in HTTP/1.1 and 2.
func TestInboundHead(t *testing.T) {
	s := serve(t, nethttp.ServerConfig{}, func(in sluice.Inbound) {
		h := in.Head()
		body, err := in.Body(100)
		plain(in, 200, fmt.Sprintf("%s %s %s %s %v %d %q %v %s", h.Method, h.Target, h.Host, h.Proto, h.TLS, h.ContentLength, body, err, h.Fields.Get("x-a")))
	})
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		c := s.Client()
		transport := c.Transport.(*http.Transport).Clone()
		transport.ForceAttemptHTTP2 = proto == "HTTP/2.0"
		if proto == "HTTP/1.1" {
			transport.TLSClientConfig.NextProtos = []string{"http/1.1"}
		}
		req, _ := http.NewRequest("POST", s.URL+"/a%2Fb//c?x=%20", strings.NewReader("hi"))
		req.Header.Set("X-A", "1")
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		transport.CloseIdleConnections()
		if want := "POST /a%2Fb//c?x=%20 " + s.Listener.Addr().String() + " " + proto + ` true 2 "hi" <nil> 1`; string(got) != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if resp.Header.Get("Content-Type") != "" {
			t.Errorf("the content type was guessed: %q", resp.Header.Get("Content-Type"))
		}
	}
}

// An answer that was broken off must not look complete.
func TestAbort(t *testing.T) {
	s := serve(t, nethttp.ServerConfig{}, func(in sluice.Inbound) {
		in.Begin(&sluice.RespHead{Status: 200, ContentLength: -1})
		in.Write([]byte("half"))
		in.Abort()
	})
	resp, err := s.Client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); string(b) != "half" || err == nil {
		t.Errorf("%q %v", b, err)
	}
}

// OnGone is what stops a target; it must come once, fast, and not after it was
// taken back.
func TestOnGone(t *testing.T) {
	gone, late := make(chan time.Time, 1), make(chan struct{}, 1)
	s := httptest.NewServer(nethttp.Handler(nethttp.ServerConfig{}, func(in sluice.Inbound) {
		if in.Head().Target == "/finished" {
			in.OnGone(func() { late <- struct{}{} })
			in.OnGone(nil)
			plain(in, 200, "ok")
			return
		}
		done := make(chan struct{})
		in.OnGone(func() { gone <- time.Now(); close(done) })
		<-done
		if err := plain(in, 200, "nobody hears this"); sluice.CodeOf(err) != sluice.CodeClientGone {
			t.Errorf("writing to a client that is gone: %v", err)
		}
	}))
	defer s.Close()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "GET /waiting HTTP/1.1\r\nHost: h\r\n\r\n")
	time.Sleep(20 * time.Millisecond) // the request has to be in progress
	left := time.Now()
	c.Close()
	select {
	case at := <-gone:
		if at.Sub(left) > time.Second {
			t.Errorf("told after %v", at.Sub(left))
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the hang-up was not noticed")
	}
	resp, err := http.Get(s.URL + "/finished")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	select {
	case <-late:
		t.Error("a callback that was taken back ran")
	default:
	}
}

// Bodies that lie about themselves must fail as what they are.
func TestInboundBodies(t *testing.T) {
	s := httptest.NewServer(nethttp.Handler(nethttp.ServerConfig{BodyGrace: 200 * time.Millisecond, BodyRate: 1 << 20}, func(in sluice.Inbound) {
		_, err := in.Body(10)
		plain(in, sluice.CodeInfo(sluice.CodeOf(err)).Status, string(sluice.CodeOf(err)))
	}))
	defer s.Close()
	for name, c := range map[string]struct {
		send string
		want sluice.Code
	}{
		"too long":      {"Content-Length: 11\r\n\r\nhello world", sluice.CodeTooLarge},
		"chunked":       {"Transfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n", sluice.CodeTooLarge},
		"bad chunk":     {"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello", sluice.CodeInvalidRequest},
		"never comes":   {"Content-Length: 5\r\n\r\n", sluice.CodeSlowClient},
		"stops halfway": {"Transfer-Encoding: chunked\r\n\r\n1\r\nh\r\n", sluice.CodeSlowClient},
	} {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: h\r\n%s", c.send)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		b, _ := io.ReadAll(resp.Body)
		conn.Close()
		if string(b) != string(c.want) {
			t.Errorf("%s: %s, want %s", name, b, c.want)
		}
	}
}
