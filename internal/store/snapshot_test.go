package store_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

// Lost if it fails: a gateway serves something else than what is stored, since
// a snapshot shares what did not change with the one before.
func TestSnapshotEqualsOneReadAnew(t *testing.T) {
	at := place(t)
	db := open(t, at)
	random := rand.New(rand.NewPCG(7, 7))
	earlier := map[*sluice.Snapshot]string{}
	for step := range 60 {
		for range random.IntN(4) {
			must(t, db.Write(t.Context(), func(tx *store.Tx) error { return mutate(tx, random, step) }))
		}
		s, err := db.Snapshot(t.Context())
		must(t, err)
		if got, want := encoded(t, s), encoded(t, anew(t, at)); got != want {
			t.Fatalf("step %d: snapshot\n%s\nis stored as\n%s", step, got, want)
		}
		earlier[s] = encoded(t, s)
	}
	for s, text := range earlier {
		if encoded(t, s) != text {
			t.Fatalf("snapshot %d was changed after it was handed out", s.Revision)
		}
	}
}

// mutate inserts, updates or deletes a random object of three kinds, or makes a
// price.
func mutate(tx *store.Tx, random *rand.Rand, step int) error {
	if random.IntN(4) == 0 {
		p := sluice.Price{Model: fmt.Sprintf("n%d", random.IntN(3)), Asset: "USD", Free: true,
			From: tx.Now().Add(time.Duration(random.IntN(7200)-5400)*time.Second + time.Duration(step)*time.Millisecond)}
		err := tx.InsertPrice(&p)
		if err == nil {
			_, err = tx.PriceChanged(p.Version)
		}
		return err
	}
	kind := []sluice.Kind{sluice.KindModel, sluice.KindKey, sluice.KindUser}[random.IntN(3)]
	name := fmt.Sprintf("n%d", random.IntN(12))
	o, err := tx.ByName(kind, "acme", name)
	switch {
	case sluice.CodeOf(err) == sluice.CodeNotFound:
		o = store.New(kind)
		*o.GetMeta() = sluice.Meta{Tenant: "acme", Name: name}
		switch o := o.(type) {
		case *sluice.Key:
			o.TokenHash = name
		case *sluice.User:
			o.Email, o.Status = name, []sluice.Status{sluice.StatusActive, sluice.StatusDisabled}[random.IntN(2)]
		}
		err = tx.Insert(o)
	case err != nil:
		return err
	case random.IntN(2) == 0:
		err = tx.Delete(o)
	default:
		o.GetMeta().Description = fmt.Sprint(step)
		err = tx.Update(o)
	}
	if err != nil {
		return err
	}
	_, err = tx.Changed(o)
	return err
}

// anew reads the snapshot with a database handle that never read one.
func anew(t *testing.T, at store.Config) *sluice.Snapshot {
	t.Helper()
	db, err := store.Open(t.Context(), at)
	must(t, err)
	s, err := db.Snapshot(t.Context())
	must(t, err)
	must(t, db.Close())
	return s
}

func encoded(t *testing.T, s *sluice.Snapshot) string {
	t.Helper()
	b, err := s.Encode()
	must(t, err)
	return string(b)
}

// Lost if it fails: a gateway that was behind by more changes than are kept
// never hears of the first of them.
func TestSnapshotCatchesUpWithManyChanges(t *testing.T) {
	at := place(t)
	db := open(t, at)
	_, err := db.Snapshot(t.Context())
	must(t, err)
	must(t, db.Write(t.Context(), func(tx *store.Tx) error {
		for i := range 1500 {
			m := model(fmt.Sprintf("m%d", i))
			if err := tx.Insert(m); err != nil {
				return err
			}
			if _, err := tx.Changed(m); err != nil {
				return err
			}
		}
		return nil
	}))
	s, err := db.Snapshot(t.Context())
	must(t, err)
	if len(s.Models) != 1500 || s.Revision != 1500 {
		t.Errorf("%d models in revision %d", len(s.Models), s.Revision)
	}
}
