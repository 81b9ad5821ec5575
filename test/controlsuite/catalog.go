package controlsuite

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/sluicegate/sluice"
)

// catalogue would overwrite what operators entered, load twice what is there, or
// load for somebody who may not write models.
func catalogue(t *testing.T, w *World, open Opener) {
	f := open(t, w, Root)
	entry, err := f.CatalogEntry(ctx(t), "gpt-4o")
	must(t, err)
	if entry.ID != "openai/gpt-4o" || entry.Rates[sluice.UnitInput] != 2_500_000_000 || len(entry.Sources) == 0 || entry.Date == "" {
		t.Errorf("entry: %+v", entry)
	}
	_, err = f.CatalogEntry(ctx(t), "nobody/nothing")
	wantCode(t, err, sluice.CodeNotFound, "")
	both := sluice.CatalogLoad{Names: []string{"openai/gpt-4o", "gpt-4.1"}}
	wantLoaded(t, f, both, true, "[created created]")
	wantLoaded(t, f, both, false, "[created created]")
	wantLoaded(t, f, both, false, "[unchanged unchanged]")
	_, err = f.Models.Patch(ctx(t), "", "gpt-4o", json.RawMessage(`{"status":"disabled","aliases":["four"]}`), sluice.WriteOptions{})
	must(t, err)
	wantLoaded(t, f, both, false, "[unchanged unchanged]")
	_, err = f.Models.Patch(ctx(t), "", "gpt-4o", json.RawMessage(`{"max_output_tokens":99}`), sluice.WriteOptions{})
	must(t, err)
	wantLoaded(t, f, both, false, "[kept unchanged]")
	if m, err := f.Models.Get(ctx(t), "", "gpt-4o"); err != nil || m.MaxOutputTokens != 99 {
		t.Errorf("the edit is gone: %+v, %v", m, err)
	}
	wantLoaded(t, f, sluice.CatalogLoad{Names: []string{"azure-openai/gpt-4.1"}}, false, "[kept]")
	both.Overwrite = true
	wantLoaded(t, f, both, false, "[updated unchanged]")
	m, err := f.Models.Get(ctx(t), "", "gpt-4o")
	must(t, err)
	if m.MaxOutputTokens == 99 || m.Status != sluice.StatusDisabled || len(m.Aliases) != 1 || m.Source == "" || m.SourceDate != entry.Date {
		t.Errorf("overwritten: %+v", m)
	}
	catalogRefusals(t, w, open)
	catalogPages(t, f)
}

// wantLoaded loads entries and compares what became of them.
func wantLoaded(t *testing.T, f Face, load sluice.CatalogLoad, dryRun bool, want string) {
	t.Helper()
	results, err := f.LoadCatalog(ctx(t), "", load, dryRun)
	must(t, err)
	got := []string{}
	for _, r := range results {
		got = append(got, r.Result)
	}
	if fmt.Sprint(got) != want {
		t.Errorf("load %v, dry run %t: %v, want %s", load.Names, dryRun, got, want)
	}
}

func catalogRefusals(t *testing.T, w *World, open Opener) {
	t.Helper()
	f := open(t, w, Root)
	_, err := f.LoadCatalog(ctx(t), "", sluice.CatalogLoad{Names: []string{"gpt-4o", "nothing"}}, false)
	wantCode(t, err, sluice.CodeInvalidRequest, "/names/1")
	_, err = f.LoadCatalog(ctx(t), "", sluice.CatalogLoad{Provider: "nobody"}, false)
	wantCode(t, err, sluice.CodeInvalidRequest, "/provider")
	_, err = f.LoadCatalog(ctx(t), "", sluice.CatalogLoad{}, false)
	wantCode(t, err, sluice.CodeInvalidRequest, "/names")
	gpt := sluice.CatalogLoad{Names: []string{"gpt-4o"}}
	_, err = open(t, w, AcmeReader).LoadCatalog(ctx(t), "", gpt, true)
	wantCode(t, err, sluice.CodeForbidden, "")
	_, err = open(t, w, AcmeAdmin).LoadCatalog(ctx(t), "other", gpt, true)
	wantCode(t, err, sluice.CodeNotFound, "")
	page, err := f.Audit(ctx(t), sluice.AuditQuery{Kind: sluice.KindModel, Object: "gpt-4.1"})
	must(t, err)
	if len(page.Items) != 1 || page.Items[0].Action != "create" {
		t.Errorf("the load is audited as %+v", page.Items)
	}
}

func catalogPages(t *testing.T, f Face) {
	t.Helper()
	seen := map[string]bool{}
	q := sluice.CatalogQuery{Provider: "anthropic", Operation: "chat", Search: "CLAUDE", Limit: 5}
	for {
		page, err := f.Catalog(ctx(t), q)
		must(t, err)
		for _, e := range page.Items {
			if seen[e.ID] || e.Provider != "anthropic" {
				t.Errorf("%s does not belong on this page", e.ID)
			}
			seen[e.ID] = true
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if len(seen) < 10 {
		t.Errorf("the pages hold only %d entries", len(seen))
	}
	_, err := f.Catalog(ctx(t), sluice.CatalogQuery{Cursor: "not a cursor"})
	wantCode(t, err, sluice.CodeInvalidRequest, "cursor")
}
