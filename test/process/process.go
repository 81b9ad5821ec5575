// Package process runs the real sluice binary for tests: built once, started on
// free ports of loopback, stopped or killed as a test wants. It knows Sluice
// from outside only, by its command line and what it prints.
package process

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluicegate/sluice/client"
)

// Limits of what a test waits for; a machine that builds beside it is slow.
const (
	startTimeout = 60 * time.Second
	stopTimeout  = 30 * time.Second
	// runTimeout is for a command that reads all there is.
	runTimeout = 5 * time.Minute
)

// The first admin that [Process.Admin] creates.
const (
	AdminEmail    = "admin@example.com"
	AdminPassword = "correct horse battery staple"
)

// folder is where the binary is built; [Main] makes and removes it.
var folder string

// Main runs the tests of a package that uses the binary and removes it
// afterwards.
func Main(m *testing.M) {
	dir, err := os.MkdirTemp("", "sluice-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	folder = dir
	status := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(status)
}

// build compiles cmd/sluice once.
var build = sync.OnceValues(func() (string, error) {
	path := filepath.Join(folder, "sluice")
	out, err := exec.Command("go", "build", "-o", path, "github.com/sluicegate/sluice/cmd/sluice").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build sluice: %w\n%s", err, out)
	}
	return path, nil
})

// Binary returns the path of the built binary.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Options says how to start.
type Options struct {
	// Dir is the working folder; the data lies in Dir/data. Empty makes a new
	// one.
	Dir string
	// Env is added to an environment that has nothing of ours.
	Env []string
	// Production leaves --dev out.
	Production bool
	// Command is the role to run: control or gateway; empty is serve.
	Command string
}

// Process is a running role, `sluice serve` for instance.
type Process struct {
	// Gateway, Control and Status are base URLs, empty where the role has none.
	Gateway, Control, Status string
	// SetupLink is the printed one-time link, empty when there was none.
	SetupLink string
	// Curl is the printed curl line and Key the key in it; with --dev only.
	Curl, Key string
	// Dir is the working folder.
	Dir string

	cmd    *exec.Cmd
	exited chan struct{}
	err    error // of Wait, once exited is closed
	stderr *lines
	stdout string // a file: what precedes a log line is in it when the line is read
}

// lines collects output while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String returns what was written so far.
func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// command prepares the binary with an environment of its own.
func command(t testing.TB, opts *Options, args ...string) *exec.Cmd {
	t.Helper()
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	cmd := exec.Command(Binary(t), args...)
	cmd.Dir = opts.Dir
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "EZ_") && !strings.HasPrefix(entry, "SLUICE_") {
			cmd.Env = append(cmd.Env, entry)
		}
	}
	cmd.Env = append(cmd.Env, "HOME="+opts.Dir, "SLUICE_GATEWAY_ADDR=127.0.0.1:0", "SLUICE_CONTROL_ADDR=127.0.0.1:0", "SLUICE_STATUS_ADDR=127.0.0.1:0")
	cmd.Env = append(cmd.Env, opts.Env...)
	return cmd
}

// Run runs a command to its end and returns what it printed and its status.
func Run(t testing.TB, opts Options, args ...string) (output string, status int) {
	t.Helper()
	cmd := command(t, &opts, args...)
	ctx, cancel := context.WithTimeout(t.Context(), runTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// Start starts a role and returns once it serves, or stands by and tells
// why. The test's end stops it.
func Start(t testing.TB, opts Options) *Process {
	t.Helper()
	args := []string{cmp.Or(opts.Command, "serve")}
	if !opts.Production {
		args = append(args, "--dev")
	}
	cmd := command(t, &opts, args...)
	p := &Process{Dir: opts.Dir, cmd: cmd, exited: make(chan struct{}), stderr: new(lines), stdout: filepath.Join(t.TempDir(), "stdout")}
	stdout, err := os.Create(p.stdout)
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	cmd.Stdout = stdout
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	go func() { // ends with the process
		defer close(p.exited)
		p.collect(stderr, ready)
		p.err = cmd.Wait()
	}()
	t.Cleanup(p.Kill)
	select {
	case <-ready:
	case <-p.exited:
		t.Fatalf("sluice ended at once: %v\n%s%s", p.err, p.Stdout(), p.stderr)
	case <-time.After(startTimeout):
		t.Fatalf("sluice does not start\n%s%s", p.Stdout(), p.stderr)
	}
	p.readOutput(t)
	return p
}

// collect keeps the log and closes ready when it says that Sluice serves, or
// why it cannot.
func (p *Process) collect(log io.Reader, ready chan<- struct{}) {
	scanner := bufio.NewScanner(log)
	scanner.Buffer(nil, 1<<20)
	for serving := false; scanner.Scan(); {
		fmt.Fprintln(p.stderr, scanner.Text())
		if !serving && (strings.Contains(scanner.Text(), `"serving"`) || strings.Contains(scanner.Text(), `"not ready"`)) {
			serving = true
			close(ready)
		}
	}
}

// readOutput finds the addresses, the link and the curl line in what was
// printed, as a person would.
func (p *Process) readOutput(t testing.TB) {
	t.Helper()
	find := func(pattern, text string) string {
		if m := regexp.MustCompile(pattern).FindStringSubmatch(text); m != nil {
			return m[1]
		}
		return ""
	}
	log, text := p.stderr.String(), p.Stdout()
	address := func(name string) string {
		if found := find(`"?`+name+`"?[=:]"?(127\.0\.0\.1:\d+)`, log); found != "" {
			return "http://" + found
		}
		return ""
	}
	p.Gateway, p.Control, p.Status = address("gateway"), address("control"), address("status")
	p.SetupLink = find(`(http://\S+/setup\?token=\S+)`, text)
	p.Curl = find(`(?m)^\s*(curl .*)$`, text)
	p.Key = find(`Bearer ([A-Za-z0-9_]+)`, p.Curl)
	if p.Status == "" || p.Gateway == "" && p.Control == "" {
		t.Fatalf("no addresses in what was printed:\n%s%s", text, log)
	}
}

// Stdout returns what was printed for people so far.
func (p *Process) Stdout() string {
	b, err := os.ReadFile(p.stdout)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Stderr returns the log so far.
func (p *Process) Stderr() string { return p.stderr.String() }

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal.
func (p *Process) Signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// Wait returns the exit status once the process has ended, -1 for a signal.
func (p *Process) Wait(t testing.TB) int {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(stopTimeout):
		t.Fatalf("sluice does not end\n%s", p.stderr)
	}
	return p.cmd.ProcessState.ExitCode()
}

// Stop asks the process to end and checks that it does so in good order.
func (p *Process) Stop(t testing.TB) {
	t.Helper()
	p.Signal(t, syscall.SIGTERM)
	if status := p.Wait(t); status != 0 {
		t.Fatalf("sluice ended with %d\n%s", status, p.stderr)
	}
}

// Kill ends the process at once, as kill -9 does, and waits for it.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.exited
}

// Admin redeems the set-up link, signs in and returns a client of the control
// API.
func (p *Process) Admin(t testing.TB) *client.Client {
	t.Helper()
	p.SetUp(t)
	return p.SignIn(t)
}

// SetUp fills in the set-up form.
func (p *Process) SetUp(t testing.TB) {
	t.Helper()
	link, err := url.Parse(p.SetupLink)
	if err != nil || link.Query().Get("token") == "" {
		t.Fatalf("no set-up link was printed:\n%s", p.Stdout())
	}
	form := url.Values{"token": {link.Query().Get("token")}, "email": {AdminEmail}, "password": {AdminPassword}, "repeat": {AdminPassword}}
	resp, err := http.PostForm(p.Control+"/setup", form)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20)); resp.StatusCode != http.StatusOK {
		t.Fatalf("the set-up form answers %s\n%s", resp.Status, body)
	}
}

// SignIn returns a client signed in as the admin.
func (p *Process) SignIn(t testing.TB) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{BaseURL: p.Control, Email: AdminEmail, Password: AdminPassword})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
