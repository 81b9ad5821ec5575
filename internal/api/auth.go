package api

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
)

// credentials is the body of a sign-in.
type credentials struct {
	Email    string `json:"email" format:"email"`
	Password string `json:"password" format:"password"`
}

// refreshBody carries a refresh token.
type refreshBody struct {
	RefreshToken string `json:"refresh_token"`
}

type tokensOutput struct{ Body sluice.Tokens }

// registerAuth adds sign-in for programs (tokens) and for the console (cookie).
func (s *server) registerAuth() {
	signIn := []sluice.Code{sluice.CodeUnauthorized, sluice.CodeLockedOut}
	example := credentials{Email: "ada@example.com", Password: "correct horse battery"}
	registerOpen(s, operation{id: "create-token", method: http.MethodPost, path: "/v1/auth/token", tag: "auth",
		summary: "Sign in for tokens", body: reflect.TypeFor[credentials](), example: example, errors: signIn}, s.createToken)
	registerOpen(s, operation{id: "refresh-token", method: http.MethodPost, path: "/v1/auth/refresh", tag: "auth",
		summary: "Exchange a refresh token", description: "Each refresh token works once; using one twice revokes its whole family.",
		body: reflect.TypeFor[refreshBody](), errors: signIn}, s.refreshToken)
	registerOpen(s, operation{id: "revoke-token", method: http.MethodPost, path: "/v1/auth/logout", tag: "auth", status: http.StatusNoContent,
		summary: "Revoke a refresh token and its family", body: reflect.TypeFor[refreshBody]()}, s.revokeToken)
	registerOpen(s, operation{id: "create-session", method: http.MethodPost, path: "/v1/auth/session", tag: "auth", status: http.StatusCreated,
		summary: "Sign in for a session cookie", description: "For browsers: writes must carry the answer's csrf in X-CSRF-Token.",
		body: reflect.TypeFor[credentials](), example: example, errors: signIn}, s.createSession)
	register(s, operation{id: "get-session", method: http.MethodGet, path: "/v1/auth/session", tag: "auth",
		summary: "Who am I"}, s.getSession)
	register(s, operation{id: "delete-session", method: http.MethodDelete, path: "/v1/auth/session", tag: "auth", status: http.StatusNoContent,
		summary: "End the session of the cookie"}, s.deleteSession)
}

func (s *server) createToken(ctx context.Context, _ *none) (*tokensOutput, error) {
	var body credentials
	if err := decodeBody(ctx, &body, nil); err != nil {
		return nil, err
	}
	tokens, err := s.Control.SignIn(ctx, body.Email, body.Password, s.from(ctx))
	if err != nil {
		return nil, err
	}
	return &tokensOutput{tokens}, nil
}

func (s *server) refreshToken(ctx context.Context, _ *none) (*tokensOutput, error) {
	var body refreshBody
	if err := decodeBody(ctx, &body, nil); err != nil {
		return nil, err
	}
	tokens, err := s.Control.Refresh(ctx, body.RefreshToken, s.from(ctx))
	if err != nil {
		return nil, err
	}
	return &tokensOutput{tokens}, nil
}

func (s *server) revokeToken(ctx context.Context, _ *none) (*none, error) {
	var body refreshBody
	if err := decodeBody(ctx, &body, nil); err != nil {
		return nil, err
	}
	return nil, s.Control.SignOut(ctx, body.RefreshToken)
}

// sessionOutput answers with what a page needs to act for the caller.
type sessionOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      sessionBody
}

type sessionBody struct {
	CSRF        string              `json:"csrf,omitempty" doc:"Send it as X-CSRF-Token with every write; empty for bearer callers."`
	ExpiresAt   time.Time           `json:"expires_at,omitzero"`
	Tenant      string              `json:"tenant,omitempty"`
	User        string              `json:"user,omitempty"`
	Platform    bool                `json:"platform,omitempty" doc:"Whether the caller is a platform admin."`
	Permissions []sluice.Permission `json:"permissions,omitempty"`
}

func (s *server) createSession(ctx context.Context, _ *none) (*sessionOutput, error) {
	var body credentials
	if err := decodeBody(ctx, &body, nil); err != nil {
		return nil, err
	}
	opened, err := s.Control.StartSession(ctx, body.Email, body.Password, s.from(ctx))
	if err != nil {
		return nil, err
	}
	caller, _, err := s.Control.SessionCaller(ctx, opened.ID)
	if err != nil {
		return nil, err
	}
	out := &sessionOutput{Body: sessionOf(caller, opened.CSRF), SetCookie: []http.Cookie{s.sessionCookie(opened.ID, opened.ExpiresAt)}}
	out.Body.ExpiresAt = opened.ExpiresAt
	return out, nil
}

func (s *server) getSession(ctx context.Context, ses *control.Session, _ *none) (*sessionOutput, error) {
	csrf := ""
	r := exchangeOf(ctx).r
	if cookie, err := r.Cookie(s.cookieName()); err == nil && r.Header.Get("Authorization") == "" {
		if _, csrf, err = s.Control.SessionCaller(ctx, cookie.Value); err != nil {
			return nil, err
		}
	}
	return &sessionOutput{Body: sessionOf(ses.Caller(), csrf)}, nil
}

func (s *server) deleteSession(ctx context.Context, _ *control.Session, _ *none) (*sessionEnded, error) {
	if cookie, err := exchangeOf(ctx).r.Cookie(s.cookieName()); err == nil {
		if err := s.Control.EndSession(ctx, cookie.Value); err != nil {
			return nil, err
		}
	}
	return &sessionEnded{SetCookie: []http.Cookie{s.sessionCookie("", time.Unix(1, 0))}}, nil
}

type sessionEnded struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
}

func sessionOf(c control.Caller, csrf string) sessionBody {
	return sessionBody{CSRF: csrf, Tenant: c.Tenant, User: c.User, Platform: c.Platform, Permissions: c.Permissions}
}

// sessionCookie is out of reach of scripts and of requests that other sites
// make, but for links that lead here.
func (s *server) sessionCookie(value string, expires time.Time) http.Cookie {
	return http.Cookie{Name: s.cookieName(), Value: value, Path: "/", Expires: expires,
		HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode}
}
