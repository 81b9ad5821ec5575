package wire

import (
	"net"
	"syscall"
	"unsafe"
)

// probe looks into a socket without waiting. It keeps what it needs so that a
// look costs one system call and no allocation.
type probe struct {
	raw   syscall.RawConn
	look  func(fd uintptr) bool
	empty bool
}

// quiet reports whether the socket is open and has nothing to read.
func (p *probe) quiet(nc net.Conn) bool {
	if p.look == nil && !p.open(nc) {
		return true // not a socket: nothing can be known
	}
	p.empty = false
	err := p.raw.Read(p.look)
	return err == nil && p.empty
}

func (p *probe) open(nc net.Conn) bool {
	sock, ok := nc.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sock.SyscallConn()
	if err != nil {
		return false
	}
	p.raw = raw
	p.look = func(fd uintptr) bool {
		var b [1]byte
		_, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b[0])), 1,
			syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
		p.empty = errno == syscall.EAGAIN
		return true
	}
	return true
}
