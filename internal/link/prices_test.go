package link_test

import (
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

func priceOf(version uint64) sluice.Price {
	return sluice.Price{Version: version, Model: "gpt-4o", Asset: "USD", From: time.Date(2026, 1, int(version), 0, 0, 0, 0, time.UTC),
		Rates: map[sluice.Unit]sluice.Rate{sluice.UnitInput: 2_500_000_000}}
}

// Losing this means that gateways charge by other prices than were made, or
// refuse what a control published that knows none.
func TestPricesArrive(t *testing.T) {
	server := sluicetest.Redis(t)
	p := publisher(t, server)
	first := &sluice.Snapshot{Schema: 1, Revision: 1, Prices: []sluice.Price{priceOf(1), priceOf(2)}}
	must(t, p.Publish(t.Context(), nil, first))
	r, _ := reader(t, readerConfig(t, server))
	held := reach(t, r, 1)
	if content(t, held) != content(t, first) {
		t.Errorf("the gateway has\n%s\npublished was\n%s", content(t, held), content(t, first))
	}
	next := *first
	next.Revision, next.Prices = 2, []sluice.Price{priceOf(2), priceOf(3)}
	must(t, p.Publish(t.Context(), first, &next))
	if got := reach(t, r, 2); content(t, got) != content(t, &next) {
		t.Errorf("after a change the gateway has\n%s", content(t, got))
	}
	if len(held.Prices) != 2 || held.Prices[0].Version != 1 {
		t.Errorf("a snapshot that was handed out became %+v", held.Prices)
	}
	same := next
	same.Revision = 3
	must(t, p.Publish(t.Context(), &next, &same))
	reach(t, r, 3)

	older := sluicetest.Redis(t)
	must(t, publisher(t, older).Publish(t.Context(), nil, &sluice.Snapshot{Schema: 1, Revision: 7}))
	must(t, plain(t, older).HDel(t.Context(), "config:manifest", "config:prices").Err())
	of, _ := reader(t, readerConfig(t, older))
	if got := reach(t, of, 7); got.Prices != nil {
		t.Errorf("prices of nowhere: %+v", got.Prices)
	}
}
