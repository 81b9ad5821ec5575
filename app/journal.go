package app

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/sluicegate/sluice/internal/journal"
	"github.com/sluicegate/sluice/internal/ledger"
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
	c := &costs{host: h, journal: j, shipper: journal.NewShipper(j, books)}
	c.shipper.OnCopy = func(id string, end, applied journal.Seq) {
		h.log.Error("the journal is an old copy, or has lost its end: the books have more of it; what is spent from now on is booked, what only the lost part had is not",
			"folder", folder, "id", id, "ends", end.String(), "books", applied.String())
	}
	return c, nil
}

// ends are where the journal ends now, whether durable or not, for each process
// that wrote to it.
func (c *costs) ends() (list []ledger.End) {
	for id, last := range c.journal.Tails() {
		list = append(list, ledger.End{Journal: id, Seq: uint64(last)})
	}
	return list
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
