package wire

import (
	"errors"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/sluicegate/sluice"
)

const (
	// writeSlice is how long a long body may block before somebody looks
	// whether the target answered without reading it.
	writeSlice = 20 * time.Millisecond
	// brokenWait is how long the answer of a target is waited for that broke
	// the connection while the request was being written.
	brokenWait = time.Second
)

// errBodyShort is a streamed body that ended before its announced length.
var errBodyShort = sluice.Errorf(sluice.CodeClientGone, "the request body ended early")

// sendCall writes the request and reads the answer's head.
func (c *upConn) sendCall(call *sluice.Call) error {
	if call.Stream != nil && call.ContentLength != 0 {
		return c.sendStream(call)
	}
	total := 0
	for _, b := range call.Body {
		total += len(b)
	}
	out := c.pool.bufs.take(smallBuffer)
	head := appendCallHead(out.b[:0], call, int64(total))
	if total <= maxCopied {
		return c.sendShort(call, out, head, call.Body, total)
	}
	defer out.release()
	return c.sendLong(call, head)
}

// sendShort writes head and body in one system call. What a socket does not take
// at once is written while somebody listens for the answer. It releases out.
func (c *upConn) sendShort(call *sluice.Call, out *lease, head []byte, body [][]byte, total int) error {
	if need := len(head) + total; cap(head) < need {
		bigger := c.pool.bufs.take(need)
		n := copy(bigger.b, head)
		out.release()
		out, head = bigger, bigger.b[:n]
	}
	for _, b := range body {
		head = append(head, b...)
	}
	defer out.release()
	n, tried, err := writeNow(c.nc, head)
	switch {
	case !tried: // TLS: a target that never reads is given up after Idle
		c.armWrite()
		_, err = c.nc.Write(head)
		err = c.written(err)
	case err == nil && n < len(head):
		return c.whileListening(call, func(*upload) (body, write error) {
			c.armWrite()
			_, err := c.nc.Write(head[n:])
			return nil, c.written(err)
		})
	}
	return c.readAnswer(call, err)
}

// readAnswer reads the head once the request was written, or broke: a target
// that closes early may have said why.
func (c *upConn) readAnswer(call *sluice.Call, written error) error {
	switch {
	case written == nil:
		c.whole = true
		return c.readHead(call.Method, call.FirstByte)
	case written == errSilent:
		return errSilent
	}
	if c.readHead(call.Method, brokenWait) == nil {
		return nil
	}
	c.cut = true
	return errUpstreamGone.Because(written)
}

// armWrite bounds a write that the target does not take.
func (c *upConn) armWrite() {
	if c.idle > 0 {
		c.pool.sweep.set(&c.writeAlarm, c.idle)
	}
}

// written ends a write that armWrite bounded.
func (c *upConn) written(err error) error {
	if !c.writeAlarm.clear() {
		return errSilent
	}
	return err
}

// sendLong writes head and body from where they lie. A body that does not go
// out at once is finished while somebody listens for the answer.
func (c *upConn) sendLong(call *sluice.Call, head []byte) error {
	c.vec = append(append(c.vec[:0], head), call.Body...)
	c.parts = c.vec
	defer func() { clear(c.vec); c.parts = nil }()
	if c.nc == c.raw { // TLS can not go on after a write that timed out
		c.raw.SetWriteDeadline(time.Now().Add(writeSlice))
		_, err := c.parts.WriteTo(vectored(c.nc))
		c.raw.SetWriteDeadline(time.Time{})
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return c.readAnswer(call, err)
		}
	}
	return c.whileListening(call, func(*upload) (body, write error) {
		c.armWrite()
		_, err := c.parts.WriteTo(vectored(c.nc))
		return nil, c.written(err)
	})
}

// sendStream writes a body as it is read. One that is there at once leaves with
// its head in one system call.
func (c *upConn) sendStream(call *sluice.Call) error {
	data, out := c.pool.bufs.take(midBuffer), c.pool.bufs.take(smallBuffer)
	head := appendCallHead(out.b[:0], call, call.ContentLength)
	n, err := readPiece(call.Stream, data.b, call.ContentLength)
	switch {
	case err != nil && err != io.EOF:
		out.release()
		data.release()
		return err
	case n > 0 && int64(n) == call.ContentLength:
		defer data.release()
		return c.sendShort(call, out, head, [][]byte{data.b[:n]}, n)
	}
	return c.whileListening(call, func(u *upload) (body, write error) {
		defer out.release()
		return c.copyBody(call, u, head, data, n, err)
	})
}

// copyBody writes head, the n bytes of data that were read of the body, and the
// rest. The buffer grows once a piece has filled it, and is released.
func (c *upConn) copyBody(call *sluice.Call, u *upload, head []byte, data *lease, n int, end error) (body, write error) {
	defer func() { data.release() }()
	left := call.ContentLength
	for {
		if write := c.writePiece(head, data.b[:n], left < 0, end == io.EOF); write != nil {
			return nil, write
		}
		head = head[:0]
		if left > 0 {
			left -= int64(n)
		}
		switch {
		case left == 0, left < 0 && end == io.EOF:
			return nil, nil
		case end == io.EOF:
			return errBodyShort, nil
		}
		if n == len(data.b) && n < largeBuffer {
			data.release()
			data = c.pool.bufs.take(largeBuffer)
		}
		if !u.beginRead() {
			return nil, errUnwanted
		}
		n, end = readPiece(call.Stream, data.b, left)
		if !u.endRead() {
			return nil, errUnwanted
		}
		if end != nil && end != io.EOF {
			return end, nil
		}
	}
}

// readPiece reads once, at most left bytes when a length is known.
func readPiece(r io.Reader, p []byte, left int64) (int, error) {
	if left >= 0 {
		p = p[:min(int64(len(p)), left)]
	}
	for range 100 {
		if n, err := r.Read(p); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

// writePiece writes one piece of a streamed body, after head, in one system
// call.
func (c *upConn) writePiece(head, data []byte, chunked, last bool) error {
	tail := ""
	if chunked {
		if len(data) > 0 {
			head = appendChunkSize(head, len(data))
			tail = "\r\n"
		}
		if last {
			tail += "0\r\n\r\n"
		}
	}
	c.vec = append(c.vec[:0], head, data, []byte(tail))
	c.parts = c.vec
	c.armWrite()
	_, err := c.parts.WriteTo(vectored(c.nc))
	return c.written(err)
}

// appendCallHead renders the request's head; the wire owns Host, framing and
// everything hop-by-hop.
func appendCallHead(b []byte, call *sluice.Call, length int64) []byte {
	b = append(b, call.Method...)
	b = append(b, ' ')
	b = append(b, call.Target...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	if call.Host != "" {
		b = append(b, call.Host...)
	} else {
		b = append(b, call.Addr...)
	}
	b = append(b, "\r\n"...)
	for i := range call.Fields.Len() {
		if f := call.Fields.At(i); forwarded(f.Name) {
			b = appendField(b, f.Name, f.Value)
		}
	}
	switch {
	case length < 0:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	case length > 0 || expectsBody(call.Method):
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, length, 10)
		b = append(b, "\r\n"...)
	}
	return append(b, "\r\n"...)
}

// forwarded reports whether a caller's field is written to the target.
func forwarded(name string) bool {
	return !hop(name) && !fold(name, "host") && !fold(name, "content-length") && !fold(name, "expect")
}

// expectsBody reports whether a method without a body says so (RFC 9110, 8.6).
func expectsBody(method string) bool {
	return method == "POST" || method == "PUT" || method == "PATCH"
}
