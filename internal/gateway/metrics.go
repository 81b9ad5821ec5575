package gateway

import (
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicegate/sluice"
)

// metrics are what the gateway counts. Labels come from closed sets only: a
// label that clients choose would let them fill the memory.
type metrics struct {
	requests *prometheus.CounterVec
	failures *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	ttft     *prometheus.HistogramVec
	attempts *prometheus.CounterVec
	tokens   prometheus.Counter
	active   prometheus.Gauge
	queued   prometheus.Gauge
	dropped  prometheus.Counter
	revision prometheus.Gauge
	disabled prometheus.Gauge
}

// newMetrics registers the metrics.
func newMetrics(r prometheus.Registerer) (*metrics, error) {
	buckets := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_requests_total", Help: "Requests that ended, by surface, outcome and status class."}, []string{"surface", "outcome", "class"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_errors_total", Help: "Requests that ended with an error, by code."}, []string{"code"}),
		latency:  prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sluice_request_seconds", Help: "Time from a request's head to the end of its answer.", Buckets: buckets}, []string{"surface"}),
		ttft:     prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sluice_first_byte_seconds", Help: "Time from a request's head to the first byte of a target's answer.", Buckets: buckets}, []string{"surface"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_attempts_total", Help: "Calls to targets, by the code they failed with (empty: none)."}, []string{"code"}),
		tokens:   prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_tokens_total", Help: "Tokens consumed, all classes."}),
		active:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "sluice_active_requests", Help: "Requests in progress."}),
		queued:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "sluice_records_queued", Help: "Records that wait to be published."}),
		dropped:  prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_records_dropped_total", Help: "Records lost because the queue was full or the process ended."}),
		revision: prometheus.NewGauge(prometheus.GaugeOpts{Name: "sluice_snapshot_revision", Help: "Revision of the snapshot that is served."}),
		disabled: prometheus.NewGauge(prometheus.GaugeOpts{Name: "sluice_disabled_objects", Help: "Objects of the snapshot that cannot be served."}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.failures, m.latency, m.ttft, m.attempts, m.tokens, m.active, m.queued, m.dropped, m.revision, m.disabled} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// exchange counts a finished request.
func (m *metrics) exchange(r *sluice.Record, took, first time.Duration) {
	m.requests.WithLabelValues(r.Surface, string(r.Outcome), strconv.Itoa(r.Status/100)+"xx").Inc()
	m.latency.WithLabelValues(r.Surface).Observe(took.Seconds())
	if first > 0 {
		m.ttft.WithLabelValues(r.Surface).Observe(first.Seconds())
	}
	if r.Code != "" {
		m.failures.WithLabelValues(string(r.Code)).Inc()
	}
	m.tokens.Add(float64(r.Usage.Total()))
}

// attempt counts one call to a target.
func (m *metrics) attempt(code sluice.Code) { m.attempts.WithLabelValues(string(code)).Inc() }

// snapshot shows what is served.
func (m *metrics) snapshot(revision uint64, disabled int) {
	m.revision.Set(float64(revision))
	m.disabled.Set(float64(disabled))
}
