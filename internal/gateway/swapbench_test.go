package gateway_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/builtin"
	"github.com/sluicegate/sluice/internal/gateway"
	"github.com/sluicegate/sluice/internal/plugins"
	"github.com/sluicegate/sluice/plugin"
)

// largeSnapshot has so many routes and keys, all of them other objects than
// those of any other revision.
func largeSnapshot(revision uint64, routes, keys int) *sluice.Snapshot {
	at := time.Unix(1_700_000_000, 0).UTC()
	id := uint64(0)
	meta := func(tenant, name string) sluice.Meta {
		id++
		return sluice.Meta{ID: id, Tenant: tenant, Name: name, Version: revision, CreatedAt: at, UpdatedAt: at}
	}
	s := &sluice.Snapshot{Schema: sluice.SnapshotSchema, Revision: revision}
	s.Tenants = []sluice.Tenant{{Meta: meta("platform", "platform"), Status: sluice.StatusActive}, {Meta: meta("acme", "acme"), Status: sluice.StatusActive}}
	s.Groups = []sluice.Group{{Meta: meta("platform", "default")}}
	s.Upstreams = []sluice.Upstream{{Meta: meta("platform", "svc"), Nodes: []sluice.Node{{Host: "127.0.0.1", Port: 1}}}}
	for i := range routes {
		s.Routes = append(s.Routes, sluice.Route{
			Meta: meta("platform", fmt.Sprintf("r%06d", i)), Paths: []string{fmt.Sprintf("/svc%d/*", i)}, Upstream: "svc",
			Surface: sluice.SurfaceHTTP, Plugins: map[string]json.RawMessage{"key-auth": json.RawMessage(`{}`)},
		})
	}
	for i := range keys {
		s.Keys = append(s.Keys, &sluice.Key{
			Meta: meta("acme", fmt.Sprintf("key-%07d", i)), User: "someone", TokenHash: sluice.HashToken(fmt.Sprint("token-", i)), Group: "default",
			Status: sluice.StatusActive, Weight: 1,
		})
	}
	return s
}

// BenchmarkSwap takes over 10,000 routes and 100,000 keys: the first time, and
// when all of them have changed.
func BenchmarkSwap(b *testing.B) {
	first, second := largeSnapshot(1, 10_000, 100_000), largeSnapshot(2, 10_000, 100_000)
	registry, err := plugin.New(plugins.All()...)
	if err != nil {
		b.Fatal(err)
	}
	open := func(b *testing.B) *gateway.Gateway {
		g, err := gateway.New(gateway.Config{
			Name: "bench", Snapshots: newFeed(), Admission: newAdmission(), Events: newBooks(), Status: newBooks(),
			Plugins: registry, Dialects: builtin.Registry(nil), Log: slog.New(slog.DiscardHandler), Outbound: panicking{}, TenantOutbound: panicking{},
		})
		if err != nil {
			b.Fatal(err)
		}
		return g
	}
	apply := func(b *testing.B, g *gateway.Gateway, s *sluice.Snapshot) {
		if err := g.Apply(s); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			apply(b, open(b), first)
		}
	})
	b.Run("all-changed", func(b *testing.B) {
		g := open(b)
		apply(b, g, first)
		b.ReportAllocs()
		for b.Loop() {
			apply(b, g, second)
			first, second = second, first
		}
	})
}
