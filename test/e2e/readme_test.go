package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sluicegate/sluice/test/process"
)

// TestReadmeCommands runs the command line as the README shows it: what is
// printed there is what people type.
func TestReadmeCommands(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```sh\n(go install [^`]*)```").FindSubmatch(readme)
	if block == nil {
		t.Fatal("the README has no commands")
	}
	p := process.Start(t, process.Options{})
	p.SetUp(t)
	script := "set -euo pipefail\n" + strings.Replace(string(block[1]), "go install ./cmd/sluice && ", "", 1)
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
	cmd.Dir = p.Dir
	cmd.Env = append(os.Environ(), "HOME="+p.Dir, "PATH="+filepath.Dir(process.Binary(t))+":"+os.Getenv("PATH"), "OPENAI_API_KEY=sk-of-the-readme",
		"SLUICE_SERVER="+p.Control, "SLUICE_EMAIL="+process.AdminEmail, "SLUICE_PASSWORD="+process.AdminPassword)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !regexp.MustCompile(`slc_dev_\w+`).Match(out) || strings.Contains(string(out), "sk-of-the-readme") {
		t.Errorf("a key is to be shown once, a credential never:\n%s", out)
	}
	eventually(t, "the route is live", func() bool { return do(t, "GET", p.Gateway+"/orders/1", "", "").status == 401 })
}
