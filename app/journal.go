package app

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/sluicegate/sluice/internal/journal"
)

// journalFolder is where a process with a gateway keeps its journal, in the data
// folder.
const journalFolder = "journal"

// shipDeadline bounds the shipping at a start and at the end of a process; what
// is not shipped by then lies in the journal and is shipped later.
const shipDeadline = 10 * time.Second

// costs is the journal of a process with a gateway, and its way to the books. Its
// loops are run and ended with those of the gateway's ports.
type costs struct {
	*host
	journal *journal.Journal
	shipper *journal.Shipper
	road    *road
}

// openCosts opens the journal and ends what a crash left open.
func openCosts(h *host, books journal.Transport) (*costs, error) {
	folder := filepath.Join(h.DataDir, journalFolder)
	disk, err := journal.NewFolder(folder)
	if err != nil {
		return nil, err
	}
	j, found, err := journal.OpenJournal(journal.Config{
		Disk: disk, SegmentBytes: int64(h.JournalSegment), QuotaBytes: int64(h.JournalQuota), Amend: h.amendCrash(),
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", folder, err)
	}
	for _, d := range found.Damage {
		h.log.Error("the journal is damaged; keep a copy of the file for `sluice ledger verify`", "folder", folder, "file", d.Segment, "from", d.From.String(), "through", d.Through.String(), "reason", d.Reason)
	}
	if found.Unfinished > 0 {
		h.log.Warn("requests that the last end of this process cut off are charged by what the journal proves", "requests", found.Unfinished)
	}
	if err := j.EndCrashed(found, time.Now()); err != nil {
		h.log.Error("the journal cannot be written yet; it is tried again", "folder", folder, "error", err)
	}
	way := &road{to: books}
	return &costs{host: h, journal: j, road: way, shipper: journal.NewShipper(j, way)}, nil
}

// ship brings what is durable to the books, within a deadline. The books may be
// away: then it stays in the journal.
func (c *costs) ship(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, shipDeadline)
	defer cancel()
	for {
		more, err := c.shipper.Step(ctx)
		if err != nil {
			c.log.Warn("the books do not take the journal now; it is kept and shipped later", "error", err)
			return
		}
		if !more {
			return
		}
	}
}

// loops are what has to run beside the gateway.
func (c *costs) loops() []func(context.Context) {
	return []func(context.Context){
		func(ctx context.Context) {
			c.journal.Run(ctx, c.told("the journal is written again", "the journal cannot be written: billable requests are refused"))
		},
		func(ctx context.Context) {
			c.shipper.Run(ctx, c.told("the books take the journal again", "the books do not take the journal; it is kept"))
		},
	}
}

// told returns a reporter that logs a failure once, and its end.
func (c *costs) told(again, failing string) func(error) {
	said := ""
	return func(err error) {
		switch {
		case err == nil && said != "":
			c.log.Info(again)
			said = ""
		case err != nil && err.Error() != said:
			c.log.Error(failing, "error", err)
			said = err.Error()
		}
	}
}

// close ships the rest and closes the journal; its loops have ended.
func (c *costs) close() error {
	if err := c.journal.Flush(); err != nil {
		c.log.Error("the end of the journal could not be written", "error", err)
	}
	c.ship(context.Background())
	return c.journal.Close()
}

// road is a transport that knows how long what it carries has waited.
type road struct {
	to journal.Transport
	// oldest is when the first entry that is on its way was written, in
	// nanoseconds; 0 while none is.
	oldest  atomic.Int64
	applied atomic.Uint64
}

// Send implements [journal.Transport].
func (r *road) Send(ctx context.Context, id string, after journal.Seq, entries []journal.Entry) (journal.Seq, error) {
	if len(entries) > 0 && !entries[0].At.IsZero() {
		r.oldest.Store(entries[0].At.UnixNano())
	}
	applied, err := r.to.Send(ctx, id, after, entries)
	if err == nil {
		r.oldest.Store(0)
		r.applied.Store(uint64(applied))
	}
	return applied, err
}

// waiting is how long the oldest entry on its way has waited.
func (r *road) waiting(now time.Time) time.Duration {
	if at := r.oldest.Load(); at != 0 {
		return max(0, now.Sub(time.Unix(0, at)))
	}
	return 0
}
