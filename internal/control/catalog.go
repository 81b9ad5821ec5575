package control

import (
	"context"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control/catalog"
)

// Catalog returns a page of the catalogue of models, in its own order. Whoever
// may read models may read it.
func (s *Session) Catalog(_ context.Context, q sluice.CatalogQuery) (sluice.Page[sluice.CatalogEntry], error) {
	if err := s.mayReadCatalog(); err != nil {
		return sluice.Page[sluice.CatalogEntry]{}, err
	}
	return s.c.catalog.List(q)
}

// CatalogEntry returns one entry by its id, or the first of a model's name; an
// unknown one is [sluice.CodeNotFound].
func (s *Session) CatalogEntry(_ context.Context, name string) (sluice.CatalogEntry, error) {
	if err := s.mayReadCatalog(); err != nil {
		return sluice.CatalogEntry{}, err
	}
	return s.c.catalog.Find(name)
}

func (s *Session) mayReadCatalog() error {
	if !s.caller.may(string(sluice.KindModel), verbRead, false) {
		return forbidden("your roles do not permit reading models")
	}
	return nil
}

// LoadCatalog makes models of the tenant from entries, "" the caller's own
// tenant. Models that people entered or edited are kept unless load.Overwrite.
// Each model is a write of its own, authorised and audited like any; the first
// that fails ends the load, and loading again continues it.
func (s *Session) LoadCatalog(ctx context.Context, tenant string, load sluice.CatalogLoad, dryRun bool) ([]sluice.CatalogResult, error) {
	if tenant == "" {
		tenant = s.caller.Tenant
	}
	if err := s.authoriseTouch(&sluice.Model{Meta: sluice.Meta{Tenant: tenant}}); err != nil {
		return nil, err
	}
	entries, err := s.c.catalog.Select(load)
	if err != nil {
		return nil, err
	}
	results := make([]sluice.CatalogResult, 0, len(entries))
	for _, e := range entries {
		result, err := s.loadEntry(ctx, tenant, e, load.Overwrite, dryRun)
		if err != nil {
			return nil, err
		}
		results = append(results, sluice.CatalogResult{ID: e.ID, Model: e.Name, Result: result})
	}
	return results, nil
}

// loadEntry makes or renews the model of one entry.
func (s *Session) loadEntry(ctx context.Context, tenant string, e sluice.CatalogEntry, overwrite, dryRun bool) (string, error) {
	models := s.Models()
	opts := sluice.WriteOptions{DryRun: dryRun}
	current, err := models.Get(ctx, tenant, e.Name)
	if sluice.CodeOf(err) == sluice.CodeNotFound {
		opts.IfNoneMatch = true
		_, _, err = models.Put(ctx, tenant, e.Name, catalog.Apply(sluice.Model{}, e), opts)
		return sluice.CatalogCreated, err
	}
	if err != nil {
		return "", err
	}
	if !overwrite && !catalog.Untouched(current, e) {
		return sluice.CatalogKept, nil
	}
	opts.IfMatch = current.Version
	after, _, err := models.Put(ctx, tenant, e.Name, catalog.Apply(current, e), opts)
	if err != nil {
		return "", err
	}
	if after.Version == current.Version {
		return sluice.CatalogUnchanged, nil
	}
	return sluice.CatalogUpdated, nil
}
