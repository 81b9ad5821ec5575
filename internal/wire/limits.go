package wire

import "time"

// Limits bound what one client connection may cost. The zero value of each
// field takes the default that its comment states.
type Limits struct {
	// Head bounds a request head in bytes, request line and blank line
	// included; 16 KiB.
	Head int
	// Fields bounds the field lines of a head; 64.
	Fields int
	// URL bounds the request target in bytes; 8 KiB.
	URL int
	// Idle is how long a connection may wait for its next request; 75 s.
	Idle time.Duration
	// HeadTime is how long a head may take once its first byte is there, and a
	// TLS handshake or the first request once the connection is; 5 s.
	HeadTime time.Duration
	// BodyGrace is how long a body may take before BodyRate counts; 10 s.
	BodyGrace time.Duration
	// BodyRate is the least rate of a body in bytes a second; 1 KiB.
	BodyRate int64
	// BodyPause is the longest silence within a body; 30 s.
	BodyPause time.Duration
	// Frame is how long one write may wait for a client that does not read;
	// 30 s.
	Frame time.Duration
	// Sweep is how often deadlines are looked at, and so how exact they are;
	// 1 s.
	Sweep time.Duration
}

// The limits that nobody has wanted to set.
const (
	maxMethod = 32
	// maxTrailers and maxTrailerBytes bound a trailer section.
	maxTrailers     = 32
	maxTrailerBytes = 4 << 10
	// maxChunkExtension bounds one chunk's extension, maxChunkExtensions those
	// of a whole body.
	maxChunkExtension  = 1 << 10
	maxChunkExtensions = 16 << 10
	// maxUnread is how much of a body that nobody read is read away to keep
	// the connection; a longer one closes it.
	maxUnread = 64 << 10
	// maxCopied is how much is copied behind a head to leave in one write;
	// longer pieces are written from where they lie.
	maxCopied = 16 << 10
	// maxAnswerHead and maxAnswerFields bound an upstream's head.
	maxAnswerHead   = 32 << 10
	maxAnswerFields = 128
	// lingerBytes and lingerTime bound the reading that lets a refused client
	// see the answer instead of a reset, and lingerPause what follows when it
	// does not stop sending.
	lingerBytes = 256 << 10
	lingerTime  = time.Second
	lingerPause = 500 * time.Millisecond
)

// MaxInformational is how many 1xx answers an upstream may send before the
// final one.
const MaxInformational = 8

func (l Limits) withDefaults() Limits {
	l.Head = positive(l.Head, 16<<10)
	l.Fields = positive(l.Fields, 64)
	l.URL = positive(l.URL, 8<<10)
	l.Idle = positive(l.Idle, 75*time.Second)
	l.HeadTime = positive(l.HeadTime, 5*time.Second)
	l.BodyGrace = positive(l.BodyGrace, 10*time.Second)
	l.BodyRate = positive(l.BodyRate, 1<<10)
	l.BodyPause = positive(l.BodyPause, 30*time.Second)
	l.Frame = positive(l.Frame, 30*time.Second)
	l.Sweep = positive(l.Sweep, time.Second)
	return l
}

// positive returns v, or the default when v is not set.
func positive[T int | int64 | time.Duration](v, def T) T {
	if v > 0 {
		return v
	}
	return def
}
