package wire_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/wire"
)

// serve starts a server on loopback and stops it with the test.
func serve(t testing.TB, cfg wire.Config) (*wire.Server, string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, cfg, ln), ln.Addr().String()
}

func serveOn(t testing.TB, cfg wire.Config, ln net.Listener) *wire.Server {
	t.Helper()
	if cfg.Limits.Sweep == 0 {
		cfg.Limits.Sweep = 10 * time.Millisecond
	}
	s := wire.NewServer(cfg)
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; err != wire.ErrServerClosed {
			t.Errorf("Serve ended with %v", err)
		}
	})
	return s
}

// newPool is a pool over plain dialling.
func newPool(t testing.TB, cfg wire.PoolConfig) *wire.Pool {
	t.Helper()
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{}).DialContext
	}
	if cfg.Sweep == 0 {
		cfg.Sweep = 10 * time.Millisecond
	}
	p := wire.NewPool(cfg)
	t.Cleanup(p.Close)
	return p
}

// forwarder is the smallest gateway: it sends every request to addr through
// the pool. When stream is set it does not gather bodies.
type forwarder struct {
	pool   sluice.Outbound
	addr   string
	stream bool
	idle   time.Duration
	first  time.Duration
	failed func(error)
}

func (f *forwarder) handle(x sluice.Inbound) {
	h := x.Head()
	call := &sluice.Call{
		Scheme: "http", Addr: f.addr, Method: h.Method, Target: h.Path, Host: h.Host,
		Connect: time.Second, FirstByte: f.first, Idle: f.idle, Replayable: true,
	}
	if h.RawQuery != "" {
		call.Target += "?" + h.RawQuery
	}
	call.Fields.AppendAll(&h.Fields)
	x.OnGone(call.Stopper().Stop)
	if f.stream && h.ContentLength != 0 {
		call.Stream, call.ContentLength = x, h.ContentLength
	} else {
		body, err := x.Body(64 << 20)
		if err != nil {
			f.fail(x, err)
			return
		}
		call.Body = [][]byte{body}
	}
	s, err := f.pool.Do(call)
	if err != nil {
		f.fail(x, err)
		return
	}
	defer s.Close()
	if x.Begin(s.Head()) != nil {
		return
	}
	for {
		b, err := s.Next()
		if err == io.EOF {
			x.End(s.Trailers())
			return
		}
		if err != nil {
			if f.failed != nil {
				f.failed(err)
			}
			x.Abort()
			return
		}
		if x.Write(b) != nil {
			x.Abort()
			return
		}
	}
}

func (f *forwarder) fail(x sluice.Inbound, err error) {
	if f.failed != nil {
		f.failed(err)
	}
	answer(x, sluice.CodeInfo(sluice.CodeOf(err)).Status, string(sluice.CodeOf(err)))
}

// answer ends an exchange with a short text.
func answer(x sluice.Inbound, status int, text string) {
	h := &sluice.RespHead{Status: status, ContentLength: int64(len(text))}
	if x.Begin(h) == nil && (text == "" || x.Write([]byte(text)) == nil) {
		x.End(nil)
	}
}

// raw sends bytes on a fresh connection and returns what comes back until the
// other side closes or is quiet for a while.
func raw(t testing.TB, addr, request string) string {
	t.Helper()
	c := dial(t, addr)
	defer c.Close()
	io.WriteString(c, request)
	c.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	b, _ := io.ReadAll(c)
	return string(b)
}

func dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Without this nothing works: a POST through server and pool, kept alive, in
// several sizes and framings, arrives and returns byte for byte.
func TestForward(t *testing.T) {
	origin := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.Header.Get("X-Flush") != "" {
			w.Write(b[:len(b)/2])
			w.(http.Flusher).Flush()
			w.Write(b[len(b)/2:])
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(b)))
		w.Write(b)
	})}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go origin.Serve(ln)
	defer origin.Close()
	for _, stream := range []bool{false, true} {
		f := &forwarder{pool: newPool(t, wire.PoolConfig{}), addr: ln.Addr().String(), stream: stream, failed: func(err error) { t.Error(err) }}
		_, addr := serve(t, wire.Config{Handler: f.handle})
		client := &http.Client{Transport: &http.Transport{}}
		defer client.CloseIdleConnections()
		for _, size := range []int{0, 1, 1000, 5000, 16 << 10, 200_000, 3 << 20} {
			for _, chunked := range []bool{false, true} {
				for _, flush := range []string{"", "1"} {
					body := strings.Repeat("abcdefghi\n", size/10+1)[:size]
					var r io.Reader = strings.NewReader(body)
					if chunked {
						r = io.MultiReader(r)
					}
					req, err := http.NewRequestWithContext(context.Background(), "POST", "http://"+addr+"/x?y=z", r)
					if err != nil {
						t.Fatal(err)
					}
					req.Header.Set("X-Flush", flush)
					resp, err := client.Do(req)
					if err != nil {
						t.Fatalf("stream %v size %d chunked %v: %v", stream, size, chunked, err)
					}
					got, err := io.ReadAll(resp.Body)
					resp.Body.Close()
					if err != nil || resp.StatusCode != 200 || string(got) != body {
						t.Fatalf("stream %v size %d chunked %v flush %q: %d, %d bytes, %v", stream, size, chunked, flush, resp.StatusCode, len(got), err)
					}
				}
			}
		}
	}
}

// A pipelined request must not be lost with the buffer of the one before.
func TestPipelining(t *testing.T) {
	_, addr := serve(t, wire.Config{Handler: func(x sluice.Inbound) {
		b, err := x.Body(1 << 20)
		if err != nil {
			t.Error(err)
		}
		answer(x, 200, x.Head().Path+string(b))
	}})
	c := dial(t, addr)
	defer c.Close()
	var all strings.Builder
	for i := range 20 {
		fmt.Fprintf(&all, "POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", i)
		fmt.Fprintf(&all, "POST /%d/c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", i)
	}
	go io.WriteString(c, all.String())
	r := bufio.NewReader(c)
	for i := range 20 {
		for _, tail := range []string{"", "/c"} {
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			if want := fmt.Sprintf("/%d%sabc", i, tail); err != nil || string(b) != want {
				t.Fatalf("got %q, want %q, %v", b, want, err)
			}
		}
	}
}
