package dialect

import (
	"encoding/json"
	"strings"

	"github.com/sluicegate/sluice"
)

// Plain is the surface of plain services ([sluice.SurfaceHTTP]): any method and
// path, a body that nobody reads, and errors in Sluice's own format (feature
// I6). The zero value is ready.
type Plain struct{}

var _ Surface = Plain{}

// docsBase is where the code table is published.
const docsBase = "https://github.com/sluicegate/sluice/blob/main/docs/errors.md#"

// Name returns [sluice.SurfaceHTTP].
func (Plain) Name() string { return sluice.SurfaceHTTP }

// Operation accepts everything: what a service offers is its own business.
func (Plain) Operation(_, path string) (Operation, error) { return Operation{Path: path}, nil }

// ReadsBody reports false: bodies are streamed.
func (Plain) ReadsBody() bool { return false }

// Ask returns an ask with the operation and the head only.
func (Plain) Ask(op Operation, h *sluice.Head, body []byte) (*Ask, error) {
	return &Ask{Surface: sluice.SurfaceHTTP, Operation: op, Choices: 1, Head: h, Body: body}, nil
}

// Error renders the error as Sluice's own JSON object.
func (Plain) Error(e *sluice.Error, requestID string) (string, []byte) {
	return "application/json", ErrorJSON(e, requestID)
}

// StreamError returns nil: nothing is known of the body, so it is broken off.
func (Plain) StreamError(*sluice.Error, string) []byte { return nil }

// Models returns an empty list: plain services have no models.
func (Plain) Models([]*sluice.Model) []byte { return []byte("[]") }

// Model returns null, for the same reason.
func (Plain) Model(*sluice.Model) []byte { return []byte("null") }

// errorBody is the wire form of feature I6.
type errorBody struct {
	Code        sluice.Code    `json:"code"`
	Message     string         `json:"message"`
	MessageI18n messageI18n    `json:"message_i18n"`
	Details     map[string]any `json:"details"`
	TraceID     string         `json:"trace_id"`
	Retryable   bool           `json:"retryable"`
	DocURL      string         `json:"doc_url"`
}

type messageI18n struct {
	Chinese string `json:"zh_CN"`
	English string `json:"en_US"`
}

// ErrorJSON renders an error in Sluice's own format: the message of this case,
// the code's general sentence in both languages, the field to blame among the
// details, and the request id to ask about.
func ErrorJSON(e *sluice.Error, requestID string) []byte {
	info := sluice.CodeInfo(e.Code)
	details := make(map[string]any, len(e.Details)+1)
	for name, value := range e.Details {
		details[name] = value
	}
	if e.Field != "" {
		details["field"] = e.Field
	}
	body := errorBody{
		Code: info.Code, Message: e.Message, Details: details, TraceID: requestID, Retryable: info.Retryable,
		MessageI18n: messageI18n{Chinese: info.Chinese, English: info.English},
		DocURL:      DocURL(info.Code),
	}
	out, err := json.Marshal(struct {
		Error errorBody `json:"error"`
	}{body})
	if err != nil {
		// A detail that JSON cannot hold must not cost the client its error.
		body.Details = map[string]any{}
		out, _ = json.Marshal(struct {
			Error errorBody `json:"error"`
		}{body})
	}
	return out
}

// DocURL is where a code is explained.
func DocURL(c sluice.Code) string { return docsBase + strings.ToLower(string(c)) }
