package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	pageBytes = 4096
	busyTries = 3
	// checkpointPages is how long the log gets before its pages move into the
	// file, 16 MiB: pages that change often then move once and not many times.
	checkpointPages  = 4000
	sqliteParameters = 420 // 20 records
	busyPause        = 20 * time.Millisecond
	defaultReaders   = 4
	defaultBusyWait  = 2 * time.Second
)

// sqliteFile is the engine of an embedded database.
type sqliteFile struct {
	path string
	kept kept
}

func newSQLite(cfg Config) (engine, error) {
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("locate database %s: %w", cfg.Path, err)
	}
	return &sqliteFile{path: path}, nil
}

func (s *sqliteFile) label() string { return s.path }

func (s *sqliteFile) open(cfg Config) (writer, readers *sql.DB, err error) {
	s.private()
	if writer, err = sql.Open("sqlite", s.dsn(cfg, false)); err != nil {
		return nil, nil, err
	}
	writer.SetMaxOpenConns(1)
	if readers, err = sql.Open("sqlite", s.dsn(cfg, true)); err != nil {
		return nil, nil, errors.Join(err, writer.Close())
	}
	n := cmp.Or(cfg.Readers, defaultReaders)
	readers.SetMaxOpenConns(n)
	readers.SetMaxIdleConns(n)
	return writer, readers, nil
}

// private creates the file for its owner alone; the log beside it inherits the
// mode. What goes wrong here, opening the database explains.
func (s *sqliteFile) private() {
	if f, err := os.OpenFile(s.path, os.O_CREATE, 0o600); err == nil {
		f.Close()
	}
}

// dsn renders the connection string. synchronous=FULL makes a commit survive a
// power cut; a writing transaction takes its lock at once, so that it cannot
// fail half-way for want of it.
func (s *sqliteFile) dsn(cfg Config, reader bool) string {
	wait := cmp.Or(cfg.BusyTimeout, defaultBusyWait)
	pragmas := []string{
		"busy_timeout(" + strconv.FormatInt(wait.Milliseconds(), 10) + ")",
		"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "temp_store(MEMORY)", "wal_autocheckpoint(" + strconv.Itoa(checkpointPages) + ")",
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
	return "file:" + (&url.URL{Path: s.path}).EscapedPath() + "?" + q.Encode()
}

func (s *sqliteFile) schema() schema {
	return schema{dialect: goose.DialectSQLite3, companion: "sqlite", render: func(ddl string) string { return ddl }}
}

// exclusive needs no lock: whoever opens the file has its folder's lock.
func (s *sqliteFile) exclusive(_ context.Context, writer *sql.DB, fn func(*sql.DB) error) error {
	return fn(writer)
}

func (s *sqliteFile) options(write bool) *sql.TxOptions { return &sql.TxOptions{ReadOnly: !write} }

// alone has nothing to do: every writing transaction holds the file's lock.
func (s *sqliteFile) alone(*Tx) error { return nil }

// unhurried has nothing to do: there are no limits.
func (s *sqliteFile) unhurried(*Tx) error { return nil }

// settle has no doubt: the database is in this process.
func (s *sqliteFile) settle(_ context.Context, _ *sql.DB, _ string, err error) error { return err }

func (s *sqliteFile) keeps() *kept { return &s.kept }

// shared is false: whoever opens the file has its folder's lock.
func (s *sqliteFile) shared() bool { return false }

func (s *sqliteFile) now() string { return `CAST(unixepoch('subsec') * 1000000 AS INTEGER)` }

func (s *sqliteFile) patience() (tries int, pause time.Duration) { return busyTries, busyPause }

// limits share what surrounds a statement among its rows, and keep preparing it
// short.
func (s *sqliteFile) limits() (statement time.Duration, parameters int) { return 0, sqliteParameters }

// parameters have no number: SQLite looks each that has one up in a list.
func (s *sqliteFile) parameters(_, n int) string { return strings.Repeat("?, ", n-1) + "?" }

// transient reports whether another process held the lock for too long.
func (s *sqliteFile) transient(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY
}

func (s *sqliteFile) fault(err error) fault {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return fault{}
	}
	if e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY {
		return fault{driver: true, taken: e.Error()} // ends in "table.column"
	}
	return fault{driver: true, problem: sqliteProblems[e.Code()&0xff]}
}

// sqliteProblems is keyed by SQLite's primary result code
// (https://sqlite.org/rescode.html).
var sqliteProblems = map[int]problem{
	sqlite3.SQLITE_BUSY:     {"it is locked", "another process holds a lock on it; stop that process"},
	sqlite3.SQLITE_LOCKED:   {"it is locked", "another connection holds a lock on a table"},
	sqlite3.SQLITE_FULL:     {"it is full", "the disk or the configured size limit is full; free space or raise the limit"},
	sqlite3.SQLITE_CORRUPT:  {"it is damaged", "the file is damaged; restore a backup"},
	sqlite3.SQLITE_NOTADB:   {"it is damaged", "the file is not a database; restore a backup"},
	sqlite3.SQLITE_READONLY: {"it is read-only", "the file or its folder cannot be written; correct the permissions"},
	sqlite3.SQLITE_CANTOPEN: {"it cannot be opened", "the file cannot be opened; check the folder and its permissions"},
	sqlite3.SQLITE_PERM:     {"it cannot be opened", "access is denied; correct the permissions"},
	sqlite3.SQLITE_IOERR:    {"the disk fails", "reading or writing the file failed; look at the disk"},
}
