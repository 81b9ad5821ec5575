package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/sluicegate/sluice"
)

// errEnd ends a complete body.
var errEnd = io.EOF

// upConn is one connection to a target. The goroutine that took it owns it; the
// sweeper reaches it through alarm, a stop through the stream that holds it.
type upConn struct {
	pool *Pool
	key  hostKey
	// raw is the socket; nc is what is spoken on, raw or TLS over it.
	raw, nc net.Conn
	// alarm bounds reads and idleness, writeAlarm writes: an upload may go on
	// while the answer is read.
	alarm, writeAlarm alarm
	probe             probe

	// reused: it served before. received: a byte of this answer came.
	// whole: the request was sent to its end. cut: the target closed. failed:
	// the answer can not be trusted further.
	reused, received, whole, cut, failed bool

	resp response
	// in is the read window, in.b[r:w] unread; headBuf the head's buffer once
	// the window has moved.
	in, headBuf *lease
	base, r, w  int
	// size is what the next window is borrowed with.
	size     int
	left     int64
	chunks   dechunker
	trailers sluice.Fields
	ended    bool
	idle     time.Duration

	vec   [][]byte
	parts net.Buffers
}

// exchange sends the call and reads the answer's head.
func (c *upConn) exchange(call *sluice.Call) error {
	c.received, c.whole, c.cut, c.failed, c.ended = false, false, false, false, false
	c.idle = call.Idle
	call.Sent = true
	if err := c.sendCall(call); err != nil {
		return err
	}
	c.startBody()
	return nil
}

// quiet reports whether an idle connection still is what the pool left: open,
// and with nothing to read. Bytes that nobody asked for would be taken for the
// answer to the next request.
func (c *upConn) quiet() bool { return c.probe.quiet(c.raw) }

// arm bounds the next read by d; short ones exactly, long ones by the sweeper.
func (c *upConn) arm(d time.Duration) {
	switch {
	case d <= 0:
	case d < 10*c.pool.sweep.interval:
		c.raw.SetReadDeadline(time.Now().Add(d))
	default:
		c.pool.sweep.set(&c.alarm, d)
	}
}

// disarm ends what arm began and reports whether the time had not run out. With
// no bound it touches nothing: the alarm may be another phase's.
func (c *upConn) disarm(d time.Duration) bool {
	switch {
	case d <= 0:
		return true
	case d < 10*c.pool.sweep.interval:
		c.raw.SetReadDeadline(time.Time{})
		return true // the read itself returned the expiry
	}
	return c.alarm.clear()
}

// read reads once into the window within d; late is the error of a read that
// took longer.
func (c *upConn) read(d time.Duration, late *sluice.Error) error {
	c.arm(d)
	var n int
	var err error
	if c.in != nil {
		n, err = c.nc.Read(c.in.b[c.w:])
	} else { // a window that holds nothing is borrowed when there is something to read
		c.in, n, err = readLease(c.nc, &c.pool.bufs, c.size)
	}
	inTime := c.disarm(d)
	c.w += n
	c.received = c.received || n > 0
	switch {
	case !inTime, errors.Is(err, os.ErrDeadlineExceeded):
		c.failed = true
		return late
	case n > 0:
		return nil
	case err == nil:
		return io.ErrNoProgress
	case err == io.EOF:
		c.cut = true
		return errEnd
	}
	c.cut = true
	return errUpstreamGone.Because(err)
}

// readHead reads the final answer's head, and skips interim ones.
func (c *upConn) readHead(method string, firstByte time.Duration) error {
	c.size = smallBuffer
	c.r, c.w = 0, 0
	for interim := 0; ; interim++ {
		if interim > MaxInformational {
			return errInterim
		}
		if err := c.readOneHead(method, firstByte); err != nil {
			return err
		}
		if c.resp.head.Status == 101 {
			return errSwitched
		}
		if c.resp.head.Status >= 200 {
			return nil
		}
		c.w = copy(c.in.b, c.in.b[c.r:c.w])
		c.r = 0
	}
}

func (c *upConn) readOneHead(method string, firstByte time.Duration) error {
	for scanned := 0; ; {
		if c.w > 0 {
			if end := headEnd(c.in.b[:c.w], scanned); end > 0 {
				c.r, c.base = end, end
				return c.parseHead(c.in.b[:end], method)
			}
			if hasBareLF(c.in.b[:c.w]) {
				return errAnswerHead
			}
			if c.w >= maxAnswerHead {
				return errAnswerLarge
			}
			scanned = c.w
			if c.w == len(c.in.b) {
				c.grow()
			}
		}
		err := c.read(firstByte, errFirstByte)
		if err == errEnd {
			err = errUpstreamGone
		}
		if err != nil {
			return err
		}
	}
}

// parseHead parses the head. That of a stream is kept apart in a tiny buffer, so
// that the stream waits for its events without a window.
func (c *upConn) parseHead(b []byte, method string) error {
	if err := c.resp.parse(b, method); err != nil || c.resp.body < bodyChunked || c.resp.head.Status < 200 {
		return err
	}
	tiny := c.pool.bufs.move(b)
	if tiny == nil {
		return nil
	}
	c.headBuf, c.base = tiny, 0
	return c.resp.parse(tiny.b[:len(b)], method)
}

func (c *upConn) grow() {
	bigger := c.pool.bufs.take(min(4*len(c.in.b), maxAnswerHead))
	copy(bigger.b, c.in.b[:c.w])
	c.in.release()
	c.in = bigger
}

func (c *upConn) startBody() {
	c.left = max(0, c.resp.head.ContentLength)
	c.chunks.reset()
	c.trailers.Reset()
	c.ended = c.resp.body == bodyNone || c.resp.body == bodyLength && c.left == 0
}

// next returns the next piece of the body: everything that has arrived, at most
// a window full, as one piece.
func (c *upConn) next() ([]byte, error) {
	for !c.ended {
		if c.r < c.w {
			b, err := c.deliver()
			if len(b) > 0 || err != nil {
				return b, err
			}
			continue
		}
		err := c.fill()
		if err == errEnd && c.resp.body == bodyEOF {
			c.ended = true
			break
		}
		if err == errEnd {
			err = errUpstreamGone
		}
		if err != nil {
			c.failed = true
			return nil, err
		}
	}
	return nil, errEnd
}

// deliver takes what the window holds of the body.
func (c *upConn) deliver() ([]byte, error) {
	start := c.r
	switch c.resp.body {
	case bodyChunked:
		return c.dechunk()
	case bodyLength:
		n := min(int64(c.w-c.r), c.left)
		c.r += int(n)
		c.left -= n
		c.ended = c.left == 0
	default:
		c.r = c.w
	}
	return c.in.b[start:c.r], nil
}

// dechunk moves the data of all chunks in the window together, so that a burst
// of events leaves as one piece.
func (c *upConn) dechunk() ([]byte, error) {
	start, end := c.r, c.r
	for c.r < c.w {
		skip, n, err := c.chunks.step(c.in.b[c.r:c.w], len(c.in.b))
		c.r += skip
		if err != nil {
			c.failed = true
			return nil, errAnswerChunk
		}
		if n > 0 {
			if end == start {
				start, end = c.r, c.r
			}
			copy(c.in.b[end:], c.in.b[c.r:c.r+n])
			end += n
			c.r += n
			continue
		}
		if c.chunks.done() {
			c.ended = true
			if err := parseTrailers(c.chunks.trailer, &c.trailers); err != nil {
				c.failed = true
				return nil, errAnswerChunk
			}
			break
		}
	}
	return c.in.b[start:end], nil
}

// fill reads more of the body into the empty window. The window stays small
// while the answer comes in small pieces and grows when one filled it.
func (c *upConn) fill() error {
	full := c.in != nil && c.w == len(c.in.b)
	if full {
		c.size = min(4*len(c.in.b), largeBuffer)
	}
	switch {
	case c.headBuf != nil:
		c.in.release()
		c.in = nil
	case full || len(c.in.b)-c.base < smallBuffer/4:
		// The head's buffer stays until the exchange ends.
		c.headBuf, c.in, c.base = c.in, nil, 0
	}
	c.r, c.w = c.base, c.base
	return c.read(c.idle, errSilent)
}

// reusable reports whether the connection can serve another call.
func (c *upConn) reusable() bool {
	return c.ended && c.whole && !c.failed && !c.resp.close && c.r == c.w
}

// rest ends the leases of an exchange.
func (c *upConn) rest() {
	c.headBuf.release()
	c.in.release()
	c.headBuf, c.in = nil, nil
}

// discard closes the connection and forgets it.
func (c *upConn) discard() {
	c.raw.Close()
	c.rest()
	c.pool.sweep.remove(c)
}

// sweep implements swept: an idle connection whose time is over is closed, a
// busy one is woken by an expired deadline and fails.
func (c *upConn) sweep(now int64) {
	if c.writeAlarm.ring(now) {
		c.raw.SetWriteDeadline(time.Unix(1, 0))
	}
	switch {
	case !c.alarm.ring(now):
	case c.pool.drop(c):
		c.discard()
	default:
		c.raw.SetDeadline(time.Unix(1, 0))
	}
}
