package e2e_test

import (
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/sluicegate/sluice/test/process"
)

// composeFile is what the test knows of compose.yaml.
type composeFile struct {
	Services map[string]composeService `json:"services"`
	Volumes  map[string]any            `json:"volumes"`
}

type composeService struct {
	Image       string            `json:"image"`
	Command     []string          `json:"command"`
	Environment map[string]string `json:"environment"`
	Ports       []string          `json:"ports"`
	Volumes     []string          `json:"volumes"`
	DependsOn   any               `json:"depends_on"`
	ReadOnly    bool              `json:"read_only"`
}

// secretsOfEnvFile stand for what .env must have.
var secretsOfEnvFile = map[string]string{
	"SLUICE_MASTER_KEY": "8f1c0b7e5a2d49637be0d1c4f5a6978812345678a0b1c2d3e4f5061728394a5b", "SLUICE_JWT_SECRET": "q8R7mN2pL5xK9wZ3vB6tY1cF4hJ0sD8a",
	"SLUICE_PLANE_TOKEN": planeToken, "SLUICE_REDIS_PASSWORD": "hT5kP9wQ2xL7", "POSTGRES_PASSWORD": "mV3nR8sB6yD1",
}

// TestShippedFiles holds what cannot be run here to what the binary accepts.
// Losing this means that an installation as shipped does not start: a variable
// that was renamed, a port that nobody listens on, a service that does not exist.
func TestShippedFiles(t *testing.T) {
	t.Parallel()
	image := imageEnvironment(t)
	var compose composeFile
	if err := yaml.UnmarshalStrict([]byte(shipped(t, "compose.yaml")), &map[string]any{}); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(shipped(t, "compose.yaml")), &compose); err != nil {
		t.Fatal(err)
	}
	roles := 0
	for name, s := range compose.Services {
		checkReferences(t, &compose, name, s)
		if s.Image != "sluice" {
			continue
		}
		roles++
		if !s.ReadOnly {
			t.Errorf("%s may write outside its volume", name)
		}
		env := maps.Clone(image)
		maps.Copy(env, s.Environment)
		lint(t, name, s.Command[0], env)
		for _, p := range s.Ports {
			if inside := p[strings.LastIndex(p, ":"):]; inside != portOf(env["SLUICE_CONTROL_ADDR"]) {
				t.Errorf("%s publishes %s, and control listens on %s", name, p, env["SLUICE_CONTROL_ADDR"])
			}
		}
	}
	if roles != 3 {
		t.Errorf("%d services of ours", roles)
	}
	checkNginx(t, &compose)
	checkUnit(t)
}

// shipped reads a file of the repository's root.
func shipped(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// imageEnvironment is what the image sets. It checks that the image exposes the
// ports of the listeners and starts a command that there is.
func imageEnvironment(t *testing.T) map[string]string {
	t.Helper()
	text := shipped(t, "Dockerfile")
	env := map[string]string{}
	for _, m := range regexp.MustCompile(`\b([A-Z][A-Z_]+)=(\S+)`).FindAllStringSubmatch(text[strings.Index(text, "\nENV "):], -1) {
		env[m[1]] = m[2]
	}
	listeners := []string{":8080", portOf(env["SLUICE_CONTROL_ADDR"]), portOf(env["SLUICE_STATUS_ADDR"])}
	if want := "EXPOSE " + strings.ReplaceAll(strings.Join(listeners, " "), ":", "") + "\n"; !strings.Contains(text, want) {
		t.Errorf("the image does not %q", want)
	}
	for _, want := range []string{"CGO_ENABLED=0", "FROM scratch", "USER 65532:65532", "VOLUME " + env["SLUICE_DATA_DIR"]} {
		if !strings.Contains(text, want) {
			t.Errorf("the image lacks %q", want)
		}
	}
	if out, status := process.Run(t, process.Options{}, "serve", "--help"); status != 0 || !strings.Contains(text, `CMD ["serve"]`) {
		t.Errorf("the image's command: %d %s", status, out)
	}
	return env
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return ":" + port
}

// checkReferences looks for what a service names in the rest of the file.
func checkReferences(t *testing.T, f *composeFile, name string, s composeService) {
	t.Helper()
	var needs []string
	switch d := s.DependsOn.(type) {
	case []any:
		for _, n := range d {
			needs = append(needs, fmt.Sprint(n))
		}
	case map[string]any:
		needs = slices.Collect(maps.Keys(d))
	}
	for _, n := range needs {
		if _, ok := f.Services[n]; !ok {
			t.Errorf("%s needs %s, which there is not", name, n)
		}
	}
	for _, v := range s.Volumes {
		source, _, _ := strings.Cut(v, ":")
		if strings.HasPrefix(source, "./") {
			shipped(t, source)
		} else if _, ok := f.Volumes[source]; !ok {
			t.Errorf("%s mounts %s, which there is not", name, source)
		}
	}
	for _, value := range s.Environment {
		if m := regexp.MustCompile(`(?:http://|host=)?([a-z][a-z0-9-]*):(?:8081|6379)`).FindStringSubmatch(value); m != nil {
			if _, ok := f.Services[m[1]]; !ok {
				t.Errorf("%s asks %s, which there is not", name, m[1])
			}
		}
	}
}

// lint has the binary judge an environment: no error, and no variable that it
// does not know.
func lint(t *testing.T, name, role string, env map[string]string) {
	t.Helper()
	var list []string
	for k, v := range env {
		list = append(list, k+"="+os.Expand(v, func(variable string) string { return secretsOfEnvFile[strings.TrimSuffix(variable, ":?")] }))
	}
	out, status := process.Run(t, process.Options{Env: list}, "config", "lint", "--role", role)
	if status != 0 || strings.Contains(out, "warning") {
		t.Errorf("%s: %d\n%s", name, status, out)
	}
}

// checkNginx has nginx judge its configuration, with names that resolve here.
func checkNginx(t *testing.T, f *composeFile) {
	t.Helper()
	text := shipped(t, "deploy/nginx.conf")
	servers := regexp.MustCompile(`server ([a-z0-9-]+)(:\d+);`).FindAllStringSubmatch(text, -1)
	for _, m := range servers {
		if s, ok := f.Services[m[1]]; !ok || m[2] != ":8080" || s.Command[0] != "gateway" {
			t.Errorf("nginx forwards to %s%s", m[1], m[2])
		}
		text = strings.ReplaceAll(text, m[1], "127.0.0.1")
	}
	if len(servers) != 2 {
		t.Errorf("nginx forwards to %v", servers)
	}
	program, err := exec.LookPath("nginx")
	if err != nil {
		t.Log("nginx is not installed: its configuration is only read")
		return
	}
	dir := t.TempDir()
	main := fmt.Sprintf("pid %s/pid;\nerror_log stderr;\nevents {}\nhttp { access_log off;\n%s\n}\n", dir, strings.Replace(text, "listen 80;", "listen unix:"+dir+"/socket;", 1))
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(main), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(program, "-t", "-p", dir, "-e", "stderr", "-c", file).CombinedOutput(); err != nil {
		t.Errorf("nginx -t: %v\n%s", err, out)
	}
}

// checkUnit has systemd judge the unit, with a binary that there is, and the
// binary judge what the unit sets.
func checkUnit(t *testing.T) {
	t.Helper()
	text := shipped(t, "deploy/sluice@.service")
	const installed = "/usr/local/bin/sluice"
	if !strings.Contains(text, "ExecStart="+installed+" %i\n") {
		t.Error("the unit starts something else")
	}
	env := map[string]string{"SLUICE_DATA_DIR": "/var/lib/sluice-gateway", "EZ_REDIS_ADDR": "redis:6379", "SLUICE_CONTROL_URL": "http://control:8081"}
	if !strings.Contains(text, "Environment=SLUICE_DATA_DIR=/var/lib/sluice-%i\n") {
		t.Error("the unit sets another data folder")
	}
	for _, k := range []string{"SLUICE_MASTER_KEY", "SLUICE_PLANE_TOKEN"} {
		env[k] = secretsOfEnvFile[k]
	}
	lint(t, "the unit", "gateway", env)
	program, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd is not installed: the unit is only read")
		return
	}
	file := filepath.Join(t.TempDir(), "sluice@.service")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, installed, process.Binary(t))), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(program, "verify", "--man=no", file).CombinedOutput(); err != nil || strings.Contains(string(out), "sluice@") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
