package store_test

import (
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// Lost if it fails: requests are passed on to a process that has lost the ledger,
// or to nowhere.
func TestLedgerSaysWhereItIs(t *testing.T) {
	at := place(t)
	db := open(t, at)
	_, err := db.LedgerAddress(t.Context())
	wants(t, err, sluice.CodeUnavailable, "before the first owner")
	first, err := db.OwnLedger(t.Context(), "first", time.Minute)
	must(t, err)
	_, err = db.LedgerAddress(t.Context())
	wants(t, err, sluice.CodeUnavailable, "an owner that says nothing")
	must(t, first.Announce(t.Context(), "http://first:8081"))
	must(t, first.Renew(t.Context(), time.Minute))
	if address, err := db.LedgerAddress(t.Context()); err != nil || address != "http://first:8081" {
		t.Errorf("%q, %v", address, err)
	}
	must(t, first.Yield(t.Context()))
	_, err = db.LedgerAddress(t.Context())
	wants(t, err, sluice.CodeUnavailable, "once it was given up")
	second, err := db.OwnLedger(t.Context(), "second", time.Minute)
	must(t, err)
	_, err = db.LedgerAddress(t.Context())
	wants(t, err, sluice.CodeUnavailable, "the next owner is taken for the first")
	wants(t, first.Announce(t.Context(), "http://first:8081"), sluice.CodeConflict, "who lost the ledger says where it is")
	must(t, second.Announce(t.Context(), "http://second:8081"))
	if sluicetest.OnPostgres() {
		if address, err := open(t, at).LedgerAddress(t.Context()); err != nil || address != "http://second:8081" {
			t.Errorf("to another process: %q, %v", address, err)
		}
	}
}
