package openai

import (
	"encoding/json"
	"strings"

	"github.com/sluicegate/sluice"
)

// errorObject is OpenAI's error: the first four members are what the official
// SDKs read, the others are ours.
type errorObject struct {
	Message   string         `json:"message"`
	Type      string         `json:"type"`
	Param     *string        `json:"param"`
	Code      sluice.Code    `json:"code"`
	TraceID   string         `json:"trace_id"`
	Retryable bool           `json:"retryable"`
	Details   map[string]any `json:"details,omitempty"`
	DocURL    string         `json:"doc_url"`
}

// Error implements [dialect.Surface] with {"error":{...}}.
func (Surface) Error(e *sluice.Error, requestID string) (string, []byte) {
	return "application/json", renderError(e, requestID)
}

// StreamError ends a stream with an error event. No [DONE] follows: the stream
// is not done.
func (Surface) StreamError(e *sluice.Error, requestID string) []byte {
	return append(append([]byte("data: "), renderError(e, requestID)...), "\n\n"...)
}

func renderError(e *sluice.Error, requestID string) []byte {
	info := sluice.CodeInfo(e.Code)
	object := errorObject{
		Message: e.Message, Type: errorType(info), Param: param(e.Field), Code: info.Code,
		TraceID: requestID, Retryable: info.Retryable, Details: e.Details, DocURL: info.Code.DocURL(),
	}
	type wrapped struct {
		Error errorObject `json:"error"`
	}
	body, err := json.Marshal(wrapped{object})
	if err != nil {
		// A detail that JSON cannot hold must not cost the client its error.
		object.Details = nil
		return mustJSON(wrapped{object})
	}
	return body
}

// errorType is OpenAI's word for the status.
func errorType(info sluice.Info) string {
	switch {
	case info.Code == sluice.CodeTokenRate:
		return "tokens"
	case info.Code == sluice.CodeRequestRate:
		return "requests"
	case info.Status == 401:
		return "authentication_error"
	case info.Status == 402:
		return "insufficient_quota"
	case info.Status == 403:
		return "permission_error"
	case info.Status == 404:
		return "not_found_error"
	case info.Status == 429:
		return "rate_limit_error"
	case info.Status == 503:
		return "service_unavailable_error"
	case info.Status == 501, info.Status < 500:
		return "invalid_request_error"
	default:
		return "server_error"
	}
}

// param writes a field the way OpenAI does: a JSON pointer becomes a path such
// as messages[0].content, anything else stays.
func param(field string) *string {
	if field == "" {
		return nil
	}
	if !strings.HasPrefix(field, "/") {
		return &field
	}
	var out strings.Builder
	for _, part := range strings.Split(field[1:], "/") {
		switch {
		case part != "" && strings.Trim(part, "0123456789") == "":
			out.WriteString("[" + part + "]")
		case out.Len() > 0:
			out.WriteString("." + part)
		default:
			out.WriteString(part)
		}
	}
	path := out.String()
	return &path
}
