package api

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	_ "embed"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluicegate/sluice"
)

// descriptions holds the doc comments of the root package's fields by
// "Type.field", so that the API's documentation is the code's. A test keeps it
// equal to the source; -update rewrites it.
//
//go:embed descriptions.json
var descriptions []byte

// document starts the OpenAPI document: what no operation says by itself.
func (s *server) document() *huma.OpenAPI {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	// These write their own JSON: exact numbers, or a decimal string.
	registry.RegisterTypeAlias(reflect.TypeFor[sluice.Rate](), reflect.TypeFor[float64]())
	registry.RegisterTypeAlias(reflect.TypeFor[sluice.Number](), reflect.TypeFor[float64]())
	registry.RegisterTypeAlias(reflect.TypeFor[sluice.Multiplier](), reflect.TypeFor[float64]())
	registry.RegisterTypeAlias(reflect.TypeFor[sluice.Nanos](), reflect.TypeFor[string]())
	registry.RegisterTypeAlias(reflect.TypeFor[sluice.Quantities](), reflect.TypeFor[map[string]int64]())
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{Title: "Sluice control API", Version: s.Version,
			Description: "Administration of tenants, users, keys, providers, models and routes. Names, not numbers, identify objects; " +
				"writes are conditional (ETag, If-Match), repeatable (Idempotency-Key) and can be tried out (dry_run).",
			License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}},
		Servers: []*huma.Server{{URL: s.serverURL()}},
		Tags:    documentTags(),
		Components: &huma.Components{Schemas: registry, Examples: s.errorExamples(), Responses: map[string]*huma.Response{}, SecuritySchemes: map[string]*huma.SecurityScheme{
			schemeBearer:  {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "The access_token of POST /v1/auth/token."},
			schemeSession: {Type: "apiKey", In: "cookie", Name: s.cookieName(), Description: "The cookie of POST /v1/auth/session; writes also need " + csrfHeader + "."},
		}},
	}
}

func (s *server) serverURL() string {
	if s.PublicURL == "" {
		return "/"
	}
	return s.PublicURL
}

// documentTags orders the sections of the documentation.
func documentTags() []*huma.Tag {
	tags := []*huma.Tag{{Name: "auth", Description: "Sign-in for programs and for the console."},
		{Name: "self-service", Description: "What every caller may do with the own user and the own keys."}}
	for _, k := range sluice.Kinds() {
		tags = append(tags, &huma.Tag{Name: string(k)})
	}
	return append(tags, &huma.Tag{Name: "catalog", Description: "What published sources state of well-known models, and making models of it."},
		&huma.Tag{Name: "billing", Description: "Wallets: what may be spent, what it was spent on, and what fills them."},
		&huma.Tag{Name: "prices", Description: "The price book: what models cost, in versions that are never changed."},
		&huma.Tag{Name: "reports", Description: "Finished requests, their sums, and the audit log."},
		&huma.Tag{Name: "system", Description: "The processes themselves."})
}

// errorResponses documents the errors of an operation by status. A status that
// means one code only refers to that code's response.
func (s *server) errorResponses(op operation) map[string]*huma.Response {
	codes := append([]sluice.Code{sluice.CodeInvalidRequest, sluice.CodeInternal, sluice.CodeUnavailable}, op.errors...)
	if op.body != nil {
		codes = append(codes, sluice.CodeTooLarge, sluice.CodeMediaType, sluice.CodeSlowClient)
	}
	slices.Sort(codes)
	byStatus := map[string][]sluice.Code{}
	for _, code := range slices.Compact(codes) {
		status := strconv.Itoa(sluice.CodeInfo(code).Status)
		byStatus[status] = append(byStatus[status], code)
	}
	out := map[string]*huma.Response{}
	for status, codes := range byStatus {
		if out[status] = s.errorResponse(codes); len(codes) == 1 {
			s.api.OpenAPI().Components.Responses[string(codes[0])] = out[status]
			out[status] = &huma.Response{Ref: responsePrefix + string(codes[0])}
		}
	}
	return out
}

// responsePrefix begins references to the responses of single codes.
const responsePrefix = "#/components/responses/"

// errorResponse documents a status that carries one of the codes.
func (s *server) errorResponse(codes []sluice.Code) *huma.Response {
	texts, examples := make([]string, 0, len(codes)), map[string]*huma.Example{}
	for _, code := range codes {
		texts = append(texts, string(code)+": "+sluice.CodeInfo(code).English)
		examples[string(code)] = &huma.Example{Ref: "#/components/examples/" + string(code)}
	}
	return &huma.Response{Description: strings.Join(texts, " "),
		Content: map[string]*huma.MediaType{mediaJSON: {Schema: s.problemSchema(), Examples: examples}}}
}

// errorExamples shows every error once; responses refer to them.
func (s *server) errorExamples() map[string]*huma.Example {
	out := map[string]*huma.Example{}
	for _, info := range sluice.Codes() {
		e := sluice.Errorf(info.Code, "%s", info.English)
		out[string(info.Code)] = &huma.Example{Summary: info.English, Value: newProblem(e, "0192f0c1-7c1e-7000-8000-000000000000")}
	}
	return out
}

// problemSchema registers the shape of errors.
func (s *server) problemSchema() *huma.Schema {
	return s.schemas().Schema(reflect.TypeFor[problem](), true, "Error")
}

// schemas is the document's registry; it exists before the API does.
func (s *server) schemas() huma.Registry { return s.api.OpenAPI().Components.Schemas }

// patchSchema registers the merge-patch form of a type: nothing is required.
func (s *server) patchSchema(t reflect.Type) *huma.Schema {
	name := strings.ToUpper(t.Name()[:1]) + t.Name()[1:] + "Patch"
	all := s.schemas().Map()
	if all[name] == nil {
		whole := *s.schemas().Schema(t, false, t.Name())
		whole.Required = nil
		whole.Description = "A merge patch of " + t.Name() + "."
		all[name] = &whole
	}
	return &huma.Schema{Ref: "#/components/schemas/" + name}
}

// requiredFields are what a client must send; everything else has a default.
var requiredFields = map[string][]string{
	"Tenant": {"name"}, "User": {"email"}, "Role": {"permissions"}, "Provider": {"type"}, "Model": {"name"},
	"Route": {"paths"}, "Upstream": {"nodes"}, "Node": {"host", "port"},
	"Credentials": {"email", "password"}, "RefreshBody": {"refresh_token"}, "LogLevelBody": {"level"},
	"Problem": {"error"}, "ErrorBody": {"code", "message", "message_i18n", "details", "trace_id", "retryable", "doc_url"},
}

// complete finishes the document once all operations are registered; from then
// on it does not change.
func (s *server) complete() error {
	all := s.schemas().Map()
	delete(all, "ErrorModel") // huma's own errors, which never leave this package
	delete(all, "ErrorDetail")
	var texts map[string]string
	if err := json.Unmarshal(descriptions, &texts); err != nil {
		return fmt.Errorf("read descriptions: %w", err)
	}
	for name, schema := range all {
		if fields := requiredFields[name]; fields != nil {
			schema.Required = fields
		}
		describe(schema, strings.TrimSuffix(name, "Patch"), texts)
	}
	return nil
}

// render returns the completed document as JSON, in a stable order.
func (s *server) render() ([]byte, error) {
	text, err := json.MarshalIndent(s.api.OpenAPI(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the OpenAPI document: %w", err)
	}
	return append(text, '\n'), nil
}

// describe fills in descriptions that the code's comments give.
func describe(schema *huma.Schema, name string, texts map[string]string) {
	if schema.Description == "" {
		schema.Description = texts[name]
	}
	for field, property := range schema.Properties {
		// Lists are left out when they are empty, or empty: never null.
		property.Nullable = property.Nullable && property.Type != huma.TypeArray
		if property.Description != "" {
			continue
		}
		text := texts[name+"."+field]
		if text == "" {
			text = texts["Meta."+field]
		}
		if property.Ref != "" || text == "" {
			continue
		}
		described := *property
		described.Description = text
		schema.Properties[field] = &described
	}
}

// operations lists the documented operations of a path in a fixed order.
func operations(item *huma.PathItem) []*huma.Operation {
	all := []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete}
	return slices.DeleteFunc(all, func(op *huma.Operation) bool { return op == nil })
}
