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
	sum, of := sha256.Sum256([]byte(scope+"\x00"+key)), sha256.Sum256([]byte(scope))
	return []string{r.redis.key(keyAnswer + hex.EncodeToString(sum[:])), r.redis.key(keyAnswers + hex.EncodeToString(of[:]))}
}

// hour is under which hour's total a caller's answer is counted.
func (r *RedisAnswers) hour() int64 { return r.now().Unix() / 3600 }

// FindAnswer implements [AnswerStore].
func (r *RedisAnswers) FindAnswer(ctx context.Context, scope, key string) (was store.Answer, known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, answersTimeout)
	defer cancel()
	reply, err := r.redis.client.HMGet(ctx, r.name(scope, key)[0], "hash", "request", "deadline", "state", "status", "head", "body").Result()
	if err != nil {
		return was, false, fmt.Errorf("look up an Idempotency-Key: %w", err)
	}
	if len(reply) < 2 || reply[1] == nil {
		return was, false, nil
	}
	was, err = readAnswer(store.Answer{Scope: scope, Key: key}, reply)
	return was, err == nil, err
}

// BeginAnswer implements [AnswerStore].
func (r *RedisAnswers) BeginAnswer(ctx context.Context, a store.Answer, most store.AnswerLimits) (was store.Answer, first bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, answersTimeout)
	defer cancel()
	reply, err := answerBeginScript.Run(ctx, r.redis.client, r.name(a.Scope, a.Key),
		a.BodyHash, a.Request, a.Deadline.UnixMicro(), a.ExpiresAt.Sub(r.now()).Milliseconds(), r.hour(), most.Keys).Slice()
	if err != nil {
		return a, false, fmt.Errorf("claim an Idempotency-Key: %w", err)
	}
	switch len(reply) {
	case 0:
		return a, true, nil
	case 1:
		return a, false, sluice.Errorf(sluice.CodeRequestRate, "more than %d Idempotency-Keys were used within %s", most.Keys, sluice.AnswersKept).After(60)
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
func (r *RedisAnswers) FinishAnswer(ctx context.Context, a store.Answer, most store.AnswerLimits) error {
	args := []any{a.Request, "done", a.Status, a.Head, a.ExpiresAt.Sub(r.now()).Milliseconds(), r.hour(), most.Bytes}
	if a.Body != nil && len(a.Body) <= store.MaxAnswer {
		args = append(args, a.Body)
	}
	return r.end(ctx, a.Scope, a.Key, args)
}

// DropAnswer implements [AnswerStore].
func (r *RedisAnswers) DropAnswer(ctx context.Context, scope, key, request string) error {
	return r.end(ctx, scope, key, []any{request, "drop", 0, "", 0, r.hour(), 0})
}

func (r *RedisAnswers) end(ctx context.Context, scope, key string, args []any) error {
	ctx, cancel := context.WithTimeout(ctx, answersTimeout)
	defer cancel()
	if err := answerEndScript.Run(ctx, r.redis.client, r.name(scope, key), args...).Err(); err != nil {
		return fmt.Errorf("end a request with an Idempotency-Key: %w", err)
	}
	return nil
}
