package e2e_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"encoding/json"

	"github.com/sluicegate/sluice/test/process"
)

const (
	goodMaster  = "SLUICE_MASTER_KEY=8f1c0b7e5a2d49637be0d1c4f5a6978812345678a0b1c2d3e4f5061728394a5b"
	otherMaster = "SLUICE_MASTER_KEY=a81c0b7e5a2d49637be0d1c4f5a6978812345678a0b1c2d3e4f5061728394a77"
	goodJWT     = "SLUICE_JWT_SECRET=q8R7mN2pL5xK9wZ3vB6tY1cF4hJ0sD8a"
)

func plugins(name, config string) map[string]json.RawMessage {
	return map[string]json.RawMessage{name: json.RawMessage(config)}
}

func hostPort(t *testing.T, a net.Addr) (string, int) {
	t.Helper()
	host, text, err := net.SplitHostPort(a.String())
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

// TestSecondProcessIsRefused: two processes on one database would each serve
// what the other does not know.
func TestSecondProcessIsRefused(t *testing.T) {
	p := process.Start(t, process.Options{})
	out, status := process.Run(t, process.Options{Dir: p.Dir}, "serve", "--dev")
	if status != 1 || !strings.Contains(out, "CONFIG_003") || !strings.Contains(out, fmt.Sprintf("pid %d", p.PID())) || !strings.Contains(out, "SLUICE_DATA_DIR") {
		t.Errorf("status %d\n%s", status, out)
	}
	if got := chat(t, p, p.Key); got.status != 200 {
		t.Errorf("the first process suffered: %d %s", got.status, got.body)
	}
}

// TestBusyPortNamesTheSetting turns the commonest failure of a first run into
// something to do.
func TestBusyPortNamesTheSetting(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	_, port := hostPort(t, busy.Addr())
	for _, variable := range []string{"SLUICE_GATEWAY_ADDR", "SLUICE_CONTROL_ADDR", "SLUICE_STATUS_ADDR"} {
		out, status := process.Run(t, process.Options{Env: []string{variable + "=" + busy.Addr().String()}}, "serve", "--dev")
		if status != 1 || !strings.Contains(out, "CONFIG_002") || !strings.Contains(out, variable) {
			t.Errorf("%s: status %d\n%s", variable, status, out)
		}
	}
	out, status := process.Run(t, process.Options{Env: []string{fmt.Sprintf("EZ_API_PORT=%d", port)}}, "serve", "--dev")
	if status != 1 || !strings.Contains(out, "EZ_API_PORT") {
		t.Errorf("EZ_API_PORT: status %d\n%s", status, out)
	}
}

// TestProductionNeedsSecrets: no installation runs on secrets that everybody
// knows (feature E4).
func TestProductionNeedsSecrets(t *testing.T) {
	out, status := process.Run(t, process.Options{}, "serve")
	if status == 0 || !strings.Contains(out, "SLUICE_MASTER_KEY") || !strings.Contains(out, "SLUICE_JWT_SECRET") {
		t.Errorf("without secrets: status %d\n%s", status, out)
	}
	out, status = process.Run(t, process.Options{Env: []string{goodMaster, "SLUICE_JWT_SECRET=changeme"}}, "serve")
	if status == 0 || !strings.Contains(out, "well-known default") {
		t.Errorf("with a default: status %d\n%s", status, out)
	}
}

// TestProductionStart serves without --dev: no demo objects, no key on the
// screen, but a way in.
func TestProductionStart(t *testing.T) {
	p := process.Start(t, process.Options{Production: true, Env: []string{goodMaster, goodJWT}})
	if p.Curl != "" || p.SetupLink == "" {
		t.Errorf("printed:\n%s", p.Stdout())
	}
	p.Admin(t)
	if got := chat(t, p, "slc_live_none"); got.status != 401 {
		t.Errorf("a stranger gets %d %s", got.status, got.body)
	}
	if _, err := os.Stat(filepath.Join(p.Dir, "data", "master.key")); err == nil {
		t.Error("a master key was written beside the data that it seals")
	}
}

// TestWrongMasterKeyIsNotReady: serving without being able to open credentials
// would fail every call, and ending would hide the reason from probes.
func TestWrongMasterKeyIsNotReady(t *testing.T) {
	p := process.Start(t, process.Options{Production: true, Env: []string{goodMaster, goodJWT}})
	p.Stop(t)
	p = process.Start(t, process.Options{Production: true, Dir: p.Dir, Env: []string{otherMaster, goodJWT}})
	for _, base := range []string{p.Gateway, p.Control, p.Status} {
		if got := do(t, "GET", base+"/health", "", ""); got.status != 200 {
			t.Errorf("health of %s: %d %s", base, got.status, got.body)
		}
		if got := do(t, "GET", base+"/ready", "", ""); got.status != 503 || !strings.Contains(got.body, "master key") {
			t.Errorf("readiness of %s: %d %s", base, got.status, got.body)
		}
	}
	if got := chat(t, p, "slc_live_none"); got.status != 503 || !strings.Contains(got.body, "CONFIG_004") {
		t.Errorf("a call gets %d %s", got.status, got.body)
	}
	p.Signal(t, syscall.SIGTERM)
	if status := p.Wait(t); status != 1 || !strings.Contains(p.Stderr(), "CONFIG_004") {
		t.Errorf("status %d\n%s", status, p.Stderr())
	}
}

// TestDamagedDatabaseIsNamed: an operator must learn which file, not see a
// stack trace.
func TestDamagedDatabaseIsNamed(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "data", "sluice.db"), []byte(strings.Repeat("this is no database ", 400)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, status := process.Run(t, process.Options{Dir: dir}, "serve", "--dev")
	if status != 1 || !strings.Contains(out, "CONFIG_005") || !strings.Contains(out, "sluice.db") {
		t.Errorf("status %d\n%s", status, out)
	}
}

// TestDamagedPagesAreNamed: a file with a good beginning fails somewhere in its
// catalogue, with whatever error of SQL that gives.
func TestDamagedPagesAreNamed(t *testing.T) {
	p := process.Start(t, process.Options{})
	p.Stop(t)
	f, err := os.OpenFile(filepath.Join(p.Dir, "data", "sluice.db"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte(strings.Repeat("damaged ", 8000)), 100); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	out, status := process.Run(t, process.Options{Dir: p.Dir}, "serve", "--dev")
	if status != 1 || !strings.Contains(out, "CONFIG_005") || !strings.Contains(out, "sluice.db") || !strings.Contains(out, "damaged") {
		t.Errorf("status %d\n%s", status, out)
	}
}

// TestDrain ends running streams in good order on SIGTERM, refuses new clients,
// and ends at once at a second signal.
func TestDrain(t *testing.T) {
	p := process.Start(t, process.Options{})
	stream := openStream(t, p)
	p.Signal(t, syscall.SIGTERM)
	if rest := stream.readAll(t); !strings.HasSuffix(strings.TrimSpace(rest), "data: [DONE]") {
		t.Errorf("the stream was cut: %q", rest[max(0, len(rest)-200):])
	}
	if status := p.Wait(t); status != 0 {
		t.Errorf("status %d\n%s", status, p.Stderr())
	}

	again := process.Start(t, process.Options{Dir: p.Dir})
	slow := openStream(t, again)
	defer slow.close()
	again.Signal(t, syscall.SIGTERM)
	eventually(t, "the drain begins", func() bool { return strings.Contains(again.Stderr(), "draining") })
	again.Signal(t, syscall.SIGTERM)
	if status := again.Wait(t); status == 0 {
		t.Error("a second signal did not end the process at once")
	}
}

// TestHangupReadsTheLevelAgain is feature E8 without the API.
func TestHangupReadsTheLevelAgain(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(file, []byte("log: {level: info}"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := process.Start(t, process.Options{Dir: dir})
	if err := os.WriteFile(file, []byte("log: {level: debug}"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Signal(t, syscall.SIGHUP)
	eventually(t, "the level is read again", func() bool { return strings.Contains(p.Stderr(), "log level read again") })
	if err := os.WriteFile(file, []byte("log: {levle: debug}"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Signal(t, syscall.SIGHUP)
	eventually(t, "a broken file is reported", func() bool { return strings.Contains(p.Stderr(), "configuration not read again") })
	if got := chat(t, p, p.Key); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// TestNoSecretInTheLog runs at the chattiest level and looks for everything
// that was secret.
func TestNoSecretInTheLog(t *testing.T) {
	p := process.Start(t, process.Options{Env: []string{"EZ_LOG_LEVEL=debug"}})
	admin := p.Admin(t)
	chat(t, p, p.Key)
	do(t, "GET", p.Gateway+"/v1/models?api_key="+p.Key, "", "")
	do(t, "GET", p.Gateway+"/v1/models", p.Key+"x", "")
	_ = admin
	p.Stop(t)
	token := p.SetupLink[strings.LastIndexByte(p.SetupLink, '=')+1:]
	for name, secret := range map[string]string{"the key": p.Key, "the set-up token": token, "the password": process.AdminPassword} {
		if strings.Contains(p.Stderr(), secret) {
			t.Errorf("%s is in the log", name)
		}
	}
	if len(p.Stderr()) < 100 {
		t.Errorf("there is hardly a log:\n%s", p.Stderr())
	}
}
