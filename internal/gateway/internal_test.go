package gateway

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Clients parse these durations; they were time.Duration's own before they were
// rendered without allocating.
func TestDurationsReadLikeGos(t *testing.T) {
	list := []int64{0, 1, 999, 1000, 1500, 59_999, 60_000, 61_050, 3_600_000, 3_661_001, -1500, 90_061_000}
	for range 1000 {
		list = append(list, rand.Int64N(1<<36))
	}
	for _, ms := range list {
		want := (time.Duration(ms) * time.Millisecond).String()
		if got := string(appendMillis(nil, ms)); got != want {
			t.Errorf("%d ms: %q, want %q", ms, got, want)
		}
	}
}
