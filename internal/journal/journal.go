package journal

import (
	"crypto/rand"
	"encoding/hex"
	"math/bits"
	"slices"
	"sync"

	"github.com/sluicegate/sluice"
)

// Config says where a journal lives and how much it may take.
type Config struct {
	// Disk is the folder; it belongs to one journal at a time.
	Disk Disk
	// SegmentBytes is when a new segment begins; 0 is 16 MiB.
	SegmentBytes int64
	// QuotaBytes is what all segments together may take; 0 is 1 GiB. At nine
	// tenths no OPEN is taken any more: the rest is for endings.
	QuotaBytes int64
	// BufferBytes is how much may wait in memory to be written; 0 is 8 MiB. At
	// half of it no OPEN is taken any more.
	BufferBytes int
	// ID draws the id of what is written from now on; nil is eight random bytes.
	ID func() [8]byte
	// Amend may change the posting of a crash ending before it is written, for
	// instance to charge nothing; nil leaves it.
	Amend func(*sluice.Posting)
}

func (c Config) withDefaults() Config {
	if c.SegmentBytes == 0 {
		c.SegmentBytes = 16 << 20
	}
	if c.QuotaBytes == 0 {
		c.QuotaBytes = 1 << 30
	}
	if c.BufferBytes == 0 {
		c.BufferBytes = 8 << 20
	}
	if c.ID == nil {
		c.ID = func() (id [8]byte) { rand.Read(id[:]); return id }
	}
	return c
}

// Journal is an open journal. All methods are safe for concurrent use, except
// that one goroutine at a time may be in Flush (or Run, which calls it).
type Journal struct {
	cfg Config
	id  [8]byte

	mu      sync.Mutex
	frames  framer
	last    Seq    // of the newest entry, written or not
	active  []byte // frames that Flush has not taken yet
	urgent  bool   // whether one of them is to be fsynced
	held    int    // bytes that Flush has taken and not synced yet
	written Seq    // the process may die now
	synced  Seq    // the power may fail now
	failing error  // why the last Flush failed; nil when it did not
	live    map[sluice.RequestID]live
	// ended and ending are the oldest OPEN of requests whose last ending Flush has
	// not taken yet, or has taken and not synced; 0 when there is none.
	ended, ending Seq
	waiters       []*waiter
	idle          []*waiter
	// segments are those on disk, the oldest first; the last may be growing.
	segments []segment

	appended chan struct{} // wakes Run, also for who waits for the disk; holds one token
	durable  chan struct{} // wakes a Shipper; holds one token

	out writer // used by Flush alone
}

// segment is one file.
type segment struct {
	header
	name  string
	bytes int64
	end   Seq // the last valid entry in it; the header's previous when it has none
}

// live is a request that has begun and not yet ended.
type live struct {
	first  Seq    // its OPEN
	open   uint64 // a bit for each attempt that runs
	opened uint64 // a bit for each attempt that ever did
	final  bool   // the final TERMINAL is there; an attempt may still run
}

// ID identifies to the books what is written since the journal was opened;
// what former processes wrote keeps the id that they had.
func (j *Journal) ID() string { return hex.EncodeToString(j.id[:]) }

// Append takes an entry, in memory: use [Journal.Wait] before relying on it. It
// does not block and does not allocate. Errors leave the journal as it was:
// [sluice.CodeUnavailable] when there is no room or the disk fails (only OPEN is
// refused for quota and failure, so that endings always fit);
// [sluice.CodeConflict] for an attempt that is opened or ended twice or was
// never opened; [sluice.CodeInvalidRequest] for an entry that is incomplete.
func (j *Journal) Append(e *Entry) (Seq, error) {
	if err := complete(e); err != nil {
		return 0, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	next, err := j.live[e.Request].after(e)
	if err != nil {
		return 0, err
	}
	if err := j.room(e.Kind); err != nil {
		return 0, err
	}
	e.Seq = j.last + 1
	j.active = j.frames.append(j.active, e, j.synced)
	j.last = e.Seq
	j.urgent = j.urgent || e.Kind != Progress
	if next.first == 0 {
		next.first = e.Seq
	}
	j.track(e.Request, next)
	signal(j.appended)
	return e.Seq, nil
}

// track remembers a request until nothing of it is open.
func (j *Journal) track(id sluice.RequestID, l live) {
	if l.final && l.open == 0 {
		delete(j.live, id)
		j.ended = older(j.ended, l.first)
		return
	}
	j.live[id] = l
}

// older is the lesser of two numbers, where 0 is none.
func older(a, b Seq) Seq {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// complete checks what does not depend on other entries.
func complete(e *Entry) error {
	switch {
	case e.Request.IsZero() || e.Attempt > MaxAttempts || len(e.Record) > MaxRecordBytes:
		return sluice.Errorf(sluice.CodeInvalidRequest, "a journal entry needs a request, at most %d attempts and %d bytes of record", MaxAttempts, MaxRecordBytes)
	case e.Kind == Open:
		if e.Hold == nil {
			return nil
		}
		if e.Hold.Request != e.Request {
			return sluice.Errorf(sluice.CodeInvalidRequest, "the hold is another request's")
		}
		return e.Hold.Validate()
	case e.Kind != Progress && e.Kind != Terminal || e.Posting == nil:
		return sluice.Errorf(sluice.CodeInvalidRequest, "%s needs a posting", e.Kind)
	case e.Posting.Request != e.Request || e.Posting.Attempt != e.Attempt:
		return sluice.Errorf(sluice.CodeInvalidRequest, "the posting is another request's")
	}
	return e.Posting.Validate()
}

// after returns what the request is once the entry is in, or why it must not
// get in: each attempt is opened once and ended once, each request is final
// once.
func (l live) after(e *Entry) (live, error) {
	bit := uint64(1) << e.Attempt
	switch {
	case e.Kind == Open && e.Attempt == 0:
		return l, sluice.Errorf(sluice.CodeInvalidRequest, "attempts count from 1")
	case e.Kind == Open && (l.final || l.opened&bit != 0):
		return l, conflict(e, "was opened before")
	case e.Kind == Open && (l.opened == 0) != (e.Hold != nil):
		return l, sluice.Errorf(sluice.CodeInvalidRequest, "the first OPEN of a request, and no other, has its hold")
	case e.Kind == Open:
		l.open |= bit
		l.opened |= bit
		return l, nil
	case e.Attempt != 0 && l.open&bit == 0:
		return l, conflict(e, "is not open")
	case e.Kind == Progress:
		return l, nil
	case e.Posting.Final && (l.final || l.opened == 0):
		return l, conflict(e, "was final before, or never opened")
	case e.Attempt == 0 && l.open != 0:
		return l, conflict(e, "still has an attempt to name")
	}
	l.open &^= bit
	l.final = l.final || e.Posting.Final
	return l, nil
}

func conflict(e *Entry, what string) error {
	return sluice.Errorf(sluice.CodeConflict, "%s of attempt %d of request %s: it %s", e.Kind, e.Attempt, e.Request, what)
}

// room reports why an entry cannot be taken now. Endings are refused only when
// memory is at its end: the quota's last tenth is theirs.
func (j *Journal) room(k Kind) error {
	buffered := len(j.active) + j.held
	if buffered >= j.cfg.BufferBytes {
		return sluice.Errorf(sluice.CodeUnavailable, "the journal's buffer is full").Because(j.failing).After(1)
	}
	if k == Terminal {
		return nil
	}
	if k == Open && j.failing != nil {
		return j.failing
	}
	if buffered >= j.cfg.BufferBytes/2 {
		return sluice.Errorf(sluice.CodeUnavailable, "the journal's buffer is nearly full").After(1)
	}
	if j.diskBytes()+int64(buffered) >= j.cfg.QuotaBytes/10*9 {
		return sluice.Errorf(sluice.CodeUnavailable, "the journal is full; it empties as the books catch up").After(5)
	}
	return nil
}

func (j *Journal) diskBytes() (sum int64) {
	for i := range j.segments {
		sum += j.segments[i].bytes
	}
	return sum
}

// Truncate removes segments of which everything is at or before applied, what
// the books have durably applied. A segment with the OPEN of a request whose ending
// is not durable stays, for a crash to be ended from it.
func (j *Journal) Truncate(applied Seq) error {
	for {
		name := j.removable(applied)
		if name == "" {
			return nil
		}
		// One at a time, each durably: a power loss must not bring back an older
		// segment without its successor.
		if err := j.cfg.Disk.Remove(name); err != nil {
			return err
		}
		if err := j.cfg.Disk.Sync(); err != nil {
			return err
		}
		j.unlist(name)
	}
}

// unlist takes a removed segment off the list, on which a flush may have changed
// what is first meanwhile.
func (j *Journal) unlist(name string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.segments = slices.DeleteFunc(j.segments, func(s segment) bool { return s.name == name })
}

// removable names the oldest segment if it may go.
func (j *Journal) removable(applied Seq) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.segments) < 2 || j.segments[0].end > applied {
		return ""
	}
	for _, l := range j.live {
		applied = min(applied, l.first-1)
	}
	if first := older(j.ended, j.ending); first != 0 {
		applied = min(applied, first-1)
	}
	if j.segments[0].end > applied {
		return ""
	}
	return j.segments[0].name
}

// Stats is a journal's condition, for metrics and status.
type Stats struct {
	Segments int
	Bytes    int64 // on disk
	Buffered int   // bytes in memory that are not durable yet
	Requests int   // that have begun and not ended
	Attempts int   // that run
	Last     Seq
	Written  Seq
	Synced   Seq
	// Failing is why the disk cannot be written; nil when it can.
	Failing error
}

// Stats returns the journal's condition.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := Stats{
		Segments: len(j.segments), Bytes: j.diskBytes(), Buffered: len(j.active) + j.held, Requests: len(j.live),
		Last: j.last, Written: j.written, Synced: j.synced, Failing: j.failing,
	}
	for _, l := range j.live {
		s.Attempts += bits.OnesCount64(l.open)
	}
	return s
}

// Failing is why the disk cannot be written; nil when it can, as far as is known.
func (j *Journal) Failing() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failing
}

// signal puts the one token into a channel.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
