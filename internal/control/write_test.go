package control_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
	"github.com/sluicegate/sluice/internal/seal"
)

// Lost if it fails: one of two simultaneous changes, silently.
func TestOfTwoWritersOneWins(t *testing.T) {
	p := fresh(t)
	s, ctx := p.system(), t.Context()
	for round := range 20 {
		m, err := s.Models().Create(ctx, sluice.Model{}, sluice.WriteOptions{})
		must(t, err)
		var wg sync.WaitGroup
		errs := make([]error, 2)
		for i := range errs {
			wg.Go(func() {
				patch := json.RawMessage(`{"context_window":` + string(rune('1'+i)) + `}`)
				_, errs[i] = s.Models().Patch(ctx, "", m.Name, patch, sluice.WriteOptions{IfMatch: 1})
			})
		}
		wg.Wait()
		lost := 0
		for _, err := range errs {
			if sluice.CodeOf(err) == sluice.CodePrecondition {
				lost++
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if lost != 1 {
			t.Fatalf("round %d: %d of two writers lost", round, lost)
		}
	}
}

// Lost if it fails: unconditional patches of different fields overwrite each other.
func TestConcurrentPatchesAllHappen(t *testing.T) {
	p := fresh(t)
	s, ctx := p.system(), t.Context()
	_, err := s.Models().Create(ctx, sluice.Model{Meta: named("", "m")}, sluice.WriteOptions{})
	must(t, err)
	var wg sync.WaitGroup
	for _, patch := range []string{`{"context_window":1}`, `{"max_output_tokens":2}`, `{"description":"three"}`, `{"supports_vision":true}`} {
		wg.Go(func() {
			if _, err := s.Models().Patch(ctx, "", "m", json.RawMessage(patch), sluice.WriteOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	m, err := s.Models().Get(ctx, "", "m")
	must(t, err)
	if m.ContextWindow != 1 || m.MaxOutputTokens != 2 || m.Description != "three" || m.SupportsVision == nil || m.Version != 5 {
		t.Errorf("a patch was lost: %+v", m)
	}
}

// Lost if it fails: a gateway that misses a change which was acknowledged.
func TestWriteReturnsAfterItsPublication(t *testing.T) {
	p := fresh(t)
	s, ctx := p.system(), t.Context()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				m, err := s.Models().Create(ctx, sluice.Model{}, sluice.WriteOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				found := false
				for _, published := range p.snapshot().Models {
					found = found || published.Name == m.Name
				}
				if !found {
					t.Errorf("%s was acknowledged before it was published", m.Name)
				}
			}
		})
	}
	wg.Wait()
	for i := 1; i < len(p.published); i++ {
		if p.published[i].Revision < p.published[i-1].Revision {
			t.Fatal("revisions go back")
		}
	}
}

// Lost if it fails: a retried create makes two keys, or shows a token twice.
func TestIdempotencyKey(t *testing.T) {
	p := fresh(t)
	p.tenant("acme")
	ctx := t.Context()
	s := p.As(p.user("acme", "ann", sluice.RoleTenantAdmin))
	other := p.As(p.user("acme", "bob", sluice.RoleTenantAdmin))
	opts := sluice.WriteOptions{IdempotencyKey: "k-1"}
	first, err := s.Keys().Create(ctx, sluice.Key{}, opts)
	must(t, err)
	again, err := s.Keys().Create(ctx, sluice.Key{}, opts)
	must(t, err)
	if first.Token == "" || again.Token != "" || again.ID != first.ID || again.Version != 1 {
		t.Errorf("replay answered %+v", again)
	}
	_, err = s.Keys().Create(ctx, sluice.Key{Weight: 2}, opts)
	wants(t, err, sluice.CodeIdempotency, "another body")
	_, err = s.Models().Create(ctx, sluice.Model{}, opts)
	wants(t, err, sluice.CodeIdempotency, "another kind")
	_, err = s.RotateKey(ctx, "", first.Name, 0, opts)
	wants(t, err, sluice.CodeIdempotency, "another operation")
	theirs, err := other.Keys().Create(ctx, sluice.Key{}, opts)
	must(t, err)
	if theirs.ID == first.ID {
		t.Error("two callers share an Idempotency-Key")
	}
	rotate := sluice.WriteOptions{IdempotencyKey: "r-1"}
	r1, err := s.RotateKey(ctx, "", first.Name, time.Hour, rotate)
	must(t, err)
	r2, err := s.RotateKey(ctx, "", first.Name, time.Hour, rotate)
	must(t, err)
	if r1.Token == "" || r2.Token != "" || r2.TokenHash != r1.TokenHash || r2.Version != r1.Version {
		t.Error("a repeated rotation rotated again")
	}
	p.clock.add(25 * time.Hour)
	late, err := s.Keys().Create(ctx, sluice.Key{}, opts)
	must(t, err)
	if late.ID == first.ID {
		t.Error("an Idempotency-Key lives longer than a day")
	}
	_, err = s.Keys().Create(ctx, sluice.Key{}, sluice.WriteOptions{IdempotencyKey: strings.Repeat("x", 256)})
	wants(t, err, sluice.CodeInvalidRequest, "an endless Idempotency-Key")
}

// Lost if it fails: clients are cut off by a rotation, or the old token lives on.
func TestRotationKeepsTheOldTokenForItsGrace(t *testing.T) {
	p := fresh(t)
	p.tenant("acme")
	ctx := t.Context()
	s := p.As(p.user("acme", "ann", sluice.RoleDeveloper))
	k, err := s.Keys().Create(ctx, sluice.Key{Meta: named("", "k")}, sluice.WriteOptions{})
	must(t, err)
	r, err := s.RotateKey(ctx, "", "k", time.Hour, sluice.WriteOptions{IfMatch: 1})
	must(t, err)
	if r.Token == k.Token || r.RetiringHash != sluice.HashToken(k.Token) || !r.RetiringUntil.Equal(p.clock.Now().Add(time.Hour)) ||
		r.TokenHash != sluice.HashToken(r.Token) || !strings.HasPrefix(r.Token, r.Prefix+"_") || r.Version != 2 {
		t.Errorf("rotation made %+v", r)
	}
	published := p.snapshot().Keys[0]
	if published.TokenHash != r.TokenHash || published.RetiringHash != r.RetiringHash || published.Token != "" {
		t.Errorf("published %+v", published)
	}
	r, err = s.RotateKey(ctx, "", "k", 0, sluice.WriteOptions{})
	must(t, err)
	if r.RetiringHash != "" || !r.RetiringUntil.IsZero() {
		t.Error("a rotation without grace left an old token")
	}
	_, err = s.RotateKey(ctx, "", "k", 31*24*time.Hour, sluice.WriteOptions{})
	wants(t, err, sluice.CodeInvalidRequest, "an endless grace")
	_, err = s.RotateKey(ctx, "", "k", 0, sluice.WriteOptions{IfMatch: 1})
	wants(t, err, sluice.CodePrecondition, "rotation of an old version")
}

// Lost if it fails: secrets in a stolen database, in answers or in the audit log.
func TestSecretsAreSealedAndWriteOnly(t *testing.T) {
	p := fresh(t)
	ctx, s := t.Context(), p.system()
	const secret, second = "sk-canary-0123456789", "sk-canary-9876543210"
	made, err := s.Providers().Create(ctx, sluice.Provider{Meta: named("", "oa"), Type: "openai", APIKey: secret}, sluice.WriteOptions{})
	must(t, err)
	root := p.user(sluice.PlatformTenant, "root", sluice.RolePlatformAdmin)
	k, err := p.As(root).Keys().Create(ctx, sluice.Key{Meta: named("", "k"),
		Plugins: map[string]json.RawMessage{"cors": json.RawMessage(`{"client_secret":"` + secret + `"}`)}}, sluice.WriteOptions{})
	must(t, err)
	if made.APIKey != "" || !made.HasAPIKey {
		t.Errorf("create answered %+v", made)
	}
	open := func() string {
		sealed := p.snapshot().Providers[0].APIKey
		ring, _ := seal.Parse(masterKey)
		plain, err := ring.Open(seal.ProviderKey("platform", "oa"), sealed)
		if err != nil && sealed != "" {
			t.Fatal(err)
		}
		return plain
	}
	// A patch and a put without the key keep it, the same key again is no change.
	got, err := s.Providers().Patch(ctx, "", "oa", json.RawMessage(`{"weight":3}`), sluice.WriteOptions{})
	must(t, err)
	if got.APIKey != "" || !got.HasAPIKey || open() != secret {
		t.Error("a patch lost the api_key")
	}
	again, _, err := s.Providers().Put(ctx, "", "oa", sluice.Provider{Type: "openai", Weight: 3, APIKey: secret}, sluice.WriteOptions{})
	must(t, err)
	if again.Version != 2 {
		t.Errorf("the same document made version %d", again.Version)
	}
	_, err = s.Providers().Patch(ctx, "", "oa", json.RawMessage(`{"api_key":"`+second+`"}`), sluice.WriteOptions{})
	must(t, err)
	if open() != second {
		t.Error("the api_key was not replaced")
	}
	_, err = s.Providers().Patch(ctx, "", "oa", json.RawMessage(`{"api_key":"`+p.snapshot().Providers[0].APIKey+`"}`), sluice.WriteOptions{})
	wants(t, err, "", "the very text that is stored is no change")
	_, err = s.Providers().Create(ctx, sluice.Provider{Meta: named("", "copy"), Type: "openai", APIKey: p.snapshot().Providers[0].APIKey}, sluice.WriteOptions{})
	wants(t, err, sluice.CodeInvalidRequest, "a sealed text as api_key")
	page, err := s.Audit(ctx, sluice.AuditQuery{Tenant: "*", Limit: 500})
	must(t, err)
	log, _ := json.Marshal(page)
	snapshot, _ := p.snapshot().Encode()
	files := p.stored()
	for where, text := range map[string][]byte{"audit": log, "database files": files, "snapshot": snapshot} {
		for what, canary := range map[string]string{"token": k.Token, "password": password, "api_key": second} {
			if bytes.Contains(text, []byte(canary)) {
				t.Errorf("the %s is in the %s", what, where)
			}
		}
	}
	if bytes.Contains(log, []byte(secret)) || !bytes.Contains(log, []byte(`"***"`)) {
		t.Error("the audit log does not mask a plugin's secret")
	}
	got, err = s.Providers().Patch(ctx, "", "oa", json.RawMessage(`{"api_key":null}`), sluice.WriteOptions{})
	must(t, err)
	if got.HasAPIKey || p.snapshot().Providers[0].APIKey != "" {
		t.Error("api_key null did not clear it")
	}
}

// Lost if it fails: a credential is sent to whoever may change its address.
func TestKeptCredentialStaysWithItsServer(t *testing.T) {
	p := fresh(t)
	ctx, s := t.Context(), p.system()
	_, err := s.Providers().Create(ctx, sluice.Provider{Meta: named("", "oa"), Type: "openai", BaseURL: "https://api.openai.com/v1", APIKey: "sk-1"}, sluice.WriteOptions{})
	must(t, err)
	for patch, want := range map[string]sluice.Code{
		`{"base_url":"https://evil.example/v1"}`:                   sluice.CodeInvalidRequest,
		`{"base_url":"http://api.openai.com/v1"}`:                  sluice.CodeInvalidRequest,
		`{"base_url":"https://api.openai.com:8443/v1"}`:            sluice.CodeInvalidRequest,
		`{"base_url":null}`:                                        sluice.CodeInvalidRequest,
		`{"base_url":"https://API.openai.com/v2"}`:                 "",
		`{"base_url":"https://other.example/v1","api_key":"sk-1"}`: "",
		`{"base_url":"https://other.example/v1","api_key":null}`:   "",
	} {
		_, err := s.Providers().Patch(ctx, "", "oa", json.RawMessage(patch), sluice.WriteOptions{DryRun: true})
		wants(t, err, want, patch)
	}
}

// readAll returns the bytes of every file in a folder.
func readAll(t *testing.T, dir string) []byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var all []byte
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		must(t, err)
		all = append(all, b...)
	}
	if len(all) < 4096 {
		t.Fatal("no database was written")
	}
	return all
}

// Lost if it fails: a start with another key seals what nobody can open.
func TestWrongMasterKeyStopsTheStart(t *testing.T) {
	p := fresh(t)
	_, err := control.New(p.config(otherKey))
	wants(t, err, sluice.CodeMasterKey, "another master key")
	_, err = control.New(p.config(masterKey))
	must(t, err)
}

// Lost if it fails: dangling references, or deletes that nobody can explain.
func TestDeleteNamesReferrers(t *testing.T) {
	p := fresh(t)
	p.tenant("acme")
	ctx := t.Context()
	s := p.As(p.user("acme", "ann", sluice.RoleTenantAdmin))
	_, err := s.Groups().Create(ctx, sluice.Group{Meta: named("", "vip")}, sluice.WriteOptions{})
	must(t, err)
	_, err = s.Keys().Create(ctx, sluice.Key{Meta: named("", "k"), Group: "vip"}, sluice.WriteOptions{})
	must(t, err)
	err = s.Groups().Delete(ctx, "", "vip", sluice.WriteOptions{})
	wants(t, err, sluice.CodeReferenced, "delete of a group in use")
	details, _ := json.Marshal(sluice.AsError(err).Details)
	if want := `{"referrers":[{"kind":"keys","tenant":"acme","name":"k","field":"/group"}],"total":1}`; string(details) != want {
		t.Errorf("details %s, want %s", details, want)
	}
	wants(t, p.system().Users().Delete(ctx, "acme", "ann", sluice.WriteOptions{}), sluice.CodeReferenced, "delete of a key's owner")
	wants(t, p.system().Tenants().Delete(ctx, "", "acme", sluice.WriteOptions{}), sluice.CodeReferenced, "delete of a tenant with users")
	_, err = s.Keys().Patch(ctx, "", "k", json.RawMessage(`{"group":null}`), sluice.WriteOptions{})
	must(t, err)
	must(t, s.Groups().Delete(ctx, "", "vip", sluice.WriteOptions{}))
	_, err = s.Keys().Patch(ctx, "", "k", json.RawMessage(`{"group":"vip"}`), sluice.WriteOptions{})
	wants(t, err, sluice.CodeInvalidRequest, "a group that is gone")
	must(t, s.Keys().Delete(ctx, "", "k", sluice.WriteOptions{}))
	must(t, p.system().Users().Delete(ctx, "acme", "ann", sluice.WriteOptions{}))
	must(t, p.system().Tenants().Delete(ctx, "", "acme", sluice.WriteOptions{}))
}

// Lost if it fails: server-side requests to where a tenant must not reach.
func TestAddressesOfTenantsArePublic(t *testing.T) {
	p := fresh(t)
	p.tenant("acme")
	ctx := t.Context()
	for _, c := range []struct {
		host             string
		platform, tenant bool
	}{
		{"api.openai.com", true, true}, {"8.8.8.8", true, true}, {"2606:4700::1111", true, true},
		{"127.0.0.1", true, false}, {"10.1.2.3", true, false}, {"192.168.1.1", true, false}, {"::1", true, false}, {"localhost", true, false},
		{"LOCALHOST", true, false}, {"a.localhost", true, false}, {"db.internal", true, false}, {"100.64.0.1", true, false}, {"fd00::1", true, false},
		{"169.254.169.254", false, false}, {"fd00:ec2::254", false, false}, {"metadata.google.internal", false, false},
		{"::ffff:169.254.169.254", false, false}, {"64:ff9b::a9fe:a9fe", false, false}, {"0.0.0.0", false, false},
		{"2130706433", false, false}, {"0x7f.1", false, false}, {"0177.0.0.1", false, false},
	} {
		for tenant, allowed := range map[string]bool{"platform": c.platform, "acme": c.tenant} {
			u := sluice.Upstream{Meta: sluice.Meta{Tenant: tenant}, Nodes: []sluice.Node{{Host: c.host, Port: 443}}}
			_, err := p.system().Upstreams().Create(ctx, u, sluice.WriteOptions{DryRun: true})
			if (err == nil) != allowed {
				t.Errorf("%s for %s: %v", c.host, tenant, err)
			}
		}
	}
	for url, allowed := range map[string]bool{"http://169.254.169.254/latest": false, "http://[::1]:8080": true, "https://api.openai.com/v1": true} {
		_, err := p.system().Providers().Create(ctx, sluice.Provider{Type: "openai", BaseURL: url}, sluice.WriteOptions{DryRun: true})
		if (err == nil) != allowed {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// Lost if it fails: plugins, dialects and surfaces that no gateway can run.
func TestConfigurationIsCheckedBeforeItIsStored(t *testing.T) {
	p := fresh(t)
	ctx, s := t.Context(), p.system()
	bad := map[string]json.RawMessage{"no-such": json.RawMessage(`{}`)}
	_, err := s.Groups().Create(ctx, sluice.Group{Plugins: bad}, sluice.WriteOptions{})
	wants(t, err, sluice.CodePluginConfig, "unknown plugin")
	if f := sluice.AsError(err).Field; f != "/plugins/no-such" {
		t.Errorf("blamed %q", f)
	}
	_, err = s.Providers().Create(ctx, sluice.Provider{Type: "abacus"}, sluice.WriteOptions{})
	wants(t, err, sluice.CodeInvalidRequest, "unknown dialect")
	_, err = s.Routes().Create(ctx, sluice.Route{Paths: []string{"/x"}, Surface: "abacus"}, sluice.WriteOptions{})
	wants(t, err, sluice.CodeInvalidRequest, "unknown surface")
	_, err = s.Models().List(ctx, sluice.ListQuery{Filter: map[string]string{"doc": "x"}})
	wants(t, err, sluice.CodeInvalidRequest, "unknown filter")
	_, err = s.Models().List(ctx, sluice.ListQuery{Cursor: "§"})
	wants(t, err, sluice.CodeInvalidRequest, "foreign cursor")
}

// Lost if it fails: lists that skip or repeat objects, or match wildcards.
func TestPaging(t *testing.T) {
	p := fresh(t)
	ctx, s := t.Context(), p.system()
	for _, n := range []string{"a-1", "a-2", "a_3", "b.4", "b.5"} {
		_, err := s.Models().Create(ctx, sluice.Model{Meta: named("", n)}, sluice.WriteOptions{})
		must(t, err)
	}
	var names []string
	q := sluice.ListQuery{Limit: 2}
	for range 4 {
		page, err := s.Models().List(ctx, q)
		must(t, err)
		for _, m := range page.Items {
			names = append(names, m.Name)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if got := strings.Join(names, " "); got != "a-1 a-2 a_3 b.4 b.5" {
		t.Errorf("pages gave %s", got)
	}
	for search, want := range map[string]int{"%": 0, "_": 1, "a_": 1, "A-": 2, "!": 0, "": 5} {
		page, err := s.Models().List(ctx, sluice.ListQuery{Search: search})
		must(t, err)
		if len(page.Items) != want {
			t.Errorf("search %q found %d, want %d", search, len(page.Items), want)
		}
	}
}
