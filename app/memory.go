package app

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// memoryShare is the part of the container's memory, in percent, at which the
// collector works harder rather than let the kernel kill the process.
const memoryShare = 85

// limitMemory sets the soft memory limit from the cgroup, unless GOMEMLIMIT is
// set, and returns it; 0 means that there is none.
func limitMemory() int64 {
	if os.Getenv("GOMEMLIMIT") != "" {
		return 0
	}
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if limit := cgroupLimit(path); limit > 0 {
			limit = limit / 100 * memoryShare
			debug.SetMemoryLimit(limit)
			return limit
		}
	}
	return 0
}

// cgroupLimit reads a limit in bytes; "max" and the huge number by which the
// first version says the same give 0.
func cgroupLimit(path string) int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil || n <= 0 || n >= 1<<60 {
		return 0
	}
	return n
}
