package journal

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/sluicegate/sluice"
)

// writer is the half of a journal that touches the disk; only Flush uses it, so
// no lock is held while the disk works.
type writer struct {
	file   File
	number uint64 // of the newest segment there ever was
	// unsynced are frames that are not durable yet: the first done bytes are in
	// the file, and all of them go into a new one if the file fails.
	unsynced []byte
	done     int
	last     Seq   // of the last frame in unsynced
	chain    chain // its chain
	urgent   bool  // whether one of them is to be fsynced
	copying  bool  // recovery writes entries that an older segment has, too
	// synced and syncedChain are where a new segment continues.
	synced      Seq
	syncedChain chain
}

// lazyBytes is how much PROGRESS may gather before it is fsynced for itself.
const lazyBytes = 256 << 10

// Flush writes what was appended and makes it durable, as one group. On a
// failure of the disk it moves on to a new segment at once, because a file
// whose write or fsync failed cannot be trusted again; if that fails as well it
// returns the error, tells everyone who waits, refuses further OPENs, and keeps
// everything in memory for the next call.
func (j *Journal) Flush() error { return j.flush(true) }

// flush is Flush that may leave the fsync for later.
func (j *Journal) flush(sync bool) error {
	if !j.take() {
		return nil
	}
	err := j.write(sync)
	if err != nil {
		j.abandon()
		if err = j.write(sync); err != nil {
			j.abandon()
		}
	}
	j.settle(err)
	return err
}

// take moves what was appended to the writer; false means that there is nothing
// to do.
func (j *Journal) take() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	w := &j.out
	if len(j.active) > 0 {
		w.unsynced = append(w.unsynced, j.active...)
		w.last, w.chain = j.last, j.frames.last
		w.urgent = w.urgent || j.urgent
		j.active, j.urgent = j.active[:0], false
		j.held = len(w.unsynced)
		j.ending, j.ended = older(j.ending, j.ended), 0
	}
	return w.done < len(w.unsynced) || w.urgent
}

// write brings everything unsynced into the file and, where that is due and
// wanted, onto the disk.
func (j *Journal) write(sync bool) error {
	w := &j.out
	if err := j.ensureSegment(); err != nil {
		return err
	}
	if w.done < len(w.unsynced) {
		n, err := w.file.Write(w.unsynced[w.done:])
		j.grow(n)
		if err != nil {
			return err
		}
		w.done = len(w.unsynced)
		j.reached(w.last, 0)
		if !w.copying {
			j.dropVoid()
		}
	}
	if !(w.urgent && sync) && len(w.unsynced) < lazyBytes {
		return nil
	}
	if err := w.file.Sync(); err != nil {
		return err
	}
	w.synced, w.syncedChain = w.last, w.chain
	w.unsynced, w.done, w.urgent = w.unsynced[:0], 0, false
	j.reached(w.last, w.last)
	return nil
}

// ensureSegment opens a new segment when there is none, or when the current one
// has its size and nothing in it waits for an fsync.
func (j *Journal) ensureSegment() error {
	w := &j.out
	if w.file != nil && (w.done > 0 || j.current().bytes < j.cfg.SegmentBytes) {
		return nil
	}
	h := header{number: w.number + 1, id: j.id, previous: w.synced, last: w.syncedChain, first: w.synced + 1}
	if h.previous.Epoch() != w.last.Epoch() {
		h.first = firstOf(w.last.Epoch())
	}
	file, err := j.cfg.Disk.Create(segmentName(h.number))
	w.number = h.number // a name is not tried twice
	if err != nil {
		return err
	}
	// Header and name are durable before the first entry: a segment with entries
	// and without a header is damage, never the trace of a power loss.
	_, err = file.Write(h.encode())
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = j.cfg.Disk.Sync()
	}
	if err != nil {
		file.Close()
		return errors.Join(err, j.cfg.Disk.Remove(segmentName(h.number)))
	}
	if w.file != nil {
		w.file.Close()
	}
	w.file = file
	j.mu.Lock()
	j.segments = append(j.segments, segment{header: h, name: segmentName(h.number), bytes: headerSize, end: h.previous})
	j.mu.Unlock()
	return nil
}

// firstOf is the first number of an epoch.
func firstOf(epoch uint64) Seq { return Seq(epoch<<countBits | 1) }

// abandon gives up the current file: what it holds beyond the last fsync is
// void and goes into the next one.
func (j *Journal) abandon() {
	w := &j.out
	if w.file != nil {
		w.file.Close()
	}
	w.file, w.done = nil, 0
}

// dropVoid removes abandoned segments in which nothing was ever durable, once
// all they held is in the current one: a disk that fails for hours must not be
// filled by retries. What cannot be removed goes with the truncation.
func (j *Journal) dropVoid() {
	j.mu.Lock()
	last := len(j.segments) - 1
	kept, void := j.segments[:0:0], []string(nil)
	if last > 0 && j.segments[last-1].end == j.segments[last-1].previous {
		for i, s := range j.segments {
			if i < last && s.end == s.previous {
				void = append(void, s.name)
			} else {
				kept = append(kept, s)
			}
		}
		j.segments = kept
	}
	j.mu.Unlock()
	for _, name := range void {
		_ = j.cfg.Disk.Remove(name) // recovery tells void segments from others
	}
}

// grow counts what reached the current segment.
func (j *Journal) grow(n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.segments[len(j.segments)-1].bytes += int64(n)
}

func (j *Journal) current() segment {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.segments[len(j.segments)-1]
}

// reached moves the marks and wakes whoever waited for them.
func (j *Journal) reached(written, synced Seq) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.written = max(j.written, written)
	if synced > j.synced {
		j.synced = synced
		j.segments[len(j.segments)-1].end = synced
		j.held, j.ending = 0, 0
		signal(j.durable)
	}
	j.wake(nil)
}

// settle remembers how the flush went.
func (j *Journal) settle(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err == nil {
		j.failing = nil
		return
	}
	j.failing = sluice.Errorf(sluice.CodeUnavailable, "the journal cannot be written").Because(err).After(1)
	j.wake(j.failing)
}

// retryAfter is how long Run waits before it tries a failed disk again.
const retryAfter = 250 * time.Millisecond

// syncWithin is how long what nobody waits for is only written: what a loss of
// power may take. An fsync costs more than all else of an entry.
const syncWithin = 5 * time.Millisecond

// Run writes whatever is appended until ctx ends, then writes the rest once
// more and returns. It is on the disk as soon as possible when somebody waits
// for that, and within 5 ms when nobody does. report is called with each
// failure and with nil when the disk works again; nil reports nowhere. Run is
// what production uses; exactly one is running.
func (j *Journal) Run(ctx context.Context, report func(error)) {
	failed := false
	var due <-chan time.Time // when what is written has to be on the disk
	for sync := false; ; {
		// Whoever can append now does so first: on few cores nobody runs while the
		// disk works, and without this a group would be a single entry.
		runtime.Gosched()
		err := j.flush(sync || j.awaited())
		if report != nil && (err != nil || failed) {
			report(err)
		}
		failed = err != nil
		var again <-chan time.Time
		switch {
		case failed:
			again = time.After(retryAfter)
		case !j.out.urgent:
			due = nil
		case due == nil:
			due = time.After(syncWithin)
		}
		sync = failed // it works again once the disk has it
		select {
		case <-ctx.Done():
			if err := j.Flush(); err != nil && report != nil {
				report(err)
			}
			return
		case <-j.appended:
			if failed {
				<-again // appends must not hammer a disk that fails
			}
		case <-due:
			sync, due = true, nil
		case <-again:
		}
	}
}

// Close gives up the file handle. What was not flushed is lost with the
// process; call it after Run has returned.
func (j *Journal) Close() error {
	if j.out.file == nil {
		return nil
	}
	err := j.out.file.Close()
	j.out.file = nil
	return err
}
