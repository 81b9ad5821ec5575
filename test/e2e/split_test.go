package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/test/process"
)

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
	in.awaitReady(t, gateways...)
	key := in.newKey(t, "first")
	within(t, convergence, "a new key works", func() bool { return serves(t, key.Token, gateways...) })
	in.checkVisibility(t, gateways)

	in.checkContract(t, key)
	in.checkRecords(t)
	in.checkFleet(t)
	in.checkPlanes(t)
	in.checkSync(t)
	in.checkMetrics(t, gateways)
	in.checkMemory(t, gateways[0])
	in.loseBothStores(t, gateways, key)
	if opened.Load() > 0 {
		t.Errorf("the gateways opened the database %d times", opened.Load())
	}
	for _, g := range gateways {
		g.Stop(t)
	}
	in.control.Stop(t)
}

// visibleWithin is how long a change may take to both gateways. It is the median
// that is held to it: a machine that builds beside the test stalls at times.
const visibleWithin = time.Second

// checkVisibility makes keys and deletes them, and measures when both gateways
// know.
func (in *installation) checkVisibility(t *testing.T, gateways []*process.Process) {
	t.Helper()
	var works, stops []time.Duration
	for i := range 5 {
		key := in.newKey(t, fmt.Sprintf("passing-%d", i))
		works = append(works, within(t, convergence, "a new key works", func() bool { return serves(t, key.Token, gateways...) }))
		if err := in.admin.Keys().Delete(t.Context(), "", key.Name, sluice.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		stops = append(stops, within(t, convergence, "a deleted key stops", func() bool { return refused(t, key.Token, gateways...) }))
	}
	for what, times := range map[string][]time.Duration{"a new key works": works, "a deleted key stops": stops} {
		slices.Sort(times)
		t.Logf("%s in both gateways after %s (median of %d, at most %s)", what, times[len(times)/2], len(times), times[len(times)-1])
		if times[len(times)/2] > visibleWithin {
			t.Errorf("%s in both gateways only after %s", what, times[len(times)/2])
		}
	}
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
	if status != 0 || !strings.Contains(out, "published revision") || !strings.Contains(out, "staging entries") || strings.Contains(out, "stale") {
		t.Errorf("sluice sync: %d %s", status, out)
	}
	if n := in.redisCLI(t, "HLEN", "config:keys"); n != "1" {
		t.Errorf("after the sync config:keys has %s fields", n)
	}
}

// checkMetrics reads what a monitoring system reads of each role.
func (in *installation) checkMetrics(t *testing.T, gateways []*process.Process) {
	t.Helper()
	for _, p := range append(gateways[:len(gateways):len(gateways)], in.control) {
		if metric(t, p, "sluice_ready") != 1 || metric(t, p, "sluice_degraded") != 0 || metric(t, p, "process_resident_memory_bytes") == 0 {
			t.Errorf("/metrics says that a healthy process is not")
		}
	}
	for _, g := range gateways {
		if n := metric(t, g, `sluice_requests_total{class="2xx",outcome="complete",surface="openai"}`); n == 0 {
			t.Error("a gateway that served counts no request")
		}
		if age := metric(t, g, "sluice_config_age_seconds"); age > 10 {
			t.Errorf("the configuration was last confirmed %v s ago", age)
		}
		metric(t, g, "sluice_records_queued")
		metric(t, g, "sluice_records_dropped_total")
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

// TestPlaneTokenIsRequired runs the commands without what they share: they must
// end with the setting's name, not start with a default.
func TestPlaneTokenIsRequired(t *testing.T) {
	for _, role := range []string{"control", "gateway"} {
		for _, token := range []string{"", "changeme-changeme-changeme"} {
			env := secretsAnd("EZ_REDIS_ADDR=127.0.0.1:1", "SLUICE_CONTROL_URL=http://127.0.0.1:1", "SLUICE_PLANE_TOKEN="+token)
			if out, status := process.Run(t, process.Options{Env: env}, role); status != 2 || !strings.Contains(out, "SLUICE_PLANE_TOKEN") {
				t.Errorf("%s with token %q: status %d\n%s", role, token, status, out)
			}
		}
	}
}
