package api

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluicegate/sluice"
)

// docsView is the documentation page: the OpenAPI document for people, whole
// and without a script, so that it works offline.
type docsView struct {
	Title, Version, Description string
	Sections                    []docsSection
	Schemas                     []docsSchema
	Codes                       []sluice.Info
}

type docsSection struct {
	Name, Description string
	Operations        []docsOperation
}

type docsOperation struct {
	ID, Method, Path, Summary, Description string
	Open                                   bool
	Params                                 []*huma.Param
	Body                                   docsLink
	Example                                string
	Responses                              []docsResponse
}

type docsResponse struct {
	Status, Description string
	Body                docsLink
}

// docsLink names a type and, when it is a documented schema, its anchor.
type docsLink struct{ Text, Schema string }

type docsSchema struct {
	Name, Description string
	Fields            []docsField
}

type docsField struct {
	Name, Description, Limits string
	Type                      docsLink
	Required                  bool
}

// docsView builds the page's content from the finished document.
func (s *server) docsView() docsView {
	doc := s.api.OpenAPI()
	view := docsView{Title: doc.Info.Title, Version: doc.Info.Version, Description: doc.Info.Description, Codes: sluice.Codes()}
	for _, tag := range doc.Tags {
		section := docsSection{Name: tag.Name, Description: tag.Description}
		for _, path := range sortedKeys(doc.Paths) {
			for _, op := range operations(doc.Paths[path]) {
				if op.Tags[0] == tag.Name {
					section.Operations = append(section.Operations, docsOperationOf(doc, op))
				}
			}
		}
		view.Sections = append(view.Sections, section)
	}
	all := doc.Components.Schemas.Map()
	for _, name := range sortedKeys(all) {
		view.Schemas = append(view.Schemas, docsSchemaOf(name, all[name]))
	}
	return view
}

func docsOperationOf(doc *huma.OpenAPI, op *huma.Operation) docsOperation {
	out := docsOperation{ID: op.OperationID, Method: op.Method, Path: op.Path, Summary: op.Summary, Description: op.Description,
		Open: len(op.Security) == 0, Params: op.Parameters}
	if op.RequestBody != nil {
		for _, media := range sortedKeys(op.RequestBody.Content) {
			out.Body = linkTo(op.RequestBody.Content[media].Schema)
			if example := op.RequestBody.Content[media].Example; example != nil {
				text, _ := json.MarshalIndent(example, "", "  ")
				out.Example = string(text)
			}
		}
	}
	for _, status := range sortedKeys(op.Responses) {
		response := op.Responses[status]
		if code, shared := strings.CutPrefix(response.Ref, responsePrefix); shared {
			response = doc.Components.Responses[code]
		}
		r := docsResponse{Status: status, Description: response.Description}
		if media := response.Content[mediaJSON]; media != nil {
			r.Body = linkTo(media.Schema)
		}
		out.Responses = append(out.Responses, r)
	}
	return out
}

func docsSchemaOf(name string, schema *huma.Schema) docsSchema {
	out := docsSchema{Name: name, Description: schema.Description}
	for _, field := range sortedKeys(schema.Properties) {
		p := schema.Properties[field]
		out.Fields = append(out.Fields, docsField{Name: field, Description: p.Description, Type: linkTo(p), Limits: limitsOf(p),
			Required: slices.Contains(schema.Required, field)})
	}
	return out
}

// linkTo names the type of a schema.
func linkTo(s *huma.Schema) docsLink {
	switch {
	case s == nil:
		return docsLink{}
	case s.Ref != "":
		name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
		return docsLink{name, name}
	case s.Type == huma.TypeArray && s.Items != nil:
		item := linkTo(s.Items)
		return docsLink{"array of " + item.Text, item.Schema}
	case s.Type == "":
		return docsLink{Text: "any"}
	}
	return docsLink{Text: s.Type}
}

// limitsOf says what a value must keep to, beyond its type.
func limitsOf(s *huma.Schema) string {
	var out []string
	if s.ReadOnly {
		out = append(out, "read-only")
	}
	if s.WriteOnly {
		out = append(out, "write-only")
	}
	if s.Format != "" && s.Type == huma.TypeString {
		out = append(out, s.Format)
	}
	for _, limit := range []struct {
		word  string
		value any
		set   bool
	}{{"min", s.Minimum, s.Minimum != nil}, {"max", s.Maximum, s.Maximum != nil}, {"max length", s.MaxLength, s.MaxLength != nil},
		{"max items", s.MaxItems, s.MaxItems != nil}, {"one of", s.Enum, len(s.Enum) > 0}} {
		if limit.set {
			text, _ := json.Marshal(limit.value)
			out = append(out, limit.word+" "+strings.Trim(string(text), "[]"))
		}
	}
	return strings.Join(out, ", ")
}

// sortedKeys returns the keys of a map in order.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
