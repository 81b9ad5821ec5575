package link_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
)

// TestBoard runs the Snapshots suite on the embedded implementation.
func TestBoard(t *testing.T) {
	testSnapshots(t, func() (sluice.Snapshots, func(*sluice.Snapshot)) {
		b := link.NewBoard()
		return b, b.Publish
	})
}

// testSnapshots is the conformance suite of the Snapshots port.
func testSnapshots(t *testing.T, open func() (sluice.Snapshots, func(*sluice.Snapshot))) {
	// Lost: gateways that never see a change, or see it late.
	t.Run("waiters are woken", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			snapshots, publish := open()
			got := make(chan uint64, 2)
			for range 2 {
				go func() {
					s, err := snapshots.Next(t.Context(), 3)
					if err != nil {
						t.Error(err)
						return
					}
					got <- s.Revision
				}()
			}
			publish(&sluice.Snapshot{Revision: 3})
			synctest.Wait()
			if len(got) > 0 {
				t.Error("a known revision was delivered as news")
			}
			publish(&sluice.Snapshot{Revision: 7})
			if a, b := <-got, <-got; a != 7 || b != 7 {
				t.Errorf("got %d and %d, want 7", a, b)
			}
		})
	})
	// Lost: a gateway that goes back to an older configuration.
	t.Run("revisions only grow", func(t *testing.T) {
		snapshots, publish := open()
		for _, revision := range []uint64{5, 4, 5, 6, 2} {
			publish(&sluice.Snapshot{Revision: revision})
		}
		s, err := snapshots.Next(t.Context(), 0)
		if err != nil || s.Revision != 6 {
			t.Errorf("got %v, %v; want revision 6", s, err)
		}
	})
	// Lost: a gateway that cannot shut down while it waits.
	t.Run("the context ends the wait", func(t *testing.T) {
		snapshots, _ := open()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := snapshots.Next(ctx, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

// ledger is a sink that keeps records by id and can be broken.
type ledger struct {
	mu      sync.Mutex
	rows    map[string]sluice.Record
	broken  error
	largest int
}

func (l *ledger) InsertRecords(_ context.Context, batch []sluice.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return l.broken
	}
	l.largest = max(l.largest, len(batch))
	for _, r := range batch {
		if _, known := l.rows[r.ID]; !known {
			l.rows[r.ID] = r
		}
	}
	return nil
}

// TestIngest runs the Events suite on the embedded implementation.
func TestIngest(t *testing.T) {
	testEvents(t, func(l *ledger) sluice.Events { return link.NewIngest(l) })
}

// testEvents is the conformance suite of the Events port.
func testEvents(t *testing.T, open func(*ledger) sluice.Events) {
	batch := func(from, n int) (list []sluice.Record) {
		for i := range n {
			list = append(list, sluice.Record{ID: fmt.Sprint("r", from+i), Status: 200})
		}
		return list
	}
	// Lost: records that a gateway believes stored and are not.
	t.Run("nil means durable", func(t *testing.T) {
		l := &ledger{rows: map[string]sluice.Record{}}
		e := open(l)
		first, err := e.Publish(t.Context(), batch(0, 3))
		if err != nil || first != 3 || len(l.rows) != 3 {
			t.Fatalf("position %d, %v, %d rows", first, err, len(l.rows))
		}
		second, err := e.Publish(t.Context(), batch(3, 1200))
		if err != nil || second != 1203 || len(l.rows) != 1203 {
			t.Errorf("position %d, %v, %d rows", second, err, len(l.rows))
		}
		if l.largest > 1000 {
			t.Errorf("%d records in one transaction", l.largest)
		}
	})
	// Lost: records dropped while the database is away, or counted twice after.
	t.Run("a failed batch may come again", func(t *testing.T) {
		l := &ledger{rows: map[string]sluice.Record{}, broken: errors.New("disk is gone")}
		e := open(l)
		if _, err := e.Publish(t.Context(), batch(0, 2)); sluice.CodeOf(err) != sluice.CodeUnavailable {
			t.Fatalf("got %v, want %s", err, sluice.CodeUnavailable)
		}
		l.broken = nil
		position, err := e.Publish(t.Context(), batch(0, 2))
		if err != nil || position != 2 || len(l.rows) != 2 {
			t.Errorf("position %d, %v, %d rows", position, err, len(l.rows))
		}
	})
}

// Losing this means that the console shows gateways wrongly, or that a key's
// last use is lost or goes back in time.
func TestStatusBoard(t *testing.T) {
	b := link.NewStatusBoard()
	at := time.Unix(1_700_000_000, 0)
	report := func(name string, revision uint64, used map[uint64]time.Time) {
		t.Helper()
		if err := b.Report(t.Context(), sluice.GatewayStatus{Gateway: name, Revision: revision, Time: at, KeysUsed: used}); err != nil {
			t.Fatal(err)
		}
	}
	report("g2", 1, map[uint64]time.Time{1: at, 2: at})
	report("g1", 4, map[uint64]time.Time{1: at.Add(time.Minute)})
	report("g2", 5, map[uint64]time.Time{1: at.Add(-time.Minute)})
	if list := b.Gateways(); len(list) != 2 || list[0].Gateway != "g1" || list[1].Revision != 5 || list[1].KeysUsed != nil {
		t.Errorf("gateways %+v", list)
	}
	used := b.TakeKeysUsed()
	if len(used) != 2 || !used[1].Equal(at.Add(time.Minute)) || !used[2].Equal(at) {
		t.Errorf("keys used %v", used)
	}
	if again := b.TakeKeysUsed(); len(again) != 0 {
		t.Errorf("keys used twice: %v", again)
	}
	b.NoteKeysUsed(used)
	if back := b.TakeKeysUsed(); len(back) != 2 {
		t.Errorf("keys given back: %v", back)
	}
	if err := b.Report(t.Context(), sluice.GatewayStatus{}); sluice.CodeOf(err) != sluice.CodeInvalidRequest {
		t.Errorf("a status without a gateway: %v", err)
	}
}

// Losing this means that gateways with new names every start fill the memory.
func TestStatusBoardIsBounded(t *testing.T) {
	b := link.NewStatusBoard()
	at := time.Unix(1_700_000_000, 0)
	for i := range 1500 {
		s := sluice.GatewayStatus{Gateway: fmt.Sprintf("g%04d", i), Time: at.Add(time.Duration(i) * time.Second)}
		if err := b.Report(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	list := b.Gateways()
	if len(list) != 1000 || list[0].Gateway != "g0500" {
		t.Errorf("%d gateways, the first %s; want the 1000 youngest", len(list), list[0].Gateway)
	}
}
