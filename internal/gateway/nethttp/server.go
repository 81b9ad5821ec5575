package nethttp

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"

	"github.com/sluicegate/sluice"
)

// ServerConfig bounds what a client may do. Every zero value takes the default
// that it names.
type ServerConfig struct {
	// HeadTimeout bounds the arrival of a request's head; 0 means 5 s.
	HeadTimeout time.Duration
	// MaxHeadBytes bounds its size; 0 means 16 KiB. net/http adds 4 KiB.
	MaxHeadBytes int
	// IdleTimeout ends a connection without requests; 0 means 75 s.
	IdleTimeout time.Duration
	// WriteTimeout bounds each single write of an answer; 0 means 30 s.
	WriteTimeout time.Duration
	// BodyGrace is how long a body may take before it has to arrive at
	// BodyRate bytes a second on average; 0 means 10 s and 1 KiB/s.
	BodyGrace time.Duration
	BodyRate  int64
	// Log takes net/http's own complaints; nil means slog.Default.
	Log *slog.Logger
}

func (c ServerConfig) complete() ServerConfig {
	c.HeadTimeout = cmp.Or(c.HeadTimeout, 5*time.Second)
	c.MaxHeadBytes = cmp.Or(c.MaxHeadBytes, 16<<10)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, 75*time.Second)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, 30*time.Second)
	c.BodyGrace = cmp.Or(c.BodyGrace, 10*time.Second)
	c.BodyRate = cmp.Or(c.BodyRate, 1<<10)
	c.Log = cmp.Or(c.Log, slog.Default())
	return c
}

// NewServer returns a server that passes every request to serve, with the
// limits of the configuration. The caller gives it listeners and shuts it down.
func NewServer(cfg ServerConfig, serve func(sluice.Inbound)) *http.Server {
	cfg = cfg.complete()
	return &http.Server{
		Handler:                      Handler(cfg, serve),
		ReadHeaderTimeout:            cfg.HeadTimeout,
		IdleTimeout:                  cfg.IdleTimeout,
		MaxHeaderBytes:               cfg.MaxHeadBytes,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
	}
}

// Handler passes every request to serve. Use [NewServer] unless a test or
// another server brings limits of its own.
func Handler(cfg ServerConfig, serve func(sluice.Inbound)) http.Handler {
	cfg = cfg.complete()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in := newInbound(cfg, w, r)
		serve(in)
		in.leave()
	})
}
