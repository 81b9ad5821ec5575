//go:build linux && !race

package wire_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/sluicegate/sluice/internal/wire"
)

// descriptors raises the limit as far as allowed and returns how many sockets a
// storm may use.
func descriptors(t *testing.T, want uint64) int {
	t.Helper()
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	if lim.Cur < want {
		raised := syscall.Rlimit{Cur: want, Max: max(lim.Max, want)}
		if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised) == nil {
			t.Cleanup(func() { syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim) })
			return int(want)
		}
		raised = syscall.Rlimit{Cur: lim.Max, Max: lim.Max}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised); err != nil {
			t.Fatal(err)
		}
		return int(lim.Max)
	}
	return int(want)
}

// baseline is what a storm must leave as it was.
type baseline struct{ goroutines, files int }

func measure(t *testing.T) baseline {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return baseline{runtime.NumGoroutine(), len(list)}
}

func (b baseline) awaitReturn(t *testing.T) {
	t.Helper()
	eventually(t, "goroutines and descriptors return to the baseline", func() bool {
		now := measure(t)
		return now.goroutines <= b.goroutines+2 && now.files <= b.files+2
	})
}

// memory is what the process holds in heap and stacks, after a collection.
func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// Idle connections are what a gateway has most of: ten thousand of them must
// cost little, expire, and leave nothing. The bound holds both ends.
func TestIdleConnections(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 1_000
	}
	n = min(n, (descriptors(t, uint64(2*n+500))-500)/2)
	s, addr := serve(t, wire.Config{Handler: echo, Limits: wire.Limits{Idle: time.Hour, Sweep: 100 * time.Millisecond}})
	before, start := memory(), measure(t)
	conns := make([]net.Conn, 0, n)
	b := make([]byte, 512)
	for range n {
		c := dial(t, addr)
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if _, err := c.Read(b); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	per := (memory() - before) / uint64(n)
	t.Logf("%d idle connections, %d bytes each with their clients", n, per)
	if per > 16<<10 {
		t.Errorf("%d bytes for an idle connection", per)
	}
	if s.Conns() != n {
		t.Errorf("%d connections of %d", s.Conns(), n)
	}
	for _, c := range conns {
		c.Close()
	}
	eventually(t, "connections end", func() bool { return s.Conns() == 0 })
	start.awaitReturn(t)
}

// Five thousand answers that drip: each must arrive whole, in a bounded memory,
// and the storm must leave nothing. The bound holds client, gateway and
// upstream, which share the process.
func TestSlowStreams(t *testing.T) {
	n := 5_000
	if testing.Short() {
		n = 500
	}
	n = min(n, (descriptors(t, uint64(4*n+500))-500)/4)
	release := make(chan struct{})
	start := measure(t)
	origin := target(t, func(_ int, c net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ndata\n\r\n")
		<-release
		io.WriteString(c, "5\r\ndone\n\r\n0\r\n\r\n")
	})
	pool := wire.NewPool(wire.PoolConfig{Dial: (&net.Dialer{}).DialContext})
	f := &forwarder{pool: pool, addr: origin, first: time.Minute, idle: time.Minute}
	s, addr := serve(t, wire.Config{Handler: f.handle})
	before := memory()
	conns := make([]net.Conn, n)
	for i := range conns {
		conns[i] = dial(t, addr)
		io.WriteString(conns[i], "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	}
	first := make([]byte, 4<<10)
	for _, c := range conns {
		c.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := c.Read(first); err != nil {
			t.Fatal(err)
		}
	}
	per := (memory() - before) / uint64(n)
	t.Logf("%d slow streams, %d bytes each with client and upstream", n, per)
	if per > 48<<10 {
		t.Errorf("%d bytes for a slow stream", per)
	}
	close(release)
	for _, c := range conns {
		got := make([]byte, len("5\r\ndone\n\r\n0\r\n\r\n"))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != "5\r\ndone\n\r\n0\r\n\r\n" {
			t.Fatalf("%q, %v", got, err)
		}
		c.Close()
	}
	eventually(t, "connections end", func() bool { return s.Conns() == 0 })
	s.Close()
	pool.Close()
	start.awaitReturn(t)
}

// Half-sent heads by the thousand must be let go by the deadline while others
// are served.
func TestSlowLoris(t *testing.T) {
	n := min(2_000, (descriptors(t, 4_500)-500)/2)
	s, addr := serve(t, wire.Config{Handler: echo, Limits: wire.Limits{HeadTime: time.Second, Sweep: 50 * time.Millisecond}})
	start := measure(t)
	conns := make([]net.Conn, n)
	for i := range conns {
		conns[i] = dial(t, addr)
		io.WriteString(conns[i], "GET / HTTP/1.1\r\nHost: a\r\nX: ")
	}
	for range 50 {
		if got := raw(t, addr, "GET /ok HTTP/1.0\r\n\r\n"); len(got) == 0 {
			t.Error("a healthy client was not served")
		}
	}
	eventually(t, "slow heads are let go", func() bool { return s.Conns() == 0 })
	for _, c := range conns {
		c.Close()
	}
	start.awaitReturn(t)
}
