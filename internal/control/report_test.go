package control_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
	"github.com/sluicegate/sluice/internal/store"
)

// Lost if it fails: people read other people's requests.
func TestRecordsAreLimitedToTheCaller(t *testing.T) {
	p := fresh(t)
	ctx := t.Context()
	p.tenant("acme")
	dev, boss := p.As(p.user("acme", "dev", sluice.RoleDeveloper)), p.As(p.user("acme", "boss", sluice.RoleTenantAdmin))
	root := p.As(p.user(sluice.PlatformTenant, "root", sluice.RolePlatformAdmin))
	must(t, p.db.InsertRecords(ctx, []sluice.Record{
		{ID: "1", Time: p.clock.Now(), Tenant: "acme", User: "dev", Outcome: sluice.OutcomeComplete},
		{ID: "2", Time: p.clock.Now(), Tenant: "acme", User: "boss", Outcome: sluice.OutcomeComplete},
		{ID: "3", Time: p.clock.Now(), Tenant: "globex", User: "dev", Outcome: sluice.OutcomeComplete},
	}))
	for _, c := range []struct {
		who  string
		q    sluice.RecordQuery
		want string
	}{
		{"dev", sluice.RecordQuery{}, "1"}, {"dev", sluice.RecordQuery{Tenant: "*"}, "1"}, {"dev", sluice.RecordQuery{User: "dev"}, "1"},
		{"dev", sluice.RecordQuery{User: "boss"}, "AUTH_002"}, {"boss", sluice.RecordQuery{}, "21"}, {"boss", sluice.RecordQuery{Tenant: "*"}, "21"},
		{"boss", sluice.RecordQuery{Tenant: "globex"}, "COMMON_002"}, {"root", sluice.RecordQuery{Tenant: "*"}, "321"}, {"root", sluice.RecordQuery{}, ""},
		{"root", sluice.RecordQuery{Tenant: "globex"}, "3"},
	} {
		session := map[string]*control.Session{"dev": dev, "boss": boss, "root": root}[c.who]
		page, err := session.Records(ctx, c.q)
		var got strings.Builder
		for _, r := range page.Items {
			got.WriteString(r.ID)
		}
		if err != nil {
			got.WriteString(string(sluice.CodeOf(err)))
		}
		rows, usageErr := session.Usage(ctx, sluice.UsageQuery{RecordQuery: c.q})
		var counted int64
		for _, r := range rows {
			counted += r.Requests
		}
		if got.String() != c.want || sluice.CodeOf(usageErr) != sluice.CodeOf(err) || counted != int64(len(page.Items)) {
			t.Errorf("%s asking %+v: records %q want %q, usage counts %d (%v)", c.who, c.q, got.String(), c.want, counted, usageErr)
		}
	}
}

// Lost if it fails: nobody can tell who changed what.
func TestAuditSaysWhoChangedWhat(t *testing.T) {
	p := fresh(t)
	ctx := t.Context()
	p.tenant("acme")
	caller := p.user("acme", "boss", sluice.RoleTenantAdmin)
	caller.RequestID, caller.IP = "req-7", "192.0.2.9"
	s := p.As(caller)
	_, err := s.Models().Create(ctx, sluice.Model{Meta: named("", "m"), ContextWindow: 5}, sluice.WriteOptions{})
	must(t, err)
	_, err = s.Models().Patch(ctx, "", "m", json.RawMessage(`{"context_window":6,"status":"disabled"}`), sluice.WriteOptions{})
	must(t, err)
	_, err = s.Users().Patch(ctx, "", "boss", json.RawMessage(`{"password":"yet another password"}`), sluice.WriteOptions{})
	must(t, err)
	page, err := s.Audit(ctx, sluice.AuditQuery{Actor: "acme/boss", Limit: 3})
	must(t, err)
	var lines []string
	for _, e := range page.Items {
		if e.Hash == "" || e.Tenant != "acme" || e.Action != "sign_in" && (e.RequestID != "req-7" || e.IP != "192.0.2.9") {
			t.Errorf("entry %+v", e)
		}
		lines = append(lines, e.Action+" "+string(e.Kind)+"/"+e.Object+" "+string(e.Diff))
	}
	want := []string{
		`update users/boss {"password":[null,"***"]}`,
		`update models/m {"context_window":[5,6],"status":["active","disabled"]}`,
		`create models/m {"context_window":[null,5],"cost_per_token":[null,0],"name":[null,"m"],"param_policy":[null,"lenient"],"status":[null,"active"],"tenant":[null,"acme"]}`,
	}
	if got := strings.Join(lines, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("audit says\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if page.Next == "" {
		t.Error("the sign-in is not on the next page")
	}
}

// Lost if it fails: a restart undoes what an operator decided.
func TestBootstrapKeepsWhatOperatorsChanged(t *testing.T) {
	p := fresh(t)
	ctx, s := t.Context(), p.system()
	route, err := s.Routes().Get(ctx, "", "openai")
	must(t, err)
	if route.Paths[0] != "/v1/*" || route.Priority != -100 || string(route.Plugins["key-auth"]) != "{}" {
		t.Errorf("route %+v", route)
	}
	roles, err := s.Roles().List(ctx, sluice.ListQuery{})
	must(t, err)
	if len(roles.Items) != len(sluice.BuiltInRoles()) || !roles.Items[0].BuiltIn {
		t.Errorf("roles %+v", roles.Items)
	}
	must(t, s.Routes().Delete(ctx, "", "openai", sluice.WriteOptions{}))
	_, err = s.Groups().Patch(ctx, "", "default", json.RawMessage(`{"max_attempts":7}`), sluice.WriteOptions{})
	must(t, err)
	before := p.snapshot()
	must(t, p.Bootstrap(ctx))
	after := p.snapshot()
	if after.Revision != before.Revision || len(after.Routes) != 4 || after.Groups[0].MaxAttempts != 7 {
		t.Errorf("bootstrap changed something: %+v", after)
	}
}

// Lost if it fails: an installation that an older version made never gets the
// routes of new surfaces, or gets back what its operator deleted.
func TestBootstrapAddsWhatIsNewOnce(t *testing.T) {
	p := fresh(t)
	ctx, s := t.Context(), p.system()
	for _, name := range []string{"openai", "anthropic", "anthropic-models", "gemini", "gemini-v1"} {
		must(t, s.Routes().Delete(ctx, "", name, sluice.WriteOptions{}))
	}
	must(t, p.db.Write(ctx, func(tx *store.Tx) error { return tx.SetSetting("bootstrapped", "1") }))
	must(t, p.Bootstrap(ctx))
	names := []string{}
	for _, r := range p.snapshot().Routes {
		names = append(names, r.Name)
	}
	if got := strings.Join(names, " "); got != "anthropic anthropic-models gemini gemini-v1" {
		t.Errorf("an older installation has %s", got)
	}
}
