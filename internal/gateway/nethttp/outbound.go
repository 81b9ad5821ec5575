package nethttp

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/netguard"
)

// OutboundConfig bounds what a target may do. Every zero value takes the default
// that it names.
type OutboundConfig struct {
	// Policy says whose addresses are dialled.
	Policy netguard.Policy
	// MaxHeadBytes bounds an answer's head; 0 means 64 KiB.
	MaxHeadBytes int64
	// IdlePerHost is how many idle connections are kept to each address; 0
	// means 256.
	IdlePerHost int
	// IdleTimeout closes a pooled connection; 0 means 60 s.
	IdleTimeout time.Duration
	// TLS is where TLS settings start from, for instance with certificates of
	// one's own; nil means the system's certificates and TLS 1.2 or later.
	TLS *tls.Config
}

// maxTransports bounds the pools of connections with TLS settings of their own.
const maxTransports = 256

// Outbound sends calls over pools of connections. It follows no redirect, uses
// no proxy and decompresses nothing. It is safe for concurrent use; Close ends
// its idle connections.
type Outbound struct {
	cfg OutboundConfig

	mu    sync.Mutex
	pools map[tlsKey]*http.Transport
}

var _ sluice.Outbound = (*Outbound)(nil)

// tlsKey is what connections of one pool have in common beside their address.
type tlsKey struct {
	serverName string
	skipVerify bool
}

// NewOutbound returns an outbound without connections.
func NewOutbound(cfg OutboundConfig) *Outbound {
	cfg.MaxHeadBytes = cmp.Or(cfg.MaxHeadBytes, 64<<10)
	cfg.IdlePerHost = cmp.Or(cfg.IdlePerHost, 256)
	cfg.IdleTimeout = cmp.Or(cfg.IdleTimeout, time.Minute)
	return &Outbound{cfg: cfg, pools: make(map[tlsKey]*http.Transport)}
}

// Close closes the idle connections; calls in progress go on.
func (o *Outbound) Close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, t := range o.pools {
		t.CloseIdleConnections()
	}
}

// pool returns the transport for a call's TLS settings.
func (o *Outbound) pool(call *sluice.Call) *http.Transport {
	key := tlsKey{skipVerify: call.TLSSkipVerify}
	if host, _, err := net.SplitHostPort(call.Addr); err == nil && call.ServerName != host {
		key.serverName = call.ServerName
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if t := o.pools[key]; t != nil {
		return t
	}
	if len(o.pools) >= maxTransports {
		for k, t := range o.pools {
			t.CloseIdleConnections()
			delete(o.pools, k)
		}
	}
	t := o.newTransport(key)
	o.pools[key] = t
	return t
}

func (o *Outbound) newTransport(key tlsKey) *http.Transport {
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.cfg.TLS != nil {
		tlsConfig = o.cfg.TLS.Clone()
	}
	tlsConfig.ServerName, tlsConfig.InsecureSkipVerify = key.serverName, key.skipVerify
	dialer := &net.Dialer{Control: o.cfg.Policy.Control, KeepAlive: 30 * time.Second}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if d, ok := ctx.Value(connectKey{}).(time.Duration); ok && d > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, d)
				defer cancel()
			}
			return dialer.DialContext(ctx, network, addr)
		},
		TLSClientConfig: tlsConfig, TLSHandshakeTimeout: 10 * time.Second, ForceAttemptHTTP2: true,
		DisableCompression: true, MaxResponseHeaderBytes: o.cfg.MaxHeadBytes,
		MaxIdleConnsPerHost: o.cfg.IdlePerHost, IdleConnTimeout: o.cfg.IdleTimeout,
	}
}

// connectKey carries a call's connect timeout to the dialer, which net/http runs
// for whichever call needs a connection.
type connectKey struct{}

// errSilent is the cause of a call that a phase's timer ended.
var errSilent = errors.New("nethttp: the target was silent for too long")

// maxReplays bounds how often a call meets a stale pooled connection.
const maxReplays = 3

// Do implements [sluice.Outbound].
func (o *Outbound) Do(call *sluice.Call) (sluice.Stream, error) {
	ctx, cancel := context.WithCancelCause(context.WithValue(context.Background(), connectKey{}, call.Connect))
	s := &stream{call: call, firstByte: call.FirstByte, idle: call.Idle, cancel: cancel, ctx: ctx}
	s.timer = time.AfterFunc(time.Hour, func() { cancel(errSilent) })
	s.timer.Stop()
	call.Stopper().Bind(func() { cancel(context.Canceled) })
	pool := o.pool(call)
	for replay := 0; ; replay++ {
		resp, stale, err := s.roundTrip(pool)
		if err == nil {
			s.answered.Store(true)
			s.rest()
			s.begin(resp)
			return s, nil
		}
		if !stale || !call.Replayable || replay == maxReplays || ctx.Err() != nil {
			if err = s.explain(err); s.refused != nil {
				err = s.refused
			}
			s.Close()
			return nil, err
		}
	}
}

// roundTrip sends the call once. stale tells that it failed on a connection that
// had been used before, without a byte of an answer: the target had closed it.
func (s *stream) roundTrip(pool *http.Transport) (resp *http.Response, stale bool, err error) {
	var sent, reused, answered atomic.Bool
	trace := &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			if !s.ready(info.Conn) {
				return
			}
			sent.Store(true)
			reused.Store(info.Reused)
			s.await()
		},
		WroteRequest:         func(httptrace.WroteRequestInfo) { s.await() },
		GotFirstResponseByte: func() { answered.Store(true) },
	}
	req, err := s.request(httptrace.WithClientTrace(s.ctx, trace))
	if err != nil {
		return nil, false, fmt.Errorf("build request: %w", err)
	}
	resp, err = pool.RoundTrip(req)
	s.call.Sent = s.call.Sent || sent.Load()
	return resp, reused.Load() && !answered.Load(), err
}

// ready runs the call's Before, once however many connections are tried, and
// reports whether the call may be sent on this one. net/http asks nobody before it
// writes, so a connection of one exchange is closed under it; one of HTTP/2 looks
// at the context before it writes a request, and goes on serving others.
func (s *stream) ready(conn net.Conn) bool {
	if !s.prepared && s.call.Before != nil {
		if s.refused = s.call.Before(); s.refused != nil {
			s.cancel(s.refused)
		}
	}
	s.prepared = true
	if s.ctx.Err() == nil {
		return true
	}
	if t, ok := conn.(*tls.Conn); !ok || t.ConnectionState().NegotiatedProtocol != "h2" {
		conn.Close()
	}
	return false
}

// stream is an answer that is being read.
type stream struct {
	call *sluice.Call
	// firstByte and idle are copies: net/http may still look at a timer when
	// the call is its owner's again.
	firstByte, idle time.Duration

	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	resp   *http.Response
	head   sluice.RespHead
	buf    *[]byte
	ended  bool
	closed bool
	// prepared says that the call's Before was run, refused what it said.
	prepared bool
	refused  error
	// answered says that the head is there: an upload that still goes on no
	// longer sets the timer.
	answered atomic.Bool
}

// buffers are what bodies are read into.
var buffers = sync.Pool{New: func() any { b := make([]byte, 16<<10); return &b }}

// arm starts the timer of a phase, unless the phase is unbounded.
func (s *stream) arm(d time.Duration) {
	if d > 0 {
		s.timer.Reset(d)
	}
}

// await starts the wait for the head.
func (s *stream) await() {
	if !s.answered.Load() {
		s.arm(s.firstByte)
	}
}

// rest stops the timer between phases.
func (s *stream) rest() { s.timer.Stop() }

// request builds the request of a call.
func (s *stream) request(ctx context.Context) (*http.Request, error) {
	c := s.call
	target, err := url.ParseRequestURI(c.Target)
	if err != nil {
		return nil, err
	}
	req := &http.Request{
		Method: c.Method, Host: c.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		URL:    &url.URL{Scheme: c.Scheme, Host: c.Addr, Path: target.Path, RawPath: target.RawPath, RawQuery: target.RawQuery},
		Header: make(http.Header, c.Fields.Len()+2),
	}
	for i := range c.Fields.Len() {
		f := c.Fields.At(i)
		req.Header.Add(f.Name, f.Value)
	}
	if _, set := req.Header["User-Agent"]; !set {
		req.Header["User-Agent"] = []string{""} // keeps net/http from naming itself
	}
	if c.Replayable {
		if _, set := req.Header["X-Idempotency-Key"]; !set {
			req.Header["X-Idempotency-Key"] = nil // allows a replay and is not sent
		}
	}
	s.setBody(req)
	return req.WithContext(ctx), nil
}

// setBody attaches the call's body.
func (s *stream) setBody(req *http.Request) {
	c := s.call
	if c.Stream != nil {
		req.Body = io.NopCloser(armedReader{s, c.Stream})
		req.ContentLength = c.ContentLength
		return
	}
	for _, piece := range c.Body {
		req.ContentLength += int64(len(piece))
	}
	if req.ContentLength == 0 {
		req.Body = http.NoBody
		return
	}
	req.GetBody = func() (io.ReadCloser, error) {
		readers := make([]io.Reader, len(c.Body))
		for i, piece := range c.Body {
			readers[i] = bytes.NewReader(piece)
		}
		return io.NopCloser(io.MultiReader(readers...)), nil
	}
	req.Body, _ = req.GetBody()
}

// armedReader keeps a slow upload from counting as a silent target.
type armedReader struct {
	s    *stream
	from interface{ Read([]byte) (int, error) }
}

// Read implements io.Reader.
func (r armedReader) Read(p []byte) (int, error) {
	if !r.s.answered.Load() {
		r.s.rest()
	}
	n, err := r.from.Read(p)
	r.s.await()
	return n, err
}

// begin keeps the answer's head.
func (s *stream) begin(resp *http.Response) {
	s.resp = resp
	s.head = sluice.RespHead{Status: resp.StatusCode, ContentLength: resp.ContentLength}
	for _, name := range slices.Sorted(maps.Keys(resp.Header)) {
		for _, value := range resp.Header[name] {
			s.head.Fields.Add(name, value)
		}
	}
}

// Head implements [sluice.Stream].
func (s *stream) Head() *sluice.RespHead { return &s.head }

// Next implements [sluice.Stream].
func (s *stream) Next() ([]byte, error) {
	if s.ended {
		return nil, io.EOF
	}
	if s.buf == nil {
		s.buf = buffers.Get().(*[]byte)
	}
	for {
		s.arm(s.idle)
		n, err := s.resp.Body.Read(*s.buf)
		s.rest()
		if n > 0 {
			s.ended = errors.Is(err, io.EOF)
			return (*s.buf)[:n], nil
		}
		if errors.Is(err, io.EOF) {
			s.ended = true
			return nil, io.EOF
		}
		if err != nil {
			return nil, s.explain(err)
		}
	}
}

// Trailers implements [sluice.Stream].
func (s *stream) Trailers() *sluice.Fields {
	if len(s.resp.Trailer) == 0 {
		return nil
	}
	f := &sluice.Fields{}
	for _, name := range slices.Sorted(maps.Keys(s.resp.Trailer)) {
		for _, value := range s.resp.Trailer[name] {
			f.Add(name, value)
		}
	}
	return f
}

// Close implements [sluice.Stream].
func (s *stream) Close() {
	if s.closed {
		return
	}
	s.closed = true
	s.rest()
	s.call.Stopper().Bind(nil)
	if s.resp != nil {
		if !s.ended {
			s.cancel(context.Canceled) // before Close, which would otherwise wait for the body
		}
		s.resp.Body.Close()
	}
	s.cancel(context.Canceled)
	if s.buf != nil {
		buffers.Put(s.buf)
		s.buf = nil
	}
}

// explain gives an error of net/http its code.
func (s *stream) explain(err error) error {
	var timeout net.Error
	switch {
	case errors.Is(context.Cause(s.ctx), errSilent):
		return sluice.Errorf(sluice.CodeTimeout, "the upstream did not answer in time").Because(err)
	case s.ctx.Err() != nil:
		return sluice.Errorf(sluice.CodeClientGone, "the call was stopped").Because(err)
	case errors.Is(err, netguard.ErrForbidden):
		return sluice.Errorf(sluice.CodeProviderError, "the upstream's address is not allowed").Because(err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return sluice.Errorf(sluice.CodeTimeout, "the upstream could not be reached in time").Because(err)
	}
	return sluice.Errorf(sluice.CodeProviderError, "the upstream could not be reached or broke off").Because(err)
}
