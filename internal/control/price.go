package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/price"
	"github.com/sluicegate/sluice/internal/store"
)

// maxPublishedPrices bounds what every gateway holds of the price book.
const maxPublishedPrices = 10_000

func noPrice() error { return notFound(sluice.KindPrice) }

// Prices returns a page of the price book by ascending version: everyone's prices
// and, of the tenants' own, those that the caller may see. Another tenant is
// [sluice.CodeNotFound].
func (s *Session) Prices(ctx context.Context, q sluice.PriceQuery) (sluice.Page[sluice.Price], error) {
	page := sluice.Page[sluice.Price]{}
	sel, err := s.priceSelection(q)
	if err != nil {
		return page, err
	}
	size := sel.Limit
	sel.Limit++ // one more tells whether there is a next page
	err = s.c.db.Read(ctx, func(tx *store.Tx) error {
		page.Items, err = tx.Prices(sel)
		return err
	})
	if len(page.Items) > size {
		page.Items = page.Items[:size]
		page.Next = encodeCursor(page.Items[size-1].Version)
	}
	return page, err
}

func (s *Session) priceSelection(q sluice.PriceQuery) (store.PriceSelection, error) {
	sel := store.PriceSelection{Tenant: q.Tenant, Model: q.Model, At: q.At, Limit: cmp.Or(q.Limit, defaultPage)}
	if !s.caller.may(string(sluice.KindPrice), verbRead, false) {
		return sel, forbidden("your roles do not permit reading prices")
	}
	if q.Limit < 0 || q.Limit > maxPage {
		return sel, sluice.Errorf(sluice.CodeInvalidRequest, "limit must be 1 to %d", maxPage).At("limit")
	}
	if sel.Tenant == everyTenant {
		sel.Tenant = ""
	}
	if !s.caller.Platform {
		if sel.Tenant != "" && sel.Tenant != s.caller.Tenant {
			return sel, noPrice()
		}
		sel.Tenant = s.caller.Tenant
	}
	var err error
	sel.After, err = decodeCursor(q.Cursor)
	return sel, err
}

// Price returns one version of the price book; one of another tenant is
// [sluice.CodeNotFound].
func (s *Session) Price(ctx context.Context, version uint64) (p sluice.Price, err error) {
	if !s.caller.may(string(sluice.KindPrice), verbRead, false) {
		return p, forbidden("your roles do not permit reading prices")
	}
	err = s.c.db.Read(ctx, func(tx *store.Tx) error {
		p, err = tx.Price(version)
		return err
	})
	if err != nil || p.Tenant == "" || s.caller.Platform || p.Tenant == s.caller.Tenant {
		return p, err
	}
	return sluice.Price{}, noPrice()
}

// CreatePrice makes a new version of what a model costs everyone, or one tenant,
// from p.From on; zero means from now. Versions are never changed: the next one
// takes over. Platform admins only. A moment that has passed, or that another
// version of the same model and tenant holds from, is [sluice.CodeConflict].
func (s *Session) CreatePrice(ctx context.Context, p sluice.Price, dryRun bool) (sluice.Price, error) {
	out, err := s.writePrices(ctx, []price.Row{{Price: p}}, dryRun, false)
	if err != nil {
		return sluice.Price{}, err
	}
	return out[0], nil
}

// ImportPrices makes the versions that a file lists and returns them: all of them
// or none, the first bad row with its line in the error. Rows that are in the
// book already, to the letter, are left out. Platform admins only.
func (s *Session) ImportPrices(ctx context.Context, format sluice.PriceFormat, file []byte, dryRun bool) ([]sluice.Price, error) {
	if err := s.authorisePrices(); err != nil {
		return nil, err
	}
	rows, err := price.Read(format, file)
	if err != nil {
		return nil, err
	}
	return s.writePrices(ctx, rows, dryRun, true)
}

// ExportPrices renders what [Session.Prices] lists, all pages of it, as a file
// that ImportPrices reads.
func (s *Session) ExportPrices(ctx context.Context, q sluice.PriceQuery, format sluice.PriceFormat) ([]byte, error) {
	sel, err := s.priceSelection(q)
	if err != nil {
		return nil, err
	}
	sel.After, sel.Limit = 0, 0
	var list []sluice.Price
	err = s.c.db.Read(ctx, func(tx *store.Tx) error {
		list, err = tx.Prices(sel)
		return err
	})
	if err != nil {
		return nil, err
	}
	return price.Write(format, list)
}

// LoadPrices makes prices for everyone, from now on, of the rates that the
// catalogue lists: for the entries' models, at list price. Entries that state no
// rate, and models that cost exactly that already, are left out; models that
// have another price keep it unless load.Overwrite. Platform admins only.
func (s *Session) LoadPrices(ctx context.Context, load sluice.CatalogLoad, dryRun bool) ([]sluice.Price, error) {
	if err := s.authorisePrices(); err != nil {
		return nil, err
	}
	entries, err := s.c.catalog.Select(load)
	if err != nil {
		return nil, err
	}
	held, err := s.heldPrices(ctx)
	if err != nil {
		return nil, err
	}
	var rows []price.Row
	for i, e := range entries {
		now, priced := held[e.Name]
		same := now.Asset == e.Asset && maps.Equal(now.Rates, e.Rates)
		if len(e.Rates) == 0 || priced && (same || !load.Overwrite) {
			continue
		}
		p := sluice.Price{Model: e.Name, Asset: e.Asset, Rates: e.Rates}
		held[e.Name] = p // two providers may list one model: the first counts
		rows = append(rows, price.Row{Line: i + 1, Price: p})
	}
	if len(rows) == 0 {
		return []sluice.Price{}, nil
	}
	return s.writePrices(ctx, rows, dryRun, false)
}

// heldPrices returns everyone's prices that hold now, by model.
func (s *Session) heldPrices(ctx context.Context) (map[string]sluice.Price, error) {
	held := map[string]sluice.Price{}
	err := s.c.db.Read(ctx, func(tx *store.Tx) error {
		list, err := tx.Prices(store.PriceSelection{At: tx.Now()})
		for _, p := range list {
			if p.Tenant == "" {
				held[p.Model] = p
			}
		}
		return err
	})
	return held, err
}

// authorisePrices decides whether the caller may write prices: who sets what
// others pay is not one of those who pay.
func (s *Session) authorisePrices() error {
	if !s.caller.Platform || !s.caller.may(string(sluice.KindPrice), verbWrite, false) {
		return forbidden("only a platform admin makes prices")
	}
	return nil
}

// writePrices makes versions in one transaction: checked, stored, audited and
// published together. Where rows come from a file, errors name the line and what
// is there already is left out.
func (s *Session) writePrices(ctx context.Context, rows []price.Row, dryRun, file bool) ([]sluice.Price, error) {
	if err := s.authorisePrices(); err != nil {
		return nil, err
	}
	var made []sluice.Price
	var revision uint64
	err := s.c.db.Write(ctx, func(tx *store.Tx) error {
		made, revision = []sluice.Price{}, 0
		for _, row := range rows {
			p, done, err := s.writePrice(tx, row.Price, file)
			if err != nil && file {
				err = price.AtLine(row.Line, err)
			}
			if err != nil {
				return err
			}
			if done > 0 {
				made, revision = append(made, p), done
			}
		}
		if err := boundPrices(tx); err != nil {
			return err
		}
		if dryRun {
			return errDryRun
		}
		return nil
	})
	if errors.Is(err, errDryRun) {
		return made, nil
	}
	if err != nil {
		return nil, err
	}
	if revision > 0 {
		s.c.publisher.atLeast(ctx, revision)
	}
	return made, nil
}

// writePrice makes one version; revision 0 says that it was there already.
func (s *Session) writePrice(tx *store.Tx, p sluice.Price, again bool) (_ sluice.Price, revision uint64, err error) {
	if p.From.IsZero() {
		p.From = tx.Now()
	}
	p.From = p.From.UTC().Truncate(time.Microsecond)
	if err := checkPrice(tx, p); err != nil {
		return p, 0, err
	}
	if there, err := tx.PriceFrom(p.Model, p.Tenant, p.From); err == nil && again && samePrice(there, p) {
		return there, 0, nil
	} else if err != nil && sluice.CodeOf(err) != sluice.CodeNotFound {
		return p, 0, err
	}
	if p.From.Before(tx.Now()) {
		return p, 0, sluice.Errorf(sluice.CodeConflict, "a price cannot hold from %s, which has passed: what was charged since would be wrong", p.From.Format(time.RFC3339)).At("/from")
	}
	if err := tx.InsertPrice(&p); err != nil {
		return p, 0, err
	}
	if err := s.auditPrice(tx, p); err != nil {
		return p, 0, err
	}
	revision, err = tx.PriceChanged(p.Version)
	return p, revision, err
}

// checkPrice judges a price by itself and its tenant.
func checkPrice(tx *store.Tx, p sluice.Price) error {
	p.Version = 1 // its own is assigned when it is stored
	if err := p.Validate(); err != nil {
		return err
	}
	if !sluice.KnownAsset(p.Asset) {
		return sluice.Errorf(sluice.CodeInvalidRequest, "%q is not a currency of ISO 4217", p.Asset).At("/asset")
	}
	if p.Tenant == "" {
		return nil
	}
	_, err := tx.ByName(sluice.KindTenant, p.Tenant, p.Tenant)
	return orMissing(err, sluice.Errorf(sluice.CodeInvalidRequest, "%q does not exist in tenants", p.Tenant).At("/tenant"))
}

// boundPrices refuses a book that gateways could not hold.
func boundPrices(tx *store.Tx) error {
	n, err := tx.PublishedPrices()
	if err == nil && n > maxPublishedPrices {
		return sluice.Errorf(sluice.CodeConflict, "%d prices hold or will hold; at most %d may", n, maxPublishedPrices)
	}
	return err
}

// samePrice reports whether two versions charge the same.
func samePrice(a, b sluice.Price) bool {
	return a.Asset == b.Asset && a.Free == b.Free && maps.Equal(a.Rates, b.Rates)
}

// auditPrice writes a new version into the audit log, with the tenant's own
// entries when it is a tenant's.
func (s *Session) auditPrice(tx *store.Tx, p sluice.Price) error {
	diff, err := addedFields(p)
	if err != nil {
		return fmt.Errorf("describe price version %d: %w", p.Version, err)
	}
	return tx.Append(&sluice.AuditEntry{
		Tenant: cmp.Or(p.Tenant, sluice.PlatformTenant), Actor: s.actor(), Action: actionCreate, Kind: sluice.KindPrice, Object: p.Model,
		ObjectID: p.Version, Diff: diff, RequestID: s.caller.RequestID, IP: s.caller.IP,
	})
}

// RecordCost says what one request cost and why, line by line, by the price
// version that it was admitted under. Who may read the record may read its cost;
// for others, and for an unknown id, it is [sluice.CodeNotFound].
func (s *Session) RecordCost(ctx context.Context, id string) (sluice.RecordCost, error) {
	missing := sluice.Errorf(sluice.CodeNotFound, "no such record")
	all, own := s.caller.may("records", verbRead, false), s.caller.may("records", verbRead, true)
	if !all && !own {
		return sluice.RecordCost{}, forbidden("your roles do not permit reading these records")
	}
	r, err := s.c.db.Record(ctx, id)
	if err != nil {
		return sluice.RecordCost{}, err
	}
	if !s.caller.Platform && (r.Tenant != s.caller.Tenant || !all && r.User != s.caller.User) {
		return sluice.RecordCost{}, missing
	}
	v, err := s.versionOf(ctx, r.Price.Version)
	if err != nil {
		return sluice.RecordCost{}, err
	}
	cost := price.ExplainRecord(r, v)
	cost.Transfers, err = s.transfersOf(ctx, r.ID)
	return cost, err
}

// transfersOf returns what the ledger booked for a request.
func (s *Session) transfersOf(ctx context.Context, id string) (lines []sluice.StatementLine, err error) {
	request, err := sluice.ParseRequestID(id)
	if err != nil {
		return nil, nil // no request of the ledger's
	}
	err = s.c.db.Read(ctx, func(tx *store.Tx) error {
		lines, err = requestLines(tx, request)
		return err
	})
	if err != nil {
		return nil, err
	}
	return lines, s.namePayments(ctx, lines)
}

// versionOf compiles one version, nil when there is no such.
func (s *Session) versionOf(ctx context.Context, number uint64) (v *price.Version, err error) {
	var list []sluice.Price
	err = s.c.db.Read(ctx, func(tx *store.Tx) error {
		p, err := tx.Price(number)
		if sluice.CodeOf(err) == sluice.CodeNotFound {
			return nil
		}
		list = []sluice.Price{p}
		return err
	})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	book, err := price.NewBook(list)
	if err != nil {
		return nil, fmt.Errorf("compile price version %d: %w", number, err)
	}
	v, _ = book.Version(number)
	return v, nil
}
