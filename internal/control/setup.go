package control

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

const (
	setupLife  = time.Hour
	firstAdmin = "admin"
)

// NeedsSetup reports whether no platform admin exists yet.
func (c *Control) NeedsSetup(ctx context.Context) (bool, error) {
	needs := false
	err := c.db.Read(ctx, func(tx *store.Tx) error {
		n, err := tx.PlatformAdmins()
		needs = n == 0
		return err
	})
	return needs && err == nil, err
}

func setUp() error {
	return sluice.Errorf(sluice.CodeConflict, "a platform admin exists already")
}

// NewSetupToken mints the token of the one-time set-up link, valid for an hour,
// and invalidates earlier ones. [sluice.CodeConflict] once a platform admin
// exists.
func (c *Control) NewSetupToken(ctx context.Context) (string, error) {
	token := randomToken()
	err := c.db.Write(ctx, func(tx *store.Tx) error {
		n, err := tx.PlatformAdmins()
		if err != nil {
			return err
		}
		if n > 0 {
			return setUp()
		}
		return tx.ReplaceSetupToken(sluice.HashToken(token), tx.Now().Add(setupLife))
	})
	if err != nil {
		return "", err
	}
	return token, nil
}

// RedeemSetup creates the first platform admin. It works once:
// [sluice.CodeUnauthorized] for a wrong, used or expired token,
// [sluice.CodeConflict] once a platform admin exists.
func (c *Control) RedeemSetup(ctx context.Context, token, email, password string, from Client) (sluice.User, error) {
	system := System()
	system.RequestID, system.IP = from.RequestID, from.IP
	s := c.As(system)
	hash := sluice.HashToken(token)
	// Strangers must not make us hash passwords.
	if err := c.db.Read(ctx, func(tx *store.Tx) error { return checkSetup(tx, hash) }); err != nil {
		return sluice.User{}, err
	}
	if len(password) < minLength {
		return sluice.User{}, sluice.Errorf(sluice.CodeInvalidRequest, "password must have %d to %d bytes", minLength, maxLength).At("/password")
	}
	u := &sluice.User{Email: email, Password: password, Roles: []string{sluice.RolePlatformAdmin}}
	u.Tenant = sluice.PlatformTenant
	in, err := s.input(ctx, u)
	if err != nil {
		return sluice.User{}, err
	}
	out, err := s.write(ctx, sluice.WriteOptions{}, func(tx *store.Tx) (change, error) {
		if err := checkSetup(tx, hash); err != nil {
			return change{}, err
		}
		u.Name = firstAdmin
		if _, err := tx.ByName(sluice.KindUser, u.Tenant, u.Name); sluice.CodeOf(err) != sluice.CodeNotFound {
			u.Name += "-" + strings.ToLower(rand.Text()[:6]) // a disabled one is in the way
		}
		ch, err := s.decideCreate(tx, in)
		ch.then = tx.ClearSetupTokens
		return ch, err
	})
	return result[sluice.User](out, err)
}

// checkSetup refuses a set-up that is over, and a token that is not the one.
func checkSetup(tx *store.Tx, hash string) error {
	n, err := tx.PlatformAdmins()
	if err != nil {
		return err
	}
	if n > 0 {
		return setUp()
	}
	ok, err := tx.SetupTokenValid(hash)
	if err == nil && !ok {
		return sluice.Errorf(sluice.CodeUnauthorized, "the set-up link is wrong, used or expired; restart for a new one")
	}
	return err
}
