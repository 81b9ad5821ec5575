package wire

import (
	"io"
	"sync"
	"time"
)

// inBody is the state of a request body within one exchange.
type inBody struct {
	// alarm bounds reads of the body, which may go on beside writes.
	alarm alarm
	// mu is held by a Read in progress; over refuses further ones. streamed
	// says that there was one.
	mu       sync.Mutex
	over     bool
	streamed bool
	chunked  bool
	// left counts the bytes still to be handed out of a body with a length.
	left   int64
	chunks dechunker
	// expect: the client still waits for 100 Continue.
	expect bool
	// err is the first error; it stays.
	err error
	// gathered holds a body that did not fit beside its head.
	gathered *lease
	// startedAt is when reading began on the coarse clock, 0 before; received
	// counts the bytes read since.
	startedAt, received int64
}

func (b *inBody) begin(r *request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over, b.streamed = false, false
	b.chunked, b.expect, b.err, b.startedAt, b.received = r.chunked, r.expect, nil, 0, 0
	b.left = max(0, r.head.ContentLength)
	b.chunks.reset()
}

func (b *inBody) end() {
	b.gathered.release()
	b.gathered = nil
}

// done reports whether the whole body was handed out.
func (b *inBody) done() bool {
	if b.chunked {
		return b.chunks.done()
	}
	return b.left == 0
}

// Body implements [sluice.Inbound]. A body that came with its head is handed
// out where it lies.
func (c *Conn) Body(max int64) ([]byte, error) {
	b := &c.body
	if b.err != nil {
		return nil, b.err
	}
	if !b.chunked && b.left > max {
		return nil, errBodyTooLarge
	}
	data, err := c.gather(max)
	if err != nil {
		b.err = err
	}
	return data, err
}

func (c *Conn) gather(max int64) ([]byte, error) {
	if c.body.chunked {
		return c.gatherChunks(max)
	}
	n := int(c.body.left)
	if c.r+n <= len(c.in.b) {
		return c.gatherInPlace(n)
	}
	return c.gatherAside(n)
}

// gatherInPlace completes a body behind its head.
func (c *Conn) gatherInPlace(n int) ([]byte, error) {
	for c.w-c.r < n {
		got, err := c.readBody(c.in.b[c.w:])
		if err != nil {
			return nil, err
		}
		c.w += got
	}
	c.body.left = 0
	c.r += n
	return c.in.b[c.r-n : c.r], nil
}

// gatherAside collects a longer body in a buffer of its own, which grows with
// what has arrived: a claimed length alone takes no memory.
func (c *Conn) gatherAside(n int) ([]byte, error) {
	b := &c.body
	b.gathered = c.srv.bufs.take(min(n, largeBuffer))
	have := copy(b.gathered.b, c.in.b[c.r:c.w])
	c.r += have
	for have < n {
		if have == len(b.gathered.b) {
			c.growGathered(min(n, 8*have), have)
		}
		got, err := c.readBody(b.gathered.b[have:min(n, len(b.gathered.b))])
		if err != nil {
			return nil, err
		}
		have += got
	}
	b.left = 0
	return b.gathered.b[:n], nil
}

func (c *Conn) growGathered(size, have int) {
	bigger := c.srv.bufs.take(size)
	copy(bigger.b, c.body.gathered.b[:have])
	c.body.gathered.release()
	c.body.gathered = bigger
}

// gatherChunks collects a chunked body, of at most max bytes.
func (c *Conn) gatherChunks(max int64) ([]byte, error) {
	b := &c.body
	b.gathered = c.srv.bufs.take(smallBuffer)
	have := 0
	for {
		data, err := c.nextChunk(len(c.in.b))
		if err == io.EOF {
			return b.gathered.b[:have], nil
		}
		if err != nil {
			return nil, err
		}
		if int64(have+len(data)) > max {
			return nil, errBodyTooLarge
		}
		if have+len(data) > len(b.gathered.b) {
			c.growGathered(4*len(b.gathered.b)+len(data), have)
		}
		have += copy(b.gathered.b[have:], data)
	}
}

// Read implements [sluice.Inbound]: it streams the body as an io.Reader. It may
// be called from another goroutine than the handler's, and may still wait when
// the exchange ends, which ends it.
func (c *Conn) Read(p []byte) (int, error) {
	b := &c.body
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return 0, errOrder
	}
	b.streamed = true
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	n, err := c.read(p)
	if err != nil {
		b.err = err
	}
	return n, err
}

func (c *Conn) read(p []byte) (int, error) {
	b := &c.body
	if b.chunked {
		data, err := c.nextChunk(len(p))
		return copy(p, data), err
	}
	if b.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), b.left)]
	n, err := 0, error(nil)
	if c.r < c.w {
		n = copy(p, c.in.b[c.r:c.w])
		c.r += n
	} else {
		n, err = c.readBody(p)
	}
	b.left -= int64(n)
	return n, err
}

// nextChunk returns the next data of a chunked body, at most max bytes, as a
// span of the read window; io.EOF after the last.
func (c *Conn) nextChunk(max int) ([]byte, error) {
	b := &c.body
	for !b.chunks.done() {
		skip, n, err := b.chunks.step(c.in.b[c.r:c.w], max)
		c.r += skip
		if err != nil {
			return nil, err
		}
		if n > 0 {
			c.r += n
			return c.in.b[c.r-n : c.r], nil
		}
		if b.chunks.done() {
			break
		}
		if err := c.refill(); err != nil {
			return nil, err
		}
	}
	if err := b.finishTrailers(); err != nil {
		return nil, err
	}
	return nil, io.EOF
}

// finishTrailers checks the trailers, once, and drops them: a back end must not
// take a client's trailer for a field that somebody vouched for.
func (b *inBody) finishTrailers() error {
	if len(b.chunks.trailer) == 0 {
		return nil
	}
	err := parseTrailers(b.chunks.trailer, nil)
	b.chunks.trailer = b.chunks.trailer[:0]
	return err
}

// refill reads more of the body into the window, which is empty. The first time
// it moves to a buffer of its own, because the head's must stay.
func (c *Conn) refill() error {
	if c.headBuf == nil {
		c.headBuf, c.in = c.in, c.srv.bufs.take(midBuffer)
	}
	c.r, c.w = 0, 0
	n, err := c.readBody(c.in.b)
	c.w = n
	return err
}

// readBody reads once from the socket, under the body's deadlines. It returns
// either bytes or an error.
func (c *Conn) readBody(p []byte) (int, error) {
	b := &c.body
	if b.expect {
		b.expect = false
		if err := c.sendContinue(); err != nil {
			return 0, err
		}
	}
	if b.startedAt == 0 {
		b.startedAt = c.srv.sweep.clock.Load()
	}
	wait := c.bodyWait()
	if wait <= 0 {
		return 0, errBodySlow
	}
	c.srv.sweep.set(&b.alarm, wait)
	n, err := c.nc.Read(p)
	inTime := b.alarm.clear()
	b.received += int64(n)
	switch {
	case !inTime:
		return 0, errBodySlow
	case n == 0 && err != nil:
		return 0, errGone.Because(err)
	}
	return n, nil
}

// bodyWait is how long the next bytes may take: not longer than a pause may
// last, nor than keeps the body above its rate.
func (c *Conn) bodyWait() time.Duration {
	lim, b := &c.srv.lim, &c.body
	earned := max(lim.BodyGrace, time.Duration(b.received/lim.BodyRate)*time.Second)
	elapsed := time.Duration(c.srv.sweep.clock.Load() - b.startedAt)
	return min(lim.BodyPause, earned-elapsed)
}

// stopReading ends the reading of the body: an [sluice.Outbound] that was
// answered early may still wait for more of it on another goroutine.
func (c *Conn) stopReading() {
	b := &c.body
	if !b.mu.TryLock() {
		c.raw.SetReadDeadline(time.Unix(1, 0))
		b.mu.Lock()
		c.raw.SetReadDeadline(time.Time{})
	}
	b.over = true
	b.mu.Unlock()
}

// tooMuchUnread reports whether what is left of the body is not worth reading
// away to keep the connection: too long, not sent before we ask for it, or still
// being read by somebody else.
func (c *Conn) tooMuchUnread() bool {
	b := &c.body
	if !b.mu.TryLock() {
		return true
	}
	defer b.mu.Unlock()
	return b.err != nil && b.err != io.EOF || !b.done() && (b.expect || b.streamed) ||
		!b.chunked && b.left-int64(c.w-c.r) > maxUnread
}

// skipBody reads away what the handler left of the body, so that the next
// request begins where this one ends, and reports whether it did end.
func (c *Conn) skipBody() bool {
	b := &c.body
	if b.err != nil && b.err != io.EOF || b.streamed && !b.done() {
		return false
	}
	if !b.chunked {
		return c.skipLength()
	}
	for skipped := 0; skipped <= maxUnread; {
		data, err := c.nextChunk(midBuffer)
		if err == io.EOF {
			return true
		}
		if err != nil {
			return false
		}
		skipped += len(data)
	}
	return false
}

func (c *Conn) skipLength() bool {
	b := &c.body
	for b.left > 0 {
		if c.r == c.w {
			if c.refill() != nil {
				return false
			}
		}
		n := min(int64(c.w-c.r), b.left)
		c.r += int(n)
		b.left -= n
	}
	return true
}
