package app_test

import (
	"testing"

	"github.com/sluicegate/sluice/app"
)

// Losing this means that a gateway with a large heap, or an idle one, collects
// twice as often as it must, or that a small one keeps garbage that its streams pay for.
func TestGarbageIsCollectedEarlyInSmallHeapsOnly(t *testing.T) {
	for live, want := range map[uint64]int{0: 100, 8<<20 - 1: 100, 8 << 20: 50, 128<<20 - 1: 50, 128 << 20: 100, 1 << 40: 100} {
		if got := app.PercentFor(live); got != want {
			t.Errorf("%d bytes alive: %d percent, want %d", live, got, want)
		}
	}
}
