package gateway

import (
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicegate/sluice"
)

// metrics are what the gateway counts. Labels come from closed sets only: a
// label that clients choose would let them fill the memory. What every request
// adds to is looked up by label once and found by index from then on.
type metrics struct {
	requests *prometheus.CounterVec
	failures *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	ttft     *prometheus.HistogramVec
	attempts *prometheus.CounterVec
	answered prometheus.Counter // attempts without a code
	tokens   prometheus.Counter
	dropped  prometheus.Counter
	// late are endings that did not wait for the journal, unsettled those that it
	// did not take.
	late, unsettled prometheus.Counter
	revision        prometheus.Gauge
	disabled        prometheus.Gauge

	mu       sync.Mutex
	surfaces map[string]*surfaceMetrics
}

// gauges are read when somebody asks for them.
type gauges struct{ active, queued func() float64 }

// newMetrics registers the metrics.
func newMetrics(r prometheus.Registerer, g gauges) (*metrics, error) {
	buckets := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}
	m := &metrics{
		requests:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_requests_total", Help: "Requests that ended, by surface, outcome and status class."}, []string{"surface", "outcome", "class"}),
		failures:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_errors_total", Help: "Requests that ended with an error, by code."}, []string{"code"}),
		latency:   prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sluice_request_seconds", Help: "Time from a request's head to the end of its answer.", Buckets: buckets}, []string{"surface"}),
		ttft:      prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sluice_first_byte_seconds", Help: "Time from a request's head to the first byte of a target's answer.", Buckets: buckets}, []string{"surface"}),
		attempts:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_attempts_total", Help: "Calls to targets, by the code they failed with (empty: none)."}, []string{"code"}),
		tokens:    prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_tokens_total", Help: "Tokens consumed, all classes."}),
		dropped:   prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_records_dropped_total", Help: "Records lost because the queue was full or the process ended."}),
		late:      prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_settle_late_total", Help: "Answers under fast terms whose end left before the journal had its cost."}),
		unsettled: prometheus.NewCounter(prometheus.CounterOpts{Name: "sluice_unsettled_total", Help: "Endings that the journal did not take; they are charged by their last progress."}),
		revision:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "sluice_snapshot_revision", Help: "Revision of the snapshot that is served."}),
		disabled:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "sluice_disabled_objects", Help: "Objects of the snapshot that cannot be served."}),
		surfaces:  map[string]*surfaceMetrics{},
	}
	active := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sluice_active_requests", Help: "Requests in progress."}, g.active)
	queued := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sluice_records_queued", Help: "Records that wait to be published."}, g.queued)
	for _, c := range []prometheus.Collector{m.requests, m.failures, m.latency, m.ttft, m.attempts, m.tokens, active, queued, m.dropped, m.late, m.unsettled, m.revision, m.disabled} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	m.answered = m.attempts.WithLabelValues("")
	return m, nil
}

// surface returns the metrics of a surface.
func (m *metrics) surface(name string) *surfaceMetrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.surfaces[name]
	if s == nil {
		s = &surfaceMetrics{metrics: m, name: name, latency: m.latency.WithLabelValues(name), ttft: m.ttft.WithLabelValues(name)}
		s.ok = s.counter(sluice.OutcomeComplete, 200)
		m.surfaces[name] = s
	}
	return s
}

// attempt counts one call to a target.
func (m *metrics) attempt(code sluice.Code) {
	if code == "" {
		m.answered.Inc()
		return
	}
	m.attempts.WithLabelValues(string(code)).Inc()
}

// snapshot shows what is served.
func (m *metrics) snapshot(revision uint64, disabled int) {
	m.revision.Set(float64(revision))
	m.disabled.Set(float64(disabled))
}

// surfaceMetrics are those of one surface, found by the routes that speak it.
type surfaceMetrics struct {
	*metrics
	name          string
	latency, ttft prometheus.Observer
	// ok counts what nearly every request ends as: complete, 2xx.
	ok prometheus.Counter
}

// classes are the values of the label class.
var classes = [...]string{"0xx", "1xx", "2xx", "3xx", "4xx", "5xx"}

func (s *surfaceMetrics) counter(o sluice.Outcome, status int) prometheus.Counter {
	return s.requests.WithLabelValues(s.name, string(o), classes[min(max(status/100, 0), len(classes)-1)])
}

// exchange counts a finished request.
func (s *surfaceMetrics) exchange(r *sluice.Record, took, first time.Duration) {
	if r.Outcome == sluice.OutcomeComplete && r.Status/100 == 2 {
		s.ok.Inc()
	} else {
		s.counter(r.Outcome, r.Status).Inc()
	}
	s.latency.Observe(took.Seconds())
	if first > 0 {
		s.ttft.Observe(first.Seconds())
	}
	if r.Code != "" {
		s.failures.WithLabelValues(string(r.Code)).Inc()
	}
	if n := r.Usage.Total(); n > 0 {
		s.tokens.Add(float64(n))
	}
}
