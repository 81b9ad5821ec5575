package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
)

// Config configures the API.
type Config struct {
	// Control is what the API is the face of; required.
	Control *control.Control
	// Log receives the causes of internal errors; nil discards.
	Log *slog.Logger
	// Version is shown by /health and in the OpenAPI document.
	Version string
	// PublicURL is where people reach the API, directly or through a proxy:
	// links begin with it. When it is https, session cookies are Secure and HSTS
	// is sent. Empty makes links relative and expects plain HTTP.
	PublicURL string
	// TrustedProxies are the networks whose X-Forwarded-For is believed, for
	// instance that of a gateway that forwards self-service; empty believes
	// nobody. Lock-out and audit go by the address that this finds.
	TrustedProxies []netip.Prefix
	// Plugins is what GET /admin/v1/plugins lists, in the order to show.
	Plugins []PluginInfo
	// Gateways returns what the gateways last reported; nil means none.
	Gateways func() []sluice.GatewayStatus
	// LedgerStatus returns the condition of the books; nil answers that the
	// operation is not supported.
	LedgerStatus func() sluice.LedgerStatus
	// Forward passes a request whose answer depends on the ledger on to the process
	// that keeps it and writes what that answers; done is false, and nothing is
	// written, where this process answers. client is who asks. nil means that there
	// is no other process.
	Forward func(w http.ResponseWriter, r *http.Request, client string) (done bool, err error)
	// Rebuild writes anew what is published outside this process, after POST
	// /sync/snapshot has published, and returns the revision; force confirms that
	// it may go back behind what was published. nil does nothing more.
	Rebuild func(ctx context.Context, force bool) (revision uint64, err error)
	// LogLevel reads and changes the process's log level; nil answers that the
	// operation is not supported.
	LogLevel *slog.LevelVar
	// Ready returns why the process cannot serve, "" when it can; nil means
	// always ready.
	Ready func() string
	// BodyTimeout bounds how long a request body may take to arrive; 0 means 10
	// seconds.
	BodyTimeout time.Duration
	// Clock tells the time; nil means time.Now.
	Clock func() time.Time
}

// PluginInfo describes one plugin to people and to the console.
type PluginInfo struct {
	Name string `json:"name"`
	// Priority orders plugins within a phase, highest first.
	Priority int `json:"priority"`
	// Phases lists where the plugin runs.
	Phases []string `json:"phases"`
	// Schema is the JSON Schema of its configuration.
	Schema json.RawMessage `json:"schema"`
}

// server is the state shared by all handlers: immutable after New.
type server struct {
	Config
	log    *slog.Logger
	api    huma.API
	secure bool
}

// New returns the handler of the control listener. It serves concurrently and
// starts no goroutines. The caller's http.Server sets the timeouts of the
// connection; body size, body time and work time are bounded here.
func New(cfg Config) (http.Handler, error) {
	if cfg.Control == nil {
		return nil, sluice.Errorf(sluice.CodeConfig, "the API needs a control")
	}
	s := newServer(cfg)
	mux := http.NewServeMux()
	s.api = humago.New(mux, s.humaConfig())
	s.api.UseMiddleware(s.translateRefusals)
	s.registerResources()
	s.registerCompatibility()
	s.registerAuth()
	s.registerSelfService()
	s.registerReports()
	s.registerCatalog()
	s.registerPrices()
	s.registerBilling()
	s.registerLedger()
	s.registerEvents()
	s.registerSystem()
	if err := s.mountPages(mux); err != nil {
		return nil, err
	}
	return s.wrap(mux), nil
}

func newServer(cfg Config) *server {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.BodyTimeout == 0 {
		cfg.BodyTimeout = 10 * time.Second
	}
	if cfg.Ready == nil {
		cfg.Ready = func() string { return "" }
	}
	if cfg.Gateways == nil {
		cfg.Gateways = func() []sluice.GatewayStatus { return nil }
	}
	cfg.PublicURL = strings.TrimSuffix(cfg.PublicURL, "/")
	return &server{Config: cfg, log: cfg.Log, secure: strings.HasPrefix(cfg.PublicURL, "https://")}
}
