package nethttp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicegate/sluice"
)

// bodyStart is the least and bodyStartMax the most memory that a body gets
// before any of it has arrived, whatever length it claims.
const (
	bodyStart    = 4 << 10
	bodyStartMax = 1 << 20
)

// earlyAnswerPause is how long a client may take to see an answer that came
// before it had sent its whole body.
const earlyAnswerPause = 100 * time.Millisecond

// inbound is one request of net/http.
type inbound struct {
	cfg     ServerConfig
	w       http.ResponseWriter
	r       *http.Request
	control *http.ResponseController
	head    sluice.Head

	// read is how much of the body has arrived; reading says that a Read may
	// be waiting for more.
	started time.Time
	read    atomic.Int64
	duplex  bool
	reading atomic.Bool
	drained atomic.Bool
	// deadline is that of the read in progress in Unix nanoseconds, 0 without
	// one: net/http takes a read that missed it for a hang-up.
	deadline atomic.Int64

	answer  *sluice.RespHead
	wrote   bool
	aborted bool

	// gone is what OnGone set last; mu is held while it runs.
	mu     sync.Mutex
	gone   func()
	forget func() bool // undoes the last OnGone
}

var _ sluice.Inbound = (*inbound)(nil)

func newInbound(cfg ServerConfig, w http.ResponseWriter, r *http.Request) *inbound {
	in := &inbound{cfg: cfg, w: w, r: r, control: http.NewResponseController(w)}
	in.head = sluice.Head{
		Method: r.Method, Target: r.RequestURI, RawQuery: r.URL.RawQuery, Host: r.Host, Proto: r.Proto,
		ContentLength: r.ContentLength, TLS: r.TLS != nil,
	}
	in.head.Peer, _ = netip.ParseAddrPort(r.RemoteAddr) // the zero value where the transport has no address
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		for _, value := range r.Header[name] {
			in.head.Fields.Add(name, value)
		}
	}
	return in
}

// Head implements [sluice.Inbound].
func (in *inbound) Head() *sluice.Head { return &in.head }

// Body implements [sluice.Inbound].
func (in *inbound) Body(most int64) ([]byte, error) {
	if in.r.ContentLength > most {
		return nil, tooLarge(most)
	}
	if in.r.ContentLength == 0 {
		return nil, nil
	}
	start := min(in.r.ContentLength+bytes.MinRead, bodyStartMax)
	b := bytes.NewBuffer(make([]byte, 0, max(start, bodyStart)))
	n, err := b.ReadFrom(io.LimitReader(bodyReader{in}, most+1))
	if err != nil {
		return nil, err
	}
	if n > most {
		return nil, tooLarge(most)
	}
	return b.Bytes(), nil
}

func tooLarge(most int64) error {
	return sluice.Errorf(sluice.CodeTooLarge, "the body is larger than %d bytes", most)
}

// bodyReader reads a body whose answer waits until it is whole.
type bodyReader struct{ in *inbound }

// Read implements io.Reader.
func (b bodyReader) Read(p []byte) (int, error) { return b.in.receive(p) }

// Read implements [sluice.Inbound]. The answer may begin before the body ends.
func (in *inbound) Read(p []byte) (int, error) {
	if !in.duplex {
		in.duplex = true
		_ = in.control.EnableFullDuplex() // HTTP/2 needs no permission
	}
	return in.receive(p)
}

// receive reads under the deadline that the rate floor sets: the grace, and then
// a second for every BodyRate bytes that have arrived.
func (in *inbound) receive(p []byte) (int, error) {
	if in.started.IsZero() {
		in.started = time.Now()
	}
	earned := time.Duration(in.read.Load()/in.cfg.BodyRate) * time.Second
	deadline := in.started.Add(in.cfg.BodyGrace + earned)
	in.deadline.Store(deadline.UnixNano())
	_ = in.control.SetReadDeadline(deadline) // a transport without deadlines has its own
	in.reading.Store(true)
	n, err := in.r.Body.Read(p)
	in.reading.Store(false)
	in.read.Add(int64(n))
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		in.drained.Store(true)
		in.deadline.Store(0)
		_ = in.control.SetReadDeadline(time.Time{}) // net/http now watches for the hang-up with it
		return n, io.EOF
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, sluice.Errorf(sluice.CodeSlowClient, "the body did not arrive in time").Because(err)
	}
	if malformed(err) {
		return n, sluice.Errorf(sluice.CodeInvalidRequest, "the body is malformed").Because(err)
	}
	return n, sluice.Errorf(sluice.CodeClientGone, "the client went away").Because(err)
}

// malformed recognises net/http's errors about chunks; they have no type.
func malformed(err error) bool {
	return strings.Contains(err.Error(), "chunk") || strings.Contains(err.Error(), "malformed")
}

// Begin implements [sluice.Inbound].
func (in *inbound) Begin(h *sluice.RespHead) error {
	in.answer = h
	return nil
}

// Write implements [sluice.Inbound].
func (in *inbound) Write(chunk []byte) error {
	_ = in.control.SetWriteDeadline(time.Now().Add(in.cfg.WriteTimeout)) // a transport without deadlines has its own
	in.sendHead()
	if len(chunk) > 0 {
		if _, err := in.w.Write(chunk); err != nil {
			return gone(err)
		}
	}
	if err := in.control.Flush(); err != nil {
		return gone(err)
	}
	return nil
}

func gone(err error) error {
	return sluice.Errorf(sluice.CodeClientGone, "the client went away").Because(err)
}

// sendHead hands the head to net/http once.
func (in *inbound) sendHead() {
	if in.wrote {
		return
	}
	in.wrote = true
	fields := in.w.Header()
	for i := range in.answer.Fields.Len() {
		f := in.answer.Fields.At(i)
		if !framing(f.Name) {
			fields.Add(f.Name, f.Value)
		}
	}
	if in.answer.ContentLength >= 0 && in.answer.Status != http.StatusNoContent && in.answer.Status != http.StatusNotModified {
		fields.Set("Content-Length", strconv.FormatInt(in.answer.ContentLength, 10))
	}
	if _, typed := fields["Content-Type"]; !typed {
		fields["Content-Type"] = nil // keeps net/http from guessing
	}
	in.w.WriteHeader(in.answer.Status)
}

// framing reports fields that the transport alone decides.
func framing(name string) bool {
	return strings.EqualFold(name, "Content-Length") || strings.EqualFold(name, "Transfer-Encoding")
}

// End implements [sluice.Inbound].
func (in *inbound) End(trailers *sluice.Fields) error {
	in.sendHead()
	if trailers != nil {
		for i := range trailers.Len() {
			f := trailers.At(i)
			in.w.Header().Add(http.TrailerPrefix+f.Name, f.Value)
		}
	}
	if in.r.Context().Err() != nil && !in.late() {
		return gone(context.Cause(in.r.Context()))
	}
	return nil
}

// Abort implements [sluice.Inbound]: the connection is closed, the stream reset,
// once the handler returns.
func (in *inbound) Abort() { in.aborted = true }

// OnGone implements [sluice.Inbound].
func (in *inbound) OnGone(f func()) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.forget != nil {
		in.forget()
		in.forget = nil
	}
	if in.gone = f; f != nil {
		in.forget = context.AfterFunc(in.r.Context(), in.tellGone)
	}
}

// tellGone reports the hang-up to whoever is asking still.
func (in *inbound) tellGone() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.gone != nil && !in.late() {
		in.gone()
		in.gone = nil
	}
}

// late reports whether the body missed its deadline: then the client is slow,
// not gone.
func (in *inbound) late() bool {
	d := in.deadline.Load()
	return d != 0 && time.Now().UnixNano() >= d
}

// Tunnel implements [sluice.Inbound].
func (in *inbound) Tunnel() (net.Conn, []byte, error) {
	conn, buffered, err := in.control.Hijack()
	if err != nil {
		return nil, nil, sluice.Errorf(sluice.CodeUnsupported, "this connection cannot switch protocols").Because(err)
	}
	ahead, err := buffered.Reader.Peek(buffered.Reader.Buffered())
	if err != nil {
		return nil, nil, gone(err)
	}
	return conn, ahead, nil
}

// leave ends the request on the way out of the handler.
func (in *inbound) leave() {
	if in.reading.Load() {
		if !in.aborted {
			// The client gets a moment to see the answer before what it still
			// sends is answered by a reset.
			_ = in.control.Flush()
			time.Sleep(earlyAnswerPause)
		}
		// An upload that nobody wants any more must not hold the handler.
		_ = in.control.SetReadDeadline(time.Unix(1, 0))
	}
	if in.aborted {
		panic(http.ErrAbortHandler)
	}
	if !in.drained.Load() && in.read.Load() > 0 {
		_ = in.control.SetReadDeadline(time.Now().Add(time.Second)) // for what net/http drains to keep the connection
	}
}
