package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/ledger"
	"github.com/sluicegate/sluice/internal/store"
	"github.com/sluicegate/sluice/internal/worker"
)

const (
	// commandLease is how long a ledger waits for a command that died.
	commandLease = 5 * time.Second
	// instanceName is the file in the data folder that tells one installation's
	// processes apart: the folder belongs to one of them at a time, so whoever
	// starts on it again is the owner that died.
	instanceName = "instance"
)

// openBooks prepares the books and takes the ledger, unless another process has
// it: then [worker.Books.Run] goes on trying.
func (c *controlRole) openBooks(ctx context.Context) error {
	owner, err := instance(c.DataDir)
	if err != nil {
		return err
	}
	c.books = worker.NewBooks(worker.BooksConfig{
		Own:    func(ctx context.Context) (*worker.Owned, error) { return c.ownLedger(ctx, owner) },
		Verify: func(ctx context.Context) (int, []ledger.Violation, error) { return proveLedger(ctx, c.store) },
		Alarm:  c.alarm, Violation: c.violation, Now: time.Now, Log: c.log,
	})
	c.progress.step("ledger")
	if err := c.books.Take(ctx); sluice.CodeOf(err) != sluice.CodeUnavailable {
		return err
	}
	c.log.Warn("another process keeps the ledger; spending with a limit waits until this one has it")
	return nil
}

// ownLedger takes the ledger of this process. One in a file needs no lease, and no
// write each second: the lock on the data folder says whose it is.
func (c *controlRole) ownLedger(ctx context.Context, owner string) (*worker.Owned, error) {
	owned, err := ownLedger(ctx, c.store, claimant{owner, c.advertised(), c.LedgerLease}, c.anomaly)
	if err == nil && c.PostgresDSN == "" {
		owned.Lease, owned.Renew = 0, nil
	}
	return owned, err
}

// claimant is who takes a ledger: name is what no other process is called, address
// where others reach it, if they can, and lease for how long they stay away after
// they last heard of it.
type claimant struct {
	name, address string
	lease         time.Duration
}

// ownLedger takes the ledger of a database, loads it, and says where it is from
// now on; anomalies are told.
func ownLedger(ctx context.Context, db *store.DB, owner claimant, tell func(ledger.Anomaly)) (*worker.Owned, error) {
	kept, err := db.OwnLedger(ctx, owner.name, owner.lease)
	if err != nil {
		return nil, err
	}
	book := ledger.NewBook(ledger.Config{})
	poster := ledger.NewPoster(book, worker.TellAnomalies(kept, tell), time.Now)
	if err := errors.Join(poster.Start(ctx), kept.Announce(ctx, owner.address)); err != nil {
		return nil, errors.Join(err, kept.Yield(ctx))
	}
	return &worker.Owned{
		Book: book, Poster: poster, Close: kept.Yield, Lease: owner.lease,
		Renew: func(ctx context.Context) error { return kept.Renew(ctx, owner.lease) },
	}, nil
}

// proveLedger proves all of a ledger from its transfers, in one view of the
// database.
func proveLedger(ctx context.Context, db *store.DB) (transfers int, found []ledger.Violation, err error) {
	proof := ledger.NewProof()
	err = db.ReadLedger(ctx, func(tx *store.Tx) error {
		err := tx.EachTransfer(func(t sluice.Transfer) error {
			proof.Transfer(t)
			transfers++
			return ctx.Err()
		})
		if err != nil {
			return err
		}
		return tx.EachAccount(func(a sluice.Account) error {
			proof.Account(a)
			return nil
		})
	})
	if err != nil {
		return transfers, nil, fmt.Errorf("reading the ledger: %w", err)
	}
	return transfers, proof.End(), nil
}

// tellEmpty says how to begin where nobody has anything to spend: new tenants are
// prepaid.
func (c *controlRole) tellEmpty() {
	if book := c.books.Book(); book != nil && book.Check(time.Now(), time.Minute).Accounts == 0 {
		c.log.Info("no wallet has money yet; new tenants are prepaid: top up with `sluice billing top-up 10 --tenant NAME`, or give a tenant credit (docs/OPERATIONS.md)")
	}
}

// closeBooks gives the ledger up.
func (c *controlRole) closeBooks() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeDeadline)
	defer cancel()
	return c.books.Close(ctx)
}

// alarm puts an alarm of the books into the outbox, once for each time of failure.
func (c *controlRole) alarm(ctx context.Context, a worker.Alarm) error {
	data, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("rendering an alarm: %w", err)
	}
	return c.store.AddEvents(ctx, sluice.Event{
		ID: sluice.EventAlarm + " " + a.Since.Format(time.RFC3339Nano), Kind: sluice.EventAlarm, Subject: a.Journal, Data: data,
	})
}

// violation puts a broken invariant into the outbox, once a day for each subject:
// figures in its message may change from check to check.
func (c *controlRole) violation(ctx context.Context, at time.Time, v ledger.Violation) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("rendering a violation: %w", err)
	}
	id := sluice.NewTransferID(v.Invariant+" "+v.Subject+" "+at.UTC().Format(time.DateOnly), "violation", 0)
	return c.store.AddEvents(ctx, sluice.Event{ID: id.String(), Kind: sluice.EventViolation, Subject: v.Subject, Data: data})
}

// instance returns the name of whoever runs on a data folder, making it up once.
func instance(dir string) (string, error) {
	path := filepath.Join(dir, instanceName)
	b, err := os.ReadFile(path)
	if name := strings.TrimSpace(string(b)); err == nil && name != "" {
		return name, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading the name of this instance: %w", err)
	}
	var drawn [8]byte
	rand.Read(drawn[:])
	name := hex.EncodeToString(drawn[:])
	if err := os.WriteFile(path, []byte(name+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("naming this instance: %w", err)
	}
	return name, nil
}
