package app

import (
	"net"
	"strconv"
	"time"
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

	// The folder of the SQLite database, the journal, the access logs, the last good configuration of a gateway and the key file of --dev. It belongs to one process of a kind at a time.
	DataDir string `key:"data.dir" env:"SLUICE_DATA_DIR" default:"data"`
	// The PostgreSQL database of the control plane, as key=value pairs or a postgres:// URL; empty keeps everything in SQLite inside data.dir. A gateway never opens it.
	PostgresDSN string `key:"postgres.dsn" env:"EZ_PG_DSN" secret:"true"`
	// The Redis server, host:port; several, separated by commas, are sentinels (redis.master) or nodes of a cluster (redis.cluster). `serve` runs without; with it, it publishes there, too.
	RedisAddr string `key:"redis.addr" env:"EZ_REDIS_ADDR"`
	// The Redis database number; used with redis.addr.
	RedisDB int `key:"redis.db" env:"SLUICE_REDIS_DB" default:"0"`
	// What every key in Redis begins with, for a server that is shared. A Redis Cluster needs a hash tag: {sluice}:
	RedisPrefix string `key:"redis.prefix" env:"SLUICE_REDIS_PREFIX"`
	// The user to sign in to Redis as.
	RedisUsername string `key:"redis.username" env:"SLUICE_REDIS_USERNAME"`
	// The password of redis.username, or of Redis itself.
	RedisPassword string `key:"redis.password" env:"SLUICE_REDIS_PASSWORD" secret:"true"`
	// The name of the master that the sentinels at redis.addr watch.
	RedisMaster string `key:"redis.master" env:"SLUICE_REDIS_MASTER"`
	// The password of the sentinels.
	RedisSentinelPassword string `key:"redis.sentinel_password" env:"SLUICE_REDIS_SENTINEL_PASSWORD" secret:"true"`
	// Whether redis.addr names nodes of a Redis Cluster.
	RedisCluster bool `key:"redis.cluster" env:"SLUICE_REDIS_CLUSTER" default:"false"`
	// Whether to speak TLS to Redis.
	RedisTLS bool `key:"redis.tls" env:"SLUICE_REDIS_TLS" default:"false"`
	// Whether provider credentials are published in clear, for other balancers that read Redis and cannot open sealed ones.
	CompatPlaintext bool `key:"redis.compat_plaintext" env:"SLUICE_COMPAT_PLAINTEXT" default:"false"`

	// The secret that control and gateways know each other by, at least 24 characters. Required for `control` and `gateway` without --dev, which derives one from the master key; `serve` takes gateways of other processes when it is set.
	PlaneToken string `key:"plane.token" env:"SLUICE_PLANE_TOKEN" secret:"true"`
	// Where gateways reach the control plane, for instance http://control:8081. Control routes self-service there when it is set.
	ControlURL string `key:"plane.control_url" env:"SLUICE_CONTROL_URL"`
	// Where other processes on the same PostgreSQL reach the control listener of this one, for instance http://control-1:8081: to the one that keeps the ledger they pass on what needs it. Empty is the address of the listener, or the host's name where it listens on all. Used with plane.token.
	AdvertiseURL string `key:"plane.advertise_url" env:"SLUICE_ADVERTISE_URL"`
	// Where people reach the control plane; set-up links begin with it, and https makes session cookies secure.
	PublicURL string `key:"control.public_url" env:"SLUICE_PUBLIC_URL"`
	// Addresses and networks, separated by commas, of proxies and gateways in front of control whose X-Forwarded-For is believed.
	ControlProxies []string `key:"control.trusted_proxies" env:"SLUICE_CONTROL_TRUSTED_PROXIES"`

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

	// What the journal of requests' costs may take on disk, in bytes; the journal is the folder journal in data.dir. At nine tenths no billable request is admitted any more until the books catch up.
	JournalQuota int `key:"journal.quota_bytes" env:"SLUICE_JOURNAL_QUOTA_BYTES" default:"1073741824"`
	// How large a file of the journal grows before the next one begins, in bytes; at most an eighth of journal.quota_bytes.
	JournalSegment int `key:"journal.segment_bytes" env:"SLUICE_JOURNAL_SEGMENT_BYTES" default:"16777216"`
	// How long the ledger of a PostgreSQL database waits for the process that keeps it, which renews this every second, before another one may take it. For as long, less a second, that process decides on balances while the database is away: long for a single process, short for several.
	LedgerLease time.Duration `key:"ledger.lease" env:"SLUICE_LEDGER_LEASE" default:"5s"`
	// Where clients whose balance is short are sent to top up; empty is control.public_url with /billing behind it.
	TopUpURL string `key:"billing.top_up_url" env:"SLUICE_TOP_UP_URL"`
	// What endings of requests are charged for where that is not the default of docs/money.md, as outcome=basis, separated by commas (or a map in the file), for instance client_gone=nothing.
	Endings map[string]string `key:"billing.endings" env:"SLUICE_BILLING_ENDINGS"`
	// How many Idempotency-Keys one API key (or route without authentication) may use within 24 hours; more are refused.
	IdempotencyKeys int `key:"idempotency.keys" env:"SLUICE_IDEMPOTENCY_KEYS" default:"10000"`
	// How many bytes of answers are kept for one API key within 24 hours; a repetition of what came beyond is told that it ran, not what it was answered.
	IdempotencyBytes int `key:"idempotency.bytes" env:"SLUICE_IDEMPOTENCY_BYTES" default:"268435456"`

	// How long anomalies and alarms are kept, and the positions of journals that nobody ships from any more; 0 keeps them for ever.
	EventsKeep time.Duration `key:"events.keep" env:"SLUICE_EVENTS_KEEP" default:"8760h"`
	// How long records of finished requests are kept; 0 keeps them for ever.
	RecordsKeep time.Duration `key:"records.keep" env:"SLUICE_RECORDS_KEEP" default:"2160h"`

	// The gateway's name in records and status, different for each; empty takes the host's name.
	GatewayName string `key:"gateway.name" env:"SLUICE_GATEWAY_NAME"`
	// Addresses and networks, separated by commas, of proxies whose X-Forwarded-For is believed.
	TrustedProxies []string `key:"gateway.trusted_proxies" env:"SLUICE_TRUSTED_PROXIES"`
	// What limits do while Redis is away: allow, deny, or local, which counts this gateway's share of each limit by itself.
	OnStoreError string `key:"gateway.on_store_error" env:"SLUICE_ON_STORE_ERROR" default:"local"`
	// How long keys are trusted without word from Redis; after that no key is, because revocations may be missing.
	MaxStale time.Duration `key:"gateway.max_stale" env:"SLUICE_MAX_STALE" default:"24h"`
	// How many keys a gateway holds in memory. When there are more, it holds those in use and looks the others up in Redis.
	MaxKeys int `key:"gateway.max_keys" env:"SLUICE_MAX_KEYS" default:"200000"`
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
	maxMaxKeys  = 100_000_000
	// Of the journal: a file holds at least a few hundred entries of any size, and
	// no disk is larger than a quota can be.
	minSegment = 1 << 20
	maxSegment = 1 << 30
	minQuota   = 8 * minSegment
	maxQuota   = 1 << 44
	// Of the ledger's lease: it outlives a renewal that hangs, and is over before
	// anybody believes that nobody will come.
	minLease = 3 * time.Second
	maxLease = 24 * time.Hour
)

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
