package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/sluicegate/sluice"
)

const pricesPath = adminPath + "prices"

// Prices returns a page of the price book by ascending version.
func (c *Client) Prices(ctx context.Context, q sluice.PriceQuery) (sluice.Page[sluice.Price], error) {
	query := priceQuery(q)
	setPage(query, q.Cursor, q.Limit)
	var page sluice.Page[sluice.Price]
	err := c.call(ctx, request{method: http.MethodGet, path: pricesPath, query: query}, &page)
	return page, err
}

// Price returns one version of the price book.
func (c *Client) Price(ctx context.Context, version uint64) (sluice.Price, error) {
	var out sluice.Price
	err := c.call(ctx, request{method: http.MethodGet, path: pricesPath + "/" + strconv.FormatUint(version, 10)}, &out)
	return out, err
}

// CreatePrice makes a new version of what a model costs everyone, or one tenant;
// a zero p.From means from now on. Platform admins only. A moment that has passed
// or is taken is [sluice.CodeConflict].
func (c *Client) CreatePrice(ctx context.Context, p sluice.Price, dryRun bool) (sluice.Price, error) {
	body := struct {
		sluice.Price
		Version *uint64    `json:"version,omitempty"`
		From    *time.Time `json:"from,omitempty"`
	}{Price: p}
	if !p.From.IsZero() {
		body.From = &p.From
	}
	var out sluice.Price
	err := c.call(ctx, request{method: http.MethodPost, path: pricesPath, query: url.Values{}, body: body, opts: sluice.WriteOptions{DryRun: dryRun}}, &out)
	return out, err
}

// ImportPrices makes the versions that a file lists, all of them or none, and
// returns them without those that were there already. Platform admins only.
func (c *Client) ImportPrices(ctx context.Context, format sluice.PriceFormat, data []byte, dryRun bool) ([]sluice.Price, error) {
	content := file{"application/json", data}
	if format == sluice.PriceCSV {
		content.media = "text/csv"
	}
	return c.makePrices(ctx, "/import", content, dryRun)
}

// LoadPrices makes prices for everyone, from now on, of the list prices in the
// catalogue. Platform admins only.
func (c *Client) LoadPrices(ctx context.Context, load sluice.CatalogLoad, dryRun bool) ([]sluice.Price, error) {
	return c.makePrices(ctx, "/load", load, dryRun)
}

func (c *Client) makePrices(ctx context.Context, how string, body any, dryRun bool) ([]sluice.Price, error) {
	var out struct {
		Items []sluice.Price `json:"items"`
	}
	err := c.call(ctx, request{method: http.MethodPost, path: pricesPath + how, query: url.Values{}, body: body, opts: sluice.WriteOptions{DryRun: dryRun}}, &out)
	return out.Items, err
}

// ExportPrices renders all pages of what Prices lists as a file that ImportPrices
// reads.
func (c *Client) ExportPrices(ctx context.Context, q sluice.PriceQuery, format sluice.PriceFormat) ([]byte, error) {
	query := priceQuery(q)
	setText(query, "format", string(format))
	var out []byte
	err := c.call(ctx, request{method: http.MethodGet, path: pricesPath + "/export", query: query}, (*text)(&out))
	return out, err
}

// RecordCost says what one request cost, and why.
func (c *Client) RecordCost(ctx context.Context, id string) (sluice.RecordCost, error) {
	var out sluice.RecordCost
	err := c.call(ctx, request{method: http.MethodGet, path: adminPath + "records/" + url.PathEscape(id) + "/cost"}, &out)
	return out, err
}

func priceQuery(q sluice.PriceQuery) url.Values {
	query := tenantQuery(q.Tenant)
	setText(query, "model", q.Model)
	if !q.At.IsZero() {
		query.Set("at", q.At.UTC().Format(time.RFC3339Nano))
	}
	return query
}
