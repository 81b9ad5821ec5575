package app

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
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

const (
	// tinyHeap is the live heap up to which garbage does not matter: collecting
	// it early would cost a few percent of a busy process for 4 MiB.
	tinyHeap = 8 << 20
	// smallHeap is the live heap up to which garbage is collected early.
	smallHeap = 128 << 20
	// smallHeapPercent is how much garbage a small heap may hold beside what
	// lives, in percent of that.
	smallHeapPercent = 50
	// usualPercent is the runtime's own default.
	usualPercent = 100
)

// collectEarly makes the collector run twice as often while the heap is small,
// unless GOGC says otherwise. What it costs there is little, because there is
// little to mark, and waiting streams get their stacks halved by it; any other
// heap is left to the runtime's habit. After each collection the rule is looked
// at again; nothing stops that but the end of the process.
func collectEarly() {
	if os.Getenv("GOGC") == "" {
		watchHeap(usualPercent)
	}
}

// watchHeap sets the percentage by the live heap once this collection is over.
func watchHeap(percent int) {
	// A pointer in it keeps the tiny allocator away, which would delay the end.
	sentinel := &struct{ self any }{}
	runtime.AddCleanup(sentinel, func(last int) {
		next := percentFor(liveHeap())
		if next != last {
			debug.SetGCPercent(next)
		}
		watchHeap(next)
	}, percent)
}

// percentFor is the rule.
func percentFor(live uint64) int {
	if live >= tinyHeap && live < smallHeap {
		return smallHeapPercent
	}
	return usualPercent
}

// liveHeap is what the last collection found alive, in bytes.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
