package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// profile has perf sample the process with its call stacks until end is called,
// and leaves the profile in dir/name.perf for `perf report`. The last run of a
// name stays.
func (p *process) profile(dir, name string, core int) (end func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	perf, err := start(core, nil, "perf", "record", "--quiet", "--event", "cpu-clock", "--freq", "997", "--call-graph", "fp",
		"--pid", strconv.Itoa(p.cmd.Process.Pid), "--output", filepath.Join(dir, name+".perf"))
	if err != nil {
		return nil, fmt.Errorf("profiling: %w", err)
	}
	return func() {
		perf.cmd.Process.Signal(syscall.SIGINT)
		perf.cmd.Wait() // for the file to be whole; perf ends with the signal's status
	}, nil
}
