package link_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
)

// Losing this means that a key which was just made is refused, or that a write
// waits for a gateway that does not exist.
func TestBoardAwaitsTheGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := link.NewBoard()
		b.Publish(&sluice.Snapshot{Revision: 1})
		if err := b.Await(t.Context(), 1); err != nil {
			t.Fatalf("without a gateway: %v", err)
		}
		follow, stop := context.WithCancel(t.Context())
		go func() { // ended by stop
			var seen uint64
			for {
				s, err := b.Next(follow, seen)
				if err != nil {
					return
				}
				time.Sleep(time.Second) // compiling
				seen = s.Revision
			}
		}()
		synctest.Wait()
		time.Sleep(2 * time.Second)
		b.Publish(&sluice.Snapshot{Revision: 2})
		start := time.Now()
		if err := b.Await(t.Context(), 2); err != nil || time.Since(start) != time.Second {
			t.Errorf("returned after %v with %v", time.Since(start), err)
		}
		stop()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Await(short, 3); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a revision that nobody applies: %v", err)
		}
	})
}
