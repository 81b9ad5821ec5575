package sluicetest

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// fault is what is wrong with a cable.
type fault int

const (
	whole   fault = iota
	hanging       // bytes wait until the cable is mended
	broken        // every connection is reset
	refused       // nobody listens
)

// Cable is a TCP connection between two processes that a test can cut: what
// dials its address is connected to its target. It is safe for concurrent use
// and ends with the test.
type Cable struct {
	addr    string
	running sync.WaitGroup

	mu       sync.Mutex
	target   string
	fault    fault
	listener net.Listener // nil while refused
	conns    map[net.Conn]bool
	flows    chan struct{} // closed while bytes may pass
}

// NewCable lays a cable to an address, which may be empty until [Cable.To].
func NewCable(t testing.TB, target string) *Cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	c := &Cable{addr: l.Addr().String(), target: target, conns: map[net.Conn]bool{}, flows: make(chan struct{})}
	close(c.flows)
	c.listen(l)
	t.Cleanup(c.end)
	return c
}

// Addr is where to dial, host:port. It stays the same.
func (c *Cable) Addr() string { return c.addr }

// To leads new connections elsewhere, for instance to a restarted process.
func (c *Cable) To(target string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.target = target
}

// Hang lets nothing pass, as a network does that loses every packet:
// connections stay and new ones are made, and what is sent arrives after
// [Cable.Mend].
func (c *Cable) Hang() { c.become(hanging) }

// Break resets every connection, also new ones as soon as they are made.
func (c *Cable) Break() { c.become(broken) }

// Refuse resets every connection and stops listening.
func (c *Cable) Refuse() {
	c.become(refused)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listener.Close()
	c.listener = nil
}

// Mend makes the cable whole.
func (c *Cable) Mend(t testing.TB) {
	t.Helper()
	c.mu.Lock()
	listening := c.listener != nil
	c.mu.Unlock()
	if !listening {
		c.listen(c.again(t))
	}
	c.become(whole)
}

// again listens where the cable listened before; a connection of somebody else
// may have the port for a moment.
func (c *Cable) again(t testing.TB) net.Listener {
	t.Helper()
	deadline := time.Now().Add(daemonPatience)
	for {
		l, err := net.Listen("tcp", c.addr)
		if err == nil {
			return l
		}
		if time.Now().After(deadline) {
			t.Fatalf("listen again: %v", err)
		}
		time.Sleep(time.Millisecond)
	}
}

// become changes what is wrong and lets go of what must not stay.
func (c *Cable) become(f fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.fault == hanging && f != hanging:
		close(c.flows)
	case c.fault != hanging && f == hanging:
		c.flows = make(chan struct{})
	}
	c.fault = f
	if f == broken || f == refused {
		for conn := range c.conns {
			reset(conn)
		}
	}
}

// reset ends a connection in a way that its other end sees at once.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a closed connection has no linger
	}
	conn.Close()
}

// listen takes connections until l is closed.
func (c *Cable) listen(l net.Listener) {
	c.mu.Lock()
	c.listener = l
	c.mu.Unlock()
	c.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.running.Go(func() { c.join(conn) })
		}
	})
}

// join connects both ends until one of them leaves.
func (c *Cable) join(near net.Conn) {
	defer c.drop(near)
	if !c.keep(near) || !c.pass(near) {
		return
	}
	c.mu.Lock()
	target := c.target
	c.mu.Unlock()
	far, err := net.Dial("tcp", target)
	if err != nil {
		return // the near end sees a connection that breaks
	}
	defer c.drop(far)
	if !c.keep(far) {
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		c.carry(near, far)
		near.Close()
	})
	c.carry(far, near)
	far.Close()
	back.Wait()
}

// carry copies from one end to the other while bytes may pass.
func (c *Cable) carry(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if !c.pass(from) {
				return
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if errors.Is(err, io.EOF) {
			c.pass(from) // who hangs up is not heard either
		}
		if err != nil {
			return
		}
	}
}

// pass waits until bytes may pass; it reports whether the connection still is.
func (c *Cable) pass(conn net.Conn) bool {
	c.mu.Lock()
	flows := c.flows
	c.mu.Unlock()
	<-flows
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conns[conn]
}

// keep remembers a connection, unless there must be none.
func (c *Cable) keep(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fault == broken || c.fault == refused {
		reset(conn)
		return false
	}
	c.conns[conn] = true
	return true
}

// drop ends a connection for good.
func (c *Cable) drop(conn net.Conn) {
	c.mu.Lock()
	delete(c.conns, conn)
	c.mu.Unlock()
	conn.Close()
}

// end takes the cable away.
func (c *Cable) end() {
	c.become(broken)
	c.mu.Lock()
	if c.listener != nil {
		c.listener.Close()
	}
	c.mu.Unlock()
	c.running.Wait()
}
