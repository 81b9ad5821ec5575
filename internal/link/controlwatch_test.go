package link_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
	"github.com/sluicegate/sluice/internal/sluicetest"
)

// Losing this means that a gateway with a wrong plane token looks healthy while
// its records wait for ever, or degraded when it is right again.
func TestGatewayThatControlRefusesSaysSo(t *testing.T) {
	const right, wrong = "k3J9xQ2mW7vB5nR8tY4cL6pZ", "p7H2sD9fG4jK1lQ8wE5rT3yU"
	var handler atomic.Pointer[http.Handler]
	demand := func(token string) {
		h, err := link.StatusHandler(link.NewStatusBoard(), token)
		must(t, err)
		handler.Store(&h)
	}
	control := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*handler.Load()).ServeHTTP(w, r) }))
	defer control.Close()
	client, err := link.NewStatusClient(control.URL, wrong, nil)
	must(t, err)
	server := sluicetest.Redis(t)
	w, p := newWorld(4), publisher(t, server)
	s := w.change()
	must(t, p.Publish(t.Context(), nil, s))
	r, _ := reader(t, readerConfig(t, server))
	reach(t, r, s.Revision)
	watch := link.NewControlWatch(client, quiet)
	sink := watch.Annotate(link.StatusTee{watch, r})
	started := time.Now().Truncate(time.Millisecond)
	report := func() link.Ack {
		t.Helper()
		_ = sink.Report(t.Context(), sluice.GatewayStatus{Gateway: "g1", Started: started, Time: time.Now(), Revision: s.Revision})
		acks, err := p.Acks(t.Context())
		if err != nil || len(acks) != 1 {
			t.Fatalf("acknowledgements %+v, %v", acks, err)
		}
		return acks[0]
	}
	demand(right)
	report() // the refusal arrives
	if a := report(); a.Health != link.HealthDegraded || !strings.Contains(a.Reason, "SLUICE_PLANE_TOKEN") || !a.Started.Equal(started) {
		t.Errorf("refused: %+v", a)
	}
	demand(wrong) // now both have the same
	report()
	if a := report(); a.Health != link.HealthOK || watch.Reason() != "" {
		t.Errorf("taken again: %+v, %q", a, watch.Reason())
	}
}
