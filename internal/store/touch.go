package store

import (
	"context"
	"maps"
	"slices"
	"time"
)

// TouchKeys notes when keys were last used, by id; times only move forward and
// unknown keys are ignored. It is no change of the keys: neither version nor
// revision moves. Up to 1000 keys are noted in one transaction, so that other
// writers get their turn.
func (db *DB) TouchKeys(ctx context.Context, used map[uint64]time.Time) error {
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(used)), maxBatch) {
		err := db.Write(ctx, func(tx *Tx) error {
			for _, id := range ids {
				if err := tx.touchKey(id, used[id]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) touchKey(id uint64, at time.Time) error {
	_, err := tx.exec(`UPDATE "keys" SET last_used_at = $1 WHERE id = $2 AND last_used_at < $1`, micros(at), int64(id))
	return err
}
