package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/sluicegate/sluice"
)

// Catalog returns a page of the catalogue of models that comes with the server.
func (c *Client) Catalog(ctx context.Context, q sluice.CatalogQuery) (sluice.Page[sluice.CatalogEntry], error) {
	query := url.Values{}
	setText(query, "provider", q.Provider)
	setText(query, "operation", q.Operation)
	setText(query, "search", q.Search)
	setPage(query, q.Cursor, q.Limit)
	var page sluice.Page[sluice.CatalogEntry]
	err := c.call(ctx, request{method: http.MethodGet, path: adminPath + "catalog", query: query}, &page)
	return page, err
}

// CatalogEntry returns one entry by its id, or the first of a model's name; an
// unknown one is [sluice.CodeNotFound].
func (c *Client) CatalogEntry(ctx context.Context, name string) (sluice.CatalogEntry, error) {
	var out sluice.CatalogEntry
	err := c.call(ctx, request{method: http.MethodGet, path: adminPath + "catalog/" + url.PathEscape(name)}, &out)
	return out, err
}

// LoadCatalog makes models of the tenant from entries, "" the caller's own
// tenant; dryRun keeps nothing. Models that people entered or edited are kept
// unless load.Overwrite. The first entry that fails ends the load, and loading
// again continues it.
func (c *Client) LoadCatalog(ctx context.Context, tenant string, load sluice.CatalogLoad, dryRun bool) ([]sluice.CatalogResult, error) {
	var out struct {
		Items []sluice.CatalogResult `json:"items"`
	}
	err := c.call(ctx, request{method: http.MethodPost, path: adminPath + "catalog/load", query: tenantQuery(tenant),
		body: load, opts: sluice.WriteOptions{DryRun: dryRun}}, &out)
	return out.Items, err
}
