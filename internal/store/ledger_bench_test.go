package store_test

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/ledger"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/internal/store"
)

// BenchmarkIngest books requests as a shipper delivers them, 1024 at a time: an
// OPEN with its hold and a final TERMINAL with its cost each, of 1000 tenants.
func BenchmarkIngest(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchmarkIngest(b, store.Config{Path: b.TempDir() + "/sluice.db"}) })
	b.Run("postgres", func(b *testing.B) {
		benchmarkIngest(b, store.Config{DSN: sluicetest.PrivatePostgres(b).Schema(b)})
	})
}

func benchmarkIngest(b *testing.B, at store.Config) {
	const batch = 1024
	db, err := store.Open(b.Context(), at)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	own, err := db.OwnLedger(b.Context(), "bench", time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	book := ledger.NewBook(ledger.Config{})
	poster := ledger.NewPoster(book, own, time.Now)
	if err := poster.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	seq := uint64(0)
	for done := 0; done < b.N; done += batch {
		after := seq
		facts := make([]ledger.Fact, 0, 2*batch)
		for i := range min(batch, b.N-done) {
			n := done + i
			h := &sluice.Hold{Wallet: sluice.TenantWallet(fmt.Sprint("tenant-", n%1000), "USD"), Floor: sluice.NoFloor, Amount: 700, Deadline: time.Now().Add(time.Hour)}
			binary.BigEndian.PutUint64(h.Request[:], uint64(n))
			h.Request[15] = 1
			if err := book.Hold(*h, time.Now()); err != nil {
				b.Fatal(err)
			}
			end := &sluice.Posting{Request: h.Request, Attempt: 1, Final: true, Outcome: sluice.OutcomeComplete, Wallet: h.Wallet, Charge: 500,
				Cost: sluice.CostLeg{Debit: "cogs:openly@USD", Credit: "payable:openly/main@USD", Amount: 300}}
			facts = append(facts, ledger.Fact{Seq: seq + 1, Hold: h}, ledger.Fact{Seq: seq + 2, Posting: end})
			seq += 2
		}
		if got, err := poster.Receive(b.Context(), "gateway", after, facts); err != nil || got != seq {
			b.Fatal(got, err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}
