package store

import (
	"context"

	"github.com/sluicegate/sluice"
)

// maxRevision is the greatest revision that Redis's scripts, which count in
// float64, tell from its neighbours.
const maxRevision = 1 << 53

// Raise draws a revision greater than above and than every one before, although
// no object changed: what was published under the numbers up to it does not agree
// with this database any more. It leaves a gap in the list of changes, so that
// every process reads the next snapshot as a whole. An above that no revision can
// follow is [sluice.CodeConflict].
func (db *DB) Raise(ctx context.Context, above uint64) (revision uint64, err error) {
	err = db.Write(ctx, func(tx *Tx) error {
		revision, err = tx.raise(above)
		return err
	})
	return revision, err
}

func (tx *Tx) raise(above uint64) (uint64, error) {
	last, err := tx.Revision()
	if err != nil {
		return 0, err
	}
	revision := max(last, above) + maxChanges + 1
	if above > maxRevision || revision > maxRevision {
		return 0, sluice.Errorf(sluice.CodeConflict, "no revision follows %d: delete config:rev in Redis if it is not ours", max(last, above))
	}
	_, err = tx.exec(`INSERT INTO sequences (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, revisionSequence, int64(revision))
	return revision, err
}
