package link_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// BenchmarkReadAll starts a reader that holds 100,000 keys.
func BenchmarkReadAll(b *testing.B) {
	const count = 100_000
	server := sluicetest.Redis(b)
	s := newWorld(3).s
	s.Revision, s.Keys = 1, nil
	at := time.Unix(1_700_000_000, 0).UTC()
	for i := range count {
		s.Keys = append(s.Keys, &sluice.Key{
			Meta: sluice.Meta{ID: uint64(i + 1), Name: fmt.Sprintf("k%07d", i), Tenant: "acme", Version: 1, CreatedAt: at, UpdatedAt: at},
			User: "someone", TokenHash: sluice.HashToken(fmt.Sprint("token", i)), Prefix: "slc_live_0123456789", Group: "default",
			Status: sluice.StatusActive, Weight: 1, RPM: new(int64(1_000)), TPM: new(int64(1_000_000)),
		})
	}
	must(b, publisher(b, server).Sync(b.Context(), &s, link.SyncOptions{}))
	s.Keys = nil
	b.ReportAllocs()
	for b.Loop() {
		before := heapInUse()
		r, stop := reader(b, readerConfig(b, server))
		got, err := next(b, r)
		if err != nil {
			b.Fatalf("%v: %s", err, r.State().Reason)
		}
		b.ReportMetric(float64(heapInUse()-before)/float64(len(got.Keys)), "heap-bytes/key")
		stop()
	}
}

// next waits for the first snapshot, but not for ever.
func next(b *testing.B, r *link.RedisSnapshots) (*sluice.Snapshot, error) {
	ctx, cancel := context.WithTimeout(b.Context(), 30*time.Second)
	defer cancel()
	return r.Next(ctx, 0)
}

// heapInUse is what lives on the heap.
func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
