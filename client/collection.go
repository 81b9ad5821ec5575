package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/sluicegate/sluice"
)

// adminPath is where the resources live.
const adminPath = "/admin/v1/"

// Collection is the operations on one kind of object.
//
// Everywhere: tenant "" is the caller's own tenant; ref is a name or a decimal
// id; an object that does not exist, or belongs to a tenant the caller may not
// see, is [sluice.CodeNotFound]; a missing permission is [sluice.CodeForbidden].
type Collection[T any] struct{ c *Client }

// Create stores a new object and returns it as stored, for a key with its
// plaintext token. The tenant is obj's own, "" the caller's. A taken name or
// email is [sluice.CodeConflict]; a wrong field or a missing reference
// [sluice.CodeInvalidRequest].
func (l Collection[T]) Create(ctx context.Context, obj T, opts sluice.WriteOptions) (T, error) {
	var out T
	err := l.c.call(ctx, request{method: http.MethodPost, path: l.path(""), query: url.Values{}, body: obj, opts: opts}, &out)
	return out, err
}

// Get returns one object.
func (l Collection[T]) Get(ctx context.Context, tenant, ref string) (T, error) {
	var out T
	err := l.c.call(ctx, request{method: http.MethodGet, path: l.path(ref), query: tenantQuery(tenant)}, &out)
	return out, err
}

// List returns a page of objects by ascending id.
func (l Collection[T]) List(ctx context.Context, q sluice.ListQuery) (sluice.Page[T], error) {
	query := tenantQuery(q.Tenant)
	for field, value := range q.Filter {
		query.Set(field, value)
	}
	setText(query, "search", q.Search)
	setPage(query, q.Cursor, q.Limit)
	var page sluice.Page[T]
	err := l.c.call(ctx, request{method: http.MethodGet, path: l.path(""), query: query}, &page)
	return page, err
}

// Put makes the named object equal to obj: it creates it (created = true) or
// replaces it. Secrets that obj leaves empty are kept.
func (l Collection[T]) Put(ctx context.Context, tenant, name string, obj T, opts sluice.WriteOptions) (out T, created bool, err error) {
	var status int
	err = l.c.call(ctx, request{method: http.MethodPut, path: l.path(name), query: tenantQuery(tenant), body: obj, opts: opts, status: &status}, &out)
	return out, err == nil && status == http.StatusCreated, err
}

// Patch applies a JSON merge patch (RFC 7396) to the object.
func (l Collection[T]) Patch(ctx context.Context, tenant, ref string, patch json.RawMessage, opts sluice.WriteOptions) (T, error) {
	var out T
	err := l.c.call(ctx, request{method: http.MethodPatch, path: l.path(ref), query: tenantQuery(tenant), body: patch, opts: opts}, &out)
	return out, err
}

// Delete removes the object. While others refer to it the answer is
// [sluice.CodeReferenced] with them in Details["referrers"].
func (l Collection[T]) Delete(ctx context.Context, tenant, ref string, opts sluice.WriteOptions) error {
	return l.c.call(ctx, request{method: http.MethodDelete, path: l.path(ref), query: tenantQuery(tenant), opts: opts}, nil)
}

// path returns the escaped path of the collection or of one object.
func (l Collection[T]) path(ref string) string {
	p := adminPath + string(any(new(T)).(sluice.Object).Kind())
	if ref != "" {
		p += "/" + url.PathEscape(ref)
	}
	return p
}

func tenantQuery(tenant string) url.Values {
	q := url.Values{}
	setText(q, "tenant", tenant)
	return q
}

func setText(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

func setPage(q url.Values, cursor string, limit int) {
	setText(q, "cursor", cursor)
	if limit != 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
}
