package link

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluicegate/sluice"
)

// ackTTL removes the acknowledgement of a gateway that is gone for good; one
// that was silent for aliveFor does not count among the fleet.
const (
	ackTTL   = 24 * time.Hour
	aliveFor = time.Minute
	// ackWait bounds one acknowledgement: a Redis that hangs must not keep a
	// gateway from ending, nor from its next report.
	ackWait = time.Second
)

// The health of a gateway's configuration.
const (
	HealthOK       = "ok"       // it serves what is published
	HealthRefused  = "refused"  // it refused what is published and serves an older revision
	HealthDegraded = "degraded" // it cannot read what is published and serves an older revision
)

// Ack is one gateway's answer to what was published: config:ack:<gateway>.
type Ack struct {
	Gateway string `json:"gateway"`
	Version string `json:"version"`
	Health  string `json:"health"`
	// Revision is what it serves; Refused what it did not take, with the reason.
	Revision uint64 `json:"revision"`
	Refused  uint64 `json:"refused,omitempty"`
	Reason   string `json:"reason,omitempty"`
	// LagMS is how long after its publication the revision was taken over.
	LagMS int64     `json:"lag_ms"`
	Time  time.Time `json:"time"`
	// Started is when the gateway's process began; zero where it did not say.
	Started time.Time `json:"started,omitzero"`
	// Hashes is what each published hash holds in the revision that is served,
	// "<count> <sum>" as in config:manifest; nil when that came from the last
	// good file.
	Hashes map[string]string `json:"hashes,omitempty"`
}

var _ sluice.StatusSink = (*RedisSnapshots)(nil)

// Report implements [sluice.StatusSink]: it writes this gateway's
// acknowledgement, or its refusal with the reason, where control finds it. What
// the reader itself refused counts like what the gateway refused.
func (r *RedisSnapshots) Report(ctx context.Context, s sluice.GatewayStatus) error {
	state := r.State()
	a := Ack{Gateway: cmp.Or(s.Gateway, r.cfg.Gateway), Version: s.Version, Health: HealthOK, Revision: s.Revision, Time: s.Time, Started: s.Started}
	switch {
	case s.Refused > 0:
		a.Health, a.Refused, a.Reason = HealthRefused, s.Refused, s.Reason
	case state.Refused > 0:
		a.Health, a.Refused, a.Reason = HealthRefused, state.Refused, state.Reason
	case state.Degraded:
		a.Health, a.Reason = HealthDegraded, state.Reason
	case s.Health == HealthDegraded:
		a.Health, a.Reason = HealthDegraded, s.Reason
	}
	if !state.Published.IsZero() && state.Applied.After(state.Published) {
		a.LagMS = state.Applied.Sub(state.Published).Milliseconds()
	}
	hashes := "" // overwrites what was true of an earlier revision
	if state.Revision == s.Revision && state.Hashes != nil {
		b, err := json.Marshal(state.Hashes)
		if err != nil {
			return fmt.Errorf("encode hashes: %w", err)
		}
		hashes = string(b)
	}
	key, fleet := r.cfg.Redis.key(keyAck+a.Gateway), r.cfg.Redis.key(keyFleet)
	ctx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	var alive *redis.IntCmd
	_, err := r.cfg.Redis.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.ZAdd(ctx, fleet, redis.Z{Score: float64(a.Time.UnixMilli()), Member: a.Gateway})
		p.ZRemRangeByScore(ctx, fleet, "-inf", strconv.FormatInt(a.Time.Add(-aliveFor).UnixMilli(), 10))
		alive = p.ZCard(ctx, fleet)
		p.HSet(ctx, key, "rev", a.Revision, "refused", a.Refused, "reason", a.Reason, "health", a.Health,
			"version", a.Version, "lag_ms", a.LagMS, "at", a.Time.UnixMilli(), "started", a.Started.UnixMilli(), "hashes", hashes)
		p.Expire(ctx, key, ackTTL)
		return nil
	})
	if err != nil {
		return unavailable(fmt.Errorf("acknowledge revision %d: %w", a.Revision, err))
	}
	r.fleet.Store(alive.Val())
	return nil
}

// Gateways is how many gateways were alive at this one's last report, itself
// included, and 1 before the first: what the local share of a limit divides by.
// It keeps its value while Redis is away.
func (r *RedisSnapshots) Gateways() int { return int(max(1, r.fleet.Load())) }

// Annotate returns a sink that adds what the reader knows to every status before
// it passes it to next: objects that could not be decoded, and what the reader
// refused before the gateway saw it.
func (r *RedisSnapshots) Annotate(next sluice.StatusSink) sluice.StatusSink {
	return annotated{r, next}
}

// annotated is a sink with a reader's knowledge.
type annotated struct {
	reader *RedisSnapshots
	next   sluice.StatusSink
}

// Report implements [sluice.StatusSink].
func (a annotated) Report(ctx context.Context, s sluice.GatewayStatus) error {
	state := a.reader.State()
	s.Conditions = slices.Concat(s.Conditions, state.Conditions)
	if s.Refused == 0 && state.Refused > 0 {
		s.Refused, s.Reason = state.Refused, state.Reason
	}
	return a.next.Report(ctx, s)
}

// Acks returns the last answer of every gateway, sorted by name.
func (p *RedisPublisher) Acks(ctx context.Context) ([]Ack, error) {
	var list []Ack
	err := p.redis.scan(ctx, keyAck+"*", func(names []string) error {
		for _, n := range names {
			f, err := p.redis.client.HGetAll(ctx, p.redis.key(n)).Result()
			if err != nil {
				return err
			}
			if len(f) > 0 {
				list = append(list, parseAck(strings.TrimPrefix(n, keyAck), f))
			}
		}
		return nil
	})
	if err != nil {
		return nil, unavailable(fmt.Errorf("read acknowledgements: %w", err))
	}
	slices.SortFunc(list, func(a, b Ack) int { return strings.Compare(a.Gateway, b.Gateway) })
	return slices.CompactFunc(list, func(a, b Ack) bool { return a.Gateway == b.Gateway }), nil
}

// parseAck reads what is there; a number that is none is 0.
func parseAck(gateway string, f map[string]string) Ack {
	a := Ack{Gateway: gateway, Version: f["version"], Health: f["health"], Reason: f["reason"]}
	a.Revision, _ = strconv.ParseUint(f["rev"], 10, 64)
	a.Refused, _ = strconv.ParseUint(f["refused"], 10, 64)
	a.LagMS, _ = strconv.ParseInt(f["lag_ms"], 10, 64)
	at, _ := strconv.ParseInt(f["at"], 10, 64)
	a.Time = time.UnixMilli(at)
	if started, _ := strconv.ParseInt(f["started"], 10, 64); started > 0 {
		a.Started = time.UnixMilli(started)
	}
	_ = json.Unmarshal([]byte(f["hashes"]), &a.Hashes) // empty where they are not known
	return a
}

// isEmpty reports whether Redis answered and held no configuration.
func isEmpty(err error) bool { return errors.Is(err, errEmpty) }
