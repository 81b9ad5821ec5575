package sluicetest

import (
	"errors"
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
)

// SentinelMaster is the name of the master that [Sentinels] watch.
const SentinelMaster = "sluice"

// sentinelDown is after how long a sentinel takes a silent master for dead.
const sentinelDown = time.Second

// RedisReplica starts a server that copies another one, and waits until it has.
func RedisReplica(t testing.TB, of *RedisServer) *RedisServer {
	t.Helper()
	host, port, _ := net.SplitHostPort(of.Addr)
	s := Redis(t, "--replicaof", host, port)
	s.await(t, "it has the copy", func() bool { return strings.Contains(s.info("replication"), "master_link_status:up") })
	return s
}

// Sentinels starts processes that watch a master with its replicas, and that
// together make a replica the master when it is silent for a second. It returns
// where they listen once all know each other and a replica.
func Sentinels(t testing.TB, count int, master *RedisServer) (addrs []string) {
	t.Helper()
	var all []*RedisServer
	for range count {
		s := startSentinel(t, count/2+1, master)
		all, addrs = append(all, s), append(addrs, s.Addr)
	}
	for _, s := range all {
		s.await(t, "it knows the others and a replica", func() bool {
			return strings.Contains(s.info("sentinel"), fmt.Sprintf("slaves=1,sentinels=%d", count))
		})
	}
	return addrs
}

// startSentinel starts one of them; it keeps what it learns in its configuration.
func startSentinel(t testing.TB, quorum int, master *RedisServer) *RedisServer {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		missing(t, "Redis")
	}
	host, port, _ := net.SplitHostPort(master.Addr)
	own := strconv.Itoa(freePort(t))
	s := &RedisServer{daemon: daemon{dir: daemonDir(t, "sentinel")}, Addr: "127.0.0.1:" + own}
	file := filepath.Join(s.dir, "sentinel.conf")
	lines := []string{
		"bind 127.0.0.1", "port " + own, "dir " + s.dir,
		fmt.Sprintf("sentinel monitor %s %s %s %d", SentinelMaster, host, port, quorum),
		fmt.Sprintf("sentinel down-after-milliseconds %s %d", SentinelMaster, sentinelDown.Milliseconds()),
		fmt.Sprintf("sentinel failover-timeout %s 5000", SentinelMaster), "",
	}
	err = os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600)
	if c := account(t); c != nil {
		err = errors.Join(err, os.Chown(file, int(c.Uid), int(c.Gid)))
	}
	if err != nil {
		t.Fatal(err)
	}
	s.argv = []string{program, file, "--sentinel"}
	t.Cleanup(func() {
		s.Stop(t, syscall.SIGKILL)
		os.RemoveAll(s.dir)
	})
	s.Start(t)
	return s
}

// IsMaster reports whether the server takes writes.
func (s *RedisServer) IsMaster() bool { return strings.Contains(s.info("replication"), "role:master") }

// info returns a section of what the server tells of itself, or "".
func (s *RedisServer) info(section string) string {
	host, port, _ := net.SplitHostPort(s.Addr)
	out, err := exec.Command("redis-cli", "-h", host, "-p", port, "INFO", section).Output()
	if err != nil {
		return ""
	}
	return string(out)
}

func (s *RedisServer) await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(daemonPatience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("Redis at %s, never: %s\n%s", s.Addr, what, s.log())
		}
	}
}
