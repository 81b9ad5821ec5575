package store

import (
	"database/sql"
	"errors"
	"time"

	"github.com/sluicegate/sluice"
)

// Credential is what a sign-in is checked against.
type Credential struct {
	UserID uint64
	// PasswordHash is a PHC string, "" when the user has no password.
	PasswordHash string
}

// CredentialOf returns the credential of the user with the email, or
// [sluice.CodeNotFound].
func (tx *Tx) CredentialOf(email string) (Credential, error) {
	var id int64
	var c Credential
	err := tx.row(`SELECT id, password_hash FROM "users" WHERE email = $1`, []any{email}, &id, &c.PasswordHash)
	if errors.Is(err, sql.ErrNoRows) {
		return c, sluice.Errorf(sluice.CodeNotFound, "no such user")
	}
	c.UserID = uint64(id)
	return c, err
}

// SignedIn notes a successful sign-in of the user.
func (tx *Tx) SignedIn(userID uint64) error {
	_, err := tx.exec(`UPDATE "users" SET last_login_at = $1 WHERE id = $2`, micros(tx.now), int64(userID))
	return err
}

// EndSignIns revokes every token and session of the user.
func (tx *Tx) EndSignIns(userID uint64) error {
	_, err := tx.exec(`DELETE FROM sessions WHERE user_id = $1`, int64(userID))
	if err != nil {
		return err
	}
	_, err = tx.exec(`UPDATE refresh_tokens SET revoked_at = $1 WHERE user_id = $2 AND revoked_at = 0`, micros(tx.now), int64(userID))
	return err
}

// RefreshToken is one link of a family of rotating tokens; Hash is the SHA-256
// of the token.
type RefreshToken struct {
	Hash, Family         string
	UserID               uint64
	ExpiresAt            time.Time
	RotatedAt, RevokedAt time.Time
}

// AddRefreshToken stores a token and forgets expired ones.
func (tx *Tx) AddRefreshToken(t RefreshToken) error {
	if _, err := tx.exec(`DELETE FROM refresh_tokens WHERE expires_at <= $1`, micros(tx.now)); err != nil {
		return err
	}
	_, err := tx.exec(`INSERT INTO refresh_tokens (hash, family, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)`,
		t.Hash, t.Family, int64(t.UserID), micros(tx.now), micros(t.ExpiresAt))
	return err
}

// RefreshToken returns a token by hash, or [sluice.CodeNotFound].
func (tx *Tx) RefreshToken(hash string) (RefreshToken, error) {
	t := RefreshToken{Hash: hash}
	var user, expires, rotated, revoked int64
	err := tx.row(`SELECT family, user_id, expires_at, rotated_at, revoked_at FROM refresh_tokens WHERE hash = $1`,
		[]any{hash}, &t.Family, &user, &expires, &rotated, &revoked)
	if errors.Is(err, sql.ErrNoRows) {
		return t, sluice.Errorf(sluice.CodeNotFound, "no such token")
	}
	t.UserID, t.ExpiresAt = uint64(user), fromMicros(expires)
	t.RotatedAt, t.RevokedAt = fromMicros(rotated), fromMicros(revoked)
	return t, err
}

// RotateRefreshToken marks a token as exchanged.
func (tx *Tx) RotateRefreshToken(hash string) error {
	_, err := tx.exec(`UPDATE refresh_tokens SET rotated_at = $1 WHERE hash = $2`, micros(tx.now), hash)
	return err
}

// RevokeFamily revokes every token that descends from one sign-in.
func (tx *Tx) RevokeFamily(family string) error {
	_, err := tx.exec(`UPDATE refresh_tokens SET revoked_at = $1 WHERE family = $2 AND revoked_at = 0`, micros(tx.now), family)
	return err
}

// FamilyActive reports whether a family of tokens has been neither revoked nor
// outlived.
func (tx *Tx) FamilyActive(family string) (bool, error) {
	var n int
	err := tx.row(`SELECT COUNT(*) FROM refresh_tokens WHERE family = $1 AND revoked_at = 0 AND expires_at > $2`,
		[]any{family, micros(tx.now)}, &n)
	return n > 0, err
}

// ConsoleSession is a session of the console; Hash is the SHA-256 of its id.
type ConsoleSession struct {
	Hash, CSRF string
	UserID     uint64
	ExpiresAt  time.Time
}

// AddSession stores a session and forgets expired ones.
func (tx *Tx) AddSession(s ConsoleSession) error {
	if _, err := tx.exec(`DELETE FROM sessions WHERE expires_at <= $1`, micros(tx.now)); err != nil {
		return err
	}
	_, err := tx.exec(`INSERT INTO sessions (hash, user_id, csrf, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)`,
		s.Hash, int64(s.UserID), s.CSRF, micros(tx.now), micros(s.ExpiresAt))
	return err
}

// Session returns a session that has not expired, or [sluice.CodeNotFound].
func (tx *Tx) Session(hash string) (ConsoleSession, error) {
	s := ConsoleSession{Hash: hash}
	var user, expires int64
	err := tx.row(`SELECT user_id, csrf, expires_at FROM sessions WHERE hash = $1 AND expires_at > $2`,
		[]any{hash, micros(tx.now)}, &user, &s.CSRF, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return s, sluice.Errorf(sluice.CodeNotFound, "no such session")
	}
	s.UserID, s.ExpiresAt = uint64(user), fromMicros(expires)
	return s, err
}

// EndSession forgets a session; an unknown one is no error.
func (tx *Tx) EndSession(hash string) error {
	_, err := tx.exec(`DELETE FROM sessions WHERE hash = $1`, hash)
	return err
}

// ReplaceSetupToken makes hash the only set-up token.
func (tx *Tx) ReplaceSetupToken(hash string, expires time.Time) error {
	if err := tx.ClearSetupTokens(); err != nil {
		return err
	}
	_, err := tx.exec(`INSERT INTO setup_tokens (hash, expires_at) VALUES ($1, $2)`, hash, micros(expires))
	return err
}

// ClearSetupTokens makes every set-up token void.
func (tx *Tx) ClearSetupTokens() error {
	_, err := tx.exec(`DELETE FROM setup_tokens`)
	return err
}

// SetupTokenValid reports whether the set-up token exists and has not expired.
func (tx *Tx) SetupTokenValid(hash string) (bool, error) {
	var n int
	err := tx.row(`SELECT COUNT(*) FROM setup_tokens WHERE hash = $1 AND expires_at > $2`, []any{hash, micros(tx.now)}, &n)
	return n > 0, err
}

// Attempts is how often a subject failed to sign in.
type Attempts struct {
	Failures    int64
	LastAt      time.Time
	LockedUntil time.Time
}

// AttemptsOf returns the failures of a subject, none when it never failed.
func (tx *Tx) AttemptsOf(subject string) (Attempts, error) {
	var a Attempts
	var last, locked int64
	err := tx.row(`SELECT failures, last_at, locked_until FROM login_attempts WHERE subject = $1`, []any{subject}, &a.Failures, &last, &locked)
	if errors.Is(err, sql.ErrNoRows) {
		return a, nil
	}
	a.LastAt, a.LockedUntil = fromMicros(last), fromMicros(locked)
	return a, err
}

// SetAttempts stores a subject's failures and forgets those of subjects that
// were last seen before horizon, so that the table stays bounded by the rate of
// attempts.
func (tx *Tx) SetAttempts(subject string, a Attempts, horizon time.Time) error {
	if _, err := tx.exec(`DELETE FROM login_attempts WHERE last_at < $1`, micros(horizon)); err != nil {
		return err
	}
	_, err := tx.exec(`INSERT INTO login_attempts (subject, failures, last_at, locked_until) VALUES ($1, $2, $3, $4)
		ON CONFLICT (subject) DO UPDATE SET failures = excluded.failures, last_at = excluded.last_at, locked_until = excluded.locked_until`,
		subject, a.Failures, micros(a.LastAt), micros(a.LockedUntil))
	return err
}

// ClearAttempts forgets a subject's failures.
func (tx *Tx) ClearAttempts(subject string) error {
	_, err := tx.exec(`DELETE FROM login_attempts WHERE subject = $1`, subject)
	return err
}

// PlatformAdmins counts the active users of the platform tenant that hold the
// role platform-admin.
func (tx *Tx) PlatformAdmins() (int, error) {
	users, err := tx.List(sluice.KindUser, Selection{Tenant: sluice.PlatformTenant})
	n := 0
	for _, o := range users {
		if isPlatformAdmin(o.(*sluice.User)) {
			n++
		}
	}
	return n, err
}

func isPlatformAdmin(u *sluice.User) bool {
	for _, r := range u.Roles {
		if r == sluice.RolePlatformAdmin && u.Status == sluice.StatusActive {
			return true
		}
	}
	return false
}
