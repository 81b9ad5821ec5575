package api_test

import (
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite golden files")

// TestDescriptions keeps the field descriptions of the OpenAPI document equal
// to the root package's doc comments; without it the two would drift apart.
func TestDescriptions(t *testing.T) {
	golden(t, "descriptions.json", func() []byte {
		text, err := json.MarshalIndent(rootComments(t), "", "  ") // keys come out sorted
		if err != nil {
			t.Fatal(err)
		}
		return append(text, '\n')
	}())
}

// golden compares text with a file, or rewrites the file.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(got) {
		t.Errorf("%s is out of date: run go test ./internal/api -update and review the difference\n%s", file, firstDifference(string(want), string(got)))
	}
}

// firstDifference shows where two texts part.
func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return "- " + w[i] + "\n+ " + g[i]
		}
	}
	return "one continues where the other ends"
}

// rootComments reads the doc comments of the exported structs of the root
// package, by "Type" and "Type.json_name".
func rootComments(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	files, err := filepath.Glob("../../*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			if general, ok := decl.(*ast.GenDecl); ok {
				collectTypes(general, out)
			}
		}
	}
	return out
}

func collectTypes(decl *ast.GenDecl, out map[string]string) {
	for _, spec := range decl.Specs {
		typ, ok := spec.(*ast.TypeSpec)
		if !ok {
			continue
		}
		body, ok := typ.Type.(*ast.StructType)
		if !ok || !typ.Name.IsExported() {
			continue
		}
		if doc := flat(decl.Doc.Text()); doc != "" {
			out[typ.Name.Name] = doc
		}
		for _, field := range body.Fields.List {
			doc := flat(field.Doc.Text() + field.Comment.Text())
			name := jsonTag(field)
			if doc == "" || name == "" || strings.Contains(doc, "[Object]") {
				continue
			}
			out[typ.Name.Name+"."+name] = doc
		}
	}
}

func jsonTag(field *ast.Field) string {
	if field.Tag == nil {
		return ""
	}
	name, _, _ := strings.Cut(reflect.StructTag(strings.Trim(field.Tag.Value, "`")).Get("json"), ",")
	return name
}

var docLink = regexp.MustCompile(`\[([A-Z][A-Za-z.]*)\]`)

// flat joins a comment's lines and drops the brackets of Go's doc links.
func flat(comment string) string {
	return docLink.ReplaceAllString(strings.Join(strings.Fields(comment), " "), "$1")
}
