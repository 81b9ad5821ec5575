package link

import (
	"cmp"
	"context"
	"encoding/hex"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

// AnswerStore keeps answers in a database.
type AnswerStore interface {
	FindAnswer(ctx context.Context, scope, key string) (was store.Answer, known bool, err error)
	BeginAnswer(ctx context.Context, a store.Answer, most store.AnswerLimits) (was store.Answer, first bool, err error)
	FinishAnswer(ctx context.Context, a store.Answer, most store.AnswerLimits) error
	DropAnswer(ctx context.Context, scope, key, request string) error
}

// Answers keeps answers to requests with an Idempotency-Key in the database of
// its process. It implements [sluice.Answers].
type Answers struct {
	store AnswerStore
	now   func() time.Time
	most  store.AnswerLimits
}

// AnswersConfig is what answers need.
type AnswersConfig struct {
	Store AnswerStore
	Now   func() time.Time
	// Most is what is kept for one caller; zeros are the limits of package sluice.
	Most store.AnswerLimits
}

var _ sluice.Answers = (*Answers)(nil)

// NewAnswers returns answers in a store.
func NewAnswers(cfg AnswersConfig) *Answers {
	most := cfg.Most
	most.Keys, most.Bytes = cmp.Or(most.Keys, sluice.MaxIdempotencyKeys), cmp.Or(most.Bytes, sluice.MaxStoredAnswers)
	return &Answers{cfg.Store, cfg.Now, most}
}

// Find implements [sluice.Answers].
func (a *Answers) Find(ctx context.Context, r sluice.Repeatable) (*sluice.StoredAnswer, error) {
	was, known, err := a.store.FindAnswer(ctx, r.Scope, r.Key)
	switch {
	case err != nil:
		return nil, unknownKey(err)
	case !known:
		return nil, nil
	}
	return a.repeat(was, a.row(r))
}

// Begin implements [sluice.Answers]. A request that is still noted as running
// after its deadline died with its process.
func (a *Answers) Begin(ctx context.Context, r sluice.Repeatable) (*sluice.StoredAnswer, error) {
	want := a.row(r)
	was, first, err := a.store.BeginAnswer(ctx, want, a.most)
	switch {
	case sluice.CodeOf(err) == sluice.CodeRequestRate:
		return nil, err
	case err != nil:
		return nil, unknownKey(err)
	case first:
		return nil, nil
	}
	return a.repeat(was, want)
}

func unknownKey(err error) error {
	return sluice.Errorf(sluice.CodeUnavailable, "the Idempotency-Key cannot be looked up now").After(1).Because(err)
}

// repeat is what a repetition is answered.
func (a *Answers) repeat(was, want store.Answer) (*sluice.StoredAnswer, error) {
	switch {
	case was.BodyHash != want.BodyHash:
		return nil, sluice.Errorf(sluice.CodeIdempotency, "the Idempotency-Key was used for another request").With("request_id", was.Request)
	case !was.Done && a.now().Before(was.Deadline):
		return nil, sluice.Errorf(sluice.CodeInProgress, "request %s with this Idempotency-Key is in progress", was.Request).With("request_id", was.Request).After(1)
	case !was.Done || was.Body == nil:
		return nil, sluice.Errorf(sluice.CodeConflict, "request %s with this Idempotency-Key has ended, and its answer was not kept", was.Request).With("request_id", was.Request)
	}
	answer := &sluice.StoredAnswer{Status: was.Status, ContentType: was.Head, Body: was.Body}
	request, err := sluice.ParseRequestID(was.Request)
	answer.Request = request
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
	return a.store.FinishAnswer(ctx, row, a.most)
}

// row is the request as the database has it.
func (a *Answers) row(r sluice.Repeatable) store.Answer {
	return store.Answer{
		Scope: r.Scope, Key: r.Key, BodyHash: hex.EncodeToString(r.Hash[:]), Request: r.Request.String(),
		Deadline: r.Deadline, ExpiresAt: a.now().Add(sluice.AnswersKept),
	}
}
