//go:build linux && !race

package wire_test

import (
	"net"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/sluicegate/sluice/internal/wire"
)

// kernelCounts is how many calls of the read and of the write family the kernel
// has counted for this process, those that found nothing included. It does not
// count recvfrom.
func kernelCounts(t *testing.T) (reads, writes int) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/io")
	if err != nil {
		t.Skip("this kernel does not count: ", err)
	}
	m := regexp.MustCompile(`(?s)syscr: (\d+)\nsyscw: (\d+)`).FindSubmatch(b)
	if m == nil {
		t.Fatalf("unexpected: %s", b)
	}
	reads, _ = strconv.Atoi(string(m[1]))
	writes, _ = strconv.Atoi(string(m[2]))
	return reads, writes
}

// What the wrapper of TestSystemCallsPerRequest can not see, the kernel counts:
// with reads that found nothing to read a request costs 2 writes and at most 4
// reads. Beside them stands the pool's look at the connection that it reuses,
// one recvfrom.
func TestSystemCallsByTheKernel(t *testing.T) {
	clients := newCrowd(t)
	pool := newPool(t, wire.PoolConfig{Dial: (&net.Dialer{}).DialContext, Sweep: time.Second})
	_, addr := serve(t, wire.Config{Handler: leanForward(pool, clients.origin), Limits: wire.Limits{Sweep: time.Second}})
	clients.drive(t, addr, 10)
	const n = 2000
	reads, writes := kernelCounts(t)
	clients.drive(t, addr, n)
	moreReads, moreWrites := kernelCounts(t)
	r, w := float64(moreReads-reads)/n, float64(moreWrites-writes)/n
	t.Logf("%.2f reads, %.2f writes a request", r, w)
	if r < 2 || r > 4.1 || w < 2 || w > 2.1 {
		t.Errorf("%.2f reads and %.2f writes a request", r, w)
	}
}
