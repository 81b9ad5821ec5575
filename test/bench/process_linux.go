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

// memory is what is resident, in bytes.
type memory struct {
	All int64 `json:"all"`
	// Own leaves out pages of files, as of the program itself: they are no
	// stream's, whenever they are touched first.
	Own int64 `json:"own"`
}

// resident is the memory of the process and its descendants.
func (p *process) resident() (total memory) {
	page := int64(os.Getpagesize())
	for _, pid := range tree(p.cmd.Process.Pid) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if err != nil {
			continue
		}
		if f := strings.Fields(string(b)); len(f) > 2 {
			all, _ := strconv.ParseInt(f[1], 10, 64)
			shared, _ := strconv.ParseInt(f[2], 10, 64)
			total.All += all * page
			total.Own += (all - shared) * page
		}
	}
	return total
}

func (m memory) min(n memory) memory { return memory{min(m.All, n.All), min(m.Own, n.Own)} }

func (m memory) max(n memory) memory { return memory{max(m.All, n.All), max(m.Own, n.Own)} }

// idle is the least memory that the process shows in the second half of a while:
// in the first it may still be starting.
func (p *process) idle(over time.Duration) memory {
	time.Sleep(over / 2)
	over -= over / 2
	least := p.resident()
	for end := time.Now().Add(over); time.Now().Before(end); {
		time.Sleep(residentEvery)
		least = least.min(p.resident())
	}
	return least
}

// peak watches the memory until stop is closed, and sends the most that it saw.
func (p *process) peak(stop <-chan struct{}) <-chan memory {
	most := make(chan memory, 1)
	go func() {
		tick := time.NewTicker(residentEvery)
		defer tick.Stop()
		for peak := p.resident(); ; peak = peak.max(p.resident()) {
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

// residentEvery is how often memory is looked at; a look costs the core of the load.
const residentEvery = 100 * time.Millisecond

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
