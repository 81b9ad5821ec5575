package main

import "bytes"

// eventCounter counts the blank lines that end events, wherever the network cut
// the stream: also between the two line feeds of one.
type eventCounter struct {
	events int
	// ended says that the last byte ended a line that is no blank one.
	ended bool
}

// add takes the next piece.
func (c *eventCounter) add(b []byte) {
	if len(b) == 0 {
		return
	}
	if c.ended && b[0] == '\n' {
		c.events++
		b = b[1:]
	}
	c.events += bytes.Count(b, []byte("\n\n"))
	c.ended = len(b) > 0 && b[len(b)-1] == '\n' && !bytes.HasSuffix(b, []byte("\n\n"))
}
