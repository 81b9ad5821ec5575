package openai

import "github.com/sluicegate/sluice/internal/dialect/peer"

// window scrubs bytes that pass by in pieces: it holds back as much as a secret
// could straddle.
type window struct {
	scrub *peer.Scrubber
	// buf holds what was held back, behind what was given out before.
	buf  []byte
	sent int
}

// keptWindow is the most that idle memory keeps.
const keptWindow = 64 << 10

// start empties the window for the answer of a leg.
func (w *window) start(l *leg) {
	if cap(w.buf) > keptWindow {
		w.buf = nil
	}
	*w = window{buf: w.buf[:0]}
	if l != nil {
		w.scrub = l.scrubber()
	}
}

// pass takes a piece and returns what can go on, leased until the next call.
func (w *window) pass(b []byte) []byte {
	if w.scrub.Idle() {
		return b
	}
	w.fill(b)
	w.sent = max(0, len(w.buf)-w.scrub.Overlap())
	return w.buf[:w.sent]
}

// rest returns what was held back.
func (w *window) rest() []byte {
	w.fill(nil)
	w.sent = len(w.buf)
	return w.buf
}

// fill drops what was given out and adds b, scrubbed.
func (w *window) fill(b []byte) {
	n := copy(w.buf, w.buf[w.sent:])
	w.buf = append(w.buf[:n], b...)
	copy(w.buf, w.scrub.Answer(w.buf))
}
