package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/test/process"
)

// TestPastedCurlStreams pastes the printed line into a shell: it is the first
// thing that a stranger does, and all of it must work.
func TestPastedCurlStreams(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed; make test installs it")
	}
	process.Binary(t) // the build is not the start
	began := time.Now()
	p := process.Start(t, process.Options{})
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the first start takes %s", took)
	}
	out, err := exec.CommandContext(t.Context(), "bash", "-c", strings.Replace(p.Curl, "curl ", "curl -sS ", 1)).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, p.Curl, out)
	}
	text := string(out)
	if strings.Count(text, "data: ") < 4 || !strings.HasSuffix(strings.TrimSpace(text), "data: [DONE]") || !strings.Contains(text, `"content":`) {
		t.Errorf("that is no stream:\n%s", text)
	}
	for _, part := range []string{p.Gateway, p.Control, p.Status + "/metrics", "/setup?token=", "24 hours"} {
		if !strings.Contains(p.Stdout(), part) {
			t.Errorf("%s is not printed:\n%s", part, p.Stdout())
		}
	}
}

// TestSetupFormWorksOnce creates the first admin through the plain form; a link
// that works twice would let the next reader of a log take the installation.
func TestSetupFormWorksOnce(t *testing.T) {
	p := process.Start(t, process.Options{})
	form := do(t, "GET", p.SetupLink, "", "")
	if form.status != 200 || !strings.Contains(form.body, "<form") {
		t.Fatalf("the link shows %d\n%s", form.status, form.body)
	}
	if wrong := do(t, "GET", p.Control+"/setup", "", ""); wrong.status != http.StatusGone {
		t.Errorf("without a token the form answers %d", wrong.status)
	}
	admin := p.Admin(t)
	page, err := admin.Users().List(t.Context(), sluice.ListQuery{})
	if err != nil || len(page.Items) != 1 || page.Items[0].Email != process.AdminEmail {
		t.Errorf("after the set-up: %+v, %v", page.Items, err)
	}
	if again := do(t, "GET", p.SetupLink, "", ""); again.status != http.StatusGone {
		t.Errorf("the used link answers %d", again.status)
	}
	p.Stop(t)
	if second := process.Start(t, process.Options{Dir: p.Dir}); second.SetupLink != "" {
		t.Errorf("a link is printed though an admin exists: %s", second.SetupLink)
	}
}

// TestRestartOnTheSameFolder keeps what was there: admins, keys and records of
// yesterday.
func TestRestartOnTheSameFolder(t *testing.T) {
	p := process.Start(t, process.Options{})
	admin := p.Admin(t)
	if got := chat(t, p, p.Key); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	p.Stop(t)

	again := process.Start(t, process.Options{Dir: p.Dir})
	if got := chat(t, again, p.Key); got.status != 200 {
		t.Errorf("yesterday's key: %d %s", got.status, got.body)
	}
	if again.Key == p.Key {
		t.Error("the second start printed the first one's key")
	}
	admin = again.SignIn(t)
	eventually(t, "the record of the first run is listed", func() bool {
		page, err := admin.Records(t.Context(), sluice.RecordQuery{Tenant: "demo"})
		return err == nil && len(page.Items) == 2
	})
	usage, err := admin.Usage(t.Context(), sluice.UsageQuery{RecordQuery: sluice.RecordQuery{Tenant: "demo"}, GroupBy: []string{"model"}})
	if err != nil || len(usage) != 1 || usage[0].Requests != 2 || usage[0].Usage.Total() == 0 {
		t.Errorf("usage: %+v, %v", usage, err)
	}
}

// TestPlainServiceWithTheSameKey puts an ordinary service behind a route: both
// kinds of traffic go through one pipeline, with one key.
func TestPlainServiceWithTheSameKey(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Service", "orders")
		_, _ = w.Write([]byte("order " + r.URL.Path + " of " + r.URL.Query().Get("for")))
	}))
	defer service.Close()
	host, port := hostPort(t, service.Listener.Addr())

	p := process.Start(t, process.Options{})
	admin := p.Admin(t)
	ctx := t.Context()
	if _, err := admin.Upstreams().Create(ctx, sluice.Upstream{Meta: sluice.Meta{Name: "orders"}, Nodes: []sluice.Node{{Host: host, Port: port}}}, sluice.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	route := sluice.Route{Meta: sluice.Meta{Name: "orders"}, Paths: []string{"/orders/:id"}, Upstream: "orders", Plugins: plugins("key-auth", `{}`)}
	if _, err := admin.Routes().Create(ctx, route, sluice.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the route is live", func() bool { return do(t, "GET", p.Gateway+"/orders/7", "", "").status != 404 })

	if got := do(t, "GET", p.Gateway+"/orders/7?for=ada", p.Key, ""); got.status != 200 || got.body != "order /orders/7 of ada" || got.header.Get("X-Service") != "orders" {
		t.Errorf("with the key: %d %s", got.status, got.body)
	}
	if got := chat(t, p, p.Key); got.status != 200 {
		t.Errorf("the same key on the LLM route: %d %s", got.status, got.body)
	}
	if got := do(t, "GET", p.Gateway+"/orders/7", "", ""); got.status != 401 || !strings.Contains(got.body, "AUTH_001") {
		t.Errorf("without a key: %d %s", got.status, got.body)
	}
	if got := do(t, "GET", p.Gateway+"/orders/7?api_key="+p.Key, "", ""); got.status == 200 {
		t.Errorf("a key in the query is accepted")
	}
	if got := do(t, "GET", p.Gateway+"/nowhere", p.Key, ""); got.status != 404 || !strings.Contains(got.body, "COMMON_002") {
		t.Errorf("no route: %d %s", got.status, got.body)
	}
}

// TestSelfServiceThroughTheGateway lets one public address be enough, and keeps
// administration off it.
func TestSelfServiceThroughTheGateway(t *testing.T) {
	p := process.Start(t, process.Options{})
	p.SetUp(t)
	got := do(t, "POST", p.Gateway+"/v1/auth/token", "", `{"email":"`+process.AdminEmail+`","password":"`+process.AdminPassword+`"}`)
	if got.status != 200 {
		t.Fatalf("sign-in: %d %s", got.status, got.body)
	}
	token := field(t, got.body, "access_token")
	if got := do(t, "GET", p.Gateway+"/v1/users/me", token, ""); got.status != 200 || !strings.Contains(got.body, process.AdminEmail) {
		t.Errorf("me: %d %s", got.status, got.body)
	}
	made := do(t, "POST", p.Gateway+"/v1/keys", token, `{"name":"mine"}`)
	if made.status != 201 {
		t.Fatalf("create a key: %d %s", made.status, made.body)
	}
	eventually(t, "the key works", func() bool { return chat(t, p, field(t, made.body, "token")).status == 200 })
	for _, path := range []string{"/admin/v1/users", "/admin/stats", "/setup", "/openapi.json", "/providers"} {
		if got := do(t, "GET", p.Gateway+path, token, ""); got.status != 404 {
			t.Errorf("%s is reachable through the gateway: %d", path, got.status)
		}
	}
}

// TestProbesAndPages looks at every listener as an operator's systems do.
func TestProbesAndPages(t *testing.T) {
	p := process.Start(t, process.Options{})
	chat(t, p, p.Key)
	for url, want := range map[string]string{
		p.Gateway + "/health":       `"status":`,
		p.Gateway + "/ready":        `"status":`,
		p.Gateway + "/":             "Sluice",
		p.Status + "/health":        `"status":"ok"`,
		p.Status + "/ready":         `"status":"ready"`,
		p.Status + "/metrics":       "sluice_",
		p.Control + "/health":       `"status":"ok"`,
		p.Control + "/ready":        `"status":`,
		p.Control + "/openapi.json": `"openapi":"3.1`,
		p.Control + "/docs":         "<html",
	} {
		if got := do(t, "GET", url, "", ""); got.status != 200 || !strings.Contains(strings.ReplaceAll(got.body, `": "`, `":"`), want) {
			t.Errorf("%s: %d %.200s", url, got.status, got.body)
		}
	}
}
