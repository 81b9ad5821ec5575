package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
)

// adminPath is where the native resources live.
const adminPath = "/admin/v1/"

// kind is what the API needs to know of one kind of object.
type kind[T any] struct {
	name     sluice.Kind
	singular string
	summary  string
	// filters are the fields that lists can be filtered by.
	filters []string
	// hints are advice for fields that clients of other products send.
	hints   map[string]string
	example map[string]any
	// of picks the collection.
	of func(*control.Session) control.Collection[T]
}

// ObjectQuery addresses one object.
type ObjectQuery struct {
	Tenant string `query:"tenant" doc:"The owning tenant; empty means the caller's own. Platform admins may name any."`
	Ref    string `path:"ref" doc:"The object's name or its numeric id. A slash in a name is written %2F."`
}

type createInput struct {
	Tenant         string `query:"tenant" doc:"The owning tenant, unless the body names it."`
	DryRun         bool   `query:"dry_run" doc:"Check everything and answer as if it were done, but keep nothing."`
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"The same request with the same key, within 24 hours, is done once."`
}

type (
	getInput    struct{ ObjectQuery }
	updateInput struct {
		ObjectQuery
		WriteQuery
	}
	putInput struct {
		ObjectQuery
		WriteQuery
		IfNoneMatch string `header:"If-None-Match" doc:"\"*\" creates only: an object that exists is 412."`
	}
)

type listInput struct {
	Tenant string `query:"tenant" doc:"Limits the list to one tenant; empty means the caller's own, * every tenant the caller may see."`
	Search string `query:"search" maxLength:"128" doc:"Keeps objects whose name or description contains it, without case."`
	Cursor string `query:"cursor" doc:"The next of the previous page."`
	Limit  int    `query:"limit" minimum:"0" maximum:"500" doc:"The size of a page; 0 means 50."`
}

// objectOutput answers with one object and its version.
type objectOutput[T any] struct {
	Status   int
	ETag     string `header:"ETag" doc:"The object's version."`
	Location string `header:"Location" doc:"Where a created object is."`
	Body     T
}

type pageOutput[T any] struct{ Body sluice.Page[T] }

// registerKind adds the operations of one kind below /admin/v1/.
func registerKind[T any](s *server, k kind[T]) {
	base := adminPath + string(k.name)
	registerCreate(s, k, base, "create-"+k.singular)
	registerList(s, k, base, "list-"+string(k.name))
	one := base + "/{ref}"
	register(s, operation{id: "get-" + k.singular, method: http.MethodGet, path: one, tag: string(k.name),
		summary: "Read one " + k.singular, errors: []sluice.Code{sluice.CodeNotFound}}, k.get)
	register(s, operation{id: "put-" + k.singular, method: http.MethodPut, path: one, tag: string(k.name),
		summary: "Create or replace one " + k.singular, body: reflect.TypeFor[T](), example: k.example, upsert: true,
		description: "Makes the named object equal to the body: 201 when that created it, 200 otherwise. Secrets that the body leaves out are kept.",
		errors:      []sluice.Code{sluice.CodeConflict, sluice.CodePrecondition}}, k.put)
	register(s, operation{id: "patch-" + k.singular, method: http.MethodPatch, path: one, tag: string(k.name),
		summary: "Change fields of one " + k.singular, body: reflect.TypeFor[T](), patch: true,
		errors: []sluice.Code{sluice.CodeNotFound, sluice.CodeConflict, sluice.CodePrecondition}}, k.patch)
	register(s, operation{id: "delete-" + k.singular, method: http.MethodDelete, path: one, tag: string(k.name),
		summary: "Delete one " + k.singular, status: http.StatusNoContent,
		description: "Refused with 409 while other objects refer to it; details.referrers names them.",
		errors:      []sluice.Code{sluice.CodeNotFound, sluice.CodePrecondition, sluice.CodeReferenced}}, k.remove)
}

// registerCreate adds creation at a path of its own: native and compatibility
// paths share it.
func registerCreate[T any](s *server, k kind[T], path, id string) {
	register(s, operation{id: id, method: http.MethodPost, path: path, tag: string(k.name), status: http.StatusCreated,
		summary: "Create a " + k.singular, description: k.summary, body: reflect.TypeFor[T](), example: k.example,
		errors: []sluice.Code{sluice.CodeConflict, sluice.CodeIdempotency}}, k.create)
}

func registerList[T any](s *server, k kind[T], path, id string) {
	params := make([]*huma.Param, 0, len(k.filters))
	for _, f := range k.filters {
		params = append(params, &huma.Param{Name: f, In: "query", Description: "Keeps objects whose " + f + " is exactly this.", Schema: &huma.Schema{Type: huma.TypeString}})
	}
	register(s, operation{id: id, method: http.MethodGet, path: path, tag: string(k.name), params: params, filters: true,
		summary: "List " + string(k.name)}, k.list)
}

func (k kind[T]) create(ctx context.Context, ses *control.Session, in *createInput) (*objectOutput[T], error) {
	var obj T
	if err := decodeBody(ctx, &obj, k.hints); err != nil {
		return nil, err
	}
	meta := metaOf(&obj)
	if err := settle(&meta.Tenant, in.Tenant, "/tenant"); err != nil {
		return nil, err
	}
	out, err := k.of(ses).Create(ctx, obj, sluice.WriteOptions{DryRun: in.DryRun, IdempotencyKey: in.IdempotencyKey})
	if err != nil {
		return nil, err
	}
	return k.answer(ses, out, http.StatusCreated), nil
}

func (k kind[T]) list(ctx context.Context, ses *control.Session, in *listInput) (*pageOutput[T], error) {
	page, err := k.of(ses).List(ctx, sluice.ListQuery{Tenant: in.Tenant, Filter: filterOf(ctx), Search: in.Search, Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return &pageOutput[T]{page}, nil
}

func (k kind[T]) get(ctx context.Context, ses *control.Session, in *getInput) (*objectOutput[T], error) {
	out, err := k.of(ses).Get(ctx, in.Tenant, in.Ref)
	if err != nil {
		return nil, err
	}
	return k.answer(ses, out, http.StatusOK), nil
}

func (k kind[T]) put(ctx context.Context, ses *control.Session, in *putInput) (*objectOutput[T], error) {
	opts, err := in.options()
	if err != nil {
		return nil, err
	}
	if opts.IfNoneMatch, err = onlyCreate(in.IfNoneMatch); err != nil {
		return nil, err
	}
	var obj T
	if err := decodeBody(ctx, &obj, k.hints); err != nil {
		return nil, err
	}
	meta := metaOf(&obj)
	if err := settle(&meta.Name, in.Ref, "/name"); err != nil {
		return nil, err
	}
	if err := settle(&meta.Tenant, in.Tenant, "/tenant"); err != nil {
		return nil, err
	}
	out, created, err := k.of(ses).Put(ctx, meta.Tenant, in.Ref, obj, opts)
	if err != nil {
		return nil, err
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	return k.answer(ses, out, status), nil
}

func (k kind[T]) patch(ctx context.Context, ses *control.Session, in *updateInput) (*objectOutput[T], error) {
	opts, err := in.options()
	if err != nil {
		return nil, err
	}
	patch, err := readPatch(ctx, reflect.TypeFor[T](), k.hints)
	if err != nil {
		return nil, err
	}
	out, err := k.of(ses).Patch(ctx, in.Tenant, in.Ref, patch, opts)
	if err != nil {
		return nil, err
	}
	return k.answer(ses, out, http.StatusOK), nil
}

func (k kind[T]) remove(ctx context.Context, ses *control.Session, in *updateInput) (*none, error) {
	opts, err := in.options()
	if err != nil {
		return nil, err
	}
	return nil, k.of(ses).Delete(ctx, in.Tenant, in.Ref, opts)
}

// answer wraps an object with its ETag and, when it was created, its place.
func (k kind[T]) answer(ses *control.Session, obj T, status int) *objectOutput[T] {
	meta := metaOf(&obj)
	out := &objectOutput[T]{Status: status, ETag: etag(meta.Version), Body: obj}
	if status == http.StatusCreated {
		out.Location = adminPath + string(k.name) + "/" + url.PathEscape(meta.Name)
		if k.name != sluice.KindTenant && meta.Tenant != ses.Caller().Tenant {
			out.Location += "?tenant=" + url.QueryEscape(meta.Tenant)
		}
	}
	return out
}

// readPatch reads a merge patch for an object of type t.
func readPatch(ctx context.Context, t reflect.Type, hints map[string]string) (json.RawMessage, error) {
	data, err := readBody(ctx, mediaMergePatch, mediaJSON)
	if err != nil {
		return nil, err
	}
	return data, checkShape(data, t, hints)
}

// filterOf collects the query parameters that are not the list's own as fields
// to filter by; control refuses those that the kind does not offer.
func filterOf(ctx context.Context) map[string]string {
	filter := map[string]string{}
	for name, values := range exchangeOf(ctx).r.URL.Query() {
		switch name {
		case "tenant", "search", "cursor", "limit":
		default:
			filter[name] = values[0] // checkURL has seen that there is one
		}
	}
	return filter
}

// settle makes a field of the body and the same fact in the URL agree.
func settle(field *string, url, at string) error {
	if *field == "" {
		*field = url
	}
	if url != "" && *field != url {
		return invalid(at, "the body says %q, the URL %q", clipped(*field), clipped(url))
	}
	return nil
}

// metaOf returns the Meta of an object; every kind has one.
func metaOf[T any](obj *T) *sluice.Meta { return any(obj).(sluice.Object).GetMeta() }
