package controlsuite

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
)

// priced is a price of a model, in USD per token.
func priced(model, tenant string, from time.Time, input sluice.Rate) sluice.Price {
	return sluice.Price{Model: model, Tenant: tenant, Asset: "USD", From: from, Rates: map[sluice.Unit]sluice.Rate{sluice.UnitInput: input}}
}

// wantPrices lists prices and compares their versions.
func wantPrices(t *testing.T, f Face, q sluice.PriceQuery, want string) {
	t.Helper()
	page, err := f.Prices(ctx(t), q)
	must(t, err)
	got := []uint64{}
	for _, p := range page.Items {
		got = append(got, p.Version)
	}
	if fmt.Sprint(got) != want {
		t.Errorf("%+v: versions %v, want %s", q, got, want)
	}
}

// prices would let a price be changed, back-dated, made by those who pay, or seen
// by a competitor.
func prices(t *testing.T, w *World, open Opener) {
	f, boss, other := open(t, w, Root), open(t, w, AcmeAdmin), open(t, w, OtherAdmin)
	later := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	trial, err := f.CreatePrice(ctx(t), priced("m", "", later, 1), true)
	must(t, err)
	wantPrices(t, f, sluice.PriceQuery{}, "[]")
	first, err := f.CreatePrice(ctx(t), priced("m", "", time.Time{}, 2_500_000_000), false)
	must(t, err)
	if trial.Version == 0 || first.Version != 1 || first.From.IsZero() {
		t.Errorf("trial %+v, first %+v", trial, first)
	}
	for _, p := range []sluice.Price{priced("m", "", later, 3), priced("m", "acme", later, 4), priced("m", "other", later, 5)} {
		_, err = f.CreatePrice(ctx(t), p, false)
		must(t, err)
	}
	for field, p := range map[string]sluice.Price{
		"/asset":       {Model: "m", Asset: "UDS", From: later, Free: true},
		"/model":       {Asset: "USD", From: later, Free: true},
		"/rates":       {Model: "m", Asset: "USD", From: later},
		"/rates/input": priced("m", "", later.Add(1), -1),
		"/tenant":      priced("m", "nobody", later, 1),
	} {
		_, err := f.CreatePrice(ctx(t), p, false)
		wantCode(t, err, sluice.CodeInvalidRequest, field)
	}
	_, err = f.CreatePrice(ctx(t), priced("m", "", later, 9), false)
	wantCode(t, err, sluice.CodeConflict, "/from")
	_, err = f.CreatePrice(ctx(t), priced("m", "", later.Add(-2*time.Hour), 9), false)
	wantCode(t, err, sluice.CodeConflict, "/from")

	wantPrices(t, f, sluice.PriceQuery{}, "[1 2 3 4]")
	wantPrices(t, f, sluice.PriceQuery{Tenant: "acme", At: later}, "[3]")
	wantPrices(t, f, sluice.PriceQuery{At: later, Model: "m"}, "[2 3 4]")
	wantPrices(t, boss, sluice.PriceQuery{}, "[1 2 3]")
	wantPrices(t, open(t, w, AcmeReader), sluice.PriceQuery{Tenant: "acme", At: time.Now().Add(time.Second)}, "[1]")
	page, err := boss.Prices(ctx(t), sluice.PriceQuery{Limit: 2})
	must(t, err)
	wantPrices(t, boss, sluice.PriceQuery{Limit: 2, Cursor: page.Next}, "[3]")

	own, err := boss.Price(ctx(t), 3)
	if err != nil || own.Rates[sluice.UnitInput] != 4 {
		t.Errorf("the own price: %+v, %v", own, err)
	}
	_, err = other.Price(ctx(t), 3)
	wantCode(t, err, sluice.CodeNotFound, "")
	_, err = other.Prices(ctx(t), sluice.PriceQuery{Tenant: "acme"})
	wantCode(t, err, sluice.CodeNotFound, "")
	_, err = boss.CreatePrice(ctx(t), priced("m", "acme", later.Add(1), 1), false)
	wantCode(t, err, sluice.CodeForbidden, "")
	_, err = open(t, w, AcmeDev).Prices(ctx(t), sluice.PriceQuery{})
	wantCode(t, err, sluice.CodeForbidden, "")
	log, err := f.Audit(ctx(t), sluice.AuditQuery{Tenant: "*", Kind: sluice.KindPrice})
	must(t, err)
	if len(log.Items) != 4 || log.Items[0].Tenant != "other" || log.Items[0].ObjectID != 4 || !strings.Contains(string(log.Items[0].Diff), `"rates"`) {
		t.Errorf("the audit log says %+v", log.Items)
	}
}

// priceFiles would apply half of a file, or an export that cannot be read again.
func priceFiles(t *testing.T, w *World, open Opener) {
	f := open(t, w, Root)
	table := "model,tenant,asset,from,free,input_per_million,output_per_million\n" +
		"a,,USD,2199-01-01T00:00:00Z,,2.5,10\n" +
		"b,acme,EUR,2199-01-01T00:00:00Z,true,,\n"
	for _, bad := range []string{"c,,USD,2199-01-01T00:00:00Z,,-1,\n", "c,,USD,2001-01-01T00:00:00Z,,1,\n", "a,,USD,2199-01-01T00:00:00Z,,1,\n", "c,,USD,,,x,\n"} {
		_, err := f.ImportPrices(ctx(t), sluice.PriceCSV, []byte(table+bad), false)
		if err == nil || !strings.Contains(err.Error(), "line 4") {
			t.Errorf("%q is refused with %v", bad, err)
		}
	}
	wantPrices(t, f, sluice.PriceQuery{}, "[]")
	for _, dryRun := range []bool{true, false} {
		made, err := f.ImportPrices(ctx(t), sluice.PriceCSV, []byte(table), dryRun)
		must(t, err)
		if len(made) != 2 || made[0].Rates[sluice.UnitInput] != 2_500_000_000 || !made[1].Free {
			t.Errorf("dry run %t made %+v", dryRun, made)
		}
	}
	for _, format := range []sluice.PriceFormat{sluice.PriceJSON, sluice.PriceCSV} {
		text, err := f.ExportPrices(ctx(t), sluice.PriceQuery{}, format)
		must(t, err)
		made, err := f.ImportPrices(ctx(t), format, text, false)
		if err != nil || len(made) != 0 {
			t.Errorf("%s again: %+v, %v", format, made, err)
		}
	}
	_, err := open(t, w, AcmeAdmin).ImportPrices(ctx(t), sluice.PriceCSV, []byte(table), true)
	wantCode(t, err, sluice.CodeForbidden, "")
	theirs, err := open(t, w, OtherAdmin).ExportPrices(ctx(t), sluice.PriceQuery{}, sluice.PriceCSV)
	if err != nil || strings.Contains(string(theirs), "acme") {
		t.Errorf("another tenant exports %s, %v", theirs, err)
	}
	load := sluice.CatalogLoad{Names: []string{"openai/gpt-4o"}}
	made, err := f.LoadPrices(ctx(t), load, false)
	if err != nil || len(made) != 1 || made[0].Rates[sluice.UnitInput] != 2_500_000_000 {
		t.Errorf("loaded %+v, %v", made, err)
	}
	load.Overwrite = true
	if made, err = f.LoadPrices(ctx(t), load, false); err != nil || len(made) != 0 {
		t.Errorf("loaded again %+v, %v", made, err)
	}
}

// recordCosts would leave people with a number that nobody can explain, or show
// it to strangers.
func recordCosts(t *testing.T, w *World, open Opener) {
	f := open(t, w, Root)
	p, err := f.CreatePrice(ctx(t), priced("m", "", time.Time{}, 2_500_000_000), false)
	must(t, err)
	const id = "019ca945-0a7b-7abc-8def-0123456789ab"
	made, err := sluice.ParseRequestID(id)
	must(t, err)
	must(t, w.DB.InsertRecords(ctx(t), []sluice.Record{{
		ID: id, Time: made.Time(), Tenant: "acme", User: "boss", Model: "m", Outcome: sluice.OutcomeComplete, Usage: sluice.Usage{Input: 1000},
		Price: sluice.PriceRef{Version: p.Version, Multiplier: 1_500_000}, Cost: sluice.Money{Amount: 3_750_000, Asset: "USD"},
	}}))
	_, err = f.CreatePrice(ctx(t), priced("m", "", time.Time{}, 9), false) // what holds now does not matter
	must(t, err)
	for _, who := range []Person{Root, AcmeAdmin, AcmeReader} {
		c, err := open(t, w, who).RecordCost(ctx(t), id)
		must(t, err)
		if len(c.Lines) != 1 || c.Lines[0].Unit != sluice.UnitInput || c.Lines[0].Quantity != 1000 || c.Lines[0].Amount != c.Cost.Amount ||
			c.Cost != (sluice.Money{Amount: 3_750_000, Asset: "USD"}) || c.Price.Version != p.Version || c.Multiplier != 1_500_000 || c.Reason == "" {
			t.Errorf("%s is told %+v", who.Name, c)
		}
	}
	for _, who := range []Person{AcmeDev, OtherAdmin} {
		_, err := open(t, w, who).RecordCost(ctx(t), id)
		wantCode(t, err, sluice.CodeNotFound, "")
	}
	_, err = f.RecordCost(ctx(t), "019ca945-0a7b-7abc-8def-0123456789ac")
	wantCode(t, err, sluice.CodeNotFound, "")
	rows, err := f.Usage(ctx(t), sluice.UsageQuery{RecordQuery: sluice.RecordQuery{Tenant: "acme"}})
	if err != nil || len(rows) != 1 || len(rows[0].Cost) != 1 || rows[0].Cost[0].Amount != 3_750_000 {
		t.Errorf("usage %+v, %v", rows, err)
	}
}
