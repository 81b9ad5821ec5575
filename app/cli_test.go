package app_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/app"
	"github.com/sluicegate/sluice/internal/api"
	"github.com/sluicegate/sluice/test/controlsuite"
)

// cliRun runs one command line of the administration commands and returns what
// it printed, errors included.
func cliRun(t *testing.T, environ map[string]string, stdin string, args ...string) (out string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	getenv := func(name string) string { return environ[name] }
	err = app.RunCLI(t.Context(), strings.NewReader(stdin), &stdout, &stderr, getenv, args)
	return stdout.String() + stderr.String(), err
}

// cliVolatile is what differs from run to run.
var cliVolatile = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`http://127\.0\.0\.1:\d+`), "http://server"},
	{regexp.MustCompile(`slc_test_[0-9A-Za-z]{10}(_\w+)?`), "slc_test_…"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ][\d:.]+Z?`), "<time>"},
	{regexp.MustCompile(`[0-9a-f]{64}`), "<hash>"},
	{regexp.MustCompile(` +(\n|$)`), "$1"},
}

// TestCLI runs the command lines of testdata/cli.txt, in order, against a real
// server: each is a line that begins with "$ ", what is typed, ----, and what
// is printed. Without it what people and scripts read would change unseen.
func TestCLI(t *testing.T) {
	const file = "testdata/cli.txt"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w := controlsuite.StartPeopled(t, func(cfg *api.Config) {
		cfg.Gateways = func() []sluice.GatewayStatus {
			return []sluice.GatewayStatus{
				{Gateway: "gw-1", Health: "ok", Revision: 7, Active: 2, Journal: &sluice.JournalStatus{Last: "3:120", Synced: "3:119", Shipped: "3:100", WaitingMS: 1500, Bytes: 40960}},
				{Gateway: "gw-2", Health: "ok", Revision: 7, Journal: &sluice.JournalStatus{Last: "1:5", Synced: "1:4", Shipped: "1:4", Failing: "no space left on device"}},
				{Gateway: "gw-3", Health: "refused", Revision: 6, Refused: 7, Reason: "it lost more than half of its keys"},
			}
		}
	})
	environ := map[string]string{"SLUICE_SERVER": w.URL, "HOME": t.TempDir()}
	var out strings.Builder
	for i, block := range strings.Split(strings.TrimSpace(string(text)), "\n\n\n") {
		command, _, _ := strings.Cut(block, "\n----")
		line, stdin, _ := strings.Cut(command, "\n")
		printed, err := cliRun(t, environ, stdin, splitLine(strings.TrimPrefix(line, "$ sluice "))...)
		for _, v := range cliVolatile {
			printed = v.pattern.ReplaceAllString(printed, v.with)
		}
		if i > 0 {
			out.WriteString("\n\n\n")
		}
		fmt.Fprintf(&out, "%s\n----\n", command)
		if err != nil {
			out.WriteString("(error) ")
		}
		out.WriteString(strings.TrimSpace(printed))
	}
	cliGolden(t, file, out.String()+"\n")
}

// cliGolden compares with a file, or rewrites it.
func cliGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s is out of date: run go test ./app -update and review the difference; got\n%s", file, got)
	}
}

// splitLine splits a command line at spaces outside of single quotes.
func splitLine(line string) []string {
	var words []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words[len(words)-1] += part
			continue
		}
		fields := strings.Fields(part)
		words = append(words, fields...)
		if strings.HasSuffix(part, " ") {
			words = append(words, "")
		}
	}
	return compactWords(words)
}

// compactWords drops the empty words that splitting leaves.
func compactWords(words []string) []string {
	out := words[:0]
	for _, w := range words {
		if w != "" {
			out = append(out, w)
		}
	}
	return out
}

// TestLoginKeepsTokensPrivate keeps other users of the machine from acting as
// whoever signed in, and renews what has been refreshed.
func TestLoginKeepsTokensPrivate(t *testing.T) {
	w := controlsuite.StartPeopled(t, nil)
	home := t.TempDir()
	environ := map[string]string{"SLUICE_SERVER": w.URL, "HOME": home, "SLUICE_EMAIL": controlsuite.AcmeDev.Email(), "SLUICE_PASSWORD": controlsuite.Password}
	if out, err := cliRun(t, environ, "", "login"); err != nil {
		t.Fatal(out)
	}
	path := filepath.Join(home, ".config", "sluice", "credentials.json")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, mode %v", err, info.Mode())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	spoilt := regexp.MustCompile(`"access_token": "[^"]+"`).ReplaceAll(text, []byte(`"access_token": "expired"`))
	if err := os.WriteFile(path, spoilt, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := cliRun(t, environ, "", "keys", "list"); err != nil {
		t.Fatalf("an expired access token is not renewed: %s", out)
	}
	if after, err := os.ReadFile(path); err != nil || bytes.Equal(after, spoilt) {
		t.Errorf("the renewed tokens are not kept: %v", err)
	}
	if out, err := cliRun(t, environ, "", "logout"); err != nil {
		t.Fatal(out)
	}
	if _, err := cliRun(t, environ, "", "keys", "list"); sluice.CodeOf(err) != sluice.CodeUnauthorized {
		t.Errorf("after logout: %v", err)
	}
}

// TestListAsInput lets what one server prints be applied to another: a backup
// that cannot be read back is none.
func TestListAsInput(t *testing.T) {
	w := controlsuite.StartPeopled(t, nil)
	environ := map[string]string{"SLUICE_SERVER": w.URL, "SLUICE_TOKEN": w.Token(t, controlsuite.Root)}
	for _, line := range []string{"providers create demo-2 --type demo --api-key secret", "models create meta/llama --cost-per-token 0.0000006 --supports-vision false",
		"upstreams create orders --set nodes=[{\"host\":\"10.0.0.7\",\"port\":80}]", "keys create checkout --models meta/* --expires-at 2099-01-31T12:00:00Z"} {
		if out, err := cliRun(t, environ, "", strings.Fields(line)...); err != nil {
			t.Fatal(out)
		}
	}
	for _, kind := range []string{"tenants", "users", "groups", "routes", "models", "providers", "upstreams", "keys"} {
		for _, format := range []string{"yaml", "json"} {
			listed, err := cliRun(t, environ, "", kind, "list", "-o", format)
			if err != nil {
				t.Fatal(listed)
			}
			if !strings.Contains(listed, "name") {
				t.Errorf("there are no %s to apply", kind)
			}
			if out, err := cliRun(t, environ, listed, kind, "apply", "-f", "-"); err != nil {
				t.Errorf("%s as %s: %s", kind, format, out)
			}
			if again, _ := cliRun(t, environ, "", kind, "list", "-o", format); again != listed {
				t.Errorf("applying %s as %s changed them:\n%s\n%s", kind, format, listed, again)
			}
		}
	}
}
