package app

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// registerMetrics adds what every role tells of its health: the same as /ready,
// for systems that watch and do not probe.
func (n *node) registerMetrics() {
	gauge := func(name, help string, value func() float64) {
		n.metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge("sluice_ready", "1 while the process serves, 0 while it refuses.", func() float64 {
		return oneIf(!n.ready().refusing)
	})
	gauge("sluice_degraded", "1 while the process serves without knowing everything that it should; /ready says why.", func() float64 {
		r := n.ready()
		return oneIf(!r.refusing && r.reason != "")
	})
	if n.costs != nil {
		n.metrics.MustRegister(n.costs.metrics()...)
	}
	if n.control != nil {
		n.metrics.MustRegister(n.control.ledgerMetrics()...)
	}
	if n.gateway == nil || n.gateway.ports.reader == nil {
		return
	}
	reader := n.gateway.ports.reader.reader
	gauge("sluice_config_age_seconds", "How long ago the configuration that is served was last confirmed; 0 before the first.", func() float64 {
		if s := reader.State(); !s.Confirmed.IsZero() {
			return time.Since(s.Confirmed).Seconds()
		}
		return 0
	})
	gauge("sluice_config_refused_revision", "The published revision that the gateway did not take, 0 when there is none.", func() float64 {
		return float64(reader.State().Refused)
	})
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
