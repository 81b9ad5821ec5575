package store

import (
	"database/sql"
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
	whole := rows.n / size * size
	if inserted, err = tx.insertChunks(insertInto(table, columns, size, tx.cheap)+onConflict, rows, 0, whole, size); err != nil {
		return 0, err
	}
	rest := rows.n - whole
	n, err := tx.insertChunks(insertInto(table, columns, rest, tx.cheap)+onConflict, rows, whole, rows.n, rest)
	return inserted + n, err
}

// insertChunks inserts the rows from one to another, whose number is a multiple
// of size, so many at a time with one statement that is prepared once.
func (tx *Tx) insertChunks(query string, rows rowSource, from, to, size int) (inserted int64, err error) {
	if from == to {
		return 0, nil
	}
	stmt, err := tx.prepare(query)
	if err != nil {
		return 0, err
	}
	defer stmt.Close()
	var args []any
	for ; from < to; from += size {
		args = args[:0]
		for i := from; i < from+size; i++ {
			if args, err = rows.row(args, i); err != nil {
				return 0, err
			}
		}
		n, err := tx.execPrepared(stmt, args)
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

func (tx *Tx) prepare(query string) (*sql.Stmt, error) {
	ctx, done := tx.statement()
	defer done()
	return tx.tx.PrepareContext(ctx, query)
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
