package control_test

import (
	"encoding/json"
	"testing"

	"github.com/sluicegate/sluice"
)

// Lost if it fails: somebody gives themselves what nobody gave them.
func TestNobodyGainsPermissions(t *testing.T) {
	p := fresh(t)
	ctx := t.Context()
	p.tenant("acme")
	none := sluice.WriteOptions{}
	boss := p.As(p.user("acme", "boss", sluice.RoleTenantAdmin))
	_, err := boss.Roles().Create(ctx, sluice.Role{Meta: named("", "hr"), Permissions: []sluice.Permission{"users:write", "users:read", "roles:write", "keys:own-write"}}, none)
	must(t, err)
	hr := p.As(p.user("acme", "hr", "hr"))
	dev := p.As(p.user("acme", "dev", sluice.RoleDeveloper))
	reader := p.As(p.user("acme", "reader", sluice.RoleReadOnly))
	root := p.As(p.user(sluice.PlatformTenant, "root", sluice.RolePlatformAdmin))
	deputy := p.As(p.user(sluice.PlatformTenant, "deputy", sluice.RoleTenantAdmin))

	user := func(name string, roles ...string) sluice.User {
		return sluice.User{Meta: named("", name), Email: name + "@x.example", Roles: roles}
	}
	attempts := []struct {
		what string
		run  func() error
		want sluice.Code
	}{
		{"hr grants tenant-admin", func() error { _, err := hr.Users().Create(ctx, user("x", sluice.RoleTenantAdmin), none); return err }, sluice.CodeForbidden},
		{"hr grants hr", func() error { _, err := hr.Users().Create(ctx, user("x", "hr"), none); return err }, ""},
		{"hr promotes itself", func() error {
			_, err := hr.Users().Patch(ctx, "", "hr", json.RawMessage(`{"roles":["tenant-admin"]}`), none)
			return err
		}, sluice.CodeForbidden},
		{"hr takes over the boss", func() error {
			_, err := hr.Users().Patch(ctx, "", "boss", json.RawMessage(`{"password":"a new password here"}`), none)
			return err
		}, sluice.CodeForbidden},
		{"hr deletes the boss", func() error { return hr.Users().Delete(ctx, "", "boss", none) }, sluice.CodeForbidden},
		{"hr demotes the boss", func() error {
			_, err := hr.Users().Patch(ctx, "", "boss", json.RawMessage(`{"roles":["hr"]}`), none)
			return err
		}, sluice.CodeForbidden},
		{"hr widens its role", func() error {
			_, err := hr.Roles().Patch(ctx, "", "hr", json.RawMessage(`{"permissions":["*:*"]}`), none)
			return err
		}, sluice.CodeForbidden},
		{"hr makes a role by kind", func() error {
			_, err := hr.Roles().Create(ctx, sluice.Role{Meta: named("", "y"), Permissions: []sluice.Permission{"providers:read"}}, none)
			return err
		}, sluice.CodeForbidden},
		{"hr makes a role of every kind", func() error {
			_, err := hr.Roles().Create(ctx, sluice.Role{Meta: named("", "y"), Permissions: []sluice.Permission{"*:own-read"}}, none)
			return err
		}, sluice.CodeForbidden},
		{"hr makes a role of less", func() error {
			_, err := hr.Roles().Create(ctx, sluice.Role{Meta: named("", "y"), Permissions: []sluice.Permission{"users:own-read"}}, none)
			return err
		}, ""},
		{"hr makes a wider key role", func() error {
			_, err := hr.Roles().Create(ctx, sluice.Role{Meta: named("", "z"), Permissions: []sluice.Permission{"keys:write"}}, none)
			return err
		}, sluice.CodeForbidden},
		{"boss makes a platform admin", func() error {
			_, err := boss.Users().Create(ctx, user("x2", sluice.RolePlatformAdmin), none)
			return err
		}, sluice.CodeForbidden},
		{"root makes one in a tenant", func() error {
			u := user("x3", sluice.RolePlatformAdmin)
			u.Tenant = "acme"
			_, err := root.Users().Create(ctx, u, none)
			return err
		}, sluice.CodeInvalidRequest},
		{"deputy makes a platform admin", func() error {
			_, err := deputy.Users().Create(ctx, user("x4", sluice.RolePlatformAdmin), none)
			return err
		}, sluice.CodeForbidden},
		{"deputy takes over root", func() error {
			_, err := deputy.Users().Patch(ctx, "", "root", json.RawMessage(`{"password":"a new password here"}`), none)
			return err
		}, sluice.CodeForbidden},
		{"deputy promotes itself", func() error {
			_, err := deputy.Users().Patch(ctx, "", "deputy", json.RawMessage(`{"roles":["platform-admin"]}`), none)
			return err
		}, sluice.CodeForbidden},
		{"boss writes a built-in role", func() error {
			_, _, err := boss.Roles().Put(ctx, "platform", "developer", sluice.Role{Permissions: []sluice.Permission{"*:*"}}, none)
			return err
		}, sluice.CodeForbidden},
		{"root writes a built-in role", func() error {
			_, err := root.Roles().Patch(ctx, "platform", "developer", json.RawMessage(`{"permissions":["*:*"]}`), none)
			return err
		}, sluice.CodeForbidden},
		{"boss shadows a built-in role", func() error {
			_, err := boss.Roles().Create(ctx, sluice.Role{Meta: named("", "developer"), Permissions: []sluice.Permission{"*:*"}}, none)
			return err
		}, sluice.CodeInvalidRequest},
		{"dev makes itself admin", func() error {
			_, err := dev.Users().Patch(ctx, "", "dev", json.RawMessage(`{"roles":["tenant-admin"]}`), none)
			return err
		}, sluice.CodeForbidden},
		{"dev creates a user", func() error { _, err := dev.Users().Create(ctx, user("dev2"), none); return err }, sluice.CodeForbidden},
		{"dev changes its description", func() error {
			_, err := dev.Users().Patch(ctx, "", "dev", json.RawMessage(`{"description":"me"}`), none)
			return err
		}, ""},
		{"dev changes somebody else", func() error {
			_, err := dev.Users().Patch(ctx, "", "boss", json.RawMessage(`{"description":"me"}`), none)
			return err
		}, sluice.CodeForbidden},
		{"dev makes its own key", func() error {
			_, err := dev.Keys().Create(ctx, sluice.Key{Meta: named("", "dev-key")}, none)
			return err
		}, ""},
		{"dev makes the boss's key", func() error { _, err := dev.Keys().Create(ctx, sluice.Key{User: "boss"}, none); return err }, sluice.CodeForbidden},
		{"dev gives its key away", func() error {
			_, err := dev.Keys().Patch(ctx, "", "dev-key", json.RawMessage(`{"user":"boss"}`), none)
			return err
		}, sluice.CodeForbidden},
		{"boss makes a key for dev", func() error {
			_, err := boss.Keys().Create(ctx, sluice.Key{Meta: named("", "gift"), User: "dev"}, none)
			return err
		}, ""},
		{"reader writes", func() error {
			_, err := reader.Models().Create(ctx, sluice.Model{Meta: named("", "m")}, none)
			return err
		}, sluice.CodeForbidden},
		{"reader reads", func() error { _, err := reader.Keys().List(ctx, sluice.ListQuery{}); return err }, ""},
		{"dev reads the audit log", func() error { _, err := dev.Audit(ctx, sluice.AuditQuery{}); return err }, sluice.CodeForbidden},
		{"boss verifies the audit log", func() error { _, err := boss.VerifyAudit(ctx); return err }, sluice.CodeForbidden},
		{"boss publishes", func() error { _, err := boss.Sync(ctx); return err }, sluice.CodeForbidden},
		{"boss changes its tenant", func() error {
			_, err := boss.Tenants().Patch(ctx, "", "acme", json.RawMessage(`{"description":"x"}`), none)
			return err
		}, sluice.CodeForbidden},
		{"boss reads its tenant", func() error { _, err := boss.Tenants().Get(ctx, "", "acme"); return err }, ""},
		{"boss takes the OpenAI paths", func() error {
			_, err := boss.Routes().Create(ctx, sluice.Route{Meta: named("", "steal"), Paths: []string{"/v1/*"}, Priority: 999, Surface: "openai"}, none)
			return err
		}, sluice.CodeForbidden},
		{"boss makes a route of its own", func() error {
			_, err := boss.Routes().Create(ctx, sluice.Route{Meta: named("", "mine"), Paths: []string{"/t/acme/llm/*"}, Surface: "openai"}, none)
			return err
		}, ""},
		{"the last admin leaves", func() error { return root.Users().Delete(ctx, "", "root", none) }, sluice.CodeConflict},
		{"the last admin is disabled", func() error {
			_, err := root.Users().Patch(ctx, "", "root", json.RawMessage(`{"status":"disabled"}`), none)
			return err
		}, sluice.CodeConflict},
		{"the platform is deleted", func() error { return root.Tenants().Delete(ctx, "", "platform", none) }, sluice.CodeConflict},
		{"the platform is disabled", func() error {
			_, err := root.Tenants().Patch(ctx, "", "platform", json.RawMessage(`{"status":"disabled"}`), none)
			return err
		}, sluice.CodeInvalidRequest},
	}
	for _, a := range attempts {
		wants(t, a.run(), a.want, a.what)
	}

	keys, err := dev.Keys().List(ctx, sluice.ListQuery{})
	must(t, err)
	if len(keys.Items) != 2 {
		t.Errorf("a developer sees %d keys, want its own 2", len(keys.Items))
	}
	users, err := dev.Users().List(ctx, sluice.ListQuery{Tenant: "*"})
	if err != nil || len(users.Items) != 1 || users.Items[0].Name != "dev" {
		t.Errorf("a developer sees users %v, %v", users.Items, err)
	}
}

// TestOwnKeysStayWithinLimits keeps a developer from lifting what an admin set
// on the developer's keys, or what the group and the route configure.
func TestOwnKeysStayWithinLimits(t *testing.T) {
	p := fresh(t)
	p.tenant("acme")
	dev := p.As(p.user("acme", "dev", sluice.RoleDeveloper)).Keys()
	none := sluice.WriteOptions{}
	limited := sluice.Key{Meta: named("acme", "limited"), User: "dev", RPM: new(int64(10)), TPM: new(int64(500_000)), Concurrency: new(int64(4)),
		Plugins: map[string]json.RawMessage{"cors": json.RawMessage(`{"a": 1}`)}}
	_, err := p.system().Keys().Create(t.Context(), limited, none)
	must(t, err)
	for patch, field := range map[string]string{
		`{"rpm":0}`: "/rpm", `{"rpm":61}`: "/rpm", `{"tpm":0}`: "/tpm", `{"tpm":500001}`: "/tpm", `{"concurrency":0}`: "/concurrency", `{"concurrency":null}`: "/concurrency", `{"concurrency":5}`: "/concurrency", `{"weight":2}`: "/weight",
		`{"plugins":null}`: "/plugins", `{"plugins":{"cors":{"a":2}}}`: "/plugins", `{"plugins":{"key-auth":{}}}`: "/plugins",
	} {
		_, err := dev.Patch(t.Context(), "", "limited", json.RawMessage(patch), none)
		if wants(t, err, sluice.CodeForbidden, patch); err != nil && sluice.AsError(err).Field != field {
			t.Errorf("%s blames %s", patch, sluice.AsError(err).Field)
		}
	}
	_, err = dev.Patch(t.Context(), "", "limited", json.RawMessage(`{"rpm":60,"tpm":400000,"plugins":{"cors":{"a":1}},"description":"mine"}`), none)
	must(t, err)
	for what, key := range map[string]sluice.Key{
		"unlimited": {RPM: new(int64(0))}, "more tokens": {TPM: new(int64(sluice.DefaultTPM + 1))}, "a larger share": {Weight: 2},
		"own plugins": {Plugins: map[string]json.RawMessage{"key-auth": json.RawMessage(`{}`)}},
	} {
		_, err := dev.Create(t.Context(), key, none)
		wants(t, err, sluice.CodeForbidden, what)
	}
	_, err = dev.Create(t.Context(), sluice.Key{RPM: new(int64(5)), Plugins: map[string]json.RawMessage{}}, none)
	must(t, err)
}

// Lost if it fails: tenants set what they pay.
func TestTenantsDoNotSetTheirMultiplier(t *testing.T) {
	p := fresh(t)
	ctx := t.Context()
	p.tenant("acme")
	boss, root := p.As(p.user("acme", "boss", sluice.RoleTenantAdmin)), p.As(p.user(sluice.PlatformTenant, "root", sluice.RolePlatformAdmin))
	own := sluice.Group{Meta: sluice.Meta{Tenant: "acme", Name: "own"}, PriceMultiplier: sluice.NoMultiplier}
	_, err := boss.Groups().Create(ctx, own, sluice.WriteOptions{})
	must(t, err)
	cheap := own
	cheap.PriceMultiplier, cheap.Name = 1, "cheap"
	_, err = boss.Groups().Create(ctx, cheap, sluice.WriteOptions{})
	wants(t, err, sluice.CodeForbidden, "creating a cheap group")
	_, err = boss.Groups().Patch(ctx, "acme", "own", []byte(`{"price_multiplier":0.5}`), sluice.WriteOptions{})
	wants(t, err, sluice.CodeForbidden, "making a group cheap")
	_, err = root.Groups().Patch(ctx, "acme", "own", []byte(`{"price_multiplier":1.15}`), sluice.WriteOptions{})
	must(t, err)
	_, err = boss.Groups().Patch(ctx, "acme", "own", []byte(`{"price_multiplier":null}`), sluice.WriteOptions{})
	wants(t, err, sluice.CodeForbidden, "taking the multiplier away")
	g, err := boss.Groups().Patch(ctx, "acme", "own", []byte(`{"description":"still writable"}`), sluice.WriteOptions{})
	must(t, err)
	if g.PriceMultiplier != 1_150_000 {
		t.Errorf("the multiplier is %s", g.PriceMultiplier)
	}
}
