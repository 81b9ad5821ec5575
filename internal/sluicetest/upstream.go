package sluicetest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"
)

// maxCapture bounds what is kept of one request's body.
const maxCapture = 64 << 20

// Upstream is an HTTP/1.1 server on loopback whose answers are a script. It
// counts connections and keeps the requests it was sent. It is safe for
// concurrent use and is closed with the test.
type Upstream struct {
	listener net.Listener
	gone     chan struct{}
	done     chan struct{}
	running  sync.WaitGroup

	mu       sync.Mutex
	script   []Answer
	conns    map[net.Conn]bool
	accepted int
	requests []Request
	early    func(Request) bool
}

// Request is one request as it arrived.
type Request struct {
	Method, Target, Host string
	Header               http.Header
	Body                 []byte
	// Connection counts the connections from 1; equal numbers share one.
	Connection int
}

// NewUpstream starts an upstream. Each request takes the next answer of the
// script; the last one repeats, and without any the answer is 200 "ok".
func NewUpstream(t testing.TB, script ...Answer) *Upstream {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	u := &Upstream{
		listener: l, script: script, conns: map[net.Conn]bool{},
		gone: make(chan struct{}, 1024), done: make(chan struct{}),
	}
	u.running.Go(u.accept)
	t.Cleanup(u.Close)
	return u
}

// Close stops the listener and breaks every connection off. It may be called
// twice.
func (u *Upstream) Close() {
	u.mu.Lock()
	select {
	case <-u.done:
	default:
		close(u.done)
	}
	for c := range u.conns {
		c.Close()
	}
	u.mu.Unlock()
	u.listener.Close()
	u.running.Wait()
}

// Addr is host:port.
func (u *Upstream) Addr() string { return u.listener.Addr().String() }

// URL is http://host:port.
func (u *Upstream) URL() string { return "http://" + u.Addr() }

// Host is the address without the port.
func (u *Upstream) Host() string { return "127.0.0.1" }

// Port is the port.
func (u *Upstream) Port() int { return u.listener.Addr().(*net.TCPAddr).Port }

// Script replaces what is left of the script.
func (u *Upstream) Script(script ...Answer) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.script = script
}

// Connections returns how many connections were accepted so far.
func (u *Upstream) Connections() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.accepted
}

// Requests returns the requests that have arrived whole so far.
func (u *Upstream) Requests() []Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]Request(nil), u.requests...)
}

// Gone receives once for each answer during which the client of this upstream
// went away.
func (u *Upstream) Gone() <-chan struct{} { return u.gone }

// CloseIdle breaks off all connections as a server does that grew tired of
// them; the next request on a pooled one meets a closed socket.
func (u *Upstream) CloseIdle() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for c := range u.conns {
		c.Close()
	}
}

// AnswerEarly makes requests for which it returns true be answered before their
// body is read.
func (u *Upstream) AnswerEarly(when func(Request) bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.early = when
}

func (u *Upstream) accept() {
	for {
		c, err := u.listener.Accept()
		if err != nil {
			return
		}
		u.mu.Lock()
		u.accepted++
		n := u.accepted
		u.conns[c] = true
		u.mu.Unlock()
		u.running.Go(func() { u.serve(c, n) })
	}
}

// serve answers requests on one connection until an answer ends it.
func (u *Upstream) serve(c net.Conn, number int) {
	defer func() {
		c.Close()
		u.mu.Lock()
		delete(u.conns, c)
		u.mu.Unlock()
	}()
	r := bufio.NewReader(c)
	for {
		req, err := u.read(r, number)
		if err != nil {
			return
		}
		w := &Wire{conn: c, done: u.done}
		stop := watch(c, r, w)
		u.next()(w, req)
		if stop() {
			u.gone <- struct{}{}
			return
		}
		if w.closed {
			return
		}
	}
}

// read reads one request and keeps it.
func (u *Upstream) read(r *bufio.Reader, number int) (Request, error) {
	raw, err := http.ReadRequest(r)
	if err != nil {
		return Request{}, err
	}
	req := Request{Method: raw.Method, Target: raw.RequestURI, Host: raw.Host, Header: raw.Header, Connection: number}
	u.mu.Lock()
	early := u.early != nil && u.early(req)
	u.mu.Unlock()
	if !early {
		if req.Body, err = io.ReadAll(io.LimitReader(raw.Body, maxCapture)); err != nil {
			return Request{}, err
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.requests = append(u.requests, req)
	return req, nil
}

func (u *Upstream) next() Answer {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch len(u.script) {
	case 0:
		return Text(200, "ok")
	case 1:
		return u.script[0]
	}
	a := u.script[0]
	u.script = u.script[1:]
	return a
}

// watch notices while an answer runs that the client went away. The function it
// returns ends the watch and reports whether it did.
func watch(c net.Conn, r *bufio.Reader, w *Wire) func() bool {
	w.cancelled = make(chan struct{})
	finished := make(chan bool, 1)
	go func() { // ends with stop's deadline at the latest
		_, err := r.Peek(1)
		var timeout net.Error
		left := err != nil && !(errors.As(err, &timeout) && timeout.Timeout())
		if left {
			close(w.cancelled)
		}
		finished <- left
	}()
	return func() bool {
		c.SetReadDeadline(time.Unix(1, 0))
		left := <-finished
		c.SetReadDeadline(time.Time{})
		return left && !w.closed
	}
}

// Wire is the answer's side of one request.
type Wire struct {
	conn      net.Conn
	done      <-chan struct{}
	cancelled chan struct{}
	closed    bool
}

// Write sends bytes as they are.
func (w *Wire) Write(b []byte) (int, error) {
	n, err := w.conn.Write(b)
	w.closed = w.closed || err != nil
	return n, err
}

// Print sends text as it is.
func (w *Wire) Print(s string) error {
	_, err := w.Write([]byte(s))
	return err
}

// Sleep waits, but no longer than the client and the upstream live; it reports
// whether the time passed.
func (w *Wire) Sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-w.cancelled:
	case <-w.done:
		w.closed = true
	}
	return false
}

// Hang waits until the client or the upstream is gone.
func (w *Wire) Hang() { w.Sleep(time.Hour) }

// Close ends the connection after what was written.
func (w *Wire) Close() {
	w.closed = true
	w.conn.Close()
}

// Reset ends the connection with a TCP reset.
func (w *Wire) Reset() {
	w.closed = true
	if c, ok := w.conn.(*net.TCPConn); ok {
		c.SetLinger(0)
	}
	w.conn.Close()
}

// Chunk sends one piece of a chunked body.
func (w *Wire) Chunk(b []byte) error {
	var out bytes.Buffer
	out.WriteString(strconv.FormatInt(int64(len(b)), 16))
	out.WriteString("\r\n")
	out.Write(b)
	out.WriteString("\r\n")
	_, err := w.Write(out.Bytes())
	return err
}
