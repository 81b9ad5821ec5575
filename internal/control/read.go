package control

import (
	"context"
	"encoding/base64"
	"strconv"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

const (
	defaultPage = 50
	maxPage     = 500
	maxSearch   = 128
	everyTenant = "*"
)

// find returns the object that ref means, if the caller may know of it.
func (s *Session) find(tx *store.Tx, kind sluice.Kind, tenant, ref string) (sluice.Object, error) {
	o, err := lookup(tx, kind, tenant, ref, s.caller.Tenant)
	if err != nil {
		return nil, err
	}
	if !s.caller.sees(o) || kind != sluice.KindTenant && tenant != "" && o.GetMeta().Tenant != tenant {
		return nil, notFound(kind)
	}
	return o, nil
}

// lookup reads an object by decimal id or by name. A tenant's name is its own
// tenant.
func lookup(tx *store.Tx, kind sluice.Kind, tenant, ref, home string) (sluice.Object, error) {
	if id, err := strconv.ParseUint(ref, 10, 63); err == nil {
		return tx.ByID(kind, id)
	}
	switch {
	case kind == sluice.KindTenant:
		tenant = ref
	case tenant == "":
		tenant = home
	}
	return tx.ByName(kind, tenant, ref)
}

func (s *Session) get(ctx context.Context, kind sluice.Kind, tenant, ref string) (sluice.Object, error) {
	var out sluice.Object
	err := s.c.db.Read(ctx, func(tx *store.Tx) error {
		o, err := s.find(tx, kind, tenant, ref)
		if err != nil {
			return err
		}
		out = s.conceal(o)
		return s.authoriseRead(o)
	})
	return out, err
}

func (s *Session) list(ctx context.Context, kind sluice.Kind, q sluice.ListQuery) ([]sluice.Object, string, error) {
	sel, err := s.selection(kind, q)
	if err != nil {
		return nil, "", err
	}
	size := sel.Limit
	sel.Limit++ // one more tells whether there is a next page
	var objects []sluice.Object
	err = s.c.db.Read(ctx, func(tx *store.Tx) error {
		objects, err = tx.List(kind, sel)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(objects) > size {
		objects = objects[:size]
		next = encodeCursor(objects[size-1].GetMeta().ID)
	}
	for i, o := range objects {
		objects[i] = s.conceal(o)
	}
	return objects, next, nil
}

// selection turns a query into what the caller may see of it.
func (s *Session) selection(kind sluice.Kind, q sluice.ListQuery) (store.Selection, error) {
	sel := store.Selection{Search: q.Search, Limit: q.Limit, Match: map[string]string{}}
	for field, value := range q.Filter {
		sel.Match[field] = value
	}
	if len(q.Search) > maxSearch {
		return sel, sluice.Errorf(sluice.CodeInvalidRequest, "search is longer than %d bytes", maxSearch).At("search")
	}
	if q.Limit < 0 || q.Limit > maxPage {
		return sel, sluice.Errorf(sluice.CodeInvalidRequest, "limit must be 1 to %d", maxPage).At("limit")
	}
	if q.Limit == 0 {
		sel.Limit = defaultPage
	}
	var err error
	if sel.After, err = decodeCursor(q.Cursor); err != nil {
		return sel, err
	}
	if err := s.limitTenant(kind, q.Tenant, &sel); err != nil {
		return sel, err
	}
	return sel, s.limitOwn(kind, &sel)
}

// limitTenant restricts a list to the tenant asked for, within what the caller
// may see.
func (s *Session) limitTenant(kind sluice.Kind, tenant string, sel *store.Selection) error {
	home := s.caller.Tenant
	switch {
	case tenant == everyTenant, tenant == "" && kind == sluice.KindTenant:
		if !s.caller.Platform {
			sel.Tenant, sel.Shared = home, true
		}
	case tenant == "":
		sel.Tenant = home
	case s.caller.Platform, tenant == home:
		sel.Tenant = tenant
	case tenant == sluice.PlatformTenant && kind != sluice.KindTenant:
		sel.Tenant, sel.Shared = home, true
		sel.Match["tenant"] = tenant
	default:
		return notFound(kind)
	}
	return nil
}

// limitOwn restricts a list to the caller's own objects when its roles permit
// no more.
func (s *Session) limitOwn(kind sluice.Kind, sel *store.Selection) error {
	if s.caller.may(string(kind), verbRead, false) {
		return nil
	}
	field := map[sluice.Kind]string{sluice.KindKey: "user", sluice.KindUser: "name"}[kind]
	if field == "" || !s.caller.may(string(kind), verbRead, true) {
		return forbidden("your roles do not permit reading %s", kind)
	}
	if asked, ok := sel.Match[field]; ok && asked != s.caller.User {
		return forbidden("your roles permit reading your own %s only", kind)
	}
	sel.Tenant, sel.Shared = s.caller.Tenant, false
	sel.Match[field] = s.caller.User
	return nil
}

// conceal returns a copy fit for the caller: without secrets, and of what
// another tenant shares only what its users need to know.
func (s *Session) conceal(o sluice.Object) sluice.Object {
	o = withoutSecrets(o)
	if g, ok := o.(*sluice.Group); ok && !s.caller.Platform && g.Tenant != s.caller.Tenant {
		g.SharedWith, g.Plugins = nil, nil // they name other tenants and may hold secrets
	}
	return o
}

// withoutSecrets returns a copy without secrets.
func withoutSecrets(o sluice.Object) sluice.Object {
	o = store.Clone(o)
	switch o := o.(type) {
	case *sluice.Provider:
		o.HasAPIKey, o.APIKey = o.APIKey != "", ""
	case *sluice.User:
		o.Password = ""
	case *sluice.Key:
		o.Token = ""
	}
	return o
}

func encodeCursor(id uint64) string {
	return base64.RawURLEncoding.EncodeToString(strconv.AppendUint(nil, id, 36))
}

func decodeCursor(cursor string) (uint64, error) {
	if cursor == "" {
		return 0, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		var id uint64
		if id, err = strconv.ParseUint(string(b), 36, 63); err == nil {
			return id, nil
		}
	}
	return 0, sluice.Errorf(sluice.CodeInvalidRequest, "the cursor is not one of this list").At("cursor")
}
