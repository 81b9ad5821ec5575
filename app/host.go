package app

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
	"github.com/sluicegate/sluice/internal/plugins"
	"github.com/sluicegate/sluice/internal/seal"
	"github.com/sluicegate/sluice/internal/wire"
	"github.com/sluicegate/sluice/plugin"
)

// Limits of a control or status connection; those of the gateway are its own.
const (
	headTimeout   = 5 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeadBytes  = 16 << 10
	closeDeadline = 10 * time.Second
	// checkTimeout bounds the look at Redis before a start: a gateway that has a
	// last good file must serve from it within two seconds, reader included.
	checkTimeout = 500 * time.Millisecond
)

// nodeConfig is what a node is built from.
type nodeConfig struct {
	Config
	role      Role
	dev       bool
	extra     []plugin.Spec
	log       *slog.Logger
	level     *slog.LevelVar
	progress  *progress
	listeners map[string]net.Listener
}

// host is what the roles of a process share: its configuration, what both
// planes are built from, and its goroutines and servers. They are started by
// the roles and ended by [node.stop].
type host struct {
	nodeConfig
	metrics *prometheus.Registry
	keyring *seal.Keyring
	plugins *plugin.Registry
	redis   *link.Redis // nil without EZ_REDIS_ADDR

	servers []*http.Server
	failed  chan error
	loops   sync.WaitGroup
}

// newHost prepares what the roles share; nothing runs yet.
func newHost(cfg nodeConfig) (*host, error) {
	h := &host{nodeConfig: cfg, metrics: prometheus.NewRegistry(), failed: make(chan error, len(cfg.listeners))}
	h.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	var err error
	if h.keyring, err = openKeyring(cfg.MasterKey, cfg.DataDir); err != nil {
		return nil, err
	}
	if h.PlaneToken == "" && h.dev && h.role != RoleServe {
		h.PlaneToken = hex.EncodeToString(h.keyring.Derive("plane token", 32))
	}
	registry, err := plugin.New(append(plugins.All(), h.extra...)...)
	if err != nil {
		return nil, sluice.Errorf(sluice.CodeConfig, "plugins: %v", err)
	}
	h.plugins = registry.WithFilters(plugins.Filters)
	if h.RedisAddr != "" {
		h.redis, err = openRedis(&cfg.Config)
	}
	return h, err
}

// openKeyring takes the master key from the configuration or, with --dev, from
// a file in the data folder that is made once.
func openKeyring(masterKey, dataDir string) (*seal.Keyring, error) {
	if masterKey != "" {
		return seal.Parse(masterKey)
	}
	k, err := seal.LoadOrCreate(filepath.Join(dataDir, "master.key"))
	if err != nil {
		return nil, sluice.Errorf(sluice.CodeMasterKey, "the master key in %s cannot be used", dataDir).Because(err)
	}
	return k, nil
}

// openRedis prepares the pool; a server that is away is no error.
func openRedis(c *Config) (*link.Redis, error) {
	cfg := link.RedisConfig{
		Addrs: splitList(c.RedisAddr), Master: c.RedisMaster, Cluster: c.RedisCluster, DB: c.RedisDB, Prefix: c.RedisPrefix,
		Username: c.RedisUsername, Password: c.RedisPassword, SentinelPassword: c.RedisSentinelPassword,
	}
	if c.RedisTLS {
		cfg.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return link.OpenRedis(cfg)
}

// checkRedis refuses a server that the settings do not fit. One that is away
// may come back, so that is only told.
func (h *host) checkRedis(ctx context.Context) error {
	if h.redis == nil {
		return nil
	}
	h.progress.step("Redis at %s", h.RedisAddr)
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	err := h.redis.Check(ctx)
	if sluice.CodeOf(err) == sluice.CodeUnavailable {
		h.log.Warn("Redis does not answer; going on without it", "addr", h.RedisAddr, "err", err)
		return nil
	}
	return err
}

// serveHTTP serves an administrative listener in a goroutine that ends when
// stop shuts its server down.
func (h *host) serveHTTP(name string, handler http.Handler) {
	s := &http.Server{
		Handler: handler, ReadHeaderTimeout: headTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeadBytes,
		ErrorLog: slog.NewLogLogger(h.log.Handler(), slog.LevelDebug),
	}
	h.servers = append(h.servers, s)
	h.loops.Go(func() { h.report(name, s.Serve(h.listeners[name])) })
}

// report tells that a listener failed by itself; shutting down is no failure.
func (h *host) report(name string, err error) {
	if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, wire.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		h.failed <- fmt.Errorf("serve the %s listener: %w", name, err)
	}
}

// shutServers ends the administrative servers: requests that run may end.
func (h *host) shutServers() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeDeadline)
	defer cancel()
	var failures []error
	for _, s := range h.servers {
		if err := s.Shutdown(ctx); err != nil {
			failures = append(failures, s.Close())
		}
	}
	return errors.Join(failures...)
}

// close releases what newHost opened; the listeners are not its own.
func (h *host) close() error {
	if h.redis == nil {
		return nil
	}
	return h.redis.Close()
}

// addresses are where the listeners really listen, as attributes of a log line.
func addresses(listeners map[string]net.Listener) []any {
	var attrs []any
	for _, name := range []string{"gateway", "control", "status"} {
		if l := listeners[name]; l != nil {
			attrs = append(attrs, name, l.Addr().String())
		}
	}
	return attrs
}
