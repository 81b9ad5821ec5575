package api_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sluicegate/sluice/test/controlsuite"
)

// document is as much of an OpenAPI document as the tests look at.
type document struct {
	OpenAPI    string `json:"openapi"`
	Info       map[string]any
	Paths      map[string]map[string]operation
	Components struct {
		Schemas, Responses, Examples map[string]json.RawMessage
		SecuritySchemes              map[string]any
	}
	Tags []struct{ Name string }
}

type operation struct {
	OperationID string `json:"operationId"`
	Summary     string
	Tags        []string
	Parameters  []struct {
		Name, In string
		Required bool
	}
	RequestBody *struct {
		Content map[string]struct{ Example json.RawMessage }
	} `json:"requestBody"`
	Responses map[string]json.RawMessage
	Security  []map[string][]string
}

// route is one operation with where it is.
type route struct {
	operation
	method, path string
}

// open reports whether the operation needs no credential.
func (r route) open() bool { return len(r.Security) == 0 }

// readDocument fetches the document and lists its operations in a fixed order.
func readDocument(t *testing.T, w *controlsuite.World) (document, []route) {
	t.Helper()
	doc := decode[document](t, do(t, w, call{method: "GET", path: "/openapi.json"}), 200)
	var routes []route
	for path, item := range doc.Paths {
		for method, op := range item {
			routes = append(routes, route{op, strings.ToUpper(method), path})
		}
	}
	slices.SortFunc(routes, func(a, b route) int { return strings.Compare(a.OperationID, b.OperationID) })
	return doc, routes
}

// TestDocumentIsStable shows every change of the public contract in review.
func TestDocumentIsStable(t *testing.T) {
	first := do(t, controlsuite.Start(t, nil), call{method: "GET", path: "/openapi.json"})
	second := do(t, controlsuite.Start(t, nil), call{method: "GET", path: "/openapi.json"})
	if string(first.body) != string(second.body) {
		t.Error("two servers of one build give different documents")
	}
	golden(t, "testdata/openapi.json", first.body)
}

var pathParam = regexp.MustCompile(`\{(\w+)\}`)

// TestDocumentIsOpenAPI31 keeps generators of SDKs working: ids are unique,
// parameters match their paths, every reference leads somewhere.
func TestDocumentIsOpenAPI31(t *testing.T) {
	w := controlsuite.Start(t, nil)
	doc, routes := readDocument(t, w)
	if doc.OpenAPI != "3.1.0" || doc.Info["title"] == "" || doc.Info["version"] == "" {
		t.Errorf("head: openapi %q, info %v", doc.OpenAPI, doc.Info)
	}
	ids := map[string]bool{}
	for _, r := range routes {
		if r.OperationID == "" || ids[r.OperationID] || r.Summary == "" || len(r.Tags) != 1 {
			t.Errorf("%s %s: id %q, summary %q, tags %v", r.method, r.path, r.OperationID, r.Summary, r.Tags)
		}
		ids[r.OperationID] = true
		checkParameters(t, r)
		checkResponses(t, r)
	}
	checkReferences(t, do(t, w, call{method: "GET", path: "/openapi.json"}).body, doc)
}

func checkParameters(t *testing.T, r route) {
	t.Helper()
	var want, got []string
	for _, m := range pathParam.FindAllStringSubmatch(r.path, -1) {
		want = append(want, m[1])
	}
	seen := map[string]bool{}
	for _, p := range r.Parameters {
		if seen[p.In+p.Name] {
			t.Errorf("%s: parameter %s twice", r.OperationID, p.Name)
		}
		seen[p.In+p.Name] = true
		if p.In == "path" && p.Required {
			got = append(got, p.Name)
		}
	}
	if !slices.Equal(want, got) {
		t.Errorf("%s: path parameters %v, path has %v", r.OperationID, got, want)
	}
}

func checkResponses(t *testing.T, r route) {
	t.Helper()
	success := false
	for status := range r.Responses {
		success = success || status[0] == '2'
	}
	if !success || r.Responses["500"] == nil || !r.open() && (r.Responses["401"] == nil || r.Responses["403"] == nil) {
		t.Errorf("%s documents %d responses, not the ones that every operation has", r.OperationID, len(r.Responses))
	}
	if r.RequestBody != nil && r.Responses["415"] == nil {
		t.Errorf("%s takes a body and does not document 415", r.OperationID)
	}
	if (r.method == "POST" || r.method == "PUT" || r.method == "PATCH") && r.RequestBody == nil && !bodiless[r.OperationID] {
		t.Errorf("%s documents no body", r.OperationID)
	}
}

// bodiless are the writes that take no body.
var bodiless = map[string]bool{"sync-snapshot": true, "disable-user": true, "verify-audit": true}

var reference = regexp.MustCompile(`"\$ref": "#/components/(\w+)/([\w.-]+)"`)

func checkReferences(t *testing.T, text []byte, doc document) {
	t.Helper()
	for _, m := range reference.FindAllStringSubmatch(string(text), -1) {
		section := map[string]map[string]json.RawMessage{"schemas": doc.Components.Schemas, "responses": doc.Components.Responses, "examples": doc.Components.Examples}[m[1]]
		if section[m[2]] == nil {
			t.Errorf("%s leads nowhere", m[0])
		}
	}
	for _, name := range []string{"bearer", "session"} {
		if doc.Components.SecuritySchemes[name] == nil {
			t.Errorf("security scheme %s is missing", name)
		}
	}
	if doc.Components.Schemas["ErrorModel"] != nil {
		t.Error("the library's own error shape is documented, which nobody ever gets")
	}
}
