package anthropic

import (
	"encoding/json"

	"github.com/sluicegate/sluice"
)

// errorObject is Anthropic's error: the first two members are what the official
// SDKs read, the others are ours.
type errorObject struct {
	Type      string         `json:"type"`
	Message   string         `json:"message"`
	Code      sluice.Code    `json:"code"`
	Field     string         `json:"field,omitempty"`
	Retryable bool           `json:"retryable"`
	Details   map[string]any `json:"details,omitempty"`
	DocURL    string         `json:"doc_url"`
}

// Error implements [dialect.Surface] with {"type":"error","error":{...}}.
func (Surface) Error(e *sluice.Error, requestID string) (string, []byte) {
	return "application/json", renderError(e, requestID)
}

// StreamError ends a stream with an error event, behind which nothing follows.
func (Surface) StreamError(e *sluice.Error, requestID string) []byte {
	return append(append([]byte("event: error\ndata: "), renderError(e, requestID)...), "\n\n"...)
}

func renderError(e *sluice.Error, requestID string) []byte {
	info := sluice.CodeInfo(e.Code)
	type wrapped struct {
		Type      string      `json:"type"`
		Error     errorObject `json:"error"`
		RequestID string      `json:"request_id"`
	}
	w := wrapped{Type: "error", RequestID: requestID, Error: errorObject{
		Type: errorType(info), Message: e.Message, Code: info.Code, Field: e.Field,
		Retryable: info.Retryable, Details: e.Details, DocURL: info.Code.DocURL(),
	}}
	body, err := json.Marshal(w)
	if err != nil {
		// A detail that JSON cannot hold must not cost the client its error.
		w.Error.Details = nil
		return mustJSON(w)
	}
	return body
}

// errorType is Anthropic's word for the status.
func errorType(info sluice.Info) string {
	switch info.Status {
	case 401:
		return "authentication_error"
	case 402:
		return "billing_error"
	case 403:
		return "permission_error"
	case 404:
		return "not_found_error"
	case 413:
		return "request_too_large"
	case 429:
		return "rate_limit_error"
	case 501:
		return "invalid_request_error"
	case 503, 529:
		return "overloaded_error"
	case 504:
		return "timeout_error"
	}
	if info.Status < 500 {
		return "invalid_request_error"
	}
	return "api_error"
}
