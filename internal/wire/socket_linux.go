package wire

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// socket is a TCP connection whose Read and Write enter the kernel without
// telling the scheduler: the descriptor is non-blocking, so each call returns at
// once, and handing the processor over and back would cost more than it saves.
// Measured in pairs against the ordinary path it takes 10 to 20 % off a plain
// request and more off a stream event. Waiting, deadlines and closing stay with
// the runtime's poller. One goroutine may read while another writes.
type socket struct {
	*net.TCPConn
	raw     syscall.RawConn
	in, out transfer
	// in.step, in.leased, out.whole and out.once bound once, so that no call
	// allocates
	read, lend, put, try func(fd uintptr) bool
}

// transfer is one Read or Write in progress.
type transfer struct {
	call uintptr
	b    []byte
	n    int
	err  syscall.Errno
	// bufs lends the buffer of a read that begins without one.
	bufs *leases
	size int
	held *lease
}

// maxRaw is the longest write that is done behind the scheduler's back: copying
// more into the kernel takes long enough to be told of.
const maxRaw = 64 << 10

// direct returns the fast form of a connection, or the connection itself where
// there is none.
func direct(nc net.Conn) net.Conn {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nc
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nc
	}
	s := &socket{TCPConn: tcp, raw: raw, in: transfer{call: syscall.SYS_READ}, out: transfer{call: syscall.SYS_WRITE}}
	s.read, s.lend, s.put, s.try = s.in.step, s.in.leased, s.out.whole, s.out.once
	return s
}

// step moves bytes once and reports whether that is done; false waits until the
// socket is ready.
func (t *transfer) step(fd uintptr) bool {
	for {
		b := t.b[t.n:]
		n, _, errno := syscall.RawSyscall(t.call, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
		switch errno {
		case 0:
			t.n += int(n)
			return true
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			t.err = errno
			return true
		}
	}
}

// leased reads once into a buffer that it holds only if something came.
func (t *transfer) leased(fd uintptr) bool {
	t.held = t.bufs.take(t.size)
	t.b = t.held.b
	done := t.step(fd)
	if t.n == 0 {
		t.held.release()
		t.held, t.b = nil, nil
	}
	return done
}

// whole moves bytes until all have gone.
func (t *transfer) whole(fd uintptr) bool {
	for t.n < len(t.b) && t.err == 0 {
		if !t.step(fd) {
			return false
		}
	}
	return true
}

// once moves what it can without waiting.
func (t *transfer) once(fd uintptr) bool {
	for t.n < len(t.b) && t.err == 0 && t.step(fd) {
	}
	return true
}

// Read implements [net.Conn].
func (s *socket) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	t := &s.in
	t.b, t.n, t.err = p, 0, 0
	err := s.raw.Read(s.read)
	t.b = nil
	switch {
	case err != nil:
		return 0, err
	case t.err != 0:
		return 0, os.NewSyscallError("read", t.err)
	case t.n == 0:
		return 0, io.EOF
	}
	return t.n, nil
}

// readLease reads once into a buffer of that size from the pool. A plain socket
// borrows it when there is something to read: who waits holds none.
func readLease(nc net.Conn, bufs *leases, size int) (*lease, int, error) {
	s, ok := nc.(*socket)
	if !ok {
		return readHeld(nc, bufs, size)
	}
	t := &s.in
	t.n, t.err, t.bufs, t.size = 0, 0, bufs, size
	err := s.raw.Read(s.lend)
	held := t.held
	t.b, t.bufs, t.held = nil, nil, nil
	switch {
	case held != nil:
		return held, t.n, nil
	case err != nil:
		return nil, 0, err
	case t.err != 0:
		return nil, 0, os.NewSyscallError("read", t.err)
	}
	return nil, 0, io.EOF
}

// Write implements [net.Conn].
func (s *socket) Write(p []byte) (int, error) {
	if len(p) > maxRaw {
		return s.TCPConn.Write(p)
	}
	t := &s.out
	t.b, t.n, t.err = p, 0, 0
	err := s.raw.Write(s.put)
	t.b = nil
	if err == nil && t.err != 0 {
		err = os.NewSyscallError("write", t.err)
	}
	return t.n, err
}

// writeNow writes what a plain socket takes without waiting; tried is false, and
// nothing written, where that can not be had.
func writeNow(nc net.Conn, p []byte) (n int, tried bool, err error) {
	s, ok := nc.(*socket)
	if !ok || len(p) > maxRaw {
		return 0, false, nil
	}
	t := &s.out
	t.b, t.n, t.err = p, 0, 0
	err = s.raw.Write(s.try)
	t.b = nil
	if err == nil && t.err != 0 {
		err = os.NewSyscallError("write", t.err)
	}
	return t.n, true, err
}

// vectored returns what writev can be had on.
func vectored(nc net.Conn) net.Conn {
	if s, ok := nc.(*socket); ok {
		return s.TCPConn
	}
	return nc
}
