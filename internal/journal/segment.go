package journal

import (
	"errors"
	"io"

	"github.com/sluicegate/sluice"
)

// segmentReader returns the entries of one segment up to a limit, verifies
// checksums and chain, and puts an entry of the kind Lost where something is
// missing.
type segmentReader struct {
	scan   scanner
	frames framer
	expect Seq  // the next entry's number; 0 is whatever comes first
	known  bool // whether frames.last is the chain of the entry before
	limit  Seq  // the last entry that must be there
	// reason says why the latest Lost was lost.
	reason string
	// raw is the frame of the latest entry, until the next call.
	raw []byte
}

// newSegmentReader begins behind the header; without a whole header numbers and
// chain begin with the first entry found.
func newSegmentReader(file File, h header, whole bool, size int64, limit Seq) *segmentReader {
	r := &segmentReader{scan: scanner{file: file, end: size, off: headerSize}, frames: newFramer(h.last), limit: limit}
	if whole {
		r.expect, r.known = h.first, true
	} else {
		r.scan.off = 0
	}
	return r
}

// next returns the next entry, or io.EOF at the limit.
func (r *segmentReader) next() (Entry, error) {
	for {
		if r.expect > r.limit {
			return Entry{}, io.EOF
		}
		before := r.scan.off
		f, err := r.scan.next()
		if errors.Is(err, errNoFrame) {
			if err := r.scan.resync(); err == nil {
				r.known = false
				continue
			} else if !errors.Is(err, errNoFrame) {
				return Entry{}, err
			}
			return r.lost(r.limit, "cut off or damaged")
		}
		if err != nil {
			return Entry{}, err
		}
		switch {
		case r.expect == 0:
			r.expect = f.seq
		case f.seq < r.expect:
			continue
		}
		if f.seq > r.limit {
			return r.lost(r.limit, "missing")
		}
		if f.seq > r.expect {
			r.scan.off, r.known = before, false
			return r.lost(f.seq-1, "damaged")
		}
		return r.accept(f)
	}
}

// accept checks the frame that was expected.
func (r *segmentReader) accept(f frame) (Entry, error) {
	chained := !r.known || r.frames.next(r.frames.last, f.body) == f.chain
	r.frames.last, r.known = f.chain, true
	if !chained {
		return r.lost(f.seq, "altered: the chain does not fit")
	}
	e, err := decodeBody(f.body)
	if sluice.CodeOf(err) == sluice.CodeDiscrepancy {
		return r.lost(f.seq, "unreadable")
	}
	if err != nil {
		return Entry{}, err
	}
	r.expect, r.raw = f.seq+1, f.raw
	return e, nil
}

// lost returns the entry that stands for everything up to through, or io.EOF
// when nothing was expected any more.
func (r *segmentReader) lost(through Seq, reason string) (Entry, error) {
	if r.expect == 0 || r.expect > through {
		return Entry{}, io.EOF
	}
	e := Entry{Seq: r.expect, Kind: Lost, Through: through}
	r.expect, r.reason = through+1, reason
	return e, nil
}

// probe finds the last entry of a segment that nothing continues: the end of
// the run of whole frames, or whatever later frames show to have been durable.
// Frames behind a hole that was never durable are the debris of a power loss.
// proven is how far frames show it to have been durable.
func probe(file File, h header, whole bool, size int64) (limit, proven Seq, err error) {
	r := newSegmentReader(file, h, whole, size, ^Seq(0))
	limit, proven = h.previous, h.previous
	hole := false
	for {
		f, err := r.scan.next()
		if errors.Is(err, errNoFrame) {
			hole = true
			err = r.scan.resync()
			if errors.Is(err, errNoFrame) {
				return limit, proven, nil
			}
			if err == nil {
				continue
			}
		}
		if err != nil {
			return 0, 0, err
		}
		proven = max(proven, f.synced)
		if hole {
			limit = max(limit, f.synced)
		} else {
			limit = max(limit, f.seq)
		}
	}
}
