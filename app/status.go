package app

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// statusHandler serves the status listener: metrics and probes, for operators'
// systems only.
func (n *node) statusHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(n.metrics, promhttp.HandlerOpts{Registry: n.metrics, MaxRequestsInFlight: 4, Timeout: 10 * time.Second}))
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		writeProbe(w, http.StatusOK, "ok", "")
	})
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		if reason := n.ready(); reason != "" {
			writeProbe(w, http.StatusServiceUnavailable, "not ready", reason)
			return
		}
		writeProbe(w, http.StatusOK, "ready", "")
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
