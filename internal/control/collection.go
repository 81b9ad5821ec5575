package control

import (
	"context"
	"encoding/json"

	"github.com/sluicegate/sluice"
)

// Collection is the operations on one kind of object for one caller.
//
// Everywhere: tenant "" is the caller's own tenant; ref is a name or a decimal
// id (an id without a tenant is looked for in every tenant the caller may see);
// an object that does not exist, or belongs to a tenant the caller may not see,
// is [sluice.CodeNotFound]; a missing permission within the own tenant is
// [sluice.CodeForbidden]. Secrets are never in an answer, but for Key.Token in
// the answers of Create and RotateKey.
type Collection[T any] struct{ s *Session }

// Create stores a new object and returns it as stored, with its id, version 1
// and, for a key, its plaintext token. The tenant is obj's own, "" the
// caller's. A taken name or email is [sluice.CodeConflict]; a wrong field or a
// missing reference [sluice.CodeInvalidRequest].
func (c Collection[T]) Create(ctx context.Context, obj T, opts sluice.WriteOptions) (T, error) {
	out, err := c.s.create(ctx, object(&obj), opts)
	return result[T](out, err)
}

// Get returns one object.
func (c Collection[T]) Get(ctx context.Context, tenant, ref string) (T, error) {
	out, err := c.s.get(ctx, kindOf[T](), tenant, ref)
	return result[T](out, err)
}

// List returns a page of objects by ascending id.
func (c Collection[T]) List(ctx context.Context, q sluice.ListQuery) (sluice.Page[T], error) {
	objects, next, err := c.s.list(ctx, kindOf[T](), q)
	if err != nil {
		return sluice.Page[T]{}, err
	}
	page := sluice.Page[T]{Items: make([]T, 0, len(objects)), Next: next}
	for _, o := range objects {
		page.Items = append(page.Items, *any(o).(*T))
	}
	return page, nil
}

// Put makes the named object equal to obj: it creates it (created = true) or
// replaces it. Putting what is already there changes nothing, not even the
// version. Secrets that obj leaves empty are kept.
func (c Collection[T]) Put(ctx context.Context, tenant, name string, obj T, opts sluice.WriteOptions) (out T, created bool, err error) {
	o, created, err := c.s.put(ctx, tenant, name, object(&obj), opts)
	out, err = result[T](o, err)
	return out, created, err
}

// Patch applies a JSON merge patch (RFC 7396) to the object. Unknown fields are
// [sluice.CodeInvalidRequest]; read-only ones are ignored.
func (c Collection[T]) Patch(ctx context.Context, tenant, ref string, patch json.RawMessage, opts sluice.WriteOptions) (T, error) {
	out, err := c.s.patch(ctx, kindOf[T](), tenant, ref, patch, opts)
	return result[T](out, err)
}

// Delete removes the object. While others refer to it the answer is
// [sluice.CodeReferenced] with them in Details["referrers"].
func (c Collection[T]) Delete(ctx context.Context, tenant, ref string, opts sluice.WriteOptions) error {
	return c.s.remove(ctx, kindOf[T](), tenant, ref, opts)
}

// object returns a pointer to a managed object as an Object; that *T is one
// holds for every collection that a Session hands out.
func object[T any](p *T) sluice.Object { return any(p).(sluice.Object) }

func kindOf[T any]() sluice.Kind { return object(new(T)).Kind() }

func result[T any](o sluice.Object, err error) (T, error) {
	if err != nil {
		var zero T
		return zero, err
	}
	return *any(o).(*T), nil
}
