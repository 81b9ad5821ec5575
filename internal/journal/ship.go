package journal

import (
	"context"
	"fmt"
	"time"
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
// journal behind them. It belongs to one goroutine.
type Shipper struct {
	j       *Journal
	to      Transport
	reader  *Reader
	asked   bool // whether the books have said where they are
	applied Seq  // what they answered last
	sent    Seq  // the last entry handed over
	full    bool // whether the last batch was
	batch   []Entry
}

// MaxBatch is how many entries are sent at once.
const MaxBatch = 256

// NewShipper returns a shipper that begins where the books say they are.
func NewShipper(j *Journal, to Transport) *Shipper {
	return &Shipper{j: j, to: to, batch: make([]Entry, 0, MaxBatch)}
}

// Applied is the last position that the books answered.
func (s *Shipper) Applied() Seq { return s.applied }

// Step sends one batch and reports whether there may be more. After an error
// the same entries are sent again by the next call.
func (s *Shipper) Step(ctx context.Context) (more bool, err error) {
	if !s.asked {
		applied, err := s.to.Send(ctx, s.j.ID(), 0, nil)
		if err != nil {
			return false, fmt.Errorf("asking the books for their position: %w", err)
		}
		s.rewind(applied)
		s.asked = true
	}
	if len(s.batch) == 0 {
		if err := s.fill(); err != nil {
			return false, err
		}
	}
	if len(s.batch) == 0 {
		return false, nil
	}
	s.full = len(s.batch) == MaxBatch
	applied, err := s.to.Send(ctx, s.j.ID(), s.sent, s.batch)
	if err != nil {
		return false, fmt.Errorf("sending entries after %s: %w", s.sent, err)
	}
	if end := s.batch[len(s.batch)-1]; applied == max(end.Seq, end.Through) {
		s.sent, s.applied, s.batch = applied, applied, s.batch[:0]
	} else {
		s.rewind(applied)
	}
	if err := s.j.Truncate(s.applied); err != nil {
		return false, fmt.Errorf("truncating the journal up to %s: %w", s.applied, err)
	}
	return true, nil
}

// fill reads the next batch.
func (s *Shipper) fill() error {
	for len(s.batch) < MaxBatch {
		e, ok, err := s.reader.Next()
		if err != nil {
			return fmt.Errorf("reading the journal after %s: %w", s.sent, err)
		}
		if !ok {
			return nil
		}
		s.batch = append(s.batch, e)
	}
	return nil
}

// rewind goes on from where the books are.
func (s *Shipper) rewind(applied Seq) {
	if s.reader != nil {
		s.reader.Close()
	}
	clear(s.batch)
	s.batch = s.batch[:0]
	s.applied, s.sent = applied, applied
	s.reader = s.j.Reader(applied)
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
	if s.reader != nil {
		s.reader.Close()
	}
}
