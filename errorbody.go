package sluice

import (
	"encoding/json"
	"maps"
	"strings"
)

// docsURL is where the code table is published; docs/errors.md has an anchor
// for each code.
const docsURL = "https://github.com/sluicegate/sluice/blob/main/docs/errors.md#"

// DocURL is where the code is explained.
func (c Code) DocURL() string { return docsURL + strings.ToLower(string(c)) }

// ErrorBody is the wire form of an error on Sluice's own surfaces (feature I6).
type ErrorBody struct {
	Code      Code           `json:"code" doc:"Stable code; the table is on the documentation page."`
	Message   string         `json:"message" doc:"What was wrong and where, in English."`
	I18n      ErrorTexts     `json:"message_i18n"`
	Details   map[string]any `json:"details" doc:"Facts for programs; field is a JSON pointer or the name of a header or parameter."`
	TraceID   string         `json:"trace_id" doc:"The request id; also the answer's X-Request-Id."`
	Retryable bool           `json:"retryable" doc:"Whether the same request may succeed later."`
	DocURL    string         `json:"doc_url"`
}

// ErrorTexts is an error's message in the languages of the product. Messages
// of single cases exist in English; Chinese has the code's sentence and the
// field to blame.
type ErrorTexts struct {
	Chinese string `json:"zh_CN"`
	English string `json:"en_US"`
}

// Body returns the error's wire form; traceID is the request's id.
func (e *Error) Body(traceID string) ErrorBody {
	info := CodeInfo(e.Code)
	details := make(map[string]any, len(e.Details)+1)
	maps.Copy(details, e.Details)
	chinese := info.Chinese
	if e.Field != "" {
		details["field"] = e.Field
		chinese += "（字段：" + e.Field + "）"
	}
	return ErrorBody{
		Code: info.Code, Message: e.Message, I18n: ErrorTexts{Chinese: chinese, English: e.Message},
		Details: details, TraceID: traceID, Retryable: info.Retryable, DocURL: info.Code.DocURL(),
	}
}

// JSON renders {"error": Body}.
func (e *Error) JSON(traceID string) []byte {
	body := e.Body(traceID)
	out, err := body.envelope()
	if err != nil {
		// A detail that JSON cannot hold must not cost the client its error.
		body.Details = map[string]any{}
		out, _ = body.envelope()
	}
	return out
}

func (b ErrorBody) envelope() ([]byte, error) {
	return json.Marshal(struct {
		Error ErrorBody `json:"error"`
	}{b})
}
