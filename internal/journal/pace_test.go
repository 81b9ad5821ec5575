package journal_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicegate/sluice/internal/journal"
)

// Losing this means an fsync for every group of entries that only had to survive
// the process, a quarter of what requests cost, or none at all for them.
func TestWrittenEntriesShareAnFsync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &countingDisk{Folder: folder(t)}
		j, _ := open(t, journal.Config{Disk: disk})
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		go j.Run(ctx, nil)
		var last journal.Seq
		for n := range 10 {
			var err error
			if last, err = j.Append(openEntry(n)); err == nil {
				err = j.Wait(ctx, last, journal.Written)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if n := disk.syncs(); n != 1 || j.Reached(last, journal.Synced) {
			t.Errorf("%d fsyncs at once, want that of the header", n)
		}
		time.Sleep(6 * time.Millisecond)
		synctest.Wait()
		if n := disk.syncs(); n != 2 || !j.Reached(last, journal.Synced) {
			t.Errorf("%d fsyncs after 6 ms, want one for the entries", n)
		}
		began := time.Now()
		seq, err := j.Append(posting(0, journal.Terminal, 1))
		if err == nil {
			err = j.Wait(ctx, seq, journal.Written)
		}
		if err == nil {
			err = j.Wait(ctx, seq, journal.Synced)
		}
		if err != nil || time.Since(began) > 0 {
			t.Errorf("who asks for the disk waited %v: %v", time.Since(began), err)
		}
	})
}

// shipments remembers how many entries came at once.
type shipments struct {
	sizes []int
	most  int // bytes of the longest shipment
}

func (s *shipments) Send(_ context.Context, _ string, after journal.Seq, entries []journal.Entry) (journal.Seq, error) {
	if len(entries) == 0 {
		return 0, nil
	}
	s.sizes = append(s.sizes, len(entries))
	s.most = max(s.most, len(journal.AppendBatch(nil, entries)))
	return entries[len(entries)-1].Seq, nil
}

// Losing this means a commit of the books for every fsync of the journal: their
// cost is that of a commit, whatever is in it.
func TestShipmentsGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, _ := open(t, journal.Config{Disk: folder(t)})
		to := &shipments{}
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		go journal.NewShipper(j, to).Run(ctx, nil)
		for n := range 6 { // the first at once, the others together
			appendAll(t, j, openEntry(n))
			synctest.Wait()
		}
		time.Sleep(21 * time.Millisecond)
		synctest.Wait()
		for n := range 2400 { // full batches do not wait
			appendAll(t, j, openEntry(100+n))
		}
		time.Sleep(21 * time.Millisecond)
		synctest.Wait()
		if want := []int{1, 5, 1024, 1024, 352}; !slices.Equal(to.sizes, want) {
			t.Errorf("shipments of %v, want %v", to.sizes, want)
		}
	})
}

// Losing this means that a gateway whose requests have long records posts more than
// control takes, for ever.
func TestShipmentsAreBounded(t *testing.T) {
	j, _ := open(t, journal.Config{Disk: folder(t)})
	const entries = 600
	for n := range entries {
		e := openEntry(n)
		e.Record = make([]byte, journal.MaxRecordBytes)
		appendAll(t, j, e)
	}
	to := &shipments{}
	shipper := journal.NewShipper(j, to)
	for more := true; more; {
		var err error
		if more, err = shipper.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	sum := 0
	for _, n := range to.sizes {
		sum += n
	}
	if sum != entries || len(to.sizes) != 3 || to.most > journal.MaxBatchBytes {
		t.Errorf("%d entries in shipments of %v, of at most %d bytes", sum, to.sizes, to.most)
	}
}
