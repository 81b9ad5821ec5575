package gateway_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/gateway"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// withClock makes the gateway tell the time by the fixture's clock.
func withClock(c *sluicetest.Clock) option {
	return func(g *gateway.Config, _ *limits) { g.Now = c.Now }
}

// A key that should not work and does is somebody else's money.
func TestKeysThatDoNotWork(t *testing.T) { onEveryTransport(t, testKeysThatDoNotWork) }

func testKeysThatDoNotWork(t *testing.T, over transport) {
	clock := sluicetest.NewClock(time.Now())
	f := newFixture(t, over, withClock(clock))
	u := sluicetest.NewUpstream(t, sluicetest.JSON(200, wholeChat))
	f.addProvider("p1", u, nil)
	f.add(&sluice.Tenant{Meta: meta("gone", "gone"), Status: sluice.StatusDisabled})
	f.snap.DisabledUsers = []sluice.UserRef{{Tenant: "acme", Name: "fired"}}
	now := clock.Now()
	wrong, _ := sluice.NewToken("test")
	expired := f.addKey("acme", "expired", func(k *sluice.Key) { k.ExpiresAt = now.Add(-time.Second) })
	expiring := f.addKey("acme", "expiring", func(k *sluice.Key) { k.ExpiresAt = now.Add(time.Minute) })
	disabled := f.addKey("acme", "disabled", func(k *sluice.Key) { k.Status = sluice.StatusDisabled })
	ofTenant := f.addKey("gone", "of-tenant", nil)
	ofUser := f.addKey("acme", "of-user", func(k *sluice.Key) { k.User = "fired" })
	ofNobody := f.addKey("no-such-tenant", "of-nobody", nil)
	old, _ := sluice.NewToken("test")
	rotated := f.addKey("acme", "rotated", func(k *sluice.Key) {
		k.RetiringHash, k.RetiringUntil = sluice.HashToken(old), now.Add(time.Minute)
	})
	broken := f.addKey("acme", "broken", func(k *sluice.Key) { k.Plugins = pluginSet("no-such-plugin", `{}`) })
	f.apply()
	status := func(token string) int {
		t.Helper()
		a := f.chat("", "Authorization: Bearer "+token)
		if a.status == 401 && (a.errorCode() != sluice.CodeUnauthorized || a.header.Get("WWW-Authenticate") == "" || len(token) > 10 && strings.Contains(a.body, token)) {
			t.Errorf("401 answers %s", a.body)
		}
		return a.status
	}
	for name, c := range map[string]struct {
		token string
		want  int
	}{
		"none": {"x", 401}, "wrong": {wrong, 401}, "hash as token": {sluice.HashToken(f.token), 401}, "prefix": {f.token[:40], 401}, "longer": {f.token + "0", 401},
		"SQL": {"' OR 1=1 --", 401}, "expired": {expired, 401}, "disabled": {disabled, 401}, "disabled tenant": {ofTenant, 401}, "disabled user": {ofUser, 401},
		"unknown tenant": {ofNobody, 401}, "broken plugins": {broken, 503},
		"right": {f.token, 200}, "expiring": {expiring, 200}, "rotated": {rotated, 200}, "retiring": {old, 200},
	} {
		if got := status(c.token); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if a := f.chat("", "Authorization: "); a.status != 401 {
		t.Errorf("without a key: %d", a.status)
	}
	clock.Advance(time.Minute)
	for name, token := range map[string]string{"expiring": expiring, "retiring": old} {
		if got := status(token); got != 401 {
			t.Errorf("%s, a minute later: %d", name, got)
		}
	}
	if got := status(rotated); got != 200 {
		t.Errorf("rotated, a minute later: %d", got)
	}
	f.snap.Keys = f.snap.Keys[1:]
	f.apply()
	if got := status(f.token); got != 401 {
		t.Errorf("deleted: %d", got)
	}
}

// A key reaches the providers and models of its group, and nothing else, not
// even by a connection.
func TestWallsBetweenGroups(t *testing.T) { onEveryTransport(t, testWallsBetweenGroups) }

func testWallsBetweenGroups(t *testing.T, over transport) {
	f := newFixture(t, over)
	u := sluicetest.NewUpstream(t, sluicetest.JSON(200, wholeChat))
	f.add(&sluice.Group{Meta: meta("platform", "vip"), SharedWith: []string{"rich"}})
	f.add(&sluice.Tenant{Meta: meta("rich", "rich"), Spending: sluice.SpendingPostpaid, UnlimitedCredit: true})
	f.add(&sluice.Model{Meta: meta("platform", "m2")})
	f.add(&sluice.Model{Meta: meta("platform", "m3")})
	f.addProvider("vip", u, func(p *sluice.Provider) { p.Group = "vip"; p.Models = []string{"m1", "m2"} })
	rich := f.addKey("rich", "rich", func(k *sluice.Key) { k.Group = "vip"; k.Models = []string{"m1"} })
	climber := f.addKey("acme", "climber", func(k *sluice.Key) { k.Group = "vip" })
	lost := f.addKey("acme", "lost", func(k *sluice.Key) { k.Group = "no-such-group" })
	other := sluicetest.NewUpstream(t, sluicetest.JSON(200, wholeChat))
	f.addProvider("default", other, func(p *sluice.Provider) { p.Models = []string{"m3"} })
	// A tenant's provider must not slip into the platform's group of that name.
	f.addProvider("intruder", u, func(p *sluice.Provider) { p.Tenant = "acme" })
	f.apply()
	for name, c := range map[string]struct {
		token, model string
		want         int
	}{
		"model of another group":     {f.token, "m2", 404},
		"model outside the key":      {rich, "m2", 403},
		"group of another tenant":    {climber, "m1", 403},
		"group that does not exist":  {lost, "m1", 403},
		"model that an intruder has": {f.token, "m1", 404},
	} {
		a := f.do("POST", "/v1/chat/completions", chatBody(c.model, ""), "Authorization: Bearer "+c.token)
		if a.status != c.want {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if u.Connections() != 0 || other.Connections() != 0 {
		t.Error("a refused request opened a connection")
	}
	if a := f.do("POST", "/v1/chat/completions", chatBody("m1", ""), "Authorization: Bearer "+rich); a.status != 200 {
		t.Errorf("the right key: %d %s", a.status, a.body)
	}
	list := f.do("GET", "/v1/models", "", "Authorization: Bearer "+rich)
	if !strings.Contains(list.body, `"m1"`) || strings.Contains(list.body, `"m2"`) || strings.Contains(list.body, `"m3"`) {
		t.Errorf("models of rich: %s", list.body)
	}
	if a := f.do("GET", "/v1/models/m3", ""); a.status != 200 || !strings.Contains(a.body, `"m3"`) {
		t.Errorf("one model: %d %s", a.status, a.body)
	}
	if a := f.do("GET", "/v1/models/m2", ""); a.status != 404 {
		t.Errorf("one model of another group: %d %s", a.status, a.body)
	}
}

// A tenant's own route serves that tenant's keys only.
func TestRoutesOfTenants(t *testing.T) { onEveryTransport(t, testRoutesOfTenants) }

func testRoutesOfTenants(t *testing.T, over transport) {
	f := newFixture(t, over)
	u := sluicetest.NewUpstream(t)
	f.add(&sluice.Tenant{Meta: meta("rival", "rival"), Spending: sluice.SpendingPostpaid, UnlimitedCredit: true})
	rival := f.addKey("rival", "rival", nil)
	f.addService(func(r *sluice.Route, up *sluice.Upstream) { r.Tenant, up.Tenant = "acme", "acme" }, u)
	f.apply()
	if a := f.do("GET", "/svc/x", ""); a.status != 200 {
		t.Errorf("own key: %d %s", a.status, a.body)
	}
	if a := f.do("GET", "/svc/x", "", "Authorization: Bearer "+rival); a.status != 403 {
		t.Errorf("rival's key: %d", a.status)
	}
}

// Keys in use are reported, or nobody can tell which ones may be deleted.
func TestKeysUsedAreReported(t *testing.T) { onEveryTransport(t, testKeysUsedAreReported) }

func testKeysUsedAreReported(t *testing.T, over transport) {
	f := newFixture(t, over)
	f.addProvider("p1", sluicetest.NewUpstream(t, sluicetest.JSON(200, wholeChat)), nil)
	f.apply()
	f.chat("")
	id := f.snap.Keys[0].ID
	f.eventually("the key is reported", func() bool {
		f.books.mu.Lock()
		defer f.books.mu.Unlock()
		return !f.books.used[id].IsZero()
	})
}

// Limits have to be asked for once, with an estimate, told to the client, and
// corrected to what was used.
func TestClaims(t *testing.T) { onEveryTransport(t, testClaims) }

func testClaims(t *testing.T, over transport) {
	f := newFixture(t, over)
	f.addProvider("p1", sluicetest.NewUpstream(t, sluicetest.JSON(200, wholeChat)), nil)
	f.addService(nil, sluicetest.NewUpstream(t))
	f.apply()
	f.chat(`,"max_tokens":1000`)
	f.do("GET", "/svc/x", "")
	f.records(2)
	f.admission.mu.Lock()
	llm, plain, asked := f.admission.claims[0].List, f.admission.claims[1].List, f.admission.claims[0]
	f.admission.mu.Unlock()
	if asked.TokenHash != sluice.HashToken(f.token) || asked.Revision != f.snap.Revision {
		t.Errorf("admission cannot judge the key: hash %q, revision %d", asked.TokenHash, asked.Revision)
	}
	if len(llm) != 2 || llm[1].Amount < 1000 || llm[1].Amount > 1100 {
		t.Errorf("claims of the LLM request %+v", llm)
	}
	if len(plain) != 1 {
		t.Errorf("claims of the plain request %+v", plain)
	}
	f.admission.mu.Lock()
	f.admission.refuse = sluice.Errorf(sluice.CodeRequestRate, "too many").With("bucket", "key:key").After(7)
	f.admission.mu.Unlock()
	a := f.chat("")
	if a.status != 429 || a.header.Get("Retry-After") != "7" || a.header.Get("X-Ratelimit-Remaining-Requests") != "0" || a.header.Get("X-Ratelimit-Limit-Requests") != "60" {
		t.Errorf("%d %v", a.status, a.header)
	}
}
