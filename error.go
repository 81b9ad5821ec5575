package sluice

import (
	"errors"
	"fmt"
)

// Error is what crosses a boundary: programs branch on Code, people read
// Message. Its text is written for the client and never holds a secret, an
// upstream's address or another tenant's name.
type Error struct {
	// Code is one of the codes of the table in codes.go.
	Code Code
	// Message says what was wrong and where, in English.
	Message string
	// Field points at the input that was wrong (a JSON pointer such as
	// "/models/0", a header or a parameter name); empty when none is to blame.
	Field string
	// Details are extra facts for programs, for instance "referrers".
	Details map[string]any
	// RetryAfter, in seconds, tells when a retry makes sense; 0 is unknown.
	RetryAfter int
	// cause is for the operator's log; clients never see it.
	cause error
}

// Errorf returns an *Error with a code and a message for the client. It does
// not wrap: use [Error.Because] to keep the operator's cause beside it.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Error renders code, message and cause for the operator.
func (e *Error) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.cause)
	}
	return string(e.Code) + ": " + e.Message
}

// Unwrap returns the operator's cause.
func (e *Error) Unwrap() error { return e.cause }

// At returns a copy that blames a field of the input.
func (e *Error) At(field string) *Error { c := *e; c.Field = field; return &c }

// Because returns a copy that keeps err as the operator's cause.
func (e *Error) Because(err error) *Error { c := *e; c.cause = err; return &c }

// With returns a copy that carries one more detail for programs.
func (e *Error) With(name string, value any) *Error {
	c := *e
	c.Details = map[string]any{name: value}
	for k, v := range e.Details {
		if k != name {
			c.Details[k] = v
		}
	}
	return &c
}

// After returns a copy that advises a retry after so many seconds.
func (e *Error) After(seconds int) *Error { c := *e; c.RetryAfter = seconds; return &c }

// CodeOf returns the code that err carries: "" for nil, [CodeInternal] for an
// error without one.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}

// AsError returns err as the *Error a client may see: itself when it carries a
// code, otherwise a plain internal error that hides the cause. It returns nil
// for nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return Errorf(CodeInternal, "internal error").Because(err)
}
