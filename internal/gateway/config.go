package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/journal"
	"github.com/sluicegate/sluice/internal/seal"
	"github.com/sluicegate/sluice/plugin"
)

// Config is what a gateway is made of. Fields without a stated default are
// required.
type Config struct {
	// Name identifies this gateway in records and in its status, Version the
	// build.
	Name, Version string

	// The four ports.
	Snapshots sluice.Snapshots
	Admission sluice.Admission
	Events    sluice.Events
	Status    sluice.StatusSink

	// Journal is where what requests cost is written down, with their records, for
	// the books to take; who passes it runs it. Without one nothing is charged,
	// and records go to Events alone: for tests.
	Journal *journal.Journal
	// Shipper is what brings the journal to the books; it is only asked how far it
	// is. Nil leaves that out of the status.
	Shipper *journal.Shipper
	// Answers keeps what requests with an Idempotency-Key were answered; nil takes
	// such keys for nothing.
	Answers sluice.Answers
	// Endings has outcomes that are charged for on another basis than that of the
	// table of endings ([sluice.Endings]); what is not among the choices there is
	// refused.
	Endings map[sluice.Outcome]sluice.ChargeBasis

	// Keys finds keys that a snapshot leaves out; nil when none does.
	Keys sluice.KeySource

	// Plugins and Dialects are what this process was built with.
	Plugins  *plugin.Registry
	Dialects *dialect.Registry
	// Keyring opens sealed credentials; nil means that a provider with a sealed
	// one is disabled.
	Keyring *seal.Keyring

	// Outbound reaches addresses that a platform admin wrote, TenantOutbound
	// those of tenants; see netguard for the difference.
	Outbound, TenantOutbound sluice.Outbound

	// Log, Now and Random are the logger, the clock and a source of random
	// numbers. Nil means slog.Default, time.Now and a generator seeded by the
	// runtime.
	Log    *slog.Logger
	Now    func() time.Time
	Random func() uint64
	// Metrics registers the gateway's metrics; nil keeps them to itself.
	Metrics prometheus.Registerer

	// TrustedProxies may state a client's address, scheme and host in
	// X-Forwarded-*; empty trusts nobody.
	TrustedProxies []netip.Prefix
	// Timeouts apply where a provider or upstream has none of its own; a phase
	// that is 0 here takes [DefaultTimeouts].
	Timeouts sluice.Timeouts
	// Records bounds the queue of finished requests.
	Records RecordConfig
	// Drain bounds the way out.
	Drain DrainConfig
	// StatusEvery is the interval of status reports; 0 means 5 s.
	StatusEvery time.Duration
}

// RecordConfig bounds the queue between the pipeline and the books.
type RecordConfig struct {
	// Queue is how many records may wait; 0 means 10,000. Those beyond it are
	// dropped, counted and logged.
	Queue int
	// Batch is how many are waited for before they are published, or what came
	// within Flush; 0 means 100. A backlog is published in larger pieces.
	Batch int
	// Flush is how long an incomplete batch waits; 0 means 200 ms.
	Flush time.Duration
}

// DrainConfig bounds a drain.
type DrainConfig struct {
	// PreStop is how long the gateway says that it is not ready while it still
	// accepts, so that balancers turn away; 0 means none.
	PreStop time.Duration
	// Deadline is how long requests in flight may go on; 0 means 10 min.
	Deadline time.Duration
}

// DefaultTimeouts are those of providers and upstreams that state none.
var DefaultTimeouts = sluice.Timeouts{ConnectMS: 3_000, FirstByteMS: 60_000, IdleMS: 120_000, TotalMS: 600_000}

// complete checks what is required and fills in the defaults.
func (c *Config) complete() error {
	var missing error
	require := func(set bool, name string) {
		if !set {
			missing = errors.Join(missing, errors.New("gateway: "+name+" is required"))
		}
	}
	require(c.Snapshots != nil, "Snapshots")
	require(c.Admission != nil, "Admission")
	require(c.Events != nil, "Events")
	require(c.Status != nil, "Status")
	require(c.Plugins != nil, "Plugins")
	require(c.Dialects != nil, "Dialects")
	require(c.Outbound != nil && c.TenantOutbound != nil, "Outbound and TenantOutbound")
	for outcome, basis := range c.Endings {
		if !sluice.MayCharge(outcome, basis) {
			missing = errors.Join(missing, fmt.Errorf("gateway: an ending %s cannot be charged by %s", outcome, basis))
		}
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Random == nil {
		c.Random = randomUint64
	}
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	c.Timeouts = orTimeouts(c.Timeouts, DefaultTimeouts)
	c.Records.Queue = cmp.Or(c.Records.Queue, 10_000)
	c.Records.Batch = cmp.Or(c.Records.Batch, 100)
	c.Records.Flush = cmp.Or(c.Records.Flush, 200*time.Millisecond)
	c.Drain.Deadline = cmp.Or(c.Drain.Deadline, 10*time.Minute)
	c.StatusEvery = cmp.Or(c.StatusEvery, 5*time.Second)
	return missing
}

// orTimeouts completes t by the phases of def.
func orTimeouts(t, def sluice.Timeouts) sluice.Timeouts {
	return sluice.Timeouts{
		ConnectMS:   cmp.Or(t.ConnectMS, def.ConnectMS),
		FirstByteMS: cmp.Or(t.FirstByteMS, def.FirstByteMS),
		IdleMS:      cmp.Or(t.IdleMS, def.IdleMS),
		TotalMS:     cmp.Or(t.TotalMS, def.TotalMS),
	}
}
