//go:build linux && !race

package wire_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// crowdEnv makes the test binary a crowd instead of a test run.
const crowdEnv = "WIRE_TEST_CROWD"

// TestMain lets a storm keep its clients in a child: ten thousand connections
// with both ends would need more descriptors than a process may have, and the
// memory measured would be both sides'.
func TestMain(m *testing.M) {
	if os.Getenv(crowdEnv) != "" {
		if err := crowdMain(os.Stdin, os.Stdout); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// crowd is a child process with many clients and an upstream of dripping
// answers, ordered about line by line.
type crowd struct {
	in     io.Writer
	out    *bufio.Reader
	origin string
}

// newCrowd starts a crowd and ends it with the test.
func newCrowd(t *testing.T) *crowd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crowdEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	c := &crowd{in: in, out: bufio.NewReader(out)}
	c.origin = c.line(t)
	return c
}

func (c *crowd) line(t *testing.T) string {
	t.Helper()
	l, err := c.out.ReadString('\n')
	if err != nil {
		t.Fatalf("the crowd is gone: %q, %v", l, err)
	}
	return strings.TrimSpace(l)
}

// open makes n clients send a request, or a part of one, to addr and, when
// answered, await the first bytes of their answers.
func (c *crowd) open(t *testing.T, addr string, n int, answered bool, request string) {
	t.Helper()
	c.order(t, fmt.Sprintf("open %s %d %v %q", addr, n, answered, request))
}

// drip makes the upstream complete its answers and the clients check them.
func (c *crowd) drip(t *testing.T) {
	t.Helper()
	c.order(t, "drip")
}

// drive makes one client ask n times, one request after the other.
func (c *crowd) drive(t *testing.T, addr string, n int) {
	t.Helper()
	c.order(t, fmt.Sprintf("drive %s %d", addr, n))
}

// leave makes the clients hang up.
func (c *crowd) leave(t *testing.T) {
	t.Helper()
	c.order(t, "leave")
}

func (c *crowd) order(t *testing.T, order string) {
	t.Helper()
	if _, err := fmt.Fprintln(c.in, order); err != nil {
		t.Fatal(err)
	}
	if said := c.line(t); said != "done" {
		t.Fatalf("%s: %s", order, said)
	}
}

const (
	dripHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	dripRest = "5\r\ndone\n\r\n0\r\n\r\n"
)

// crowdMain is the child.
func crowdMain(in io.Reader, out io.Writer) error {
	if err := allDescriptors(); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	release := make(chan struct{})
	go serveDrips(ln, release) // until the process ends
	fmt.Fprintln(out, ln.Addr())
	var conns []net.Conn
	for r := bufio.NewReader(in); ; {
		order, err := r.ReadString('\n')
		if err != nil {
			return nil
		}
		switch verb, _, _ := strings.Cut(strings.TrimSpace(order), " "); verb {
		case "open":
			conns, err = openAll(order)
		case "drip":
			close(release)
			err = readDrips(conns)
		case "drive":
			err = driveOne(order)
		case "leave":
			for _, c := range conns {
				c.Close()
			}
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(out, "done")
	}
}

// serveDrips answers every GET with one event and, once released, the rest, and
// every POST at once.
func serveDrips(ln net.Listener, release chan struct{}) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			r := bufio.NewReaderSize(c, 512)
			req, err := http.ReadRequest(r)
			for err == nil && req.Method == "POST" {
				io.Copy(io.Discard, req.Body)
				io.WriteString(c, leanAnswer)
				req, err = http.ReadRequest(r)
			}
			if err != nil {
				return
			}
			io.WriteString(c, dripHead+"5\r\ndata\n\r\n")
			<-release
			io.WriteString(c, dripRest)
		}()
	}
}

func openAll(order string) (conns []net.Conn, err error) {
	var addr, request string
	var n int
	var answered bool
	if _, err := fmt.Sscanf(order, "open %s %d %t %q", &addr, &n, &answered, &request); err != nil {
		return nil, err
	}
	for range n {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return nil, err
		}
		if _, err := io.WriteString(c, request); err != nil {
			return nil, err
		}
		conns = append(conns, c)
	}
	b := make([]byte, 4<<10)
	for _, c := range conns {
		if !answered {
			break
		}
		c.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := c.Read(b); err != nil {
			return nil, err
		}
	}
	return conns, nil
}

func driveOne(order string) error {
	var addr string
	var n int
	if _, err := fmt.Sscanf(order, "drive %s %d", &addr, &n); err != nil {
		return err
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	b := make([]byte, len(leanAnswer))
	for range n {
		if _, err := io.WriteString(c, leanRequest); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, b); err != nil {
			return err
		}
	}
	return nil
}

func readDrips(conns []net.Conn) error {
	got := make([]byte, len(dripRest))
	for i, c := range conns {
		if _, err := io.ReadFull(c, got); err != nil || string(got) != dripRest {
			return fmt.Errorf("client %d got %q, %w", i, got, err)
		}
	}
	return nil
}

// allDescriptors raises the limit of descriptors as far as allowed.
func allDescriptors() error {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		return err
	}
	lim.Cur = lim.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim)
}
