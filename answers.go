package sluice

import (
	"context"
	"time"
)

// Limits of requests with an Idempotency-Key.
const (
	// MaxIdempotencyKey is how long such a key may be, in bytes.
	MaxIdempotencyKey = 255
	// MaxStoredAnswer is the largest answer that is kept for a repetition.
	MaxStoredAnswer = 1 << 20
	// AnswersKept is how long an answer is kept.
	AnswersKept = 24 * time.Hour
	// MaxIdempotencyKeys is how many such keys one caller may use within the time
	// that answers are kept, unless the operator says otherwise, and
	// MaxStoredAnswers how many bytes of answers are kept for it.
	MaxIdempotencyKeys = 10_000
	MaxStoredAnswers   = 256 << 20
)

// Repeatable is a request that its client may send again under one
// Idempotency-Key without having it carried out again
// (draft-ietf-httpapi-idempotency-key-header).
type Repeatable struct {
	// Scope is whose key it is: equal keys of two callers are two keys.
	Scope string
	Key   string
	// Hash is the SHA-256 of everything that makes it the same request.
	Hash [32]byte
	// Request is the id that it runs under.
	Request RequestID
	// Deadline is when it is over at the latest, however it ends.
	Deadline time.Time
}

// StoredAnswer is what a request was answered, as its client saw it.
type StoredAnswer struct {
	Request RequestID
	Status  int
	// ContentType is that of Body, which is whole: of a stream, all its events.
	ContentType string
	Body        []byte
}

// Answers keeps what requests with an Idempotency-Key were answered. It is part
// of Admission's authority: what it has let through is not let through again by
// any gateway, whatever dies meanwhile. Implementations are safe for concurrent
// use and durable when a call returns.
type Answers interface {
	// Find is what Begin would answer a repetition, without claiming the key; nil
	// for a key that is not known. It writes nothing.
	Find(ctx context.Context, r Repeatable) (*StoredAnswer, error)
	// Begin claims the key for a request. nil means that the request may run, and
	// that End is to be called. Otherwise it ran before, and the answer is to be
	// repeated. Errors: [CodeInProgress] while it runs; [CodeConflict], with its
	// "request_id" in the details, when it has ended and its answer was not kept;
	// [CodeIdempotency] when the key was used for another request;
	// [CodeRequestRate] when the caller uses too many keys; [CodeUnavailable] when
	// it cannot be told: the key may be claimed then, and End is to be called.
	Begin(ctx context.Context, r Repeatable) (*StoredAnswer, error)
	// End says how the request ended. With an answer it is kept, unless the caller
	// has too much kept already; with nil and done,
	// it is known to have ended; without done the key is free again, because
	// nothing was carried out.
	End(ctx context.Context, r Repeatable, answer *StoredAnswer, done bool) error
}
