package control_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
	"github.com/sluicegate/sluice/internal/seal"
)

var here = control.Client{IP: "192.0.2.7", RequestID: "req-1"}

// Lost if it fails: nobody can sign in, or anybody.
func TestSignInRefreshSignOut(t *testing.T) {
	p := fresh(t)
	p.tenant("acme")
	p.user("acme", "ann", sluice.RoleDeveloper)
	ctx := t.Context()
	tokens, err := p.SignIn(ctx, " Ann@acme.example", password, here)
	must(t, err)
	caller, err := p.Authenticate(ctx, tokens.AccessToken)
	must(t, err)
	if caller.Tenant != "acme" || caller.User != "ann" || caller.Platform || len(caller.Permissions) == 0 || tokens.ExpiresIn != 600 {
		t.Errorf("caller %+v", caller)
	}
	p.clock.add(11 * time.Minute)
	_, err = p.Authenticate(ctx, tokens.AccessToken)
	wants(t, err, sluice.CodeUnauthorized, "an expired access token")
	second, err := p.Refresh(ctx, tokens.RefreshToken, here)
	must(t, err)
	_, err = p.Authenticate(ctx, second.AccessToken)
	must(t, err)
	// The first refresh token comes back: everything of this sign-in ends.
	_, err = p.Refresh(ctx, tokens.RefreshToken, here)
	wants(t, err, sluice.CodeUnauthorized, "a refresh token used twice")
	_, err = p.Refresh(ctx, second.RefreshToken, here)
	wants(t, err, sluice.CodeUnauthorized, "a token of the revoked family")
	_, err = p.Authenticate(ctx, second.AccessToken)
	wants(t, err, sluice.CodeUnauthorized, "an access token of the revoked family")

	third, err := p.SignIn(ctx, "ann@acme.example", password, here)
	must(t, err)
	must(t, p.SignOut(ctx, third.RefreshToken))
	must(t, p.SignOut(ctx, "unknown"))
	_, err = p.Authenticate(ctx, third.AccessToken)
	wants(t, err, sluice.CodeUnauthorized, "signed out")
	late, err := p.SignIn(ctx, "ann@acme.example", password, here)
	must(t, err)
	p.clock.add(31 * 24 * time.Hour)
	_, err = p.Refresh(ctx, late.RefreshToken, here)
	wants(t, err, sluice.CodeUnauthorized, "an expired refresh token")
}

// Lost if it fails: two tabs that refresh at once both go on, and reuse is blind.
func TestOneRefreshWins(t *testing.T) {
	p := fresh(t)
	p.tenant("acme")
	p.user("acme", "ann", sluice.RoleDeveloper)
	tokens, err := p.SignIn(t.Context(), "ann@acme.example", password, here)
	must(t, err)
	var wg sync.WaitGroup
	var won atomic.Int32
	for range 4 {
		wg.Go(func() {
			if _, err := p.Refresh(t.Context(), tokens.RefreshToken, here); err == nil {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d refreshes succeeded", won.Load())
	}
}

// Lost if it fails: a disabled user, or a disabled tenant's, goes on working.
func TestDisabledMeansOut(t *testing.T) {
	p := fresh(t)
	p.tenant("acme")
	p.user("acme", "ann", sluice.RoleDeveloper)
	ctx := t.Context()
	sign := func() (sluice.Tokens, control.ConsoleSession) {
		tokens, err := p.SignIn(ctx, "ann@acme.example", password, here)
		must(t, err)
		session, err := p.StartSession(ctx, "ann@acme.example", password, here)
		must(t, err)
		_, csrf, err := p.SessionCaller(ctx, session.ID)
		must(t, err)
		if csrf != session.CSRF {
			t.Error("the session lost its CSRF token")
		}
		return tokens, session
	}
	refused := func(what string, tokens sluice.Tokens, session control.ConsoleSession) {
		t.Helper()
		_, err := p.Authenticate(ctx, tokens.AccessToken)
		wants(t, err, sluice.CodeUnauthorized, what+": access token")
		_, err = p.Refresh(ctx, tokens.RefreshToken, here)
		wants(t, err, sluice.CodeUnauthorized, what+": refresh token")
		_, _, err = p.SessionCaller(ctx, session.ID)
		wants(t, err, sluice.CodeUnauthorized, what+": session")
	}
	set := func(status string) {
		_, err := p.system().Users().Patch(ctx, "acme", "ann", json.RawMessage(`{"status":"`+status+`"}`), sluice.WriteOptions{})
		must(t, err)
	}
	tokens, session := sign()
	set("disabled")
	refused("disabled user", tokens, session)
	_, err := p.SignIn(ctx, "ann@acme.example", password, here)
	wants(t, err, sluice.CodeUnauthorized, "disabled user: sign-in")
	if u := p.snapshot().DisabledUsers; len(u) != 1 || u[0] != (sluice.UserRef{Tenant: "acme", Name: "ann"}) {
		t.Errorf("the snapshot names %v as disabled", u)
	}
	set("active")
	refused("enabled again", tokens, session)
	tokens, session = sign()
	_, err = p.system().Tenants().Patch(ctx, "", "acme", json.RawMessage(`{"status":"disabled"}`), sluice.WriteOptions{})
	must(t, err)
	refused("disabled tenant", tokens, session)
	_, err = p.system().Tenants().Patch(ctx, "", "acme", json.RawMessage(`{"status":"active"}`), sluice.WriteOptions{})
	must(t, err)
	tokens, session = sign()
	_, err = p.system().Users().Patch(ctx, "acme", "ann", json.RawMessage(`{"password":"another good password"}`), sluice.WriteOptions{})
	must(t, err)
	refused("changed password", tokens, session)
	session, err = p.StartSession(ctx, "ann@acme.example", "another good password", here)
	must(t, err)
	must(t, p.EndSession(ctx, session.ID))
	refused("ended session", tokens, session)
	session, err = p.StartSession(ctx, "ann@acme.example", "another good password", here)
	must(t, err)
	must(t, p.system().Users().Delete(ctx, "acme", "ann", sluice.WriteOptions{}))
	refused("deleted user", tokens, session)
}

// Lost if it fails: passwords can be guessed at full speed, or their owner is
// locked out by a stranger.
func TestLockOut(t *testing.T) {
	p := fresh(t)
	p.tenant("acme")
	p.user("acme", "ann", sluice.RoleDeveloper)
	ctx := t.Context()
	for _, email := range []string{"ann@acme.example", "nobody@acme.example"} {
		wait := 0
		for try := range 12 {
			_, err := p.SignIn(ctx, email, "wrong password", here)
			if sluice.CodeOf(err) == sluice.CodeLockedOut {
				e := sluice.AsError(err)
				if e.RetryAfter < wait || e.RetryAfter < 1 {
					t.Errorf("%s: pause fell from %d to %d s", email, wait, e.RetryAfter)
				}
				wait = e.RetryAfter
				p.clock.add(time.Duration(wait) * time.Second)
				continue
			}
			wants(t, err, sluice.CodeUnauthorized, email)
			if try < 4 && wait != 0 {
				t.Errorf("locked after %d failures", try)
			}
		}
		if wait < 4 {
			t.Errorf("%s: the pause grew to %d s only", email, wait)
		}
		// Somebody else's address is not locked.
		_, err := p.SignIn(ctx, email, "wrong password", control.Client{IP: "198.51.100.1"})
		wants(t, err, sluice.CodeUnauthorized, email+" from elsewhere")
	}
	_, err := p.SignIn(ctx, "ann@acme.example", "wrong password", here)
	wants(t, err, sluice.CodeUnauthorized, "the last free try")
	_, err = p.SignIn(ctx, "ann@acme.example", password, here)
	wants(t, err, sluice.CodeLockedOut, "the right password while locked")
	p.clock.add(15 * time.Minute)
	_, err = p.SignIn(ctx, "ann@acme.example", password, here)
	must(t, err)
	_, err = p.SignIn(ctx, "ann@acme.example", "wrong password", here)
	wants(t, err, sluice.CodeUnauthorized, "success forgives")
	_, err = p.SignIn(ctx, "ann@acme.example", password, here)
	must(t, err)
}

// Lost if it fails: parallel guesses get around the lock.
func TestParallelGuessesAreCounted(t *testing.T) {
	p := fresh(t)
	var wg sync.WaitGroup
	var judged atomic.Int32
	for range 20 {
		wg.Go(func() {
			_, err := p.SignIn(t.Context(), "ann@acme.example", "guess", here)
			if sluice.CodeOf(err) == sluice.CodeUnauthorized {
				judged.Add(1)
			}
		})
	}
	wg.Wait()
	if judged.Load() != 5 {
		t.Errorf("%d guesses were judged at once, want 5", judged.Load())
	}
}

// Lost if it fails: forged tokens (T-CVE 4) are accepted.
func TestForgedTokens(t *testing.T) {
	p := fresh(t)
	p.tenant("acme")
	p.user("acme", "ann", sluice.RoleTenantAdmin)
	ctx := t.Context()
	tokens, err := p.SignIn(ctx, "ann@acme.example", password, here)
	must(t, err)
	parsed, _, err := jwt.NewParser().ParseUnverified(tokens.AccessToken, jwt.MapClaims{})
	must(t, err)
	claims, kid := parsed.Claims.(jwt.MapClaims), parsed.Header["kid"]
	ring, _ := seal.Parse(masterKey)
	key := ed25519.NewKeyFromSeed(ring.Derive("access tokens", ed25519.SeedSize))
	stranger := ed25519.NewKeyFromSeed(make([]byte, 32))
	forge := func(method jwt.SigningMethod, with any, kid any, change func(jwt.MapClaims)) string {
		c := jwt.MapClaims{}
		for k, v := range claims {
			c[k] = v
		}
		change(c)
		tok := jwt.NewWithClaims(method, c)
		tok.Header["kid"] = kid
		s, err := tok.SignedString(with)
		must(t, err)
		return s
	}
	keep := func(jwt.MapClaims) {}
	if _, err := p.Authenticate(ctx, forge(jwt.SigningMethodEdDSA, key, kid, keep)); err != nil {
		t.Fatalf("the control of this test fails: %v", err)
	}
	parts := strings.Split(tokens.AccessToken, ".")
	for what, token := range map[string]string{
		"alg none":         forge(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, kid, keep),
		"HMAC with pubkey": forge(jwt.SigningMethodHS256, []byte(key.Public().(ed25519.PublicKey)), kid, keep),
		"another key":      forge(jwt.SigningMethodEdDSA, stranger, kid, keep),
		"another kid":      forge(jwt.SigningMethodEdDSA, key, "other", keep),
		"no kid":           forge(jwt.SigningMethodEdDSA, key, nil, keep),
		"other audience":   forge(jwt.SigningMethodEdDSA, key, kid, func(c jwt.MapClaims) { c["aud"] = "x" }),
		"other issuer":     forge(jwt.SigningMethodEdDSA, key, kid, func(c jwt.MapClaims) { c["iss"] = "x" }),
		"no expiry":        forge(jwt.SigningMethodEdDSA, key, kid, func(c jwt.MapClaims) { delete(c, "exp") }),
		"no family":        forge(jwt.SigningMethodEdDSA, key, kid, func(c jwt.MapClaims) { delete(c, "fam") }),
		"unknown user":     forge(jwt.SigningMethodEdDSA, key, kid, func(c jwt.MapClaims) { c["sub"] = "999999" }),
		"changed payload":  parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"1"}`)) + "." + parts[2],
		"no signature":     parts[0] + "." + parts[1] + ".",
		"the refresh one":  tokens.RefreshToken,
		"empty":            "",
		"huge":             strings.Repeat("a", 10_000),
		"SQL":              "' OR 1=1 --",
	} {
		_, err := p.Authenticate(ctx, token)
		wants(t, err, sluice.CodeUnauthorized, what)
	}
	for _, phc := range []string{"$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA", password + "x", ""} {
		_, err := p.SignIn(ctx, "ann@acme.example", phc, control.Client{IP: "203.0.113.9"})
		wants(t, err, sluice.CodeUnauthorized, "password "+phc)
	}
}

// Lost if it fails: a set-up link that works twice, late, or beside an admin.
func TestSetup(t *testing.T) {
	p := fresh(t)
	ctx := t.Context()
	if needs, err := p.NeedsSetup(ctx); err != nil || !needs {
		t.Fatalf("needs set-up: %v, %v", needs, err)
	}
	old, err := p.NewSetupToken(ctx)
	must(t, err)
	token, err := p.NewSetupToken(ctx)
	must(t, err)
	redeem := func(token, pw string) error {
		_, err := p.RedeemSetup(ctx, token, "Root@example.com", pw, here)
		return err
	}
	wants(t, redeem(old, password), sluice.CodeUnauthorized, "a replaced token")
	wants(t, redeem("", password), sluice.CodeUnauthorized, "an empty token")
	wants(t, redeem(token, "short"), sluice.CodeInvalidRequest, "a short password")
	wants(t, redeem(token, ""), sluice.CodeInvalidRequest, "no password")
	p.clock.add(61 * time.Minute)
	wants(t, redeem(token, password), sluice.CodeUnauthorized, "an expired token")
	token, err = p.NewSetupToken(ctx)
	must(t, err)
	var wg sync.WaitGroup
	var won atomic.Int32
	for range 4 {
		wg.Go(func() {
			if redeem(token, password) == nil {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Fatalf("the link worked %d times", won.Load())
	}
	wants(t, redeem(token, password), sluice.CodeConflict, "a used token")
	_, err = p.NewSetupToken(ctx)
	wants(t, err, sluice.CodeConflict, "a token beside an admin")
	tokens, err := p.SignIn(ctx, "root@example.com", password, here)
	must(t, err)
	caller, err := p.Authenticate(ctx, tokens.AccessToken)
	if err != nil || !caller.Platform {
		t.Errorf("the first admin is %+v, %v", caller, err)
	}
}

// Lost if it fails: production hashes passwords more cheaply than OWASP's floor.
func TestDefaultPasswordCost(t *testing.T) {
	p := fresh(t)
	cfg := p.config(masterKey)
	cfg.Passwords = control.PasswordCost{}
	c, err := control.New(cfg)
	must(t, err)
	_, err = c.As(control.System()).Users().Create(t.Context(), sluice.User{Meta: named("platform", "x"), Email: "x@example.com", Password: password}, sluice.WriteOptions{})
	must(t, err)
	if !strings.Contains(string(p.stored()), "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Error("the stored hash has other parameters")
	}
	_, err = c.SignIn(t.Context(), "x@example.com", password, here)
	must(t, err)
}
