package journal

import (
	"encoding/hex"
	"errors"
	"io"
)

// Reader returns durable entries in order, across segments. It belongs to one
// goroutine; the journal may be appended to meanwhile.
type Reader struct {
	j      *Journal
	after  Seq // the last entry returned
	file   File
	number uint64 // of the open segment
	seg    *segmentReader
	id     [8]byte // who wrote the open segment
	until  Seq     // the last entry that is wanted
}

// Reader returns a reader of the entries after the given one.
func (j *Journal) Reader(after Seq) *Reader { return &Reader{j: j, after: after, until: ^Seq(0)} }

// ID is whose entry Next returned last: what [Journal.ID] was for the process
// that wrote it.
func (r *Reader) ID() string { return hex.EncodeToString(r.id[:]) }

// Next returns the next durable entry; ok is false when there is none yet. An
// entry of the kind Lost stands for what is damaged, or was removed before it
// was read. Errors are the disk's; Next may be called again.
func (r *Reader) Next() (e Entry, ok bool, err error) {
	for {
		if r.after >= r.until {
			return Entry{}, false, nil
		}
		if r.seg == nil {
			gap, more, err := r.open()
			if err != nil || !more || gap.Kind == Lost {
				return gap, gap.Kind == Lost, err
			}
		}
		if err := r.extend(); err != nil {
			return Entry{}, false, err
		}
		e, err := r.seg.next()
		if errors.Is(err, io.EOF) {
			if gap := (Entry{Seq: r.after + 1, Kind: Lost, Through: r.seg.limit}); r.after < r.seg.limit {
				r.after = gap.Through
				return gap, true, nil
			}
			if r.current() {
				return Entry{}, false, nil
			}
			r.Close()
			continue
		}
		if err != nil {
			r.Close()
			return Entry{}, false, err
		}
		last := max(e.Seq, e.Through)
		if last <= r.after {
			continue
		}
		r.after = last
		return e, true, nil
	}
}

// length is how long the entry is on disk that Next returned last: more than it
// takes in a batch. What stands for a loss has none.
func (r *Reader) length() int {
	if r.seg == nil {
		return 0
	}
	return len(r.seg.raw)
}

// Close releases the open segment; Next opens it again.
func (r *Reader) Close() {
	if r.file != nil {
		r.file.Close()
	}
	r.file, r.seg, r.number = nil, nil, 0
}

// open opens the segment with the next entry, if there is one. When entries were
// removed that nobody read, it returns one of the kind Lost in their place.
func (r *Reader) open() (gap Entry, more bool, err error) {
	s, ok := r.pick()
	if !ok {
		return Entry{}, false, nil
	}
	r.id = s.id
	if s.previous > r.after && s.previous != 0 && r.oldest() == s.number {
		gap = Entry{Seq: r.after + 1, Kind: Lost, Through: s.previous}
		r.after = s.previous
		return gap, true, nil
	}
	file, err := r.j.cfg.Disk.Open(s.name)
	if err != nil {
		return Entry{}, false, err
	}
	size, err := file.Size()
	if err != nil {
		file.Close()
		return Entry{}, false, err
	}
	r.file, r.number = file, s.number
	r.seg = newSegmentReader(file, s.header, s.first != 0, size, s.end)
	return Entry{}, true, nil
}

// pick returns the first segment with an entry behind r.after.
func (r *Reader) pick() (segment, bool) {
	r.j.mu.Lock()
	defer r.j.mu.Unlock()
	for _, s := range r.j.segments {
		if s.end > r.after {
			return s, true
		}
	}
	return segment{}, false
}

func (r *Reader) oldest() uint64 {
	r.j.mu.Lock()
	defer r.j.mu.Unlock()
	return r.j.segments[0].number
}

// extend lets the open segment be read as far as it is durable by now.
func (r *Reader) extend() error {
	r.j.mu.Lock()
	limit := r.seg.limit
	for _, s := range r.j.segments {
		if s.number == r.number {
			limit = s.end
		}
	}
	r.j.mu.Unlock()
	if limit == r.seg.limit {
		return nil
	}
	size, err := r.file.Size()
	if err != nil {
		return err
	}
	r.seg.limit, r.seg.scan.end = limit, size
	return nil
}

// current reports whether the open segment may still grow.
func (r *Reader) current() bool {
	r.j.mu.Lock()
	defer r.j.mu.Unlock()
	return r.j.segments[len(r.j.segments)-1].number == r.number
}
