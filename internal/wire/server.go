package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicegate/sluice"
)

// Config says how a [Server] serves.
type Config struct {
	// Handler serves one exchange and has ended or aborted it when it returns.
	// It runs on the connection's goroutine. Required.
	Handler func(sluice.Inbound)
	// CanonicalPath gives the one path that is matched, authorised and
	// forwarded; its error refuses the request. nil leaves paths as they come.
	CanonicalPath func(path string) (string, error)
	// TLS serves TLS when set. Its NextProtos should name http/1.1 alone.
	TLS *tls.Config
	// Limits bound every connection.
	Limits Limits
	// MaxConns bounds the connections open at once, those beyond are closed
	// unanswered; 0 is 100,000.
	MaxConns int
	// RenderError makes the JSON body of an answer that the wire itself gives,
	// which is only ever to a request that it cannot hand to Handler. nil takes
	// a plain form.
	RenderError func(*sluice.Error) []byte
	// Logger takes what no caller can be told; nil discards.
	Logger *slog.Logger
}

// Server serves HTTP/1.1 on any number of listeners. It is safe for concurrent
// use.
type Server struct {
	cfg   Config
	lim   Limits
	sweep *sweeper
	watch *watcher
	bufs  leases

	draining atomic.Bool
	live     sync.WaitGroup
	date     atomic.Pointer[dateText]

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	stopped   bool
}

// ErrServerClosed is returned by [Server.Serve] after [Server.Shutdown] or
// [Server.Close].
var ErrServerClosed = errors.New("wire: server closed")

// NewServer starts a server's two service goroutines (deadlines, hang-ups),
// which Shutdown and Close stop.
func NewServer(cfg Config) *Server {
	cfg.MaxConns = positive(cfg.MaxConns, 100_000)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	lim := cfg.Limits.withDefaults()
	return &Server{
		cfg: cfg, lim: lim, sweep: newSweeper(lim.Sweep), watch: newWatcher(),
		listeners: make(map[net.Listener]struct{}),
	}
}

// Serve accepts connections until the listener fails or the server is shut
// down, which is [ErrServerClosed]. It owns the listener.
func (s *Server) Serve(ln net.Listener) error {
	defer ln.Close()
	if !s.enter(ln) {
		return ErrServerClosed
	}
	defer s.leave(ln)
	for {
		nc, err := s.accept(ln)
		if err != nil {
			if s.draining.Load() {
				return ErrServerClosed
			}
			return err
		}
		s.start(nc)
	}
}

// accept takes the next connection; while descriptors or memory are short it
// waits, up to a second a time, and tries again.
func (s *Server) accept(ln net.Listener) (net.Conn, error) {
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		nc, err := ln.Accept()
		if err == nil {
			return nc, nil
		}
		if s.draining.Load() || !short(err) {
			return nil, err
		}
		s.cfg.Logger.Warn("accept paused", "err", err, "pause", pause)
		time.Sleep(pause)
	}
}

// start serves one connection on a goroutine of its own; Shutdown and Close
// wait for it.
func (s *Server) start(nc net.Conn) {
	s.mu.Lock()
	refused := s.stopped || s.sweep.count() >= s.cfg.MaxConns
	if !refused {
		s.live.Add(1)
	}
	s.mu.Unlock()
	if refused {
		nc.Close()
		return
	}
	c := newConn(s, nc)
	s.sweep.add(c)
	go c.serve()
}

func (s *Server) enter(ln net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.draining.Load() {
		return false
	}
	s.listeners[ln] = struct{}{}
	return true
}

func (s *Server) leave(ln net.Listener) {
	s.mu.Lock()
	delete(s.listeners, ln)
	s.mu.Unlock()
}

// Shutdown drains: listeners close, idle connections close, busy ones finish
// their exchange with "Connection: close". When ctx ends first the rest is
// closed hard and ctx's error returned.
func (s *Server) Shutdown(ctx context.Context) error {
	s.draining.Store(true)
	s.closeListeners()
	idle := make(chan struct{})
	go func() { // ends with the last connection, which Close below makes certain
		s.live.Wait()
		close(idle)
	}()
	// Asked again and again: a connection may have become idle between
	// reading the flag and sleeping.
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		s.each((*Conn).closeIdle)
		select {
		case <-idle:
			s.Close()
			return nil
		case <-ctx.Done():
			s.Close()
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Close closes everything at once and waits for the goroutines. Handlers see a
// client that went away.
func (s *Server) Close() {
	s.draining.Store(true)
	s.closeListeners()
	s.mu.Lock()
	first := !s.stopped
	s.stopped = true
	s.mu.Unlock()
	s.each((*Conn).kill)
	s.live.Wait()
	if first {
		s.watch.close()
		s.sweep.close()
	}
}

// Conns returns how many connections are open.
func (s *Server) Conns() int { return s.sweep.count() }

func (s *Server) closeListeners() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ln := range s.listeners {
		ln.Close()
	}
}

func (s *Server) each(f func(*Conn)) {
	for _, x := range s.sweep.list(nil) {
		f(x.(*Conn))
	}
}

// dateText is the Date field of one second.
type dateText struct {
	second int64
	text   string
}

// dateNow returns the Date field, formatted once a second.
func (s *Server) dateNow() string {
	now := time.Now()
	if d := s.date.Load(); d != nil && d.second == now.Unix() {
		return d.text
	}
	d := &dateText{second: now.Unix(), text: now.UTC().Format("Mon, 02 Jan 2006 15:04:05") + " GMT"}
	s.date.Store(d)
	return d.text
}
