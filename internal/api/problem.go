package api

import (
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"strconv"

	"github.com/sluicegate/sluice"
)

// problem is the one error shape of our own surfaces (feature I6). It
// implements huma.StatusError and huma.HeadersError, so that huma sends it as
// it is.
type problem struct {
	Err sluice.ErrorBody `json:"error"`

	status int
	header http.Header
}

// Error implements error.
func (p *problem) Error() string { return string(p.Err.Code) + ": " + p.Err.Message }

// GetStatus implements huma.StatusError.
func (p *problem) GetStatus() int { return p.status }

// GetHeaders implements huma.HeadersError.
func (p *problem) GetHeaders() http.Header { return p.header }

// newProblem renders an error for the client. Errors without a code become an
// internal error that hides its cause.
func newProblem(err error, traceID string) *problem {
	e := sluice.AsError(err)
	p := &problem{status: sluice.CodeInfo(e.Code).Status, header: http.Header{}, Err: e.Body(traceID)}
	if e.RetryAfter > 0 {
		p.header.Set("Retry-After", strconv.Itoa(e.RetryAfter))
	}
	if p.status == http.StatusUnauthorized {
		// RFC 9110, section 11.6.1: a 401 names a way to authenticate.
		p.header.Set("WWW-Authenticate", `Bearer realm="sluice"`)
	}
	return p
}

// problem renders err for the client and logs what only an operator may know:
// this is the one place where an error of the API is logged.
func (s *server) problem(r *http.Request, err error) *problem {
	id := requestID(r.Context())
	p := newProblem(err, id)
	if p.status >= http.StatusInternalServerError {
		s.log.LogAttrs(r.Context(), slog.LevelError, "request failed",
			slog.String("trace_id", id), slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Any("err", err))
	}
	return p
}

// fail answers a request with an error, outside of huma.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := s.problem(r, err)
	maps.Copy(w.Header(), p.header)
	writeJSON(w, p.status, p)
}

// writeJSON answers with a JSON value. The client may be gone; that is its
// affair, so the write's error has no reader.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
}
