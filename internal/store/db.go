package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/sluicegate/sluice"
)

const (
	pageBytes       = 4096
	busyRetries     = 3
	busyPause       = 20 * time.Millisecond
	defaultReaders  = 4
	defaultBusyWait = 2 * time.Second
)

// Config configures [Open].
type Config struct {
	// Path is the SQLite file; required. Its folder must exist.
	Path string
	// BusyTimeout is how long a statement waits for another process's lock;
	// 0 means 2 s. A transaction waits at most three times as long.
	BusyTimeout time.Duration
	// Readers is the number of concurrent reading connections; 0 means 4.
	Readers int
	// MaxBytes limits the file's size, so that a flood of records cannot fill
	// the disk; beyond it writes are [sluice.CodeDatabase]. 0 means no limit.
	MaxBytes int64
	// Clock stamps rows; nil means time.Now.
	Clock func() time.Time
}

// DB is the database: one connection that writes, some that read. It is safe
// for concurrent use.
type DB struct {
	path    string
	writer  *sql.DB
	readers *sql.DB
	clock   func() time.Time
	latest  latest
}

// Open opens or creates the database and brings its schema up to date. Errors
// are [sluice.CodeDatabase] naming the file, or [sluice.CodeSchemaNewer].
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.Path == "" {
		return nil, sluice.Errorf(sluice.CodeConfig, "the database needs a path")
	}
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("locate database %s: %w", cfg.Path, err)
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	db := &DB{path: path, clock: cfg.Clock}
	private(path)
	if db.writer, err = sql.Open("sqlite", dsn(path, cfg, false)); err != nil {
		return nil, db.explain(err)
	}
	db.writer.SetMaxOpenConns(1)
	if err := migrate(ctx, db.writer); err != nil {
		return nil, errors.Join(db.explain(err), db.writer.Close())
	}
	if db.readers, err = sql.Open("sqlite", dsn(path, cfg, true)); err != nil {
		return nil, errors.Join(db.explain(err), db.writer.Close())
	}
	readers := cfg.Readers
	if readers == 0 {
		readers = defaultReaders
	}
	db.readers.SetMaxOpenConns(readers)
	db.readers.SetMaxIdleConns(readers)
	return db, nil
}

// private creates the file for its owner alone; the log beside it inherits the
// mode. What goes wrong here, opening the database explains.
func private(path string) {
	if f, err := os.OpenFile(path, os.O_CREATE, 0o600); err == nil {
		f.Close()
	}
}

// dsn renders the connection string. synchronous=FULL makes a commit survive a
// power cut; a writing transaction takes its lock at once, so that it cannot
// fail half-way for want of it.
func dsn(path string, cfg Config, reader bool) string {
	wait := cfg.BusyTimeout
	if wait == 0 {
		wait = defaultBusyWait
	}
	pragmas := []string{
		"busy_timeout(" + strconv.FormatInt(wait.Milliseconds(), 10) + ")",
		"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
	}
	q := url.Values{}
	if reader {
		pragmas = append(pragmas, "query_only(1)")
	} else {
		q.Set("_txlock", "immediate")
	}
	if cfg.MaxBytes > 0 {
		pragmas = append(pragmas, "max_page_count("+strconv.FormatInt(cfg.MaxBytes/pageBytes, 10)+")")
	}
	q["_pragma"] = pragmas
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// Close ends the readers, then the writer, which folds the log into the file.
func (db *DB) Close() error { return errors.Join(db.readers.Close(), db.writer.Close()) }

// Ping reports whether the database answers; [sluice.CodeDatabase] says why not.
func (db *DB) Ping(ctx context.Context) error {
	return db.Read(ctx, func(tx *Tx) error {
		_, err := tx.Revision()
		return err
	})
}

// Tx is one transaction. It is used by one goroutine, within the function that
// was given it.
type Tx struct {
	ctx context.Context
	tx  *sql.Tx
	now time.Time
}

// Now is the time of the transaction, in whole microseconds.
func (tx *Tx) Now() time.Time { return tx.now }

// Write runs fn in a transaction that commits when fn returns nil; once Write
// has returned nil the change is durable. fn may run again when the database
// was busy, so it must change nothing outside the transaction that it does not
// overwrite.
func (db *DB) Write(ctx context.Context, fn func(*Tx) error) error {
	var err error
	for try := range busyRetries {
		if err = db.run(ctx, db.writer, nil, fn); !isBusy(err) {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(busyPause << try):
		}
	}
	return db.explain(err)
}

// Read runs fn on one consistent state of the database.
func (db *DB) Read(ctx context.Context, fn func(*Tx) error) error {
	return db.explain(db.run(ctx, db.readers, &sql.TxOptions{ReadOnly: true}, fn))
}

func (db *DB) run(ctx context.Context, pool *sql.DB, opts *sql.TxOptions, fn func(*Tx) error) error {
	sqlTx, err := pool.BeginTx(ctx, opts)
	if err != nil {
		return err
	}
	defer sqlTx.Rollback() // a no-op after Commit
	if err := fn(&Tx{ctx: ctx, tx: sqlTx, now: db.clock().UTC().Truncate(time.Microsecond)}); err != nil {
		return err
	}
	return sqlTx.Commit()
}

// exec runs a statement and returns how many rows it changed.
func (tx *Tx) exec(query string, args ...any) (int64, error) {
	res, err := tx.tx.ExecContext(tx.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// row reads one row; sql.ErrNoRows when there is none.
func (tx *Tx) row(query string, args []any, dest ...any) error {
	return tx.tx.QueryRowContext(tx.ctx, query, args...).Scan(dest...)
}

// each calls scan for every row.
func (tx *Tx) each(query string, args []any, scan func(*sql.Rows) error) error {
	rows, err := tx.tx.QueryContext(tx.ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// micros renders a time as the database keeps it; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// fromMicros is the inverse of [micros].
func fromMicros(v int64) time.Time {
	if v == 0 {
		return time.Time{}
	}
	return time.UnixMicro(v).UTC()
}
