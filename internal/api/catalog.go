package api

import (
	"context"
	"net/http"
	"reflect"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
)

// registerCatalog adds the catalogue of models that comes with Sluice.
func (s *server) registerCatalog() {
	register(s, operation{id: "list-catalog", method: http.MethodGet, path: adminPath + "catalog", tag: "catalog",
		summary: "List what published sources state of models"}, listCatalog)
	register(s, operation{id: "get-catalog-entry", method: http.MethodGet, path: adminPath + "catalog/{name}", tag: "catalog",
		summary: "Read one entry of the catalogue", errors: []sluice.Code{sluice.CodeNotFound}}, getCatalogEntry)
	register(s, operation{id: "load-catalog", method: http.MethodPost, path: adminPath + "catalog/load", tag: "catalog",
		summary:     "Make models of entries of the catalogue",
		description: "Creates the models that do not exist and renews those that an earlier load made. What people entered or edited is kept, unless overwrite is true. Loading again changes nothing.",
		body:        reflect.TypeFor[sluice.CatalogLoad](), example: sluice.CatalogLoad{Names: []string{"openai/gpt-4o"}},
		errors: []sluice.Code{sluice.CodeNotFound, sluice.CodePrecondition}}, loadCatalog)
}

func listCatalog(ctx context.Context, ses *control.Session, in *struct {
	Provider  string `query:"provider" doc:"Keeps the entries of one type of provider."`
	Operation string `query:"operation" enum:"chat,completions,embeddings,images,audio,moderations,rerank" doc:"Keeps the entries for one operation."`
	Search    string `query:"search" maxLength:"128" doc:"Keeps entries whose id contains it, without case."`
	PageQuery
}) (*pageOutput[sluice.CatalogEntry], error) {
	page, err := ses.Catalog(ctx, sluice.CatalogQuery{Provider: in.Provider, Operation: in.Operation, Search: in.Search, Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return &pageOutput[sluice.CatalogEntry]{page}, nil
}

type catalogEntryOutput struct{ Body sluice.CatalogEntry }

func getCatalogEntry(ctx context.Context, ses *control.Session, in *struct {
	Name string `path:"name" doc:"The entry's id, \"<provider>/<name>\", or the name alone. A slash is written %2F."`
}) (*catalogEntryOutput, error) {
	entry, err := ses.CatalogEntry(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return &catalogEntryOutput{entry}, nil
}

type catalogLoadOutput struct {
	Body struct {
		Items []sluice.CatalogResult `json:"items"`
	}
}

func loadCatalog(ctx context.Context, ses *control.Session, in *struct {
	Tenant string `query:"tenant" doc:"The tenant that gets the models; empty means the caller's own."`
	DryRun bool   `query:"dry_run" doc:"Check everything and answer as if it were done, but keep nothing."`
}) (*catalogLoadOutput, error) {
	var load sluice.CatalogLoad
	if err := decodeBody(ctx, &load, nil); err != nil {
		return nil, err
	}
	results, err := ses.LoadCatalog(ctx, in.Tenant, load, in.DryRun)
	if err != nil {
		return nil, err
	}
	out := &catalogLoadOutput{}
	out.Body.Items = results
	return out, nil
}
