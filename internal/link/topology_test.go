package link_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// freePort is a port that nobody listens on.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// everything publishes, changes, syncs, reads and limits by way of r.
func everything(t *testing.T, r *link.Redis) {
	t.Helper()
	must(t, r.Check(t.Context()))
	w := newWorld(31)
	p := link.NewRedisPublisher(link.PublisherConfig{Redis: r, Log: quiet})
	prev := w.change()
	must(t, p.Publish(t.Context(), nil, prev))
	follower, _ := reader(t, link.ReaderConfig{Redis: r, Gateway: "g1", Poll: 200 * time.Millisecond, Pause: time.Millisecond, Log: quiet})
	reach(t, follower, prev.Revision)
	for range 20 {
		next := w.change()
		must(t, p.Publish(t.Context(), prev, next))
		prev = next
	}
	must(t, p.Sync(t.Context(), prev, link.SyncOptions{}))
	if s := reach(t, follower, prev.Revision); content(t, s) != content(t, prev) {
		t.Error("the gateway has another configuration")
	}
	must(t, follower.Report(t.Context(), sluice.GatewayStatus{Gateway: "g1", Revision: prev.Revision, Time: time.Now()}))
	if acks, err := p.Acks(t.Context()); err != nil || len(acks) != 1 {
		t.Errorf("acknowledgements %+v, %v", acks, err)
	}
	a, err := link.NewRedisAdmission(link.RedisAdmissionConfig{Redis: r, Timeout: 5 * time.Second, OnStoreError: link.OnErrorDeny, Log: quiet})
	must(t, err)
	g := mustAdmit(t, a, "one", requests("r", 1), tokens("t", 100, 50), slots("s", 1))
	settle(t, a, g, 60)
	mustRefuse(t, a, "two", sluice.CodeRequestRate, requests("r", 1), slots("s", 1))
	if g := mustAdmit(t, a, "three", tokens("t", 100, 0), slots("s", 1)); g.Standings[0].Remaining != 40 {
		t.Errorf("standings %+v", g.Standings)
	}
}

// Losing this means that a Redis Cluster fails at the first change, instead of
// at the start with the reason.
func TestCluster(t *testing.T) {
	server := sluicetest.Redis(t, "--cluster-enabled", "yes", "--cluster-port", freePort(t))
	c := plain(t, server)
	must(t, c.Do(t.Context(), "CLUSTER", "ADDSLOTSRANGE", 0, 16383).Err())
	eventually(t, "the cluster", func() bool { return strings.Contains(c.ClusterInfo(t.Context()).Val(), "cluster_state:ok") })
	for prefix, reason := range map[string]string{"": "hash tag", "sluice:": "hash tag", "{sluice}:": "redis.cluster"} {
		if err := open(t, server, prefix).Check(t.Context()); sluice.CodeOf(err) != sluice.CodeConfig || !strings.Contains(err.Error(), reason) {
			t.Errorf("prefix %q: %v", prefix, err)
		}
	}
	r, err := link.OpenRedis(link.RedisConfig{Addrs: []string{server.Addr}, Cluster: true, Prefix: "{sluice}:"})
	must(t, err)
	defer r.Close()
	everything(t, r)
}

// Losing this means that a fail-over of Redis needs new settings everywhere.
func TestSentinel(t *testing.T) {
	server := sluicetest.Redis(t)
	_, masterPort, _ := strings.Cut(server.Addr, ":")
	port := freePort(t)
	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	must(t, os.WriteFile(conf, fmt.Appendf(nil, "bind 127.0.0.1\nport %s\nsentinel monitor main 127.0.0.1 %s 1\n", port, masterPort), 0o600))
	cmd := exec.Command("redis-server", conf, "--sentinel")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	sentinel := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port})
	t.Cleanup(func() { sentinel.Close() })
	eventually(t, "the sentinel", func() bool { return sentinel.Ping(t.Context()).Err() == nil })
	r, err := link.OpenRedis(link.RedisConfig{Addrs: []string{"127.0.0.1:" + port}, Master: "main"})
	must(t, err)
	defer r.Close()
	everything(t, r)
}

// Losing this means that a gateway which starts while Redis hangs, not refuses,
// serves nobody for as long.
func TestLastGoodWhileRedisHangs(t *testing.T) {
	server := sluicetest.Redis(t)
	s := newWorld(12).change()
	must(t, publisher(t, server).Publish(t.Context(), nil, s))
	cfg := readerConfig(t, server)
	cfg.LastGood, cfg.Keyring = filepath.Join(t.TempDir(), "last-good.snap"), testKeyring(t, 5)
	first, stop := reader(t, cfg)
	reach(t, first, s.Revision)
	stop()
	server.Signal(t, syscall.SIGSTOP)
	defer server.Signal(t, syscall.SIGCONT)
	cfg.Redis = open(t, server, "")
	start := time.Now()
	again, stop := reader(t, cfg)
	reach(t, again, s.Revision)
	if took := time.Since(start); took > 2500*time.Millisecond {
		t.Errorf("serving took %s", took)
	}
	start = time.Now()
	stop()
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("stopping took %s", took)
	}
}
