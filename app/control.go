package app

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/api"
	"github.com/sluicegate/sluice/internal/control"
	"github.com/sluicegate/sluice/internal/dialect/builtin"
	"github.com/sluicegate/sluice/internal/link"
	"github.com/sluicegate/sluice/internal/seal"
	"github.com/sluicegate/sluice/internal/store"
	"github.com/sluicegate/sluice/internal/worker"
	"github.com/sluicegate/sluice/plugin"
)

// controlRole is the control plane of a process: database, use cases, API,
// worker, and the publication of snapshots.
type controlRole struct {
	*host
	store     *store.DB
	control   *control.Control
	worker    *worker.Worker
	books     *worker.Books
	keeper    *link.Keeper         // knows which process keeps the ledger; nil when there is no other
	board     *link.Board          // to the gateway of this process
	statuses  *link.StatusBoard    // of gateways that report to this process
	publisher *link.RedisPublisher // to gateways of other processes; nil without Redis
	anomalies atomic.Uint64        // of the ledger, since the start
	logs      *link.AccessLogs     // nil without a plane token
	demoKey   string               // minted for this start, with --dev
}

// openControl opens the database and builds the control plane on it.
func openControl(ctx context.Context, h *host) (_ *controlRole, err error) {
	c := &controlRole{host: h, board: link.NewBoard(), statuses: link.NewStatusBoard()}
	if c.store, err = openStore(ctx, &h.Config, h.progress.step); err != nil {
		return nil, err
	}
	if err := c.open(ctx); err != nil {
		return nil, errors.Join(err, c.store.Close())
	}
	return c, nil
}

// close gives up what open opened.
func (c *controlRole) close() error { return errors.Join(c.closeBooks(), c.store.Close()) }

// openStore opens PostgreSQL when it is configured, else SQLite.
func openStore(ctx context.Context, c *Config, step func(format string, args ...any)) (*store.DB, error) {
	cfg := store.Config{Migrating: func(m store.Migration) { step("migration %d: %s", m.Version, m.Name) }}
	if c.PostgresDSN == "" {
		cfg.Path = filepath.Join(c.DataDir, databaseName)
		step("SQLite database")
	} else {
		cfg.DSN = c.PostgresDSN
		step("PostgreSQL database")
	}
	return store.Open(ctx, cfg)
}

// databaseName is the SQLite file in the data folder.
const databaseName = "sluice.db"

func (c *controlRole) open(ctx context.Context) (err error) {
	if err := c.openBooks(ctx); err != nil {
		return err
	}
	if err := c.openKeeper(); err != nil {
		return err
	}
	if c.PostgresDSN == "" { // nobody else can be running a request by this database
		if err := c.store.EndAnswers(ctx); err != nil {
			return err
		}
	}
	c.publisher = newPublisher(c.host, c.store)
	c.control, err = control.New(control.Config{
		Store: c.store, Keyring: c.keyring, Plugins: pluginCheck{c.plugins}, Dialects: builtin.Registry(nil), Publish: c.deliver,
		TokenKey: tokenKey(c.JWTSecret, c.keyring), KeyEnv: c.keyEnv(), Log: c.log, Ledger: c.books,
	})
	if err != nil {
		return err
	}
	c.worker = worker.New(worker.Config{
		Records: c.store, Queue: c.LogQueue, Batch: c.LogBatchSize, Flush: c.flush(),
		Keys: c.store, KeysUsed: c.statuses, Now: time.Now, Log: c.log,
		Retention: []worker.Retention{
			{Name: "records", Keep: c.RecordsKeep, Delete: c.store.DeleteRecords},
			{Name: "events", Keep: c.EventsKeep, Delete: c.store.DeleteEvents},
			{Name: "journal positions", Keep: c.EventsKeep, Delete: c.store.DeleteJournals},
			{Name: "caps and grants that are over, from memory", Keep: time.Nanosecond, Delete: c.forgetPast},
			{Name: "answers", Keep: time.Nanosecond, Delete: c.expireAnswers},
		},
	})
	if c.PlaneToken != "" {
		c.logs, err = c.openAccessLogs()
	}
	return err
}

// forgetPast has the book forget what no request needs any more; the store keeps
// it.
func (c *controlRole) forgetPast(context.Context, time.Time, int) (int, error) {
	if book := c.books.Book(); book != nil {
		return book.Prune(time.Now()), nil
	}
	return 0, nil
}

// expireAnswers removes answers whose own time is over.
func (c *controlRole) expireAnswers(ctx context.Context, _ time.Time, limit int) (int, error) {
	n, err := c.store.ExpireAnswers(ctx, limit)
	return int(n), err
}

// flush is log.flush_ms.
func (h *host) flush() time.Duration { return time.Duration(h.LogFlushMS) * time.Millisecond }

// tokenKey derives the key that signs access tokens from auth.jwt_secret or,
// with --dev, from the master key.
func tokenKey(secret string, k *seal.Keyring) ed25519.PrivateKey {
	const purpose = "access tokens"
	if secret == "" {
		return ed25519.NewKeyFromSeed(k.Derive(purpose, ed25519.SeedSize))
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(purpose))
	return ed25519.NewKeyFromSeed(mac.Sum(nil))
}

// keyEnv is what minted keys show of where they belong.
func (c *controlRole) keyEnv() string {
	if c.dev {
		return "dev"
	}
	return "live"
}

// pluginCheck lets control validate plugin configurations.
type pluginCheck struct{ registry *plugin.Registry }

// ValidatePlugin implements control.Plugins.
func (c pluginCheck) ValidatePlugin(name string, config []byte) error {
	return c.registry.Validate(name, config)
}

// pluginInfo describes the plugins to the API.
func pluginInfo(registry *plugin.Registry) []api.PluginInfo {
	var list []api.PluginInfo
	for _, s := range registry.Specs() {
		info := api.PluginInfo{Name: s.Name, Priority: s.Priority, Phases: []string{}, Schema: s.Schema()}
		for _, phase := range s.Phases() {
			info.Phases = append(info.Phases, string(phase))
		}
		list = append(list, info)
	}
	return list
}

// prepare makes sure that what every installation needs exists, and publishes
// the first snapshot.
func (c *controlRole) prepare(ctx context.Context) error {
	if err := c.control.Bootstrap(ctx); err != nil {
		return fmt.Errorf("prepare the installation: %w", err)
	}
	if err := c.forwardSelfService(ctx); err != nil {
		return fmt.Errorf("route self-service to control: %w", err)
	}
	if !c.dev {
		c.tellEmpty()
		return nil
	}
	c.progress.step("demo provider")
	if err := c.seedDemo(ctx); err != nil {
		return fmt.Errorf("seed the demo provider: %w", err)
	}
	return nil
}

// start runs the worker and the publication until loops ends, and opens the
// API. ready speaks for the whole process.
func (c *controlRole) start(loops context.Context, ready func() readiness) error {
	handler, err := c.handler(ready)
	if err != nil {
		return err
	}
	c.loops.Go(func() { c.worker.Run(loops) })
	c.loops.Go(func() { c.books.Run(loops) })
	c.loops.Go(func() { c.control.Run(loops) })
	if c.publisher != nil {
		c.loops.Go(func() { c.publisher.Run(loops) })
	}
	if c.PostgresDSN != "" {
		c.loops.Go(func() { c.followOthers(loops) })
	}
	if c.logs != nil {
		c.loops.Go(func() { c.logs.Run(loops) })
	}
	c.serveHTTP("control", handler)
	return nil
}

// handler serves the control listener: the API, and what is between the planes.
func (c *controlRole) handler(ready func() readiness) (http.Handler, error) {
	proxies, err := c.controlProxies()
	if err != nil {
		return nil, err
	}
	handler, err := api.New(api.Config{
		Control: c.control, Log: c.log, Version: version(), Plugins: pluginInfo(c.plugins),
		PublicURL: c.PublicURL, TrustedProxies: proxies,
		Gateways: c.fleet, LogLevel: c.level, Rebuild: c.rebuild(), LedgerStatus: c.ledgerStatus, Forward: c.keeper.Forward,
		Ready: func() string {
			if r := ready(); r.refusing {
				return r.reason
			}
			return ""
		},
	})
	if err != nil {
		return nil, err
	}
	return c.withPlanes(handler)
}

// controlProxies are whose X-Forwarded-For control believes; the gateway of
// the same process forwards self-service over loopback.
func (c *controlRole) controlProxies() ([]netip.Prefix, error) {
	list := c.ControlProxies
	if c.role.serves() {
		list = append([]string{"127.0.0.0/8", "::1"}, list...)
	}
	networks, err := parseNetworks(list)
	if err != nil {
		return nil, sluice.Errorf(sluice.CodeConfig, "SLUICE_CONTROL_TRUSTED_PROXIES: %v", err)
	}
	return networks, nil
}

// ready asks the database.
func (c *controlRole) ready() readiness {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := c.store.Ping(ctx); err != nil {
		return notReady(err)
	}
	return readiness{}
}
