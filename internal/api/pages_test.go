package api_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/api"
	"github.com/sluicegate/sluice/test/controlsuite"
)

var (
	styleElement = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
	elsewhere    = regexp.MustCompile(`(?i)(?:src|href|action)="(?:https?:)?//|<script|@import|url\(`)
	anchors      = regexp.MustCompile(`href="#([^"]+)"`)
)

// checkPage holds every page to what makes it work offline and under its own
// policy.
func checkPage(t *testing.T, a answer) string {
	t.Helper()
	text := string(a.body)
	if got := a.header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("content type %q", got)
	}
	if found := elsewhere.FindString(text); found != "" {
		t.Errorf("the page needs something from elsewhere: %s", found)
	}
	style := styleElement.FindStringSubmatch(text)
	if style == nil {
		t.Fatal("the page has no style")
	}
	sum := sha256.Sum256([]byte(style[1]))
	if want := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(a.header.Get("Content-Security-Policy"), want) {
		t.Errorf("the policy does not allow the page's style: %s", a.header.Get("Content-Security-Policy"))
	}
	return text
}

// TestDocsPage keeps the documentation whole and usable without a network.
func TestDocsPage(t *testing.T) {
	w := controlsuite.Start(t, nil)
	text := checkPage(t, do(t, w, call{method: "GET", path: "/docs"}))
	_, routes := readDocument(t, w)
	for _, r := range routes {
		if !strings.Contains(text, `id="`+r.OperationID+`"`) {
			t.Errorf("%s is not on the page", r.OperationID)
		}
	}
	for _, info := range sluice.Codes() {
		if !strings.Contains(text, `<tr id="`+string(info.Code)+`">`) {
			t.Errorf("code %s has no anchor, doc_url leads nowhere", info.Code)
		}
	}
	for _, m := range anchors.FindAllStringSubmatch(text, -1) {
		if !strings.Contains(text, `id="`+m[1]+`"`) {
			t.Errorf("the link #%s leads nowhere", m[1])
		}
	}
}

// TestWelcome gives whoever opens the address in a browser a way on.
func TestWelcome(t *testing.T) {
	text := checkPage(t, do(t, controlsuite.Start(t, nil), call{method: "GET", path: "/"}))
	if !strings.Contains(text, `href="/docs"`) {
		t.Error("the welcome page does not lead to the documentation")
	}
}

// setupForm fills in the set-up form.
func setupForm(token, email, password, repeat string) call {
	form := url.Values{"token": {token}, "email": {email}, "password": {password}, "repeat": {repeat}}
	return call{method: "POST", path: "/setup", body: form.Encode(), header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}
}

// TestSetup walks the way of everybody's first minute: open the link, correct a
// mistake, create the admin, sign in; and then the link is spent.
func TestSetup(t *testing.T) {
	w := controlsuite.Start(t, nil)
	token, err := w.Control.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	open := do(t, w, call{method: "GET", path: "/setup?token=" + token})
	if text := checkPage(t, open); open.status != 200 || !strings.Contains(text, `value="`+token+`"`) {
		t.Fatalf("status %d: %s", open.status, text)
	}
	for _, mistake := range []call{
		setupForm(token, "me@example.com", "a long password", "another password"),
		setupForm(token, "me@example.com", "short", "short"),
		setupForm(token, "not an address", "a long password", "a long password"),
	} {
		a := do(t, w, mistake)
		if text := checkPage(t, a); a.status != 400 || !strings.Contains(text, `role="alert"`) || !strings.Contains(text, "<form") {
			t.Errorf("a mistake answers %d without a way to correct it", a.status)
		}
	}
	done := do(t, w, setupForm(token, "me@example.com", "a long password", "a long password"))
	if text := checkPage(t, done); done.status != 200 || !strings.Contains(text, "sluice login --email me@example.com") {
		t.Fatalf("status %d: %s", done.status, text)
	}
	decode[sluice.Tokens](t, do(t, w, call{method: "POST", path: "/v1/auth/token", body: `{"email":"me@example.com","password":"a long password"}`}), 200)
	for _, again := range []call{{method: "GET", path: "/setup?token=" + token}, setupForm(token, "you@example.com", "a long password", "a long password")} {
		if a := do(t, w, again); a.status != 410 || strings.Contains(checkPage(t, a), "<form") {
			t.Errorf("%s with a spent link answers %d", again.method, a.status)
		}
	}
}

// TestSetupWithAWrongLink keeps strangers from becoming the first admin.
func TestSetupWithAWrongLink(t *testing.T) {
	w := controlsuite.Start(t, nil)
	if _, err := w.Control.NewSetupToken(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := do(t, w, setupForm("guessed", "me@example.com", "a long password", "a long password"))
	if a.status != 410 {
		t.Errorf("status %d, want 410", a.status)
	}
	if a := do(t, w, call{method: "GET", path: "/setup"}); a.status != 410 {
		t.Errorf("without a token: status %d, want 410", a.status)
	}
	a = do(t, w, setupForm(`"><script>`, "<b>@example.com", "one", "two"))
	if checkPage(t, a); strings.Contains(string(a.body), "<b>@") {
		t.Error("the page repeats input as markup")
	}
}

// TestNewNeedsControl makes a wiring mistake an error and not a later panic.
func TestNewNeedsControl(t *testing.T) {
	if _, err := api.New(api.Config{}); sluice.CodeOf(err) != sluice.CodeConfig {
		t.Errorf("got %v", err)
	}
}
