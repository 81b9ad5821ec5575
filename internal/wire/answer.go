package wire

import (
	"crypto/tls"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/sluicegate/sluice"
)

// answer is the state of the answer within one exchange.
type answer struct {
	// mu orders the beginning of the answer, begun, and an interim one, which a
	// reader of the body sends.
	mu    sync.Mutex
	begun bool
	phase answerPhase
	body  framing
	// left counts the bytes still owed to an announced length.
	left int64
	// close: the connection ends with this exchange.
	close bool
	// pending is the rendered head until the first write takes it along; it
	// lies in buf when it fits.
	pending []byte
	buf     *lease
	// vec is the memory of a vectored write.
	vec   [3][]byte
	parts net.Buffers
}

type answerPhase uint8

const (
	answerNone answerPhase = iota
	answerBegun
	answerEnded
	answerAborted
	answerTunnel
)

func (a *answer) begin() { a.phase, a.close, a.pending, a.begun = answerNone, false, nil, false }

func (a *answer) end() {
	a.buf.release()
	a.buf, a.pending = nil, nil
}

// Begin implements [sluice.Inbound]. The wire owns framing: Content-Length
// follows from h.ContentLength and hop-by-hop fields are left out.
func (c *Conn) Begin(h *sluice.RespHead) error {
	a := &c.answer
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.phase != answerNone || h.Status < 200 && h.Status != 101 || h.Status > 999 {
		return errOrder
	}
	c.frame(h)
	a.buf = c.srv.bufs.take(smallBuffer)
	head, err := c.appendHead(a.buf.b[:0], h)
	if err != nil {
		a.end()
		return err
	}
	a.pending, a.phase, a.begun = head, answerBegun, true
	return nil
}

// frame decides how the answer's end is marked and whether the connection
// lives on.
func (c *Conn) frame(h *sluice.RespHead) {
	a := &c.answer
	a.close = c.req.close || c.srv.draining.Load() || c.tooMuchUnread()
	a.left = max(0, h.ContentLength)
	switch {
	case bodiless(c.req.head.Method, h.Status):
		a.body = bodyNone
	case h.ContentLength >= 0:
		a.body = bodyLength
	case c.req.old:
		a.body, a.close = bodyEOF, true
	default:
		a.body = bodyChunked
	}
}

// appendHead renders status line and fields.
func (c *Conn) appendHead(b []byte, h *sluice.RespHead) ([]byte, error) {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(h.Status), 10)
	b = append(b, ' ')
	b = append(b, reason(h.Status)...)
	b = append(b, "\r\n"...)
	dated := false
	for i := range h.Fields.Len() {
		f := h.Fields.At(i)
		if hop(f.Name) && !(h.Status == 101 && fold(f.Name, "upgrade")) || fold(f.Name, "content-length") {
			continue
		}
		if !tokenBytes.all(f.Name) || !validValue(f.Value) {
			return nil, errAnswerField
		}
		dated = dated || len(f.Name) == 4 && fold(f.Name, "date")
		b = appendField(b, f.Name, f.Value)
	}
	if !dated {
		b = appendField(b, "Date", c.srv.dateNow())
	}
	return append(c.appendFraming(b, h), "\r\n"...), nil
}

func (c *Conn) appendFraming(b []byte, h *sluice.RespHead) []byte {
	if h.Status == 101 {
		return append(b, "Connection: Upgrade\r\n"...)
	}
	switch {
	case c.answer.body == bodyChunked:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	case c.answer.body == bodyLength || c.answer.body == bodyNone && h.ContentLength >= 0 && h.Status != 204:
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, h.ContentLength, 10)
		b = append(b, "\r\n"...)
	}
	switch {
	case c.answer.close:
		b = append(b, "Connection: close\r\n"...)
	case c.req.old:
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	return b
}

func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}

// sendContinue asks for the body, unless the answer has begun: then the client
// has no more use for it.
func (c *Conn) sendContinue() error {
	c.answer.mu.Lock()
	defer c.answer.mu.Unlock()
	if c.answer.begun {
		return nil
	}
	return c.send([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
}

// Write implements [sluice.Inbound]: one piece, one system call. An empty piece
// sends a head that is still waiting.
func (c *Conn) Write(chunk []byte) error {
	a := &c.answer
	if a.phase != answerBegun {
		return errOrder
	}
	switch a.body {
	case bodyNone:
		return nil
	case bodyLength:
		if int64(len(chunk)) > a.left {
			return errAnswerLength
		}
		a.left -= int64(len(chunk))
	}
	if len(chunk) == 0 && a.pending == nil {
		return nil
	}
	return c.sendPiece(chunk, "")
}

// sendPiece writes a waiting head, one piece with its chunk framing, and last,
// in one system call.
func (c *Conn) sendPiece(chunk []byte, last string) error {
	a := &c.answer
	chunked := a.body == bodyChunked && len(chunk) > 0
	if !chunked && last == "" && a.pending == nil {
		return c.send(chunk) // as it lies, nothing around it
	}
	const around = 24 // the longest chunk size with two line ends
	need := len(a.pending) + around + len(last)
	if len(chunk) <= maxCopied {
		need += len(chunk)
	}
	b := c.room(need)
	if chunked {
		b = appendChunkSize(b, len(chunk))
		last = "\r\n" + last
	}
	var err error
	if len(chunk) <= maxCopied {
		b = append(append(b, chunk...), last...)
		err = c.send(b)
	} else {
		err = c.sendVector(b, chunk, last)
	}
	a.buf.release()
	a.buf, a.pending = nil, nil
	return err
}

// room returns the waiting head, or nothing, in a buffer with need bytes.
func (c *Conn) room(need int) []byte {
	a := &c.answer
	if cap(a.pending) >= need {
		return a.pending
	}
	if a.buf == nil || len(a.buf.b) < need {
		bigger := c.srv.bufs.take(need)
		n := copy(bigger.b, a.pending)
		a.buf.release()
		a.buf, a.pending = bigger, bigger.b[:n]
		return a.pending
	}
	return append(a.buf.b[:0], a.pending...)
}

// sendVector writes a long piece from where it lies.
func (c *Conn) sendVector(before, chunk []byte, after string) error {
	a := &c.answer
	a.vec = [3][]byte{before, chunk, []byte(after)}
	a.parts = a.vec[:]
	if after == "" {
		a.parts = a.vec[:2]
	}
	c.srv.sweep.set(&c.alarm, c.srv.lim.Frame)
	_, err := a.parts.WriteTo(vectored(c.nc))
	a.vec, a.parts = [3][]byte{}, nil
	return c.sent(err)
}

// send writes bytes in one system call, as far as the socket takes them.
func (c *Conn) send(b []byte) error {
	c.srv.sweep.set(&c.alarm, c.srv.lim.Frame)
	_, err := c.nc.Write(b)
	return c.sent(err)
}

// sent ends a write. A connection that failed one is never used again.
func (c *Conn) sent(err error) error {
	switch {
	case !c.alarm.clear():
		err = errStalledReader
	case err != nil:
		err = errGone.Because(err)
	default:
		return nil
	}
	c.answer.close = true
	return err
}

// End implements [sluice.Inbound]. An answer shorter than it announced is
// broken off.
func (c *Conn) End(trailers *sluice.Fields) error {
	a := &c.answer
	if a.phase != answerBegun {
		return errOrder
	}
	c.OnGone(nil)
	if a.body == bodyLength && a.left > 0 {
		c.Abort()
		return errAnswerLength
	}
	a.phase = answerEnded
	last := ""
	if a.body == bodyChunked {
		last = lastChunk(trailers)
	}
	if a.pending == nil && last == "" {
		return nil
	}
	return c.sendPiece(nil, last)
}

// lastChunk is what ends a chunked body.
func lastChunk(trailers *sluice.Fields) string {
	if trailers == nil || trailers.Len() == 0 {
		return "0\r\n\r\n"
	}
	b := []byte("0\r\n")
	for i := range trailers.Len() {
		if f := trailers.At(i); trailing(f.Name) && tokenBytes.all(f.Name) && validValue(f.Value) {
			b = appendField(b, f.Name, f.Value)
		}
	}
	return string(append(b, "\r\n"...))
}

// Abort implements [sluice.Inbound]. A body without a marked end is reset, so
// that it does not look complete; what was written of another may arrive.
func (c *Conn) Abort() {
	a := &c.answer
	if a.phase == answerEnded || a.phase == answerAborted || a.phase == answerTunnel {
		return
	}
	c.OnGone(nil)
	if s, ok := c.raw.(interface{ SetLinger(int) error }); ok && a.phase == answerBegun && a.body == bodyEOF {
		s.SetLinger(0)
	}
	a.phase = answerAborted
	c.raw.Close()
}

// Tunnel implements [sluice.Inbound]: after Begin with status 101 the taker
// owns the connection, deadlines and all. It can not be had while a request
// body is unread.
func (c *Conn) Tunnel() (net.Conn, []byte, error) {
	a := &c.answer
	if a.phase != answerBegun || a.body != bodyNone || a.pending == nil || !c.body.done() {
		return nil, nil, errNoTunnel
	}
	if err := c.sendPiece(nil, ""); err != nil {
		return nil, nil, err
	}
	c.OnGone(nil)
	a.phase = answerTunnel
	ahead := append([]byte(nil), c.in.b[c.r:c.w]...)
	c.r = c.w
	return c.nc, ahead, nil
}

// refuse answers a head that could not be handed to the handler, and closes.
func (c *Conn) refuse(err error) {
	if err == errQuiet {
		return
	}
	c.raw.SetDeadline(time.Time{}) // the sweeper may have let it expire
	e := sluice.AsError(err)
	status := sluice.CodeInfo(e.Code).Status
	body := c.srv.renderError(e)
	b := append(make([]byte, 0, 256+len(body)), "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(append(append(b, ' '), reason(status)...), "\r\n"...)
	b = appendField(b, "Date", c.srv.dateNow())
	b = appendField(b, "Content-Type", "application/json")
	b = appendField(b, "Content-Length", strconv.Itoa(len(body)))
	b = appendField(b, "Connection", "close")
	b = append(b, "\r\n"...)
	if c.send(append(b, body...)) == nil {
		c.linger()
	}
}

// renderError is the body of an answer that the wire itself gives.
func (s *Server) renderError(e *sluice.Error) []byte {
	if s.cfg.RenderError != nil {
		return s.cfg.RenderError(e)
	}
	return e.JSON("")
}

// linger closes so that the client can read the answer: a close with unread
// input would be a reset, which may overtake it.
func (c *Conn) linger() {
	if t, ok := c.nc.(*tls.Conn); ok {
		c.srv.sweep.set(&c.alarm, lingerTime)
		t.CloseWrite()
		c.alarm.clear()
	}
	half, ok := c.raw.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || c.body.done() && c.r == c.w {
		return
	}
	c.raw.SetReadDeadline(time.Now().Add(lingerTime))
	if _, err := io.CopyN(io.Discard, c.raw, lingerBytes); err == nil {
		// It sends on and on: its writes are let fill up, so that it comes to
		// reading.
		time.Sleep(lingerPause)
	}
}
