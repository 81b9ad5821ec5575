package sluicetest

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// daemonPatience bounds the wait for a server to answer.
const daemonPatience = 30 * time.Second

// keeper runs a server until its own standard input ends, which happens when
// the test process does, however it ends: nothing outlives a crashed test. The
// first argument is a folder to remove afterwards, or empty.
const keeper = `folder=$1; shift
"$@" >>log 2>&1 &
server=$!
echo $server
read -r _
kill -INT $server 2>/dev/null
kill -CONT $server 2>/dev/null
wait $server
[ -z "$folder" ] || rm -rf "$folder"`

// daemon is a server program that runs from a folder of its own, under an
// account without privileges.
type daemon struct {
	dir  string
	argv []string
	// remove makes the keeper delete dir, for servers that no test's end stops.
	remove bool

	cmd   *exec.Cmd
	lease io.Closer
	pid   int
}

// missing skips the test for want of a program, except in CI, where everything
// runs.
func missing(t testing.TB, program string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed, and CI skips nothing", program)
	}
	t.Skipf("%s is not installed (make test installs it on Debian)", program)
}

// account is whom servers run as: PostgreSQL refuses to run as root. nil is the
// account of the test itself.
func account(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatalf("find an account without privileges: %v", err)
	}
	uid, _ := strconv.Atoi(nobody.Uid)
	gid, _ := strconv.Atoi(nobody.Gid)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// daemonDir makes a folder that the server's account owns.
func daemonDir(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sluice-"+name+"-")
	if err != nil {
		t.Fatal(err)
	}
	if c := account(t); c != nil {
		if err := os.Chown(dir, int(c.Uid), int(c.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// freePort returns a port of the loopback interface that nobody listens on.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// command prepares a program that runs in the daemon's folder as its account.
func (d *daemon) command(t testing.TB, argv ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = d.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+d.dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: account(t), Setpgid: true}
	return cmd
}

// start runs the server; ready reports whether it answers.
func (d *daemon) start(t testing.TB, ready func() error) {
	t.Helper()
	folder := ""
	if d.remove {
		folder = d.dir
	}
	d.cmd = d.command(t, append([]string{"/bin/sh", "-c", keeper, "keeper", folder}, d.argv...)...)
	lease, err := d.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d.lease = lease
	line, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		d.pid, err = strconv.Atoi(strings.TrimSpace(line))
	}
	if err != nil {
		t.Fatalf("start %s: %v", d.argv[0], err)
	}
	deadline := time.Now().Add(daemonPatience)
	for err = ready(); err != nil && time.Now().Before(deadline); err = ready() {
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		t.Fatalf("%s does not answer: %v\n%s", d.argv[0], err, d.log())
	}
}

// Signal sends the server a signal that does not end it: SIGSTOP makes it hang,
// SIGCONT go on.
func (d *daemon) Signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(d.pid, signal); err != nil {
		t.Fatal(err)
	}
}

// Stop ends the server by a signal and waits until it is gone: SIGINT in order,
// SIGKILL like a crash. A stopped server may be stopped again.
func (d *daemon) Stop(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if d.lease == nil {
		return
	}
	if err := syscall.Kill(d.pid, signal); err != nil {
		t.Errorf("signal %s: %v", d.argv[0], err)
	}
	d.lease.Close()
	d.cmd.Wait() // the status is that of the signal
	d.lease = nil
}

// log returns what the server printed.
func (d *daemon) log() string {
	b, err := os.ReadFile(filepath.Join(d.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(b)
}
