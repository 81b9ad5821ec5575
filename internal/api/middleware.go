package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/sluicegate/sluice"
)

// handlerTimeout bounds the work on one request; lists of the largest size
// answer within a fraction of it.
const handlerTimeout = 30 * time.Second

// requestIDPattern is what a client may choose as X-Request-Id; anything else
// is replaced, so that the id can be logged and shown as it is.
var requestIDPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

type contextKey int

const (
	requestIDKey contextKey = iota
	exchangeKey
	callerKey
)

// exchange is the raw request and answer behind an operation.
type exchange struct {
	w           http.ResponseWriter
	r           *http.Request
	bodyTimeout time.Duration
}

// requestID returns the id of the request that ctx belongs to.
func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey).(string)
	return id
}

// exchangeOf returns the request and answer that an operation serves.
func exchangeOf(ctx context.Context) exchange { return ctx.Value(exchangeKey).(exchange) }

// wrap builds the layers around the routes, outermost first:
//
//	identify  every answer, refusals included, carries a request id
//	secure    headers that must not depend on a handler's care
//	recover   a panic becomes an answer and a log line, not a dropped connection
//	bound     a request that hangs gives its resources back
//	route     404 and 405 in the error shape of everything else
func (s *server) wrap(mux *http.ServeMux) http.Handler {
	var h http.Handler = s.route(mux)
	h = bound(h)
	h = s.recover(h)
	h = s.secureHeaders(h)
	return identify(h)
}

// identify takes the client's request id or makes one.
func identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Request-Id")
		if !requestIDPattern.MatchString(id) {
			id = uuid.Must(uuid.NewV7()).String()
		}
		w.Header().Set("X-Request-Id", id)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestIDKey, id)))
	})
}

// secureHeaders sets what every answer carries. There is no CORS: the control
// plane is not for other origins' scripts.
func (s *server) secureHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		if s.secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// recover turns a panic into an internal error with its stack in the log.
func (s *server) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler { //nolint:errorlint // net/http compares it the same way
				panic(cause)
			}
			s.fail(w, r, fmt.Errorf("panic: %v\n%s", cause, debug.Stack()))
		}()
		next.ServeHTTP(w, r)
	})
}

// bound cancels the request's context after [handlerTimeout].
func bound(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), handlerTimeout)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// route serves the matching route and answers in our own shape when there is
// none.
func (s *server) route(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.WithContext(context.WithValue(r.Context(), exchangeKey, exchange{w, r, s.BodyTimeout}))
		if err := checkURL(r.URL); err != nil {
			s.fail(w, r, err)
			return
		}
		fallback, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		// The mux alone knows which methods the path has; its plain-text answer
		// is only read for that.
		probe := muxAnswer{header: http.Header{}}
		fallback.ServeHTTP(&probe, r)
		if probe.status != http.StatusMethodNotAllowed {
			s.fail(w, r, sluice.Errorf(sluice.CodeNotFound, "there is nothing at %s", clipped(r.URL.Path)))
			return
		}
		allow := probe.header.Get("Allow")
		w.Header().Set("Allow", allow)
		s.fail(w, r, sluice.Errorf(sluice.CodeMethodNotAllowed, "%s is not allowed here; allowed: %s", clipped(r.Method), allow))
	})
}

// checkURL refuses what no operation could mean: text that is not UTF-8 or
// holds U+0000, which databases refuse, and a parameter that is there twice.
func checkURL(u *url.URL) error {
	if !isText(u.Path) {
		return invalid("path", "the path is not text in UTF-8")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return invalid("query", "the query cannot be read")
	}
	for name, values := range query {
		if len(values) > 1 {
			return invalid(clipped(name), "parameter %s appears %d times", clipped(name), len(values))
		}
		if !isText(name) || !isText(values[0]) {
			return invalid("query", "a query parameter is not text in UTF-8")
		}
	}
	return nil
}

func isText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// muxAnswer keeps the head of the mux's own answer and drops its text.
type muxAnswer struct {
	header http.Header
	status int
}

func (a *muxAnswer) Header() http.Header         { return a.header }
func (a *muxAnswer) WriteHeader(status int)      { a.status = status }
func (a *muxAnswer) Write(b []byte) (int, error) { return len(b), nil }
