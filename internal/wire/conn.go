package wire

import (
	"crypto/tls"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicegate/sluice"
)

// Conn is one client connection and, for the length of an exchange, the
// [sluice.Inbound] of it. One goroutine owns it; the sweeper, the watcher and a
// drain reach it only through alarm, mode and hangup.
type Conn struct {
	srv *Server
	// raw is the socket; nc is what is spoken on, raw or TLS over it.
	raw, nc net.Conn
	alarm   alarm
	mode    atomic.Int32
	first   bool

	req request
	// in is the read window: unread bytes are in.b[r:w]. headBuf is the buffer
	// of the head when the window has moved to another one.
	in, headBuf *lease
	r, w        int
	// headAt is when the first byte of a head came, on the coarse clock.
	headAt int64

	body   inBody
	answer answer
	hangup hangup
}

var _ sluice.Inbound = (*Conn)(nil)

// The modes of a connection. Only an idle one may be closed by a drain: a fresh
// one was accepted, so that its first request deserves an answer.
const (
	modeBusy int32 = iota
	modeFresh
	modeIdle
	modeClosed
)

// hangup is what happens when the client goes away.
type hangup struct {
	mu     sync.Mutex
	number uint64
	gone   bool
	call   func()
}

func newConn(s *Server, nc net.Conn) *Conn {
	nc = direct(nc)
	c := &Conn{srv: s, raw: nc, nc: nc, first: true}
	if addr, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		c.req.head.Peer = addr.AddrPort()
	}
	if s.cfg.TLS != nil {
		c.nc = tls.Server(nc, s.cfg.TLS)
		c.req.head.TLS = true
	}
	return c
}

// serve runs the connection to its end.
func (c *Conn) serve() {
	defer c.finish()
	if t, ok := c.nc.(*tls.Conn); ok {
		c.srv.sweep.set(&c.alarm, c.srv.lim.HeadTime)
		if err := t.Handshake(); err != nil || !c.alarm.clear() {
			return
		}
	}
	for c.exchange() {
	}
}

// finish releases everything, also after a panic of the handler, which must
// not take the other connections with it.
func (c *Conn) finish() {
	if p := recover(); p != nil {
		c.srv.cfg.Logger.Error("handler panicked", "panic", p, "stack", string(debug.Stack()))
	}
	c.forget()
	if c.answer.phase != answerTunnel {
		c.raw.Close()
	}
	c.stopReading() // again, after a panic
	c.r, c.w = 0, 0
	c.endExchange()
	c.in.release()
	c.srv.sweep.remove(c)
	c.srv.live.Done()
}

// forget makes sure that no late report finds this connection.
func (c *Conn) forget() {
	c.OnGone(nil)
	c.srv.watch.remove(c.hangup.number)
}

// exchange serves one request and reports whether another may follow.
func (c *Conn) exchange() bool {
	if err := c.readHead(); err != nil {
		c.refuse(err)
		return false
	}
	c.body.begin(&c.req)
	c.answer.begin()
	c.srv.cfg.Handler(c)
	c.OnGone(nil)
	c.stopReading()
	switch c.answer.phase {
	case answerEnded:
	case answerTunnel:
		return false
	default:
		c.Abort()
		return false
	}
	if c.answer.close {
		c.linger()
		return false
	}
	if !c.skipBody() {
		c.linger()
		return false
	}
	c.endExchange()
	return true
}

// endExchange ends every lease and moves pipelined bytes to the front.
func (c *Conn) endExchange() {
	c.body.end()
	c.answer.end()
	if c.headBuf != nil {
		c.headBuf.release()
		c.headBuf = nil
	}
	if c.r > 0 && c.in != nil {
		c.w = copy(c.in.b, c.in.b[c.r:c.w])
		c.r = 0
	}
	if c.w == 0 {
		c.in.release() // an idle connection holds none
		c.in = nil
	}
}

// readHead waits for the next request and parses its head. errQuiet is a
// connection that ended between requests.
func (c *Conn) readHead() error {
	lim := &c.srv.lim
	c.headAt = c.srv.sweep.clock.Load() // for one that was pipelined in part
	scanned := 0
	for {
		if c.w > 0 {
			if end := headEnd(c.in.b[:c.w], scanned); end > 0 && end <= lim.Head {
				c.r = end
				c.shrinkWindow()
				return c.req.parse(c.in.b[:end], lim, c.srv.cfg.CanonicalPath)
			} else if end > 0 || c.w >= lim.Head {
				return errHeadTooLarge
			}
			if hasBareLF(c.in.b[:c.w]) {
				return errLineEnd
			}
			scanned = c.w
			c.growHead()
		}
		if err := c.readHeadBytes(); err != nil {
			return err
		}
	}
}

// shrinkWindow moves a short request to a tiny buffer before anything points
// into it: a stream keeps its request as long as it lasts.
func (c *Conn) shrinkWindow() {
	if len(c.in.b) <= tinyBuffer {
		return
	}
	if tiny := c.srv.bufs.move(c.in.b[:c.w]); tiny != nil {
		c.in.release()
		c.in = tiny
	}
}

// growHead makes room for more of a head.
func (c *Conn) growHead() {
	if c.w < len(c.in.b) {
		return
	}
	bigger := c.srv.bufs.take(4 * len(c.in.b))
	copy(bigger.b, c.in.b[:c.w])
	c.in.release()
	c.in = bigger
}

// readHeadBytes waits once for bytes of a head: as an idle connection while
// there are none, else within the head's time.
func (c *Conn) readHeadBytes() error {
	waiting, wait := c.waiting()
	if wait <= 0 {
		return errHeadSlow
	}
	c.srv.sweep.set(&c.alarm, wait)
	c.mode.Store(waiting)
	if waiting == modeIdle && c.srv.draining.Load() {
		c.closeIdle()
	}
	n, err := c.readWindow()
	if !c.mode.CompareAndSwap(waiting, modeBusy) {
		return errQuiet
	}
	if c.w == 0 {
		c.headAt = c.srv.sweep.clock.Load()
	}
	c.w += n
	inTime := c.alarm.clear()
	c.first = c.first && n == 0
	switch {
	case !inTime && c.w > 0:
		return errHeadSlow
	case !inTime, err != nil && n == 0:
		return errQuiet
	}
	return nil
}

// readWindow reads once into the window; an empty one is borrowed when there is
// something to read.
func (c *Conn) readWindow() (n int, err error) {
	if c.w > 0 {
		return c.nc.Read(c.in.b[c.w:])
	}
	c.in.release()
	c.in, n, err = readLease(c.nc, &c.srv.bufs, smallBuffer)
	return n, err
}

// waiting says what the connection waits for, and how long it may.
func (c *Conn) waiting() (mode int32, wait time.Duration) {
	lim := &c.srv.lim
	switch {
	case c.w > 0:
		return modeBusy, lim.HeadTime - time.Duration(c.srv.sweep.clock.Load()-c.headAt)
	case c.first:
		return modeFresh, lim.HeadTime
	}
	return modeIdle, lim.Idle
}

// sweep implements swept: the connection whose alarm rings is woken by an
// expired deadline and ends itself.
func (c *Conn) sweep(now int64) {
	if c.alarm.ring(now) {
		c.raw.SetDeadline(time.Unix(1, 0))
	}
	if c.body.alarm.ring(now) {
		c.raw.SetReadDeadline(time.Unix(1, 0)) // the refusal must still get out
	}
}

// closeIdle closes the connection if it waits for a request.
func (c *Conn) closeIdle() {
	if c.mode.CompareAndSwap(modeIdle, modeClosed) {
		c.raw.Close()
	}
}

// kill closes the connection whatever it does; its goroutine then ends.
func (c *Conn) kill() {
	c.raw.Close()
	c.hungUp()
}

// hungUp reports the client's going away to whoever asked in this exchange. The
// lock is held meanwhile, so that OnGone(nil) waits for the report.
func (c *Conn) hungUp() {
	h := &c.hangup
	h.mu.Lock()
	defer h.mu.Unlock()
	call := h.call
	h.call, h.gone = nil, true
	if call != nil {
		call()
	}
}

// OnGone implements [sluice.Inbound]. On Linux the report comes within
// milliseconds; elsewhere a hang-up shows at the next write.
func (c *Conn) OnGone(f func()) {
	h := &c.hangup
	h.mu.Lock()
	late := h.gone && f != nil
	h.call = nil
	if !late {
		h.call = f
	}
	watched := h.number != 0
	h.mu.Unlock()
	if late {
		f()
		return
	}
	if f != nil && !watched {
		h.number = c.srv.watch.add(c)
	}
}

// Head implements [sluice.Inbound].
func (c *Conn) Head() *sluice.Head { return &c.req.head }
