package gateway_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/gateway"
)

// forgetful claims a key and loses the word of it, the first time.
type forgetful struct {
	sluice.Answers
	begun atomic.Int64
}

// Begin implements sluice.Answers.
func (f *forgetful) Begin(ctx context.Context, r sluice.Repeatable) (*sluice.StoredAnswer, error) {
	answer, err := f.Answers.Begin(ctx, r)
	if f.begun.Add(1) == 1 {
		return nil, sluice.Errorf(sluice.CodeUnavailable, "no answer in time").After(1)
	}
	return answer, err
}

// A key that was claimed, though nobody heard of it, would be in progress until its
// deadline, and then of a request that ended, without one ever having run.
func TestKeyOfAnUnclearClaimIsFree(t *testing.T) {
	onEveryTransport(t, testKeyOfAnUnclearClaimIsFree)
}

func testKeyOfAnUnclearClaimIsFree(t *testing.T, transport transport) {
	m := newMoney(t, transport, setting{options: []option{func(g *gateway.Config, _ *limits) { g.Answers = &forgetful{Answers: g.Answers} }}})
	m.topUp(acme, usd(1_000_000))
	if a := m.chat("", keyed("k")); a.status != 503 || a.errorCode() != sluice.CodeUnavailable || len(m.up.Requests()) != 0 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := m.again("", keyed("k")); a.status != 200 || a.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	m.exact()
	if b := m.balance(acme); b.Available != b.Posted {
		t.Errorf("something is still held: %+v", b)
	}
}
