package control_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
)

// operation is one operation on one object of another tenant, by reference.
type operation struct {
	name string
	run  func(ctx context.Context, s *control.Session, tenant, ref string) error
}

// operationsOn lists every operation of a collection. make gives a valid object
// of the tenant.
func operationsOn[T any](of func(*control.Session) control.Collection[T], make func(tenant, name string) T) []operation {
	return []operation{
		{"create", func(ctx context.Context, s *control.Session, tenant, ref string) error {
			_, err := of(s).Create(ctx, make(tenant, "intruder"), sluice.WriteOptions{})
			return err
		}},
		{"get", func(ctx context.Context, s *control.Session, tenant, ref string) error {
			_, err := of(s).Get(ctx, tenant, ref)
			return err
		}},
		{"put", func(ctx context.Context, s *control.Session, tenant, ref string) error {
			_, _, err := of(s).Put(ctx, tenant, "victim", make(tenant, "victim"), sluice.WriteOptions{})
			return err
		}},
		{"put new", func(ctx context.Context, s *control.Session, tenant, ref string) error {
			_, _, err := of(s).Put(ctx, tenant, "intruder", make(tenant, "intruder"), sluice.WriteOptions{IfMatch: 3})
			return err
		}},
		{"patch", func(ctx context.Context, s *control.Session, tenant, ref string) error {
			_, err := of(s).Patch(ctx, tenant, ref, json.RawMessage(`{"description":"x"}`), sluice.WriteOptions{})
			return err
		}},
		{"delete", func(ctx context.Context, s *control.Session, tenant, ref string) error {
			return of(s).Delete(ctx, tenant, ref, sluice.WriteOptions{})
		}},
		{"list", func(ctx context.Context, s *control.Session, tenant, ref string) error {
			if tenant == "" {
				return sluice.Errorf(sluice.CodeNotFound, "the list of the own tenant is no intrusion")
			}
			_, err := of(s).List(ctx, sluice.ListQuery{Tenant: tenant})
			return err
		}},
	}
}

// everyOperation is all of them, by kind.
func everyOperation() map[sluice.Kind][]operation {
	rotate := operation{"rotate", func(ctx context.Context, s *control.Session, tenant, ref string) error {
		_, err := s.RotateKey(ctx, tenant, ref, time.Hour, sluice.WriteOptions{})
		return err
	}}
	return map[sluice.Kind][]operation{
		sluice.KindTenant: operationsOn((*control.Session).Tenants, func(t, n string) sluice.Tenant { return sluice.Tenant{Meta: named("", n)} }),
		sluice.KindRole: operationsOn((*control.Session).Roles, func(t, n string) sluice.Role {
			return sluice.Role{Meta: named(t, n), Permissions: []sluice.Permission{"models:read"}}
		}),
		sluice.KindUser: operationsOn((*control.Session).Users, func(t, n string) sluice.User {
			return sluice.User{Meta: named(t, n), Email: n + "@victim.example"}
		}),
		sluice.KindGroup: operationsOn((*control.Session).Groups, func(t, n string) sluice.Group { return sluice.Group{Meta: named(t, n)} }),
		sluice.KindProvider: operationsOn((*control.Session).Providers, func(t, n string) sluice.Provider {
			return sluice.Provider{Meta: named(t, n), Type: "openai", Group: "victim", APIKey: "sk-victim"}
		}),
		sluice.KindModel: operationsOn((*control.Session).Models, func(t, n string) sluice.Model { return sluice.Model{Meta: named(t, n)} }),
		sluice.KindUpstream: operationsOn((*control.Session).Upstreams, func(t, n string) sluice.Upstream {
			return sluice.Upstream{Meta: named(t, n), Nodes: []sluice.Node{{Host: "service.example", Port: 80}}}
		}),
		sluice.KindRoute: operationsOn((*control.Session).Routes, func(t, n string) sluice.Route {
			return sluice.Route{Meta: named(t, n), Paths: []string{"/t/" + t + "/x"}, Upstream: "victim"}
		}),
		sluice.KindKey: append(operationsOn((*control.Session).Keys, func(t, n string) sluice.Key {
			return sluice.Key{Meta: named(t, n), User: "victim"}
		}), rotate),
	}
}

// Lost if it fails: the wall between tenants, on some operation of some kind.
func TestAnotherTenantDoesNotExist(t *testing.T) {
	p := fresh(t)
	ctx := t.Context()
	p.tenant("victim")
	p.tenant("acme")
	ops := everyOperation()
	if len(ops) != len(sluice.Kinds()) {
		t.Fatal("a kind has no operations in this test")
	}
	ids := map[sluice.Kind]string{}
	for _, kind := range sluice.Kinds() {
		for _, op := range ops[kind] {
			if op.name == "put" {
				must(t, op.run(ctx, p.system(), "victim", ""))
			}
		}
		ids[kind] = idOf(t, p, kind)
	}
	_, err := p.system().Roles().Create(ctx, sluice.Role{Meta: named("acme", "everything"), Permissions: []sluice.Permission{"*:*"}}, sluice.WriteOptions{})
	must(t, err)
	before := p.snapshot()
	roles := []string{sluice.RoleTenantAdmin, sluice.RoleDeveloper, sluice.RoleReadOnly, "everything"}
	count := 0
	for _, role := range roles {
		s := p.As(p.user("acme", "u-"+role, role))
		for kind, list := range ops {
			for _, op := range list {
				// By name and by number, with and without naming the tenant.
				for _, at := range []struct{ tenant, ref string }{{"victim", "victim"}, {"victim", ids[kind]}, {"", ids[kind]}} {
					if at.tenant == "" && (op.name == "create" || op.name == "put" || op.name == "put new") {
						continue // these have no number
					}
					count++
					wants(t, op.run(ctx, s, at.tenant, at.ref), sluice.CodeNotFound, fmt.Sprintf("%s: %s %s %s/%s", role, op.name, kind, at.tenant, at.ref))
				}
			}
		}
		_, err := s.Records(ctx, sluice.RecordQuery{Tenant: "victim"})
		wants(t, err, sluice.CodeNotFound, role+": records")
		_, err = s.Usage(ctx, sluice.UsageQuery{RecordQuery: sluice.RecordQuery{Tenant: "victim"}})
		wants(t, err, sluice.CodeNotFound, role+": usage")
		_, err = s.Audit(ctx, sluice.AuditQuery{Tenant: "victim"})
		wants(t, err, sluice.CodeNotFound, role+": audit")
		assertListsOwnOnly(t, s)
	}
	if count < 4*9*12 {
		t.Errorf("only %d combinations were tried", count)
	}
	h1, _ := before.Hash()
	h2, _ := p.snapshot().Hash()
	if h1 != h2 {
		t.Error("something of the configuration changed")
	}
}

// assertListsOwnOnly checks that "*" lists nothing of the victim.
func assertListsOwnOnly(t *testing.T, s *control.Session) {
	t.Helper()
	page, err := s.Groups().List(t.Context(), sluice.ListQuery{Tenant: "*"})
	if err != nil {
		return // the role reads no groups at all
	}
	for _, g := range page.Items {
		if g.Tenant == "victim" {
			t.Errorf("the list shows %s/%s", g.Tenant, g.Name)
		}
		if g.Tenant == sluice.PlatformTenant && g.SharedWith != nil {
			t.Error("a shared group tells with whom else it is shared")
		}
	}
}

// idOf returns the number of victim/victim.
func idOf(t *testing.T, p *plane, kind sluice.Kind) string {
	t.Helper()
	s, ctx := p.system(), t.Context()
	get := map[sluice.Kind]func() (uint64, error){
		sluice.KindTenant:   func() (uint64, error) { o, err := s.Tenants().Get(ctx, "", "victim"); return o.ID, err },
		sluice.KindRole:     func() (uint64, error) { o, err := s.Roles().Get(ctx, "victim", "victim"); return o.ID, err },
		sluice.KindUser:     func() (uint64, error) { o, err := s.Users().Get(ctx, "victim", "victim"); return o.ID, err },
		sluice.KindGroup:    func() (uint64, error) { o, err := s.Groups().Get(ctx, "victim", "victim"); return o.ID, err },
		sluice.KindProvider: func() (uint64, error) { o, err := s.Providers().Get(ctx, "victim", "victim"); return o.ID, err },
		sluice.KindModel:    func() (uint64, error) { o, err := s.Models().Get(ctx, "victim", "victim"); return o.ID, err },
		sluice.KindUpstream: func() (uint64, error) { o, err := s.Upstreams().Get(ctx, "victim", "victim"); return o.ID, err },
		sluice.KindRoute:    func() (uint64, error) { o, err := s.Routes().Get(ctx, "victim", "victim"); return o.ID, err },
		sluice.KindKey:      func() (uint64, error) { o, err := s.Keys().Get(ctx, "victim", "victim"); return o.ID, err },
	}
	id, err := get[kind]()
	must(t, err)
	return fmt.Sprint(id)
}

// Lost if it fails: what the platform shares is either unusable or writable.
func TestSharedObjectsAreReadOnly(t *testing.T) {
	p := fresh(t)
	ctx := t.Context()
	p.tenant("acme")
	_, err := p.system().Models().Create(ctx, sluice.Model{Meta: named("platform", "gpt-5")}, sluice.WriteOptions{})
	must(t, err)
	_, err = p.system().Groups().Create(ctx, sluice.Group{Meta: named("platform", "private")}, sluice.WriteOptions{})
	must(t, err)
	s := p.As(p.user("acme", "ann", sluice.RoleTenantAdmin))

	_, err = s.Models().Get(ctx, "platform", "gpt-5")
	must(t, err)
	_, err = s.Groups().Get(ctx, "platform", "default")
	must(t, err)
	_, err = s.Groups().Get(ctx, "platform", "private")
	wants(t, err, sluice.CodeNotFound, "a group that is not shared")
	_, err = s.Models().Patch(ctx, "platform", "gpt-5", json.RawMessage(`{"status":"disabled"}`), sluice.WriteOptions{})
	wants(t, err, sluice.CodeForbidden, "patch of a shared model")
	wants(t, s.Models().Delete(ctx, "platform", "gpt-5", sluice.WriteOptions{}), sluice.CodeForbidden, "delete of a shared model")
	_, _, err = s.Models().Put(ctx, "platform", "gpt-5", sluice.Model{}, sluice.WriteOptions{})
	wants(t, err, sluice.CodeForbidden, "put of a shared model")
	_, err = s.Models().Create(ctx, sluice.Model{Meta: named("platform", "mine")}, sluice.WriteOptions{})
	wants(t, err, sluice.CodeNotFound, "create into the platform")
	page, err := s.Models().List(ctx, sluice.ListQuery{Tenant: "platform"})
	if err != nil || len(page.Items) != 1 {
		t.Errorf("the shared models are not listed: %v, %v", page, err)
	}

	_, err = s.Keys().Create(ctx, sluice.Key{Meta: named("", "k"), Group: "private"}, sluice.WriteOptions{})
	wants(t, err, sluice.CodeInvalidRequest, "key of a group that is not shared")
	k, err := s.Keys().Create(ctx, sluice.Key{Meta: named("", "k")}, sluice.WriteOptions{})
	must(t, err)
	if k.Group != "default" || k.User != "ann" || k.Tenant != "acme" {
		t.Errorf("defaults of a key: %+v", k)
	}
	_, err = s.Providers().Create(ctx, sluice.Provider{Meta: named("", "spy"), Type: "openai"}, sluice.WriteOptions{})
	wants(t, err, sluice.CodeInvalidRequest, "a tenant's provider in the platform's group")
	_, err = p.system().Groups().Patch(ctx, "platform", "default", json.RawMessage(`{"shared_with":null}`), sluice.WriteOptions{})
	wants(t, err, sluice.CodeReferenced, "withdrawing a group in use")

	// The tenant's own group of that name takes precedence, and is guarded.
	_, err = s.Groups().Create(ctx, sluice.Group{Meta: named("", "default")}, sluice.WriteOptions{})
	must(t, err)
	wants(t, s.Groups().Delete(ctx, "", "default", sluice.WriteOptions{}), sluice.CodeReferenced, "deleting the group that the key now uses")
	_, err = p.system().Groups().Patch(ctx, "platform", "default", json.RawMessage(`{"shared_with":null}`), sluice.WriteOptions{})
	must(t, err)
}
