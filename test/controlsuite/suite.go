package controlsuite

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/api"
)

// Opener returns the face of a person in a world.
type Opener func(t testing.TB, w *World, p Person) Face

// Run runs the suite on one kind of face. Every test has a world of its own.
func Run(t *testing.T, open Opener) {
	for name, test := range map[string]func(*testing.T, *World, Opener){
		"every kind lives its life":             everyKind,
		"a version guards a write":              versions,
		"a key is shown once":                   keyTokens,
		"a repeated create happens once":        idempotency,
		"a dry run keeps nothing":               dryRun,
		"pages are whole and disjoint":          pages,
		"an object in use stays":                referrers,
		"secrets do not come back":              secrets,
		"roles decide":                          roles,
		"another tenant's objects do not exist": tenants,
		"records and usage are counted":         reports,
		"the audit log tells and holds":         audit,
		"the catalogue keeps people's edits":    catalogue,
		"a price is made once and for ever":     prices,
		"a file of prices is all or nothing":    priceFiles,
		"a request's cost is explained":         recordCosts,
		"a payment is made once":                paymentsOnce,
		"a payment's mistakes are named":        paymentMistakes,
		"a code is redeemed once":               codesOnce,
		"a refund never exceeds the charge":     refunds,
		"usage agrees with the ledger":          usageAgreesWithTheLedger,
		"money is whose it is":                  moneyIsPrivate,
		"usage is billed by time":               billedUsage,
	} {
		t.Run(name, func(t *testing.T) { test(t, StartPeopled(t, noChange), open) })
	}
}

func noChange(*api.Config) {}

// everyKind would miss a kind whose path, shape or verbs differ between faces.
func everyKind(t *testing.T, w *World, open Opener) {
	f := open(t, w, Root)
	life(t, f.Tenants, sluice.Tenant{Meta: sluice.Meta{Name: "globex"}})
	life(t, f.Roles, sluice.Role{Meta: sluice.Meta{Name: "auditor"}, Permissions: []sluice.Permission{"audit:read"}})
	life(t, f.Users, sluice.User{Meta: sluice.Meta{Name: "ada"}, Email: "ada@example.com", Password: Password})
	life(t, f.Groups, sluice.Group{Meta: sluice.Meta{Name: "vip"}})
	life(t, f.Providers, sluice.Provider{Meta: sluice.Meta{Name: "demo-2"}, Type: "demo"})
	life(t, f.Models, sluice.Model{Meta: sluice.Meta{Name: "meta/llama-3.1:70b"}, CostPerToken: 600_000_000})
	life(t, f.Upstreams, sluice.Upstream{Meta: sluice.Meta{Name: "orders"}, Nodes: []sluice.Node{{Host: "10.0.0.7", Port: 80}}})
	life(t, f.Keys, sluice.Key{Meta: sluice.Meta{Name: "checkout"}})
	_, err := f.Upstreams.Create(ctx(t), sluice.Upstream{Meta: sluice.Meta{Name: "orders"}, Nodes: []sluice.Node{{Host: "10.0.0.7", Port: 80}}}, sluice.WriteOptions{})
	must(t, err)
	life(t, f.Routes, sluice.Route{Meta: sluice.Meta{Name: "orders"}, Paths: []string{"/orders/*"}, Upstream: "orders"})
}

// life creates, reads, lists, replaces, patches and deletes one object.
func life[T any](t *testing.T, l Collection[T], obj T) {
	t.Helper()
	meta := metaOf(&obj)
	made, err := l.Create(ctx(t), obj, sluice.WriteOptions{})
	must(t, err)
	name, tenant := meta.Name, metaOf(&made).Tenant
	if m := metaOf(&made); m.ID == 0 || m.Version != 1 || m.Name != name || m.CreatedAt.IsZero() {
		t.Errorf("created %s: %+v", name, m)
	}
	_, err = l.Create(ctx(t), obj, sluice.WriteOptions{})
	wantCode(t, err, sluice.CodeConflict, "/name")
	for _, ref := range []string{name, fmt.Sprint(metaOf(&made).ID)} {
		got, err := l.Get(ctx(t), tenant, ref)
		must(t, err)
		if metaOf(&got).ID != metaOf(&made).ID {
			t.Errorf("get %s found another object", ref)
		}
	}
	page, err := l.List(ctx(t), sluice.ListQuery{Tenant: tenant, Search: name})
	must(t, err)
	if len(page.Items) == 0 {
		t.Errorf("list does not show %s", name)
	}
	_, created, err := l.Put(ctx(t), tenant, name, obj, sluice.WriteOptions{})
	must(t, err)
	if created {
		t.Errorf("put of an existing %s says created", name)
	}
	changed, err := l.Patch(ctx(t), tenant, name, json.RawMessage(`{"description":"changed"}`), sluice.WriteOptions{})
	must(t, err)
	if metaOf(&changed).Description != "changed" {
		t.Errorf("patch of %s changed nothing", name)
	}
	_, err = l.Patch(ctx(t), tenant, name, json.RawMessage(`{"colour":"red"}`), sluice.WriteOptions{})
	wantCode(t, err, sluice.CodeInvalidRequest, "")
	must(t, l.Delete(ctx(t), tenant, name, sluice.WriteOptions{}))
	_, err = l.Get(ctx(t), tenant, name)
	wantCode(t, err, sluice.CodeNotFound, "")
	_, created, err = l.Put(ctx(t), tenant, name, obj, sluice.WriteOptions{IfNoneMatch: true})
	must(t, err)
	if !created {
		t.Errorf("put of a missing %s does not say created", name)
	}
	must(t, l.Delete(ctx(t), tenant, name, sluice.WriteOptions{}))
}

// versions would let two admins overwrite each other unnoticed.
func versions(t *testing.T, w *World, open Opener) {
	f := open(t, w, Root)
	g, err := f.Groups.Create(ctx(t), sluice.Group{Meta: sluice.Meta{Name: "vip"}}, sluice.WriteOptions{})
	must(t, err)
	first, err := f.Groups.Patch(ctx(t), "", "vip", json.RawMessage(`{"max_attempts":5}`), sluice.WriteOptions{IfMatch: g.Version})
	must(t, err)
	_, err = f.Groups.Patch(ctx(t), "", "vip", json.RawMessage(`{"max_attempts":7}`), sluice.WriteOptions{IfMatch: g.Version})
	wantCode(t, err, sluice.CodePrecondition, "")
	again, err := f.Groups.Patch(ctx(t), "", "vip", json.RawMessage(`{}`), sluice.WriteOptions{IfMatch: g.Version, AlsoMatch: []uint64{first.Version}})
	must(t, err)
	if again.Version != first.Version {
		t.Errorf("an empty patch made version %d of %d", again.Version, first.Version)
	}
	_, _, err = f.Groups.Put(ctx(t), "", "nobody", sluice.Group{}, sluice.WriteOptions{IfExists: true})
	wantCode(t, err, sluice.CodePrecondition, "")
	_, _, err = f.Groups.Put(ctx(t), "", "vip", g, sluice.WriteOptions{IfNoneMatch: true})
	wantCode(t, err, sluice.CodePrecondition, "")
	wantCode(t, f.Groups.Delete(ctx(t), "", "vip", sluice.WriteOptions{IfMatch: g.Version}), sluice.CodePrecondition, "")
	must(t, f.Groups.Delete(ctx(t), "", "vip", sluice.WriteOptions{IfMatch: first.Version}))
}

// keyTokens would show a credential again, or fail to show it at all.
func keyTokens(t *testing.T, w *World, open Opener) {
	f := open(t, w, AcmeDev)
	k, err := f.Keys.Create(ctx(t), sluice.Key{Meta: sluice.Meta{Name: "mine"}}, sluice.WriteOptions{})
	must(t, err)
	if !sluice.WellFormedToken(k.Token) || k.TokenHash != sluice.HashToken(k.Token) || k.User != AcmeDev.Name {
		t.Errorf("created key: %+v", k)
	}
	rotated, err := f.RotateKey(ctx(t), "", "mine", time.Minute, sluice.WriteOptions{})
	must(t, err)
	if rotated.Token == k.Token || rotated.RetiringHash != k.TokenHash || rotated.RetiringUntil.IsZero() {
		t.Errorf("rotated key: %+v", rotated)
	}
	got, err := f.Keys.Get(ctx(t), "", "mine")
	must(t, err)
	if got.Token != "" || *got.RPM != sluice.DefaultRPM || *got.TPM != sluice.DefaultTPM {
		t.Errorf("read key: %+v", got)
	}
}

// idempotency would create twice what a client asked for once.
func idempotency(t *testing.T, w *World, open Opener) {
	f := open(t, w, Root)
	opts := sluice.WriteOptions{IdempotencyKey: "order-66"}
	key := sluice.Key{Meta: sluice.Meta{Description: "generated name"}}
	first, err := f.Keys.Create(ctx(t), key, opts)
	must(t, err)
	second, err := f.Keys.Create(ctx(t), key, opts)
	must(t, err)
	if second.ID != first.ID || second.Token != "" {
		t.Errorf("repeated create: id %d, then %d, token shown again: %t", first.ID, second.ID, second.Token != "")
	}
	_, err = f.Keys.Create(ctx(t), sluice.Key{Meta: sluice.Meta{Description: "another"}}, opts)
	wantCode(t, err, sluice.CodeIdempotency, "Idempotency-Key")
}

// dryRun would turn a question into a change.
func dryRun(t *testing.T, w *World, open Opener) {
	f := open(t, w, Root)
	trial := sluice.WriteOptions{DryRun: true}
	g, err := f.Groups.Create(ctx(t), sluice.Group{Meta: sluice.Meta{Name: "vip"}}, trial)
	must(t, err)
	if g.Name != "vip" || g.MaxAttempts != 3 {
		t.Errorf("dry run answered %+v", g)
	}
	_, err = f.Groups.Get(ctx(t), "", "vip")
	wantCode(t, err, sluice.CodeNotFound, "")
	_, err = f.Groups.Create(ctx(t), sluice.Group{Meta: sluice.Meta{Name: "vip"}, MaxAttempts: 99}, trial)
	wantCode(t, err, sluice.CodeInvalidRequest, "/max_attempts")
	must(t, f.Users.Delete(ctx(t), AcmeDev.Tenant, AcmeDev.Name, trial))
	_, err = f.Users.Get(ctx(t), AcmeDev.Tenant, AcmeDev.Name)
	must(t, err)
}

// pages would skip or repeat objects of a long list.
func pages(t *testing.T, w *World, open Opener) {
	f := open(t, w, Root)
	for i := range 7 {
		_, err := f.Groups.Create(ctx(t), sluice.Group{Meta: sluice.Meta{Name: fmt.Sprintf("page-%d", i)}}, sluice.WriteOptions{})
		must(t, err)
	}
	var seen []string
	q := sluice.ListQuery{Search: "PAGE-", Limit: 3}
	for {
		page, err := f.Groups.List(ctx(t), q)
		must(t, err)
		for _, g := range page.Items {
			seen = append(seen, g.Name)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if got, want := fmt.Sprint(seen), "[page-0 page-1 page-2 page-3 page-4 page-5 page-6]"; got != want {
		t.Errorf("pages hold %s, want %s", got, want)
	}
	_, err := f.Groups.List(ctx(t), sluice.ListQuery{Cursor: "not a cursor"})
	wantCode(t, err, sluice.CodeInvalidRequest, "cursor")
	_, err = f.Groups.List(ctx(t), sluice.ListQuery{Filter: map[string]string{"colour": "red"}})
	wantCode(t, err, sluice.CodeInvalidRequest, "filter")
	page, err := f.Users.List(ctx(t), sluice.ListQuery{Tenant: "acme", Filter: map[string]string{"email": AcmeDev.Email()}})
	must(t, err)
	if len(page.Items) != 1 || page.Items[0].Name != AcmeDev.Name {
		t.Errorf("filter by email found %d users", len(page.Items))
	}
}

// referrers would leave objects that point at nothing.
func referrers(t *testing.T, w *World, open Opener) {
	f := open(t, w, Root)
	_, err := f.Groups.Create(ctx(t), sluice.Group{Meta: sluice.Meta{Name: "vip"}}, sluice.WriteOptions{})
	must(t, err)
	_, err = f.Keys.Create(ctx(t), sluice.Key{Meta: sluice.Meta{Name: "holder"}, Group: "vip"}, sluice.WriteOptions{})
	must(t, err)
	err = f.Groups.Delete(ctx(t), "", "vip", sluice.WriteOptions{})
	wantCode(t, err, sluice.CodeReferenced, "")
	if sluice.AsError(err).Details["referrers"] == nil {
		t.Error("the refusal does not name the referrers")
	}
	_, err = f.Keys.Create(ctx(t), sluice.Key{Group: "nowhere"}, sluice.WriteOptions{})
	wantCode(t, err, sluice.CodeInvalidRequest, "/group")
}

// secrets would give a provider's credential away to whoever may read it.
func secrets(t *testing.T, w *World, open Opener) {
	f := open(t, w, Root)
	p, err := f.Providers.Create(ctx(t), sluice.Provider{Meta: sluice.Meta{Name: "p"}, Type: "demo", APIKey: "sk-canary"}, sluice.WriteOptions{})
	must(t, err)
	q, err := f.Providers.Patch(ctx(t), "", "p", json.RawMessage(`{"weight":2}`), sluice.WriteOptions{})
	must(t, err)
	for _, answer := range []sluice.Provider{p, q} {
		if answer.APIKey != "" || !answer.HasAPIKey {
			t.Errorf("the answer holds api_key %q, has_api_key %t", answer.APIKey, answer.HasAPIKey)
		}
	}
	u, err := f.Users.Get(ctx(t), "acme", AcmeDev.Name)
	must(t, err)
	if u.Password != "" {
		t.Error("the answer holds a password")
	}
}

// roles would let somebody do what the role does not permit.
func roles(t *testing.T, w *World, open Opener) {
	reader := open(t, w, AcmeReader)
	_, err := reader.Keys.Create(ctx(t), sluice.Key{}, sluice.WriteOptions{})
	wantCode(t, err, sluice.CodeForbidden, "")
	_, err = reader.Keys.List(ctx(t), sluice.ListQuery{})
	must(t, err)
	dev := open(t, w, AcmeDev)
	_, err = dev.Providers.List(ctx(t), sluice.ListQuery{})
	wantCode(t, err, sluice.CodeForbidden, "")
	_, err = dev.Users.Patch(ctx(t), "", AcmeDev.Name, json.RawMessage(`{"roles":["tenant-admin"]}`), sluice.WriteOptions{})
	wantCode(t, err, sluice.CodeForbidden, "")
	admin := open(t, w, AcmeAdmin)
	_, err = admin.Users.Patch(ctx(t), "", AcmeDev.Name, json.RawMessage(`{"roles":["platform-admin"]}`), sluice.WriteOptions{})
	wantCode(t, err, sluice.CodeForbidden, "/roles")
	_, err = admin.Sync(ctx(t))
	wantCode(t, err, sluice.CodeForbidden, "")
	if revision, err := open(t, w, Root).Sync(ctx(t)); err != nil || revision == 0 {
		t.Errorf("sync: revision %d, %v", revision, err)
	}
}

// tenants would let one customer see another.
func tenants(t *testing.T, w *World, open Opener) {
	_, err := open(t, w, OtherAdmin).Groups.Create(ctx(t), sluice.Group{Meta: sluice.Meta{Name: "secret"}}, sluice.WriteOptions{})
	must(t, err)
	acme := open(t, w, AcmeAdmin)
	_, err = acme.Groups.Get(ctx(t), "other", "secret")
	wantCode(t, err, sluice.CodeNotFound, "")
	_, err = acme.Groups.Get(ctx(t), "", "secret")
	wantCode(t, err, sluice.CodeNotFound, "")
	_, err = acme.Groups.List(ctx(t), sluice.ListQuery{Tenant: "other"})
	wantCode(t, err, sluice.CodeNotFound, "")
	_, err = acme.Groups.Create(ctx(t), sluice.Group{Meta: sluice.Meta{Name: "x", Tenant: "other"}}, sluice.WriteOptions{})
	wantCode(t, err, sluice.CodeNotFound, "")
	page, err := acme.Groups.List(ctx(t), sluice.ListQuery{Tenant: "*"})
	must(t, err)
	for _, g := range page.Items {
		if g.Tenant == "other" {
			t.Errorf("the list of everything shows %s/%s", g.Tenant, g.Name)
		}
	}
}

// reports would lose or misattribute what FinOps bills by.
func reports(t *testing.T, w *World, open Opener) {
	now := time.Now().UTC().Truncate(time.Second)
	for i, model := range []string{"demo", "demo", "other"} {
		must(t, w.DB.InsertRecords(ctx(t), []sluice.Record{{ID: fmt.Sprintf("r-%d", i), Time: now.Add(time.Duration(i) * time.Second), Tenant: "acme",
			User: AcmeDev.Name, Key: "mine", Model: model, Method: "POST", Path: "/v1/chat/completions", Status: 200, Outcome: sluice.OutcomeComplete,
			Usage: sluice.Usage{Input: 10, Output: 5}}}))
	}
	f := open(t, w, AcmeAdmin)
	page, err := f.Records(ctx(t), sluice.RecordQuery{Model: "demo", Limit: 1})
	must(t, err)
	if len(page.Items) != 1 || page.Items[0].ID != "r-1" || page.Next == "" {
		t.Errorf("records: %+v", page)
	}
	rows, err := f.Usage(ctx(t), sluice.UsageQuery{GroupBy: []string{"model"}, RecordQuery: sluice.RecordQuery{From: now, To: now.Add(time.Minute)}})
	must(t, err)
	total := int64(0)
	for _, row := range rows {
		total += row.Requests
	}
	if len(rows) != 2 || total != 3 {
		t.Errorf("usage: %+v", rows)
	}
	_, err = f.Usage(ctx(t), sluice.UsageQuery{GroupBy: []string{"colour"}})
	wantCode(t, err, sluice.CodeInvalidRequest, "group_by")
	_, err = f.Records(ctx(t), sluice.RecordQuery{Tenant: "other"})
	wantCode(t, err, sluice.CodeNotFound, "")
}

// audit would let a change go unnoticed.
func audit(t *testing.T, w *World, open Opener) {
	f := open(t, w, Root)
	_, err := f.Groups.Create(ctx(t), sluice.Group{Meta: sluice.Meta{Name: "traced"}}, sluice.WriteOptions{})
	must(t, err)
	page, err := f.Audit(ctx(t), sluice.AuditQuery{Kind: sluice.KindGroup, Object: "traced"})
	must(t, err)
	if len(page.Items) != 1 || page.Items[0].Action != "create" || page.Items[0].Actor != "platform/root" {
		t.Errorf("audit: %+v", page.Items)
	}
	entries, err := f.VerifyAudit(ctx(t))
	must(t, err)
	if entries == 0 {
		t.Error("the audit chain is empty")
	}
	_, err = open(t, w, AcmeAdmin).VerifyAudit(ctx(t))
	wantCode(t, err, sluice.CodeForbidden, "")
}

// wantCode checks an error's code and the field it blames.
func wantCode(t *testing.T, err error, code sluice.Code, field string) {
	t.Helper()
	if sluice.CodeOf(err) != code {
		t.Fatalf("got %v, want code %s", err, code)
	}
	if e := sluice.AsError(err); e != nil && field != "" && e.Field != field {
		t.Errorf("%v blames %q, want %q", err, e.Field, field)
	}
}

func metaOf[T any](obj *T) *sluice.Meta { return any(obj).(sluice.Object).GetMeta() }

func ctx(t *testing.T) context.Context { return t.Context() }
