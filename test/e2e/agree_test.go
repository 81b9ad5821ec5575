package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
	"github.com/sluicegate/sluice/internal/store"
	"github.com/sluicegate/sluice/test/process"
)

// revision reads what the database has beside control.
func (in *installation) revision(t *testing.T) uint64 {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{DSN: in.dsn})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	n, err := db.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// agree waits until database, Redis and gateways hold the same, hash by hash:
// what a reader takes out of Redis, which it accepts only if every hash is what
// its manifest says, is what the database says; every key has its token hash and
// no other has one; and every gateway acknowledges the manifest's digests.
func (in *installation) agree(t *testing.T, limit time.Duration, gateways ...string) {
	t.Helper()
	last := "nothing was compared"
	for deadline := time.Now().Add(limit); last != ""; {
		if time.Now().After(deadline) {
			t.Fatalf("no agreement within %s: %s", limit, last)
		}
		last = in.disagreement(t, gateways)
	}
}

// disagreement says what differs first, or "".
func (in *installation) disagreement(t *testing.T, gateways []string) string {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{DSN: in.dsn})
	if err != nil {
		return err.Error()
	}
	defer db.Close()
	truth, err := db.Snapshot(t.Context())
	if err != nil {
		return err.Error()
	}
	published, err := in.published(t)
	if err != nil {
		return err.Error()
	}
	if published.Revision != truth.Revision {
		return fmt.Sprintf("the database has revision %d, Redis %d", truth.Revision, published.Revision)
	}
	want, err := truth.Hash()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := published.Hash(); err != nil || got != want {
		return fmt.Sprintf("revision %d differs between the database and Redis (%v)", truth.Revision, err)
	}
	if problem := in.tokensDiffer(t, truth); problem != "" {
		return problem
	}
	manifest := in.redisHash(t, "config:manifest")
	for _, g := range gateways {
		ack := in.redisHash(t, "config:ack:"+g)
		var applied map[string]string
		if json.Unmarshal([]byte(ack["hashes"]), &applied) != nil || ack["rev"] != manifest["rev"] {
			return fmt.Sprintf("%s acknowledges revision %s (%q, %s), published is %s", g, ack["rev"], ack["hashes"], ack["reason"], manifest["rev"])
		}
		for hash, digest := range applied {
			if manifest[hash] != digest {
				return fmt.Sprintf("%s has %s as %s, published is %s", g, hash, digest, manifest[hash])
			}
		}
		if len(applied) < 8 {
			return fmt.Sprintf("%s acknowledges only %v", g, applied)
		}
	}
	return ""
}

// published reads Redis as a gateway does.
func (in *installation) published(t *testing.T) (*sluice.Snapshot, error) {
	t.Helper()
	r, err := link.OpenRedis(link.RedisConfig{Addrs: []string{in.redis.Addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	reader, err := link.NewRedisSnapshots(link.ReaderConfig{Redis: r, Gateway: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var following sync.WaitGroup
	defer following.Wait()
	follow, stop := context.WithCancel(ctx)
	defer stop()
	following.Go(func() { reader.Run(follow) })
	s, err := reader.Next(ctx, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, reader.State().Reason)
	}
	return s, nil
}

// tokensDiffer compares auth:token:* with the keys of a snapshot.
func (in *installation) tokensDiffer(t *testing.T, s *sluice.Snapshot) string {
	t.Helper()
	left := map[string]bool{}
	for name := range strings.Lines(in.redisCLI(t, "--scan", "--pattern", "auth:token:*")) {
		left[strings.TrimPrefix(strings.TrimSpace(name), "auth:token:")] = true
	}
	for _, k := range s.Keys {
		if !left[k.TokenHash] {
			return "key " + k.Name + " has no token hash"
		}
		delete(left, k.TokenHash)
	}
	delete(left, "")
	if len(left) > 0 {
		return fmt.Sprintf("%d token hashes belong to no key", len(left))
	}
	return ""
}

// redisHash reads a hash with plain commands.
func (in *installation) redisHash(t *testing.T, key string) map[string]string {
	t.Helper()
	fields := map[string]string{}
	lines := strings.Split(in.redisCLI(t, "HGETALL", key), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		fields[lines[i]] = lines[i+1]
	}
	return fields
}

// metric reads one value from a process's /metrics; a missing one fails the
// test.
func metric(t *testing.T, p *process.Process, name string) float64 {
	t.Helper()
	resp, err := http.Get(p.Status + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("/metrics has no %s:\n%s", name, text)
	return 0
}

// ackTime is when a gateway last told Redis how it is.
func (in *installation) ackTime(t *testing.T, gateway string) time.Time {
	t.Helper()
	text := in.redisCLI(t, "HGET", "config:ack:"+gateway, "at")
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{} // none yet
	}
	return time.UnixMilli(ms)
}
