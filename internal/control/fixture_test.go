package control_test

import (
	"context"
	"crypto/ed25519"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
	"github.com/sluicegate/sluice/internal/seal"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/internal/store"
)

const (
	masterKey = "8f1d7a0be3c95264d0aa17ce3b5e98f6417c02bd6fa9e85310d4b7263ac8f19e"
	otherKey  = "1e0f9d4c7ab85233d6cc10fa2b4e97e6507d13ca6eb8f94201e5a6372bd9e08f"
	password  = "correct horse battery"
)

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// plane is a control plane on a real database, with what it published.
type plane struct {
	*control.Control
	t     *testing.T
	db    *store.DB
	books *sluicetest.Ledger
	at    store.Config
	clock *clock

	mu        sync.Mutex
	published []*sluice.Snapshot
}

// open starts a control plane on the database at a place.
func open(t *testing.T, at store.Config) *plane {
	t.Helper()
	p := &plane{t: t, at: at, clock: &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}}
	at.Clock = p.clock.Now
	var err error
	p.db, err = store.Open(t.Context(), at)
	must(t, err)
	t.Cleanup(func() { must(t, p.db.Close()) })
	p.books, err = sluicetest.OwnLedger(t.Context(), p.db, p.clock.Now)
	must(t, err)
	p.Control, err = control.New(p.config(masterKey))
	must(t, err)
	must(t, p.Bootstrap(t.Context()))
	return p
}

func (p *plane) config(master string) control.Config {
	k, err := seal.Parse(master)
	must(p.t, err)
	return control.Config{
		Store: p.db, Keyring: k, Clock: p.clock.Now, TokenKey: ed25519.NewKeyFromSeed(k.Derive("access tokens", ed25519.SeedSize)),
		Passwords: control.PasswordCost{MemoryKiB: 8, Passes: 1}, Plugins: plugins{}, Dialects: dialects{}, KeyEnv: "test", Ledger: p.books,
		Publish: func(_ context.Context, s *sluice.Snapshot) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.published = append(p.published, s)
		},
	}
}

// snapshot returns the last one published.
func (p *plane) snapshot() *sluice.Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.published[len(p.published)-1]
}

func fresh(t *testing.T) *plane {
	t.Helper()
	if dsn := sluicetest.StoreDSN(t); dsn != "" {
		return open(t, store.Config{DSN: dsn})
	}
	return open(t, store.Config{Path: filepath.Join(t.TempDir(), "sluice.db")})
}

// Lost if it fails: everything of this package, for those who run PostgreSQL.
func TestAgainOnPostgres(t *testing.T) { sluicetest.AgainOnPostgres(t) }

// stored returns all that the database keeps, as bytes.
func (p *plane) stored() []byte {
	p.t.Helper()
	if p.at.DSN != "" {
		return sluicetest.Dump(p.t, p.at.DSN)
	}
	return readAll(p.t, filepath.Dir(p.at.Path))
}

// plugins knows one plugin, key-auth, and dialects one type and one surface.
type plugins struct{}

func (plugins) ValidatePlugin(name string, config []byte) error {
	if name != "key-auth" && name != "cors" {
		return sluice.Errorf(sluice.CodePluginConfig, "plugin %q is unknown", name)
	}
	return nil
}

type dialects struct{}

func (dialects) CheckProvider(p *sluice.Provider) error {
	if p.Type != "openai" && p.Type != "demo" {
		return sluice.Errorf(sluice.CodeInvalidRequest, "type %q is unknown", p.Type).At("/type")
	}
	return nil
}
func (dialects) KnownSurface(name string) bool {
	return name == "openai" || name == "anthropic" || name == "gemini"
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wants fails unless err carries the code.
func wants(t *testing.T, err error, code sluice.Code, what string) {
	t.Helper()
	if sluice.CodeOf(err) != code {
		t.Errorf("%s: got %v, want %s", what, err, code)
	}
}

func (p *plane) system() *control.Session { return p.As(control.System()) }

// tenant creates a tenant.
func (p *plane) tenant(name string) {
	p.t.Helper()
	_, err := p.system().Tenants().Create(p.t.Context(), sluice.Tenant{Meta: sluice.Meta{Name: name}}, sluice.WriteOptions{})
	must(p.t, err)
}

// user creates a user with roles and returns it signed in.
func (p *plane) user(tenant, name string, roles ...string) control.Caller {
	p.t.Helper()
	email := name + "@" + tenant + ".example"
	_, err := p.system().Users().Create(p.t.Context(), sluice.User{
		Meta: sluice.Meta{Name: name, Tenant: tenant}, Email: email, Password: password, Roles: roles}, sluice.WriteOptions{})
	must(p.t, err)
	tokens, err := p.SignIn(p.t.Context(), email, password, control.Client{IP: "192.0.2.1"})
	must(p.t, err)
	caller, err := p.Authenticate(p.t.Context(), tokens.AccessToken)
	must(p.t, err)
	return caller
}

func named(tenant, name string) sluice.Meta { return sluice.Meta{Tenant: tenant, Name: name} }
