package wire

import "sync"

// The sizes of pooled buffers. Tiny keeps the head of a stream for its whole
// life. Small holds an ordinary request with its body; a bigger gathered body is
// allocated for the one exchange and left to the collector, so that the pools
// never keep a burst's memory.
const (
	tinyBuffer  = 1 << 10
	smallBuffer = 4 << 10
	midBuffer   = 16 << 10
	largeBuffer = 64 << 10
	hugeBuffer  = 512 << 10
)

// lease is a buffer on loan. Only its holder touches it; release ends every
// span into it.
type lease struct {
	b    []byte
	pool *sync.Pool
}

// leases lends buffers of five sizes. It is safe for concurrent use.
type leases struct{ tiny, small, mid, large, huge sync.Pool }

// take lends a buffer of at least n bytes.
func (l *leases) take(n int) *lease {
	switch {
	case n <= tinyBuffer:
		return lend(&l.tiny, tinyBuffer)
	case n <= smallBuffer:
		return lend(&l.small, smallBuffer)
	case n <= midBuffer:
		return lend(&l.mid, midBuffer)
	case n <= largeBuffer:
		return lend(&l.large, largeBuffer)
	case n <= hugeBuffer:
		return lend(&l.huge, hugeBuffer)
	}
	return &lease{b: make([]byte, n)}
}

func lend(pool *sync.Pool, size int) *lease {
	if x, ok := pool.Get().(*lease); ok {
		return x
	}
	return &lease{b: make([]byte, size), pool: pool}
}

// release gives the buffer back; nil is nothing to give.
func (x *lease) release() {
	if x == nil {
		return
	}
	poison(x.b)
	if x.pool != nil {
		x.pool.Put(x)
	}
}

// move copies bytes into a tiny lease; nil when they do not fit.
func (l *leases) move(b []byte) *lease {
	if len(b) > tinyBuffer {
		return nil
	}
	x := l.take(tinyBuffer)
	copy(x.b, b)
	return x
}
