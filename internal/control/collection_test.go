package control_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
)

// walk runs the life of an object of one kind: create, read, list, replace,
// patch, lose a race, delete.
func walk[T any](t *testing.T, c control.Collection[T], tenant string, obj T, patch string) {
	ctx := t.Context()
	meta := func(o *T) *sluice.Meta { return any(o).(sluice.Object).GetMeta() }
	name := meta(&obj).Name

	trial, err := c.Create(ctx, obj, sluice.WriteOptions{DryRun: true})
	must(t, err)
	if _, err := c.Get(ctx, tenant, name); sluice.CodeOf(err) != sluice.CodeNotFound || meta(&trial).Version != 1 {
		t.Fatalf("a dry run was kept: %v", err)
	}
	made, err := c.Create(ctx, obj, sluice.WriteOptions{})
	must(t, err)
	if m := meta(&made); m.ID == 0 || m.Version != 1 || m.CreatedAt.IsZero() || m.Tenant == "" {
		t.Fatalf("create left %+v", *m)
	}
	_, err = c.Create(ctx, obj, sluice.WriteOptions{})
	wants(t, err, sluice.CodeConflict, "create twice")

	for _, ref := range []string{name, fmt.Sprint(meta(&made).ID)} {
		got, err := c.Get(ctx, tenant, ref)
		must(t, err)
		if meta(&got).ID != meta(&made).ID {
			t.Errorf("get %s found %+v", ref, meta(&got))
		}
	}
	page, err := c.List(ctx, sluice.ListQuery{Tenant: tenant, Search: strings.ToUpper(name)})
	must(t, err)
	if len(page.Items) != 1 || meta(&page.Items[0]).Name != name {
		t.Errorf("search found %d objects", len(page.Items))
	}

	got, _ := c.Get(ctx, tenant, name)
	same, created, err := c.Put(ctx, tenant, name, got, sluice.WriteOptions{})
	must(t, err)
	if created || meta(&same).Version != 1 {
		t.Errorf("putting the same document made version %d (created %v)", meta(&same).Version, created)
	}
	_, _, err = c.Put(ctx, tenant, name, got, sluice.WriteOptions{IfNoneMatch: true})
	wants(t, err, sluice.CodePrecondition, "If-None-Match on an existing object")
	_, _, err = c.Put(ctx, tenant, name+"x", got, sluice.WriteOptions{})
	wants(t, err, sluice.CodeInvalidRequest, "another name in the body")

	patched, err := c.Patch(ctx, tenant, name, json.RawMessage(patch), sluice.WriteOptions{IfMatch: 1})
	must(t, err)
	if meta(&patched).Version != 2 || reflect.DeepEqual(patched, got) {
		t.Errorf("patch made %+v", patched)
	}
	_, err = c.Patch(ctx, tenant, name, json.RawMessage(patch), sluice.WriteOptions{IfMatch: 1})
	wants(t, err, sluice.CodePrecondition, "patch of an old version")
	_, err = c.Patch(ctx, tenant, name, json.RawMessage(`{"no_such_field":1}`), sluice.WriteOptions{})
	wants(t, err, sluice.CodeInvalidRequest, "unknown field")
	_, err = c.Patch(ctx, tenant, name, json.RawMessage(`{"name":"other-name"}`), sluice.WriteOptions{})
	wants(t, err, sluice.CodeInvalidRequest, "renaming")
	_, err = c.Patch(ctx, tenant, name, json.RawMessage(`[]`), sluice.WriteOptions{})
	wants(t, err, sluice.CodeInvalidRequest, "patch that is no object")

	wants(t, c.Delete(ctx, tenant, name, sluice.WriteOptions{IfMatch: 1}), sluice.CodePrecondition, "delete of an old version")
	must(t, c.Delete(ctx, tenant, name, sluice.WriteOptions{IfMatch: 2}))
	wants(t, c.Delete(ctx, tenant, name, sluice.WriteOptions{}), sluice.CodeNotFound, "delete twice")

	again, err := c.Create(ctx, obj, sluice.WriteOptions{})
	must(t, err)
	if meta(&again).ID <= meta(&made).ID {
		t.Errorf("id %d was given twice", meta(&made).ID)
	}
}

// Lost if it fails: administration of any kind of object.
func TestLifeOfEveryKind(t *testing.T) {
	p := fresh(t)
	p.tenant("acme")
	admin := p.As(p.user(sluice.PlatformTenant, "root", sluice.RolePlatformAdmin))
	p.user("acme", "ann", sluice.RoleTenantAdmin)
	one := 1
	t.Run("tenants", func(t *testing.T) {
		walk(t, admin.Tenants(), "", sluice.Tenant{Meta: sluice.Meta{Name: "globex"}}, `{"status":"disabled"}`)
	})
	t.Run("roles", func(t *testing.T) {
		walk(t, admin.Roles(), "acme", sluice.Role{Meta: named("acme", "auditor"), Permissions: []sluice.Permission{"audit:read"}}, `{"description":"reads"}`)
	})
	t.Run("users", func(t *testing.T) {
		walk(t, admin.Users(), "acme", sluice.User{Meta: named("acme", "bob"), Email: "Bob@acme.example", Password: password}, `{"roles":["read-only"]}`)
	})
	t.Run("groups", func(t *testing.T) {
		walk(t, admin.Groups(), "acme", sluice.Group{Meta: named("acme", "vip")}, `{"max_attempts":5}`)
	})
	t.Run("providers", func(t *testing.T) {
		walk(t, admin.Providers(), "acme", sluice.Provider{Meta: named("acme", "oa"), Type: "openai", Group: "vip", BaseURL: "https://api.openai.com/v1", APIKey: "sk-1"}, `{"weight":9}`)
	})
	t.Run("models", func(t *testing.T) {
		walk(t, admin.Models(), "acme", sluice.Model{Meta: named("acme", "org/gpt-5")}, `{"context_window":128000}`)
	})
	t.Run("upstreams", func(t *testing.T) {
		walk(t, admin.Upstreams(), "acme", sluice.Upstream{Meta: named("acme", "svc"), Nodes: []sluice.Node{{Host: "8.8.8.8", Port: 443}}}, `{"scheme":"https"}`)
	})
	t.Run("routes", func(t *testing.T) {
		walk(t, admin.Routes(), "acme", sluice.Route{Meta: named("acme", "web"), Paths: []string{"/web/*"}, Upstream: "svc"}, `{"priority":7}`)
	})
	t.Run("keys", func(t *testing.T) {
		walk(t, admin.Keys(), "acme", sluice.Key{Meta: named("acme", "k1"), User: "ann", Weight: one}, `{"models":["gpt-*"]}`)
	})
	s := p.snapshot()
	rev, err := admin.Sync(t.Context())
	must(t, err)
	if rev != s.Revision || len(s.Keys) != 1 || len(s.Providers) != 1 || !strings.HasPrefix(s.Providers[0].APIKey, "enc:v1:") {
		t.Errorf("the published snapshot lacks something: %+v", s)
	}
	n, err := admin.VerifyAudit(t.Context())
	if err != nil || n < 30 {
		t.Errorf("audit: %d entries, %v", n, err)
	}
}
