package sdk_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/client"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/test/process"
)

// planeToken is shared by the processes of a split installation.
const planeToken = "k3J9xQ2mW7vB5nR8tY4cL6pZ"

// split is control and two gateways on PostgreSQL and Redis, and a balancer in
// front of them.
type split struct {
	admin    *client.Client
	gateways []*url.URL
	balancer string
}

// TestSplit runs the suites against an installation of several processes. Every
// other request goes to either gateway, and the limit of the limited key holds
// for both together.
func TestSplit(t *testing.T) {
	s := newSplit(t)
	t.Run("Go", func(t *testing.T) { runGo(t, s.suite) })
	t.Run("Node", func(t *testing.T) { runNode(t, s.suite) })
	t.Run("Python", func(t *testing.T) { runPython(t, s.suite) })
}

func newSplit(t *testing.T) *split {
	t.Helper()
	shared := []string{
		"SLUICE_MASTER_KEY=8f1c0b7e5a2d49637be0d1c4f5a6978812345678a0b1c2d3e4f5061728394a5b",
		"SLUICE_PLANE_TOKEN=" + planeToken, "EZ_REDIS_ADDR=" + sluicetest.Redis(t).Addr,
	}
	control := process.Start(t, process.Options{Command: "control", Env: append(shared, "EZ_PG_DSN="+sluicetest.Postgres(t).Schema(t))})
	s := &split{admin: control.Admin(t)}
	for i := range 2 {
		g := process.Start(t, process.Options{Command: "gateway", Env: append(shared[:len(shared):len(shared)],
			"SLUICE_CONTROL_URL="+control.Control, "SLUICE_GATEWAY_NAME=gw-"+strconv.Itoa(i+1))})
		address, err := url.Parse(g.Gateway)
		if err != nil {
			t.Fatal(err)
		}
		s.gateways = append(s.gateways, address)
	}
	s.balancer = balance(t, s.gateways)
	return s
}

// suite makes keys of its own for each suite and waits until both gateways know
// them: whoever knows the last one knows all.
func (s *split) suite(t *testing.T) suite {
	t.Helper()
	mint := func(name string, rpm int64) string {
		name = strings.ToLower(strings.ReplaceAll(t.Name()+"-"+name, "/", "-"))
		key, err := s.admin.Keys().Create(t.Context(), sluice.Key{Meta: sluice.Meta{Name: name}, RPM: &rpm, TPM: new(int64(0))}, sluice.WriteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return key.Token
	}
	env := append(os.Environ(), "SLUICE_TEST_BASE_URL="+s.balancer+"/v1",
		"SLUICE_TEST_LIMITED_KEY="+mint("limited", 1), "SLUICE_TEST_KEY="+mint("sdk", 0))
	last := mint("last", 0)
	for _, g := range s.gateways {
		for deadline := time.Now().Add(15 * time.Second); !knows(t, g, last); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("a gateway does not learn of a key")
			}
		}
	}
	return suite{env: env}
}

// balance answers for both gateways in turn, as the nginx of compose.yaml does.
func balance(t *testing.T, gateways []*url.URL) string {
	t.Helper()
	var turn atomic.Int64
	proxy := &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(gateways[int(turn.Add(1))%len(gateways)])
	}}
	s := httptest.NewServer(proxy)
	t.Cleanup(s.Close)
	return s.URL
}

// knows reports whether a gateway takes a key.
func knows(t *testing.T, gateway *url.URL, token string) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", gateway.JoinPath("/v1/models").String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusServiceUnavailable
}
