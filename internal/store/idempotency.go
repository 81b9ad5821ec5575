package store

import (
	"database/sql"
	"errors"
	"time"

	"github.com/sluicegate/sluice"
)

// Replay remembers what a request with an Idempotency-Key did.
type Replay struct {
	Caller, Key string
	// RequestHash tells a repetition from another request.
	RequestHash string
	// Kind and ObjectID name the object that it wrote.
	Kind      sluice.Kind
	ObjectID  uint64
	ExpiresAt time.Time
}

// ReplayOf returns what the caller did under the key, or [sluice.CodeNotFound].
func (tx *Tx) ReplayOf(caller, key string) (Replay, error) {
	r := Replay{Caller: caller, Key: key}
	var id, expires int64
	err := tx.row(`SELECT request_hash, kind, object_id, expires_at FROM idempotency WHERE caller = $1 AND key = $2 AND expires_at > $3`,
		[]any{caller, key, micros(tx.now)}, &r.RequestHash, &r.Kind, &id, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return r, sluice.Errorf(sluice.CodeNotFound, "no such Idempotency-Key")
	}
	r.ObjectID, r.ExpiresAt = uint64(id), fromMicros(expires)
	return r, err
}

// AddReplay remembers a request and forgets expired ones.
func (tx *Tx) AddReplay(r Replay) error {
	if _, err := tx.exec(`DELETE FROM idempotency WHERE expires_at <= $1`, micros(tx.now)); err != nil {
		return err
	}
	_, err := tx.exec(`INSERT INTO idempotency (caller, key, request_hash, kind, object_id, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		r.Caller, r.Key, r.RequestHash, string(r.Kind), int64(r.ObjectID), micros(r.ExpiresAt))
	return err
}
