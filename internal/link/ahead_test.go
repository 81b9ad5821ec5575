package link_test

import (
	"context"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// Losing this means that a restored database goes unnoticed: control believes
// published what no gateway will ever serve.
func TestRedisAheadOfTheDatabaseIsNamed(t *testing.T) {
	server := sluicetest.Redis(t)
	w := newWorld(3)
	old := w.change()
	next := w.change()
	must(t, publisher(t, server).Publish(t.Context(), nil, next))
	committed := old.Revision
	p := link.NewRedisPublisher(link.PublisherConfig{Redis: open(t, server, ""), Log: quiet, Committed: func(context.Context) (uint64, error) { return committed, nil }})
	if held, err := p.Revision(t.Context()); err != nil || held != next.Revision {
		t.Errorf("Redis holds revision %d, %v", held, err)
	}
	for name, err := range map[string]error{"Ahead": p.Ahead(t.Context()), "Sync": p.Sync(t.Context(), old, link.SyncOptions{})} {
		if sluice.CodeOf(err) != sluice.CodeConflict || !strings.Contains(err.Error(), "sluice sync --force") {
			t.Errorf("%s: %v", name, err)
		}
	}
	committed = next.Revision
	must(t, p.Ahead(t.Context()))
	c := plain(t, server)
	for _, damage := range []string{"not a number", ""} {
		if must(t, c.Del(t.Context(), "config:rev").Err()); damage != "" {
			must(t, c.Set(t.Context(), "config:rev", damage, 0).Err())
		}
		if held, err := p.Revision(t.Context()); err != nil || held != 0 {
			t.Errorf("config:rev %q is revision %d, %v", damage, held, err)
		}
	}
}
