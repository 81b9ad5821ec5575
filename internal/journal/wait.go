package journal

import "context"

// Level is how safe an entry is.
type Level uint8

// The levels.
const (
	// Written survives the death of the process: kill -9, panic, out of memory.
	Written Level = iota
	// Synced survives the loss of power.
	Synced
)

// waiter waits for a mark; it is reused, so that waiting does not allocate.
type waiter struct {
	seq   Seq
	level Level
	done  chan error // holds one
}

// Wait blocks until the entry has reached the level. ctx ends the wait with its
// error; [sluice.CodeUnavailable] means that the disk fails right now. Either
// way the entry is not lost: it stays in memory, is written as soon as the disk
// works, and Wait may be asked again.
func (j *Journal) Wait(ctx context.Context, seq Seq, level Level) error {
	j.mu.Lock()
	if j.mark(level) >= seq {
		j.mu.Unlock()
		return nil
	}
	if j.failing != nil {
		defer j.mu.Unlock()
		return j.failing
	}
	w := j.waiter()
	w.seq, w.level = seq, level
	j.waiters = append(j.waiters, w)
	if level == Synced {
		signal(j.appended) // Run has perhaps written it and left it there
	}
	j.mu.Unlock()

	var err error
	select {
	case err = <-w.done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.forget(w)
	return err
}

// awaited reports whether somebody waits for the disk.
func (j *Journal) awaited() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, w := range j.waiters {
		if w.level == Synced {
			return true
		}
	}
	return false
}

// Reached reports whether the entry has reached the level, without waiting.
func (j *Journal) Reached(seq Seq, level Level) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mark(level) >= seq
}

// Durable has a token whenever entries have become durable since the last one
// was taken: what a shipper waits for.
func (j *Journal) Durable() <-chan struct{} { return j.durable }

func (j *Journal) mark(level Level) Seq {
	if level == Synced {
		return j.synced
	}
	return j.written
}

// waiter returns one that nobody uses.
func (j *Journal) waiter() *waiter {
	if n := len(j.idle); n > 0 {
		w := j.idle[n-1]
		j.idle = j.idle[:n-1]
		return w
	}
	return &waiter{done: make(chan error, 1)}
}

// wake tells those whose mark is reached and, with an error, everyone else.
func (j *Journal) wake(failure error) {
	kept := j.waiters[:0]
	for _, w := range j.waiters {
		switch {
		case j.mark(w.level) >= w.seq:
			w.done <- nil
		case failure != nil:
			w.done <- failure
		default:
			kept = append(kept, w)
		}
	}
	clear(j.waiters[len(kept):])
	j.waiters = kept
}

// forget takes a waiter back, with whatever it was told meanwhile.
func (j *Journal) forget(w *waiter) {
	for i, other := range j.waiters {
		if other == w {
			j.waiters = append(j.waiters[:i], j.waiters[i+1:]...)
			break
		}
	}
	select {
	case <-w.done:
	default:
	}
	j.idle = append(j.idle, w)
}
