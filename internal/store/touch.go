package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// touchedAtOnce is how many keys one statement touches.
const touchedAtOnce = 50

// TouchKeys notes when keys were last used, by id; times only move forward and
// unknown keys are ignored. It is no change of the keys: neither version nor
// revision moves. Up to 1000 keys are noted in one transaction, so that other
// writers get their turn.
func (db *DB) TouchKeys(ctx context.Context, used map[uint64]time.Time) error {
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(used)), maxBatch) {
		if err := db.add(ctx, func(tx *Tx) error { return tx.touchKeys(ids, used) }); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) touchKeys(ids []uint64, used map[uint64]time.Time) error {
	for chunk := range slices.Chunk(ids, touchedAtOnce) {
		args := make([]any, 0, 2*len(chunk))
		for _, id := range chunk {
			args = append(args, int64(id), micros(used[id]))
		}
		if _, err := tx.exec(touchQuery(len(chunk)), args...); err != nil {
			return err
		}
	}
	return nil
}

// touchQuery moves the times of n keys with one statement. The casts tell
// PostgreSQL the types, which VALUES alone does not.
func touchQuery(n int) string {
	rows := make([]string, n)
	for i := range rows {
		rows[i] = fmt.Sprintf("(CAST($%d AS BIGINT), CAST($%d AS BIGINT))", 2*i+1, 2*i+2)
	}
	return `WITH used (id, at) AS (VALUES ` + strings.Join(rows, ", ") + `)
		UPDATE "keys" SET last_used_at = used.at FROM used WHERE "keys".id = used.id AND "keys".last_used_at < used.at`
}
