package catalog_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control/catalog"
	"github.com/sluicegate/sluice/internal/dialect/builtin"
)

func read(t *testing.T) (*catalog.Catalog, []sluice.CatalogEntry) {
	t.Helper()
	c, err := catalog.Read()
	if err != nil {
		t.Fatal(err)
	}
	var all []sluice.CatalogEntry
	q := sluice.CatalogQuery{Limit: 500}
	for {
		page, err := c.List(q)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Items...)
		if q.Cursor = page.Next; q.Cursor == "" {
			return c, all
		}
	}
}

// TestEntries keeps an entry out that could not be loaded, priced, traced to a
// source or served by any provider that there is.
func TestEntries(t *testing.T) {
	_, all := read(t)
	seen := map[string]bool{}
	for _, e := range all {
		if seen[e.ID] {
			t.Errorf("%s stands twice", e.ID)
		}
		seen[e.ID] = true
		m := catalog.Apply(sluice.Model{Meta: sluice.Meta{Tenant: sluice.PlatformTenant}}, e)
		m.Normalize()
		if err := m.Validate(); err != nil {
			t.Errorf("%s: %v", e.ID, err)
		}
		if _, err := time.Parse(time.DateOnly, e.Date); err != nil || e.Retires != "" && e.Retires <= e.Date {
			t.Errorf("%s: of %q, retires %q", e.ID, e.Date, e.Retires)
		}
		checkRates(t, e)
		checkSources(t, e)
	}
	if len(all) < 300 {
		t.Errorf("only %d entries", len(all))
	}
}

// checkRates holds rates to what a price may be: a disputed unit has none.
func checkRates(t *testing.T, e sluice.CatalogEntry) {
	t.Helper()
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p := sluice.Price{Version: 1, Model: e.Name, Asset: e.Asset, From: from, Rates: e.Rates}
	if err := p.Validate(); err != nil && len(e.Rates) > 0 {
		t.Errorf("%s: %v", e.ID, err)
	}
	for unit, rate := range e.Rates {
		if rate <= 0 {
			t.Errorf("%s: %s costs %s", e.ID, unit, rate)
		}
		most := sluice.Rate(1_000_000_000_000) // 0.001 per token: above any list price
		if rate > most && unit != sluice.UnitImage && unit != sluice.UnitAudioSecond {
			t.Errorf("%s: %s costs %s", e.ID, unit, rate)
		}
	}
	for _, d := range e.Disagrees {
		if _, both := e.Rates[d.Unit]; both || d.LiteLLM == d.GenAIPrices || d.LiteLLM <= 0 || d.GenAIPrices <= 0 {
			t.Errorf("%s: %s is disputed and has a rate, or is no dispute", e.ID, d.Unit)
		}
	}
}

func checkSources(t *testing.T, e sluice.CatalogEntry) {
	t.Helper()
	if len(e.Sources) == 0 {
		t.Errorf("%s has no source", e.ID)
	}
	for _, s := range e.Sources {
		if s.Package == "" || s.Version == "" || s.URL != "" && !strings.HasPrefix(s.URL, "https://") {
			t.Errorf("%s: source %+v", e.ID, s)
		}
	}
}

// TestProviders keeps every provider of the catalogue one that can be created,
// and all that were promised in it.
func TestProviders(t *testing.T) {
	_, all := read(t)
	count := map[string]int{}
	for _, e := range all {
		count[e.Provider]++
	}
	registry := builtin.Registry(nil)
	for _, want := range []string{"openai", "azure-openai", "anthropic", "gemini", "deepseek", "qwen", "moonshot", "zhipu", "doubao",
		"minimax", "mistral", "groq", "together", "openrouter"} {
		if count[want] < 5 {
			t.Errorf("%s has only %d entries", want, count[want])
		}
		delete(count, want)
		if _, ok := registry.Dialect(want); !ok {
			t.Errorf("no provider can be of type %s", want)
		}
	}
	if len(count) > 0 {
		t.Errorf("unexpected providers: %v", count)
	}
}

// TestFind lets people name a model without its provider: the vendor's own entry
// comes before those that resell it.
func TestFind(t *testing.T) {
	c, _ := read(t)
	for name, want := range map[string]string{"gpt-4o": "openai/gpt-4o", "azure-openai/gpt-4o": "azure-openai/gpt-4o",
		"deepseek-v4-pro": "deepseek/deepseek-v4-pro", "openai/gpt-oss-120b": "groq/openai/gpt-oss-120b"} {
		if e, err := c.Find(name); err != nil || e.ID != want {
			t.Errorf("%s means %q, want %s: %v", name, e.ID, want, err)
		}
	}
	if _, err := c.Find("gpt"); sluice.CodeOf(err) != sluice.CodeNotFound {
		t.Errorf("a part of a name: %v", err)
	}
}

// TestUntouched tells an edited model from a loaded one; otherwise a load would
// undo what an operator decided, or never renew anything.
func TestUntouched(t *testing.T) {
	c, _ := read(t)
	e, err := c.Find("openai/gpt-4o")
	if err != nil {
		t.Fatal(err)
	}
	loaded := catalog.Apply(sluice.Model{}, e)
	edited, disabled, renewed := loaded, loaded, e
	edited.ContextWindow = 7
	disabled.Status, disabled.Aliases = sluice.StatusDisabled, []string{"x"}
	renewed.ContextWindow = 1 << 20
	other, err := c.Find("azure-openai/gpt-4o")
	if err != nil {
		t.Fatal(err)
	}
	got := []bool{catalog.Untouched(loaded, e), catalog.Untouched(disabled, e), catalog.Untouched(loaded, renewed),
		catalog.Untouched(edited, e), catalog.Untouched(loaded, other), catalog.Untouched(sluice.Model{}, e)}
	if want := []bool{true, true, true, false, false, false}; !slices.Equal(got, want) {
		t.Errorf("untouched: %v, want %v", got, want)
	}
}

// TestOnePriceOnly keeps a model with several prices from being given one of
// them for all its tokens.
func TestOnePriceOnly(t *testing.T) {
	c, _ := read(t)
	for name, want := range map[string]sluice.Rate{"gpt-4o": 0, "openai/text-embedding-ada-002": 100_000_000} {
		e, err := c.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		if m := catalog.Apply(sluice.Model{}, e); m.CostPerToken != want {
			t.Errorf("%s costs %s per token, want %s", name, m.CostPerToken, want)
		}
	}
}
