package link

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

// AnswerStore keeps answers in a database.
type AnswerStore interface {
	BeginAnswer(ctx context.Context, a store.Answer) (was store.Answer, first bool, err error)
	FinishAnswer(ctx context.Context, a store.Answer) error
	DropAnswer(ctx context.Context, scope, key, request string) error
}

// Answers keeps answers to requests with an Idempotency-Key in the database of
// its process. It implements [sluice.Answers].
type Answers struct {
	store AnswerStore
	now   func() time.Time
}

var _ sluice.Answers = (*Answers)(nil)

// NewAnswers returns answers in a store.
func NewAnswers(s AnswerStore, now func() time.Time) *Answers { return &Answers{s, now} }

// Begin implements [sluice.Answers]. A request that is still noted as running
// after its deadline died with its process.
func (a *Answers) Begin(ctx context.Context, r sluice.Repeatable) (*sluice.StoredAnswer, error) {
	want := a.row(r)
	was, first, err := a.store.BeginAnswer(ctx, want)
	switch {
	case err != nil:
		return nil, sluice.Errorf(sluice.CodeUnavailable, "the Idempotency-Key cannot be looked up now").After(1).Because(err)
	case first:
		return nil, nil
	case was.BodyHash != want.BodyHash:
		return nil, sluice.Errorf(sluice.CodeIdempotency, "the Idempotency-Key was used for another request").With("request_id", was.Request)
	case !was.Done && a.now().Before(was.Deadline):
		return nil, sluice.Errorf(sluice.CodeInProgress, "request %s with this Idempotency-Key is in progress", was.Request).With("request_id", was.Request).After(1)
	case !was.Done || was.Body == nil:
		return nil, sluice.Errorf(sluice.CodeConflict, "request %s with this Idempotency-Key has ended, and its answer was not kept", was.Request).With("request_id", was.Request)
	}
	answer := &sluice.StoredAnswer{Status: was.Status, ContentType: was.Head, Body: was.Body}
	answer.Request, err = sluice.ParseRequestID(was.Request)
	return answer, err
}

// End implements [sluice.Answers].
func (a *Answers) End(ctx context.Context, r sluice.Repeatable, answer *sluice.StoredAnswer, done bool) error {
	row := a.row(r)
	if answer == nil && !done {
		return a.store.DropAnswer(ctx, row.Scope, row.Key, row.Request)
	}
	if answer != nil {
		row.Status, row.Head, row.Body = answer.Status, answer.ContentType, answer.Body
	}
	return a.store.FinishAnswer(ctx, row)
}

// row is the request as the database has it.
func (a *Answers) row(r sluice.Repeatable) store.Answer {
	return store.Answer{
		Scope: r.Scope, Key: r.Key, BodyHash: hex.EncodeToString(r.Hash[:]), Request: r.Request.String(),
		Deadline: r.Deadline, ExpiresAt: a.now().Add(sluice.AnswersKept),
	}
}
