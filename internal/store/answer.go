package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/sluicegate/sluice"
)

// MaxAnswer bounds the body of an answer that is kept.
const MaxAnswer = 1 << 20

// Answer is what a request with an Idempotency-Key was answered.
type Answer struct {
	// Scope is whose key it is, for instance "key/17"; with Key it names the
	// answer.
	Scope, Key string
	// BodyHash tells a repetition from another request.
	BodyHash string
	// Request is the id of the request that answers.
	Request string
	// Deadline is when that request has ended at the latest: one that still runs
	// behind it died.
	Deadline time.Time
	// Done is false while it runs.
	Done bool
	// Status and Head are those of the answer; Head is in the caller's form.
	Status int
	Head   string
	// Body is nil where it is not kept: longer than [MaxAnswer].
	Body      []byte
	ExpiresAt time.Time
}

// BeginAnswer notes that a request runs under its key, unless another did: then
// first is false and the answer is that one's, as it is now. One that expired is
// none.
func (db *DB) BeginAnswer(ctx context.Context, a Answer) (was Answer, first bool, err error) {
	err = db.add(ctx, func(tx *Tx) error {
		n, err := tx.exec(`INSERT INTO answers (scope, key, body_hash, state, request, deadline, status, head, body, expires_at) VALUES ($1, $2, $3, 'running', $4, $7, 0, '', NULL, $5)
			ON CONFLICT (scope, key) DO UPDATE SET body_hash = excluded.body_hash, state = 'running', request = excluded.request, deadline = excluded.deadline, status = 0, head = '', body = NULL, expires_at = excluded.expires_at
			WHERE answers.expires_at <= $6 OR answers.request = excluded.request AND answers.state = 'running'`,
			a.Scope, a.Key, a.BodyHash, a.Request, micros(a.ExpiresAt), micros(tx.now), micros(a.Deadline))
		if err != nil {
			return err
		}
		if first = n > 0; first {
			was = a
			return nil
		}
		was, err = tx.answer(a.Scope, a.Key)
		return err
	})
	return was, first, err
}

// FinishAnswer keeps the answer of the request that began it. One that is gone,
// because it expired, or was done before, is left as it is.
func (db *DB) FinishAnswer(ctx context.Context, a Answer) error {
	var body any
	if a.Body != nil && len(a.Body) <= MaxAnswer {
		body = a.Body
	}
	return db.add(ctx, func(tx *Tx) error {
		_, err := tx.exec(`UPDATE answers SET state = 'done', status = $1, head = $2, body = $3, expires_at = $4 WHERE scope = $5 AND key = $6 AND request = $7 AND state = 'running'`,
			int64(a.Status), a.Head, body, micros(a.ExpiresAt), a.Scope, a.Key, a.Request)
		return err
	})
}

// DropAnswer forgets that a request ran, because it was refused before it cost
// anything: the next one under its key is the first. One that is done stays.
func (db *DB) DropAnswer(ctx context.Context, scope, key, request string) error {
	return db.add(ctx, func(tx *Tx) error {
		_, err := tx.exec(`DELETE FROM answers WHERE scope = $1 AND key = $2 AND request = $3 AND state = 'running'`, scope, key, request)
		return err
	})
}

// EndAnswers notes that nothing runs any more, because the process that ran it
// died. It is for one that is alone with its database, before it serves.
func (db *DB) EndAnswers(ctx context.Context) error {
	return db.add(ctx, func(tx *Tx) error {
		_, err := tx.exec(`UPDATE answers SET state = 'done' WHERE state = 'running'`)
		return err
	})
}

// ExpireAnswers deletes up to most answers past their time and returns how many
// that were; the worker calls it until it is less.
func (db *DB) ExpireAnswers(ctx context.Context, most int) (deleted int64, err error) {
	err = db.add(ctx, func(tx *Tx) error {
		deleted, err = tx.exec(`DELETE FROM answers WHERE (scope, key) IN (SELECT scope, key FROM answers WHERE expires_at <= $1 ORDER BY expires_at`+limit(most)+`)`, micros(tx.now))
		return err
	})
	return deleted, err
}

// answer reads one; [sluice.CodeUnavailable] when it went away in between.
func (tx *Tx) answer(scope, key string) (Answer, error) {
	a := Answer{Scope: scope, Key: key}
	var state string
	var status, deadline, expires, kept int64
	err := tx.row(`SELECT body_hash, state, request, deadline, status, head, body, CASE WHEN body IS NULL THEN 0 ELSE 1 END, expires_at FROM answers WHERE scope = $1 AND key = $2`,
		[]any{scope, key}, &a.BodyHash, &state, &a.Request, &deadline, &status, &a.Head, &a.Body, &kept, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return a, sluice.Errorf(sluice.CodeUnavailable, "the answer was dropped just now")
	}
	if kept == 1 && a.Body == nil {
		a.Body = []byte{} // SQLite's driver has no empty ones
	}
	a.Done, a.Status, a.Deadline, a.ExpiresAt = state == "done", int(status), fromMicros(deadline), fromMicros(expires)
	return a, err
}
