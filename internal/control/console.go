package control

import (
	"context"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/store"
)

const sessionLife = 12 * time.Hour

// ConsoleSession is a session of the console: ID goes into an HttpOnly cookie,
// CSRF into a header of every write.
type ConsoleSession struct {
	ID, CSRF  string
	ExpiresAt time.Time
}

// StartSession signs in to the console for twelve hours; errors as for
// [Control.SignIn].
func (c *Control) StartSession(ctx context.Context, email, password string, from Client) (ConsoleSession, error) {
	var session ConsoleSession
	err := c.signIn(ctx, email, password, from, func(tx *store.Tx, u *sluice.User) error {
		session = ConsoleSession{ID: randomToken(), CSRF: randomToken(), ExpiresAt: tx.Now().Add(sessionLife)}
		return tx.AddSession(store.ConsoleSession{
			Hash: sluice.HashToken(session.ID), CSRF: session.CSRF, UserID: u.ID, ExpiresAt: session.ExpiresAt})
	})
	if err != nil {
		return ConsoleSession{}, err
	}
	return session, nil
}

// SessionCaller returns the caller of a console session and the token that its
// writes must carry. Errors as for [Control.Authenticate].
func (c *Control) SessionCaller(ctx context.Context, id string) (caller Caller, csrf string, err error) {
	ended := sluice.Errorf(sluice.CodeUnauthorized, "the session has ended")
	if len(id) > maxToken {
		return Caller{}, "", ended
	}
	err = c.db.Read(ctx, func(tx *store.Tx) error {
		session, err := tx.Session(sluice.HashToken(id))
		if sluice.CodeOf(err) == sluice.CodeNotFound {
			return ended
		}
		if err != nil {
			return err
		}
		csrf = session.CSRF
		caller, err = callerOf(tx, session.UserID)
		return err
	})
	if err != nil {
		return Caller{}, "", err
	}
	return caller, csrf, nil
}

// EndSession ends a console session. An unknown id is no error.
func (c *Control) EndSession(ctx context.Context, id string) error {
	return c.db.Write(ctx, func(tx *store.Tx) error { return tx.EndSession(sluice.HashToken(id)) })
}
