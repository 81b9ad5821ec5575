package wire

import (
	"context"
	"sync"

	"github.com/sluicegate/sluice"
)

// stream is one exchange with a target. It is made for one call and never used
// for another, so that a stop or a second Close that comes late holds something
// that has let go of the connection.
type stream struct {
	mu      sync.Mutex
	conn    *upConn
	cancel  context.CancelFunc
	stopped bool
	// prepared says that the call's Before has succeeded: a call that met a stale
	// connection comes by again.
	prepared bool

	call *sluice.Call
}

var _ sluice.Stream = (*stream)(nil)

// stop ends the exchange from another goroutine, whatever it waits for.
func (s *stream) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	if s.conn != nil {
		s.conn.raw.Close()
	}
	if s.cancel != nil {
		s.cancel()
	}
}

// dialing notes how to give a dial up; false when the call was stopped.
func (s *stream) dialing(cancel context.CancelFunc) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel = cancel
	return !s.stopped
}

// ready runs the call's Before once and binds the exchange to a connection. After
// an error nothing was written to it, and a stop has not reached it.
func (s *stream) ready(call *sluice.Call, c *upConn) error {
	if !s.prepared && call.Before != nil {
		if err := call.Before(); err != nil {
			return err
		}
	}
	s.prepared = true
	if !s.attach(c) {
		return errStopped
	}
	return nil
}

// attach binds the exchange to a connection; false when the call was stopped.
func (s *stream) attach(c *upConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel = nil
	if s.stopped {
		return false
	}
	s.conn = c
	return true
}

// detach lets go of the connection and reports whether the call still runs.
func (s *stream) detach() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = nil
	return !s.stopped
}

// verdict is err, unless the call was stopped: then everything else follows
// from that.
func (s *stream) verdict(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return errStopped
	}
	return err
}

// Head implements [sluice.Stream].
func (s *stream) Head() *sluice.RespHead { return &s.conn.resp.head }

// Next implements [sluice.Stream].
func (s *stream) Next() ([]byte, error) {
	if s.conn == nil {
		return nil, errOrder
	}
	b, err := s.conn.next()
	if err != nil && err != errEnd {
		err = s.verdict(err)
	}
	return b, err
}

// Trailers implements [sluice.Stream].
func (s *stream) Trailers() *sluice.Fields {
	if s.conn == nil || s.conn.trailers.Len() == 0 {
		return nil
	}
	return &s.conn.trailers
}

// Close implements [sluice.Stream].
func (s *stream) Close() {
	c := s.conn
	if c == nil {
		return
	}
	s.call.Stopper().Bind(nil)
	if running := s.detach(); running && c.reusable() {
		c.rest()
		c.pool.put(c)
		return
	}
	c.discard()
}
