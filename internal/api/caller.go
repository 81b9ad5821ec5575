package api

import (
	"context"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
)

// csrfHeader carries the token that proves that a write authenticated by cookie
// comes from our own page.
const csrfHeader = "X-CSRF-Token"

// callerOf returns who was authenticated for the operation.
func callerOf(ctx context.Context) control.Caller {
	return ctx.Value(callerKey).(control.Caller)
}

// authenticate is the middleware of every operation that needs a caller. It
// runs before parameters and body are read, so that strangers learn nothing
// about them.
func (s *server) authenticate(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	caller, err := s.caller(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	caller.RequestID, caller.IP = requestID(r.Context()), s.clientIP(r)
	next(huma.WithValue(ctx, callerKey, caller))
}

// caller reads the credential: a bearer token, otherwise the session cookie.
func (s *server) caller(r *http.Request) (control.Caller, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return s.cookieCaller(r)
	}
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return control.Caller{}, sluice.Errorf(sluice.CodeUnauthorized, "send the access token as \"Authorization: Bearer <token>\"").At("Authorization")
	}
	return s.Control.Authenticate(r.Context(), strings.TrimSpace(token))
}

// cookieCaller authenticates by console session. A browser sends the cookie
// with requests that other sites cause, so writes must also carry the token
// that only our page can read.
func (s *server) cookieCaller(r *http.Request) (control.Caller, error) {
	cookie, err := r.Cookie(s.cookieName())
	if err != nil {
		return control.Caller{}, sluice.Errorf(sluice.CodeUnauthorized, "sign in: no access token and no session was sent")
	}
	caller, csrf, err := s.Control.SessionCaller(r.Context(), cookie.Value)
	if err != nil {
		return control.Caller{}, err
	}
	if !safeMethod(r.Method) && subtle.ConstantTimeCompare([]byte(csrf), []byte(r.Header.Get(csrfHeader))) != 1 {
		return control.Caller{}, sluice.Errorf(sluice.CodeForbidden, "a write with a session cookie needs the session's token in %s", csrfHeader).At(csrfHeader)
	}
	return caller, nil
}

// safeMethod reports whether the method changes nothing (RFC 9110, section
// 9.2.1).
func safeMethod(m string) bool {
	return m == http.MethodGet || m == http.MethodHead || m == http.MethodOptions
}

// cookieName is the session cookie's name; the __Host- prefix makes browsers
// insist on Secure, path / and no domain.
func (s *server) cookieName() string {
	if s.secure {
		return "__Host-sluice_session"
	}
	return "sluice_session"
}

// from describes where a sign-in comes from.
func (s *server) from(ctx context.Context) control.Client {
	r := exchangeOf(ctx).r
	return control.Client{IP: s.clientIP(r), UserAgent: clipped(r.UserAgent()), RequestID: requestID(ctx)}
}

// requirePlatform refuses callers who are not platform admins: for what belongs
// to the process rather than to a tenant.
func requirePlatform(ses *control.Session) error {
	if !ses.Caller().Platform {
		return sluice.Errorf(sluice.CodeForbidden, "this needs the role %s", sluice.RolePlatformAdmin)
	}
	return nil
}
