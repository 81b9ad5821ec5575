package store

import (
	"context"
	"database/sql"
	"strings"
	"time"
	"unicode/utf8"
)

// Tx is one transaction. It is used by one goroutine, within the function that
// was given it.
type Tx struct {
	ctx   context.Context
	conn  *sql.Conn
	tx    *sql.Tx
	limit time.Duration
	// parameters is how many a statement of many rows should have.
	parameters int
	// cheap renders the parameters of such a statement, in order.
	cheap func(first, n int) string
	// kept are statements that stay prepared; nil where database/sql prepares them.
	kept *kept
	// arrays says that an argument may be an array.
	arrays bool
	now    time.Time
	// id is what the engine knows the transaction by, "" when it does not say.
	id string
}

// Now is the time of the transaction, in whole microseconds.
func (tx *Tx) Now() time.Time { return tx.now }

// statement bounds one statement; the caller calls done after reading rows.
func (tx *Tx) statement() (ctx context.Context, done context.CancelFunc) {
	if tx.limit == 0 {
		return tx.ctx, func() {}
	}
	return context.WithTimeout(tx.ctx, tx.limit)
}

// exec runs a statement and returns how many rows it changed.
func (tx *Tx) exec(query string, args ...any) (int64, error) {
	ctx, done := tx.statement()
	defer done()
	res, err := tx.tx.ExecContext(ctx, query, clean(args)...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// scanner is a row, of one or of many.
type scanner interface{ Scan(dest ...any) error }

// get calls scan for one row; sql.ErrNoRows when there is none.
func (tx *Tx) get(query string, args []any, scan func(scanner) error) error {
	ctx, done := tx.statement()
	defer done()
	return scan(tx.tx.QueryRowContext(ctx, query, clean(args)...))
}

// row reads one row; sql.ErrNoRows when there is none.
func (tx *Tx) row(query string, args []any, dest ...any) error {
	return tx.get(query, args, func(row scanner) error { return row.Scan(dest...) })
}

// each calls scan for every row.
func (tx *Tx) each(query string, args []any, scan func(*sql.Rows) error) error {
	ctx, done := tx.statement()
	defer done()
	rows, err := tx.tx.QueryContext(ctx, query, clean(args)...)
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

// clean replaces what PostgreSQL cannot keep in a text, NUL and broken UTF-8, in
// every argument and for every engine: one request with such a model name would
// otherwise keep a whole batch of records out.
func clean(args []any) []any {
	for i, arg := range args {
		if s, ok := arg.(string); ok {
			args[i] = cleanText(s)
		}
	}
	return args
}

func cleanText(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
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
