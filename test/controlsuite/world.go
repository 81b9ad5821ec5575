// Package controlsuite holds what the tests of the control plane's faces share:
// a whole control plane over a real database and a real listener, and one suite
// that runs on the sessions of internal/control and on the client alike.
package controlsuite

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/client"
	"github.com/sluicegate/sluice/internal/api"
	"github.com/sluicegate/sluice/internal/control"
	"github.com/sluicegate/sluice/internal/seal"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/internal/store"
)

// Password is the password of every person of a [World].
const Password = "correct horse battery"

// Person is somebody who can sign in.
type Person struct{ Tenant, Name, Role string }

// The people of a [World].
var (
	Root       = Person{sluice.PlatformTenant, "root", sluice.RolePlatformAdmin}
	AcmeAdmin  = Person{"acme", "boss", sluice.RoleTenantAdmin}
	AcmeDev    = Person{"acme", "dev", sluice.RoleDeveloper}
	AcmeReader = Person{"acme", "reader", sluice.RoleReadOnly}
	OtherAdmin = Person{"other", "boss", sluice.RoleTenantAdmin}
)

// People returns everybody, platform admin first.
func People() []Person { return []Person{Root, AcmeAdmin, AcmeDev, AcmeReader, OtherAdmin} }

// Email is the person's sign-in name.
func (p Person) Email() string { return p.Name + "@" + p.Tenant + ".example" }

// World is a running control plane with two tenants besides the platform's.
type World struct {
	// URL is the root of the listener.
	URL     string
	Control *control.Control
	DB      *store.DB
	// LogLevel is the level that the API may change.
	LogLevel *slog.LevelVar
}

// Start runs a control plane without anybody in it until the test ends. change
// may adjust the API's configuration; nil leaves it.
func Start(t testing.TB, change func(*api.Config)) *World {
	t.Helper()
	dir := t.TempDir()
	db, err := store.Open(context.Background(), place(t, dir))
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	keyring, err := seal.LoadOrCreate(filepath.Join(dir, "master.key"))
	must(t, err)
	_, signing, err := ed25519.GenerateKey(nil)
	must(t, err)
	c, err := control.New(control.Config{Store: db, Keyring: keyring, TokenKey: signing, KeyEnv: "test",
		Passwords: control.PasswordCost{MemoryKiB: 64, Passes: 1, Lanes: 1, Concurrency: 2}})
	must(t, err)
	must(t, c.Bootstrap(context.Background()))
	level := new(slog.LevelVar)
	cfg := api.Config{Control: c, Version: "test", LogLevel: level}
	if change != nil {
		change(&cfg)
	}
	handler, err := api.New(cfg)
	must(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return &World{URL: server.URL, Control: c, DB: db, LogLevel: level}
}

// place is a file in dir or, in a pass on PostgreSQL, a schema.
func place(t testing.TB, dir string) store.Config {
	t.Helper()
	if dsn := sluicetest.StoreDSN(t); dsn != "" {
		return store.Config{DSN: dsn}
	}
	return store.Config{Path: filepath.Join(dir, "sluice.db")}
}

// StartPeopled runs a control plane with the tenants and people above.
func StartPeopled(t testing.TB, change func(*api.Config)) *World {
	t.Helper()
	w := Start(t, change)
	ctx := context.Background()
	system := w.Control.As(control.System())
	for _, tenant := range []string{AcmeAdmin.Tenant, OtherAdmin.Tenant} {
		_, err := system.Tenants().Create(ctx, sluice.Tenant{Meta: sluice.Meta{Name: tenant}}, sluice.WriteOptions{})
		must(t, err)
	}
	for _, p := range People() {
		user := sluice.User{Meta: sluice.Meta{Name: p.Name, Tenant: p.Tenant}, Email: p.Email(), Roles: []string{p.Role}, Password: Password}
		_, err := system.Users().Create(ctx, user, sluice.WriteOptions{})
		must(t, err)
	}
	return w
}

// Token signs a person in and returns the access token.
func (w *World) Token(t testing.TB, p Person) string {
	t.Helper()
	tokens, err := w.Control.SignIn(context.Background(), p.Email(), Password, control.Client{IP: "127.0.0.1"})
	must(t, err)
	return tokens.AccessToken
}

// Session returns a person's session with control itself.
func (w *World) Session(t testing.TB, p Person) *control.Session {
	t.Helper()
	caller, err := w.Control.Authenticate(context.Background(), w.Token(t, p))
	must(t, err)
	return w.Control.As(caller)
}

// Client returns a client that signs in as the person.
func (w *World) Client(t testing.TB, p Person) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{BaseURL: w.URL, Email: p.Email(), Password: Password})
	must(t, err)
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
