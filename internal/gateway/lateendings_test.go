package gateway

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/journal"
)

// fullDisk takes no byte while it is full.
type fullDisk struct {
	journal.Disk
	full bool
}

// Create implements journal.Disk.
func (d *fullDisk) Create(name string) (journal.File, error) {
	f, err := d.Disk.Create(name)
	return &fullFile{f, d}, err
}

type fullFile struct {
	journal.File
	disk *fullDisk
}

// Write implements io.Writer.
func (f *fullFile) Write(b []byte) (int, error) {
	if f.disk.full {
		return 0, errors.New("no space left on device")
	}
	return f.File.Write(b)
}

var _ io.Writer = (*fullFile)(nil)

// TestLateEndingsComeInOrder: an ending that found no room must not keep its hold
// and the journal's segments for ever, nor be refused because the one before it
// is missing.
func TestLateEndingsComeInOrder(t *testing.T) {
	folder, err := journal.NewFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	disk := &fullDisk{Disk: folder}
	j, _, err := journal.OpenJournal(journal.Config{Disk: disk, BufferBytes: 4096})
	if err != nil {
		t.Fatal(err)
	}
	open := func(n byte, attempt uint16, hold *sluice.Hold) error {
		_, err := j.Append(&journal.Entry{Kind: journal.Open, Request: sluice.RequestID{n}, Attempt: attempt, At: time.Now(), Hold: hold})
		return err
	}
	id := sluice.RequestID{1}
	hold := &sluice.Hold{Request: id, Wallet: "cust.wallet:a@USD", Amount: 5, Deadline: time.Now().Add(time.Hour)}
	if err := errors.Join(open(1, 1, hold), j.Flush()); err != nil {
		t.Fatal(err)
	}
	disk.full = true
	filler := &sluice.Posting{Request: id, Attempt: 1, Final: true, Wallet: "cust.wallet:a@USD"}
	for err = nil; err == nil; { // until endings have no room either
		_, err = j.Append(&journal.Entry{Kind: journal.Progress, Request: id, Attempt: 1, At: time.Now(), Posting: filler, Record: make([]byte, 500)})
	}
	for range 3 {
		_ = j.Flush()
	}
	var late lateEndings
	late.add(&journal.Entry{Kind: journal.Terminal, Request: id, Attempt: 1, At: time.Now(), Posting: &sluice.Posting{Request: id, Attempt: 1, Outcome: sluice.OutcomeError}})
	late.add(&journal.Entry{Kind: journal.Terminal, Request: id, At: time.Now(), Posting: &sluice.Posting{Request: id, Final: true, Outcome: sluice.OutcomeError, Wallet: "cust.wallet:a@USD"}})
	disk.full = false
	if err := j.Flush(); err != nil {
		t.Fatal(err)
	}
	late.offer(j)
	if err := j.Flush(); err != nil {
		t.Fatal(err)
	}
	if s := j.Stats(); s.Requests != 0 || s.Attempts != 0 || len(late.list) != 0 {
		t.Errorf("%d requests and %d attempts are open, %d endings wait", s.Requests, s.Attempts, len(late.list))
	}
}
