package e2e_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/test/process"
)

// TestMigrate brings an empty PostgreSQL database up to date and does so again.
// Losing this means that an upgrade shows nothing while it runs, or does not
// know that it is done.
func TestMigrate(t *testing.T) {
	t.Parallel()
	env := []string{"EZ_PG_DSN=" + sluicetest.Postgres(t).Schema(t)}
	first, status := process.Run(t, process.Options{Env: env}, "migrate")
	if status != 0 || !strings.Contains(first, "migration 1:") || !strings.Contains(first, "the schema is up to date") {
		t.Errorf("the first migration ended with %d\n%s", status, first)
	}
	again, status := process.Run(t, process.Options{Env: env}, "migrate")
	if status != 0 || strings.Contains(again, "migration 1:") || !strings.Contains(again, "the schema is up to date") {
		t.Errorf("the second migration ended with %d\n%s", status, again)
	}
}

// TestMigrateCopy moves an installation from SQLite to PostgreSQL. Losing this
// means that whoever outgrows one machine has to make every key anew.
func TestMigrateCopy(t *testing.T) {
	t.Parallel()
	p := process.Start(t, process.Options{})
	admin := p.Admin(t)
	var keys []sluice.Key
	for i := range 3 {
		key, err := admin.Keys().Create(t.Context(), sluice.Key{Meta: sluice.Meta{Name: fmt.Sprintf("key-%d", i)}}, sluice.WriteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	if a := chat(t, p, keys[0].Token); a.status != 200 {
		t.Fatalf("before the move a call answers %d %s", a.status, a.body)
	}
	dsn := "EZ_PG_DSN=" + sluicetest.Postgres(t).Schema(t)
	copyFolder := func() (string, int) {
		return process.Run(t, process.Options{Env: []string{dsn}}, "migrate", "copy", "--from", filepath.Join(p.Dir, "data"))
	}
	if out, status := copyFolder(); status == 0 {
		t.Errorf("a folder that is in use was copied:\n%s", out)
	}
	p.Stop(t)
	if out, status := copyFolder(); status != 0 || !strings.Contains(out, "sha256") || !strings.Contains(out, "copied and verified") {
		t.Fatalf("the copy ended with %d\n%s", status, out)
	}
	if out, status := copyFolder(); status == 0 || !strings.Contains(out, string(sluice.CodeConfig)) {
		t.Errorf("a second copy into the same database ended with %d\n%s", status, out)
	}

	moved := process.Start(t, process.Options{Dir: p.Dir, Env: []string{dsn}})
	for _, key := range keys {
		if a := chat(t, moved, key.Token); a.status != 200 {
			t.Errorf("after the move %s answers %d %s", key.Name, a.status, a.body)
		}
	}
	page, err := moved.SignIn(t).Records(t.Context(), sluice.RecordQuery{Limit: 10})
	if err != nil || len(page.Items) == 0 {
		t.Errorf("after the move the books hold %d records, %v", len(page.Items), err)
	}
}
