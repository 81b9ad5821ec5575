package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
)

// Security schemes of the OpenAPI document.
const (
	schemeBearer  = "bearer"
	schemeSession = "session"
)

// none is the input or output of an operation without any.
type none struct{}

// operation describes one operation beyond what its Go types say.
type operation struct {
	id, method, path string
	tag, summary     string
	description      string
	// status is that of success; 0 means 200, or 204 without an answer body.
	status int
	// body documents the request body, nil for none; patch marks a merge patch.
	body     reflect.Type
	patch    bool
	optional bool // the body may be left out
	filters  bool // query parameters that are not listed are fields to filter by
	upsert   bool // success is 201 when it created the object
	ledger   bool // the process that keeps the ledger answers
	example  any
	// table documents that the answer, this type as JSON, may be asked for as CSV.
	table reflect.Type
	// errors lists the codes that the operation may answer beyond those that
	// every one may.
	errors []sluice.Code
	params []*huma.Param
}

// register adds an operation for signed-in callers; run gets their session.
func register[I, O any](s *server, op operation, run func(context.Context, *control.Session, *I) (*O, error)) {
	h := op.huma()
	h.Security = []map[string][]string{{schemeBearer: {}}, {schemeSession: {}}}
	h.Middlewares = huma.Middlewares{s.authenticate}
	if op.ledger && s.Forward != nil {
		h.Middlewares = append(h.Middlewares, s.forward)
	}
	op.errors = append(op.errors, sluice.CodeUnauthorized, sluice.CodeForbidden)
	add(s, op, h, func(ctx context.Context, in *I) (*O, error) {
		return run(ctx, s.Control.As(callerOf(ctx)), in)
	})
}

// registerOpen adds an operation that needs no credential.
func registerOpen[I, O any](s *server, op operation, run func(context.Context, *I) (*O, error)) {
	h := op.huma()
	h.Security = []map[string][]string{}
	add(s, op, h, run)
}

// add hands the operation to huma and completes its documentation. Bodies are
// documented here but read by [decodeBody]: huma reads them leniently and
// cannot say where they are wrong.
func add[I, O any](s *server, op operation, h huma.Operation, run func(context.Context, *I) (*O, error)) {
	h.Responses = s.errorResponses(op)
	huma.Register(s.api, h, func(ctx context.Context, in *I) (*O, error) {
		out, err := run(ctx, in)
		if err != nil {
			return nil, s.problem(exchangeOf(ctx).r, err)
		}
		return out, nil
	})
	documented := s.operationAt(op.method, op.path)
	documented.Parameters = append(documented.Parameters, op.params...)
	documented.RequestBody = s.requestBody(op)
	if op.table != nil {
		documented.Responses["200"].Content = map[string]*huma.MediaType{
			mediaJSON: {Schema: s.api.OpenAPI().Components.Schemas.Schema(op.table, true, op.id+"-answer")},
			mediaCSV:  {Schema: &huma.Schema{Type: huma.TypeString}},
		}
	}
	if op.upsert {
		created := *documented.Responses["200"]
		created.Description = "Created"
		documented.Responses["201"] = &created
	}
}

func (op operation) huma() huma.Operation {
	return huma.Operation{
		OperationID: op.id, Method: op.method, Path: op.path,
		Tags: []string{op.tag}, Summary: op.summary, Description: op.description,
		DefaultStatus: op.status,
		// A misspelt dry_run must not become a real write.
		RejectUnknownQueryParameters: !op.filters,
	}
}

// operationAt finds what huma documented for a method and path.
func (s *server) operationAt(method, path string) *huma.Operation {
	item := s.api.OpenAPI().Paths[path]
	return map[string]*huma.Operation{
		http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put,
		http.MethodPatch: item.Patch, http.MethodDelete: item.Delete,
	}[method]
}

// requestBody documents the body of an operation.
func (s *server) requestBody(op operation) *huma.RequestBody {
	if op.body == nil {
		return nil
	}
	media := &huma.MediaType{Schema: s.api.OpenAPI().Components.Schemas.Schema(op.body, true, op.id), Example: op.example}
	if !op.patch {
		return &huma.RequestBody{Required: !op.optional, Content: map[string]*huma.MediaType{mediaJSON: media}}
	}
	return &huma.RequestBody{
		Required:    true,
		Description: "A JSON merge patch (RFC 7396): fields that are present replace, null removes.",
		Content:     map[string]*huma.MediaType{mediaMergePatch: {Schema: s.patchSchema(op.body), Example: op.example}, mediaJSON: {Schema: s.patchSchema(op.body)}},
	}
}

// translateRefusals gives huma's own refusals - parameters it could not read -
// our error shape and status.
func (s *server) translateRefusals(ctx huma.Context, next func(huma.Context)) {
	next(&refusalWriter{humaContext: ctx})
}

// humaContext lets refusalWriter embed the interface beside its Context method.
type humaContext huma.Context

// refusalWriter lets a transformer choose the status of the answer.
type refusalWriter struct {
	humaContext
	status int
}

// SetStatus implements huma.Context.
func (w *refusalWriter) SetStatus(status int) {
	if w.status != 0 {
		status = w.status
	}
	w.humaContext.SetStatus(status)
}

// Unwrap returns the context of the adapter.
func (w *refusalWriter) Unwrap() huma.Context { return w.humaContext }

// refusal is the huma transformer that renders huma's errors as problems.
func (s *server) refusal(ctx huma.Context, _ string, v any) (any, error) {
	model, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	err := invalid("", "%s", model.Detail)
	if len(model.Errors) > 0 {
		first := model.Errors[0]
		_, name, _ := strings.Cut(first.Location, ".")
		err = invalid(name, "parameter %s: %s", clipped(name), parameterText(first.Message))
	}
	p := s.problem(exchangeOf(ctx.Context()).r, err)
	ctx.SetHeader("Content-Type", mediaJSON)
	if w := refusalWriterOf(ctx); w != nil {
		w.status = p.status
	}
	return p, nil
}

// parameterText says what a parameter must be, without Go's words.
func parameterText(text string) string {
	if strings.HasPrefix(text, "invalid date/time") {
		return timeText
	}
	return text
}

// refusalWriterOf finds the writer below contexts that later middleware wrapped
// around it.
func refusalWriterOf(ctx huma.Context) *refusalWriter {
	for {
		if w, ok := ctx.(*refusalWriter); ok {
			return w
		}
		outer, ok := ctx.(interface{ Unwrap() huma.Context })
		if !ok {
			return nil
		}
		ctx = outer.Unwrap()
	}
}

// humaConfig sets huma up: JSON only, our documents, our errors. An Accept
// header is not negotiated: RFC 9110, section 12.5.1, lets a server with one
// representation send it.
func (s *server) humaConfig() huma.Config {
	format := huma.Format{Marshal: encodeJSON, Unmarshal: json.Unmarshal}
	cfg := huma.Config{
		OpenAPI: s.document(),
		// huma looks its own errors, which refusal translates, up as "json".
		Formats:       map[string]huma.Format{mediaJSON: format, "json": format},
		DefaultFormat: mediaJSON,
		Transformers:  []huma.Transformer{s.refusal},
	}
	cfg.FieldsOptionalByDefault = true
	return cfg
}

func encodeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	return nil
}
