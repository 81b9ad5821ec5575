package app

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/journal"
	"github.com/sluicegate/sluice/internal/store"
	"github.com/sluicegate/sluice/internal/worker"
)

// newLedger returns the commands that work on a ledger without a running Sluice.
func newLedger(p process) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "ledger", Short: "Prove, repair and export the ledger of a database", Args: cobra.NoArgs,
		Long: `Works on the configured database (EZ_PG_DSN, else SQLite in the data folder,
which no other process may have open). The exit status is 0 when all is well, 1
when something is wrong, and 2 for a wrong command line or configuration.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&file, "config", "", "configuration file")
	var folders []string
	verify := &cobra.Command{
		Use: "verify", Short: "Prove all balances from their transfers, and journals by the ledger", Args: cobra.NoArgs,
		Long: `Adds up every transfer and compares the balances. With --journal it also verifies
each journal's hash chain, that each ending is booked exactly once, and that its
charge is what its usage costs at the price that it names. Journals are only
read. Each violation is a line: invariant, subject, what is wrong.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withLedger(cmd.Context(), p, file, func(db *store.DB, _ string) error {
				return verifyLedger(cmd.Context(), db, folders, p.stdout)
			})
		},
	}
	verify.Flags().StringArrayVar(&folders, "journal", nil, "`folder` of a journal; may be given several times")
	var saved string
	replay := &cobra.Command{
		Use: "replay", Short: "Book the journal of a gateway that is gone", Args: cobra.NoArgs,
		Long: `Books what a saved journal has and the ledger has not: records and transfers, each
once, however often it is replayed. What the gateway left open is charged by its
last PROGRESS. The journal is only read. Control must not run meanwhile.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withLedger(cmd.Context(), p, file, func(db *store.DB, owner string) error {
				return replayJournal(cmd.Context(), db, owner, saved, p)
			})
		},
	}
	replay.Flags().StringVar(&saved, "journal", "", "`folder` of the journal")
	_ = replay.MarkFlagRequired("journal") // the flag exists
	cmd.AddCommand(verify, replay, newLedgerExport(p, &file))
	return cmd
}

// newLedgerExport returns the command that writes a ledger as a table.
func newLedgerExport(p process, file *string) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use: "export accounts|transfers", Short: "Write accounts or transfers as CSV or JSON lines", Args: cobra.ExactArgs(1),
		ValidArgs: []string{"accounts", "transfers"},
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "csv" && format != "jsonl" || args[0] != "accounts" && args[0] != "transfers" {
				return sluice.Errorf(sluice.CodeConfig, "export accounts or transfers, as csv or jsonl")
			}
			return withLedger(cmd.Context(), p, *file, func(db *store.DB, _ string) error {
				return exportLedger(cmd.Context(), db, args[0], format, p.stdout)
			})
		},
	}
	cmd.Flags().StringVar(&format, "format", "csv", "csv or jsonl")
	return cmd
}

// withLedger opens the configured database for a command.
func withLedger(ctx context.Context, p process, file string, do func(db *store.DB, owner string) error) (err error) {
	cfg, err := load(sources{environ: p.environ, file: file})
	if err != nil {
		return err
	}
	if cfg.PostgresDSN == "" {
		unlock, err := lockFolder(cfg.DataDir, RoleServe)
		if err != nil {
			return err
		}
		defer unlock()
	}
	owner, err := instance(cfg.DataDir)
	if err != nil {
		return err
	}
	db, err := openStore(ctx, &cfg.Config, newProgress(p.stderr, false).step)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return do(db, "command of "+owner)
}

// replayJournal books a saved journal.
func replayJournal(ctx context.Context, db *store.DB, owner, folder string, p process) (err error) {
	disk, err := newReadOnly(folder)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(p.stderr, nil))
	books := worker.NewBooks(worker.BooksConfig{
		Now: time.Now, Log: log, Own: func(ctx context.Context) (*worker.Owned, error) {
			return ownLedger(ctx, db, claimant{name: owner, lease: commandLease}, anomalyTo(log))
		},
	})
	if err := books.Take(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, books.Close(context.WithoutCancel(ctx))) }()
	id, err := replayID(folder)
	if err != nil {
		return err
	}
	j, found, err := journal.OpenJournal(journal.Config{Disk: disk, ID: func() [8]byte { return id }})
	if err != nil {
		return err
	}
	defer j.Close()
	if err := j.EndCrashed(found, time.Now()); err != nil {
		return err
	}
	shipper := journal.NewShipper(j, books)
	for more := true; more; {
		if books.Book() == nil {
			return sluice.Errorf(sluice.CodeUnavailable, "another process has taken the ledger")
		}
		if more, err = shipper.Step(ctx); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(p.stdout, "journal %s: %d entries, %d booked now, %d requests ended that were left open\n", folder, found.Entries, books.Status().Entries, found.Unfinished)
	return err
}

// replayID is what the endings of a saved journal are written under: the same for
// the same journal, so that replaying it again books nothing.
func replayID(folder string) (id [8]byte, err error) {
	sum := sha256.New()
	names, err := journal.Folder(folder).List()
	for _, name := range names {
		f, err := os.Open(filepath.Join(folder, name))
		if err != nil {
			return id, fmt.Errorf("reading a journal: %w", err)
		}
		_, err = io.Copy(sum, f)
		if err = errors.Join(err, f.Close()); err != nil {
			return id, fmt.Errorf("reading a journal: %w", err)
		}
	}
	return [8]byte(sum.Sum(nil)), err
}

// exportLedger writes a table, a page of it in memory at a time.
func exportLedger(ctx context.Context, db *store.DB, what, format string, w io.Writer) error {
	out := bufio.NewWriter(w)
	table := newTable(out, format)
	err := db.ReadLedger(ctx, func(tx *store.Tx) error {
		if what == "accounts" {
			table.head("id", "asset", "floor", "wallet", "expires_at", "posted", "pending")
			return tx.EachAccount(func(a sluice.Account) error {
				return table.row(a, string(a.ID), a.Asset, floorText(a.Floor), string(a.Wallet), timeText(a.ExpiresAt), a.Posted.String(), a.Pending.String())
			})
		}
		table.head("id", "txn", "debit", "credit", "amount", "kind", "pending", "code", "request", "attempt", "price_version", "gateway", "journal_seq", "booked_at", "expires_at")
		return tx.EachTransfer(func(t sluice.Transfer) error {
			return table.row(t, t.ID.String(), t.Txn.String(), string(t.Debit), string(t.Credit), t.Amount.String(), string(t.Kind), t.Pending.String(), string(t.Code),
				t.Request.String(), strconv.Itoa(int(t.Attempt)), strconv.FormatUint(t.PriceVersion, 10), t.Gateway, strconv.FormatUint(t.JournalSeq, 10), timeText(t.BookedAt), timeText(t.ExpiresAt))
		})
	})
	return errors.Join(err, table.end(), out.Flush())
}

// table writes rows as CSV or as JSON lines.
type table struct {
	csv  *csv.Writer // nil for JSON lines
	json *json.Encoder
}

func newTable(w io.Writer, format string) *table {
	if format == "csv" {
		return &table{csv: csv.NewWriter(w)}
	}
	return &table{json: json.NewEncoder(w)}
}

func (t *table) head(names ...string) {
	if t.csv != nil {
		_ = t.csv.Write(names) // kept by the writer, and told by end
	}
}

func (t *table) row(whole any, cells ...string) error {
	if t.csv != nil {
		return t.csv.Write(cells)
	}
	return t.json.Encode(whole)
}

func (t *table) end() error {
	if t.csv == nil {
		return nil
	}
	t.csv.Flush()
	return t.csv.Error()
}

// floorText is empty where there is no floor.
func floorText(floor sluice.Nanos) string {
	if floor == sluice.NoFloor {
		return ""
	}
	return floor.String()
}

// timeText is empty for no time.
func timeText(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339Nano)
}
