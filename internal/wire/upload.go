package wire

import (
	"errors"
	"sync"
	"time"

	"github.com/sluicegate/sluice"
)

// errUnwanted ends an upload whose answer is already there.
var errUnwanted = errors.New("wire: the target answered before it had the whole body")

// upload is a request on its way to a target on a goroutine of its own, while
// the caller's listens for the answer.
//
// The answer ends the upload. A write that is under way fails at once and is
// waited for; a read from the client can not be interrupted from here and is
// left behind: it writes nothing any more, and ends at the latest with the
// client's exchange.
type upload struct {
	conn *upConn
	call *sluice.Call
	done chan struct{}
	// body and write say why the upload ended; they belong to the reader of done.
	body, write error

	mu      sync.Mutex
	heard   bool // the answer is there, or will not come
	reading bool // the body's source is being read
}

// beginRead reports whether more of the body is wanted.
func (u *upload) beginRead() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.reading = !u.heard
	return u.reading
}

// endRead reports whether what was read is still wanted.
func (u *upload) endRead() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.reading = false
	return !u.heard
}

// run sends, and then bounds the wait for the answer, unless it is there.
func (u *upload) run(send func(*upload) (body, write error)) {
	u.body, u.write = send(u)
	u.mu.Lock()
	defer u.mu.Unlock()
	defer close(u.done)
	raw := u.conn.raw
	switch {
	case u.heard:
	case u.body != nil:
		raw.Close()
	case u.write != nil:
		raw.SetReadDeadline(time.Now().Add(brokenWait))
	case u.call.FirstByte > 0:
		raw.SetReadDeadline(time.Now().Add(u.call.FirstByte))
	}
}

// end is called with the answer. It reports whether the upload has ended too;
// otherwise it is left behind in a read of the body.
func (u *upload) end() bool {
	u.mu.Lock()
	u.heard = true
	reading := u.reading
	u.mu.Unlock()
	if reading {
		return false
	}
	u.conn.raw.SetWriteDeadline(time.Unix(1, 0))
	<-u.done
	u.conn.raw.SetDeadline(time.Time{})
	return true
}

// whileListening runs send, which writes the rest of the request, while it reads
// the answer's head. A target that answers before it has read the body is heard
// at once, and its connection not used again. An error of the body's source is
// returned as it is.
func (c *upConn) whileListening(call *sluice.Call, send func(*upload) (body, write error)) error {
	u := &upload{conn: c, call: call, done: make(chan struct{})}
	go u.run(send)
	err := c.readHead(call.Method, 0)
	if !u.end() {
		c.whole = false
		return err
	}
	c.whole = u.body == nil && u.write == nil
	switch {
	case u.body != nil: // run broke the connection off before the answer was there
		return u.body
	case err == nil:
		return nil
	case u.write != nil:
		c.cut = true
		return errUpstreamGone.Because(u.write)
	}
	return err
}
