package size_test

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// loadVariable makes this binary a source of load: the URL to ask.
const loadVariable = "SIZE_TEST_LOAD"

// The load of all measurements: what one small machine does beside Redis and the
// measurement itself.
const (
	clients = 16
	rate    = 800 // requests a second, all clients together
)

// load is requests at a steady rate from a process of its own: what publishes
// collects garbage, which must not show in what clients wait.
type load struct {
	b   *testing.B
	cmd *exec.Cmd
	in  *os.File
	out *bufio.Reader
}

// start starts requests for keys of an installation.
func start(b *testing.B, url string) *load {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), loadVariable+"="+url)
	r, w, err := os.Pipe()
	must(b, err)
	cmd.Stdin, cmd.Stderr = r, os.Stderr
	out, err := cmd.StdoutPipe()
	must(b, err)
	must(b, cmd.Start())
	b.Cleanup(func() { w.Close(); _ = cmd.Wait() }) // it ends with its input
	return &load{b, cmd, w, bufio.NewReader(out)}
}

// take returns the 99th percentile since the last call, and how many requests
// were not answered with 200 since the start.
func (l *load) take() (p99 time.Duration, failed int) {
	l.b.Helper()
	fmt.Fprintln(l.in, "take")
	_, err := fmt.Fscan(l.out, &p99, &failed)
	must(l.b, err)
	return p99, failed
}

// generate is the other process: it answers each line of its input with what it
// measured since the last.
func generate(url string) {
	var mu sync.Mutex
	var took []time.Duration
	failed := 0
	c := newClient()
	for i := range clients {
		go func() { // ends with the process
			due := time.Now().Add(time.Duration(i) * time.Second / rate)
			for n := 0; ; n++ {
				time.Sleep(time.Until(due))
				status := ask(c, url, tokenOf((i+n*clients)%2_000))
				mu.Lock()
				took = append(took, time.Since(due))
				if status != 200 {
					failed++
				}
				mu.Unlock()
				due = due.Add(clients * time.Second / rate)
			}
		}()
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		mu.Lock()
		fmt.Println(cmp.Or(int64(percentile(took, 99)), 0), failed)
		took = nil
		mu.Unlock()
	}
}

// tokenOf is the token of a key of an installation.
func tokenOf(i int) string { return fmt.Sprintf("token-%07d", i) }

// isLoad reports whether this process is to be a source of load, and for what.
func isLoad() (url string, yes bool) {
	url = os.Getenv(loadVariable)
	return url, strings.HasPrefix(url, "http")
}
