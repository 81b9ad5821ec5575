package api

import (
	"context"
	"mime"
	"net/http"
	"reflect"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
)

const mediaCSV = "text/csv"

// PricesFilter selects versions of the price book.
type PricesFilter struct {
	Tenant string    `query:"tenant" doc:"Keeps what concerns one tenant, its own prices and everyone's; empty and * keep all that the caller may see."`
	Model  string    `query:"model"`
	At     time.Time `query:"at" doc:"Keeps the prices that hold at this moment, RFC 3339; those that a tenant's own replace are left out when tenant is set."`
}

func (in PricesFilter) query() sluice.PriceQuery {
	return sluice.PriceQuery{Tenant: in.Tenant, Model: in.Model, At: in.At}
}

// TrialQuery makes a write a trial.
type TrialQuery struct {
	DryRun bool `query:"dry_run" doc:"Check everything and answer as if it were done, but keep nothing."`
}

// registerPrices adds the price book and what requests cost by it.
func (s *server) registerPrices() {
	path := adminPath + "prices"
	conflict := []sluice.Code{sluice.CodeConflict}
	register(s, operation{id: "list-prices", method: http.MethodGet, path: path, tag: "prices",
		summary: "List versions of the price book"}, listPrices)
	register(s, operation{id: "create-price", method: http.MethodPost, path: path, tag: "prices", status: http.StatusCreated,
		summary:     "Make a new version of what a model costs",
		description: "It holds from the moment in from, now when that is left out, until the next version of the same model and tenant. Versions are never changed or deleted. Platform admins only.",
		body:        reflect.TypeFor[sluice.Price](), example: examplePrice(), errors: conflict}, createPrice)
	register(s, operation{id: "get-price", method: http.MethodGet, path: path + "/{version}", tag: "prices",
		summary: "Read one version", errors: []sluice.Code{sluice.CodeNotFound}}, getPrice)
	register(s, operation{id: "import-prices", method: http.MethodPost, path: path + "/import", tag: "prices",
		summary:     "Make versions of a file: all of it or nothing",
		description: "The body is JSON, a list of prices or {\"items\": [...]}, or with the content type text/csv a table whose first line names the columns: model, tenant, asset, from, free, and <unit>_per_million for each rate, which is per 1,000,000 units there. A bad row is named by its line. Rows that are in the book already are left out.",
		body:        reflect.TypeFor[pricesBody](), example: pricesBody{Items: []sluice.Price{examplePrice()}}, errors: conflict}, importPrices)
	register(s, operation{id: "export-prices", method: http.MethodGet, path: path + "/export", tag: "prices",
		summary: "Render versions as a file that can be imported"}, exportPrices)
	register(s, operation{id: "load-prices", method: http.MethodPost, path: path + "/load", tag: "prices",
		summary:     "Make prices of the list prices in the catalogue",
		description: "For everyone, from now on. Models that have a price keep it, unless overwrite is true. Platform admins only.",
		body:        reflect.TypeFor[sluice.CatalogLoad](), example: sluice.CatalogLoad{Names: []string{"openai/gpt-4o"}}, errors: conflict}, loadPrices)
	register(s, operation{id: "get-record-cost", method: http.MethodGet, path: adminPath + "records/{id}/cost", tag: "reports",
		summary: "Say what one request cost, and why, line by line", errors: []sluice.Code{sluice.CodeNotFound}}, getRecordCost)
}

func examplePrice() sluice.Price {
	return sluice.Price{Model: "gpt-4o", Asset: "USD", From: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
		Rates: map[sluice.Unit]sluice.Rate{sluice.UnitInput: 2_500_000_000, sluice.UnitOutput: 10_000_000_000}}
}

type pricesBody struct {
	Items []sluice.Price `json:"items"`
}

type pricesOutput struct{ Body pricesBody }

func listPrices(ctx context.Context, ses *control.Session, in *struct {
	PricesFilter
	PageQuery
}) (*pageOutput[sluice.Price], error) {
	q := in.query()
	q.Cursor, q.Limit = in.Cursor, in.Limit
	page, err := ses.Prices(ctx, q)
	if err != nil {
		return nil, err
	}
	return &pageOutput[sluice.Price]{page}, nil
}

type priceOutput struct{ Body sluice.Price }

func createPrice(ctx context.Context, ses *control.Session, in *TrialQuery) (*priceOutput, error) {
	var p sluice.Price
	if err := decodeBody(ctx, &p, map[string]string{"id": "versions are numbered by Sluice"}); err != nil {
		return nil, err
	}
	out, err := ses.CreatePrice(ctx, p, in.DryRun)
	if err != nil {
		return nil, err
	}
	return &priceOutput{out}, nil
}

func getPrice(ctx context.Context, ses *control.Session, in *struct {
	Version uint64 `path:"version"`
}) (*priceOutput, error) {
	out, err := ses.Price(ctx, in.Version)
	if err != nil {
		return nil, err
	}
	return &priceOutput{out}, nil
}

func importPrices(ctx context.Context, ses *control.Session, in *TrialQuery) (*pricesOutput, error) {
	file, err := readBody(ctx, mediaJSON, mediaCSV)
	if err != nil {
		return nil, err
	}
	format := sluice.PriceJSON
	if media, _, err := mime.ParseMediaType(exchangeOf(ctx).r.Header.Get("Content-Type")); err == nil && media == mediaCSV {
		format = sluice.PriceCSV
	}
	made, err := ses.ImportPrices(ctx, format, file, in.DryRun)
	if err != nil {
		return nil, err
	}
	return &pricesOutput{pricesBody{made}}, nil
}

type fileOutput struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

func exportPrices(ctx context.Context, ses *control.Session, in *struct {
	PricesFilter
	Format string `query:"format" enum:"json,csv" doc:"json when it is left out."`
}) (*fileOutput, error) {
	out := &fileOutput{ContentType: mediaJSON}
	format := sluice.PriceJSON
	if in.Format == string(sluice.PriceCSV) {
		format, out.ContentType = sluice.PriceCSV, mediaCSV+"; charset=utf-8"
	}
	var err error
	out.Body, err = ses.ExportPrices(ctx, in.query(), format)
	if err != nil {
		return nil, err
	}
	return out, nil
}

func loadPrices(ctx context.Context, ses *control.Session, in *TrialQuery) (*pricesOutput, error) {
	var load sluice.CatalogLoad
	if err := decodeBody(ctx, &load, nil); err != nil {
		return nil, err
	}
	made, err := ses.LoadPrices(ctx, load, in.DryRun)
	if err != nil {
		return nil, err
	}
	return &pricesOutput{pricesBody{made}}, nil
}

type costOutput struct{ Body sluice.RecordCost }

func getRecordCost(ctx context.Context, ses *control.Session, in *struct {
	ID string `path:"id" doc:"The id of the request, as in X-Request-Id."`
}) (*costOutput, error) {
	out, err := ses.RecordCost(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &costOutput{out}, nil
}
