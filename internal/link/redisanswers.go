package link

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

// answersTimeout bounds one exchange about an answer: up to 1 MiB travels.
const answersTimeout = time.Second

// RedisAnswers keeps answers where gateways of many processes find them. It is an
// [AnswerStore] for [NewAnswers], as durable as Redis is.
type RedisAnswers struct {
	redis *Redis
	now   func() time.Time
}

var _ AnswerStore = (*RedisAnswers)(nil)

// NewRedisAnswers returns a store of answers in Redis.
func NewRedisAnswers(r *Redis, now func() time.Time) *RedisAnswers { return &RedisAnswers{r, now} }

// name is the key of an answer: what clients send has no place in it.
func (r *RedisAnswers) name(scope, key string) []string {
	sum := sha256.Sum256([]byte(scope + "\x00" + key))
	return []string{r.redis.key(keyAnswer + hex.EncodeToString(sum[:]))}
}

// BeginAnswer implements [AnswerStore].
func (r *RedisAnswers) BeginAnswer(ctx context.Context, a store.Answer) (was store.Answer, first bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, answersTimeout)
	defer cancel()
	reply, err := answerBeginScript.Run(ctx, r.redis.client, r.name(a.Scope, a.Key),
		a.BodyHash, a.Request, a.Deadline.UnixMicro(), a.ExpiresAt.Sub(r.now()).Milliseconds()).Slice()
	if err != nil {
		return a, false, fmt.Errorf("claim an Idempotency-Key: %w", err)
	}
	if len(reply) == 0 {
		return a, true, nil
	}
	was, err = readAnswer(a, reply)
	return was, false, err
}

// readAnswer reads the fields that the script returned.
func readAnswer(a store.Answer, reply []any) (store.Answer, error) {
	if len(reply) != 7 {
		return a, sluice.Errorf(sluice.CodeUnavailable, "an answer in Redis has %d fields", len(reply))
	}
	deadline, err := strconv.ParseInt(text(reply[2]), 10, 64)
	if err != nil {
		return a, fmt.Errorf("read the deadline of an answer: %w", err)
	}
	status, err := strconv.Atoi(cmp.Or(text(reply[4]), "0"))
	if err != nil {
		return a, fmt.Errorf("read the status of an answer: %w", err)
	}
	was := store.Answer{
		Scope: a.Scope, Key: a.Key, BodyHash: text(reply[0]), Request: text(reply[1]), Deadline: time.UnixMicro(deadline),
		Done: text(reply[3]) == "done", Status: status, Head: text(reply[5]), ExpiresAt: a.ExpiresAt,
	}
	if reply[6] != nil {
		was.Body = []byte(text(reply[6]))
	}
	return was, nil
}

// FinishAnswer implements [AnswerStore].
func (r *RedisAnswers) FinishAnswer(ctx context.Context, a store.Answer) error {
	args := []any{a.Request, "done", a.Status, a.Head, a.ExpiresAt.Sub(r.now()).Milliseconds()}
	if a.Body != nil && len(a.Body) <= store.MaxAnswer {
		args = append(args, a.Body)
	}
	return r.end(ctx, a.Scope, a.Key, args)
}

// DropAnswer implements [AnswerStore].
func (r *RedisAnswers) DropAnswer(ctx context.Context, scope, key, request string) error {
	return r.end(ctx, scope, key, []any{request, "drop", 0, "", 0})
}

func (r *RedisAnswers) end(ctx context.Context, scope, key string, args []any) error {
	ctx, cancel := context.WithTimeout(ctx, answersTimeout)
	defer cancel()
	if err := answerEndScript.Run(ctx, r.redis.client, r.name(scope, key), args...).Err(); err != nil {
		return fmt.Errorf("end a request with an Idempotency-Key: %w", err)
	}
	return nil
}
