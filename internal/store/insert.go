package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"runtime"
	"strings"
)

// rowSource are n rows to insert; row appends the values of the i-th to args.
type rowSource struct {
	n   int
	row func(args []any, i int) ([]any, error)
}

// insertRows inserts rows, several with one statement: over a network it is the
// round trips that cost, in a file what surrounds each statement. onConflict is
// the clause to end with, or "".
func (tx *Tx) insertRows(table string, columns []string, rows rowSource, onConflict string) error {
	_, err := tx.insertCounted(table, columns, rows, onConflict)
	return err
}

// insertCounted is insertRows and returns how many rows that inserted.
func (tx *Tx) insertCounted(table string, columns []string, rows rowSource, onConflict string) (inserted int64, err error) {
	size := max(1, tx.parameters/len(columns))
	for from := 0; from < rows.n; {
		for size > rows.n-from { // so that there are few different statements
			size /= 2
		}
		to := from + (rows.n-from)/size*size
		n, err := tx.insertChunks(insertInto(table, columns, size, tx.cheap)+onConflict, rows, from, to, size)
		if err != nil {
			return 0, err
		}
		from, inserted = to, inserted+n
	}
	return inserted, nil
}

// insertChunks inserts the rows from one to another, whose number is a multiple
// of size, so many at a time with one statement that is prepared once.
func (tx *Tx) insertChunks(query string, rows rowSource, from, to, size int) (inserted int64, err error) {
	run, done, err := tx.prepared(query)
	if err != nil {
		return 0, err
	}
	defer done()
	var args []any
	for ; from < to; from += size {
		args = args[:0]
		for i := from; i < from+size; i++ {
			if args, err = rows.row(args, i); err != nil {
				return 0, err
			}
		}
		n, err := run(args)
		if err != nil {
			return 0, err
		}
		inserted += n
		runtime.Gosched() // on one core, requests come between the statements of a large batch
	}
	return inserted, nil
}

// insertInto renders an INSERT of so many rows, with the engine's cheapest
// parameters.
func insertInto(table string, columns []string, rows int, parameters func(first, n int) string) string {
	values := make([]string, rows)
	for i := range values {
		values[i] = "(" + parameters(1+i*len(columns), len(columns)) + ")"
	}
	return `INSERT INTO "` + table + `" (` + strings.Join(columns, ", ") + `) VALUES ` + strings.Join(values, ", ")
}

// prepared returns what runs a statement, which says how many rows it changed, as
// often as it takes until done.
func (tx *Tx) prepared(query string) (run func(args []any) (int64, error), done func(), err error) {
	if tx.kept != nil {
		return tx.runKept(query), func() {}, nil
	}
	ctx, prepared := tx.statement()
	defer prepared()
	stmt, err := tx.tx.PrepareContext(ctx, query)
	if err != nil {
		return nil, nil, err
	}
	return func(args []any) (int64, error) { return tx.execPrepared(stmt, args) }, func() { stmt.Close() }, nil
}

// runKept runs a statement that stays prepared. It does not end with the caller,
// who would have to be watched for each: a few rows take no time.
func (tx *Tx) runKept(query string) func(args []any) (int64, error) {
	var values []driver.NamedValue
	ctx := context.WithoutCancel(tx.ctx)
	return func(args []any) (changed int64, err error) {
		if err := tx.ctx.Err(); err != nil {
			return 0, err
		}
		values = named(values, args)
		err = tx.conn.Raw(func(conn any) (err error) {
			changed, err = tx.kept.exec(ctx, conn, query, values)
			return err
		})
		return changed, err
	}
}

func (tx *Tx) execPrepared(stmt *sql.Stmt, args []any) (int64, error) {
	ctx, done := tx.statement()
	defer done()
	res, err := stmt.ExecContext(ctx, clean(args)...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}
