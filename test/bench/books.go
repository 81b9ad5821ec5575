package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

const (
	booksShipment = 500
	booksRounds   = 40
)

// booksMain stores records of chats the way `serve` does under load, and
// nothing else, so that their cost can be told from the requests'.
func booksMain(args []string) error {
	set := flag.NewFlagSet("books", flag.ExitOnError)
	dir := set.String("dir", "", "folder for the database")
	if err := set.Parse(args); err != nil {
		return err
	}
	ctx := context.Background()
	db, err := store.Open(ctx, store.Config{Path: filepath.Join(*dir, "books.db")})
	if err != nil {
		return err
	}
	defer db.Close()
	batch := make([]sluice.Record, booksShipment)
	var before, after syscall.Rusage
	var began time.Time
	for round := range booksRounds {
		if round == booksRounds/4 { // warm
			syscall.Getrusage(syscall.RUSAGE_SELF, &before)
			began = time.Now()
		}
		for i := range batch {
			batch[i] = chatRecord(round*booksShipment + i)
		}
		if err := db.InsertRecords(ctx, batch); err != nil {
			return err
		}
	}
	syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	return json.NewEncoder(os.Stdout).Encode(sideResult{
		CPU: used(&before, &after), Units: booksShipment * (booksRounds - booksRounds/4), Seconds: time.Since(began).Seconds(),
	})
}

// chatRecord is what the workload chat leaves in the books.
func chatRecord(n int) sluice.Record {
	return sluice.Record{
		ID: fmt.Sprintf("%08x-%04x-7000-8000-%012x", n>>4, n&15, n), Time: time.Now(), Gateway: "bench", Tenant: "demo", User: "demo", Key: "demo", KeyID: 7,
		Group: "default", Route: "openai", Surface: "openai", Operation: "chat", Model: "bench", Provider: "bench", ProviderModel: "bench",
		Method: "POST", Host: "bench.test", Path: "/v1/chat/completions", ClientIP: "127.0.0.1", Status: 200, Outcome: sluice.OutcomeComplete,
		Usage: sluice.Usage{Input: 80, Output: 90}, UsageSource: sluice.UsageProvider, LatencyMS: 2, TTFTMS: 2, BytesIn: 600, BytesOut: 760,
		Attempts: []sluice.Attempt{{Target: "bench", Status: 200, LatencyMS: 2}},
	}
}
