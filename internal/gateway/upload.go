package gateway

import (
	"errors"
	"io"
	"sync"

	"github.com/sluicegate/sluice"
)

// upload is a request body that passes through unread, within the route's limit.
// An [sluice.Outbound] may read it from a goroutine of its own.
type upload struct {
	from  io.Reader
	limit int64

	mu     sync.Mutex
	left   int64
	read   int64
	err    error // of the client's side, EOF apart
	closed bool
}

// Read implements io.Reader.
func (u *upload) Read(p []byte) (int, error) {
	u.mu.Lock()
	closed := u.closed
	u.mu.Unlock()
	if closed {
		return 0, io.ErrClosedPipe
	}
	n, err := u.from.Read(p)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.read += int64(n)
	if u.left -= int64(n); u.left < 0 {
		n, err = 0, sluice.Errorf(sluice.CodeTooLarge, "the body is larger than %d bytes", u.limit)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		u.err = err
	}
	return n, err
}

// used reports whether any byte was taken.
func (u *upload) used() bool { return u.bytes() > 0 }

// bytes is how much was taken.
func (u *upload) bytes() int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.read
}

// failure is what went wrong on the client's side, or nil.
func (u *upload) failure() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.err
}

// close refuses further reads: the request is over, whatever a connection that
// was given up still wants to send.
func (u *upload) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed = true
}
