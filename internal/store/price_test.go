package store_test

import (
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

// insertPrices makes versions of the price book, from version 1 on.
func insertPrices(t *testing.T, db *store.DB, prices ...sluice.Price) {
	t.Helper()
	must(t, db.Write(t.Context(), func(tx *store.Tx) error {
		for i := range prices {
			if err := tx.InsertPrice(&prices[i]); err != nil {
				return err
			}
			if _, err := tx.PriceChanged(prices[i].Version); err != nil {
				return err
			}
		}
		return nil
	}))
}

func priced(model, tenant string, from time.Time) sluice.Price {
	return sluice.Price{Model: model, Tenant: tenant, Asset: "USD", From: from, Rates: map[sluice.Unit]sluice.Rate{sluice.UnitInput: 2_500_000_000, sluice.UnitAudioSecond: 1}}
}

// versionsOf lists versions as "1 2 3".
func versionsOf(t *testing.T, db *store.DB, sel store.PriceSelection) string {
	t.Helper()
	var list []uint64
	must(t, db.Read(t.Context(), func(tx *store.Tx) error {
		prices, err := tx.Prices(sel)
		for _, p := range prices {
			list = append(list, p.Version)
		}
		return err
	}))
	return fmt.Sprint(list)
}

// Lost if it fails: a charge is explained by another price than it was made by.
func TestPricesAreNeverChanged(t *testing.T) {
	at := place(t)
	db := open(t, at)
	insertPrices(t, db, priced("a", "", noon), priced("a", "", noon.Add(time.Hour)))
	for _, statement := range []string{`UPDATE prices SET doc = '{}'`, `DELETE FROM prices`} {
		if raw(t, at, statement) == nil {
			t.Errorf("%s did its work", statement)
		}
	}
	again := priced("a", "", noon)
	err := db.Write(t.Context(), func(tx *store.Tx) error { return tx.InsertPrice(&again) })
	wants(t, err, sluice.CodeConflict, "a second price from the same moment")
	insertPrices(t, db, priced("a", "acme", noon)) // the number that failed is drawn again
	must(t, db.Read(t.Context(), func(tx *store.Tx) error {
		got, err := tx.Price(3)
		must(t, err)
		want := priced("a", "acme", noon)
		if want.Version = 3; !reflect.DeepEqual(got, want) {
			t.Errorf("stored %+v, read %+v", want, got)
		}
		from, err := tx.PriceFrom("a", "acme", noon)
		if err != nil || from.Version != 3 {
			t.Errorf("by its moment: %+v, %v", from, err)
		}
		_, err = tx.Price(9)
		wants(t, err, sluice.CodeNotFound, "an unknown version")
		return nil
	}))
}

// Lost if it fails: people see prices that they do not pay.
func TestPricesAtAMoment(t *testing.T) {
	db := open(t, place(t))
	insertPrices(t, db, priced("a", "", noon), priced("a", "", noon.Add(time.Hour)), priced("a", "acme", noon.Add(2*time.Hour)), priced("b", "globex", noon))
	for _, c := range []struct {
		sel  store.PriceSelection
		want string
	}{
		{store.PriceSelection{}, "[1 2 3 4]"},
		{store.PriceSelection{After: 1, Limit: 2}, "[2 3]"},
		{store.PriceSelection{Model: "b"}, "[4]"},
		{store.PriceSelection{Tenant: "acme"}, "[1 2 3]"},
		{store.PriceSelection{At: noon.Add(-1)}, "[]"},
		{store.PriceSelection{At: noon}, "[1 4]"},
		{store.PriceSelection{At: noon.Add(90 * time.Minute), Tenant: "acme"}, "[2]"},
		{store.PriceSelection{At: noon.Add(2 * time.Hour), Tenant: "acme"}, "[3]"},
		{store.PriceSelection{At: noon.Add(2 * time.Hour)}, "[2 3 4]"},
	} {
		if got := versionsOf(t, db, c.sel); got != c.want {
			t.Errorf("%+v: %s, want %s", c.sel, got, c.want)
		}
	}
}

// Lost if it fails: gateways miss the price that holds, or hold every price that
// ever was.
func TestSnapshotHoldsTheBookThatMatters(t *testing.T) {
	at := place(t)
	now := noon
	at.Clock = func() time.Time { return now }
	db := open(t, at)
	if s, err := db.Snapshot(t.Context()); err != nil || s.Prices != nil {
		t.Errorf("without prices: %+v, %v", s, err)
	}
	insertPrices(t, db, priced("a", "", noon), priced("a", "", noon.Add(time.Hour)), priced("a", "", noon.Add(90*time.Minute)), priced("a", "", noon.Add(9*time.Hour)))
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{0, 5}, {2 * time.Hour, 5}, {3 * time.Hour, 5}, {20 * time.Hour, 5}} {
		now = noon.Add(c.after)
		insertPrices(t, db, priced(fmt.Sprint("m", c.after), "", now))
		s, err := db.Snapshot(t.Context())
		must(t, err)
		held := map[uint64]bool{}
		for _, p := range s.Prices {
			held[p.Version] = true
		}
		// What held an hour before is there, and what follows it.
		want := map[time.Duration][]uint64{0: {1, 2, 3, 4}, 2 * time.Hour: {2, 3, 4}, 3 * time.Hour: {3, 4}, 20 * time.Hour: {4}}[c.after]
		for v := uint64(1); v <= 4; v++ {
			wanted := false
			for _, w := range want {
				wanted = wanted || w == v
			}
			if held[v] != wanted {
				t.Errorf("after %s version %d is published: %v", c.after, v, held[v])
			}
		}
		must(t, db.Read(t.Context(), func(tx *store.Tx) error {
			n, err := tx.PublishedPrices()
			if n != len(s.Prices) {
				t.Errorf("counted %d of %d", n, len(s.Prices))
			}
			return err
		}))
	}
}

// Lost if it fails: a sum of money, to the nano or altogether.
func TestUsageSumsCosts(t *testing.T) {
	db := open(t, place(t))
	all := records(4)
	all[0].Cost = sluice.Money{Amount: math.MaxInt64 - 2_000_000_000, Asset: "USD"}
	all[1].Cost = sluice.Money{Amount: 1_999_999_999, Asset: "USD"}
	all[2].Cost = sluice.Money{Amount: 3, Asset: "EUR"}
	must(t, db.InsertRecords(t.Context(), all))
	rows, err := db.Usage(t.Context(), sluice.UsageQuery{})
	must(t, err)
	want := []sluice.Money{{Amount: 3, Asset: "EUR"}, {Amount: math.MaxInt64 - 1, Asset: "USD"}}
	if len(rows) != 1 || rows[0].Requests != 4 || rows[0].Usage.Input != 40 || !reflect.DeepEqual(rows[0].Cost, want) {
		t.Errorf("usage %+v", rows)
	}
	byTenant, err := db.Usage(t.Context(), sluice.UsageQuery{GroupBy: []string{"tenant"}})
	must(t, err)
	if len(byTenant) != 2 || byTenant[0].Requests != 2 || len(byTenant[0].Cost) != 2 || byTenant[1].Cost[0].Amount != 1_999_999_999 {
		t.Errorf("by tenant %+v", byTenant)
	}
	more := records(6)[4:]
	more[0].Cost, more[1].Cost = all[0].Cost, all[0].Cost
	must(t, db.InsertRecords(t.Context(), more))
	_, err = db.Usage(t.Context(), sluice.UsageQuery{})
	wants(t, err, sluice.CodeInvalidRequest, "a sum beyond 64 bits")
}

// Lost if it fails: nobody can ask what one request cost.
func TestRecordByID(t *testing.T) {
	db := open(t, place(t))
	made := time.UnixMilli(1_772_366_400_123).UTC()
	r := records(1)[0]
	r.ID, r.Time = "019ca945-0a7b-7abc-8def-0123456789ab", made.Add(456*time.Microsecond)
	id, err := sluice.ParseRequestID(r.ID)
	if err != nil || !id.Time().Equal(made) {
		t.Fatalf("%s was made %s, %v; want %s", r.ID, id.Time(), err, made)
	}
	must(t, db.InsertRecords(t.Context(), []sluice.Record{r}))
	got, err := db.Record(t.Context(), r.ID)
	if err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("read %+v, %v", got, err)
	}
	for _, unknown := range []string{"019ca945-0a7b-7abc-8def-0123456789ac", "r-0001", "", "ffffffff-ffff-ffff-ffff-ffffffffffff"} {
		_, err := db.Record(t.Context(), unknown)
		wants(t, err, sluice.CodeNotFound, unknown)
	}
}
