package controlsuite

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
	"github.com/sluicegate/sluice/internal/seal"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/internal/store"
)

// masterKey seals the databases of all worlds, which are copies of each other.
const masterKey = "8f1d7a0be3c95264d0aa17ce3b5e98f6417c02bd6fa9e85310d4b7263ac8f19e"

// template is what a world begins as. Migrating and populating a database takes
// longer than most tests, so a SQLite file is made once a process and copied.
type template struct {
	populate func(context.Context, *control.Control) error
	file     func() ([]byte, error)
}

var (
	empty   = newTemplate(func(context.Context, *control.Control) error { return nil })
	peopled = newTemplate(populate)
)

func newTemplate(populate func(context.Context, *control.Control) error) template {
	return template{populate, sync.OnceValues(func() ([]byte, error) { return makeFile(populate) })}
}

// open returns a control plane on a copy of the template or, in a pass on
// PostgreSQL, on a schema that is populated anew.
func (tpl template) open(t testing.TB) (*store.DB, *control.Control, *sluicetest.Ledger) {
	t.Helper()
	if dsn := sluicetest.StoreDSN(t); dsn != "" {
		db, c, books, err := openControl(store.Config{DSN: dsn})
		must(t, err)
		must(t, tpl.populate(context.Background(), c))
		return db, c, books
	}
	file, err := tpl.file()
	must(t, err)
	path := filepath.Join(t.TempDir(), "sluice.db")
	must(t, os.WriteFile(path, file, 0o600))
	db, c, books, err := openControl(store.Config{Path: path})
	must(t, err)
	return db, c, books
}

// makeFile returns the file of a fresh SQLite database, populated.
func makeFile(populate func(context.Context, *control.Control) error) (file []byte, err error) {
	dir, err := os.MkdirTemp("", "controlsuite")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "sluice.db")
	db, c, _, err := openControl(store.Config{Path: path})
	if err != nil {
		return nil, err
	}
	// The last connection to close moves the write-ahead log into the file.
	if err := errors.Join(populate(context.Background(), c), db.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// openControl opens a control plane on a database. Password hashes cost next to
// nothing.
func openControl(where store.Config) (*store.DB, *control.Control, *sluicetest.Ledger, error) {
	db, err := store.Open(context.Background(), where)
	if err != nil {
		return nil, nil, nil, err
	}
	books, err := sluicetest.OwnLedger(context.Background(), db, nil)
	var c *control.Control
	if err == nil {
		c, err = newControl(db, books)
	}
	if err == nil {
		err = c.Bootstrap(context.Background())
	}
	if err != nil {
		return nil, nil, nil, errors.Join(err, db.Close())
	}
	return db, c, books, nil
}

func newControl(db *store.DB, books control.Ledger) (*control.Control, error) {
	keyring, err := seal.Parse(masterKey)
	if err != nil {
		return nil, err
	}
	return control.New(control.Config{Store: db, Keyring: keyring, KeyEnv: "test", Ledger: books,
		TokenKey:  ed25519.NewKeyFromSeed(keyring.Derive("access tokens", ed25519.SeedSize)),
		Passwords: control.PasswordCost{MemoryKiB: 64, Passes: 1, Lanes: 1, Concurrency: 2}})
}

// populate creates the tenants and the people.
func populate(ctx context.Context, c *control.Control) error {
	system := c.As(control.System())
	for _, tenant := range []string{AcmeAdmin.Tenant, OtherAdmin.Tenant} {
		if _, err := system.Tenants().Create(ctx, sluice.Tenant{Meta: sluice.Meta{Name: tenant}}, sluice.WriteOptions{}); err != nil {
			return fmt.Errorf("create tenant %s: %w", tenant, err)
		}
	}
	for _, p := range People() {
		user := sluice.User{Meta: sluice.Meta{Name: p.Name, Tenant: p.Tenant}, Email: p.Email(), Roles: []string{p.Role}, Password: Password}
		if _, err := system.Users().Create(ctx, user, sluice.WriteOptions{}); err != nil {
			return fmt.Errorf("create user %s: %w", user.Name, err)
		}
	}
	return nil
}
