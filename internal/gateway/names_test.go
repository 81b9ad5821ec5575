package gateway_test

import (
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// A client whose name for a model is not the catalogue's must reach that model
// and no other, under the permissions and the name of the catalogue's.
func TestModelsAreFoundByOtherNames(t *testing.T) {
	f := newFixture(t, overWire)
	add := func(name string, change func(*sluice.Model)) {
		m := &sluice.Model{Meta: meta("platform", name)}
		change(m)
		f.add(m)
	}
	add("claude-x-4-5", func(m *sluice.Model) { m.Aliases, m.Patterns = []string{"smart", "smarter"}, []string{`brainy-v\d+`} })
	add("Mixed_Case", func(*sluice.Model) {})
	add("twin-2024-01-01", func(*sluice.Model) {})
	add("twin-latest", func(*sluice.Model) {})
	add("kin", func(*sluice.Model) {})
	add("kin-latest", func(*sluice.Model) {})
	f.addProvider("p1", sluicetest.NewUpstream(t, sluicetest.JSON(200, wholeChat)), nil)
	narrow := f.addKey("acme", "narrow", func(k *sluice.Key) { k.Models = []string{"claude-x-4-5", "kin"} })
	literal := f.addKey("acme", "literal", func(k *sluice.Key) { k.Models = []string{"smart"} })
	f.apply()
	for _, c := range []struct {
		asked, want string
		token       string
		status      int
	}{
		{"smart", "claude-x-4-5", f.token, 200},
		{"brainy-v2", "claude-x-4-5", f.token, 200},
		{"xbrainy-v2", "", f.token, 404},
		{"anthropic/claude-x-4-5", "claude-x-4-5", f.token, 200},
		{"models/claude-x-4-5", "claude-x-4-5", f.token, 200},
		{"claude-x-4-5-20250929", "claude-x-4-5", f.token, 200},
		{"claude-x-4-5@latest", "claude-x-4-5", f.token, 200},
		{"mixed-case", "Mixed_Case", f.token, 200},
		{"twin", "", f.token, 404},
		{"KIN-2025-01-01", "kin", f.token, 200},
		{"brainy-v2", "claude-x-4-5", narrow, 200},
		{"mixed-case", "", narrow, 403},
		{"smart", "claude-x-4-5", literal, 200},
		{"smarter", "", literal, 403},
	} {
		a := f.do("POST", "/v1/chat/completions", chatBody(c.asked, ""), "Authorization: Bearer "+c.token)
		r := f.recordOf(a.header.Get("X-Request-Id"))
		if a.status != c.status || c.want != "" && r.Model != c.want {
			t.Errorf("%s: got %d, model %q: %s", c.asked, a.status, r.Model, a.body)
		}
	}
}

// A group is a tier of prices: only a key that names it reaches into another
// one.
func TestNamespacesNeedPermission(t *testing.T) {
	f := newFixture(t, overWire)
	f.add(&sluice.Group{Meta: meta("acme", "vip")})
	f.add(&sluice.Group{Meta: meta("other", "theirs")})
	f.addProvider("p1", sluicetest.NewUpstream(t, sluicetest.JSON(200, wholeChat)), nil)
	f.addProvider("p2", sluicetest.NewUpstream(t, sluicetest.JSON(200, wholeChat)), func(p *sluice.Provider) { p.Group, p.Tenant = "vip", "acme" })
	allowed := f.addKey("acme", "allowed", func(k *sluice.Key) { k.Models = []string{"m1", "vip.*", "theirs.*"} })
	f.apply()
	for _, c := range []struct {
		asked, token, provider string
		status                 int
	}{
		{"m1", allowed, "p1", 200},
		{"vip.m1", allowed, "p2", 200},
		{"vip.none", allowed, "", 404},
		{"theirs.m1", allowed, "", 404},
		{"vip.m1", f.token, "", 404},
	} {
		a := f.do("POST", "/v1/chat/completions", chatBody(c.asked, ""), "Authorization: Bearer "+c.token)
		if r := f.recordOf(a.header.Get("X-Request-Id")); a.status != c.status || r.Provider != c.provider {
			t.Errorf("%s: got %d from %q: %s", c.asked, a.status, r.Provider, a.body)
		}
	}
}
