package plugin

import (
	"encoding/json"
	"errors"
)

// Refusal is a plugin's error whose body the configuration replaces by
// _meta.error_response. It unwraps to the plugin's error, so the code, the
// status and the record are those of the error itself. Whoever renders errors
// asks [ErrorResponse] first.
type Refusal struct {
	// Plugin is the name of the plugin that refused.
	Plugin string
	// Err is its error.
	Err error
	// Body is the configured replacement: a JSON object or string.
	Body json.RawMessage
}

// Error renders the plugin's own error.
func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap returns the plugin's own error.
func (r *Refusal) Unwrap() error { return r.Err }

// ErrorResponse returns the body that the configuration wants in place of the
// surface's rendering of err: an object as JSON, a string as plain text. ok is
// false when err is to be rendered as usual. The status is that of the error's
// code either way.
func ErrorResponse(err error) (body []byte, contentType string, ok bool) {
	var r *Refusal
	if !errors.As(err, &r) {
		return nil, "", false
	}
	var text string
	if json.Unmarshal(r.Body, &text) == nil {
		return []byte(text), "text/plain; charset=utf-8", true
	}
	return r.Body, "application/json", true
}

// refuse attaches the configured body to an error.
func refuse(e *entry, err error) error {
	if err == nil || e.response == nil {
		return err
	}
	return &Refusal{Plugin: e.Name, Err: err, Body: e.response}
}
