package store

import (
	"database/sql"
	"errors"

	"github.com/sluicegate/sluice"
)

const (
	revisionSequence = "revision"
	// maxChanges is how many revisions [DB.Snapshot] can catch up with before it
	// reads everything anew.
	maxChanges = 1000
)

// next draws the next number of a sequence, from 1. Numbers of a transaction
// that is rolled back are drawn again.
func (tx *Tx) next(sequence string) (uint64, error) {
	var v int64
	err := tx.row(`INSERT INTO sequences (name, value) VALUES ($1, 1)
		ON CONFLICT (name) DO UPDATE SET value = sequences.value + 1 RETURNING value`, []any{sequence}, &v)
	return uint64(v), err
}

// Changed draws the revision of this transaction's change to an object; every
// insert, update and delete that a snapshot shows needs one.
func (tx *Tx) Changed(o sluice.Object) (uint64, error) { return tx.changed(o.Kind(), o.GetMeta().ID) }

func (tx *Tx) changed(kind sluice.Kind, id uint64) (uint64, error) {
	revision, err := tx.next(revisionSequence)
	if err != nil {
		return 0, err
	}
	_, err = tx.exec(`INSERT INTO changes (revision, kind, id) VALUES ($1, $2, $3)`, int64(revision), string(kind), int64(id))
	if err != nil {
		return 0, err
	}
	_, err = tx.exec(`DELETE FROM changes WHERE revision <= $1`, int64(revision)-maxChanges)
	return revision, err
}

// Revision returns the revision of the last change, 0 before the first.
func (tx *Tx) Revision() (uint64, error) {
	var v int64
	err := tx.row(`SELECT value FROM sequences WHERE name = $1`, []any{revisionSequence}, &v)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return uint64(v), err
}

// Setting returns a system setting, "" when it was never set.
func (tx *Tx) Setting(name string) (string, error) {
	var v string
	err := tx.row(`SELECT value FROM settings WHERE name = $1`, []any{name}, &v)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return v, err
}

// SetSetting stores a system setting.
func (tx *Tx) SetSetting(name, value string) error {
	_, err := tx.exec(`INSERT INTO settings (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	return err
}
