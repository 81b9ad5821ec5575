package control

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"io"
	"time"

	"github.com/sluicegate/sluice"
)

var errSkeleton = sluice.Errorf(sluice.CodeUnsupported, "not built")

// PasswordCost is the cost of argon2id; zero fields mean 19 MiB, 2 passes, 1
// lane, and 2 hashes at a time.
type PasswordCost struct {
	MemoryKiB   uint32
	Passes      uint32
	Lanes       uint8
	Concurrency int
}

type (
	passwords   struct{}
	tokenSigner struct{}
	publisher   struct{ control *Control }
)

func newPasswords(PasswordCost, io.Reader) *passwords       { return nil }
func newTokenSigner(ed25519.PrivateKey) tokenSigner         { return tokenSigner{} }
func (c *Control) checkMasterKey(ctx context.Context) error { return nil }

func (s *Session) create(ctx context.Context, o sluice.Object, opts sluice.WriteOptions) (sluice.Object, error) {
	return nil, errSkeleton
}
func (s *Session) get(ctx context.Context, k sluice.Kind, tenant, ref string) (sluice.Object, error) {
	return nil, errSkeleton
}
func (s *Session) list(ctx context.Context, k sluice.Kind, q sluice.ListQuery) ([]sluice.Object, string, error) {
	return nil, "", errSkeleton
}
func (s *Session) put(ctx context.Context, tenant, name string, o sluice.Object, opts sluice.WriteOptions) (sluice.Object, bool, error) {
	return nil, false, errSkeleton
}
func (s *Session) patch(ctx context.Context, k sluice.Kind, tenant, ref string, patch json.RawMessage, opts sluice.WriteOptions) (sluice.Object, error) {
	return nil, errSkeleton
}
func (s *Session) remove(ctx context.Context, k sluice.Kind, tenant, ref string, opts sluice.WriteOptions) error {
	return errSkeleton
}

// Client is where a sign-in comes from.
type Client struct {
	IP, UserAgent, RequestID string
}

// ConsoleSession is a session of the console: ID goes into an HttpOnly cookie,
// CSRF into a header of every write.
type ConsoleSession struct {
	ID, CSRF  string
	ExpiresAt time.Time
}

// Bootstrap makes sure that what every installation needs exists - the tenant
// platform, the built-in roles, the group default shared with all, the LLM
// route openai - and publishes the first snapshot. It is idempotent and changes
// nothing that an operator has changed.
func (c *Control) Bootstrap(ctx context.Context) error { return errSkeleton }

// Publish rebuilds the snapshot from the store and hands it to Config.Publish.
func (c *Control) Publish(ctx context.Context) (revision uint64, err error) { return 0, errSkeleton }

// Snapshot reads the current snapshot from the store.
func (c *Control) Snapshot(ctx context.Context) (*sluice.Snapshot, error) { return nil, errSkeleton }

// SignIn checks email and password and opens a family of tokens. Wrong
// credentials and disabled users are [sluice.CodeUnauthorized], too many
// attempts [sluice.CodeLockedOut] with RetryAfter.
func (c *Control) SignIn(ctx context.Context, email, password string, from Client) (sluice.Tokens, error) {
	return sluice.Tokens{}, errSkeleton
}

// Refresh exchanges a refresh token for a new pair. A token that was exchanged
// before revokes its whole family: [sluice.CodeUnauthorized].
func (c *Control) Refresh(ctx context.Context, refreshToken string, from Client) (sluice.Tokens, error) {
	return sluice.Tokens{}, errSkeleton
}

// SignOut revokes the family of the refresh token. An unknown token is no error.
func (c *Control) SignOut(ctx context.Context, refreshToken string) error { return errSkeleton }

// Authenticate returns the caller that an access token names, with the
// permissions of this moment; a disabled user or tenant is refused at once.
// Every failure is [sluice.CodeUnauthorized].
func (c *Control) Authenticate(ctx context.Context, accessToken string) (Caller, error) {
	return Caller{}, errSkeleton
}

// StartSession signs in to the console; errors as for [Control.SignIn].
func (c *Control) StartSession(ctx context.Context, email, password string, from Client) (ConsoleSession, error) {
	return ConsoleSession{}, errSkeleton
}

// SessionCaller returns the caller of a console session and the token that its
// writes must carry. Errors as for [Control.Authenticate].
func (c *Control) SessionCaller(ctx context.Context, id string) (caller Caller, csrf string, err error) {
	return Caller{}, "", errSkeleton
}

// EndSession ends a console session. An unknown id is no error.
func (c *Control) EndSession(ctx context.Context, id string) error { return errSkeleton }

// NeedsSetup reports whether no platform admin exists yet.
func (c *Control) NeedsSetup(ctx context.Context) (bool, error) { return false, errSkeleton }

// NewSetupToken mints the token of the one-time set-up link, valid for an hour,
// and invalidates earlier ones. [sluice.CodeConflict] once a platform admin
// exists.
func (c *Control) NewSetupToken(ctx context.Context) (string, error) { return "", errSkeleton }

// RedeemSetup creates the first platform admin. It works once:
// [sluice.CodeUnauthorized] for a wrong, used or expired token,
// [sluice.CodeConflict] once a platform admin exists.
func (c *Control) RedeemSetup(ctx context.Context, token, email, password string, from Client) (sluice.User, error) {
	return sluice.User{}, errSkeleton
}

// RotateKey gives the key a new token and returns it, once; the old token stays
// valid for grace (0 to 30 days).
func (s *Session) RotateKey(ctx context.Context, tenant, ref string, grace time.Duration, opts sluice.WriteOptions) (sluice.Key, error) {
	return sluice.Key{}, errSkeleton
}

// Records returns finished requests, newest first.
func (s *Session) Records(ctx context.Context, q sluice.RecordQuery) (sluice.Page[sluice.Record], error) {
	return sluice.Page[sluice.Record]{}, errSkeleton
}

// Usage aggregates finished requests.
func (s *Session) Usage(ctx context.Context, q sluice.UsageQuery) ([]sluice.UsageRow, error) {
	return nil, errSkeleton
}

// Audit returns audit entries, newest first.
func (s *Session) Audit(ctx context.Context, q sluice.AuditQuery) (sluice.Page[sluice.AuditEntry], error) {
	return sluice.Page[sluice.AuditEntry]{}, errSkeleton
}

// VerifyAudit walks the whole audit chain and returns how many entries it
// holds; a break is [sluice.CodeDatabase] naming the entry. Platform callers
// only.
func (s *Session) VerifyAudit(ctx context.Context) (entries uint64, err error) {
	return 0, errSkeleton
}

// Sync publishes the snapshot anew (POST /sync/snapshot). Platform callers only.
func (s *Session) Sync(ctx context.Context) (revision uint64, err error) { return 0, errSkeleton }
