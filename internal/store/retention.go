package store

import (
	"context"
	"time"
)

// DeleteRecords removes at most limit records from before the time, the oldest
// first, and returns how many it removed. Reports no longer count them.
func (db *DB) DeleteRecords(ctx context.Context, before time.Time, limit int) (removed int, err error) {
	return db.deleteOld(ctx, `DELETE FROM records WHERE (time, id) IN (SELECT time, id FROM records WHERE time < $1 ORDER BY time, id LIMIT $2)`, before, limit)
}

// deleteOld runs a statement that takes a time and how much to remove.
func (db *DB) deleteOld(ctx context.Context, statement string, before time.Time, limit int) (removed int, err error) {
	err = db.add(ctx, func(tx *Tx) error {
		n, err := tx.exec(statement, micros(before), limit)
		removed = int(n)
		return err
	})
	return removed, err
}
