package store

import (
	"context"
	"database/sql/driver"
	"fmt"
	"sync"
)

// keptStatements is how many stay prepared; there are a few dozen.
const keptStatements = 128

// kept are statements that stay prepared on the one connection that writes: those
// of many rows take longer to prepare than to run for a few. database/sql forgets
// what a transaction has prepared.
type kept struct {
	mu   sync.Mutex
	conn any
	by   map[string]keptStatement
}

type keptStatement interface {
	driver.Stmt
	driver.StmtExecContext
}

// exec runs a statement on a driver's connection and returns how many rows it
// changed.
func (k *kept) exec(ctx context.Context, conn any, query string, args []driver.NamedValue) (int64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	stmt, err := k.prepare(ctx, conn, query)
	if err != nil {
		return 0, err
	}
	res, err := stmt.ExecContext(ctx, args)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (k *kept) prepare(ctx context.Context, conn any, query string) (keptStatement, error) {
	if len(k.by) >= keptStatements {
		k.close()
	}
	if k.conn != conn { // those of a connection that is gone went with it
		k.conn, k.by = conn, map[string]keptStatement{}
	}
	if stmt := k.by[query]; stmt != nil {
		return stmt, nil
	}
	preparer, ok := conn.(driver.ConnPrepareContext)
	if !ok {
		return nil, fmt.Errorf("a connection of type %T prepares nothing", conn)
	}
	fresh, err := preparer.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	stmt, ok := fresh.(keptStatement)
	if !ok {
		return nil, fmt.Errorf("a statement of type %T takes no context", fresh)
	}
	k.by[query] = stmt
	return stmt, nil
}

// close lets go of all statements: before their connection does, which would
// otherwise stay behind for them.
func (k *kept) close() {
	for _, stmt := range k.by {
		stmt.Close()
	}
	clear(k.by)
}

// forget is close, once no transaction runs any more.
func (k *kept) forget() {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.close()
}

// named numbers values as drivers take them, in the memory of the last ones.
func named(to []driver.NamedValue, values []any) []driver.NamedValue {
	to = to[:0]
	for i, v := range clean(values) {
		to = append(to, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return to
}
