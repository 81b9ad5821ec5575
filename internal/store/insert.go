package store

import (
	"database/sql"
	"runtime"
	"slices"
	"strings"
)

// insertRows inserts rows, several with one statement: over a network it is the
// round trips that cost, in a file what surrounds each statement. onConflict is the clause to
// end with, or "".
func (tx *Tx) insertRows(table string, columns []string, rows [][]any, onConflict string) error {
	size := max(1, tx.parameters/len(columns))
	whole := len(rows) / size * size
	if err := tx.insertChunks(table, columns, rows[:whole], size, onConflict); err != nil {
		return err
	}
	return tx.insertChunks(table, columns, rows[whole:], len(rows)-whole, onConflict)
}

// insertChunks inserts rows, whose number is a multiple of size, so many at a
// time with one statement that is prepared once.
func (tx *Tx) insertChunks(table string, columns []string, rows [][]any, size int, onConflict string) error {
	if len(rows) == 0 {
		return nil
	}
	stmt, err := tx.prepare(insertInto(table, columns, size, tx.cheap) + onConflict)
	if err != nil {
		return err
	}
	defer stmt.Close()
	args := make([]any, 0, size*len(columns))
	for chunk := range slices.Chunk(rows, size) {
		args = args[:0]
		for _, row := range chunk {
			args = append(args, row...)
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
