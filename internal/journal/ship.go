package journal

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/sluicegate/sluice"
)

// Transport carries entries to the books.
type Transport interface {
	// Send hands over consecutive entries of a journal, the first of which
	// follows after, and returns the position up to which everything of that
	// journal is durably applied. Entries at or before that position are
	// skipped; when after is beyond it, nothing is applied and the shipper goes
	// back. No entries at all is a question for the position. An error says
	// nothing about what was applied.
	Send(ctx context.Context, journal string, after Seq, entries []Entry) (applied Seq, err error)
}

// Shipper brings a journal's durable entries to the books and truncates the
// journal behind them. It belongs to one goroutine, but for what is said to be
// safe for others.
type Shipper struct {
	// OnCopy is told when the books have more of what a former process wrote than
	// the journal: it was put back from an old copy, or its end is gone. Set before
	// the first Step; nil tells nobody. The books hear of it by an entry of the
	// kind Lost.
	OnCopy func(id string, end, applied Seq)

	j       *Journal
	to      Transport
	reader  *Reader
	asked   bool // whether the books have said where they are in the span
	span    span
	sent    Seq // the last entry of the span that was handed over
	through Seq // everything up to it, of whatever span, is in the books
	stale   stale
	full    bool // whether the last batch was
	batch   []Entry
	bytes   int // how long the batch is on disk

	// For others: through, when the oldest entry behind it was written in
	// nanoseconds, and how often the journal proved to be an old copy.
	shipped atomic.Uint64
	oldest  atomic.Int64
	copies  atomic.Uint64
}

// stale is what the books have of a span that this journal has not: it was put
// back from a copy, or lost its end.
type stale struct{ end, applied Seq }

// The bounds of what is sent at once: entries, and bytes as [AppendBatch] encodes
// them.
const (
	MaxBatch      = 1024
	MaxBatchBytes = 8 << 20
)

// NewShipper returns a shipper that begins where the books say they are.
func NewShipper(j *Journal, to Transport) *Shipper {
	return &Shipper{j: j, to: to, batch: make([]Entry, 0, 256)}
}

// Shipped is the last entry up to which the books have confirmed all; 0 before
// they have answered. Safe for concurrent use.
func (s *Shipper) Shipped() Seq { return Seq(s.shipped.Load()) }

// Waiting is how long the oldest entry has waited that the books have not
// confirmed to this process; 0 when there is none. Safe for concurrent use.
func (s *Shipper) Waiting(now time.Time) time.Duration {
	if at := s.oldest.Load(); at != 0 {
		return max(0, now.Sub(time.Unix(0, at)))
	}
	return 0
}

// Copies counts what OnCopy is told of. Safe for concurrent use.
func (s *Shipper) Copies() uint64 { return s.copies.Load() }

// Step sends one batch and reports whether there may be more. After an error
// the same entries are sent again by the next call.
func (s *Shipper) Step(ctx context.Context) (more bool, err error) {
	if more, err := s.load(ctx); err != nil || !more {
		return false, err
	}
	s.full = s.filled()
	s.wait(s.batch[0])
	applied, err := s.to.Send(ctx, s.span.id, s.sent, s.batch)
	if err != nil {
		return false, fmt.Errorf("sending entries after %s: %w", s.sent, err)
	}
	if end := s.batch[len(s.batch)-1]; applied == max(end.Seq, end.Through) {
		s.sent = applied
		s.empty()
		s.move(max(s.through, applied))
	} else {
		s.restart()
	}
	if err := s.j.Truncate(s.through); err != nil {
		return false, fmt.Errorf("truncating the journal up to %s: %w", s.through, err)
	}
	return true, nil
}

// load fills the batch, going on to the next span where one has ended.
func (s *Shipper) load(ctx context.Context) (more bool, err error) {
	for len(s.batch) == 0 {
		if !s.asked {
			next, ok := s.j.spanBehind(s.through)
			if !ok {
				return false, nil
			}
			if err := s.ask(ctx, next); err != nil {
				return false, err
			}
		}
		if err := s.fill(); err != nil {
			return false, err
		}
		if len(s.batch) > 0 || s.span.open {
			break
		}
		s.move(max(s.through, s.span.end))
		s.asked = false
	}
	return len(s.batch) > 0, nil
}

// ask begins a span where the books are in it.
func (s *Shipper) ask(ctx context.Context, next span) error {
	if err := s.peek(); err != nil {
		return err
	}
	applied, err := s.to.Send(ctx, next.id, 0, nil)
	if err != nil {
		return fmt.Errorf("asking the books for their position: %w", err)
	}
	// Of an open span the end moves meanwhile.
	if now, _ := s.j.spanBehind(s.through); applied > next.end && applied > now.end {
		if next.open {
			return sluice.Errorf(sluice.CodeConflict, "the books have entries of %s up to %s, which it has not written", next.id, applied)
		}
		s.stale = stale{next.end, applied}
		s.copies.Add(1)
		if s.OnCopy != nil {
			s.OnCopy(next.id, next.end, applied)
		}
		applied = min(applied, next.end)
	}
	s.span, s.sent, s.asked = next, applied, true
	s.move(max(applied, next.begin))
	s.reader = s.j.Reader(s.through)
	if !next.open {
		s.reader.until = next.end
	}
	return nil
}

// peek looks how long the next entry has waited: the books may never answer.
func (s *Shipper) peek() error {
	s.close()
	r := s.j.Reader(s.through)
	defer r.Close()
	e, ok, err := r.Next()
	if err != nil {
		return fmt.Errorf("reading the journal after %s: %w", s.through, err)
	}
	if ok {
		s.wait(e)
	}
	return nil
}

// fill reads the next batch.
func (s *Shipper) fill() error {
	for !s.filled() {
		e, ok, err := s.reader.Next()
		if err != nil {
			return fmt.Errorf("reading the journal after %s: %w", s.sent, err)
		}
		if !ok {
			return nil
		}
		if lost, tell := s.stale.entry(e.Seq); tell && s.sent == 0 && len(s.batch) == 0 {
			s.batch = append(s.batch, lost)
		}
		s.batch = append(s.batch, e)
		s.bytes += s.reader.length()
	}
	return nil
}

// filled reports whether the batch has room for no more entries, however long they
// are.
func (s *Shipper) filled() bool {
	return len(s.batch) >= MaxBatch || s.bytes > MaxBatchBytes-frameHead-maxBody
}

// empty forgets the batch.
func (s *Shipper) empty() {
	clear(s.batch)
	s.batch, s.bytes = s.batch[:0], 0
}

// entry tells the books what is missing before the first entry of a new span.
func (s stale) entry(first Seq) (e Entry, tell bool) {
	e = Entry{Kind: Lost, Seq: s.end + 1, Through: min(s.applied, first-1)}
	return e, s.applied != 0 && e.Seq <= e.Through
}

// wait notes the oldest entry that the books do not have.
func (s *Shipper) wait(e Entry) {
	if !e.At.IsZero() {
		s.oldest.Store(e.At.UnixNano())
	}
}

// move notes up to where the books have everything.
func (s *Shipper) move(through Seq) {
	s.through = through
	s.shipped.Store(uint64(through))
	s.oldest.Store(0)
}

// restart asks the books again, from the first span that is there: they are not
// where they were.
func (s *Shipper) restart() {
	s.empty()
	s.asked, s.through = false, 0
}

// close releases the reader.
func (s *Shipper) close() {
	if s.reader != nil {
		s.reader.Close()
	}
}

// The pauses of Run after a failure: doubled from the first to the last.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
)

// gatherFor is how long entries gather behind a batch that was not full. The
// books pay for a commit, not for its entries; holds wait as much longer to be
// resolved.
const gatherFor = 20 * time.Millisecond

// Run ships until ctx ends: at once what becomes durable after a while of
// silence, and full batches one after the other. report is called with each
// failure, and with nil when it works again; nil reports nowhere.
func (s *Shipper) Run(ctx context.Context, report func(error)) {
	pause := time.Duration(0)
	for ctx.Err() == nil {
		more, err := s.Step(ctx)
		if report != nil && ctx.Err() == nil && (err != nil || pause > 0) {
			report(err)
		}
		var again <-chan time.Time
		durable := s.j.Durable()
		switch {
		case err != nil:
			pause = min(max(2*pause, firstPause), lastPause)
			again, durable = time.After(pause), nil
		case more && s.full:
			pause = 0
			continue
		case more:
			pause, again, durable = 0, time.After(gatherFor), nil
		default:
			pause = 0
		}
		select {
		case <-ctx.Done():
		case <-durable:
		case <-again:
		}
	}
	s.close()
}
