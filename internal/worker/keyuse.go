package worker

import "context"

// flushKeys notes the last use of keys at each interval and once at the end.
// What cannot be stored is given back and comes again.
func (w *Worker) flushKeys(ctx context.Context) {
	every(ctx, w.cfg.KeyFlush, func() { w.flushKeysOnce(ctx) })
	last, cancel := drainContext(ctx)
	defer cancel()
	w.flushKeysOnce(last)
}

func (w *Worker) flushKeysOnce(ctx context.Context) {
	used := w.cfg.KeysUsed.TakeKeysUsed()
	if len(used) == 0 {
		return
	}
	if err := w.cfg.Keys.TouchKeys(ctx, used); err != nil {
		w.cfg.KeysUsed.NoteKeysUsed(used)
		w.cfg.Log.Error("note last use of keys", "keys", len(used), "error", err)
	}
}
