// Package catalog holds what published packages state of the models of the
// well-known providers: sizes, abilities and list prices, each with its source
// and date (docs/CATALOG.md). It reads the embedded file, finds entries and says
// what a [sluice.Model] made of one looks like; it stores nothing and calls
// nobody. Start at [Read].
package catalog

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicegate/sluice"
)

//go:embed catalog.json
var file []byte

// Catalog is the entries in their order: providers that make models before
// those that resell them, names in alphabetic order. It is immutable.
type Catalog struct {
	entries []sluice.CatalogEntry
	byID    map[string]int
	byName  map[string]int // the first of that name
}

// document is catalog.json; what all entries share stands once.
type document struct {
	Date     string `json:"date"`
	Asset    string `json:"asset"`
	Packages []struct {
		Name    string `json:"name"`
		Version string `json:"version"`
		License string `json:"license"`
	} `json:"packages"`
	Entries []sluice.CatalogEntry `json:"entries"`
}

// Read reads the embedded file.
func Read() (*Catalog, error) { return parse(file) }

// parse reads a catalogue; fields that nobody knows are an error.
func parse(text []byte) (*Catalog, error) {
	var doc document
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&doc); err != nil {
		return nil, fmt.Errorf("read the catalogue of models: %w", err)
	}
	c := &Catalog{entries: doc.Entries, byID: map[string]int{}, byName: map[string]int{}}
	for i := range c.entries {
		e := &c.entries[i]
		e.ID, e.Date, e.Asset = e.Provider+"/"+e.Name, doc.Date, doc.Asset
		if _, taken := c.byID[e.ID]; taken {
			return nil, fmt.Errorf("read the catalogue of models: %s stands twice", e.ID)
		}
		c.byID[e.ID] = i
		if _, taken := c.byName[e.Name]; !taken {
			c.byName[e.Name] = i
		}
	}
	return c, nil
}

// Find returns the entry of an id or else the first of a model's name; an
// unknown one is [sluice.CodeNotFound].
func (c *Catalog) Find(name string) (sluice.CatalogEntry, error) {
	i, ok := c.byID[name]
	if !ok {
		i, ok = c.byName[name]
	}
	if !ok {
		return sluice.CatalogEntry{}, sluice.Errorf(sluice.CodeNotFound, "the catalogue has no model %q", clip(name))
	}
	return c.entries[i], nil
}

const (
	defaultPage = 50
	maxPage     = 500
	maxSearch   = 128
)

// List returns a page of entries. A limit or cursor that is none is
// [sluice.CodeInvalidRequest].
func (c *Catalog) List(q sluice.CatalogQuery) (sluice.Page[sluice.CatalogEntry], error) {
	page := sluice.Page[sluice.CatalogEntry]{Items: []sluice.CatalogEntry{}}
	if q.Limit < 0 || q.Limit > maxPage {
		return page, sluice.Errorf(sluice.CodeInvalidRequest, "limit must be 1 to %d", maxPage).At("limit")
	}
	if len(q.Search) > maxSearch {
		return page, sluice.Errorf(sluice.CodeInvalidRequest, "search is longer than %d bytes", maxSearch).At("search")
	}
	size := q.Limit
	if size == 0 {
		size = defaultPage
	}
	start := 0
	if q.Cursor != "" {
		n, err := strconv.Atoi(q.Cursor)
		if err != nil || n < 0 || n > len(c.entries) {
			return page, sluice.Errorf(sluice.CodeInvalidRequest, "the cursor is not one of this list").At("cursor")
		}
		start = n
	}
	for i := start; i < len(c.entries); i++ {
		if !selected(&c.entries[i], q) {
			continue
		}
		if len(page.Items) == size {
			page.Next = strconv.Itoa(i)
			break
		}
		page.Items = append(page.Items, c.entries[i])
	}
	return page, nil
}

// selected reports whether an entry is of a query.
func selected(e *sluice.CatalogEntry, q sluice.CatalogQuery) bool {
	return (q.Provider == "" || e.Provider == q.Provider) &&
		(q.Operation == "" || slices.Contains(e.Operations, q.Operation)) &&
		(q.Search == "" || strings.Contains(strings.ToLower(e.ID), strings.ToLower(q.Search)))
}

// Select returns the entries that a load names. One that does not exist, or a
// load that names none, is [sluice.CodeInvalidRequest].
func (c *Catalog) Select(load sluice.CatalogLoad) ([]sluice.CatalogEntry, error) {
	if (len(load.Names) == 0) == (load.Provider == "") {
		return nil, sluice.Errorf(sluice.CodeInvalidRequest, "give names of models or a provider").At("/names")
	}
	if len(load.Names) > maxPage {
		return nil, sluice.Errorf(sluice.CodeInvalidRequest, "names has more than %d entries", maxPage).At("/names")
	}
	var found []sluice.CatalogEntry
	for i, name := range load.Names {
		e, err := c.Find(name)
		if err != nil {
			return nil, sluice.Errorf(sluice.CodeInvalidRequest, "the catalogue has no model %q", clip(name)).At(fmt.Sprintf("/names/%d", i))
		}
		found = append(found, e)
	}
	for _, e := range c.entries {
		if load.Provider != "" && e.Provider == load.Provider {
			found = append(found, e)
		}
	}
	if len(found) == 0 {
		return nil, sluice.Errorf(sluice.CodeInvalidRequest, "the catalogue has no models of provider %q", clip(load.Provider)).At("/provider")
	}
	return found, nil
}

// clip bounds text from outside that a message repeats.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
