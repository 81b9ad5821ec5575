package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
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

// AnswerLimits bound what is kept of one scope, so that one caller cannot fill
// the store.
type AnswerLimits struct {
	// Keys is how many answers there are at most, and Bytes how long their bodies
	// are together. What expired counts until [DB.ExpireAnswers] deletes it.
	Keys, Bytes int64
}

// claimTries bounds how often a claim looks again at a key that changed hands
// between its reading and its writing.
const claimTries = 5

// BeginAnswer notes that a request runs under its key, unless another did: then
// first is false and the answer is that one's, as it is now. One that expired is
// none. A scope that is full is [sluice.CodeRequestRate], and nothing is written;
// so is nothing for [sluice.CodeUnavailable], of a key that changes all the time.
func (db *DB) BeginAnswer(ctx context.Context, a Answer, most AnswerLimits) (was Answer, first bool, err error) {
	err = db.add(ctx, func(tx *Tx) (err error) {
		for range claimTries {
			var known bool
			if first, err = tx.claimAnswer(a, most.Keys); first || err != nil {
				was = a
				return err
			}
			if was, known, err = tx.answer(a.Scope, a.Key); err != nil {
				return err
			}
			if !known {
				continue // it was dropped, or swept, just now
			}
			if was.ExpiresAt.After(tx.now) && (was.Request != a.Request || was.Done) {
				return nil
			}
			if first, err = tx.replaceAnswer(was, a); first || err != nil {
				was = a
				return err
			}
		}
		return sluice.Errorf(sluice.CodeUnavailable, "the key changed hands %d times meanwhile", claimTries)
	})
	return was, first && err == nil, err
}

// claimAnswer claims a key that nobody has.
func (tx *Tx) claimAnswer(a Answer, most int64) (first bool, err error) {
	n, err := tx.exec(`INSERT INTO answers (scope, key, body_hash, state, request, deadline, status, head, body, expires_at) VALUES ($1, $2, $3, 'running', $4, $5, 0, '', NULL, $6)
		ON CONFLICT (scope, key) DO NOTHING`,
		a.Scope, a.Key, a.BodyHash, a.Request, micros(a.Deadline), micros(a.ExpiresAt))
	if err != nil || n == 0 {
		return false, err
	}
	return true, tx.countAnswer(a.Scope, most)
}

// replaceAnswer claims the key of an answer that was read, if it is still that
// one: on PostgreSQL others have read it too.
func (tx *Tx) replaceAnswer(was, a Answer) (first bool, err error) {
	n, err := tx.exec(`UPDATE answers SET body_hash = $1, state = 'running', request = $2, deadline = $3, status = 0, head = '', body = NULL, expires_at = $4
		WHERE scope = $5 AND key = $6 AND request = $7 AND expires_at = $8`,
		a.BodyHash, a.Request, micros(a.Deadline), micros(a.ExpiresAt), a.Scope, a.Key, was.Request, micros(was.ExpiresAt))
	if err != nil || n == 0 {
		return false, err
	}
	return true, tx.addAnswers(a.Scope, 0, -int64(len(was.Body)))
}

// FindAnswer returns the answer under a key; known is false when there is none, or
// it expired.
func (db *DB) FindAnswer(ctx context.Context, scope, key string) (was Answer, known bool, err error) {
	err = db.Read(ctx, func(tx *Tx) error {
		was, known, err = tx.answer(scope, key)
		known = known && was.ExpiresAt.After(tx.now)
		return err
	})
	return was, known, err
}

// countAnswer counts one more of a scope, or refuses it. From here to the commit
// other claims of the scope wait. They are counted before their requests run, as
// those of a process that died would be counted by nobody.
func (tx *Tx) countAnswer(scope string, most int64) error {
	if err := tx.addAnswers(scope, 1, 0); err != nil {
		return err
	}
	keys, _, err := tx.answerTotals(scope)
	if err == nil && keys > most {
		return sluice.Errorf(sluice.CodeRequestRate, "more than %d Idempotency-Keys were used within %s", most, sluice.AnswersKept).After(60)
	}
	return err
}

// addAnswers changes what is counted of a scope.
func (tx *Tx) addAnswers(scope string, keys, bytes int64) error {
	_, err := tx.exec(`INSERT INTO answer_totals (scope, keys, bytes) VALUES ($1, $2, $3)
		ON CONFLICT (scope) DO UPDATE SET keys = answer_totals.keys + excluded.keys, bytes = answer_totals.bytes + excluded.bytes`, scope, keys, bytes)
	return err
}

// answerTotals is what is counted of a scope.
func (tx *Tx) answerTotals(scope string) (keys, bytes int64, err error) {
	err = tx.row(`SELECT keys, bytes FROM answer_totals WHERE scope = $1`, []any{scope}, &keys, &bytes)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, 0, nil
	}
	return keys, bytes, err
}

// FinishAnswer keeps the answer of the request that began it, without the body
// where that is too much for the scope. One that is gone, because it expired, or
// was done before, is left as it is.
func (db *DB) FinishAnswer(ctx context.Context, a Answer, most AnswerLimits) error {
	return db.add(ctx, func(tx *Tx) error {
		_, kept, err := tx.answerTotals(a.Scope)
		if err != nil {
			return err
		}
		var body any
		size := int64(len(a.Body))
		if a.Body != nil && size <= MaxAnswer && kept+size <= most.Bytes {
			body = a.Body
		} else {
			size = 0
		}
		n, err := tx.exec(`UPDATE answers SET state = 'done', status = $1, head = $2, body = $3, expires_at = $4 WHERE scope = $5 AND key = $6 AND request = $7 AND state = 'running'`,
			int64(a.Status), a.Head, body, micros(a.ExpiresAt), a.Scope, a.Key, a.Request)
		if err != nil || n == 0 || size == 0 {
			return err
		}
		return tx.addAnswers(a.Scope, 0, size)
	})
}

// DropAnswer forgets that a request ran, because it was refused before it cost
// anything: the next one under its key is the first. One that is done stays.
func (db *DB) DropAnswer(ctx context.Context, scope, key, request string) error {
	return db.add(ctx, func(tx *Tx) error {
		n, err := tx.exec(`DELETE FROM answers WHERE scope = $1 AND key = $2 AND request = $3 AND state = 'running'`, scope, key, request)
		if err != nil || n == 0 {
			return err
		}
		return tx.addAnswers(scope, -n, 0)
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
		deleted = 0
		gone := map[string]AnswerLimits{}
		err := tx.each(`DELETE FROM answers WHERE (scope, key) IN (SELECT scope, key FROM answers WHERE expires_at <= $1 ORDER BY expires_at`+limit(most)+`) RETURNING scope, COALESCE(LENGTH(body), 0)`,
			[]any{micros(tx.now)}, func(rows *sql.Rows) error {
				var scope string
				var size int64
				err := rows.Scan(&scope, &size)
				deleted++
				gone[scope] = AnswerLimits{gone[scope].Keys + 1, gone[scope].Bytes + size}
				return err
			})
		if err != nil || deleted == 0 {
			return err
		}
		for _, scope := range slices.Sorted(maps.Keys(gone)) { // in one order, as PostgreSQL locks them
			if err := tx.addAnswers(scope, -gone[scope].Keys, -gone[scope].Bytes); err != nil {
				return err
			}
		}
		_, err = tx.exec(`DELETE FROM answer_totals WHERE keys <= 0`)
		return err
	})
	return deleted, err
}

// answer reads one; known is false when there is none.
func (tx *Tx) answer(scope, key string) (a Answer, known bool, err error) {
	a = Answer{Scope: scope, Key: key}
	var state string
	var status, deadline, expires, kept int64
	err = tx.row(`SELECT body_hash, state, request, deadline, status, head, body, CASE WHEN body IS NULL THEN 0 ELSE 1 END, expires_at FROM answers WHERE scope = $1 AND key = $2`,
		[]any{scope, key}, &a.BodyHash, &state, &a.Request, &deadline, &status, &a.Head, &a.Body, &kept, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return a, false, nil
	}
	if kept == 1 && a.Body == nil {
		a.Body = []byte{} // SQLite's driver has no empty ones
	}
	a.Done, a.Status, a.Deadline, a.ExpiresAt = state == "done", int(status), fromMicros(deadline), fromMicros(expires)
	return a, err == nil, err
}
