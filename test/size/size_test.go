package size_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
	"github.com/sluicegate/sluice/internal/sluicetest"
	"github.com/sluicegate/sluice/test/process"
)

func TestMain(m *testing.M) {
	if url, yes := isLoad(); yes {
		generate(url)
		return
	}
	process.Main(m)
}

// installation is what control would have published, and a target that answers.
type installation struct {
	b      *testing.B
	redis  *sluicetest.RedisServer
	publ   *link.RedisPublisher
	s      *sluice.Snapshot
	nextID uint64
}

// install publishes a configuration with so many keys and routes.
func install(b *testing.B, keys, routes int) *installation {
	in := &installation{b: b, redis: sluicetest.Redis(b)}
	r, err := link.OpenRedis(link.RedisConfig{Addrs: []string{in.redis.Addr}})
	must(b, err)
	b.Cleanup(func() { r.Close() })
	in.publ = link.NewRedisPublisher(link.PublisherConfig{Redis: r, Log: slog.New(slog.DiscardHandler)})
	target := sluicetest.NewUpstream(b)
	s := &sluice.Snapshot{Schema: sluice.SnapshotSchema, Revision: 1}
	s.Tenants = []sluice.Tenant{{Meta: in.meta("platform", "platform"), Status: sluice.StatusActive}, {Meta: in.meta("acme", "acme"), Status: sluice.StatusActive}}
	s.Groups = []sluice.Group{{Meta: in.meta("platform", "default")}}
	s.Upstreams = []sluice.Upstream{{Meta: in.meta("platform", "svc"), Nodes: []sluice.Node{{Host: target.Host(), Port: target.Port()}}}}
	for i := range routes {
		s.Routes = append(s.Routes, sluice.Route{Meta: in.meta("platform", fmt.Sprintf("r%06d", i)), Paths: []string{fmt.Sprintf("/svc%d/*", i)}, Upstream: "svc",
			Surface: sluice.SurfaceHTTP, Plugins: pluginSet("key-auth")})
	}
	for i := range keys {
		s.Keys = append(s.Keys, in.key(fmt.Sprintf("key-%07d", i), tokenOf(i)))
	}
	in.s = s
	start := time.Now()
	must(b, in.publ.Sync(b.Context(), s, link.SyncOptions{}))
	b.Logf("%d keys and %d routes published in %.1f s", keys, routes, time.Since(start).Seconds())
	return in
}

func (in *installation) meta(tenant, name string) sluice.Meta {
	in.nextID++
	at := time.Unix(1_700_000_000, 0).UTC()
	return sluice.Meta{ID: in.nextID, Tenant: tenant, Name: name, Version: 1, CreatedAt: at, UpdatedAt: at}
}

func (in *installation) key(name, token string) *sluice.Key {
	return &sluice.Key{Meta: in.meta("acme", name), User: "someone", TokenHash: sluice.HashToken(token), Prefix: "slc_live_0123456789", Group: "default",
		Status: sluice.StatusActive, Weight: 1, RPM: new(int64(1_000_000_000)), TPM: new(int64(1_000_000_000_000))}
}

// change publishes one more revision.
func (in *installation) change(change func(next *sluice.Snapshot)) {
	next := *in.s
	next.Revision++
	change(&next)
	must(in.b, in.publ.Publish(context.Background(), in.s, &next))
	in.s = &next
}

// gateway starts the real thing.
func (in *installation) gateway(env ...string) *process.Process {
	in.b.Helper()
	return process.Start(in.b, process.Options{Command: "gateway", Production: true, Env: append([]string{
		"EZ_REDIS_ADDR=" + in.redis.Addr, "SLUICE_CONTROL_URL=http://127.0.0.1:1", "SLUICE_PLANE_TOKEN=k3J9xQ2mW7vB5nR8tY4cL6pZ",
		"SLUICE_MASTER_KEY=8f1c0b7e5a2d49637be0d1c4f5a6978812345678a0b1c2d3e4f5061728394a5b", "SLUICE_PRE_STOP=0s",
	}, env...)})
}

// ask sends one request and returns the status.
func ask(c *http.Client, url, token string) int {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return 0
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := c.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// awaitToken returns how long it took until a token works.
func awaitToken(b *testing.B, c *http.Client, url, token string) time.Duration {
	b.Helper()
	start := time.Now()
	for ask(c, url, token) != 200 {
		if time.Since(start) > time.Minute {
			b.Fatal("the token does not work after a minute")
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(start)
}

func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}, Timeout: 10 * time.Second}
}

func percentile(list []time.Duration, p int) time.Duration {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[min(len(list)-1, len(list)*p/100)]
}

// rss is the resident memory of a process in MiB.
func rss(b *testing.B, pid int) float64 { return resident(b, pid, "VmRSS") }

// resident is one line of a process's memory in MiB: VmRSS, RssFile, RssAnon.
func resident(b *testing.B, pid int, of string) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(b, err)
	m := regexp.MustCompile(of + `:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		b.Fatal("no " + of)
	}
	kb, err := strconv.Atoi(string(m[1]))
	must(b, err)
	return float64(kb) / 1024
}

// processor is how many seconds of processor time a process has used.
func processor(b *testing.B, pid int) float64 {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	must(b, err)
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	const user, system, ticks = 11, 12, 100 // fields behind the name; ticks a second on Linux
	u, errUser := strconv.Atoi(fields[user])
	s, errSystem := strconv.Atoi(fields[system])
	must(b, errors.Join(errUser, errSystem))
	return float64(u+s) / ticks
}

// heap is the live heap of a process in MiB, as its metrics tell.
func heap(b *testing.B, p *process.Process) float64 {
	b.Helper()
	resp, err := http.Get(p.Status + "/metrics")
	must(b, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(b, err)
	m := regexp.MustCompile(`(?m)^go_memstats_heap_inuse_bytes (\S+)$`).FindSubmatch(text)
	if m == nil {
		return 0
	}
	bytes, err := strconv.ParseFloat(string(m[1]), 64)
	must(b, err)
	return bytes / (1 << 20)
}

// tookPattern finds the duration of a line, in nanoseconds or as Go writes it.
var tookPattern = regexp.MustCompile(`"took":"?([^",}]+)`)

// swaps are the times that the gateway logged for taking a snapshot over.
func swaps(p *process.Process) (list []time.Duration) {
	for line := range strings.Lines(p.Stderr()) {
		if m := tookPattern.FindStringSubmatch(line); m != nil && strings.Contains(line, "snapshot applied") {
			if n, err := strconv.ParseInt(m[1], 10, 64); err == nil {
				list = append(list, time.Duration(n))
			} else if d, err := time.ParseDuration(m[1]); err == nil {
				list = append(list, d)
			}
		}
	}
	return list
}

func must(b testing.TB, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
