package route_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/route"
)

// makeRoute builds a route from "name priority hosts methods paths", "-" for none.
func makeRoute(t *testing.T, id uint64, line string) *sluice.Route {
	t.Helper()
	f := strings.Fields(line)
	r := &sluice.Route{Meta: sluice.Meta{ID: id, Name: f[0], Tenant: "platform"}, Upstream: "u"}
	if _, err := fmt.Sscan(f[1], &r.Priority); err != nil {
		t.Fatal(err)
	}
	list := func(s string) []string {
		if s == "-" {
			return nil
		}
		return strings.Split(s, ",")
	}
	r.Hosts, r.Methods, r.Paths = list(f[2]), list(f[3]), list(f[4])
	r.Normalize()
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	return r
}

// The order of matching is what operators write rules by: a request that falls
// to another route meets other plugins.
func TestMatchOrder(t *testing.T) {
	var routes []*sluice.Route
	for i, line := range []string{
		"catch-all    0 - - /*",
		"exact        0 - - /a/b",
		"param        0 - - /a/:id",
		"prefix       0 - - /a/*",
		"deep-prefix  0 - - /a/b/*",
		"later-exact  0 - - /a/b",
		"first-param  0 - - /p/:x/c",
		"last-param   0 - - /p/b/:y",
		"host         0 api.example.com - /*",
		"wild         0 *.example.com - /*",
		"deep-wild    0 *.eu.example.com - /*",
		"urgent      10 - - /urgent/*",
		"get          0 - GET /m",
		"post         0 - POST,PUT /m",
		"folder       0 - - /f/",
		"file         0 - - /f",
	} {
		routes = append(routes, makeRoute(t, uint64(i+1), line))
	}
	x := route.New(routes)
	for _, c := range []struct{ host, method, path, want string }{
		{"h", "GET", "/", "catch-all"},
		{"h", "GET", "/zzz/y", "catch-all"},
		{"h", "GET", "/a/b", "exact"},
		{"h", "GET", "/a/b/", "deep-prefix"},
		{"h", "GET", "/a/b/c", "deep-prefix"},
		{"h", "GET", "/a/c", "param"},
		{"h", "GET", "/a/c/d", "prefix"},
		{"h", "GET", "/a", "prefix"},
		{"h", "GET", "/a/", "prefix"},
		{"h", "GET", "/p/b/c", "last-param"},
		{"h", "GET", "/p/x/c", "first-param"},
		{"h", "GET", "/p/x/d", "catch-all"},
		{"api.example.com", "GET", "/a/b", "host"},
		{"api.example.com:8443", "GET", "/", "host"},
		{"api.example.com", "GET", "/urgent/1", "urgent"},
		{"x.example.com", "GET", "/a/b", "wild"},
		{"x.eu.example.com", "GET", "/", "deep-wild"},
		{"example.com", "GET", "/a/b", "exact"},
		{"h", "GET", "/m", "get"},
		{"h", "HEAD", "/m", "get"},
		{"h", "PUT", "/m", "post"},
		{"h", "PATCH", "/m", "catch-all"},
		{"h", "GET", "/f/", "folder"},
		{"h", "GET", "/f", "file"},
	} {
		m, err := x.Match(c.host, c.method, c.path, nil)
		if err != nil || m.Route.Name != c.want {
			t.Errorf("%s %s%s: got %v, %v; want %s", c.method, c.host, c.path, m.Route, err, c.want)
		}
	}
}

// A wrong method has to say what is right, and must not look like a missing path.
func TestMatchRefusals(t *testing.T) {
	x := route.New([]*sluice.Route{
		makeRoute(t, 1, "get 0 - GET /m"),
		makeRoute(t, 2, "post 0 - POST /m"),
		makeRoute(t, 3, "public 0 - - /public/*"),
		makeRoute(t, 4, "admin 0 - - /public/admin/*"),
		makeRoute(t, 5, "models 0 - - /v1/*"),
	})
	_, err := x.Match("h", "DELETE", "/m", nil)
	if sluice.CodeOf(err) != sluice.CodeMethodNotAllowed {
		t.Fatalf("DELETE /m: %v", err)
	}
	if got := sluice.AsError(err).Details["allow"].([]string); !slices.Equal(got, []string{"GET", "HEAD", "POST"}) {
		t.Errorf("allow is %v", got)
	}
	if _, err := x.Match("h", "GET", "/none", nil); sluice.CodeOf(err) != sluice.CodeNotFound {
		t.Errorf("GET /none: %v", err)
	}
	if _, err := x.Match("h", "GET", "/public/admin%2Fx", nil); sluice.CodeOf(err) != sluice.CodeInvalidRequest {
		t.Errorf("an encoded slash slipped past the admin route: %v", err)
	}
	if m, err := x.Match("h", "GET", "/v1/models/org%2Fname", nil); err != nil || m.Route.Name != "models" {
		t.Errorf("a harmless encoded slash was refused: %v", err)
	}
}

// Parameters end up in decisions and rewrites: a shifted one is somebody else's id.
func TestParams(t *testing.T) {
	x := route.New([]*sluice.Route{makeRoute(t, 1, "r 0 - - /t/:tenant/u/:user/*")})
	m, err := x.Match("h", "GET", "/t/acme/u/j%20d/files/1", nil)
	if err != nil {
		t.Fatal(err)
	}
	got := m.AppendParams(nil, "/t/acme/u/j%20d/files/1")
	if want := []route.Param{{"tenant", "acme"}, {"user", "j%20d"}}; !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if _, err := x.Match("h", "GET", "/t//u/x", nil); err == nil {
		t.Error("an empty segment matched a parameter")
	}
}

// A disabled route that still matches keeps serving what an operator shut.
func TestDisabledRoute(t *testing.T) {
	r := makeRoute(t, 1, "r 0 - - /*")
	r.Status = sluice.StatusDisabled
	if _, err := route.New([]*sluice.Route{r}).Match("h", "GET", "/", nil); sluice.CodeOf(err) != sluice.CodeNotFound {
		t.Error(err)
	}
}

// The index must agree with the plain definition of the order, however the
// routes were entered.
func TestAgreesWithLinearScan(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	words := []string{"a", "b", ":x", ":y"}
	var routes []*sluice.Route
	for id := range uint64(300) {
		path := ""
		for range 1 + rnd.IntN(3) {
			path += "/" + words[rnd.IntN(len(words))]
		}
		if rnd.IntN(3) == 0 {
			path += "/*"
		}
		host := []string{"-", "-", "h.io", "*.io"}[rnd.IntN(4)]
		method := []string{"-", "GET", "POST"}[rnd.IntN(3)]
		routes = append(routes, makeRoute(t, id+1, fmt.Sprintf("r%d %d %s %s %s", id, rnd.IntN(3), host, method, path)))
	}
	whole := route.New(routes)
	for range 500 {
		path := ""
		for range 1 + rnd.IntN(4) {
			path += "/" + []string{"a", "b", "c"}[rnd.IntN(3)]
		}
		m, err := whole.Match("h.io", "GET", path, nil)
		var best route.Match
		for _, r := range routes { // one by one: the winner against each other route alone
			alone, aloneErr := route.New([]*sluice.Route{r}).Match("h.io", "GET", path, nil)
			if aloneErr != nil {
				continue
			}
			if best.Route == nil {
				best = alone
				continue
			}
			if best, aloneErr = route.New([]*sluice.Route{best.Route, r}).Match("h.io", "GET", path, nil); aloneErr != nil {
				t.Fatal(aloneErr)
			}
		}
		if best.Route != m.Route {
			t.Fatalf("%s: index %v (%v), one by one %v", path, m.Route, err, best.Route)
		}
	}
}

// Matching that grows with the number of routes makes every tenant pay for all.
func TestTenThousandRoutes(t *testing.T) {
	var routes []*sluice.Route
	for i := range 10_000 {
		routes = append(routes, makeRoute(t, uint64(i+1), fmt.Sprintf("r%d 0 - - /t/n%d/:id,/u/n%d/*", i, i, i)))
	}
	x := route.New(routes)
	if n := testing.AllocsPerRun(100, func() {
		if m, err := x.Match("h", "GET", "/t/n9999/7", nil); err != nil || m.Route.ID != 10_000 {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("a match allocates %v times", n)
	}
}

// BenchmarkMatch shows the cost of one match among ten thousand routes.
func BenchmarkMatch(b *testing.B) {
	var routes []*sluice.Route
	for i := range 10_000 {
		r := &sluice.Route{Meta: sluice.Meta{ID: uint64(i + 1)}, Paths: []string{fmt.Sprintf("/t/n%d/:id", i)}}
		routes = append(routes, r)
	}
	x := route.New(routes)
	for b.Loop() {
		_, _ = x.Match("h", "GET", "/t/n9999/7", nil)
	}
}

// asked answers variables from a map.
type asked map[string]string

func (a asked) Var(name string) (string, bool) { v, ok := a[name]; return v, ok }

// Two APIs that share a path are told apart by what their clients send; a
// condition that is not met must leave the request to the next route.
func TestConditionsDecideAmongRoutesOfAPath(t *testing.T) {
	plain := &sluice.Route{Meta: sluice.Meta{ID: 1, Name: "plain"}, Paths: []string{"/v1/*"}, Priority: -100}
	special := &sluice.Route{
		Meta: sluice.Meta{ID: 2, Name: "special"}, Paths: []string{"/v1/models"}, Priority: -99,
		Vars: []any{[]any{"http_version", "~~", "."}},
	}
	broken := &sluice.Route{Meta: sluice.Meta{ID: 3, Name: "broken"}, Paths: []string{"/v1/models"}, Priority: 1, Vars: []any{[]any{"x"}}}
	x := route.New([]*sluice.Route{plain, special, broken})
	for vars, want := range map[string]string{"2023": "special", "": "plain"} {
		got := asked{}
		if vars != "" {
			got["http_version"] = vars
		}
		m, err := x.Match("h", "GET", "/v1/models", got)
		if err != nil || m.Route.Name != want {
			t.Errorf("%q: got %v, %v", vars, m.Route, err)
		}
	}
	if m, err := x.Match("h", "GET", "/v1/models", nil); err != nil || m.Route.Name != "plain" {
		t.Errorf("without variables: %v, %v", m.Route, err)
	}
	if _, err := route.Condition(broken, nil); sluice.CodeOf(err) != sluice.CodeInvalidRequest || sluice.AsError(err).Field != "/vars/0" {
		t.Errorf("a broken condition is %v", err)
	}
}
