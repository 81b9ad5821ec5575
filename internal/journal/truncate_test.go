package journal_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/sluicegate/sluice/internal/journal"
)

// slowRemoval fails the first write of entries, and removes the first file only
// once it is told to.
type slowRemoval struct {
	journal.Folder
	failed  bool
	written func() // after the first write that does not fail
	remove  chan struct{}
}

func (d *slowRemoval) Create(name string) (journal.File, error) {
	f, err := d.Folder.Create(name)
	return slowRemovalFile{f, d}, err
}

func (d *slowRemoval) Remove(name string) error {
	if ready := d.remove; ready != nil {
		d.remove = nil
		<-ready
	}
	return d.Folder.Remove(name)
}

type slowRemovalFile struct {
	journal.File
	d *slowRemoval
}

func (f slowRemovalFile) Write(b []byte) (int, error) {
	if len(b) <= 72 { // a header
		return f.File.Write(b)
	}
	if !f.d.failed {
		f.d.failed = true
		return 0, errors.New("no space left on device")
	}
	if then := f.d.written; then != nil {
		f.d.written = nil
		then()
	}
	return f.File.Write(b)
}

// TestTruncationBesideADroppedSegment truncates the segment that a failing disk
// made void, while the flush that moved on drops it, too. If it failed, the
// segment that took its place would be forgotten: nothing in it reaches the books
// before the next start, and who looks for it panics.
func TestTruncationBesideADroppedSegment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		disk := &slowRemoval{Folder: folder(t), remove: release}
		j, _ := open(t, journal.Config{Disk: disk})
		truncated := make(chan error, 1)
		disk.written = func() {
			go func() { truncated <- j.Truncate(0) }()
			synctest.Wait() // it is removing the void segment now
		}
		if _, err := j.Append(openEntry(0)); err != nil {
			t.Fatal(err)
		}
		if err := j.Flush(); err != nil {
			t.Fatal(err)
		}
		close(release)
		if err := <-truncated; err != nil {
			t.Error(err)
		}
		if all := readAll(t, j); len(all) != 1 || j.Stats().Segments != 1 {
			t.Errorf("%d entries in %d segments, want one in one", len(all), j.Stats().Segments)
		}
	})
}
