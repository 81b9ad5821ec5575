//go:build !race

package wire_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/wire"
)

// counts are the calls that reach a socket.
type counts struct{ reads, writes atomic.Int64 }

type countedConn struct {
	net.Conn
	n *counts
}

func (c countedConn) Read(p []byte) (int, error)  { c.n.reads.Add(1); return c.Conn.Read(p) }
func (c countedConn) Write(p []byte) (int, error) { c.n.writes.Add(1); return c.Conn.Write(p) }

type countedListener struct {
	net.Listener
	n *counts
}

func (l countedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countedConn{c, l.n}, nil
}

// lean answers every request with fixed bytes and allocates nothing.
func lean(t testing.TB, answer string) string {
	return target(t, func(_ int, c net.Conn, _ *bufio.Reader) {
		b, said := make([]byte, 64<<10), []byte(answer)
		for have := 0; ; {
			n, err := c.Read(b[have:])
			if err != nil {
				return
			}
			have += n
			if i := bytes.Index(b[:have], []byte("\r\n\r\n")); i >= 0 && have >= i+4+leanBody {
				c.Write(said)
				have = 0
			}
		}
	})
}

const leanBody = 1000

var leanRequest = "POST /v1/chat/completions HTTP/1.1\r\nHost: gateway.example\r\nAuthorization: Bearer abcdef\r\nContent-Type: application/json\r\nAccept: */*\r\nUser-Agent: test\r\nContent-Length: 1000\r\n\r\n" + string(bytes.Repeat([]byte("x"), leanBody))

var leanAnswer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: 1000\r\n\r\n" + string(bytes.Repeat([]byte("y"), leanBody))

// leanForward forwards with a call that lives as long as the handler, so that
// what is counted is the wire's.
func leanForward(pool *wire.Pool, addr string) func(sluice.Inbound) {
	return func(x sluice.Inbound) {
		call := &sluice.Call{Scheme: "http", Addr: addr, Method: "POST", Target: x.Head().Path, Host: "h", FirstByte: time.Minute, Idle: time.Minute}
		call.Fields = x.Head().Fields
		body, err := x.Body(1 << 20)
		if err != nil {
			x.Abort()
			return
		}
		call.Body = [][]byte{body}
		s, err := pool.Do(call)
		if err != nil {
			x.Abort()
			return
		}
		defer s.Close()
		if x.Begin(s.Head()) != nil {
			return
		}
		for {
			b, err := s.Next()
			if err != nil {
				break
			}
			if x.Write(b) != nil {
				return
			}
		}
		x.End(nil)
	}
}

// drive sends n requests on one connection, one after the other.
func drive(t testing.TB, c net.Conn, n, answerLength int) {
	b := make([]byte, answerLength)
	request := []byte(leanRequest)
	for range n {
		if _, err := c.Write(request); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, b); err != nil {
			t.Fatal(err)
		}
	}
}

// System calls are most of a proxied request's cost: one read and one write on
// either side, and no more than a second read.
func TestSystemCallsPerRequest(t *testing.T) {
	var in, out counts
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pool := newPool(t, wire.PoolConfig{Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		return countedConn{c, &out}, err
	}})
	serveOn(t, wire.Config{Handler: leanForward(pool, lean(t, leanAnswer))}, countedListener{ln, &in})
	c := dial(t, ln.Addr().String())
	defer c.Close()
	const n = 200
	drive(t, c, n, len(leanAnswer))
	for what, got := range map[string][2]int64{
		"client writes": {in.writes.Load(), n}, "client reads": {in.reads.Load() - 1, n},
		"upstream writes": {out.writes.Load(), n}, "upstream reads": {out.reads.Load(), n},
	} {
		if got[0] > got[1]+n/20 {
			t.Errorf("%s: %d for %d requests", what, got[0], n)
		}
	}
}

// Garbage is CPU later. The budget of the whole path is 5: of the 4 allowed
// here, the handler's call and body list are 2, the pool's guard against late
// stops the others.
func TestAllocationsPerRequest(t *testing.T) {
	pool := newPool(t, wire.PoolConfig{Sweep: time.Second})
	_, addr := serve(t, wire.Config{Handler: leanForward(pool, lean(t, leanAnswer)), Limits: wire.Limits{Sweep: time.Second}})
	c := dial(t, addr)
	defer c.Close()
	drive(t, c, 100, len(leanAnswer))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const n = 2000
	drive(t, c, n, len(leanAnswer))
	runtime.ReadMemStats(&after)
	per := float64(after.Mallocs-before.Mallocs) / n
	t.Logf("%.2f allocations, %.0f bytes a request", per, float64(after.TotalAlloc-before.TotalAlloc)/n)
	if per > 4.5 {
		t.Errorf("%.2f allocations a request", per)
	}
}

// A parser that allocates lets a stranger make us collect garbage.
func TestParsersDoNotAllocate(t *testing.T) {
	parse := wire.RequestParser([]byte(leanRequest[:len(leanRequest)-leanBody]))
	if n := testing.AllocsPerRun(100, parse); n > 0 {
		t.Errorf("request head: %.0f allocations", n)
	}
	parse = wire.ResponseParser([]byte(leanAnswer[:len(leanAnswer)-leanBody]))
	if n := testing.AllocsPerRun(100, parse); n > 0 {
		t.Errorf("answer head: %.0f allocations", n)
	}
}

func BenchmarkRequestHead(b *testing.B) {
	parse := wire.RequestParser([]byte(leanRequest[:len(leanRequest)-leanBody]))
	b.ReportAllocs()
	for b.Loop() {
		parse()
	}
}

func BenchmarkForward(b *testing.B) {
	pool := newPool(b, wire.PoolConfig{Sweep: time.Second})
	_, addr := serve(b, wire.Config{Handler: leanForward(pool, lean(b, leanAnswer)), Limits: wire.Limits{Sweep: time.Second}})
	c := dial(b, addr)
	defer c.Close()
	drive(b, c, 100, len(leanAnswer))
	b.ReportAllocs()
	b.ResetTimer()
	drive(b, c, b.N, len(leanAnswer))
}
