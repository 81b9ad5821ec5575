package journal

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/sluicegate/sluice"
)

// Recovery is what opening a journal found.
type Recovery struct {
	Segments int
	Entries  int
	// TornBytes were written and never durable: the normal trace of a crash.
	TornBytes int64
	// Damage lists entries that were durable and cannot be read: an alarm.
	Damage []Damage
	// Unfinished is how many requests a crash left open.
	Unfinished int
	// crashed are their endings, for EndCrashed.
	crashed []Entry
}

// Damage is a run of entries that is gone, or, with numbers 0, a header.
type Damage struct {
	Segment string
	From    Seq
	Through Seq
	Reason  string
}

// OpenJournal opens the journal in cfg.Disk, or begins one. It reads everything
// that is there, makes durable what a killed process had only written, and
// reports damage rather than failing: what can be read is served. An error
// means that the disk cannot be used now, or ([sluice.CodeSchemaNewer]) that a
// newer version wrote the journal.
//
// Requests that a crash left open stay open until [Journal.EndCrashed].
func OpenJournal(cfg Config) (*Journal, Recovery, error) {
	cfg = cfg.withDefaults()
	j := &Journal{
		cfg: cfg, live: map[sluice.RequestID]live{},
		appended: make(chan struct{}, 1), durable: make(chan struct{}, 1),
		active: make([]byte, 0, 64<<10), out: writer{unsynced: make([]byte, 0, 64<<10)},
	}
	rec := Recovery{}
	r := recoverer{j: j, rec: &rec, open: map[sluice.RequestID]*unfinished{}}
	if err := r.run(); err != nil {
		return nil, rec, fmt.Errorf("opening the journal: %w", err)
	}
	// Whoever opens a journal writes under an identity of its own: see span.
	j.id = cfg.ID()
	j.out.synced, j.out.syncedChain = j.last, r.chain
	j.written, j.synced, j.ended = j.last, j.last, 0
	j.frames = newFramer(r.chain)
	j.last = firstOf(r.epoch+1) - 1
	rec.crashed = r.endings()
	rec.Unfinished = len(r.open)
	if j.synced > 0 {
		signal(j.durable)
	}
	return j, rec, nil
}

// recoverer reads the segments of a former process.
type recoverer struct {
	j     *Journal
	rec   *Recovery
	open  map[sluice.RequestID]*unfinished
	order []sluice.RequestID
	chain chain
	// chained is the entry that chain belongs to.
	chained Seq
	epoch   uint64
	// proven is the last entry of which a later one shows that it is durable,
	// tail has the frames behind it.
	proven      Seq
	provenChain chain
	tail        []byte
	spares      []frame
}

// unfinished is a request of which recovery has seen the OPEN.
type unfinished struct {
	hold     sluice.Hold
	record   []byte
	progress [MaxAttempts + 1]*sluice.Posting // the last of each attempt
}

// found is a segment as it lies on the disk.
type found struct {
	segment
	whole bool // whether its header is
}

func (r *recoverer) run() error {
	all, err := r.list()
	if err != nil {
		return err
	}
	identify(all, r.j.cfg.ID)
	for i := range all {
		if err := r.segment(&all[i], follower(all[i+1:]), i == len(all)-1); err != nil {
			return fmt.Errorf("%s: %w", all[i].name, err)
		}
	}
	r.rec.Segments = len(r.j.segments)
	if len(all) == 0 {
		return nil
	}
	r.relink()
	return r.rewrite()
}

// follower returns the next segment if its header can be believed.
func follower(rest []found) *found {
	if len(rest) > 0 && rest[0].whole {
		return &rest[0]
	}
	return nil
}

// list finds the segments, in order, with their headers.
func (r *recoverer) list() ([]found, error) {
	names, err := r.j.cfg.Disk.List()
	if err != nil {
		return nil, err
	}
	var all []found
	for _, name := range names {
		number, ok := segmentNumber(name)
		if !ok {
			continue
		}
		f := found{segment: segment{name: name}}
		if err := r.readHeader(&f); err != nil {
			return nil, err
		}
		f.number = number
		r.j.out.number = max(r.j.out.number, number)
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b found) int { return int(min(max(int64(a.number)-int64(b.number), -1), 1)) })
	return all, nil
}

func (r *recoverer) readHeader(f *found) error {
	file, err := r.j.cfg.Disk.Open(f.name)
	if err != nil {
		return err
	}
	defer file.Close()
	if f.bytes, err = file.Size(); err != nil {
		return err
	}
	var head [headerSize]byte
	if n, err := file.ReadAt(head[:], 0); err != nil && err != io.EOF {
		return err
	} else if n == headerSize {
		f.header, f.whole = decodeHeader(head[:])
	}
	return nil
}

// segment reads one segment. What follows says how far it is to be believed.
func (r *recoverer) segment(f *found, follower *found, last bool) error {
	file, err := r.j.cfg.Disk.Open(f.name)
	if err != nil {
		return err
	}
	defer file.Close()
	limit, err := r.bound(f, follower, file)
	if err != nil {
		return err
	}
	f.end = f.previous
	if f.whole && f.previous == r.chained && f.last != r.chain {
		r.damage(f, f.previous, f.previous, "the chain does not lead from one segment to the next")
	}
	reader := newSegmentReader(file, f.header, f.whole, f.bytes, limit)
	if err := r.entries(f, reader); err != nil {
		return err
	}
	if last {
		r.rec.TornBytes += f.bytes - min(reader.scan.off, f.bytes)
	}
	if follower != nil {
		if err := r.reach(f, file, limit); err != nil {
			return err
		}
	}
	return r.enlist(f)
}

// bound is the last entry that must be in a segment, by its follower or, without
// one, by what is in it.
func (r *recoverer) bound(f *found, follower *found, file File) (limit Seq, err error) {
	proven := Seq(0)
	if follower != nil {
		limit, proven = follower.previous, follower.previous
	} else if limit, proven, err = probe(file, f.header, f.whole, f.bytes); err != nil {
		return 0, err
	}
	if f.whole && r.j.last == 0 {
		r.j.last, r.chained, r.chain = f.previous, f.previous, f.last // older segments were truncated
	}
	r.prove(max(proven, r.proven))
	return limit, nil
}

// entries takes over what is in a segment.
func (r *recoverer) entries(f *found, reader *segmentReader) error {
	for {
		e, err := reader.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if e.Kind == Lost {
			r.damage(f, e.Seq, e.Through, reader.reason)
			r.j.last, f.end = max(r.j.last, e.Through), max(f.end, e.Through)
			continue
		}
		f.end = e.Seq
		if e.Seq <= r.j.last {
			continue // a copy in a segment that was given up
		}
		if !f.whole && e.Seq > r.j.last+1 && e.Seq.Epoch() == r.j.last.Epoch() {
			r.damage(f, r.j.last+1, e.Seq-1, "missing")
		}
		r.entry(e)
		r.rec.Entries++
		r.chain, r.chained = reader.frames.last, e.Seq
		if e.Seq <= r.proven {
			r.provenChain = r.chain
		} else {
			r.tail = append(r.tail, reader.raw...)
		}
	}
}

// reach goes on to where the next segment continues, whatever is missing before.
func (r *recoverer) reach(f *found, file File, limit Seq) error {
	if f.whole {
		if err := r.spare(f, file, limit); err != nil {
			return err
		}
	}
	if r.j.last < limit {
		r.damage(f, r.j.last+1, limit, "nothing of it can be read")
		r.j.last, f.end = limit, limit
	}
	return nil
}

// enlist keeps a segment, but for one whose creation was cut off: entries come
// after the header is durable.
func (r *recoverer) enlist(f *found) error {
	switch {
	case f.whole:
		r.epoch = max(r.epoch, f.first.Epoch())
	case f.bytes <= headerSize:
		return r.j.cfg.Disk.Remove(f.name)
	default:
		r.damage(f, 0, 0, "the header is damaged")
	}
	r.j.id = f.id
	r.j.segments = append(r.j.segments, f.segment)
	return nil
}

// prove moves the mark up to which entries are durable; tail is what is beyond.
func (r *recoverer) prove(proven Seq) {
	if r.proven = proven; r.j.last <= proven {
		r.tail, r.provenChain = r.tail[:0], r.chain
	}
}

func (r *recoverer) damage(f *found, from, through Seq, reason string) {
	r.rec.Damage = append(r.rec.Damage, Damage{Segment: f.name, From: from, Through: through, Reason: reason})
}

// entry follows the life of requests.
func (r *recoverer) entry(e Entry) {
	j := r.j
	j.last = e.Seq
	r.epoch = max(r.epoch, e.Seq.Epoch())
	l := j.live[e.Request]
	bit := uint64(1) << min(e.Attempt, MaxAttempts)
	switch e.Kind {
	case Open:
		if l.first == 0 {
			l.first = e.Seq
			r.open[e.Request] = &unfinished{record: e.Record}
			r.order = append(r.order, e.Request)
		}
		if u := r.open[e.Request]; u != nil && e.Hold != nil {
			u.hold = *e.Hold
		}
		l.open |= bit
		l.opened |= bit
		j.live[e.Request] = l
	case Progress:
		if u := r.open[e.Request]; u != nil {
			u.progress[min(e.Attempt, MaxAttempts)] = e.Posting
		}
	case Terminal:
		if l.first == 0 {
			return // its OPEN is gone with an older segment
		}
		l.open &^= bit
		l.final = l.final || e.Posting.Final
		j.track(e.Request, l)
		if l.final && l.open == 0 {
			delete(r.open, e.Request)
		}
	}
}

// rewrite makes durable what the last process wrote and nothing proves to be
// durable: it was read and will be believed. A second fsync of its file would
// not do, because pages that an earlier one failed on count as clean, so the
// frames go into a segment of their own. Names come first.
func (r *recoverer) rewrite() error {
	if err := r.j.cfg.Disk.Sync(); err != nil {
		return err
	}
	if len(r.tail) == 0 {
		return nil
	}
	j, w := r.j, &r.j.out
	w.unsynced, w.urgent, w.copying = append(w.unsynced, r.tail...), true, true
	w.last, w.chain, w.synced, w.syncedChain = r.chained, r.chain, r.proven, r.provenChain
	j.segments[len(j.segments)-1].end = r.proven
	err := j.write(true)
	if err != nil && w.file != nil {
		err = errors.Join(err, j.cfg.Disk.Remove(segmentName(w.number)))
	}
	j.abandon()
	w.copying = false
	return err
}

// spare keeps whole frames that a segment has beyond the entry where the next
// one continues: normally copies of what is in there, or debris.
func (r *recoverer) spare(f *found, file File, limit Seq) error {
	scan := scanner{file: file, end: f.bytes, off: headerSize}
	for {
		frame, err := scan.next()
		if errors.Is(err, errNoFrame) {
			return nil
		}
		if err != nil {
			return err
		}
		if frame.seq > limit {
			frame.raw = slices.Clone(frame.raw)
			frame.body = frame.raw[frameHead:]
			r.spares = append(r.spares, frame)
		}
	}
}

// relink goes on with spare frames where the last segment ends, if the chain
// leads there: the process died while it copied them, and nothing else has them.
func (r *recoverer) relink() {
	framer := newFramer(r.chain)
	for _, f := range r.spares {
		if f.seq <= r.j.last || r.chained != r.j.last || framer.next(r.chain, f.body) != f.chain {
			continue
		}
		e, err := decodeBody(f.body)
		if err != nil {
			return
		}
		r.entry(e)
		r.chain, r.chained = f.chain, e.Seq
		r.tail = append(r.tail, f.raw...)
		r.rec.Entries++
	}
}

// endings are what requests that a crash left open end with, in the order in
// which they began.
func (r *recoverer) endings() (all []Entry) {
	for _, id := range r.order {
		u := r.open[id]
		if u == nil {
			continue
		}
		l := r.j.live[id]
		final := l.final
		for a := uint16(MaxAttempts); a >= 1; a-- {
			if l.open&(1<<a) == 0 {
				continue
			}
			// The latest attempt ends the request; losers book their cost only.
			all = append(all, r.ending(id, u, a, !final))
			final = true
		}
		if !final {
			all = append(all, r.ending(id, u, 0, true))
		}
	}
	return all
}

// ending is how the crash ends one attempt: with what its last PROGRESS says.
func (r *recoverer) ending(id sluice.RequestID, u *unfinished, attempt uint16, final bool) Entry {
	p := sluice.Posting{Price: u.hold.Price, Wallet: u.hold.Wallet, DebtForbidden: u.hold.DebtForbidden}
	if last := u.progress[attempt]; last != nil {
		p = *last
	}
	p.Request, p.Attempt, p.Final, p.Outcome = id, attempt, final, sluice.OutcomeCrash
	if !final {
		p.Charge = 0
	}
	if r.j.cfg.Amend != nil {
		r.j.cfg.Amend(&p)
	}
	return Entry{Kind: Terminal, Request: id, Attempt: attempt, Posting: &p, Record: u.record}
}

// EndCrashed appends a crash ending for everything that the last process left
// open and flushes once. It is called after [OpenJournal] and before anything
// else is appended, with the time of the restart. An error of the disk is
// returned and nothing is lost by it: the endings are written by the next
// Flush.
func (j *Journal) EndCrashed(rec Recovery, now time.Time) error {
	for i := range rec.crashed {
		e := rec.crashed[i]
		e.At = now
		if _, err := j.Append(&e); err != nil {
			return fmt.Errorf("ending request %s, which a crash left open: %w", e.Request, err)
		}
	}
	return j.Flush()
}
