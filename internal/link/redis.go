package link

import (
	"cmp"
	"context"
	"crypto/tls"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/sluicegate/sluice"
)

// Time limits of a connection to Redis.
const (
	dialTimeout  = time.Second
	replyTimeout = 5 * time.Second
)

// hashTag is a prefix that keeps all of our keys in one slot of a cluster.
var hashTag = regexp.MustCompile(`^\{[^{}]+\}`)

// RedisConfig says how to reach Redis and which of its keys are ours.
type RedisConfig struct {
	// Addrs are host:port of the server, of the sentinels (with Master), or of
	// some nodes of a cluster (with Cluster); empty means localhost:6379.
	Addrs []string
	// Master is the name of the master that sentinels watch; empty means that
	// Addrs are no sentinels.
	Master string
	// Cluster says that Addrs belong to a Redis Cluster; Prefix must then begin
	// with a hash tag such as "{sluice}:", because every change is one script
	// and a script reaches one slot.
	Cluster bool
	// Username and Password sign in; empty means none.
	Username, Password string
	// SentinelPassword signs in at the sentinels; empty means none.
	SentinelPassword string
	// DB is the number of the database; a cluster has only 0.
	DB int
	// Prefix begins every key, for a Redis that is shared; empty leaves the
	// published names as the contract has them.
	Prefix string
	// TLS encrypts the connection; nil means plain TCP.
	TLS *tls.Config
	// PoolSize bounds the connections; 0 means 10 for each CPU.
	PoolSize int
}

// Redis is one process's connection pool and its names of keys. It connects
// when it is first used. It is safe for concurrent use.
type Redis struct {
	client  redis.UniversalClient
	prefix  string
	cluster bool
}

// OpenRedis prepares a pool without connecting. A setting that can never work
// is [sluice.CodeConfig]; [Redis.Check] finds what only the server knows.
func OpenRedis(cfg RedisConfig) (*Redis, error) {
	if cfg.Cluster && !hashTag.MatchString(cfg.Prefix) {
		return nil, errHashTag(cfg.Prefix)
	}
	if cfg.Cluster && (cfg.DB != 0 || cfg.Master != "") {
		return nil, sluice.Errorf(sluice.CodeConfig, "a Redis Cluster has neither a database number nor a sentinel's master").At("redis")
	}
	if len(cfg.Addrs) > 1 && !cfg.Cluster && cfg.Master == "" {
		return nil, sluice.Errorf(sluice.CodeConfig, "several Redis addresses need the name of the sentinels' master, or cluster").At("redis.addr")
	}
	if len(cfg.Addrs) == 0 {
		cfg.Addrs = []string{"localhost:6379"}
	}
	silence()
	return &Redis{client: redis.NewUniversalClient(options(cfg)), prefix: cfg.Prefix, cluster: cfg.Cluster}, nil
}

// silence ends the client library's own lines on stderr, one for each failed
// dial: we report an outage once, to the injected logger.
var silence = sync.OnceFunc(func() { redis.SetLogger(noLogger{}) })

// noLogger drops what it is told.
type noLogger struct{}

// Printf implements the client library's logger.
func (noLogger) Printf(context.Context, string, ...any) {}

// options keeps every wait bounded: by the caller's context first, by our time
// limits otherwise. Retries are the callers', which know what may be repeated.
func options(cfg RedisConfig) *redis.UniversalOptions {
	return &redis.UniversalOptions{
		Addrs: cfg.Addrs, MasterName: cfg.Master, IsClusterMode: cfg.Cluster, DB: cfg.DB,
		Username: cfg.Username, Password: cfg.Password, SentinelPassword: cfg.SentinelPassword, TLSConfig: cfg.TLS,
		PoolSize: cmp.Or(cfg.PoolSize, 0), MaxRetries: -1, DialerRetries: 1,
		DialTimeout: dialTimeout, ReadTimeout: replyTimeout, WriteTimeout: replyTimeout, PoolTimeout: dialTimeout,
		ContextTimeoutEnabled: true, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

// Close closes the pool; calls in flight fail.
func (r *Redis) Close() error { return r.client.Close() }

// Check connects and refuses a server that these settings do not fit:
// [sluice.CodeConfig] for a cluster without a hash-tagged prefix,
// [sluice.CodeUnavailable] when it does not answer.
func (r *Redis) Check(ctx context.Context) error {
	info, err := r.client.Info(ctx, "cluster").Result()
	if err != nil {
		return unavailable(err)
	}
	clustered := strings.Contains(info, "cluster_enabled:1")
	switch {
	case clustered && !hashTag.MatchString(r.prefix):
		return errHashTag(r.prefix)
	case clustered && !r.cluster:
		return sluice.Errorf(sluice.CodeConfig, "this Redis is part of a cluster: say so with the setting redis.cluster").At("redis.cluster")
	}
	return nil
}

// key is our name of a key.
func (r *Redis) key(name string) string { return r.prefix + name }

// scan calls visit with the names, without prefix, of keys that match; some may
// come twice. In a cluster every master is asked.
func (r *Redis) scan(ctx context.Context, match string, visit func(names []string) error) error {
	if c, ok := r.client.(*redis.ClusterClient); ok {
		return c.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			return r.scanNode(ctx, node, match, visit)
		})
	}
	return r.scanNode(ctx, r.client, match, visit)
}

func (r *Redis) scanNode(ctx context.Context, node redis.Cmdable, match string, visit func([]string) error) error {
	for cursor := uint64(0); ; {
		keys, next, err := node.Scan(ctx, cursor, globEscape(r.prefix)+match, 1000).Result()
		if err != nil {
			return err
		}
		for i := range keys {
			keys[i] = strings.TrimPrefix(keys[i], r.prefix)
		}
		if err := visit(keys); err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// globEscape keeps the letters of a prefix from acting as a pattern.
func globEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(s)
}

func errHashTag(prefix string) *sluice.Error {
	return sluice.Errorf(sluice.CodeConfig, "Redis Cluster needs a prefix with a hash tag, for instance {sluice}: (it is %q)", prefix).At("redis.prefix")
}

// unavailable says that Redis does not serve us now, and keeps why.
func unavailable(err error) *sluice.Error {
	return sluice.Errorf(sluice.CodeUnavailable, "Redis cannot be used now").After(1).Because(err)
}
