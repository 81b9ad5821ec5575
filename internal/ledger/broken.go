package ledger

import (
	"fmt"
	"runtime/debug"

	"github.com/sluicegate/sluice"
)

// Broken says why nothing may happen to the book any more: it found itself in a
// state that cannot be, and what it would decide or have stored from here on nobody
// could explain. It is [sluice.CodeUnavailable], as is what every method answers
// that can refuse; the others change nothing. Nothing is lost by it: the store has
// the state of the last commit, journals send again what followed, and a restart
// begins there. It is nil for a book that is whole.
func (b *Book) Broken() error {
	if err := b.broken.Load(); err != nil {
		return err
	}
	return nil
}

// leave gives the lock back. A panic under it ends the book rather than be
// swallowed by whoever called, above whom it would leave half a change in force.
func (b *Book) leave(err *error) {
	if cause := recover(); cause != nil {
		broken := sluice.Errorf(sluice.CodeUnavailable, "the ledger of this process is broken until it is restarted").
			Because(fmt.Errorf("%v, at %s", cause, debug.Stack()))
		b.broken.CompareAndSwap(nil, broken)
		if err != nil {
			*err = b.broken.Load()
		}
	}
	b.mu.Unlock()
}
