package sluice_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
)

// newObject returns a minimal valid object of each kind, not yet normalized.
func newObject(kind sluice.Kind) sluice.Object {
	meta := sluice.Meta{Name: "one", Tenant: "acme"}
	switch kind {
	case sluice.KindTenant:
		return &sluice.Tenant{Meta: meta}
	case sluice.KindUser:
		return &sluice.User{Meta: meta, Email: "ada@example.com"}
	case sluice.KindRole:
		return &sluice.Role{Meta: meta, Permissions: []sluice.Permission{"keys:read"}}
	case sluice.KindKey:
		return &sluice.Key{Meta: meta}
	case sluice.KindGroup:
		return &sluice.Group{Meta: meta}
	case sluice.KindProvider:
		return &sluice.Provider{Meta: meta, Type: "demo"}
	case sluice.KindModel:
		return &sluice.Model{Meta: meta}
	case sluice.KindRoute:
		return &sluice.Route{Meta: meta, Paths: []string{"/a/*"}, Upstream: "svc"}
	case sluice.KindUpstream:
		return &sluice.Upstream{Meta: meta, Nodes: []sluice.Node{{Host: "127.0.0.1", Port: 80}}}
	}
	panic("no object of kind " + kind)
}

// TestValidateRefuses feeds each rule one input that breaks it, as a client
// would: merged over a valid object. A rule that stops working lets into the
// database what the gateway cannot serve.
func TestValidateRefuses(t *testing.T) {
	long := strings.Repeat("x", 600)
	for _, c := range []struct {
		kind  sluice.Kind
		patch string
		field string
	}{
		{sluice.KindTenant, `{"name":""}`, "/name"},
		{sluice.KindTenant, `{"name":"-a"}`, "/name"},
		{sluice.KindTenant, `{"name":"a b"}`, "/name"},
		{sluice.KindTenant, `{"name":"12345"}`, "/name"},
		{sluice.KindTenant, `{"name":"<script>"}`, "/name"},
		{sluice.KindTenant, `{"name":"` + long + `"}`, "/name"},
		{sluice.KindTenant, `{"description":"` + long + `"}`, "/description"},
		{sluice.KindTenant, `{"status":"paused"}`, "/status"},

		{sluice.KindUser, `{"tenant":"../x"}`, "/tenant"},
		{sluice.KindUser, `{"email":"ada"}`, "/email"},
		{sluice.KindUser, `{"email":"Ada <ada@example.com>"}`, "/email"},
		{sluice.KindUser, `{"password":"short"}`, "/password"},
		{sluice.KindUser, `{"password":"` + long + `"}`, "/password"},
		{sluice.KindUser, `{"status":"x"}`, "/status"},

		{sluice.KindRole, `{"name":"platform-admin"}`, "/name"},
		{sluice.KindRole, `{"permissions":[]}`, "/permissions"},
		{sluice.KindRole, `{"permissions":["keys:read","keys"]}`, "/permissions/1"},
		{sluice.KindRole, `{"permissions":["planets:read"]}`, "/permissions/0"},
		{sluice.KindRole, `{"permissions":["keys:destroy"]}`, "/permissions/0"},

		{sluice.KindKey, `{"weight":1001}`, "/weight"},
		{sluice.KindKey, `{"weight":-1}`, "/weight"},
		{sluice.KindKey, `{"rpm":-1}`, "/rpm"},
		{sluice.KindKey, `{"rpm":1000000001}`, "/rpm"},
		{sluice.KindKey, `{"tpm":-1}`, "/tpm"},
		{sluice.KindKey, `{"concurrency":-1}`, "/concurrency"},
		{sluice.KindKey, `{"concurrency":1000001}`, "/concurrency"},
		{sluice.KindKey, `{"models":["ok","not ok"]}`, "/models/1"},
		{sluice.KindKey, `{"status":"x"}`, "/status"},

		{sluice.KindGroup, `{"strategy":"luck"}`, "/strategy"},
		{sluice.KindGroup, `{"max_attempts":11}`, "/max_attempts"},
		{sluice.KindGroup, `{"max_attempts":-1}`, "/max_attempts"},
		{sluice.KindGroup, `{"price_multiplier":-1}`, "/price_multiplier"},
		{sluice.KindGroup, `{"price_multiplier":1000.000001}`, "/price_multiplier"},
		{sluice.KindGroup, `{"shared_with":["*"]}`, "/shared_with"},

		{sluice.KindProvider, `{"type":""}`, "/type"},
		{sluice.KindProvider, `{"base_url":"ftp://x"}`, "/base_url"},
		{sluice.KindProvider, `{"base_url":"https://user:pw@x"}`, "/base_url"},
		{sluice.KindProvider, `{"base_url":"https://x?key=1"}`, "/base_url"},
		{sluice.KindProvider, `{"base_url":"x/v1"}`, "/base_url"},
		{sluice.KindProvider, `{"base_url":"http://x:99999/v1"}`, "/base_url"},
		{sluice.KindProvider, `{"model_map":{"a":""}}`, "/model_map"},
		{sluice.KindProvider, `{"model_map":{"a b":"c"}}`, "/model_map"},
		{sluice.KindProvider, `{"weight":-3}`, "/weight"},
		{sluice.KindProvider, `{"priority":101}`, "/priority"},
		{sluice.KindProvider, `{"models":[""]}`, "/models/0"},
		{sluice.KindProvider, `{"timeouts":{"connect_ms":-1}}`, "/timeouts/connect_ms"},
		{sluice.KindProvider, `{"status":"x"}`, "/status"},

		{sluice.KindModel, `{"name":"a b"}`, "/name"},
		{sluice.KindModel, `{"context_window":-1}`, "/context_window"},
		{sluice.KindModel, `{"max_output_tokens":-1}`, "/max_output_tokens"},
		{sluice.KindModel, `{"cost_per_token":-0.1}`, "/cost_per_token"},
		{sluice.KindModel, `{"status":"x"}`, "/status"},
		{sluice.KindModel, `{"operations":["chat","fly"]}`, "/operations/1"},

		{sluice.KindUpstream, `{"scheme":"ftp"}`, "/scheme"},
		{sluice.KindUpstream, `{"nodes":[]}`, "/nodes"},
		{sluice.KindUpstream, `{"nodes":[{"host":"a/b","port":80}]}`, "/nodes/0/host"},
		{sluice.KindUpstream, `{"nodes":[{"host":"a","port":0}]}`, "/nodes/0/port"},
		{sluice.KindUpstream, `{"nodes":[{"host":"a","port":65536}]}`, "/nodes/0/port"},
		{sluice.KindUpstream, `{"nodes":[{"host":"a","port":80,"weight":-1}]}`, "/nodes/0/weight"},
		{sluice.KindUpstream, `{"nodes":[{"host":"a","port":80,"priority":-1}]}`, "/nodes/0/priority"},
		{sluice.KindUpstream, `{"pass_host":"rewrite"}`, "/pass_host"},
		{sluice.KindUpstream, `{"pass_host":"other"}`, "/pass_host"},
		{sluice.KindUpstream, `{"retries":11}`, "/retries"},
		{sluice.KindUpstream, `{"timeouts":{"total_ms":86400001}}`, "/timeouts/total_ms"},

		{sluice.KindRoute, `{"hosts":["UPPER.example"]}`, "/hosts/0"},
		{sluice.KindRoute, `{"hosts":["a.*.b"]}`, "/hosts/0"},
		{sluice.KindRoute, `{"paths":[]}`, "/paths"},
		{sluice.KindRoute, `{"paths":["a"]}`, "/paths/0"},
		{sluice.KindRoute, `{"paths":["/a*"]}`, "/paths/0"},
		{sluice.KindRoute, `{"paths":["/*/a"]}`, "/paths/0"},
		{sluice.KindRoute, `{"paths":["/a/../b"]}`, "/paths/0"},
		{sluice.KindRoute, `{"paths":["/a?b"]}`, "/paths/0"},
		{sluice.KindRoute, `{"paths":["/:"]}`, "/paths/0"},
		{sluice.KindRoute, `{"methods":["get"]}`, "/methods/0"},
		{sluice.KindRoute, `{"upstream":""}`, "/upstream"},
		{sluice.KindRoute, `{"strip_prefix":"a"}`, "/strip_prefix"},
		{sluice.KindRoute, `{"max_body_bytes":1073741825}`, "/max_body_bytes"},
		{sluice.KindRoute, `{"status":"x"}`, "/status"},
	} {
		o := newObject(c.kind)
		if err := json.Unmarshal([]byte(c.patch), o); err != nil {
			t.Fatalf("%s %s: %v", c.kind, c.patch, err)
		}
		o.Normalize()
		err := o.Validate()
		var e *sluice.Error
		if !errors.As(err, &e) || e.Code != sluice.CodeInvalidRequest || e.Field != c.field {
			t.Errorf("%s %.80s: got %v, want %s at %s", c.kind, c.patch, err, sluice.CodeInvalidRequest, c.field)
		} else if len(e.Message) > 300 {
			t.Errorf("%s %.80s: the message repeats the input without bound", c.kind, c.patch)
		}
	}
}

// TestValidateAccepts keeps the rules from refusing what people really write.
func TestValidateAccepts(t *testing.T) {
	for _, c := range []struct {
		kind  sluice.Kind
		patch string
	}{
		{sluice.KindTenant, `{"name":"acme-2.eu_west"}`},
		{sluice.KindUser, `{"email":"a+b@sub.example.co","password":"correct horse battery"}`},
		{sluice.KindRole, `{"permissions":["records:own-read","system:read","audit:*"]}`},
		{sluice.KindKey, `{"rpm":0,"tpm":0,"models":["gpt-*","*","openai/gpt-4o@2024"]}`},
		{sluice.KindGroup, `{"tenant":"platform","shared_with":["*","acme"]}`},
		{sluice.KindGroup, `{"price_multiplier":0.000001}`},
		{sluice.KindProvider, `{"base_url":"http://127.0.0.1:11434/v1","models":["llama3:8b"]}`},
		{sluice.KindModel, `{"name":"deepseek/deepseek-chat:free","cost_per_token":0.000000000000001}`},
		{sluice.KindUpstream, `{"nodes":[{"host":"::1","port":1},{"host":"svc.default.svc","port":65535,"weight":0}],"pass_host":"node"}`},
		{sluice.KindRoute, `{"hosts":["*.example.com","a.b"],"paths":["/","/*","/a/:id/*"],"methods":["GET","X"]}`},
		{sluice.KindRoute, `{"surface":"openai","upstream":""}`},
	} {
		o := newObject(c.kind)
		if err := json.Unmarshal([]byte(c.patch), o); err != nil {
			t.Fatalf("%s %s: %v", c.kind, c.patch, err)
		}
		o.Normalize()
		if err := o.Validate(); err != nil {
			t.Errorf("%s %s: %v", c.kind, c.patch, err)
		}
	}
}

// TestEveryKind walks all kinds: each has an object that says its own kind,
// normalizes idempotently, belongs to a tenant and can be created in order.
func TestEveryKind(t *testing.T) {
	kinds := sluice.Kinds()
	for i, kind := range kinds {
		o := newObject(kind)
		if o.Kind() != kind {
			t.Errorf("the object of %s calls itself %s", kind, o.Kind())
		}
		o.Normalize()
		if err := o.Validate(); err != nil {
			t.Errorf("%s: the smallest object is refused: %v", kind, err)
		}
		before, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		o.Normalize()
		if after, _ := json.Marshal(o); string(after) != string(before) {
			t.Errorf("%s: normalizing twice changes it: %s, %s", kind, before, after)
		}
		for _, ref := range o.Refs() {
			if at := slices.Index(kinds, ref.Kind); at < 0 || at >= i {
				t.Errorf("%s refers to %s, which is created later", kind, ref.Kind)
			}
		}
		if kind != sluice.KindTenant && !slices.ContainsFunc(o.Refs(), func(r sluice.Ref) bool { return r.Field == "/tenant" }) {
			t.Errorf("%s does not refer to its tenant: deleting the tenant would orphan it", kind)
		}
	}
	if len(kinds) != 9 {
		t.Errorf("%d kinds: give the new one an object in newObject", len(kinds))
	}
}

// TestDefaults pins what a client gets that leaves things out (features I3, E6).
func TestDefaults(t *testing.T) {
	key := newObject(sluice.KindKey).(*sluice.Key)
	key.Normalize()
	if *key.RPM != 60 || *key.TPM != 100_000 || key.Group != "default" || key.Weight != 1 || key.Status != sluice.StatusActive {
		t.Errorf("key defaults: %+v", key)
	}
	route := newObject(sluice.KindRoute).(*sluice.Route)
	route.Normalize()
	if route.Surface != sluice.SurfaceHTTP || route.MaxBodyBytes != 10<<20 {
		t.Errorf("route defaults: %+v", route)
	}
	upstream := &sluice.Upstream{Nodes: make([]sluice.Node, 5)}
	upstream.Normalize()
	if *upstream.Retries != 2 || *upstream.Nodes[4].Weight != 1 {
		t.Errorf("upstream defaults: %+v", upstream)
	}
	user := newObject(sluice.KindUser).(*sluice.User)
	user.Normalize()
	if !reflect.DeepEqual(user.Roles, []string{sluice.RoleDeveloper}) {
		t.Errorf("user defaults: %+v", user)
	}
}

// TestPermissionAllows is the table that authorisation stands on.
func TestPermissionAllows(t *testing.T) {
	for _, c := range []struct {
		p          sluice.Permission
		kind, verb string
		own        bool
		want       bool
	}{
		{"*:*", "keys", "write", false, true},
		{"*:read", "keys", "read", false, true},
		{"*:read", "keys", "write", true, false},
		{"keys:write", "keys", "write", false, true},
		{"keys:write", "keys", "read", false, false},
		{"keys:*", "users", "read", false, false},
		{"keys:own-read", "keys", "read", true, true},
		{"keys:own-read", "keys", "read", false, false},
		{"keys:own-*", "keys", "write", true, true},
		{"keys:own-*", "keys", "write", false, false},
		{"", "keys", "read", true, false},
		{"keys", "keys", "", true, true}, // never stored: Validate refuses it
	} {
		if got := c.p.Allows(c.kind, c.verb, c.own); got != c.want {
			t.Errorf("%q allows %s:%s own=%v: %v", c.p, c.kind, c.verb, c.own, got)
		}
	}
}

// TestBuiltInRoles pins who may do what out of the box.
func TestBuiltInRoles(t *testing.T) {
	for _, r := range sluice.BuiltInRoles() {
		r.Permissions[0] = "changed:changed"
		if again := sluice.BuiltInRole(r.Name); again == nil || !again.BuiltIn || again.Permissions[0] == "changed:changed" {
			t.Errorf("%s is missing or was changed through a copy", r.Name)
		}
	}
	for _, p := range sluice.BuiltInRole(sluice.RoleReadOnly).Permissions {
		for _, kind := range sluice.Kinds() {
			if p.Allows(string(kind), "write", true) {
				t.Errorf("read-only may write %s", kind)
			}
		}
	}
	for _, p := range sluice.BuiltInRole(sluice.RoleDeveloper).Permissions {
		if p.Allows("keys", "write", false) || p.Allows("providers", "read", false) || p.Allows("audit", "read", true) {
			t.Errorf("a developer may do too much by %s", p)
		}
	}
}

// TestGroupAdmits decides which tenants may spend a group's providers.
func TestGroupAdmits(t *testing.T) {
	g := sluice.Group{Meta: sluice.Meta{Tenant: "platform"}, SharedWith: []string{"acme"}}
	if !g.Admits("platform") || !g.Admits("acme") || g.Admits("other") {
		t.Error("sharing with one tenant is wrong")
	}
	g.SharedWith = []string{"*"}
	if !g.Admits("other") {
		t.Error("* does not share with all")
	}
}

// TestUsageTotalSaturates keeps a hostile provider's numbers from wrapping into
// a negative bill.
func TestUsageTotalSaturates(t *testing.T) {
	if got := (sluice.Usage{Input: 1<<63 - 1, Output: 5}).Total(); got != 1<<63-1 {
		t.Errorf("total %d", got)
	}
	u := reflect.ValueOf(&sluice.Usage{}).Elem()
	classes := u.NumField() - 1 // the last are the pieces, which are no tokens
	for i := range classes {
		u.Field(i).SetInt(1)
	}
	pieces := u.Field(classes)
	for i := range pieces.NumField() {
		pieces.Field(i).SetInt(1)
	}
	if got := u.Interface().(sluice.Usage).Total(); got != int64(classes) {
		t.Errorf("total %d of %d classes: one is not counted, or a piece is", got, classes)
	}
}

// TestWriteOnlyFieldsAreMarked keeps credentials out of the documented answers.
func TestWriteOnlyFieldsAreMarked(t *testing.T) {
	for _, c := range []struct {
		object any
		field  string
		tag    string
	}{
		{sluice.User{}, "Password", "writeOnly"},
		{sluice.Provider{}, "APIKey", "writeOnly"},
		{sluice.Key{}, "TokenHash", "readOnly"},
		{sluice.Key{}, "Token", "readOnly"},
	} {
		f, ok := reflect.TypeOf(c.object).FieldByName(c.field)
		if !ok || f.Tag.Get(c.tag) != "true" {
			t.Errorf("%T.%s is not marked %s", c.object, c.field, c.tag)
		}
	}
}

// TestDescriptionCountsCharacters gives Chinese descriptions the room that the
// API documents: counted in bytes it was a third.
func TestDescriptionCountsCharacters(t *testing.T) {
	for n, want := range map[int]sluice.Code{500: "", 501: sluice.CodeInvalidRequest} {
		g := &sluice.Group{Meta: sluice.Meta{Name: "one", Tenant: "acme", Description: strings.Repeat("组", n)}}
		g.Normalize()
		if got := sluice.CodeOf(g.Validate()); got != want {
			t.Errorf("%d characters: got %q, want %q", n, got, want)
		}
	}
}
