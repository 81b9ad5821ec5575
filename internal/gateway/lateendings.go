package gateway

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/journal"
)

// Bounds of endings that the journal had no room for.
const (
	maxLateEndings   = 10_000
	lateEndingsEvery = time.Second
)

// lateEndings are endings that the journal did not take when they came. They are
// offered again until it does: an attempt that never ends would keep its hold,
// and the journal's segments, until the next start. What exceeds the bound is
// ended then, from its last PROGRESS.
type lateEndings struct {
	mu   sync.Mutex
	list []journal.Entry
}

// add keeps a copy of an ending.
func (l *lateEndings) add(e *journal.Entry) {
	kept, posting := *e, *e.Posting
	kept.Posting, kept.Record = &posting, bytes.Clone(e.Record)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) < maxLateEndings {
		l.list = append(l.list, kept)
	}
}

// offer appends what the journal takes now, in order.
func (l *lateEndings) offer(j *journal.Journal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.list) > 0 {
		if _, err := j.Append(&l.list[0]); sluice.CodeOf(err) == sluice.CodeUnavailable {
			return
		}
		l.list = slices.Delete(l.list, 0, 1)
	}
}

// endLate offers late endings to the journal until ctx is done, and once more then.
func (g *Gateway) endLate(ctx context.Context) {
	if g.cfg.Journal == nil {
		return
	}
	tick := time.NewTicker(lateEndingsEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		g.lateEndings.offer(g.cfg.Journal)
	}
}
