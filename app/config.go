package app

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/seal"
)

// Config is everything that can be set. A value comes from the environment,
// else from the configuration file, else from the default. The comments below
// are what docs/CONFIGURATION.md prints.
type Config struct {
	// Where clients connect. With --dev the default listens on loopback only.
	GatewayAddr string `key:"gateway.addr" env:"SLUICE_GATEWAY_ADDR" default:":8080"`
	// The certificate chain and the key, in PEM files, that the gateway serves HTTPS with; both or neither.
	GatewayTLSCert string `key:"gateway.tls_cert" env:"SLUICE_GATEWAY_TLS_CERT"`
	// The key of gateway.tls_cert.
	GatewayTLSKey string `key:"gateway.tls_key" env:"SLUICE_GATEWAY_TLS_KEY"`
	// Where the control plane (API, documentation, set-up form) listens.
	ControlAddr string `key:"control.addr" env:"SLUICE_CONTROL_ADDR" default:"127.0.0.1:8081"`
	// The port of the control plane; when set it replaces the port of control.addr. 0 is unset.
	ControlPort int `key:"server.port" env:"EZ_API_PORT" default:"0"`
	// Where /metrics, /health and /ready are served.
	StatusAddr string `key:"status.addr" env:"SLUICE_STATUS_ADDR" default:"127.0.0.1:8082"`

	// The folder of the database, the key files of --dev and the lock. It belongs to one process at a time.
	DataDir string `key:"data.dir" env:"SLUICE_DATA_DIR" default:"data"`
	// The PostgreSQL database. This version keeps its data in SQLite inside data.dir and refuses to start when this is set.
	PostgresDSN string `key:"postgres.dsn" env:"EZ_PG_DSN" secret:"true"`
	// The Redis server. This version runs in one process without Redis and refuses to start when this is set.
	RedisAddr string `key:"redis.addr" env:"EZ_REDIS_ADDR"`
	// The Redis database number; used with redis.addr.
	RedisDB int `key:"redis.db" env:"SLUICE_REDIS_DB" default:"0"`

	// The key that seals provider credentials: 32 random bytes as hex or base64. Required without --dev, which keeps one in data.dir.
	MasterKey string `key:"secrets.master_key" env:"SLUICE_MASTER_KEY" secret:"true"`
	// The secret that access tokens are signed with, at least 32 bytes. Required without --dev.
	JWTSecret string `key:"auth.jwt_secret" env:"SLUICE_JWT_SECRET" secret:"true"`

	// What is logged: debug, info, warn or error. SIGHUP reads it again while the process runs.
	LogLevel string `key:"log.level" env:"EZ_LOG_LEVEL" default:"info"`
	// How it is logged: console (for people), json, or auto (console on a terminal, else json).
	LogFormat string `key:"log.format" env:"SLUICE_LOG_FORMAT" default:"auto"`
	// How many finished requests may wait to be written to the books.
	LogQueue int `key:"log.queue_capacity" env:"EZ_LOG_QUEUE" default:"10000"`
	// How many finished requests are written in one batch.
	LogBatchSize int `key:"log.batch_size" env:"EZ_LOG_BATCH_SIZE" default:"10"`
	// How long a batch that is not full waits, in milliseconds.
	LogFlushMS int `key:"log.flush_ms" env:"SLUICE_LOG_FLUSH_MS" default:"1000"`

	// The gateway's name in records and status; empty takes the host's name.
	GatewayName string `key:"gateway.name" env:"SLUICE_GATEWAY_NAME"`
	// Addresses and networks, separated by commas, of proxies whose X-Forwarded-For is believed.
	TrustedProxies []string `key:"gateway.trusted_proxies" env:"SLUICE_TRUSTED_PROXIES"`
	// How long /ready answers 503 before the listeners close on SIGTERM. With --dev it is 0.
	PreStop time.Duration `key:"gateway.pre_stop" env:"SLUICE_PRE_STOP" default:"5s"`
	// How long running requests may take to end on SIGTERM.
	DrainDeadline time.Duration `key:"gateway.drain_deadline" env:"SLUICE_DRAIN_DEADLINE" default:"10m"`
}

// Limits of numeric settings; what lies beyond is a typing error.
const (
	maxLogQueue = 1_000_000
	maxFlushMS  = 60_000
	minSecret   = 32
)

// placeholderWords stand in the values that examples and predecessors show:
// whoever runs on one of them lets everybody sign tokens. A drawn secret has
// none of them but by a chance nobody meets.
var placeholderWords = []string{"secret", "change", "default", "password", "example", "your-", "your_"}

// wellKnown reports whether a secret reads like a placeholder.
func wellKnown(secret string) bool {
	lower := strings.ToLower(secret)
	return slices.ContainsFunc(placeholderWords, func(word string) bool { return strings.Contains(lower, word) })
}

// controlAddr is control.addr with the port of server.port when that is set.
func (c *Config) controlAddr() string {
	host, _, err := net.SplitHostPort(c.ControlAddr)
	if c.ControlPort == 0 || err != nil {
		return c.ControlAddr
	}
	return net.JoinHostPort(host, strconv.Itoa(c.ControlPort))
}

// controlSetting names the setting that decides the control plane's port.
func (c *Config) controlSetting() string {
	if c.ControlPort != 0 {
		return "EZ_API_PORT"
	}
	return "SLUICE_CONTROL_ADDR"
}

// useDev applies what --dev changes where nobody has set anything else.
func (c *Config) useDev(set func(key string) bool) {
	if !set("gateway.addr") {
		c.GatewayAddr = "127.0.0.1:8080"
	}
	if !set("gateway.pre_stop") {
		c.PreStop = 0
	}
}

// Check returns everything that is wrong with the values, each as a
// [sluice.CodeConfig] error naming the setting. dev tells that --dev is given,
// which makes its own secrets.
func (c *Config) Check(dev bool) []error {
	var problems []error
	bad := func(format string, args ...any) {
		problems = append(problems, sluice.Errorf(sluice.CodeConfig, format, args...))
	}
	for _, l := range c.listeners() {
		if _, port, err := net.SplitHostPort(l.addr); err != nil || !validPort(port) {
			bad("%s: %q is not host:port", l.setting, l.addr)
		}
	}
	problems = append(problems, c.clashes()...)
	if c.ControlPort < 0 || c.ControlPort > 65535 {
		bad("EZ_API_PORT (server.port) must be 1 to 65535")
	}
	if c.PostgresDSN != "" {
		bad("EZ_PG_DSN (postgres.dsn) is set, but this version keeps its data in SQLite below SLUICE_DATA_DIR; unset it")
	}
	if c.RedisAddr != "" {
		bad("EZ_REDIS_ADDR (redis.addr) is set, but this version runs in one process without Redis; unset it")
	}
	if _, err := parseLevel(c.LogLevel); err != nil {
		bad("EZ_LOG_LEVEL (log.level): %q must be debug, info, warn or error", c.LogLevel)
	}
	if !slices.Contains([]string{"auto", "console", "json"}, c.LogFormat) {
		bad("SLUICE_LOG_FORMAT (log.format): %q must be auto, console or json", c.LogFormat)
	}
	if c.LogQueue < 1 || c.LogQueue > maxLogQueue {
		bad("EZ_LOG_QUEUE (log.queue_capacity) must be 1 to %d", maxLogQueue)
	}
	if c.LogBatchSize < 1 || c.LogBatchSize > c.LogQueue {
		bad("EZ_LOG_BATCH_SIZE (log.batch_size) must be 1 to EZ_LOG_QUEUE (%d)", c.LogQueue)
	}
	if c.LogFlushMS < 1 || c.LogFlushMS > maxFlushMS {
		bad("SLUICE_LOG_FLUSH_MS (log.flush_ms) must be 1 to %d", maxFlushMS)
	}
	if c.DataDir == "" {
		bad("SLUICE_DATA_DIR (data.dir) must not be empty")
	}
	if _, err := parseNetworks(c.TrustedProxies); err != nil {
		bad("SLUICE_TRUSTED_PROXIES (gateway.trusted_proxies): %v", err)
	}
	if (c.GatewayTLSCert == "") != (c.GatewayTLSKey == "") {
		bad("SLUICE_GATEWAY_TLS_CERT and SLUICE_GATEWAY_TLS_KEY must be set together")
	}
	if c.PreStop < 0 || c.DrainDeadline <= 0 {
		bad("SLUICE_PRE_STOP must not be negative, and SLUICE_DRAIN_DEADLINE must be more than 0")
	}
	return append(problems, c.checkSecrets(dev)...)
}

// checkSecrets refuses missing and well-known secrets outside --dev, and
// malformed ones everywhere.
func (c *Config) checkSecrets(dev bool) []error {
	var problems []error
	if c.MasterKey != "" {
		if _, err := seal.Parse(c.MasterKey); err != nil {
			problems = append(problems, sluice.Errorf(sluice.CodeMasterKey, "SLUICE_MASTER_KEY (secrets.master_key): %v", err))
		}
	} else if !dev {
		problems = append(problems, sluice.Errorf(sluice.CodeMasterKey,
			"SLUICE_MASTER_KEY (secrets.master_key) is not set; make one with `openssl rand -hex 32` and keep it safe, or use --dev"))
	}
	switch {
	case c.JWTSecret == "" && !dev:
		problems = append(problems, sluice.Errorf(sluice.CodeConfig,
			"SLUICE_JWT_SECRET (auth.jwt_secret) is not set; make one with `openssl rand -hex 32`, or use --dev"))
	case c.JWTSecret != "" && wellKnown(c.JWTSecret):
		problems = append(problems, sluice.Errorf(sluice.CodeConfig,
			"SLUICE_JWT_SECRET (auth.jwt_secret) is a well-known default or reads like a placeholder; make one with `openssl rand -hex 32`"))
	case c.JWTSecret != "" && (len(c.JWTSecret) < minSecret || repeats(c.JWTSecret)):
		problems = append(problems, sluice.Errorf(sluice.CodeConfig,
			"SLUICE_JWT_SECRET (auth.jwt_secret) must be %d random bytes or more; make one with `openssl rand -hex 32`", minSecret))
	}
	return problems
}

// repeats reports whether a text has so few different bytes that nobody drew it
// at random.
func repeats(s string) bool {
	seen := map[byte]bool{}
	for i := range len(s) {
		seen[s[i]] = true
	}
	return len(seen) < 8
}

func validPort(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 0 && n <= 65535
}
