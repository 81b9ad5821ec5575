package main

import (
	"context"
	"encoding/json"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/journal"
	"github.com/sluicegate/sluice/internal/ledger"
	"github.com/sluicegate/sluice/internal/store"
	"github.com/sluicegate/sluice/internal/worker"
)

const (
	// A run warms up for so many batches, and measures what it does in a while.
	ledgerWarm    = 20
	ledgerBatches = 160
	ledgerLength  = 2 * time.Second
	ledgerLease   = time.Minute
	// holdRounds is how many balance decisions are timed.
	holdRounds = 200_000
)

// ledgerMain applies the journal of chats to the books the way `serve` and
// `control` do under load: full batches, each of them with its records durable
// before the next. It does nothing else, so that the cost of the ledger can be
// told from the requests'.
func ledgerMain(args []string) error {
	set := flag.NewFlagSet("ledger", flag.ExitOnError)
	dir := set.String("dir", "", "folder for the database")
	dsn := set.String("postgres", "", "PostgreSQL database in place of one in the folder")
	admit := set.Bool("admit", false, "hold in memory first, as who admits requests does; otherwise they come from other processes")
	if err := set.Parse(args); err != nil {
		return err
	}
	ctx := context.Background()
	cfg := store.Config{Path: filepath.Join(*dir, "ledger.db")}
	if *dsn != "" {
		cfg = store.Config{DSN: *dsn}
	}
	db, err := store.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	books := worker.NewBooks(worker.BooksConfig{
		Own: func(ctx context.Context) (*worker.Owned, error) { return own(ctx, db) }, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err := books.Take(ctx); err != nil {
		return err
	}
	defer books.Close(ctx)
	result, err := applyChats(ctx, books, *admit)
	if err != nil {
		return err
	}
	if result.HoldNanos, err = timeHolds(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

func own(ctx context.Context, db *store.DB) (*worker.Owned, error) {
	kept, err := db.OwnLedger(ctx, "bench", ledgerLease)
	if err != nil {
		return nil, err
	}
	book := ledger.NewBook(ledger.Config{})
	poster := ledger.NewPoster(book, kept, time.Now)
	return &worker.Owned{Book: book, Poster: poster, Close: kept.Yield}, poster.Start(ctx)
}

// applyChats sends batches of chats to the books and measures all but the first
// ones. Admitting them and rendering their entries, which gateways do, counts
// too: less than a tenth.
func applyChats(ctx context.Context, books *worker.Books, admit bool) (r sideResult, err error) {
	var before, after syscall.Rusage
	var began time.Time
	position := journal.Seq(0)
	for round := 0; round < ledgerBatches && (round <= ledgerWarm || time.Since(began) < ledgerLength); round++ {
		entries, err := chatEntries(round*journal.MaxBatch, position)
		if err != nil {
			return r, err
		}
		if round == ledgerWarm {
			syscall.Getrusage(syscall.RUSAGE_SELF, &before)
			began = time.Now()
		}
		for i := 0; admit && i < len(entries); i += 2 {
			if err := books.Book().Hold(*entries[i].Hold, time.Now()); err != nil {
				return r, err
			}
		}
		if position, err = books.Send(ctx, "bench", position, entries); err != nil {
			return r, err
		}
		if round >= ledgerWarm {
			r.Units += int64(len(entries) / 2)
		}
	}
	r.Seconds = time.Since(began).Seconds()
	syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	r.CPU = used(&before, &after)
	return r, nil
}

// chatEntries are a full batch of the journal: OPEN and TERMINAL of chats, with
// the records in them.
func chatEntries(first int, after journal.Seq) ([]journal.Entry, error) {
	entries := make([]journal.Entry, 0, journal.MaxBatch)
	for n := first; len(entries) < journal.MaxBatch; n += 2 {
		record := chatRecord(n)
		hold, err := chatHold(record.ID)
		if err != nil {
			return nil, err
		}
		posting := sluice.Posting{
			Request: hold.Request, Attempt: 1, Final: true, Outcome: sluice.OutcomeComplete, Source: sluice.UsageProvider,
			Quantities: record.Usage.Quantities(), Price: hold.Price, Wallet: hold.Wallet, Charge: hold.Amount / 10,
		}
		record.Price, record.Cost = hold.Price, sluice.Money{Amount: posting.Charge, Asset: asset}
		entries = append(entries,
			journal.Entry{Seq: after + 1, Kind: journal.Open, Request: hold.Request, Attempt: 1, At: record.Time, Hold: &hold},
			journal.Entry{Seq: after + 2, Kind: journal.Terminal, Request: hold.Request, Attempt: 1, At: record.Time, Posting: &posting, Record: sluice.AppendRecord(nil, &record)})
		after += 2
	}
	return entries, nil
}

// chatHold is what a chat holds.
func chatHold(request string) (h sluice.Hold, err error) {
	h = sluice.Hold{
		Wallet: sluice.TenantWallet(limitedTenant, asset), Floor: -credit, Amount: 12_000_000, Deadline: time.Now().Add(time.Hour),
		Price: sluice.PriceRef{Version: 1, Multiplier: sluice.NoMultiplier},
	}
	h.Request, err = sluice.ParseRequestID(request)
	return h, err
}

// timeHolds is what one balance decision takes in nanoseconds, with giving it
// back, beside a thousand requests that hold something.
func timeHolds() (float64, error) {
	book, now := ledger.NewBook(ledger.Config{}), time.Now()
	hold := func(n int) (sluice.Hold, error) {
		h, err := chatHold(chatRecord(n).ID)
		if err == nil {
			err = book.Hold(h, now)
		}
		return h, err
	}
	for n := range 1000 {
		if _, err := hold(n); err != nil {
			return 0, err
		}
	}
	h, err := hold(1000)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	for range holdRounds {
		book.Release(h.Request)
		if err := book.Hold(h, now); err != nil {
			return 0, err
		}
	}
	return float64(time.Since(began).Nanoseconds()) / holdRounds, nil
}
