package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// process is a child of the run, pinned to one core.
type process struct {
	cmd *exec.Cmd
	out *bufio.Reader
}

// start runs a command on one core. The child inherits the affinity of the
// thread that forks it.
func start(core int, env []string, name string, args ...string) (*process, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := pinned(core, cmd.Start); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return &process{cmd: cmd, out: bufio.NewReader(out)}, nil
}

// pinned runs f on a thread that is bound to a core.
func pinned(core int, f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, one [16]uint64
	if err := affinity(syscall.SYS_SCHED_GETAFFINITY, &before); err != nil {
		return err
	}
	one[core/64] = 1 << (core % 64)
	if err := affinity(syscall.SYS_SCHED_SETAFFINITY, &one); err != nil {
		return err
	}
	defer affinity(syscall.SYS_SCHED_SETAFFINITY, &before)
	return f()
}

func affinity(call uintptr, set *[16]uint64) error {
	_, _, errno := syscall.RawSyscall(call, 0, unsafe.Sizeof(*set), uintptr(unsafe.Pointer(set)))
	if errno != 0 {
		return errno
	}
	return nil
}

// line reads one line of the child's standard output.
func (p *process) line() (string, error) {
	s, err := p.out.ReadString('\n')
	return strings.TrimSpace(s), err
}

// stop ends the child and its group and waits for it.
func (p *process) stop() {
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM)
	done := make(chan struct{})
	go func() { p.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-done
	}
}

// cpu is what the process and its descendants used so far.
func (p *process) cpu() time.Duration {
	var total time.Duration
	for _, pid := range tree(p.cmd.Process.Pid) {
		fields := stat(pid)
		if len(fields) > 15 {
			user, _ := strconv.ParseInt(fields[11], 10, 64)
			system, _ := strconv.ParseInt(fields[12], 10, 64)
			total += time.Duration(user+system) * (time.Second / 100) // USER_HZ is 100 on Linux
		}
	}
	return total
}

// rss is the resident memory of the process and its descendants in bytes.
func (p *process) rss() int64 {
	var total int64
	for _, pid := range tree(p.cmd.Process.Pid) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if err != nil {
			continue
		}
		if f := strings.Fields(string(b)); len(f) > 1 {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			total += n * int64(os.Getpagesize())
		}
	}
	return total
}

// idleRSS is the smallest resident memory that the process shows in the second
// half of a while: in the first it may still be starting.
func (p *process) idleRSS(over time.Duration) int64 {
	time.Sleep(over / 2)
	over -= over / 2
	least := p.rss()
	for end := time.Now().Add(over); time.Now().Before(end); {
		time.Sleep(rssEvery)
		least = min(least, p.rss())
	}
	return least
}

// peakRSS watches the resident memory until stop is closed, and sends the most
// that it saw.
func (p *process) peakRSS(stop <-chan struct{}) <-chan int64 {
	most := make(chan int64, 1)
	go func() {
		tick := time.NewTicker(rssEvery)
		defer tick.Stop()
		for peak := p.rss(); ; peak = max(peak, p.rss()) {
			select {
			case <-stop:
				most <- peak
				return
			case <-tick.C:
			}
		}
	}()
	return most
}

// rssEvery is how often memory is looked at; a look costs the core of the load.
const rssEvery = 100 * time.Millisecond

// stat returns the fields of /proc/pid/stat from the state on.
func stat(pid int) []string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	i := strings.LastIndexByte(string(b), ')')
	return strings.Fields(string(b)[i+1:])
}

// tree lists a process and its descendants.
func tree(root int) []int {
	list := []int{root}
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return list
	}
	for i := 0; i < len(list); i++ {
		for _, dir := range all {
			pid, _ := strconv.Atoi(filepath.Base(dir))
			if f := stat(pid); len(f) > 1 && f[1] == strconv.Itoa(list[i]) {
				list = append(list, pid)
			}
		}
	}
	return list
}
