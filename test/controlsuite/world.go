// Package controlsuite holds what the tests of the control plane's faces share:
// a whole control plane over a real database and a real listener, and one suite
// that runs on the sessions of internal/control and on the client alike.
package controlsuite

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/client"
	"github.com/sluicegate/sluice/internal/api"
	"github.com/sluicegate/sluice/internal/control"
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
	// Ledger is the one that Control writes to.
	Ledger *sluicetest.Ledger
	// LogLevel is the level that the API may change.
	LogLevel *slog.LevelVar
}

// Start runs a control plane without anybody in it until the test ends. change
// may adjust the API's configuration; nil leaves it.
func Start(t testing.TB, change func(*api.Config)) *World {
	t.Helper()
	return start(t, empty, change)
}

// StartPeopled runs a control plane with the tenants and people above.
func StartPeopled(t testing.TB, change func(*api.Config)) *World {
	t.Helper()
	return start(t, peopled, change)
}

// start runs a control plane with the world's people in it.
func start(t testing.TB, from template, change func(*api.Config)) *World {
	t.Helper()
	db, c, books := from.open(t)
	t.Cleanup(func() { must(t, db.Close()) })
	level := new(slog.LevelVar)
	cfg := api.Config{Control: c, Version: "test", LogLevel: level}
	if change != nil {
		change(&cfg)
	}
	handler, err := api.New(cfg)
	must(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return &World{URL: server.URL, Control: c, DB: db, Ledger: books, LogLevel: level}
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
