package sluice_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sluicegate/sluice"

// mayImport is the import table of docs/ARCHITECTURE.md: for each package, which
// of our own packages its non-test files may import. "*" is every package.
var mayImport = map[string][]string{
	"":                    {},
	"plugin":              {""},
	"plugin/plugintest":   {"", "plugin"},
	"internal/gateway":    {"", "plugin", "internal/dialect", "internal/upstream", "internal/route", "internal/expr", "internal/seal", "internal/netguard", "internal/wire", "internal/journal", "internal/price"},
	"internal/wire":       {""},
	"internal/route":      {"", "internal/expr"},
	"internal/expr":       {""},
	"internal/seal":       {},
	"internal/netguard":   {},
	"internal/plugins":    {"", "plugin", "internal/expr", "internal/limit", "internal/netguard"},
	"internal/dialect":    {"", "plugin"},
	"internal/upstream":   {""},
	"internal/limit":      {""},
	"internal/journal":    {""},
	"internal/ledger":     {""},
	"internal/price":      {""},
	"internal/store":      {"", "internal/ledger"},
	"internal/link":       {"", "internal/journal", "internal/ledger", "internal/limit", "internal/seal", "internal/store"},
	"internal/control":    {"", "plugin", "internal/dialect", "internal/route", "internal/expr", "internal/upstream", "internal/seal", "internal/netguard", "internal/ledger", "internal/price", "internal/store"},
	"internal/api":        {"", "plugin", "internal/control", "web"},
	"internal/worker":     {"", "internal/control", "internal/journal", "internal/ledger", "internal/store", "internal/link", "internal/netguard"},
	"client":              {""},
	"app":                 {"*"},
	"cmd/sluice":          {"app"},
	"internal/sluicetest": {"*"},
	"web":                 {},
}

// stdlibOnly lists packages that import no other module, and the modules that a
// few of them are allowed all the same.
var stdlibOnly = map[string][]string{
	"":                  nil,
	"internal/seal":     {"golang.org/x/crypto"},
	"internal/netguard": nil,
	"internal/gateway":  {"github.com/prometheus/client_golang"}, // metrics
	"internal/route":    nil,
	"internal/upstream": nil,
	"internal/limit":    nil,
	"internal/journal":  nil,
	"internal/ledger":   nil,
	"internal/price":    nil,
	"cmd/sluice":        nil,
}

// drivers may be imported by store and link alone: the data plane opens no
// database.
var drivers = regexp.MustCompile(`^(database/sql|modernc\.org/sqlite|github\.com/(jackc|redis|twmb)/)`)

// goFile is one parsed Go file of this module.
type goFile struct {
	path string // slash-separated, relative to the repository
	dir  string // "" is the root package
	test bool
	set  *token.FileSet
	ast  *ast.File
	text []byte
}

func (f goFile) at(pos token.Pos) string {
	return fmt.Sprintf("%s:%d", f.path, f.set.Position(pos).Line)
}

// goFiles parses every Go file of the module; nested modules (examples, SDK
// suites) follow rules of their own.
func goFiles(t *testing.T) []goFile {
	t.Helper()
	var files []goFile
	walk(t, func(p string) {
		if !strings.HasSuffix(p, ".go") || inNestedModule(p) {
			return
		}
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, p, text, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		dir := path.Dir(p)
		if dir == "." {
			dir = ""
		}
		files = append(files, goFile{path: p, dir: dir, test: strings.HasSuffix(p, "_test.go"), set: set, ast: parsed, text: text})
	})
	if len(files) < 20 {
		t.Fatalf("found only %d Go files: the walk is broken", len(files))
	}
	return files
}

// walk visits the files that belong to the repository, not what a build left.
func walk(t *testing.T, visit func(path string)) {
	t.Helper()
	skip := []string{".git", ".cache", "bin", "data", "node_modules", "__pycache__"}
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			if os.IsNotExist(err) {
				return nil // a file of a running build or editor went away
			}
			return err
		}
		if d.IsDir() {
			if slices.Contains(skip, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		visit(filepath.ToSlash(p))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func inNestedModule(p string) bool {
	for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return true
		}
	}
	return false
}

// owner returns the row of the import table that a directory belongs to: its
// own, or that of the nearest parent.
func owner(dir string) (string, bool) {
	for {
		if _, ok := mayImport[dir]; ok {
			return dir, true
		}
		if dir == "" || !strings.Contains(dir, "/") {
			return "", false
		}
		dir = path.Dir(dir)
	}
}

// TestImportTable holds the architecture: an edge that is not in the table
// couples planes that must be able to run apart.
func TestImportTable(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test || strings.HasPrefix(f.dir, "test/") || strings.HasPrefix(f.dir, "scripts/") {
			continue
		}
		from, ok := owner(f.dir)
		if !ok {
			t.Errorf("%s: package %q is not in the import table", f.path, f.dir)
			continue
		}
		for _, imp := range f.ast.Imports {
			checkImport(t, f, from, strings.Trim(imp.Path.Value, `"`), imp.Pos())
		}
	}
}

func checkImport(t *testing.T, f goFile, from, imported string, pos token.Pos) {
	t.Helper()
	if rest, ours := strings.CutPrefix(imported, module); ours {
		to, ok := owner(strings.TrimPrefix(rest, "/"))
		if allowed := mayImport[from]; !ok || to != from && !slices.Contains(allowed, to) && !slices.Contains(allowed, "*") {
			t.Errorf("%s: %q must not import %s", f.at(pos), from, imported)
		}
		if (to == "internal/sluicetest" || to == "plugin/plugintest") && from != to && from != "internal/sluicetest" {
			t.Errorf("%s: only tests import %s", f.at(pos), imported)
		}
		return
	}
	if drivers.MatchString(imported) && from != "internal/store" && from != "internal/link" && from != "internal/sluicetest" {
		t.Errorf("%s: only internal/store and internal/link open databases, not %q", f.at(pos), from)
	}
	exceptions, only := stdlibOnly[from]
	if only && strings.Contains(strings.Split(imported, "/")[0], ".") &&
		!slices.ContainsFunc(exceptions, func(e string) bool { return strings.HasPrefix(imported, e) }) {
		t.Errorf("%s: %q imports the standard library only, not %s", f.at(pos), from, imported)
	}
}

// TestNoInit keeps start-up in one readable place: nothing runs before main.
func TestNoInit(t *testing.T) {
	for _, f := range goFiles(t) {
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" && !ast.IsGenerated(f.ast) {
				t.Errorf("%s: init()", f.at(fn.Pos()))
			}
		}
	}
}

// TestPackageDocs makes sure that a reader of any package is told what it owns.
func TestPackageDocs(t *testing.T) {
	documented := map[string]bool{}
	for _, f := range goFiles(t) {
		if f.test {
			continue
		}
		doc := f.ast.Doc.Text()
		want := "Package " + f.ast.Name.Name + " "
		if f.ast.Name.Name == "main" {
			want = "Command "
		}
		documented[f.dir] = documented[f.dir] || strings.HasPrefix(doc, want) && len(doc) > 60
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package %q has no doc comment worth the name", dir)
		}
	}
}

// TestExportedDocs makes sure that every exported identifier says what it is
// for; an undocumented export is a contract nobody wrote down.
func TestExportedDocs(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test || f.ast.Name.Name == "main" {
			continue
		}
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && receiverExported(d) && d.Doc.Text() == "" && !wellKnown(d) {
					t.Errorf("%s: %s has no doc comment", f.at(d.Pos()), d.Name.Name)
				}
			case *ast.GenDecl:
				checkSpecDocs(t, f, d)
			}
		}
	}
}

func checkSpecDocs(t *testing.T, f goFile, d *ast.GenDecl) {
	t.Helper()
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && d.Doc.Text() == "" && s.Doc.Text() == "" {
				t.Errorf("%s: type %s has no doc comment", f.at(s.Pos()), s.Name.Name)
			}
		case *ast.ValueSpec:
			if s.Names[0].IsExported() && d.Doc.Text() == "" && s.Doc.Text() == "" && s.Comment.Text() == "" {
				t.Errorf("%s: %s has no doc comment", f.at(s.Pos()), s.Names[0].Name)
			}
		}
	}
}

// receiverExported reports whether a function can be called from outside.
func receiverExported(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

// wellKnown lists methods whose meaning their interface in the standard library
// fixes.
func wellKnown(d *ast.FuncDecl) bool {
	return d.Recv != nil && slices.Contains([]string{"Error", "String", "Unwrap", "Len", "Less", "Swap"}, d.Name.Name)
}

// TestGatewayKnowsNoVendor keeps LLM-ness data on the route: the day a vendor's
// name appears in the pipeline, the two kinds of traffic part ways.
func TestGatewayKnowsNoVendor(t *testing.T) {
	vendor := regexp.MustCompile(`(?i)openai|anthropic|claude|gemini|azure|bedrock|deepseek|qwen|dashscope|mistral|groq|ollama|vllm|moonshot|zhipu`)
	for _, f := range goFiles(t) {
		if f.test || !strings.HasPrefix(f.dir, "internal/gateway") {
			continue
		}
		for i, line := range bytes.Split(f.text, []byte("\n")) {
			if name := vendor.Find(line); name != nil {
				t.Errorf("%s:%d: names %s", f.path, i+1, name)
			}
		}
	}
}

// TestNoFloatsNearMoney forbids binary fractions where amounts are computed.
func TestNoFloatsNearMoney(t *testing.T) {
	files := []string{"money.go", "usage.go", "record.go", "key.go", "model.go", "account.go", "transfer.go", "hold.go", "posting.go", "price.go", "ending.go", "asset.go"}
	dirs := []string{"internal/ledger", "internal/journal", "internal/price"}
	for _, f := range goFiles(t) {
		if !slices.Contains(files, f.path) && !slices.Contains(dirs, f.dir) {
			continue
		}
		if f.test {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Ident:
				if n.Name == "float32" || n.Name == "float64" || n.Name == "ParseFloat" {
					t.Errorf("%s: %s", f.at(n.Pos()), n.Name)
				}
			case *ast.BasicLit:
				if n.Kind == token.FLOAT {
					t.Errorf("%s: the literal %s is a float", f.at(n.Pos()), n.Value)
				}
			}
			return true
		})
	}
}

// TestDependenciesHaveReasons refuses a module that nobody argued for.
func TestDependenciesHaveReasons(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	direct := regexp.MustCompile(`(?m)^\t(\S+) v\S+$`).FindAllSubmatch(mod, -1)
	if len(direct) < 5 {
		t.Fatalf("found only %d direct dependencies", len(direct))
	}
	for _, m := range direct {
		if !regexp.MustCompile("(?m)^\\| `" + regexp.QuoteMeta(string(m[1])) + "` \\| .{20,} \\|$").Match(doc) {
			t.Errorf("%s has no line of reason in docs/ARCHITECTURE.md", m[1])
		}
	}
}

// TestImportTableIsDocumented keeps the page and the test from telling two
// stories.
func TestImportTableIsDocumented(t *testing.T) {
	doc, err := os.ReadFile("docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range goFiles(t) {
		if row, ok := owner(f.dir); ok && row != "" && !f.test && !bytes.Contains(doc, []byte("| `"+row+"` |")) {
			t.Errorf("docs/ARCHITECTURE.md has no row for %s", row)
			return
		}
	}
}

// TestNothingOfOneMachine keeps the repository free of what only one machine
// has: paths of a workplace, hosts that packages were fetched from.
func TestNothingOfOneMachine(t *testing.T) {
	forbidden := regexp.MustCompile(strings.Join([]string{
		`(^|[\s"'=(])/wor` + `k/`, `proxy\.golang` + `\.org`, `registry\.npm` + `js`, `pypi\.or` + `g`, `files\.python` + `hosted`, `/home/[a-z]+/`, `/Users/[a-z]+/`,
	}, "|"))
	walk(t, func(p string) {
		text, err := os.ReadFile(p)
		if err != nil {
			if os.IsNotExist(err) {
				return
			}
			t.Fatal(err)
		}
		if bytes.IndexByte(text, 0) >= 0 {
			return // not text
		}
		for i, line := range bytes.Split(text, []byte("\n")) {
			if hit := forbidden.Find(line); hit != nil {
				t.Errorf("%s:%d: %s", p, i+1, bytes.TrimSpace(hit))
			}
		}
	})
}

// TestNoUnfinishedWork refuses marks of work that was put off.
func TestNoUnfinishedWork(t *testing.T) {
	mark := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)
	for _, f := range goFiles(t) {
		for _, group := range f.ast.Comments {
			for _, c := range group.List {
				if mark.MatchString(c.Text) {
					t.Errorf("%s: %s", f.at(c.Pos()), mark.FindString(c.Text))
				}
			}
		}
	}
}
