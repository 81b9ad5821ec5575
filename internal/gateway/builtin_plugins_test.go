package gateway_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/gateway"
	"github.com/sluicegate/sluice/internal/link"
	"github.com/sluicegate/sluice/internal/plugins"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/plugin"
)

// builtInParts makes a fixture of the plugins and the admission that ship.
func builtInParts(t testing.TB) option {
	registry, err := plugin.New(plugins.All()...)
	if err != nil {
		t.Fatal(err)
	}
	return func(g *gateway.Config, _ *limits) {
		g.Plugins = registry
		g.Admission = link.NewLocal(link.LocalConfig{Now: time.Now})
	}
}

// The built-in plugins and limits have to work through the pipeline on both
// kinds of routes, not only by themselves.
func TestBuiltInPlugins(t *testing.T) { onEveryTransport(t, testBuiltInPlugins) }

func testBuiltInPlugins(t *testing.T, over transport) {
	f := newFixture(t, over, builtInParts(t))
	u := sluicetest.NewUpstream(t, sluicetest.JSON(200, wholeChat))
	f.addProvider("p1", u, nil)
	f.addService(nil, u)
	rpm := int64(3)
	tight := f.addKey("acme", "tight", func(k *sluice.Key) { k.RPM = &rpm })
	for i := range f.snap.Routes {
		f.snap.Routes[i].Plugins = pluginSet("key-auth", `{}`, "cors", `{"allow_origins":["https://app.test"]}`)
	}
	f.apply()
	for _, path := range []string{"/v1/chat/completions", "/svc/x"} {
		for _, field := range []string{"Authorization: Bearer " + f.token, "X-Api-Key: " + f.token, "X-Goog-Api-Key: " + f.token} {
			if a := f.do("POST", path, chatBody("m1", ""), "Authorization: ", field); a.status != 200 {
				t.Errorf("%s with %.20s: %d %s", path, field, a.status, a.body)
			}
		}
		if a := f.do("POST", path, chatBody("m1", ""), "Authorization: ", "Origin: https://app.test"); a.status != 401 || a.header.Get("Access-Control-Allow-Origin") != "https://app.test" {
			t.Errorf("%s: a browser cannot read the refusal: %d %v", path, a.status, a.header)
		}
		a := f.do("OPTIONS", path, "", "Authorization: ", "Origin: https://app.test", "Access-Control-Request-Method: POST")
		if a.status >= 300 || a.header.Get("Access-Control-Allow-Origin") != "https://app.test" {
			t.Errorf("%s: preflight %d %v", path, a.status, a.header)
		}
	}
	for _, r := range u.Requests() {
		if strings.Contains(strings.Join(append(r.Header["Authorization"], append(r.Header["X-Api-Key"], r.Header["X-Goog-Api-Key"]...)...), " "), f.token) {
			t.Errorf("the key reached %s", r.Target)
		}
	}
	var got []int
	var last answer
	for range 4 {
		last = f.do("POST", "/svc/x", "{}", "Authorization: Bearer "+tight)
		got = append(got, last.status)
	}
	if got[2] != 200 || got[3] != 429 || last.errorCode() != sluice.CodeRequestRate || last.header.Get("Retry-After") == "" ||
		last.header.Get("X-Ratelimit-Remaining-Requests") != "0" || last.header.Get("RateLimit") == "" {
		t.Errorf("%v %v", got, last.header)
	}
}
