package e2e_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/test/process"
)

// TestGatewaysServeOnBesideDamagedRedis damages what is published while control
// is away and cannot mend it. Losing this means that one wrong command in Redis
// takes every gateway down.
func TestGatewaysServeOnBesideDamagedRedis(t *testing.T) {
	t.Parallel()
	in := installOn(t, sluicetest.Postgres(t).Schema(t))
	g := process.Start(t, in.gatewayOptions("gw-1", ""))
	key := in.newKey(t, "known")
	within(t, convergence, "the key works", func() bool { return serves(t, key.Token, g) })
	in.agree(t, convergence, "gw-1")
	load := startProbes(t, key.Token, g)
	in.control.Kill()

	for _, d := range []struct {
		name    string
		damage  [][]string
		reports string
	}{
		{"a hash of another type", [][]string{{"DEL", "config:keys"}, {"SET", "config:keys", "x"}, {"HSET", "config:manifest", "config:keys", "7 7"}}, "another type"},
		{"a manifest of another type", [][]string{{"DEL", "config:manifest"}, {"SET", "config:manifest", "x"}}, "another type"},
		{"a manifest that says nonsense", [][]string{{"HSET", "config:manifest", "config:keys", "nonsense"}}, "nonsense"},
		{"a manifest of other hashes", [][]string{{"HSET", "config:manifest", "config:keys", "7 7"}}, "not consistent"},
		{"a manifest of a newer schema", [][]string{{"HSET", "config:manifest", "schema", "99"}}, "schema 99"},
		{"a revision that is no number", [][]string{{"SET", "config:rev", "x"}}, "config:rev"},
		{"an older revision", [][]string{{"SET", "config:rev", "1"}, {"HSET", "config:manifest", "rev", "1"}}, "older"},
		{"nothing at all", [][]string{{"DEL", "config:rev", "config:manifest", "config:keys"}}, "no configuration"},
	} {
		in.damaged(t, g, d.damage, d.reports, d.name)
	}
	in.damageLimits(t)
	within(t, convergence, "the key works beside damaged limits", func() bool { return serves(t, key.Token, g) })
	in.publishBroken(t, g)
	if calls, failed := load.end(); failed > 0 || calls < 100 {
		t.Errorf("%d of %d requests failed beside damage", failed, calls)
	}

	in.control = process.Start(t, process.Options{Command: "control", Production: true, Env: in.env, Dir: in.control.Dir})
	in.admin = in.control.SignIn(t)
	in.newKey(t, "one") // Redis has a revision that the database has not reached
	in.newKey(t, "two")
	in.agree(t, 2*convergence, "gw-1")
}

// damaged runs commands that do damage, expects that the gateway tells of it,
// and takes it back.
func (in *installation) damaged(t *testing.T, g *process.Process, commands [][]string, reports, name string) {
	t.Helper()
	kept := []string{"config:keys", "config:manifest", "config:rev"}
	for _, key := range kept {
		in.redisCLI(t, "COPY", key, "kept:"+key, "REPLACE")
	}
	for _, c := range commands {
		in.redisCLI(t, c...)
	}
	in.redisCLI(t, "PUBLISH", "config:notify", "0")
	within(t, convergence, "the gateway tells of "+name, func() bool {
		return degraded(t, g) && strings.Contains(do(t, "GET", g.Status+"/ready", "", "").body, reports)
	})
	for _, key := range kept {
		in.redisCLI(t, "COPY", "kept:"+key, key, "REPLACE")
	}
	in.redisCLI(t, "PUBLISH", "config:notify", "0")
	within(t, convergence, "the gateway recovers from "+name, func() bool { return !degraded(t, g) })
}

// damageLimits gives every limit another type: limits then count locally.
func (in *installation) damageLimits(t *testing.T) {
	t.Helper()
	found := 0
	for name := range strings.Lines(in.redisCLI(t, "--scan", "--pattern", "limit:*")) {
		if name = strings.TrimSpace(name); name != "" {
			in.redisCLI(t, "DEL", name)
			in.redisCLI(t, "SADD", name, "x")
			found++
		}
	}
	if found == 0 {
		t.Error("no limit is counted in Redis")
	}
}

// publishBroken publishes, by all rules, an object that cannot be decoded: it is
// disabled by itself, and the rest is taken over.
func (in *installation) publishBroken(t *testing.T, g *process.Process) {
	t.Helper()
	const field, value = "feedface", "{broken"
	manifest := in.redisHash(t, "config:manifest")
	var count, sum uint64
	if _, err := fmt.Sscanf(manifest["config:keys"], "%d %x", &count, &sum); err != nil {
		t.Fatal(err)
	}
	rev, err := strconv.ParseUint(manifest["rev"], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	next := strconv.FormatUint(rev+1, 10)
	in.redisCLI(t, "HSET", "config:keys", field, value)
	in.redisCLI(t, "HSET", "config:manifest", "rev", next, "config:keys", fmt.Sprintf("%d %016x", count+1, sum+xxhash.Sum64String(field+"\x00"+value)))
	in.redisCLI(t, "SET", "config:rev", next)
	in.redisCLI(t, "PUBLISH", "config:notify", next)
	within(t, convergence, "the rest is taken over", func() bool { return metric(t, g, "sluice_snapshot_revision") == float64(rev+1) })
}
