package link

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluicegate/sluice"
)

// OnStoreError chooses what limits do while Redis cannot be used.
type OnStoreError string

// The choices.
const (
	// OnErrorLocal counts locally with this gateway's share, limit / gateways.
	OnErrorLocal OnStoreError = "local"
	// OnErrorAllow admits everything.
	OnErrorAllow OnStoreError = "allow"
	// OnErrorDeny refuses everything that has a limit.
	OnErrorDeny OnStoreError = "deny"
)

// Limits of an admission over Redis.
const (
	maxSlots     = 100 // slots that one claim may take
	renewBatch   = 200
	leaseRenewal = 3 // renewals within one lease
	// breakerPause is how long Redis is left alone after it did not answer: a
	// hung Redis costs one timeout in that time, not one for each request.
	breakerPause = time.Second
	// drainTimeout bounds the wait for settlements at the end.
	drainTimeout = time.Second
)

// RedisAdmissionConfig configures a [RedisAdmission].
type RedisAdmissionConfig struct {
	// Redis keeps the buckets; required.
	Redis *Redis
	// Timeout bounds each exchange with Redis; 0 means 50 ms. Requests share
	// exchanges, so that one may have to wait for the end of another first.
	Timeout time.Duration
	// SettleQueue is how many requests may wait to be settled or released after
	// Settle and Release returned. A later Admit of this gateway comes after
	// them; other gateways see them a moment later, a few milliseconds at most
	// while Redis answers. Those that Redis does not take, and those left when
	// Run has waited a second for them, are lost: slots then expire with their
	// lease, tokens stay as they were estimated. 0 makes Settle and Release wait.
	SettleQueue int
	// OnStoreError is what to do without Redis; empty means local.
	OnStoreError OnStoreError
	// Gateways tells how many gateways share the limits at last count; nil, or
	// less than one, means one.
	Gateways func() int
	// Lease is how long a slot stays taken after a gateway that holds it died;
	// 0 means 60 s. RedisAdmission.Run renews the leases of running requests.
	Lease time.Duration
	// Remember is how long a request is known by its id after its end, and after
	// the death of its gateway; 0 means 2 min. It must exceed Lease.
	Remember time.Duration
	// Log tells when Redis is lost and found; nil means slog.Default.
	Log *slog.Logger
	// Now is the clock of the fallback and of the breaker; nil means time.Now.
	Now func() time.Time
	// BucketTime is the clock of the buckets in Redis; nil means that of Redis
	// itself, which is one for all gateways. Tests set it.
	BucketTime func() time.Time
}

// RedisAdmission is the Admission port over Redis: one script decides on the
// status of the key and on all claims of a request, exactly, for all gateways.
// Without Redis it does what OnStoreError says. It is safe for concurrent use.
type RedisAdmission struct {
	cfg     RedisAdmissionConfig
	local   *Local
	breaker breaker
	asks    together

	mu   sync.Mutex
	open map[string]openGrant // requests that run and have something to settle
}

// openGrant says which slots a running request holds; one that holds only tokens
// is kept under its own key without a member.
type openGrant struct {
	buckets []string // keys of Redis, one for each slot
	members []string
}

var _ sluice.Admission = (*RedisAdmission)(nil)

// NewRedisAdmission returns an admission that has not connected yet.
func NewRedisAdmission(cfg RedisAdmissionConfig) (*RedisAdmission, error) {
	cfg.OnStoreError = cmp.Or(cfg.OnStoreError, OnErrorLocal)
	if !slices.Contains([]OnStoreError{OnErrorAllow, OnErrorDeny, OnErrorLocal}, cfg.OnStoreError) {
		return nil, sluice.Errorf(sluice.CodeConfig, "on_store_error %q must be allow, deny or local", cfg.OnStoreError)
	}
	cfg.Timeout = cmp.Or(cfg.Timeout, 50*time.Millisecond)
	cfg.Lease = cmp.Or(cfg.Lease, time.Minute)
	cfg.Remember = max(cmp.Or(cfg.Remember, 2*time.Minute), cfg.Lease)
	if cfg.Gateways == nil {
		cfg.Gateways = func() int { return 1 }
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &RedisAdmission{
		cfg: cfg, local: NewLocal(LocalConfig{Now: cfg.Now}), breaker: breaker{now: cfg.Now, pause: breakerPause},
		open: map[string]openGrant{},
	}
	a.asks = together{
		client: cfg.Redis.client, timeout: cfg.Timeout, allow: a.breaker.allow, note: a.note, lost: a.notSettled,
		scripts: []*redis.Script{admitScript, finishScript}, room: cfg.SettleQueue,
	}
	return a, nil
}

// Admit implements [sluice.Admission]. It takes at most twice Timeout.
func (a *RedisAdmission) Admit(ctx context.Context, c sluice.Claims) (sluice.Grant, error) {
	if err := checkHold(c.Hold); err != nil {
		return sluice.Grant{}, err
	}
	if len(c.List) == 0 {
		return sluice.Grant{RequestID: c.RequestID}, nil
	}
	if err := checkClaims(c.List); err != nil {
		return sluice.Grant{}, err
	}
	for _, claim := range c.List {
		if claim.Kind == sluice.ClaimConcurrency && claim.Amount > maxSlots {
			return sluice.Grant{}, sluice.Errorf(sluice.CodeInvalidRequest, "a claim takes at most %d slots", maxSlots)
		}
	}
	if a.local.knows(c.RequestID) {
		return a.fallback(ctx, c, nil) // admitted there before: the same id counts once
	}
	reply, err := a.ask(c)
	if err != nil {
		return a.fallback(ctx, c, err)
	}
	return a.grant(c, reply)
}

// ask runs the script, unless Redis is to be left alone. What it sends is its
// own: the strings of the claims are leased.
func (a *RedisAdmission) ask(c sluice.Claims) ([]any, error) {
	keys := make([]string, 1, 6+len(c.List))
	keys[0] = a.requestKey(c.RequestID)
	args := make([]any, 0, 6+5*len(c.List))
	args = append(args, a.bucketTime(), a.cfg.Remember.Milliseconds(), a.cfg.Lease.Milliseconds(), tail(keys[0], c.RequestID), strings.Clone(c.TokenHash), c.Revision)
	for _, claim := range c.List {
		keys = append(keys, a.bucketKey(claim))
		args = append(args, letter(claim.Kind), claim.Limit, cmp.Or(max(0, claim.Burst), claim.Limit), claim.Window.Microseconds(), claim.Amount)
	}
	if r := a.cfg.Redis; c.TokenHash != "" {
		keys = append(keys, r.key(keyToken+c.TokenHash), r.key(keyRetiring+c.TokenHash), r.key(keyRev), r.key(keyManifest), r.key(hashKeys))
	}
	return a.asks.ask(&question{script: admitScript, keys: keys, args: args}).Slice()
}

// tail is the end of a key that is the same as s.
func tail(key, s string) string { return key[len(key)-len(s):] }

// errLeftAlone tells that Redis did not answer a moment ago.
var errLeftAlone = errors.New("redis did not answer a moment ago")

// grant reads the script's answer.
func (a *RedisAdmission) grant(c sluice.Claims, reply []any) (sluice.Grant, error) {
	if len(reply) == 1 && reply[0] == int64(-1) {
		return sluice.Grant{}, errNoKey()
	}
	if len(reply) == 3 && reply[0] == int64(0) {
		index, _ := reply[1].(int64)
		return sluice.Grant{}, refusal(c.List[min(int(index), len(c.List)-1)], micros(reply[2]))
	}
	if len(reply) != 1+2*len(c.List) {
		return sluice.Grant{}, unavailable(fmt.Errorf("admit %s: %d values for %d claims", c.RequestID, len(reply), len(c.List)))
	}
	g := sluice.Grant{RequestID: c.RequestID, Standings: make([]sluice.Standing, len(c.List))}
	for i, claim := range c.List {
		remaining, _ := strconv.ParseInt(text(reply[1+2*i]), 10, 64)
		g.Standings[i] = sluice.Standing{Claim: claim, Remaining: remaining, Reset: micros(reply[2+2*i])}
	}
	a.hold(c)
	return g, nil
}

// errNoKey refuses a key that does not work, and tells nobody why.
func errNoKey() *sluice.Error {
	return sluice.Errorf(sluice.CodeUnauthorized, "the key is unknown, disabled or expired")
}

// hold notes a running request: its slots are leased, and Redis must know it
// until its tokens are settled, however long it runs.
func (a *RedisAdmission) hold(c sluice.Claims) {
	var g openGrant
	tokens := false
	for i, claim := range c.List {
		tokens = tokens || claim.Kind == sluice.ClaimTokens
		if claim.Kind != sluice.ClaimConcurrency {
			continue
		}
		for n := range claim.Amount {
			g.buckets = append(g.buckets, a.bucketKey(claim))
			g.members = append(g.members, fmt.Sprintf("%s %d %d", c.RequestID, i+2, n+1))
		}
	}
	if len(g.members) == 0 {
		if !tokens {
			return
		}
		g = openGrant{buckets: []string{a.requestKey(c.RequestID)}, members: []string{""}}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.open) < maxOpen {
		a.open[strings.Clone(c.RequestID)] = g
	}
}

// Settle implements [sluice.Admission]. When Redis cannot be used, or SettleQueue
// is full, the answer is [sluice.CodeUnavailable]: slots expire with their lease,
// tokens stay as they were estimated.
func (a *RedisAdmission) Settle(ctx context.Context, g sluice.Grant, tokens int64) error {
	return a.finish(ctx, g, max(0, tokens))
}

// Release implements [sluice.Admission]; without Redis as Settle.
func (a *RedisAdmission) Release(ctx context.Context, g sluice.Grant) error {
	return a.finish(ctx, g, 0)
}

func (a *RedisAdmission) finish(ctx context.Context, g sluice.Grant, tokens int64) error {
	a.forget(g.RequestID)
	if a.local.knows(g.RequestID) {
		return a.local.Settle(ctx, g, tokens)
	}
	q := a.settlement(g, tokens)
	if q == nil {
		return nil // requests stay counted: nothing to settle
	}
	if a.cfg.SettleQueue > 0 {
		if !a.asks.leave(q) {
			return unavailable(fmt.Errorf("settle %s: %d wait already", g.RequestID, a.cfg.SettleQueue))
		}
		return nil
	}
	if err := a.asks.ask(q).Err(); err != nil {
		return unavailable(fmt.Errorf("settle %s: %w", g.RequestID, err))
	}
	return nil
}

// settlement is the script for a grant, nil when it holds nothing to settle.
func (a *RedisAdmission) settlement(g sluice.Grant, tokens int64) *question {
	keys := append(make([]string, 0, 1+len(g.Standings)), a.requestKey(g.RequestID))
	args := append(make([]any, 0, 4+5*len(g.Standings)), a.bucketTime(), a.cfg.Remember.Milliseconds(), tail(keys[0], g.RequestID), tokens)
	for i, s := range g.Standings {
		if s.Claim.Kind == sluice.ClaimRequests {
			continue
		}
		keys = append(keys, a.bucketKey(s.Claim))
		args = append(args, letter(s.Claim.Kind), s.Claim.Limit, s.Claim.Window.Microseconds(), s.Claim.Amount, i+2)
	}
	if len(keys) == 1 {
		return nil
	}
	return &question{script: finishScript, keys: keys, args: args}
}

// notSettled tells of settlements that nobody waited for.
func (a *RedisAdmission) notSettled(n int, err error) {
	a.cfg.Log.Warn("claims were not settled", "requests", n, "error", err)
}

// fallback decides without Redis.
func (a *RedisAdmission) fallback(ctx context.Context, c sluice.Claims, cause error) (sluice.Grant, error) {
	switch a.cfg.OnStoreError {
	case OnErrorAllow:
		return sluice.Grant{RequestID: c.RequestID}, nil
	case OnErrorDeny:
		return sluice.Grant{}, sluice.Errorf(sluice.CodeUnavailable, "limits cannot be checked now").After(1).Because(cause)
	}
	share := int64(max(1, a.cfg.Gateways()))
	local := sluice.Claims{RequestID: c.RequestID, List: slices.Clone(c.List)}
	for i := range local.List {
		local.List[i].Limit = shareOf(c.List[i].Limit, share)
		local.List[i].Burst = shareOf(c.List[i].Burst, share)
		if c.List[i].Kind == sluice.ClaimTokens {
			local.List[i].Amount = min(c.List[i].Amount, cmp.Or(local.List[i].Burst, local.List[i].Limit))
		}
	}
	return a.local.Admit(ctx, local)
}

// shareOf divides a limit by the gateways; what allows anything allows one.
func shareOf(limit, gateways int64) int64 {
	if limit <= 0 {
		return limit
	}
	return max(1, limit/gateways)
}

// forget ends the renewal of a request's leases.
func (a *RedisAdmission) forget(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.open, id)
}

// Run renews the leases of running requests until ctx is done. It then waits for
// those that are being settled, for at most a second.
func (a *RedisAdmission) Run(ctx context.Context) {
	defer a.drain(context.WithoutCancel(ctx))
	tick := time.NewTicker(a.cfg.Lease / leaseRenewal)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := a.renew(ctx); err != nil && ctx.Err() == nil {
				a.cfg.Log.Warn("leases of running requests were not renewed", "error", err)
			}
		}
	}
}

// drain waits for what SettleQueue holds.
func (a *RedisAdmission) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	if n := a.asks.drain(ctx); n > 0 {
		a.notSettled(n, ctx.Err())
	}
}

// renew extends every lease, some at a time.
func (a *RedisAdmission) renew(ctx context.Context) error {
	a.mu.Lock()
	open := maps.Clone(a.open)
	a.mu.Unlock()
	keys, members := []string{}, []any{}
	flush := func() error {
		args := append([]any{a.bucketTime(), a.cfg.Remember.Milliseconds(), a.cfg.Lease.Milliseconds()}, members...)
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		err := renewScript.Run(ctx, a.cfg.Redis.client, keys, args...).Err()
		keys, members = keys[:0], members[:0]
		return err
	}
	for id, g := range open {
		for i := range g.members {
			keys = append(keys, a.requestKey(id), g.buckets[i])
			members = append(members, g.members[i])
		}
		if len(members) >= renewBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if len(members) == 0 {
		return nil
	}
	return flush()
}

// note tells the breaker how a call went, and the log when that changed.
func (a *RedisAdmission) note(err error) {
	lost := isLost(err)
	if a.breaker.note(!lost) {
		if lost {
			a.cfg.Log.Warn("limits are decided without Redis", "on_store_error", a.cfg.OnStoreError, "error", err)
		} else {
			a.cfg.Log.Info("limits are decided by Redis again")
		}
	}
}

// isAway reports whether the server answered that it cannot serve anybody.
func isAway(err error) bool {
	return slices.ContainsFunc([]string{"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "BUSY", "OOM", "NOAUTH"}, func(p string) bool {
		return redis.HasErrorPrefix(err, p)
	})
}

// requestKey is limit:request:<id>, bucketKey limit:<kind>:<bucket>.
func (a *RedisAdmission) requestKey(id string) string { return a.cfg.Redis.key("limit:request:" + id) }

func (a *RedisAdmission) bucketKey(c sluice.Claim) string {
	return a.cfg.Redis.key("limit:" + string(c.Kind) + ":" + c.Bucket)
}

// bucketTime is 0 for the clock of Redis.
func (a *RedisAdmission) bucketTime() int64 {
	if a.cfg.BucketTime == nil {
		return 0
	}
	return a.cfg.BucketTime().UnixMicro()
}

// letter is a kind as scripts know it.
func letter(k sluice.ClaimKind) string { return string(k[:min(1, len(k))]) }

// micros reads a duration in whole microseconds.
func micros(v any) time.Duration {
	n, _ := strconv.ParseInt(text(v), 10, 64)
	return time.Duration(min(max(n, 0), math.MaxInt64/1000)) * time.Microsecond
}
