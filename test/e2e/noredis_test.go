package e2e_test

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/test/process"
)

// serveWithin is how long a gateway may take from its start to its first answer
// out of the last good file.
const serveWithin = 2 * time.Second

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

	in.redis.Signal(t, syscall.SIGSTOP)
	in.serveLastGood(t, opts, key, "hangs")
	in.redis.Signal(t, syscall.SIGCONT)
	in.redis.Stop(t, syscall.SIGKILL)
	in.serveLastGood(t, opts, key, "is gone")
	in.failClosed(t, opts, key)

	fresh := process.Start(t, in.gatewayOptions("gw-2", ""))
	within(t, 10*time.Second, "a new gateway says why it is not ready", func() bool {
		a := do(t, "GET", fresh.Status+"/ready", "", "")
		return a.status == http.StatusServiceUnavailable && strings.Contains(a.body, "no configuration has arrived yet") && strings.Contains(a.body, "Redis")
	})
	if a := do(t, "GET", fresh.Status+"/health", "", ""); a.status != http.StatusOK {
		t.Errorf("/health answers %d", a.status)
	}
	if metric(t, fresh, "sluice_ready") != 0 {
		t.Error("/metrics calls a gateway ready that is not")
	}
}

// serveLastGood starts a gateway that ran before and expects that it serves in
// time, and says that it is degraded.
func (in *installation) serveLastGood(t *testing.T, opts process.Options, key sluice.Key, how string) {
	t.Helper()
	began := time.Now()
	g := process.Start(t, opts)
	within(t, 10*time.Second, "it serves the last good configuration", func() bool { return serves(t, key.Token, g) })
	took := time.Since(began)
	t.Logf("Redis %s: serves the last good configuration %s after its start", how, took)
	if took > serveWithin {
		t.Errorf("Redis %s: the gateway served only %s after its start", how, took)
	}
	if a := do(t, "GET", g.Status+"/ready", "", ""); a.status != http.StatusOK || !strings.Contains(a.body, "degraded") || !strings.Contains(a.body, "Redis") {
		t.Errorf("/ready answers %d %s", a.status, a.body)
	}
	if metric(t, g, "sluice_ready") != 1 || metric(t, g, "sluice_degraded") != 1 {
		t.Error("/metrics does not say that the gateway serves, degraded")
	}
	g.Stop(t)
}

// failClosed lets trust in keys end, and return with Redis.
func (in *installation) failClosed(t *testing.T, opts process.Options, key sluice.Key) {
	t.Helper()
	opts.Env = append(opts.Env, "SLUICE_MAX_STALE=1s")
	g := process.Start(t, opts)
	within(t, 10*time.Second, "keys fail closed", func() bool { return refused(t, key.Token, g) })
	if a := do(t, "GET", g.Status+"/ready", "", ""); a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "max_stale") {
		t.Errorf("/ready answers %d %s", a.status, a.body)
	}
	in.redis.Start(t)
	within(t, 20*time.Second, "keys are trusted again", func() bool { return serves(t, key.Token, g) })
	in.redis.Stop(t, syscall.SIGKILL)
}
