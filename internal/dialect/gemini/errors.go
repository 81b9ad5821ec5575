package gemini

import (
	"encoding/json"
	"fmt"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
)

// status is Google's error, a google.rpc.Status as JSON. The details are those
// of google.rpc that its SDKs know.
type status struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Status  string `json:"status"`
	Details []any  `json:"details"`
}

// errorInfo is a google.rpc.ErrorInfo: our code, and facts for programs.
type errorInfo struct {
	Type     string            `json:"@type"`
	Reason   sluice.Code       `json:"reason"`
	Domain   string            `json:"domain"`
	Metadata map[string]string `json:"metadata"`
}

// badRequest is a google.rpc.BadRequest: the field that is to blame.
type badRequest struct {
	Type       string      `json:"@type"`
	Violations []violation `json:"fieldViolations"`
}

// violation is what is wrong with one field.
type violation struct {
	Field       string `json:"field"`
	Description string `json:"description"`
}

// retryInfo is a google.rpc.RetryInfo.
type retryInfo struct {
	Type  string `json:"@type"`
	Delay string `json:"retryDelay"`
}

// Error implements [dialect.Surface] with {"error":{...}}.
func (Surface) Error(e *sluice.Error, requestID string) (string, []byte) {
	return "application/json", renderError(e, requestID)
}

// StreamError ends a stream of events with an error event.
func (Surface) StreamError(e *sluice.Error, requestID string) []byte {
	return frame(nil, renderError(e, requestID))
}

var _ dialect.StreamEnder = (*reading)(nil)

// StreamError implements [dialect.StreamEnder]: an answer in array form ends
// with the error as its last element.
func (r *reading) StreamError(e *sluice.Error, requestID string) []byte {
	doc := renderError(e, requestID)
	if !r.array {
		return frame(nil, doc)
	}
	return append(r.element(nil, doc), "\r\n]"...)
}

// element appends an element of the array.
func (r *reading) element(to, doc []byte) []byte {
	separator := ",\r\n"
	if !r.begun {
		separator = "["
	}
	r.begun = true
	return append(append(to, separator...), doc...)
}

func renderError(e *sluice.Error, requestID string) []byte {
	info := sluice.CodeInfo(e.Code)
	s := status{Code: info.Status, Message: e.Message, Status: rpcStatus(info.Status)}
	s.Details = append(s.Details, errorInfo{
		Type: "type.googleapis.com/google.rpc.ErrorInfo", Reason: info.Code, Domain: "sluice",
		Metadata: facts(e, info, requestID),
	})
	if e.Field != "" {
		s.Details = append(s.Details, badRequest{"type.googleapis.com/google.rpc.BadRequest", []violation{{e.Field, e.Message}}})
	}
	if e.RetryAfter > 0 {
		s.Details = append(s.Details, retryInfo{"type.googleapis.com/google.rpc.RetryInfo", fmt.Sprintf("%ds", e.RetryAfter)})
	}
	return mustJSON(struct {
		Error status `json:"error"`
	}{s})
}

// facts are an error's details, which are texts in an ErrorInfo.
func facts(e *sluice.Error, info sluice.Info, requestID string) map[string]string {
	m := map[string]string{}
	for name, value := range e.Details {
		if text, ok := value.(string); ok {
			m[name] = text
		} else if b, err := json.Marshal(value); err == nil {
			m[name] = string(b)
		}
	}
	m["request_id"], m["doc_url"] = requestID, info.Code.DocURL()
	m["retryable"] = fmt.Sprint(info.Retryable)
	return m
}

// rpcStatus is the canonical code of google.rpc for an HTTP status.
func rpcStatus(status int) string {
	switch status {
	case 401:
		return "UNAUTHENTICATED"
	case 403:
		return "PERMISSION_DENIED"
	case 404:
		return "NOT_FOUND"
	case 402, 412:
		return "FAILED_PRECONDITION"
	case 409:
		return "ABORTED"
	case 429:
		return "RESOURCE_EXHAUSTED"
	case 499:
		return "CANCELLED"
	case 405, 501:
		return "UNIMPLEMENTED"
	case 502, 503:
		return "UNAVAILABLE"
	case 408, 504:
		return "DEADLINE_EXCEEDED"
	}
	if status < 500 {
		return "INVALID_ARGUMENT"
	}
	return "INTERNAL"
}
