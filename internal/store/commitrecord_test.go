package store_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/ledger"
)

// Lost if it fails: records of charged requests differ from those of others, come
// twice, or one of them with a strange name keeps the ledger from being written.
func TestCommitKeepsRecords(t *testing.T) {
	db := open(t, place(t))
	b := newBooks(t, db)
	full := sluice.Record{
		ID: requestOf(1).String(), Time: noon, Tenant: "acme", User: "u", Key: "k", Model: "a\x00b\xffc", Provider: "p", Route: "r", Outcome: sluice.OutcomeComplete,
		LatencyMS: 7, Usage: sluice.Usage{Input: 3, Output: -1}, Cost: sluice.Money{Amount: 5, Asset: "USD"}, Path: "/" + strings.Repeat("long", 9000), Status: 200,
	}
	var records []*sluice.Record
	for n := range 200 { // several chunks of a COPY
		r := full
		r.ID, r.Time = requestOf(n).String(), noon.Add(time.Duration(n)*time.Millisecond)
		records = append(records, &r)
	}
	must(t, db.InsertRecords(t.Context(), []sluice.Record{*records[0]}))
	for _, batch := range []ledger.Batch{
		{Records: records[1:100], Positions: map[string]uint64{"g": 1}},
		{Records: records[1:100], Positions: map[string]uint64{"g": 1}}, // its answer was lost
		{Records: records, Positions: map[string]uint64{"g": 2}},
	} {
		must(t, b.store.Commit(t.Context(), batch))
	}
	for n, want := range records {
		got, err := db.Records(t.Context(), sluice.RecordQuery{From: want.Time, To: want.Time.Add(time.Millisecond)})
		must(t, err)
		want.Model = "a\uFFFDb\uFFFDc"
		if len(got.Items) != 1 || !reflect.DeepEqual(got.Items[0], *want) {
			t.Fatalf("record %d is %+v", n, got.Items)
		}
	}
}
