package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/client"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/test/process"
)

const planeToken = "k3J9xQ2mW7vB5nR8tY4cL6pZ"

// splitSecrets are what a production installation of several processes shares.
var splitSecrets = []string{
	"SLUICE_MASTER_KEY=8f1c0b7e5a2d49637be0d1c4f5a6978812345678a0b1c2d3e4f5061728394a5b",
	"SLUICE_JWT_SECRET=q8R7mN2pL5xK9wZ3vB6tY1cF4hJ0sD8a", "SLUICE_PRE_STOP=0s", "SLUICE_LOG_FLUSH_MS=100",
}

// installation is a control plane on PostgreSQL and the Redis beside it.
type installation struct {
	postgres *sluicetest.PostgresServer
	redis    *sluicetest.RedisServer
	control  *process.Process
	admin    *client.Client
	env      []string
}

// install starts the servers and control, and adds a provider that answers.
func install(t *testing.T) *installation {
	t.Helper()
	in := &installation{postgres: sluicetest.PrivatePostgres(t), redis: sluicetest.Redis(t)}
	in.env = append(splitSecrets, "EZ_REDIS_ADDR="+in.redis.Addr, "SLUICE_PLANE_TOKEN="+planeToken, "EZ_PG_DSN="+in.postgres.DSN("postgres"))
	in.control = process.Start(t, process.Options{Command: "control", Production: true, Env: in.env})
	in.admin = in.control.Admin(t)
	provider := sluice.Provider{Meta: sluice.Meta{Name: "demo"}, Type: "demo", Models: []string{"demo-chat"}}
	if _, err := in.admin.Providers().Create(t.Context(), provider, sluice.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := in.admin.Models().Create(t.Context(), sluice.Model{Meta: sluice.Meta{Name: "demo-chat"}}, sluice.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	return in
}

// gatewayOptions are of a gateway that may open no database: what listens at the
// DSN's address tells when it does.
func (in *installation) gatewayOptions(name, dsn string) process.Options {
	env := append(splitSecrets[:len(splitSecrets):len(splitSecrets)], "EZ_REDIS_ADDR="+in.redis.Addr, "SLUICE_PLANE_TOKEN="+planeToken,
		"SLUICE_CONTROL_URL="+in.control.Control, "SLUICE_GATEWAY_NAME="+name, "EZ_PG_DSN="+dsn)
	return process.Options{Command: "gateway", Production: true, Env: env}
}

// newKey makes a key in control whose limits are counted and never reached.
func (in *installation) newKey(t *testing.T, name string) sluice.Key {
	t.Helper()
	key, err := in.admin.Keys().Create(t.Context(), sluice.Key{Meta: sluice.Meta{Name: name}, RPM: new(int64(1_000_000)), TPM: new(int64(1_000_000_000))}, sluice.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// within polls until it holds and returns how long that took.
func within(t *testing.T, limit time.Duration, what string, holds func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !holds() {
		if time.Since(began) > limit {
			t.Fatalf("not within %s: %s", limit, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(began)
}

// serves reports whether the key gets an answer from every gateway.
func serves(t *testing.T, key string, gateways ...*process.Process) bool {
	t.Helper()
	for _, g := range gateways {
		if do(t, "POST", g.Gateway+"/v1/chat/completions", key, shortBody).status != http.StatusOK {
			return false
		}
	}
	return true
}

// refused reports whether every gateway calls the key invalid.
func refused(t *testing.T, key string, gateways ...*process.Process) bool {
	t.Helper()
	for _, g := range gateways {
		if do(t, "POST", g.Gateway+"/v1/chat/completions", key, shortBody).status != http.StatusUnauthorized {
			return false
		}
	}
	return true
}

// countingListener accepts and counts what connects to it.
func countingListener(t *testing.T) (addr string, count *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	count = new(atomic.Int64)
	go func() { // ends when the listener is closed
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			count.Add(1)
			c.Close()
		}
	}()
	return l.Addr().String(), count
}

// TestSplit runs control and two gateways as an installation does: what control
// decides must reach both at once, what they serve must reach the books, and
// neither loss of the stores may cost a request.
func TestSplit(t *testing.T) {
	in := install(t)
	addr, opened := countingListener(t)
	dsn := "postgres://sluice:sluice@" + addr + "/sluice"
	gateways := []*process.Process{
		process.Start(t, in.gatewayOptions("gw-1", dsn)), process.Start(t, in.gatewayOptions("gw-2", dsn)),
	}
	for _, g := range gateways {
		within(t, 10*time.Second, "ready", func() bool { return do(t, "GET", g.Status+"/ready", "", "").status == http.StatusOK })
	}
	key := in.newKey(t, "first")
	t.Logf("a new key works in both gateways after %s", within(t, 5*time.Second, "a new key works", func() bool { return serves(t, key.Token, gateways...) }))
	gone := in.newKey(t, "gone")
	within(t, 5*time.Second, "the second key works", func() bool { return serves(t, gone.Token, gateways...) })
	if err := in.admin.Keys().Delete(t.Context(), "", "gone", sluice.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Logf("a deleted key stops in both gateways after %s", within(t, 5*time.Second, "a deleted key stops", func() bool { return refused(t, gone.Token, gateways...) }))

	in.checkContract(t, key)
	in.checkRecords(t)
	in.checkFleet(t)
	in.checkPlanes(t)
	in.checkSync(t)
	in.checkMemory(t, gateways[0])
	in.outage(t, gateways, key)
	if opened.Load() > 0 {
		t.Errorf("the gateways opened the database %d times", opened.Load())
	}
	for _, g := range gateways {
		g.Stop(t)
	}
	in.control.Stop(t)
}

// redisCLI reads Redis as a stranger does.
func (in *installation) redisCLI(t *testing.T, args ...string) string {
	t.Helper()
	host, port, err := net.SplitHostPort(in.redis.Addr)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("redis-cli", append([]string{"-h", host, "-p", port}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("redis-cli %v: %v %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// checkContract decodes what is published into structs that know nothing of us
// (feature E2): balancers of others read it so.
func (in *installation) checkContract(t *testing.T, key sluice.Key) {
	t.Helper()
	var published struct {
		ID        uint    `json:"id"`
		TokenHash string  `json:"token_hash"`
		Group     string  `json:"group"`
		Status    string  `json:"status"`
		Weight    int     `json:"weight"`
		Balance   float64 `json:"balance"`
	}
	sum := sha256.Sum256([]byte(key.Token))
	text := in.redisCLI(t, "HGET", "config:keys", hex.EncodeToString(sum[:]))
	if err := json.Unmarshal([]byte(text), &published); err != nil {
		t.Fatalf("config:keys holds %q: %v", text, err)
	}
	if published.ID != uint(key.ID) || published.Status != "active" || published.TokenHash != hex.EncodeToString(sum[:]) {
		t.Errorf("config:keys holds %s", text)
	}
	if status := in.redisCLI(t, "HGET", "auth:token:"+published.TokenHash, "status"); status != "active" {
		t.Errorf("auth:token of the key has status %q", status)
	}
	if n := in.redisCLI(t, "HLEN", "config:keys"); n != "1" {
		t.Errorf("config:keys has %s fields, the deleted key's among them", n)
	}
}

// checkRecords waits for the records of both gateways in the books.
func (in *installation) checkRecords(t *testing.T) {
	t.Helper()
	eventually(t, "records of both gateways in control", func() bool {
		page, err := in.admin.Records(t.Context(), sluice.RecordQuery{Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, r := range page.Items {
			seen[r.Gateway] = true
		}
		return seen["gw-1"] && seen["gw-2"]
	})
}

// checkFleet reads what control shows of its gateways.
func (in *installation) checkFleet(t *testing.T) {
	t.Helper()
	token := in.token(t)
	eventually(t, "both gateways healthy at one revision", func() bool {
		var list struct{ Items []sluice.GatewayStatus }
		a := do(t, "GET", in.control.Control+"/admin/v1/gateways", token, "")
		if err := json.Unmarshal([]byte(a.body), &list); err != nil {
			t.Fatal(err)
		}
		return len(list.Items) == 2 && list.Items[0].Health == "ok" && list.Items[1].Health == "ok" && list.Items[0].Revision > 0 &&
			list.Items[0].Revision == list.Items[1].Revision && list.Items[0].Version != ""
	})
}

// token signs in over plain HTTP.
func (in *installation) token(t *testing.T) string {
	t.Helper()
	body, err := json.Marshal(map[string]string{"email": process.AdminEmail, "password": process.AdminPassword})
	if err != nil {
		t.Fatal(err)
	}
	a := do(t, "POST", in.control.Control+"/v1/auth/token", "", string(body))
	if a.status != http.StatusOK {
		t.Fatalf("sign in: %d %s", a.status, a.body)
	}
	return field(t, a.body, "access_token")
}

// checkPlanes posts with the right and the wrong token: who can write records
// can write anybody's bill.
func (in *installation) checkPlanes(t *testing.T) {
	t.Helper()
	for _, path := range []string{"/internal/v1/events", "/internal/v1/status", "/logs"} {
		if a := do(t, "POST", in.control.Control+path, "wrong-"+planeToken, "[]"); a.status != http.StatusUnauthorized || !strings.Contains(a.body, "SLUICE_PLANE_TOKEN") {
			t.Errorf("%s takes a wrong plane token: %d %s", path, a.status, a.body)
		}
	}
	if a := do(t, "POST", in.control.Control+"/logs", planeToken, `[{"path":"/a"},{"path":"/b"}]`); a.status != http.StatusAccepted {
		t.Errorf("/logs answers %d %s", a.status, a.body)
	}
	eventually(t, "access logs on the disk", func() bool {
		b, err := os.ReadFile(in.control.Dir + "/data/access-logs.jsonl")
		return err == nil && bytes.Count(b, []byte("\n")) == 2
	})
}

// checkSync damages Redis and repairs it by the command.
func (in *installation) checkSync(t *testing.T) {
	t.Helper()
	in.redisCLI(t, "DEL", "config:keys")
	out, status := process.Run(t, process.Options{Env: []string{"SLUICE_SERVER=" + in.control.Control, "SLUICE_TOKEN=" + in.token(t)}}, "sync")
	if status != 0 || !strings.Contains(out, "published revision") || !strings.Contains(out, "staging") {
		t.Errorf("sluice sync: %d %s", status, out)
	}
	if n := in.redisCLI(t, "HLEN", "config:keys"); n != "1" {
		t.Errorf("after the sync config:keys has %s fields", n)
	}
}

// checkMemory reports the resident memory of an idle gateway.
func (in *installation) checkMemory(t *testing.T, g *process.Process) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.PID()))
	if err != nil {
		t.Logf("memory is not measured: %v", err) // only Linux has /proc
		return
	}
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmRSS") || strings.HasPrefix(line, "RssAnon") || strings.HasPrefix(line, "RssFile") {
			t.Log(strings.Join(strings.Fields(line), " "))
		}
	}
}

// outage stops Redis and then the database as well: keys that gateways know go
// on, and what changes afterwards arrives without a restart.
func (in *installation) outage(t *testing.T, gateways []*process.Process, key sluice.Key) {
	t.Helper()
	stop := make(chan struct{})
	load := startProbes(t, gateways, key.Token, stop)
	in.redis.Stop(t, syscall.SIGKILL)
	within(t, 15*time.Second, "the gateway says degraded", func() bool {
		a := do(t, "GET", gateways[0].Status+"/ready", "", "")
		return a.status == http.StatusOK && strings.Contains(a.body, "degraded") && strings.Contains(a.body, "ago")
	})
	in.postgres.Stop(t, syscall.SIGKILL)
	time.Sleep(15 * time.Second) // what is tested is that nothing happens meanwhile
	in.postgres.Start(t)
	in.redis.Start(t)
	close(stop)
	failed, calls := load()
	t.Logf("%d requests while Redis and PostgreSQL were away, %d failed", calls, failed)
	if failed > 0 || calls < 100 {
		t.Errorf("%d of %d requests failed without the stores", failed, calls)
	}
	var late sluice.Key
	within(t, 20*time.Second, "control writes again", func() bool {
		var err error
		late, err = in.admin.Keys().Create(t.Context(), sluice.Key{Meta: sluice.Meta{Name: "late"}}, sluice.WriteOptions{})
		return err == nil
	})
	t.Logf("a new key works %s after control could write again", within(t, 10*time.Second, "convergence", func() bool { return serves(t, late.Token, gateways...) }))
}

// startProbes calls both gateways with a key until stop is closed; the returned
// function waits and counts.
func startProbes(t *testing.T, gateways []*process.Process, key string, stop <-chan struct{}) func() (failed, calls int) {
	t.Helper()
	type tally struct{ failed, calls int }
	done := make(chan tally, len(gateways))
	for _, g := range gateways {
		go func() { // ended by stop
			var n tally
			defer func() { done <- n }()
			for {
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
				}
				n.calls++
				if why := probe(g.Gateway, key); why != "" {
					if n.failed++; n.failed <= 3 {
						t.Logf("failed: %s", why)
					}
				}
			}
		}()
	}
	return func() (failed, calls int) {
		for range gateways {
			n := <-done
			failed, calls = failed+n.failed, calls+n.calls
		}
		return failed, calls
	}
}

// probe makes one call and says what was wrong with it.
func probe(gateway, key string) string {
	req, err := http.NewRequest("POST", gateway+"/v1/chat/completions", strings.NewReader(shortBody))
	if err != nil {
		return err.Error()
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Sprintf("%s %v %s", resp.Status, err, body)
	}
	return ""
}

// TestGatewayWithoutRedis starts gateways while Redis is away: one that ran
// before serves what it knew, a new one says why it cannot, and keys are not
// trusted for ever.
func TestGatewayWithoutRedis(t *testing.T) {
	in := install(t)
	opts := in.gatewayOptions("gw-1", "")
	g := process.Start(t, opts)
	opts.Dir = g.Dir
	key := in.newKey(t, "known")
	within(t, 10*time.Second, "the key works", func() bool { return serves(t, key.Token, g) })
	g.Stop(t)
	in.redis.Stop(t, syscall.SIGKILL)

	began := time.Now()
	g = process.Start(t, opts)
	within(t, 10*time.Second, "it serves the last good configuration", func() bool { return serves(t, key.Token, g) })
	t.Logf("serves the last good configuration %s after its start", time.Since(began))
	if a := do(t, "GET", g.Status+"/ready", "", ""); a.status != http.StatusOK || !strings.Contains(a.body, "degraded") {
		t.Errorf("/ready answers %d %s", a.status, a.body)
	}
	g.Stop(t)

	opts.Env = append(opts.Env, "SLUICE_MAX_STALE=1s")
	g = process.Start(t, opts)
	within(t, 10*time.Second, "keys fail closed", func() bool { return refused(t, key.Token, g) })
	if a := do(t, "GET", g.Status+"/ready", "", ""); a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "max_stale") {
		t.Errorf("/ready answers %d %s", a.status, a.body)
	}
	in.redis.Start(t)
	within(t, 20*time.Second, "keys are trusted again", func() bool { return serves(t, key.Token, g) })
	in.redis.Stop(t, syscall.SIGKILL)

	fresh := process.Start(t, in.gatewayOptions("gw-2", ""))
	within(t, 10*time.Second, "a new gateway says why it is not ready", func() bool {
		a := do(t, "GET", fresh.Status+"/ready", "", "")
		return a.status == http.StatusServiceUnavailable && strings.Contains(a.body, "no configuration has arrived yet") && strings.Contains(a.body, "Redis")
	})
	if a := do(t, "GET", fresh.Status+"/health", "", ""); a.status != http.StatusOK {
		t.Errorf("/health answers %d", a.status)
	}
}

// TestPlaneTokenIsRequired runs the commands without what they share: they must
// end with the setting's name, not start with a default.
func TestPlaneTokenIsRequired(t *testing.T) {
	for _, role := range []string{"control", "gateway"} {
		for _, token := range []string{"", "changeme-changeme-changeme"} {
			env := append(splitSecrets[:len(splitSecrets):len(splitSecrets)], "EZ_REDIS_ADDR=127.0.0.1:1", "SLUICE_CONTROL_URL=http://127.0.0.1:1", "SLUICE_PLANE_TOKEN="+token)
			if out, status := process.Run(t, process.Options{Env: env}, role); status != 2 || !strings.Contains(out, "SLUICE_PLANE_TOKEN") {
				t.Errorf("%s with token %q: status %d\n%s", role, token, status, out)
			}
		}
	}
}
