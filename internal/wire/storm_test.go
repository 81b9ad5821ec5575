//go:build linux && !race

package wire_test

import (
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/sluicegate/sluice/internal/wire"
)

// crowdOf is how many clients a storm has, within what the system allows this
// process: each costs it so many descriptors.
func crowdOf(t *testing.T, n, descriptors int) int {
	t.Helper()
	if testing.Short() {
		n /= 10
	}
	if err := allDescriptors(); err != nil {
		t.Fatal(err)
	}
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	if most := (int(lim.Cur) - 100) / descriptors; n > most {
		t.Logf("%d clients instead of %d: the limit of descriptors is %d", most, n, lim.Cur)
		n = most
	}
	return n
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
		return now.goroutines <= b.goroutines && now.files <= b.files
	})
}

// memory is what the process holds in live objects and stacks. It collects
// three times: pooled buffers survive one collection, and the stacks of ended
// goroutines are given back by another.
func memory() uint64 {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// perClient checks what n clients added to memory.
func perClient(t *testing.T, what string, before uint64, n int, most uint64) {
	t.Helper()
	per := (max(memory(), before) - before) / uint64(n)
	t.Logf("%d %s, %d bytes each", n, what, per)
	if per > most || per < 1<<10 { // less would be a mistake of the measurement
		t.Errorf("%d bytes for each of %d %s, at most %d are allowed", per, n, what, most)
	}
}

const plainGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

// Idle connections are what a gateway has most of: ten thousand of them must
// cost little and leave nothing.
func TestIdleConnections(t *testing.T) {
	n := crowdOf(t, 10_000, 1)
	clients := newCrowd(t)
	s, addr := serve(t, wire.Config{Handler: echo, Limits: wire.Limits{Idle: time.Hour, Sweep: 100 * time.Millisecond}})
	before, start := memory(), measure(t)
	clients.open(t, addr, n, true, plainGet)
	perClient(t, "idle connections", before, n, 12<<10)
	if s.Conns() != n {
		t.Errorf("%d connections of %d", s.Conns(), n)
	}
	clients.leave(t)
	eventually(t, "connections end", func() bool { return s.Conns() == 0 })
	start.awaitReturn(t)
}

// Idle connections whose time is over must go by themselves, ten thousand at
// once, while others are served.
func TestIdleConnectionsExpire(t *testing.T) {
	n := crowdOf(t, 10_000, 1)
	clients := newCrowd(t)
	s, addr := serve(t, wire.Config{Handler: echo, Limits: wire.Limits{Idle: 3 * time.Second, Sweep: 100 * time.Millisecond}})
	start := measure(t)
	clients.open(t, addr, n, true, plainGet)
	if got := raw(t, addr, "GET /ok HTTP/1.0\r\n\r\n"); len(got) == 0 {
		t.Error("another client was not served")
	}
	eventually(t, "connections expire", func() bool { return s.Conns() == 0 })
	start.awaitReturn(t)
}

// Five thousand answers that drip: each must arrive whole, in a bounded memory
// for both halves of the gateway, and the storm must leave nothing.
func TestSlowStreams(t *testing.T) {
	n := crowdOf(t, 5_000, 2)
	clients := newCrowd(t)
	start := measure(t)
	pool := wire.NewPool(wire.PoolConfig{Dial: (&net.Dialer{}).DialContext})
	f := &forwarder{pool: pool, addr: clients.origin, first: time.Minute, idle: time.Minute}
	s, addr := serve(t, wire.Config{Handler: f.handle})
	before := memory()
	clients.open(t, addr, n, true, plainGet)
	perClient(t, "slow streams", before, n, 24<<10)
	clients.drip(t)
	clients.leave(t)
	eventually(t, "connections end", func() bool { return s.Conns() == 0 })
	s.Close()
	pool.Close()
	start.awaitReturn(t)
}

// Five thousand clients that hang up within their streams must take their
// upstreams with them and leave nothing.
func TestHangUpStorm(t *testing.T) {
	n := crowdOf(t, 5_000, 2)
	clients := newCrowd(t)
	start := measure(t)
	pool := wire.NewPool(wire.PoolConfig{Dial: (&net.Dialer{}).DialContext})
	f := &forwarder{pool: pool, addr: clients.origin, first: time.Minute, idle: time.Minute}
	s, addr := serve(t, wire.Config{Handler: f.handle})
	clients.open(t, addr, n, true, plainGet)
	clients.leave(t)
	eventually(t, "both sides end", func() bool { return s.Conns() == 0 && pool.Conns() == 0 })
	s.Close()
	pool.Close()
	start.awaitReturn(t)
}

// Half-sent heads by the thousand must be let go by the deadline while others
// are served.
func TestSlowLoris(t *testing.T) {
	n := crowdOf(t, 10_000, 1)
	clients := newCrowd(t)
	s, addr := serve(t, wire.Config{Handler: echo, Limits: wire.Limits{HeadTime: 2 * time.Second, Sweep: 50 * time.Millisecond}})
	before, start := memory(), measure(t)
	clients.open(t, addr, n, false, "GET / HTTP/1.1\r\nHost: a\r\nX: ")
	perClient(t, "half-sent heads", before, n, 12<<10)
	for range 50 {
		if got := raw(t, addr, "GET /ok HTTP/1.0\r\n\r\n"); len(got) == 0 {
			t.Error("a healthy client was not served")
		}
	}
	eventually(t, "slow heads are let go", func() bool { return s.Conns() == 0 })
	start.awaitReturn(t)
}
