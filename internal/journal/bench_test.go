package journal_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/sluicegate/sluice/internal/journal"
)

// BenchmarkGroupCommit is what a durable entry costs with 64 requests at once:
// each operation is an append that waits for its fsync.
func BenchmarkGroupCommit(b *testing.B) {
	j, _ := open(b, journal.Config{Disk: folder(b), QuotaBytes: 64 << 30})
	ctx, cancel := context.WithCancel(b.Context())
	stopped := make(chan struct{})
	go func() { defer close(stopped); j.Run(ctx, nil) }()
	var n atomic.Int64
	b.SetParallelism(32) // times two processors: 64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			id := int(n.Add(1))
			for _, e := range []*journal.Entry{openEntry(id), posting(id, journal.Terminal, 1)} {
				seq, err := j.Append(e)
				if err == nil {
					err = j.Wait(ctx, seq, journal.Synced)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(2*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	cancel()
	<-stopped
}

// BenchmarkAppend is the time that a request spends under the journal's lock.
func BenchmarkAppend(b *testing.B) {
	j, _ := open(b, journal.Config{Disk: discard{folder(b)}, QuotaBytes: 1 << 50, BufferBytes: 1 << 30})
	o, t := openEntry(1), posting(1, journal.Terminal, 1)
	b.ReportAllocs()
	for i := range b.N {
		e := o
		if i%2 == 1 {
			e = t
		}
		if _, err := j.Append(e); err != nil {
			b.Fatal(err)
		}
		if i%64 == 63 {
			if err := j.Flush(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// discard is a folder whose files keep nothing.
type discard struct{ journal.Folder }

func (d discard) Create(name string) (journal.File, error) {
	f, err := d.Folder.Create(name)
	return discardFile{f}, err
}

type discardFile struct{ journal.File }

func (discardFile) Write(b []byte) (int, error) { return len(b), nil }
func (discardFile) Sync() error                 { return nil }
