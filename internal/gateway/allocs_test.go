//go:build !race

package gateway_test

import (
	"runtime"
	"testing"
)

// Garbage is CPU later: each request on the fast path, the wire included, may
// allocate this often, key-auth, limits and the record switched on.
const allocationBudget = 5

// A request that allocates more than the budget is a regression of everybody's
// cost, not of one feature.
func TestAllocationsPerRequest(t *testing.T) {
	for _, l := range loads() {
		t.Run(l.name, func(t *testing.T) {
			d := benchFixture(t, l.answer).drive(l)
			for range 500 {
				d.once()
			}
			if n := allocations(d, 1000); n > allocationBudget {
				t.Errorf("%.1f allocations, %d are allowed", n, allocationBudget)
			} else {
				t.Logf("%.1f allocations", n)
			}
		})
	}
}

// allocations counts what a request allocates anywhere in the process.
func allocations(d *client, n int) float64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		d.once()
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n)
}
