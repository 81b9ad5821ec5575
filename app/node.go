package app

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/api"
	"github.com/sluicegate/sluice/internal/control"
	"github.com/sluicegate/sluice/internal/dialect/builtin"
	"github.com/sluicegate/sluice/internal/gateway"
	"github.com/sluicegate/sluice/internal/link"
	"github.com/sluicegate/sluice/internal/plugins"
	"github.com/sluicegate/sluice/internal/seal"
	"github.com/sluicegate/sluice/internal/store"
	"github.com/sluicegate/sluice/internal/wire"
	"github.com/sluicegate/sluice/internal/worker"
	"github.com/sluicegate/sluice/plugin"
)

// Limits of a control or status connection; those of the gateway are its own.
const (
	headTimeout   = 5 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeadBytes  = 16 << 10
	closeDeadline = 10 * time.Second
)

// nodeConfig is what a node is built from.
type nodeConfig struct {
	Config
	dev       bool
	extra     []plugin.Spec
	log       *slog.Logger
	level     *slog.LevelVar
	progress  *progress
	listeners map[string]net.Listener
}

// node is one process with all roles: control, gateway and worker on embedded
// parts. Its goroutines are started by start and ended by stop.
type node struct {
	nodeConfig
	metrics  *prometheus.Registry
	store    *store.DB
	control  *control.Control
	board    *link.Board
	statuses *link.StatusBoard
	gateway  *gateway.Gateway
	worker   *worker.Worker
	front    front
	plugins  []api.PluginInfo
	demoKey  string // minted for this start, with --dev

	servers []*http.Server
	failed  chan error
	cancel  context.CancelFunc
	loops   sync.WaitGroup
}

// newNode opens what must be open and wires the planes; nothing runs yet.
func newNode(ctx context.Context, cfg nodeConfig) (*node, error) {
	n := &node{
		nodeConfig: cfg, metrics: prometheus.NewRegistry(), board: link.NewBoard(), statuses: link.NewStatusBoard(),
		failed: make(chan error, len(cfg.listeners)),
	}
	n.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := n.open(ctx); err != nil {
		if n.store != nil {
			err = errors.Join(err, n.store.Close())
		}
		return nil, err
	}
	return n, nil
}

func (n *node) open(ctx context.Context) (err error) {
	n.progress.step("database")
	if n.store, err = store.Open(ctx, store.Config{Path: filepath.Join(n.DataDir, "sluice.db")}); err != nil {
		return err
	}
	keyring, err := n.openKeyring()
	if err != nil {
		return err
	}
	registry, err := plugin.New(append(plugins.All(), n.extra...)...)
	if err != nil {
		return sluice.Errorf(sluice.CodeConfig, "plugins: %v", err)
	}
	registry = registry.WithFilters(plugins.Filters)
	n.plugins = pluginInfo(registry)
	n.progress.step("control plane")
	if err := n.openControl(keyring, registry); err != nil {
		return err
	}
	n.progress.step("gateway")
	return n.openGateway(keyring, registry)
}

// openKeyring takes the master key from the configuration or, with --dev, from
// a file in the data folder that is made once.
func (n *node) openKeyring() (*seal.Keyring, error) {
	if n.MasterKey != "" {
		return seal.Parse(n.MasterKey)
	}
	k, err := seal.LoadOrCreate(filepath.Join(n.DataDir, "master.key"))
	if err != nil {
		return nil, sluice.Errorf(sluice.CodeMasterKey, "the master key in %s cannot be used", n.DataDir).Because(err)
	}
	return k, nil
}

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

func (n *node) openControl(keyring *seal.Keyring, registry *plugin.Registry) (err error) {
	n.control, err = control.New(control.Config{
		Store: n.store, Keyring: keyring, Plugins: pluginCheck{registry}, Dialects: builtin.Registry(nil),
		Publish:  func(_ context.Context, s *sluice.Snapshot) { n.board.Publish(s) },
		TokenKey: tokenKey(n.JWTSecret, keyring), KeyEnv: n.keyEnv(), Log: n.log,
	})
	if err != nil {
		return err
	}
	n.worker = worker.New(worker.Config{
		Records: n.store, Queue: n.LogQueue, Batch: n.LogBatchSize, Flush: time.Duration(n.LogFlushMS) * time.Millisecond,
		Keys: n.store, KeysUsed: n.statuses, Now: time.Now, Log: n.log,
	})
	return nil
}

// keyEnv is what minted keys show of where they belong.
func (n *node) keyEnv() string {
	if n.dev {
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

// gatewayName is the configured name, or the host's.
func (n *node) gatewayName() string {
	if n.GatewayName != "" {
		return n.GatewayName
	}
	if host, err := os.Hostname(); err == nil {
		return host
	}
	return "gateway"
}

// ready says why the process cannot serve, "" when it can.
func (n *node) ready() string {
	if err := n.gateway.Ready(); err != nil {
		return sluice.AsError(err).Message
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := n.store.Ping(ctx); err != nil {
		return sluice.AsError(err).Message
	}
	return ""
}

// start lets control publish, and opens the doors once the gateway has the
// first snapshot.
func (n *node) start(ctx context.Context) error {
	if err := n.control.Bootstrap(ctx); err != nil {
		return fmt.Errorf("prepare the installation: %w", err)
	}
	if err := n.forwardSelfService(ctx); err != nil {
		return fmt.Errorf("route self-service to control: %w", err)
	}
	if n.dev {
		n.progress.step("demo provider")
		if err := n.seedDemo(ctx); err != nil {
			return fmt.Errorf("seed the demo provider: %w", err)
		}
	}
	first, err := n.board.Next(ctx, 0)
	if err != nil {
		return err
	}
	if err := n.gateway.Apply(first); err != nil {
		return fmt.Errorf("apply the first snapshot: %w", err)
	}
	handler, err := n.apiHandler()
	if err != nil {
		return err
	}
	// The loops outlive ctx: they end in stop, after the drain.
	loops, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n.cancel = cancel
	n.loops.Go(func() { n.gateway.Run(loops) })
	n.loops.Go(func() { n.worker.Run(loops) })
	n.serveHTTP("status", n.statusHandler())
	n.serveHTTP("control", handler)
	n.serveFront()
	return nil
}

func (n *node) apiHandler() (http.Handler, error) {
	return api.New(api.Config{
		Control: n.control, Log: n.log, Version: version(), Plugins: n.plugins,
		Gateways: n.statuses.Gateways, LogLevel: n.level, Ready: n.ready,
	})
}

// serveHTTP serves an administrative listener in a goroutine that ends when
// stop shuts its server down.
func (n *node) serveHTTP(name string, h http.Handler) {
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: headTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeadBytes,
		ErrorLog: slog.NewLogLogger(n.log.Handler(), slog.LevelDebug),
	}
	n.servers = append(n.servers, s)
	n.loops.Go(func() { n.report(name, s.Serve(n.listeners[name])) })
}

// report tells that a listener failed by itself; shutting down is no failure.
func (n *node) report(name string, err error) {
	if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, wire.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		n.failed <- fmt.Errorf("serve the %s listener: %w", name, err)
	}
}

// address is where a listener really listens.
func (n *node) address(name string) string { return n.listeners[name].Addr().String() }

// stop drains the gateway, then ends control and the rest, then closes the
// store. It returns once everything has ended.
func (n *node) stop() error {
	var problems []error
	if n.cancel != nil {
		problems = append(problems, n.drainFront())
		ctx, done := context.WithTimeout(context.Background(), closeDeadline)
		defer done()
		for _, s := range n.servers {
			if err := s.Shutdown(ctx); err != nil {
				problems = append(problems, s.Close())
			}
		}
		n.cancel()
		n.loops.Wait()
	}
	closeAll(n.listeners)
	problems = append(problems, n.store.Close())
	return errors.Join(problems...)
}
