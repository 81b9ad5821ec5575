package sluicetest

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// RedisServer is a Redis server of its own on a free port of the loopback
// interface, without persistence: a restart is empty.
type RedisServer struct {
	daemon
	// Addr is host:port.
	Addr string
}

// Redis starts a server for one test, which may stop and start it; options are
// more of its command line, for instance --cluster-enabled, yes. Without Redis
// installed the test is skipped, or fails with CI=true.
func Redis(t testing.TB, options ...string) *RedisServer {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		missing(t, "Redis")
	}
	port := strconv.Itoa(freePort(t))
	s := &RedisServer{daemon: daemon{dir: daemonDir(t, "redis")}, Addr: "127.0.0.1:" + port}
	s.argv = []string{program, "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", s.dir}
	s.argv = append(s.argv, options...)
	t.Cleanup(func() {
		s.Stop(t, syscall.SIGKILL)
		os.RemoveAll(s.dir)
	})
	s.Start(t)
	return s
}

// Start starts the server, again and empty after [RedisServer.Stop], on the
// same address.
func (s *RedisServer) Start(t testing.TB) {
	t.Helper()
	s.start(t, func() error {
		answer, err := s.Do("PING")
		if err == nil && answer != "+PONG" {
			err = errors.New(answer)
		}
		return err
	})
}

// Do sends one command without spaces in its arguments, such as FLUSHALL, on a
// connection of its own and returns the first line of the answer.
func (s *RedisServer) Do(command string) (string, error) {
	c, err := net.DialTimeout("tcp", s.Addr, time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(c, "%s\r\n", command); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	return strings.TrimSpace(line), err
}
