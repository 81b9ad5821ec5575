package app

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what a journal tells of itself.
func (c *costs) metrics() []prometheus.Collector {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sluice_journal_" + name, Help: help}, value)
	}
	return []prometheus.Collector{
		gauge("bytes", "What the journal takes on disk.", func() float64 { return float64(c.journal.Stats().Bytes) }),
		gauge("quota_bytes", "What the journal may take; at nine tenths billable requests are refused.", func() float64 { return float64(c.JournalQuota) }),
		gauge("buffered_bytes", "Entries in memory that are not durable yet.", func() float64 { return float64(c.journal.Stats().Buffered) }),
		gauge("open_requests", "Requests that have begun and not ended.", func() float64 { return float64(c.journal.Stats().Requests) }),
		gauge("failing", "1 while the journal cannot be written and billable requests are refused.", func() float64 { return oneIf(c.journal.Stats().Failing != nil) }),
		gauge("unshipped_entries", "Durable entries that the books have not confirmed; 0 as soon as they have all.", func() float64 { return float64(c.unshipped()) }),
		gauge("oldest_unshipped_seconds", "How long the oldest entry has waited that the books have not confirmed, since this process or a former one wrote it.", func() float64 { return c.shipper.Waiting(time.Now()).Seconds() }),
		gauge("old_copies", "How often the books knew more of a former process than its journal has: the folder was put back from a copy, or its end is gone.", func() float64 { return float64(c.shipper.Copies()) }),
	}
}

// unshipped is how many durable entries are ahead of what the books have, within
// an epoch; across a restart only that there are some.
func (c *costs) unshipped() uint64 {
	synced, applied := uint64(c.journal.Stats().Synced), uint64(c.shipper.Shipped())
	if synced <= applied {
		return 0
	}
	const count = 1<<40 - 1
	if synced>>40 != applied>>40 {
		return max(synced&count, 1)
	}
	return synced - applied
}

// ledgerMetrics are what the books tell of themselves.
func (c *controlRole) ledgerMetrics() []prometheus.Collector {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sluice_ledger_" + name, Help: help}, value)
	}
	list := []prometheus.Collector{
		gauge("owner", "1 while this process keeps the ledger.", func() float64 { return oneIf(c.books.Status().Owner) }),
		gauge("lag_seconds", "How long the oldest entry of the latest batch waited to be booked.", func() float64 { return c.books.Status().Lag.Seconds() }),
		gauge("entries", "Journal entries that this process has booked.", func() float64 { return float64(c.books.Status().Entries) }),
		gauge("open_holds", "Holds of requests that run, as of the latest check.", func() float64 { return float64(c.books.Status().Figures.OpenHolds) }),
		gauge("uncommitted", "Changes in memory that the database does not have, as of the latest check.", func() float64 { return float64(c.books.Status().Figures.Uncommitted) }),
		gauge("unreadable_records", "Records of journals that had to be made anew.", func() float64 { return float64(c.books.Status().Unreadable) }),
		gauge("lost_entries", "Runs of journal entries that were reported lost.", func() float64 { return float64(c.books.Status().Lost) }),
		gauge("anomalies", "What must not happen and did not stop the ledger, since this process began; `GET /admin/v1/events` lists it.", func() float64 { return float64(c.anomalies.Load()) }),
		gauge("failing_seconds", "For how long nothing could be booked; 0 while it works.", func() float64 {
			if since := c.books.Status().Since; !since.IsZero() {
				return time.Since(since).Seconds()
			}
			return 0
		}),
		gauge("alarm", "1 when nothing could be booked for an hour.", func() float64 { return oneIf(c.books.Status().Alarmed) }),
		gauge("broken", "1 when the ledger in memory found itself impossible and this process has to be restarted.", func() float64 { return oneIf(c.books.Status().Broken) }),
		gauge("full_check_timestamp_seconds", "When the whole ledger was last proven.", func() float64 {
			if at := c.books.Status().Full.At; !at.IsZero() {
				return float64(at.Unix())
			}
			return 0
		}),
	}
	for _, row := range invariants {
		if !row.here() {
			continue
		}
		name := row.id
		list = append(list, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "sluice_ledger_violations", Help: "Violations of an invariant of docs/money.md; 0 always.", ConstLabels: prometheus.Labels{"invariant": name},
		}, func() float64 { return float64(violations(c.books.Status(), name)) }))
	}
	return list
}
