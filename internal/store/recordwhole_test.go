package store_test

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

// full has something in every field, those added later included.
func full(t *testing.T) sluice.Record {
	t.Helper()
	var r sluice.Record
	v := reflect.ValueOf(&r).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Interface().(type) {
		case time.Time:
			f.Set(reflect.ValueOf(noon.Add(1234 * time.Microsecond)))
		case sluice.Usage:
			f.Set(reflect.ValueOf(sluice.Usage{Input: 1, CachedInput: 2, CacheWrite5m: 3, CacheWrite1h: 4, Output: 5, Reasoning: 6, AudioInput: 7, AudioOutput: 8, ImageInput: 9, Image: 10,
				Pieces: sluice.Pieces{Images: 11, AudioSeconds: 12, Characters: 13, SearchUnits: 14}}))
		case sluice.PriceRef:
			f.Set(reflect.ValueOf(sluice.PriceRef{Version: 7, Multiplier: 1_250_000}))
		case sluice.Money:
			f.Set(reflect.ValueOf(sluice.Money{Amount: 1_250_000_001, Asset: "USD"}))
		case []sluice.Attempt:
			f.Set(reflect.ValueOf([]sluice.Attempt{{Target: "p", Status: 200, LatencyMS: 3}}))
		case []sluice.PluginTrace:
			f.Set(reflect.ValueOf([]sluice.PluginTrace{{Plugin: "x"}}))
		default:
			switch f.Kind() {
			case reflect.String:
				f.SetString(v.Type().Field(i).Name)
			case reflect.Int, reflect.Int64:
				f.SetInt(int64(100 + i))
			case reflect.Uint64:
				f.SetUint(uint64(100 + i))
			case reflect.Bool:
				f.SetBool(true)
			}
		}
		if v.Field(i).IsZero() {
			t.Fatalf("the test does not fill %s", v.Type().Field(i).Name)
		}
	}
	return r
}

// Lost if it fails: a field of a record, between its columns and its document.
func TestRecordsComeBackWhole(t *testing.T) {
	db := open(t, place(t))
	want := full(t)
	must(t, db.InsertRecords(t.Context(), []sluice.Record{want, {ID: "empty"}}))
	page, err := db.Records(t.Context(), sluice.RecordQuery{})
	must(t, err)
	if len(page.Items) != 2 || !reflect.DeepEqual(page.Items[0], want) || !reflect.DeepEqual(page.Items[1], sluice.Record{ID: "empty"}) {
		t.Errorf("stored %+v\nread   %+v", want, page.Items)
	}
}

// Lost if it fails: the history of everyone who upgrades.
func TestRecordsOfSchemaOneSurvive(t *testing.T) {
	at := place(t)
	db, err := store.Open(t.Context(), at)
	must(t, err)
	must(t, db.Close())
	ddl, err := os.ReadFile("migrations/0001_schema.sql")
	must(t, err)
	_, old, ok := strings.Cut(string(ddl), "CREATE TABLE records")
	if !ok {
		t.Fatal("schema 1 has no records")
	}
	want := full(t)
	want.Price, want.Cost, want.Unpriced = sluice.PriceRef{}, sluice.Money{}, false    // as before there were prices
	want.Usage.ImageInput, want.Usage.Image, want.Usage.Pieces = 0, 9, sluice.Pieces{} // and before pieces were counted
	doc, err := json.Marshal(want)
	must(t, err)
	must(t, raw(t, at, `DROP TABLE records`, "CREATE TABLE records"+old,
		`INSERT INTO records VALUES ('`+want.ID+`', 1772366400001234, '`+want.Tenant+`', '`+want.User+`', '`+want.Key+`', '`+want.Model+`', '`+want.Provider+`', '`+
			want.Route+`', '`+string(want.Outcome)+`', `+number(t, want.LatencyMS)+`, `+number(t, want.TTFTMS)+`, 1, 2, 3, 4, 5, 6, 7, 8, 9, '`+string(doc)+`')`,
		`DROP TABLE prices`, `DROP TABLE accounts`, `DROP TABLE transfers`, `DROP TABLE holds`, `DROP TABLE journals`, `DROP TABLE ledger_owner`, `DROP TABLE events`, `DROP TABLE answers`, `DROP TABLE answer_totals`, `DROP TABLE payments`, `DROP TABLE redemption_codes`, `DELETE FROM goose_db_version WHERE version_id > 1`))
	page, err := open(t, at).Records(t.Context(), sluice.RecordQuery{User: want.User, Key: want.Key, Model: want.Model})
	must(t, err)
	if len(page.Items) != 1 || !reflect.DeepEqual(page.Items[0], want) {
		t.Errorf("wrote %+v\nread  %+v", want, page.Items)
	}
}

func number(t *testing.T, n int64) string {
	t.Helper()
	b, err := json.Marshal(n)
	must(t, err)
	return string(b)
}
