package wire

import (
	"os"
	"sync"
	"syscall"
)

// watcher reports clients that hang up while nobody reads from them. It is one
// epoll set of a server; a connection costs one epoll_ctl in its life and
// nothing per request. An event carries a number that is never used again, not
// a pointer or a descriptor, so one that comes late finds nobody. It is safe
// for concurrent use.
type watcher struct {
	epoll *os.File
	fd    int
	ended chan struct{}

	mu    sync.Mutex
	last  uint64
	conns map[uint64]*Conn
}

// newWatcher starts the watching goroutine, which close ends. It returns nil
// when the system gives no epoll set: hang-ups then show at the next write.
func newWatcher() *watcher {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil
	}
	// Non-blocking, so that the runtime's poller waits for the set and no
	// thread does.
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return nil
	}
	w := &watcher{epoll: os.NewFile(uintptr(fd), "epoll"), fd: fd, ended: make(chan struct{}), conns: make(map[uint64]*Conn)}
	raw, err := w.epoll.SyscallConn()
	if err != nil {
		w.epoll.Close()
		return nil
	}
	go w.run(raw)
	return w
}

func (w *watcher) close() {
	if w == nil {
		return
	}
	w.epoll.Close()
	<-w.ended
}

// run hands events out until close.
func (w *watcher) run(raw syscall.RawConn) {
	defer close(w.ended)
	var events [64]syscall.EpollEvent
	for {
		n := 0
		err := raw.Read(func(fd uintptr) bool {
			var err error
			n, err = syscall.EpollWait(int(fd), events[:], 0)
			return err == nil && n > 0
		})
		if err != nil {
			return
		}
		for _, e := range events[:n] {
			if c := w.find(uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32); c != nil {
				c.hungUp()
			}
		}
	}
}

func (w *watcher) find(number uint64) *Conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.conns[number]
}

// add watches a connection until remove and returns its number, 0 when it
// cannot be watched.
func (w *watcher) add(c *Conn) uint64 {
	sock, ok := c.raw.(syscall.Conn)
	if w == nil || !ok {
		return 0
	}
	raw, err := sock.SyscallConn()
	if err != nil {
		return 0
	}
	w.mu.Lock()
	w.last++
	number := w.last
	w.conns[number] = c
	w.mu.Unlock()
	event := syscall.EpollEvent{
		// Edge-triggered: a hang-up is reported once, however long it takes
		// the connection to notice.
		Events: syscall.EPOLLRDHUP | syscall.EPOLLET&0xffffffff,
		Fd:     int32(uint32(number)), Pad: int32(uint32(number >> 32)),
	}
	failed := raw.Control(func(fd uintptr) {
		err = syscall.EpollCtl(w.fd, syscall.EPOLL_CTL_ADD, int(fd), &event)
	})
	if failed != nil || err != nil {
		w.remove(number)
		return 0
	}
	return number
}

// remove forgets a number; closing the socket takes it out of the set.
func (w *watcher) remove(number uint64) {
	if w == nil || number == 0 {
		return
	}
	w.mu.Lock()
	delete(w.conns, number)
	w.mu.Unlock()
}
