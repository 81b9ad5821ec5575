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
	size := max(1, tx.parameters/len(columns))
	whole := rows.n / size * size
	if err := tx.insertChunks(insertInto(table, columns, size, tx.cheap)+onConflict, rows, 0, whole, size); err != nil {
		return err
	}
	rest := rows.n - whole
	return tx.insertChunks(insertInto(table, columns, rest, tx.cheap)+onConflict, rows, whole, rows.n, rest)
}

// insertReturning is insertRows with a clause that returns something of each row
// that was inserted.
func (tx *Tx) insertReturning(table string, columns []string, rows rowSource, clause string, scan func(*sql.Rows) error) error {
	size := max(1, tx.parameters/len(columns))
	var args []any
	var query string
	for from, of := 0, 0; from < rows.n; from += size {
		n := min(size, rows.n-from)
		if n != of {
			query, of = insertInto(table, columns, n, tx.cheap)+clause, n
		}
		args = args[:0]
		for i := from; i < from+n; i++ {
			var err error
			if args, err = rows.row(args, i); err != nil {
				return err
			}
		}
		if err := tx.each(query, args, scan); err != nil {
			return err
		}
		runtime.Gosched() // as in insertChunks
	}
	return nil
}

// insertChunks inserts the rows from one to another, whose number is a multiple
// of size, so many at a time with one statement that is prepared once.
func (tx *Tx) insertChunks(query string, rows rowSource, from, to, size int) error {
	if from == to {
		return nil
	}
	stmt, err := tx.prepare(query)
	if err != nil {
		return err
	}
	defer stmt.Close()
	var args []any
	for ; from < to; from += size {
		args = args[:0]
		for i := from; i < from+size; i++ {
			if args, err = rows.row(args, i); err != nil {
				return err
			}
		}
		if err := tx.execPrepared(stmt, args); err != nil {
			return err
		}
		runtime.Gosched() // on one core, requests come between the statements of a large batch
	}
	return nil
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

func (tx *Tx) execPrepared(stmt *sql.Stmt, args []any) error {
	ctx, done := tx.statement()
	defer done()
	_, err := stmt.ExecContext(ctx, clean(args)...)
	return err
}
