package api_test

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/api"
	"github.com/sluicegate/sluice/test/controlsuite"
)

// newPipe returns a pipe that the test closes.
func newPipe(t *testing.T) (*io.PipeReader, *io.PipeWriter) {
	t.Helper()
	r, w := io.Pipe()
	t.Cleanup(func() { _ = w.Close() }) // closing a pipe cannot fail
	return r, w
}

// openSession signs in as the console does.
func openSession(t *testing.T, w *controlsuite.World, p controlsuite.Person) (cookie *http.Cookie, csrf string) {
	t.Helper()
	a := do(t, w, call{method: "POST", path: "/v1/auth/session", body: `{"email":"` + p.Email() + `","password":"` + controlsuite.Password + `"}`})
	body := decode[struct{ CSRF string }](t, a, 201)
	cookies := (&http.Response{Header: a.header}).Cookies()
	if len(cookies) != 1 || body.CSRF == "" {
		t.Fatalf("cookies %v, csrf %q", cookies, body.CSRF)
	}
	return cookies[0], body.CSRF
}

// TestSessionNeedsItsToken keeps other sites from writing with a visitor's
// cookie.
func TestSessionNeedsItsToken(t *testing.T) {
	w := controlsuite.StartPeopled(t, nil)
	cookie, csrf := openSession(t, w, controlsuite.AcmeAdmin)
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Secure {
		t.Errorf("cookie: %+v", cookie)
	}
	decode[sluice.Page[sluice.Key]](t, do(t, w, call{method: "GET", path: "/admin/v1/keys", cookie: cookie}), 200)
	write := call{method: "POST", path: "/admin/v1/groups", body: `{"name":"vip"}`, cookie: cookie}
	wantProblem(t, do(t, w, write), sluice.CodeForbidden)
	write.header = map[string]string{"X-CSRF-Token": csrf + "x"}
	wantProblem(t, do(t, w, write), sluice.CodeForbidden)
	_, another := openSession(t, w, controlsuite.AcmeAdmin)
	write.header = map[string]string{"X-CSRF-Token": another}
	wantProblem(t, do(t, w, write), sluice.CodeForbidden)
	write.header = map[string]string{"X-CSRF-Token": csrf}
	decode[sluice.Group](t, do(t, w, write), 201)
	if again := decode[struct{ CSRF string }](t, do(t, w, call{method: "GET", path: "/v1/auth/session", cookie: cookie}), 200); again.CSRF != csrf {
		t.Errorf("a reloaded page gets csrf %q, want %q", again.CSRF, csrf)
	}
}

// TestSessionEnds makes signing out mean it.
func TestSessionEnds(t *testing.T) {
	w := controlsuite.StartPeopled(t, nil)
	cookie, csrf := openSession(t, w, controlsuite.AcmeDev)
	a := do(t, w, call{method: "DELETE", path: "/v1/auth/session", cookie: cookie, header: map[string]string{"X-CSRF-Token": csrf}})
	if a.status != 204 || !strings.Contains(a.header.Get("Set-Cookie"), cookie.Name+"=;") {
		t.Errorf("status %d, Set-Cookie %q", a.status, a.header.Get("Set-Cookie"))
	}
	wantProblem(t, do(t, w, call{method: "GET", path: "/v1/users/me", cookie: cookie}), sluice.CodeUnauthorized)
}

// TestSecureCookie keeps the cookie off plain connections and other hosts.
func TestSecureCookie(t *testing.T) {
	w := controlsuite.StartPeopled(t, func(cfg *api.Config) { cfg.PublicURL = "https://sluice.example/" })
	cookie, _ := openSession(t, w, controlsuite.Root)
	if !cookie.Secure || cookie.Name != "__Host-sluice_session" || cookie.Domain != "" {
		t.Errorf("cookie: %+v", cookie)
	}
}

// TestRefreshReuse makes a stolen refresh token useless to thief and owner, and
// so noticed.
func TestRefreshReuse(t *testing.T) {
	w := controlsuite.StartPeopled(t, nil)
	first := decode[sluice.Tokens](t, do(t, w, call{method: "POST", path: "/v1/auth/token", body: `{"email":"dev@acme.example","password":"` + controlsuite.Password + `"}`}), 200)
	refresh := func(token string) answer {
		return do(t, w, call{method: "POST", path: "/v1/auth/refresh", body: `{"refresh_token":"` + token + `"}`})
	}
	second := decode[sluice.Tokens](t, refresh(first.RefreshToken), 200)
	wantProblem(t, refresh(first.RefreshToken), sluice.CodeUnauthorized)
	wantProblem(t, refresh(second.RefreshToken), sluice.CodeUnauthorized)
}

// TestLockOut slows the guessing of passwords, and says for how long.
func TestLockOut(t *testing.T) {
	w := controlsuite.StartPeopled(t, nil)
	guess := call{method: "POST", path: "/v1/auth/token", body: `{"email":"dev@acme.example","password":"wrong wrong wrong"}`}
	for range 20 {
		a := do(t, w, guess)
		if a.status == http.StatusTooManyRequests {
			if wantProblem(t, a, sluice.CodeLockedOut); a.header.Get("Retry-After") == "" {
				t.Error("the lock-out does not say when it ends")
			}
			return
		}
		wantProblem(t, a, sluice.CodeUnauthorized)
	}
	t.Error("twenty wrong passwords in a row were all tried")
}

// TestLockOutKnowsClientsApart keeps a stranger behind the gateway from locking
// everybody out who signs in through it, and from escaping by forging the
// header.
func TestLockOutKnowsClientsApart(t *testing.T) {
	gateway := netip.MustParsePrefix("127.0.0.0/8")
	for _, c := range []struct {
		name      string
		trusted   []netip.Prefix
		forwarded func(attempt int) string
		locked    bool // the owner, who comes from 192.0.2.9
	}{
		{"through the gateway", []netip.Prefix{gateway}, func(int) string { return "198.51.100.7" }, false},
		{"forged in front of the gateway", []netip.Prefix{gateway}, func(i int) string { return fmt.Sprintf("203.0.113.%d, 192.0.2.9", i) }, true},
		{"forged directly", nil, func(i int) string { return fmt.Sprintf("203.0.113.%d", i) }, true},
		{"not an address", []netip.Prefix{gateway}, func(int) string { return "unknown" }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := controlsuite.StartPeopled(t, func(cfg *api.Config) { cfg.TrustedProxies = c.trusted })
			guess := call{method: "POST", path: "/v1/auth/token", body: `{"email":"dev@acme.example","password":"wrong wrong wrong"}`}
			for i := range 8 {
				guess.header = map[string]string{"X-Forwarded-For": c.forwarded(i)}
				do(t, w, guess)
			}
			guess.header = map[string]string{"X-Forwarded-For": "192.0.2.9"}
			if got := do(t, w, guess).problem(t).Error.Code; (got == sluice.CodeLockedOut) != c.locked {
				t.Errorf("the owner gets %s", got)
			}
		})
	}
}
