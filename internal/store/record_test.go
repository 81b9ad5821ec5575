package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// records makes n of them, a minute apart, alternating tenant and model.
func records(n int) []sluice.Record {
	out := make([]sluice.Record, n)
	for i := range out {
		out[i] = sluice.Record{
			ID: fmt.Sprintf("r-%04d", i), Time: noon.Add(time.Duration(i) * time.Minute),
			Tenant: []string{"acme", "globex"}[i%2], User: "ann", Key: "k", Model: []string{"a", "b", "c"}[i%3], Provider: "p", Route: "openai",
			Outcome: []sluice.Outcome{sluice.OutcomeComplete, sluice.OutcomeError, sluice.OutcomeClientGone, sluice.OutcomeComplete}[i%4],
			Usage:   sluice.Usage{Input: 10, Output: int64(i)}, LatencyMS: 100, TTFTMS: 7,
			Attempts: []sluice.Attempt{{Target: "p", Status: 200}},
		}
	}
	return out
}

// Lost if it fails: a request is counted twice, or not at all.
func TestRecordsAreStoredOnce(t *testing.T) {
	db := open(t, place(t))
	ctx := t.Context()
	all := records(1201)
	must(t, db.InsertRecords(ctx, all[:700]))
	must(t, db.InsertRecords(ctx, all)) // overlaps, and takes two transactions
	rows, err := db.Usage(ctx, sluice.UsageQuery{})
	must(t, err)
	if len(rows) != 1 || rows[0].Requests != 1201 || rows[0].Usage.Input != 12010 || rows[0].LatencyMS != 120100 || rows[0].Errors != 300 {
		t.Errorf("usage %+v", rows)
	}
}

// Lost if it fails: the list of requests skips, repeats or mixes tenants.
func TestRecordsPageNewestFirst(t *testing.T) {
	db := open(t, place(t))
	ctx := t.Context()
	all := records(60)
	all[10].Time, all[12].Time = all[8].Time, all[8].Time // equal times across pages
	must(t, db.InsertRecords(ctx, all))
	seen := map[string]bool{}
	q := sluice.RecordQuery{Tenant: "acme", Limit: 7}
	var last time.Time
	for range 10 {
		page, err := db.Records(ctx, q)
		must(t, err)
		for _, r := range page.Items {
			if r.Tenant != "acme" || seen[r.ID] || !last.IsZero() && r.Time.After(last) || len(r.Attempts) != 1 {
				t.Errorf("unexpected %+v", r)
			}
			seen[r.ID], last = true, r.Time
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if len(seen) != 30 {
		t.Errorf("%d records in all pages", len(seen))
	}
	page, err := db.Records(ctx, sluice.RecordQuery{Model: "a", Outcome: "error", From: noon, To: noon.Add(30 * time.Minute)})
	must(t, err)
	if len(page.Items) != 2 || page.Items[0].ID != "r-0021" || page.Items[1].ID != "r-0009" {
		t.Errorf("filters let through %+v", page.Items)
	}
	for _, cursor := range []string{"x", "!!", "MTIz"} {
		_, err := db.Records(ctx, sluice.RecordQuery{Cursor: cursor})
		wants(t, err, sluice.CodeInvalidRequest, "cursor "+cursor)
	}
}

// Lost if it fails: sums per dimension and hour that people are billed by later.
func TestUsageByDimension(t *testing.T) {
	db := open(t, place(t))
	ctx := t.Context()
	must(t, db.InsertRecords(ctx, records(120)))
	rows, err := db.Usage(ctx, sluice.UsageQuery{RecordQuery: sluice.RecordQuery{Tenant: "acme"}, GroupBy: []string{"hour", "model"}})
	must(t, err)
	if len(rows) != 6 {
		t.Fatalf("%d rows: %+v", len(rows), rows)
	}
	if g := rows[0].Group; g["hour"] != "2026-03-01T12:00:00Z" || g["model"] != "a" || rows[0].Requests != 10 || rows[0].Usage.Input != 100 {
		t.Errorf("first row %+v", rows[0])
	}
	if g := rows[5].Group; g["hour"] != "2026-03-01T13:00:00Z" || g["model"] != "c" {
		t.Errorf("last row %+v", rows[5])
	}
	days, err := db.Usage(ctx, sluice.UsageQuery{GroupBy: []string{"day"}})
	must(t, err)
	if len(days) != 1 || days[0].Group["day"] != "2026-03-01T00:00:00Z" || days[0].Requests != 120 {
		t.Errorf("days %+v", days)
	}
	for _, bad := range [][]string{{"doc"}, {"time; DROP TABLE records"}, {"day", "day"}} {
		_, err := db.Usage(ctx, sluice.UsageQuery{GroupBy: bad})
		wants(t, err, sluice.CodeInvalidRequest, fmt.Sprint(bad))
	}
	none, err := db.Usage(ctx, sluice.UsageQuery{RecordQuery: sluice.RecordQuery{Tenant: "nobody"}})
	if err != nil || len(none) != 0 {
		t.Errorf("nobody used %+v, %v", none, err)
	}
}

// Lost if it fails: "last used" goes back in time, or counts as a change.
func TestTouchKeys(t *testing.T) {
	db := open(t, place(t))
	ctx := t.Context()
	k := &sluice.Key{TokenHash: "h"}
	k.Tenant, k.Name = "acme", "k"
	must(t, db.Write(ctx, func(tx *store.Tx) error { return tx.Insert(k) }))
	must(t, db.TouchKeys(ctx, map[uint64]time.Time{k.ID: noon, 999: noon}))
	must(t, db.TouchKeys(ctx, map[uint64]time.Time{k.ID: noon.Add(-time.Hour)}))
	must(t, db.TouchKeys(ctx, nil))
	must(t, db.Read(ctx, func(tx *store.Tx) error {
		o, err := tx.ByID(sluice.KindKey, k.ID)
		must(t, err)
		if got := o.(*sluice.Key); !got.LastUsedAt.Equal(noon) || got.Version != 1 {
			t.Errorf("key %+v", got)
		}
		return nil
	}))
}

// Lost if it fails: the books grow for ever, or young records go with the old.
func TestDeleteRecordsTakesTheOldest(t *testing.T) {
	db := open(t, place(t))
	ctx := t.Context()
	must(t, db.InsertRecords(ctx, records(30)))
	for _, want := range []int{8, 2, 0} {
		n, err := db.DeleteRecords(ctx, noon.Add(10*time.Minute), 8)
		must(t, err)
		if n != want {
			t.Errorf("removed %d, want %d", n, want)
		}
	}
	page, err := db.Records(ctx, sluice.RecordQuery{Limit: 100})
	must(t, err)
	if len(page.Items) != 20 || page.Items[19].ID != "r-0010" {
		t.Errorf("%d records are left, the last is %+v", len(page.Items), page.Items[len(page.Items)-1])
	}
}
