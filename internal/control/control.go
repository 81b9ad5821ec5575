// Package control holds the use cases of the control plane behind one gate:
// [Control.As] binds a caller, and every operation of the [Session] authorises,
// validates, writes, audits and publishes, in this order and in one
// transaction. None of the steps can be left out by a caller of this package.
//
// It knows no HTTP and no SQL: internal/api is its face, internal/store its
// memory.
package control

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"sync"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control/catalog"
	"github.com/sluicegate/sluice/internal/seal"
	"github.com/sluicegate/sluice/internal/store"
)

// Plugins is what control needs to know of plugins.
type Plugins interface {
	// ValidatePlugin checks one plugin's configuration. An unknown plugin or a
	// wrong configuration is [sluice.CodePluginConfig] with the field.
	ValidatePlugin(name string, config []byte) error
}

// Dialects is what control needs to know of dialects and surfaces.
type Dialects interface {
	// CheckProvider checks a provider against its dialect; an unknown type or
	// wrong settings are [sluice.CodeInvalidRequest] with the field.
	CheckProvider(p *sluice.Provider) error
	// KnownSurface reports whether a route may name the surface.
	KnownSurface(name string) bool
}

// Config configures a [Control].
type Config struct {
	// Store keeps everything; required.
	Store *store.DB
	// Keyring seals secrets; required. One that does not open the database's
	// check value makes New fail with [sluice.CodeMasterKey].
	Keyring *seal.Keyring
	// Plugins validates plugin configurations; nil accepts any.
	Plugins Plugins
	// Dialects validates providers and surfaces; nil accepts any.
	Dialects Dialects
	// Publish receives each new snapshot, in increasing revision, one call at a
	// time; nil drops them. A write returns after a snapshot that contains it
	// was handed over.
	Publish func(ctx context.Context, s *sluice.Snapshot)
	// Ledger keeps the balances; nil answers that this process does not own one.
	Ledger Ledger
	// TokenKey signs access tokens; required.
	TokenKey ed25519.PrivateKey
	// KeyEnv is the environment shown in minted keys ("slc_<env>_…"), 1 to 8
	// lower-case letters; empty means "live".
	KeyEnv string
	// Passwords sets the cost of password hashes; zero means the defaults.
	Passwords PasswordCost
	// Clock tells the time; nil means time.Now.
	Clock func() time.Time
	// Log receives what operators need to know; nil discards.
	Log *slog.Logger
}

// Control is the control plane's core. It is safe for concurrent use.
type Control struct {
	cfg       Config
	db        *store.DB
	passwords *passwords
	tokens    tokenSigner
	publisher publisher
	catalog   *catalog.Catalog
	// paying is held from what a payment is to be until it is booked.
	paying sync.Mutex
	// completing says when open payments are due.
	completing completing
}

// New checks cfg, verifies the master key against the database (writing the
// check value on first use) and returns a Control. It publishes nothing yet:
// call [Control.Bootstrap].
func New(cfg Config) (*Control, error) {
	if cfg.Store == nil || cfg.Keyring == nil || len(cfg.TokenKey) != ed25519.PrivateKeySize {
		return nil, sluice.Errorf(sluice.CodeConfig, "control needs a store, a keyring and an ed25519 token key")
	}
	if cfg.KeyEnv == "" {
		cfg.KeyEnv = "live"
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	models, err := catalog.Read()
	if err != nil {
		return nil, err
	}
	c := &Control{cfg: cfg, db: cfg.Store, catalog: models}
	c.passwords = newPasswords(cfg.Passwords)
	c.tokens = newTokenSigner(cfg.TokenKey)
	c.publisher = publisher{db: cfg.Store, deliver: cfg.Publish, log: cfg.Log}
	return c, c.checkMasterKey(context.Background())
}

// As returns a session that acts for the caller. It is the only way to the
// operations.
func (c *Control) As(caller Caller) *Session { return &Session{c: c, caller: caller} }

// System returns the caller that Sluice itself acts as: everything is allowed,
// and the audit log says "system".
func System() Caller {
	return Caller{Tenant: sluice.PlatformTenant, Permissions: []sluice.Permission{"*:*"}, Platform: true, System: true}
}

// Caller is who asks. Authentication fills it in ([Control.Authenticate],
// [Control.SessionCaller]); RequestID and IP are the HTTP face's.
type Caller struct {
	Tenant, User string
	UserID       uint64
	Permissions  []sluice.Permission
	// Platform callers hold the role platform-admin: they cross tenants.
	Platform bool
	// System is Sluice itself.
	System bool
	// RequestID and IP go into the audit log.
	RequestID, IP string
}

// Session is the operations that one caller may attempt. It is cheap, keeps no
// state of its own and is safe for concurrent use.
type Session struct {
	c      *Control
	caller Caller
}

// Caller returns who the session acts for.
func (s *Session) Caller() Caller { return s.caller }

// Tenants returns the tenants; only platform callers may write them.
func (s *Session) Tenants() Collection[sluice.Tenant] { return Collection[sluice.Tenant]{s} }

// Users returns the users.
func (s *Session) Users() Collection[sluice.User] { return Collection[sluice.User]{s} }

// Roles returns the roles, built-in ones included.
func (s *Session) Roles() Collection[sluice.Role] { return Collection[sluice.Role]{s} }

// Keys returns the keys.
func (s *Session) Keys() Collection[sluice.Key] { return Collection[sluice.Key]{s} }

// Groups returns the groups.
func (s *Session) Groups() Collection[sluice.Group] { return Collection[sluice.Group]{s} }

// Providers returns the providers.
func (s *Session) Providers() Collection[sluice.Provider] { return Collection[sluice.Provider]{s} }

// Models returns the models.
func (s *Session) Models() Collection[sluice.Model] { return Collection[sluice.Model]{s} }

// Routes returns the routes.
func (s *Session) Routes() Collection[sluice.Route] { return Collection[sluice.Route]{s} }

// Upstreams returns the upstreams.
func (s *Session) Upstreams() Collection[sluice.Upstream] { return Collection[sluice.Upstream]{s} }
