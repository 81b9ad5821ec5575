package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/sluicegate/sluice"
)

// explain turns a driver's error into one that an operator can act on, naming
// the file. Errors that carry a code already, the end of a context, and what is
// not the driver's pass.
func (db *DB) explain(err error) error {
	var coded *sluice.Error
	if err == nil || errors.As(err, &coded) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	if unique(e) {
		return conflict(e)
	}
	if problem, known := problems[e.Code()&0xff]; known {
		return sluice.Errorf(sluice.CodeDatabase, "the database is unavailable: %s", problem.short).
			Because(fmt.Errorf("%s: %s: %w", db.path, problem.advice, err))
	}
	return fmt.Errorf("database %s: %w", db.path, err)
}

// problem says what is wrong with the file: short for clients, who learn no
// path, and advice for operators.
type problem struct{ short, advice string }

// problems is keyed by SQLite's primary result code (https://sqlite.org/rescode.html).
var problems = map[int]problem{
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

// isBusy reports whether another process held the lock for too long; the same
// transaction may then run again.
func isBusy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY
}

func unique(e *sqlite.Error) bool {
	return e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
}

// conflict names the field that must be unique; the driver's text ends in
// "table.column".
func conflict(e *sqlite.Error) error {
	field := "/name"
	if strings.Contains(e.Error(), ".email") {
		field = "/email"
	}
	return sluice.Errorf(sluice.CodeConflict, "%s is taken", field[1:]).At(field).Because(e)
}
