package app

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sluicegate/sluice"
)

// readiness is whether a process can serve, and how well.
type readiness struct {
	// refusing processes serve nothing; others are healthy without a reason and
	// degraded with one.
	refusing bool
	reason   string
}

// notReady refuses for a reason.
func notReady(err error) readiness { return readiness{true, sluice.AsError(err).Message} }

// status is the HTTP status that load balancers go by.
func (r readiness) status() int {
	if r.refusing {
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}

// text names the state for people.
func (r readiness) text() string {
	switch {
	case r.refusing:
		return "not ready"
	case r.reason != "":
		return "degraded"
	}
	return "ready"
}

// statusHandler serves the status listener: metrics and probes, for operators'
// systems only.
func (n *node) statusHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(n.metrics, promhttp.HandlerOpts{Registry: n.metrics, MaxRequestsInFlight: 4, Timeout: 10 * time.Second}))
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		writeProbe(w, http.StatusOK, "ok", "")
	})
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		r := n.ready()
		writeProbe(w, r.status(), r.text(), r.reason)
	})
	return mux
}

// writeProbe answers a probe in the form of feature A9.
func writeProbe(w http.ResponseWriter, status int, text, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct { // the prober has gone when this fails
		Status    string    `json:"status"`
		Service   string    `json:"service"`
		Version   string    `json:"version"`
		Timestamp time.Time `json:"timestamp"`
		Reason    string    `json:"reason,omitempty"`
	}{text, "sluice", version(), time.Now().UTC(), reason})
}
