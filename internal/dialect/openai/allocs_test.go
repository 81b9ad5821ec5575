//go:build !race

package openai_test

import "testing"

// The pieces of a stream must cost no allocation each, or a thousand slow
// streams cost a thousand collections.
func TestStreamedEventsReuseMemory(t *testing.T) {
	leg := begin(t, true, "text/event-stream", "sk-a-long-credential")
	event := []byte("data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},\"finish_reason\":null}],\"usage\":null}\n\n")
	for range 10 {
		if _, err := leg.Feed(event); err != nil {
			t.Fatal(err)
		}
	}
	if allocs := testing.AllocsPerRun(200, func() { _, _ = leg.Feed(event) }); allocs > 1 {
		t.Errorf("%v allocations for each event", allocs)
	}
}
