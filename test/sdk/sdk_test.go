// Package sdk_test starts the real binary and runs the official SDKs of OpenAI,
// Anthropic and Google for Go, Node and Python against it, unchanged, with
// scripted providers of each protocol behind it. They are the judges of whether
// "works with the SDK you already use" is true, whoever answers.
package sdk_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/test/process"
)

func TestMain(m *testing.M) { process.Main(m) }

// suite is what an SDK suite is given.
type suite struct{ env []string }

// newSuite starts a server with the scripted providers and makes two keys: one
// without limits, one that may ask once a minute.
func newSuite(t *testing.T) suite {
	t.Helper()
	p := process.Start(t, process.Options{})
	admin := p.Admin(t)
	newTargets(t).install(t, admin)
	mint := func(name string, rpm int64) string {
		key, err := admin.Keys().Create(t.Context(), sluice.Key{Meta: sluice.Meta{Name: name}, RPM: &rpm, TPM: new(int64(0))}, sluice.WriteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return key.Token
	}
	return suite{env: append(os.Environ(),
		"SLUICE_TEST_BASE_URL="+p.Gateway+"/v1", "SLUICE_TEST_TARGETS=all",
		"SLUICE_TEST_KEY="+mint("sdk", 0),
		"SLUICE_TEST_LIMITED_KEY="+mint("sdk-limited", 1),
	)}
}

// run runs a suite in its own language and shows what it printed.
func (s suite) run(t *testing.T, dir string, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = s.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	t.Logf("%s", out)
}

// missing skips a suite whose SDK is not installed, and fails where nothing may
// be skipped.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", what)
	}
	t.Skipf("%s is not installed; make test installs it", what)
}

// TestGo runs the suite of the Go SDK.
func TestGo(t *testing.T) { runGo(t, newSuite) }

func runGo(t *testing.T, start func(*testing.T) suite) {
	t.Helper()
	start(t).run(t, "go", "go", "test", "-count=1", "./...")
}

// TestNode runs the suite of the Node SDK.
func TestNode(t *testing.T) { runNode(t, newSuite) }

func runNode(t *testing.T, start func(*testing.T) suite) {
	t.Helper()
	modules := os.Getenv("SLUICE_TEST_NODE_MODULES")
	if modules == "" {
		modules = inCache(t, "node-sdk/node_modules")
	}
	if _, err := os.Stat(filepath.Join(modules, "openai")); err != nil {
		missing(t, "the Node SDK")
	}
	s := start(t)
	s.env = append(s.env, "SLUICE_TEST_NODE_MODULES="+modules)
	s.run(t, "node", "node", "--test")
}

// TestPython runs the suite of the Python SDK.
func TestPython(t *testing.T) { runPython(t, newSuite) }

func runPython(t *testing.T, start func(*testing.T) suite) {
	t.Helper()
	python := os.Getenv("SLUICE_TEST_PYTHON")
	if python == "" {
		python = inCache(t, "venv/bin/python")
	}
	if _, err := os.Stat(python); err != nil {
		missing(t, "the Python SDK")
	}
	start(t).run(t, "python", python, "-m", "unittest", "-v")
}

// TestLangChain runs the suite of LangChain's chat models: without it nobody would
// notice that they read more, or more strictly, than the SDKs that they wrap.
func TestLangChain(t *testing.T) {
	python := os.Getenv("SLUICE_TEST_LANGCHAIN")
	if python == "" {
		python = inCache(t, "langchain/bin/python")
	}
	if _, err := os.Stat(python); err != nil {
		missing(t, "LangChain")
	}
	newSuite(t).run(t, "langchain", python, "-m", "unittest", "-v")
}

// inCache is where scripts/test-setup.sh puts things.
func inCache(t *testing.T, path string) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, ".cache", path)
}
