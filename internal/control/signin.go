package control

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

const (
	refreshLife = 30 * 24 * time.Hour
	maxToken    = 256
)

// Client is where a sign-in comes from.
type Client struct {
	IP, UserAgent, RequestID string
}

func badCredentials() *sluice.Error {
	return sluice.Errorf(sluice.CodeUnauthorized, "email or password is wrong, or the account is disabled")
}

// SignIn checks email and password and opens a family of tokens. Wrong
// credentials and disabled users are [sluice.CodeUnauthorized], too many
// attempts [sluice.CodeLockedOut] with RetryAfter.
func (c *Control) SignIn(ctx context.Context, email, password string, from Client) (sluice.Tokens, error) {
	var tokens sluice.Tokens
	err := c.signIn(ctx, email, password, from, func(tx *store.Tx, u *sluice.User) (err error) {
		tokens, err = c.issue(tx, u.ID, randomToken())
		return err
	})
	return tokens, err
}

// signIn checks a credential and, when it holds, lets open make what the caller
// signs in to. It takes as long for unknown users as for known ones.
func (c *Control) signIn(ctx context.Context, email, password string, from Client, open func(*store.Tx, *sluice.User) error) error {
	email = strings.ToLower(strings.TrimSpace(email))
	if len(email) > 254 || len(password) > maxLength {
		return badCredentials()
	}
	subject := c.subject(email, from.IP)
	if err := c.countAttempt(ctx, subject); err != nil {
		return err
	}
	var cred store.Credential
	err := c.db.Read(ctx, func(tx *store.Tx) (err error) {
		cred, err = tx.CredentialOf(email)
		return err
	})
	if err != nil && sluice.CodeOf(err) != sluice.CodeNotFound {
		return err
	}
	ok, err := c.passwords.verify(ctx, cred.PasswordHash, password)
	if err != nil {
		return err
	}
	if !ok {
		c.cfg.Log.WarnContext(ctx, "sign-in refused", "ip", from.IP, "request_id", from.RequestID)
		return badCredentials()
	}
	return c.db.Write(ctx, func(tx *store.Tx) error {
		u, err := activeUser(tx, cred.UserID)
		if err != nil {
			return err
		}
		again, err := tx.CredentialOf(u.Email)
		if err != nil {
			return err
		}
		if again.PasswordHash != cred.PasswordHash { // it changed meanwhile
			return badCredentials()
		}
		if err := tx.ClearAttempts(subject); err != nil {
			return err
		}
		if err := tx.SignedIn(u.ID); err != nil {
			return err
		}
		if err := open(tx, u); err != nil {
			return err
		}
		return note(tx, "sign_in", u, from)
	})
}

// activeUser returns a user that is active in an active tenant; anything else
// is [sluice.CodeUnauthorized].
func activeUser(tx *store.Tx, id uint64) (*sluice.User, error) {
	o, err := tx.ByID(sluice.KindUser, id)
	if sluice.CodeOf(err) == sluice.CodeNotFound {
		return nil, badCredentials()
	}
	if err != nil {
		return nil, err
	}
	u := o.(*sluice.User)
	t, err := tx.ByName(sluice.KindTenant, u.Tenant, u.Tenant)
	if err != nil && sluice.CodeOf(err) != sluice.CodeNotFound {
		return nil, err
	}
	if err != nil || u.Status != sluice.StatusActive || t.(*sluice.Tenant).Status != sluice.StatusActive {
		return nil, badCredentials()
	}
	return u, nil
}

// issue stores a refresh token of the family and signs an access token.
func (c *Control) issue(tx *store.Tx, userID uint64, family string) (sluice.Tokens, error) {
	refresh := randomToken()
	err := tx.AddRefreshToken(store.RefreshToken{
		Hash: sluice.HashToken(refresh), Family: family, UserID: userID, ExpiresAt: tx.Now().Add(refreshLife)})
	if err != nil {
		return sluice.Tokens{}, err
	}
	access, err := c.tokens.sign(userID, family, tx.Now())
	return sluice.Tokens{AccessToken: access, TokenType: "Bearer", ExpiresIn: int64(accessLife.Seconds()), RefreshToken: refresh}, err
}

// Refresh exchanges a refresh token for a new pair. A token that was exchanged
// before revokes its whole family: [sluice.CodeUnauthorized].
func (c *Control) Refresh(ctx context.Context, refreshToken string, from Client) (sluice.Tokens, error) {
	refused := sluice.Errorf(sluice.CodeUnauthorized, "the refresh token is invalid, used or expired")
	if len(refreshToken) > maxToken {
		return sluice.Tokens{}, refused
	}
	var tokens sluice.Tokens
	var reused *store.RefreshToken
	err := c.db.Write(ctx, func(tx *store.Tx) error {
		reused = nil
		t, err := tx.RefreshToken(sluice.HashToken(refreshToken))
		if sluice.CodeOf(err) == sluice.CodeNotFound {
			return refused
		}
		if err != nil {
			return err
		}
		if !t.RotatedAt.IsZero() {
			// Either the thief or the owner comes second; neither may go on. The
			// revocation must be kept, so this is no error of the transaction.
			reused = &t
			return tx.RevokeFamily(t.Family)
		}
		if !t.RevokedAt.IsZero() || !t.ExpiresAt.After(tx.Now()) {
			return refused
		}
		if _, err := activeUser(tx, t.UserID); err != nil {
			return err
		}
		if err := tx.RotateRefreshToken(t.Hash); err != nil {
			return err
		}
		tokens, err = c.issue(tx, t.UserID, t.Family)
		return err
	})
	if err == nil && reused != nil {
		c.cfg.Log.WarnContext(ctx, "a refresh token was used twice; its sign-in is revoked", "user_id", reused.UserID, "ip", from.IP)
		return sluice.Tokens{}, refused
	}
	return tokens, err
}

// SignOut revokes the family of the refresh token, access tokens included. An
// unknown token is no error.
func (c *Control) SignOut(ctx context.Context, refreshToken string) error {
	return c.db.Write(ctx, func(tx *store.Tx) error {
		t, err := tx.RefreshToken(sluice.HashToken(refreshToken))
		if sluice.CodeOf(err) == sluice.CodeNotFound {
			return nil
		}
		if err != nil {
			return err
		}
		return tx.RevokeFamily(t.Family)
	})
}

// Authenticate returns the caller that an access token names, with the
// permissions of this moment; a disabled user or tenant is refused at once.
// Every failure is [sluice.CodeUnauthorized], unless the database fails.
func (c *Control) Authenticate(ctx context.Context, accessToken string) (Caller, error) {
	id, family, err := c.tokens.verify(accessToken, c.cfg.Clock())
	if err != nil {
		return Caller{}, err
	}
	var caller Caller
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		active, err := tx.FamilyActive(family)
		if err != nil {
			return err
		}
		if !active {
			return sluice.Errorf(sluice.CodeUnauthorized, "the access token is invalid or expired")
		}
		caller, err = callerOf(tx, id)
		return err
	})
	return caller, err
}

// callerOf returns an active user as a caller.
func callerOf(tx *store.Tx, userID uint64) (Caller, error) {
	u, err := activeUser(tx, userID)
	if err != nil {
		return Caller{}, err
	}
	permissions, err := permissionsOf(tx, u.Tenant, u.Roles)
	if err != nil {
		return Caller{}, err
	}
	return Caller{
		Tenant: u.Tenant, User: u.Name, UserID: u.ID, Permissions: permissions,
		Platform: u.Tenant == sluice.PlatformTenant && slices.Contains(u.Roles, sluice.RolePlatformAdmin),
	}, nil
}
