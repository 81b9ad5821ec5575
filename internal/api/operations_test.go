package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/api"
	"github.com/sluicegate/sluice/test/controlsuite"
)

// step is one operation that must succeed. {token}, {refresh} and {csrf} stand
// for what earlier steps answered.
type step struct {
	id, method, path, body string
	status                 int
	// shows is a part of the answer that proves what was done.
	shows string
}

// lifecycle is create, list, get, put, patch, delete of one kind, in order.
func lifecycle(singular, plural, name, body, patch string) []step {
	path := "/admin/v1/" + plural
	one := path + "/" + name
	return []step{
		{"create-" + singular, "POST", path, body, 201, `"version":1`},
		{"list-" + plural, "GET", path + "?limit=500", "", 200, `"items":[`},
		{"get-" + singular, "GET", one, "", 200, `"id":`},
		{"patch-" + singular, "PATCH", one, patch, 200, `"version":2`},
		{"put-" + singular, "PUT", one, body, 200, `"version":3`},
		{"delete-" + singular, "DELETE", one, "", 204, ""},
	}
}

// everyOperation is what a platform admin can do, in an order that works.
func everyOperation() []step {
	const described = `{"description":"changed"}`
	steps := []step{
		{"get-health", "GET", "/health", "", 200, `"service":"sluice-control"`},
		{"get-ready", "GET", "/ready", "", 200, `"ready"`},
		{"create-token", "POST", "/v1/auth/token", `{"email":"root@platform.example","password":"correct horse battery"}`, 200, `"token_type":"Bearer"`},
		{"refresh-token", "POST", "/v1/auth/refresh", `{"refresh_token":"{refresh_token}"}`, 200, `"access_token"`},
		{"revoke-token", "POST", "/v1/auth/logout", `{"refresh_token":"{refresh_token}"}`, 204, ""},
		{"create-session", "POST", "/v1/auth/session", `{"email":"root@platform.example","password":"correct horse battery"}`, 201, `"csrf"`},
		{"get-session", "GET", "/v1/auth/session", "", 200, `"user":"root"`},
		{"delete-session", "DELETE", "/v1/auth/session", "", 204, ""},
	}
	steps = append(steps, lifecycle("tenant", "tenants", "globex", `{"name":"globex"}`, described)...)
	steps = append(steps, lifecycle("role", "roles", "auditor", `{"name":"auditor","permissions":["audit:read"]}`, described)...)
	steps = append(steps, lifecycle("user", "users", "ada", `{"name":"ada","email":"ada@example.com","password":"a long password"}`, described)...)
	steps = append(steps, lifecycle("group", "groups", "vip", `{"name":"vip"}`, described)...)
	steps = append(steps, lifecycle("provider", "providers", "demo-2", `{"name":"demo-2","type":"demo"}`, described)...)
	steps = append(steps, lifecycle("model", "models", "meta%2Fllama:70b", `{"name":"meta/llama:70b","cost_per_token":0.0000006}`, described)...)
	steps = append(steps, lifecycle("upstream", "upstreams", "orders", `{"name":"orders","nodes":[{"host":"10.0.0.7","port":80}]}`, described)...)
	steps = append(steps, step{"create-upstream", "POST", "/admin/v1/upstreams", `{"name":"orders","nodes":[{"host":"10.0.0.7","port":80}]}`, 201, ""})
	steps = append(steps, lifecycle("route", "routes", "orders", `{"name":"orders","paths":["/orders/*"],"upstream":"orders"}`, described)...)
	steps = append(steps, lifecycle("key", "keys", "checkout", `{"name":"checkout"}`, described)...)
	return append(steps,
		step{"create-key", "POST", "/admin/v1/keys", `{"name":"turned"}`, 201, `"token":"slc_test_`},
		step{"rotate-key", "POST", "/admin/v1/keys/turned/rotate", `{"grace_seconds":60}`, 200, `"retiring_until"`},
		step{"compat-create-provider", "POST", "/providers", `{"name":"compat","type":"demo","base_url":"","group":"default"}`, 201, `"type":"demo"`},
		step{"compat-create-key", "POST", "/keys", `{"name":"compat","group":"default","status":"active","weight":1}`, 201, `"token_hash"`},
		step{"compat-create-model", "POST", "/models", `{"name":"compat","context_window":8192,"cost_per_token":0.000001,"supports_vision":false}`, 201, `"cost_per_token":0.000001`},
		step{"compat-list-models", "GET", "/models", "", 200, `"name":"compat"`},
		step{"sync-snapshot", "POST", "/sync/snapshot", "", 200, `"revision"`},
		step{"list-admin-users", "GET", "/admin/users?tenant=acme", "", 200, `"name":"dev"`},
		step{"disable-user", "POST", "/admin/users/dev/disable?tenant=acme", "", 200, `"status":"disabled"`},
		step{"list-my-users", "GET", "/v1/users", "", 200, `"name":"root"`},
		step{"get-me", "GET", "/v1/users/me", "", 200, `"email":"root@platform.example"`},
		step{"update-me", "PATCH", "/v1/users/me", described, 200, `"description":"changed"`},
		step{"create-my-key", "POST", "/v1/keys", `{"name":"mine"}`, 201, `"user":"root"`},
		step{"list-my-keys", "GET", "/v1/keys?search=mine", "", 200, `"name":"mine"`},
		step{"get-my-key", "GET", "/v1/keys/mine", "", 200, `"user":"root"`},
		step{"rotate-my-key", "POST", "/v1/keys/mine/rotate", "", 200, `"token":"slc_test_`},
		step{"delete-my-key", "DELETE", "/v1/keys/mine", "", 204, ""},
		step{"list-records", "GET", "/admin/v1/records?model=demo&limit=10", "", 200, `"items":[]`},
		step{"get-usage", "GET", "/admin/v1/usage?group_by=model,day", "", 200, `"items":[`},
		step{"get-stats", "GET", "/admin/stats", "", 200, `"gateways":1`},
		step{"list-audit", "GET", "/admin/v1/audit?action=create&limit=2", "", 200, `"hash"`},
		step{"verify-audit", "POST", "/admin/v1/audit/verify", "", 200, `"entries"`},
		step{"list-catalog", "GET", "/admin/v1/catalog?provider=openai&operation=embeddings&search=SMALL", "", 200, `"id":"openai/text-embedding-3-small"`},
		step{"get-catalog-entry", "GET", "/admin/v1/catalog/openai%2Fgpt-4o", "", 200, `"rates":{"cached_input":0.00000125,"input":0.0000025,"output":0.00001}`},
		step{"load-catalog", "POST", "/admin/v1/catalog/load", `{"names":["openai/gpt-4o"]}`, 200, `"result":"created"`},
		step{"create-price", "POST", "/admin/v1/prices", `{"model":"m","asset":"USD","rates":{"input":0.0000025,"output":1e-5}}`, 201, `"version":1`},
		step{"get-price", "GET", "/admin/v1/prices/1", "", 200, `"rates":{"input":0.0000025,"output":0.00001}`},
		step{"import-prices", "POST", "/admin/v1/prices/import", `[{"model":"free","asset":"USD","free":true,"from":"2199-01-01T00:00:00Z"}]`, 200, `"version":2`},
		step{"list-prices", "GET", "/admin/v1/prices?model=free", "", 200, `"free":true`},
		step{"export-prices", "GET", "/admin/v1/prices/export?format=csv", "", 200, "1,m,,USD,"},
		step{"load-prices", "POST", "/admin/v1/prices/load", `{"names":["openai/gpt-4o"]}`, 200, `"model":"gpt-4o"`},
		step{"get-record-cost", "GET", "/admin/v1/records/" + costlyRecord + "/cost", "", 200, `"cost":{"amount":"0.0025","asset":"USD"}`},
		step{"top-up", "POST", "/v1/billing/top-up", `{"id":"t-1","tenant":"acme","amount":"25.5","asset":"USD","note":"wire"}`, 201, `"wallet":"cust.wallet:acme@USD"`},
		step{"create-grant", "POST", "/v1/billing/grants", `{"id":"g-1","amount":"5","asset":"USD","expires_at":"2199-01-01T00:00:00Z"}`, 201, `"kind":"grant"`},
		step{"list-grants", "GET", "/v1/billing/grants", "", 200, `"id":"g-1"`},
		step{"list-payments", "GET", "/v1/billing/payments?tenant=*&kind=top_up", "", 200, `"id":"t-1"`},
		step{"create-adjustment", "POST", "/v1/billing/adjustments", `{"id":"a-1","tenant":"acme","amount":"-0.5","asset":"USD"}`, 201, `"amount":"-0.5"`},
		step{"create-adjustment", "POST", "/v1/billing/adjustments", `{"id":"a-2","grant":"g-1"}`, 201, `"amount":"-5"`},
		step{"get-balance", "GET", "/v1/billing/balance?tenant=acme", "", 200, `"available":"25"`},
		step{"list-transactions", "GET", "/v1/billing/transactions?tenant=acme&code=top_up", "", 200, `"payment_id":"t-1"`},
		step{"create-refund", "POST", "/v1/billing/refunds", `{"id":"r-1","request_id":"` + costlyRecord + `"}`, 404, `"/request_id"`},
		step{"create-codes", "POST", "/v1/billing/codes", `{"amount":"5","asset":"USD"}`, 201, `"code":"SLR-`},
		step{"list-codes", "GET", "/v1/billing/codes", "", 200, `"status":"open"`},
		step{"redeem-code", "POST", "/v1/billing/redeem", `{"code":"{code}"}`, 200, `"kind":"redemption"`},
		step{"create-codes", "POST", "/v1/billing/codes", `{"amount":"5","asset":"USD"}`, 201, `"id":2`},
		step{"revoke-code", "DELETE", "/v1/billing/codes/2", "", 200, `"status":"revoked"`},
		step{"get-billing-usage", "GET", "/v1/billing/usage?tenant=acme&group_by=model&bucket=month&from=2026-01-01T00:00:00Z", "", 200, `"cost":[{"amount":"0.0025","asset":"USD"}]`},
		step{"list-plugins", "GET", "/admin/v1/plugins", "", 200, `"name":"key-auth"`},
		step{"list-gateways", "GET", "/admin/v1/gateways", "", 200, `"journal":{"last":"1:2","synced":"1:2","shipped":"1:1","waiting_ms":7,"bytes":0}`},
		step{"get-ledger-invariants", "GET", "/admin/v1/ledger/invariants", "", 200, `"owner":true`},
		step{"list-events", "GET", "/admin/v1/events?kind=ledger.anomaly&limit=1", "", 200, `"reason":"lost"`},
		step{"set-log-level", "PUT", "/admin/v1/system/log-level", `{"level":"debug"}`, 200, `"debug"`},
		step{"get-log-level", "GET", "/admin/v1/system/log-level", "", 200, `"debug"`},
	)
}

// TestEveryOperation keeps every documented operation working over a real
// listener; an operation that is added without a step here fails it.
func TestEveryOperation(t *testing.T) {
	w := controlsuite.StartPeopled(t, func(cfg *api.Config) {
		cfg.Plugins = []api.PluginInfo{{Name: "key-auth", Priority: 2500, Phases: []string{"access"}, Schema: json.RawMessage(`{"type":"object"}`)}}
		cfg.Gateways = func() []sluice.GatewayStatus {
			return []sluice.GatewayStatus{{Gateway: "gw-1", Revision: 1, Journal: &sluice.JournalStatus{Last: "1:2", Synced: "1:2", Shipped: "1:1", WaitingMS: 7}}}
		}
		cfg.LedgerStatus = func() sluice.LedgerStatus { return sluice.LedgerStatus{Owner: true} }
	})
	insertCostlyRecord(t, w)
	if err := w.DB.AddEvents(t.Context(), sluice.Event{ID: "e-1", Kind: sluice.EventAnomaly, Data: json.RawMessage(`{"reason":"lost"}`)}); err != nil {
		t.Fatal(err)
	}
	token := w.Token(t, controlsuite.Root)
	known := map[string]string{}
	done := map[string]bool{}
	for _, s := range everyOperation() {
		body := s.body
		for name, value := range known {
			body = strings.ReplaceAll(body, "{"+name+"}", value)
		}
		a := do(t, w, call{method: s.method, path: s.path, body: body, token: token})
		if a.status != s.status || !strings.Contains(string(a.body), s.shows) {
			t.Errorf("%s: status %d, want %d with %s: %s", s.id, a.status, s.status, s.shows, a.body)
		}
		remember(known, a.body)
		done[s.id] = true
	}
	_, routes := readDocument(t, w)
	for _, r := range routes {
		if !done[r.OperationID] {
			t.Errorf("no step for %s %s (%s)", r.method, r.path, r.OperationID)
		}
	}
}

// costlyRecord is the id of a request that was charged by the price version 1.
const costlyRecord = "019ca945-0a7b-7abc-8def-0123456789ab"

func insertCostlyRecord(t *testing.T, w *controlsuite.World) {
	t.Helper()
	id, err := sluice.ParseRequestID(costlyRecord)
	if err != nil {
		t.Fatal(err)
	}
	err = w.DB.InsertRecords(t.Context(), []sluice.Record{{
		ID: costlyRecord, Time: id.Time(), Tenant: "acme", Model: "m", Outcome: sluice.OutcomeComplete, Usage: sluice.Usage{Input: 1000},
		Price: sluice.PriceRef{Version: 1, Multiplier: sluice.NoMultiplier}, Cost: sluice.Money{Amount: 2_500_000, Asset: "USD"},
	}})
	if err != nil {
		t.Fatal(err)
	}
}

// remember keeps the refresh token and the redemption code of an answer for later
// steps.
func remember(known map[string]string, body []byte) {
	var fields struct {
		RefreshToken string `json:"refresh_token"`
		Items        []struct {
			Code string `json:"code"`
		} `json:"items"`
	}
	if json.Unmarshal(body, &fields) == nil && fields.RefreshToken != "" {
		known["refresh_token"] = fields.RefreshToken
	}
	if len(fields.Items) == 1 && fields.Items[0].Code != "" {
		known["code"] = fields.Items[0].Code
	}
}

// TestStrangersGetNothing sends every operation without, and with a forged,
// credential: one that forgot to authenticate would answer.
func TestStrangersGetNothing(t *testing.T) {
	w := controlsuite.StartPeopled(t, nil)
	_, routes := readDocument(t, w)
	for _, r := range routes {
		if r.open() {
			continue
		}
		for _, forged := range []string{"", "slc_test_0123456789", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."} {
			a := do(t, w, call{method: r.method, path: pathParam.ReplaceAllString(r.path, "1"), body: "not even JSON", token: forged})
			wantProblem(t, a, sluice.CodeUnauthorized)
			if a.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s: a 401 without WWW-Authenticate", r.OperationID)
			}
		}
	}
}

// TestOtherTenantsDoNotExist walks all operations with all roles of one tenant
// over the objects of another: by id, by name, in lists and in creates. Anything
// but 404 (or 403, where the role would not do at home either) is a leak.
func TestOtherTenantsDoNotExist(t *testing.T) {
	w := controlsuite.StartPeopled(t, nil)
	ids := otherTenant(t, w)
	_, routes := readDocument(t, w)
	for _, p := range []controlsuite.Person{controlsuite.AcmeAdmin, controlsuite.AcmeDev, controlsuite.AcmeReader} {
		token := w.Token(t, p)
		tried := 0
		for _, r := range routes {
			for _, path := range foreignPaths(r, ids) {
				tried++
				a := do(t, w, call{method: r.method, path: path, body: foreignBody(r), token: token})
				if got := a.problem(t).Error.Code; got != sluice.CodeNotFound && (got != sluice.CodeForbidden || p == controlsuite.AcmeAdmin) {
					t.Errorf("%s as %s: %s %s answers %d: %s", r.OperationID, p.Role, r.method, path, a.status, a.body)
				}
			}
		}
		if tried < 80 {
			t.Fatalf("only %d requests were made: the walk is broken", tried)
		}
	}
	for kind, id := range ids {
		a := do(t, w, call{method: "GET", path: fmt.Sprintf("/admin/v1/%s/%d", kind, id), token: w.Token(t, controlsuite.Root)})
		if obj := decode[sluice.Meta](t, a, 200); obj.Version != 1 {
			t.Errorf("%s was changed by somebody of another tenant: version %d", kind, obj.Version)
		}
	}
}

// otherTenant gives the tenant "other" one object of each kind named "theirs".
func otherTenant(t *testing.T, w *controlsuite.World) map[sluice.Kind]uint64 {
	t.Helper()
	token := w.Token(t, controlsuite.Root)
	ids := map[sluice.Kind]uint64{}
	for _, theirs := range []struct {
		kind sluice.Kind
		body string
	}{
		{sluice.KindTenant, `{"name":"theirs"}`},
		{sluice.KindRole, `{"name":"theirs","permissions":["audit:read"]}`},
		{sluice.KindGroup, `{"name":"theirs"}`},
		{sluice.KindUser, `{"name":"theirs","email":"theirs@other.example"}`},
		{sluice.KindProvider, `{"name":"theirs","type":"demo","group":"theirs"}`},
		{sluice.KindModel, `{"name":"theirs"}`},
		{sluice.KindKey, `{"name":"theirs","user":"boss"}`},
		{sluice.KindUpstream, `{"name":"theirs","nodes":[{"host":"orders.example.com","port":80}]}`},
		{sluice.KindRoute, `{"name":"theirs","paths":["/t/other/*"],"surface":"openai"}`},
	} {
		path := "/admin/v1/" + string(theirs.kind)
		if theirs.kind != sluice.KindTenant {
			path += "?tenant=other"
		}
		ids[theirs.kind] = decode[sluice.Meta](t, do(t, w, call{method: "POST", path: path, body: theirs.body, token: token}), 201).ID
	}
	return ids
}

// foreignPaths are the ways in which an operation can be aimed at the tenant
// "other": none when it knows only the caller's own.
func foreignPaths(r route, ids map[sluice.Kind]uint64) []string {
	kind := sluice.Kind(r.Tags[0])
	if strings.HasPrefix(r.path, "/v1/keys") {
		kind = sluice.KindKey
	}
	addressable := false
	for _, p := range r.Parameters {
		addressable = addressable || p.Name == "tenant"
	}
	switch {
	case strings.Contains(r.path, "{ref}"):
		paths := []string{strings.ReplaceAll(r.path, "{ref}", fmt.Sprint(ids[kind]))}
		if r.method == "PUT" { // by name only: an id in its path would be a name of digits
			paths = nil
		}
		if kind == sluice.KindTenant {
			return append(paths, strings.ReplaceAll(r.path, "{ref}", "other"))
		}
		if addressable {
			paths = append(paths, strings.ReplaceAll(r.path, "{ref}", "theirs")+"?tenant=other")
		}
		return paths
	case addressable && kind != sluice.KindTenant:
		return []string{r.path + "?tenant=other"}
	}
	return nil
}

// foreignBody is a body that the operation would accept.
func foreignBody(r route) string {
	if r.RequestBody == nil {
		return ""
	}
	if r.method == "PATCH" {
		return `{"description":"taken over"}`
	}
	body := map[string]any{}
	if text := r.RequestBody.Content["application/json"].Example; text != nil {
		_ = json.Unmarshal(text, &body) // an example that is no object stays empty and is refused
	}
	if r.method == "PUT" {
		delete(body, "name")
	}
	delete(body, "upstream")
	text, _ := json.Marshal(body)
	return string(text)
}
