package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

// filled makes an SQLite database with something in every corner: several pages
// of a table, texts that sort differently by byte and by language, an audit log.
func filled(t *testing.T) (*store.DB, store.Config) {
	t.Helper()
	at := store.Config{Path: file(t)}
	db := open(t, at)
	random := rand.New(rand.NewPCG(3, 3))
	for step := range 40 {
		must(t, db.Write(t.Context(), func(tx *store.Tx) error { return mutate(tx, random, step) }))
	}
	for _, name := range []string{"Zebra", "apple", "Äpfel", "a b", "a-b", "ａ", "😀"} {
		must(t, add(t.Context(), db, model(name)))
		must(t, db.Write(t.Context(), func(tx *store.Tx) error { return tx.SetSetting(name, `'"\'`) }))
	}
	all := records(1100)
	for i := range all[:9] {
		all[i].ID = []string{"Z", "a", "Ä", "A-", "a b", "ａ", "😀", "_", "~"}[i]
	}
	must(t, db.InsertRecords(t.Context(), all))
	b := newBooks(t, db)
	b.topUp("a", acmeWallet, 2000)
	b.topUp("g", gift, 300)
	for n := range 40 {
		must(t, b.receive(facts(n)))
	}
	_, _, err := db.BeginAnswer(t.Context(), asked("r"), plenty)
	must(t, err)
	done := asked("r")
	done.Body = []byte{0, 0xff, '"'}
	must(t, db.FinishAnswer(t.Context(), done, plenty))
	return db, at
}

// target is where the copies of these tests go.
func target(t *testing.T) (*store.DB, store.Config) {
	t.Helper()
	at := store.Config{DSN: server(t).Schema(t)}
	return open(t, at), at
}

// Lost if it fails: something, by moving from the embedded database to a shared
// one.
func TestCopyKeepsEverything(t *testing.T) {
	to, _ := target(t)
	from, at := filled(t)
	ctx := t.Context()
	var tables []string
	rows := int64(0)
	total, err := store.Copy(ctx, from, to, func(p store.CopyProgress) {
		if p.Digest != "" {
			tables, rows = append(tables, p.Table), rows+p.Rows
		}
		if p.Rows > p.Total {
			t.Errorf("progress %+v", p)
		}
	})
	must(t, err)
	if total != rows || rows < 1100 {
		t.Errorf("%d rows, %d in the progress", total, rows)
	}
	if want := tablesOf(t, at); !slices.Equal(slices.Sorted(slices.Values(tables)), want) {
		t.Errorf("copied %v of %v", tables, want)
	}
	a, err := from.Snapshot(ctx)
	must(t, err)
	b, err := to.Snapshot(ctx)
	must(t, err)
	if encoded(t, a) != encoded(t, b) {
		t.Error("snapshots differ")
	}
	n, err := from.VerifyAudit(ctx)
	must(t, err)
	if m, err := to.VerifyAudit(ctx); m != n || err != nil {
		t.Errorf("%d of %d audit entries hold: %v", m, n, err)
	}
	// Numbers go on where they were, and so does the audit log.
	must(t, add(ctx, to, model("next")))
	next, err := to.Snapshot(ctx)
	must(t, err)
	if next.Revision != a.Revision+1 {
		t.Errorf("revision %d after %d", next.Revision, a.Revision)
	}
	// And so does the ledger, holds that are open included.
	moved := newBooks(t, to)
	moved.topUp("b", acmeWallet, 500)
	must(t, moved.receive(facts(41)))
	if before, after := stateOf(t, from), moved.check(); len(before.pending) == 0 || len(after.transfers) <= len(before.transfers) {
		t.Errorf("%d transfers of %d, %d pending", len(after.transfers), len(before.transfers), len(before.pending))
	}
	_, err = store.Copy(ctx, from, to, nil)
	wants(t, err, sluice.CodeConfig, "a target that is not empty")
}

// tablesOf lists the tables of an SQLite database, without goose's own.
func tablesOf(t *testing.T, at store.Config) (tables []string) {
	t.Helper()
	db, err := sql.Open("sqlite", path2dsn(at.Path))
	must(t, err)
	defer db.Close()
	rows, err := db.Query(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'goose%' AND name NOT LIKE 'sqlite%' ORDER BY name`)
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		var name string
		must(t, rows.Scan(&name))
		tables = append(tables, name)
	}
	must(t, rows.Err())
	return tables
}

// Lost if it fails: half a copy, or a wrong one, is taken for the whole.
func TestCopyIsAllOrNothing(t *testing.T) {
	to, at := target(t)
	from, _ := filled(t)
	empty := func(why string) {
		t.Helper()
		if s, err := to.Snapshot(t.Context()); err != nil || s.Revision != 0 || len(s.Models) != 0 {
			t.Errorf("%s: something was left: %+v, %v", why, s, err)
		}
	}
	for _, phase := range []string{store.CopyWriting, store.CopyVerifying} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := store.Copy(ctx, from, to, func(p store.CopyProgress) {
			if p.Phase == phase && p.Table == "keys" {
				cancel()
			}
		})
		if err == nil {
			t.Error("a copy that was interrupted succeeded")
		}
		empty(phase)
	}
	for what, tamper := range map[string]string{
		"changed": `NEW.doc = replace(NEW.doc, '"p"', '"q"'); RETURN NEW;`,
		"dropped": `IF NEW.id = 'r-0100' THEN RETURN NULL; END IF; RETURN NEW;`,
	} {
		must(t, raw(t, at, `CREATE OR REPLACE FUNCTION tamper() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN `+tamper+` END $$`,
			`CREATE OR REPLACE TRIGGER tamper BEFORE INSERT ON records FOR EACH ROW EXECUTE FUNCTION tamper()`))
		_, err := store.Copy(t.Context(), from, to, nil)
		wants(t, err, sluice.CodeDatabase, fmt.Sprintf("a row that was %s on the way", what))
		empty(what)
	}
}

// Lost if it fails: the way back.
func TestCopyBackIntoAFile(t *testing.T) {
	middle, _ := target(t)
	from, _ := filled(t)
	_, err := store.Copy(t.Context(), from, middle, nil)
	must(t, err)
	back := open(t, store.Config{Path: file(t)})
	_, err = store.Copy(t.Context(), middle, back, nil)
	must(t, err)
	a, err := from.Records(t.Context(), sluice.RecordQuery{Limit: 500})
	must(t, err)
	b, err := back.Records(t.Context(), sluice.RecordQuery{Limit: 500})
	must(t, err)
	if fmt.Sprint(a) != fmt.Sprint(b) {
		t.Error("records differ")
	}
}
