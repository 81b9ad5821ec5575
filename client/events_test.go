package client_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/client"
	"github.com/sluicegate/sluice/test/controlsuite"
)

// as is a client of a real API for one person.
func as(t *testing.T, w *controlsuite.World, p controlsuite.Person) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{BaseURL: w.URL, Token: w.Token(t, p)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestEvents keeps anomalies and alarms in sight of who has to act on them: every
// one of them, once, newest first and with what it says, and of nobody else.
func TestEvents(t *testing.T) {
	w := controlsuite.StartPeopled(t, nil)
	for i, kind := range []string{sluice.EventAnomaly, sluice.EventAlarm, sluice.EventAnomaly, sluice.EventViolation, sluice.EventAnomaly} {
		e := sluice.Event{ID: fmt.Sprint("e-", i), Kind: kind, Subject: "acme & co", Data: json.RawMessage(fmt.Sprintf(`{"n":%d}`, i))}
		if err := w.DB.AddEvents(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	root := as(t, w, controlsuite.Root)
	read := func(q sluice.EventQuery) (ids []string, pages int) {
		for ; pages < 10; pages++ {
			page, err := root.Events(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page.Items {
				if e.At.IsZero() || e.Subject != "acme & co" || string(e.Data) != `{"n":`+e.ID[2:]+`}` {
					t.Errorf("an event says %+v, data %s", e, e.Data)
				}
				ids = append(ids, e.ID)
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				return ids, pages + 1
			}
		}
		t.Fatal("the pages have no end")
		return nil, 0
	}
	for name, c := range map[string]struct {
		q     sluice.EventQuery
		want  []string
		pages int
	}{
		"all":               {sluice.EventQuery{}, []string{"e-4", "e-3", "e-2", "e-1", "e-0"}, 1},
		"in pages":          {sluice.EventQuery{Limit: 2}, []string{"e-4", "e-3", "e-2", "e-1", "e-0"}, 3},
		"of a kind":         {sluice.EventQuery{Kind: sluice.EventAnomaly}, []string{"e-4", "e-2", "e-0"}, 1},
		"of a kind, paged":  {sluice.EventQuery{Kind: sluice.EventAnomaly, Limit: 1}, []string{"e-4", "e-2", "e-0"}, 3},
		"of a kind unknown": {sluice.EventQuery{Kind: "ledger.anomaly&limit=1"}, nil, 1},
	} {
		if ids, pages := read(c.q); !slices.Equal(ids, c.want) || pages != c.pages {
			t.Errorf("%s: %v in %d pages, want %v in %d", name, ids, pages, c.want, c.pages)
		}
	}
	for name, q := range map[string]sluice.EventQuery{"page too large": {Limit: 501}, "cursor of nobody": {Cursor: "x"}} {
		if _, err := root.Events(t.Context(), q); sluice.CodeOf(err) != sluice.CodeInvalidRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
	if page, err := as(t, w, controlsuite.AcmeAdmin).Events(t.Context(), sluice.EventQuery{}); sluice.CodeOf(err) != sluice.CodeForbidden || len(page.Items) > 0 {
		t.Errorf("a tenant's admin reads %+v, %v", page, err)
	}
}
