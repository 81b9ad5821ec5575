package sluicetest_test

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluicegate/sluice/internal/sluicetest"
)

// orphanEnv makes the test binary a test process that is killed.
const orphanEnv = "SLUICE_TEST_ORPHAN"

// Lost if it fails: what a test leaves behind when it is killed: servers, ports
// and folders, on every developer's machine.
func TestServersEndWithTheirTests(t *testing.T) {
	if testing.Short() {
		t.Skip("starts PostgreSQL")
	}
	if os.Getenv(orphanEnv) != "" {
		os.Stdout.WriteString("started " + sluicetest.Postgres(t).DataFolder() + "\n")
		select {} // until killed
	}
	sluicetest.Postgres(t) // skips when there is none
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), orphanEnv+"=yes")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var folder string
	for lines := bufio.NewScanner(out); folder == "" && lines.Scan(); {
		folder, _ = strings.CutPrefix(lines.Text(), "started ")
	}
	if _, err := os.Stat(folder); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(folder); os.IsNotExist(err) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is still there", folder)
		}
	}
}

// Lost if it fails: every test that says what happens when Redis hangs, ends or
// comes back empty.
func TestRedisComesBackEmpty(t *testing.T) {
	s := sluicetest.Redis(t)
	do := func(command, want string) {
		t.Helper()
		if got, err := s.Do(command); got != want || err != nil {
			t.Errorf("%s: %q, %v", command, got, err)
		}
	}
	do("SET a b", "+OK")
	s.Signal(t, syscall.SIGSTOP)
	s.Signal(t, syscall.SIGCONT)
	do("EXISTS a", ":1")
	for _, end := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		s.Stop(t, end)
		if _, err := s.Do("PING"); err == nil {
			t.Error("a stopped server answers")
		}
		s.Start(t)
		do("EXISTS a", ":0")
		do("SET a b", "+OK")
	}
}
