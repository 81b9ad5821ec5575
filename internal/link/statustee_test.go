package link_test

import (
	"context"
	"errors"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
)

// sink is a function that takes reports.
type sink func(context.Context, sluice.GatewayStatus) error

func (s sink) Report(ctx context.Context, status sluice.GatewayStatus) error { return s(ctx, status) }

// Losing this means that a gateway which control does not answer looks dead in
// Redis, and the others take its share of every limit.
func TestStatusTeeDoesNotWaitForASinkThatHangs(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	hangs := sink(func(ctx context.Context, _ sluice.GatewayStatus) error {
		<-ctx.Done()
		return ctx.Err()
	})
	works := sink(func(ctx context.Context, _ sluice.GatewayStatus) error {
		defer cancel() // the other one is let go only now
		return ctx.Err()
	})
	broken := errors.New("broken")
	err := link.StatusTee{hangs, sink(func(context.Context, sluice.GatewayStatus) error { return broken }), works}.Report(ctx, sluice.GatewayStatus{})
	if !errors.Is(err, broken) || !errors.Is(err, context.Canceled) {
		t.Errorf("the report ended with %v", err)
	}
}
