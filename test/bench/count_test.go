package main

import "testing"

// A stream that is cut between the two line feeds of a blank line holds as many
// events as any other: counting them apart voided runs of gateways that had
// delivered everything.
func TestEventsAreCountedAcrossCuts(t *testing.T) {
	const stream = "data: a\n\ndata: b\n\nevent: c\ndata: c\n\ndata: [DONE]\n\n"
	for at := range stream {
		var c eventCounter
		c.add([]byte(stream[:at]))
		c.add([]byte(stream[at:]))
		if c.events != 4 {
			t.Errorf("cut at %d: %d events", at, c.events)
		}
	}
}
