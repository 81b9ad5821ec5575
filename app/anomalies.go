package app

import (
	"log/slog"

	"github.com/sluicegate/sluice/internal/journal"
	"github.com/sluicegate/sluice/internal/ledger"
)

// anomaly counts and logs what the ledger has committed as an event.
func (c *controlRole) anomaly(a ledger.Anomaly) {
	c.anomalies.Add(1)
	anomalyTo(c.log)(a)
}

// anomalyTo returns what logs an anomaly.
func anomalyTo(log *slog.Logger) func(ledger.Anomaly) {
	return func(a ledger.Anomaly) {
		log.Error("an anomaly of the ledger; it is among the events", "reason", a.Reason, "journal", a.Journal, "seq", journal.Seq(a.Seq).String(), "request", a.Request.String())
	}
}
