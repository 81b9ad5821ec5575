package app

import (
	"net"
	"net/url"
	"slices"
	"strconv"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/link"
)

// Role is what a process does: one plane, or both.
type Role string

// The roles, named as the commands that run them.
const (
	RoleServe   Role = "serve"
	RoleControl Role = "control"
	RoleGateway Role = "gateway"
)

// controls reports whether the process has a control plane.
func (r Role) controls() bool { return r != RoleGateway }

// serves reports whether the process has a gateway.
func (r Role) serves() bool { return r != RoleControl }

// problems collects what is wrong with a configuration.
type problems []error

// bad adds a [sluice.CodeConfig] problem.
func (p *problems) bad(format string, args ...any) {
	*p = append(*p, sluice.Errorf(sluice.CodeConfig, format, args...))
}

// Check returns everything that is wrong with the values for a process of the
// role, each as a [sluice.CodeConfig] error naming the setting. dev tells that
// --dev is given, which makes its own secrets.
func (c *Config) Check(role Role, dev bool) []error {
	var p problems
	c.checkListeners(&p, role)
	c.checkLog(&p)
	c.checkStores(&p, role)
	c.checkMoney(&p)
	if role.serves() {
		c.checkGateway(&p)
	}
	c.checkPlanes(&p, role, dev)
	c.checkSecrets(&p, role, dev)
	return p
}

func (c *Config) checkListeners(p *problems, role Role) {
	for _, l := range c.listeners(role) {
		if _, port, err := net.SplitHostPort(l.addr); err != nil || !validPort(port) {
			p.bad("%s: %q is not host:port", l.setting, l.addr)
		}
	}
	*p = append(*p, clashes(c.listeners(role))...)
	if c.ControlPort < 0 || c.ControlPort > 65535 {
		p.bad("EZ_API_PORT (server.port) must be 1 to 65535")
	}
}

func (c *Config) checkLog(p *problems) {
	if _, err := parseLevel(c.LogLevel); err != nil {
		p.bad("EZ_LOG_LEVEL (log.level): %q must be debug, info, warn or error", c.LogLevel)
	}
	if !slices.Contains([]string{"auto", "console", "json"}, c.LogFormat) {
		p.bad("SLUICE_LOG_FORMAT (log.format): %q must be auto, console or json", c.LogFormat)
	}
	if c.LogQueue < 1 || c.LogQueue > maxLogQueue {
		p.bad("EZ_LOG_QUEUE (log.queue_capacity) must be 1 to %d", maxLogQueue)
	}
	if c.LogBatchSize < 1 || c.LogBatchSize > c.LogQueue {
		p.bad("EZ_LOG_BATCH_SIZE (log.batch_size) must be 1 to EZ_LOG_QUEUE (%d)", c.LogQueue)
	}
	if c.LogFlushMS < 1 || c.LogFlushMS > maxFlushMS {
		p.bad("SLUICE_LOG_FLUSH_MS (log.flush_ms) must be 1 to %d", maxFlushMS)
	}
}

// checkStores checks where things are kept. The DSN is checked when it is
// opened, because only there an error is kept from quoting its password.
func (c *Config) checkStores(p *problems, role Role) {
	if c.EventsKeep < 0 {
		p.bad("SLUICE_EVENTS_KEEP (events.keep) must not be negative")
	}
	if c.RecordsKeep < 0 {
		p.bad("SLUICE_RECORDS_KEEP (records.keep) must not be negative")
	}
	if c.DataDir == "" {
		p.bad("SLUICE_DATA_DIR (data.dir) must not be empty")
	}
	if c.RedisAddr == "" && role != RoleServe {
		p.bad("EZ_REDIS_ADDR (redis.addr) is not set: control publishes the configuration to Redis and gateways read it there; one process without Redis is `sluice serve`")
	}
	for _, addr := range splitList(c.RedisAddr) {
		if _, port, err := net.SplitHostPort(addr); err != nil || !validPort(port) {
			p.bad("EZ_REDIS_ADDR (redis.addr): %q is not host:port", addr)
		}
	}
	if c.RedisDB < 0 {
		p.bad("SLUICE_REDIS_DB (redis.db) must not be negative")
	}
}

func (c *Config) checkGateway(p *problems) {
	if _, err := parseNetworks(c.TrustedProxies); err != nil {
		p.bad("SLUICE_TRUSTED_PROXIES (gateway.trusted_proxies): %v", err)
	}
	if (c.GatewayTLSCert == "") != (c.GatewayTLSKey == "") {
		p.bad("SLUICE_GATEWAY_TLS_CERT and SLUICE_GATEWAY_TLS_KEY must be set together")
	}
	if c.PreStop < 0 || c.DrainDeadline <= 0 {
		p.bad("SLUICE_PRE_STOP must not be negative, and SLUICE_DRAIN_DEADLINE must be more than 0")
	}
	if c.MaxStale <= 0 {
		p.bad("SLUICE_MAX_STALE (gateway.max_stale) must be more than 0")
	}
	if c.MaxKeys < 1 || c.MaxKeys > maxMaxKeys {
		p.bad("SLUICE_MAX_KEYS (gateway.max_keys) must be 1 to %d", maxMaxKeys)
	}
	choices := []link.OnStoreError{link.OnErrorAllow, link.OnErrorDeny, link.OnErrorLocal}
	if !slices.Contains(choices, link.OnStoreError(c.OnStoreError)) {
		p.bad("SLUICE_ON_STORE_ERROR (gateway.on_store_error): %q must be allow, deny or local", c.OnStoreError)
	}
}

// checkPlanes checks how control and gateways find and trust each other.
func (c *Config) checkPlanes(p *problems, role Role, dev bool) {
	if c.PlaneToken != "" || role != RoleServe && !dev {
		if err := link.CheckPlaneToken(c.PlaneToken); err != nil {
			*p = append(*p, err)
		}
	}
	if c.ControlURL == "" && role == RoleGateway {
		p.bad("SLUICE_CONTROL_URL (plane.control_url) is not set: records and status go there, for instance http://control:8081")
	}
	if c.ControlURL != "" && !webAddress(c.ControlURL) {
		p.bad("SLUICE_CONTROL_URL (plane.control_url): %q is not an http(s) address", c.ControlURL)
	}
	if c.AdvertiseURL != "" && !webAddress(c.AdvertiseURL) {
		p.bad("SLUICE_ADVERTISE_URL (plane.advertise_url): %q is not an http(s) address", c.AdvertiseURL)
	}
	if c.PublicURL != "" && !webAddress(c.PublicURL) {
		p.bad("SLUICE_PUBLIC_URL (control.public_url): %q is not an http(s) address", c.PublicURL)
	}
	if _, err := parseNetworks(c.ControlProxies); err != nil {
		p.bad("SLUICE_CONTROL_TRUSTED_PROXIES (control.trusted_proxies): %v", err)
	}
}

func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

func validPort(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 0 && n <= 65535
}
