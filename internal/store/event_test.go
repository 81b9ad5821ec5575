package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/ledger"
	"github.com/sluicegate/sluice/internal/store"
)

// Lost if it fails: an operator who turns pages misses anomalies, or sees them
// without end.
func TestEventPages(t *testing.T) {
	db := open(t, place(t))
	ctx := t.Context()
	for n := range 5 {
		must(t, db.AddEvents(ctx, sluice.Event{ID: fmt.Sprint(n), Kind: sluice.EventAnomaly, Data: []byte(`{}`)}, sluice.Event{ID: fmt.Sprint("other", n), Kind: "other", Data: []byte(`{}`)}))
	}
	got, q := "", sluice.EventQuery{Kind: sluice.EventAnomaly, Limit: 2}
	for range 5 {
		page, err := db.EventPage(ctx, q)
		must(t, err)
		for _, e := range page.Items {
			got += e.ID
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
		got += " "
	}
	if got != "43 21 0" {
		t.Errorf("pages %q", got)
	}
	for _, cursor := range []string{"x", "0", "-1"} {
		if _, err := db.EventPage(ctx, sluice.EventQuery{Cursor: cursor}); sluice.CodeOf(err) != sluice.CodeInvalidRequest {
			t.Errorf("cursor %q: %v", cursor, err)
		}
	}
}

// Lost if it fails: events and positions of processes that are long gone grow for
// ever, or those of today go with them.
func TestDeleteEventsAndJournals(t *testing.T) {
	db := open(t, place(t))
	ctx := t.Context()
	must(t, db.AddEvents(ctx, sluice.Event{ID: "a", Data: []byte(`{}`)}, sluice.Event{ID: "b", Data: []byte(`{}`)}, sluice.Event{ID: "c", Data: []byte(`{}`)}))
	kept, err := db.OwnLedger(ctx, "owner", time.Hour)
	must(t, err)
	for _, id := range []string{"one", "two", "three"} {
		poster := ledger.NewPoster(ledger.NewBook(ledger.Config{}), kept, time.Now)
		_, err := poster.Receive(ctx, id, 0, []ledger.Fact{{Seq: 3}})
		must(t, err)
	}
	for name, remove := range map[string]func(context.Context, time.Time, int) (int, error){"events": db.DeleteEvents, "journals": db.DeleteJournals} {
		for _, c := range []struct {
			before time.Time
			want   int
		}{{time.Now().Add(-time.Hour), 0}, {time.Now().Add(time.Hour), 2}, {time.Now().Add(time.Hour), 1}, {time.Now().Add(time.Hour), 0}} {
			n, err := remove(ctx, c.before, 2)
			must(t, err)
			if n != c.want {
				t.Errorf("%s before %s: removed %d, want %d", name, c.before, n, c.want)
			}
		}
	}
	list, err := db.Events(ctx, store.EventQuery{})
	must(t, err)
	if len(list) != 0 {
		t.Errorf("%d events are left", len(list))
	}
}
