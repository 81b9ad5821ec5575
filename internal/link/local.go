package link

import (
	"context"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/limit"
)

// Limits of a local admission.
const (
	// DefaultRemembered is how many finished requests stay known by id.
	DefaultRemembered = 16_384
	// maxOpen bounds the grants that were neither settled nor released; a
	// process has far fewer requests in flight.
	maxOpen = 1 << 20
	// maxClaims bounds the claims of one request.
	maxClaims = 64
)

// LocalConfig configures a [Local].
type LocalConfig struct {
	// Buckets bounds the tracked limits; 0 means [limit.DefaultBuckets].
	Buckets int
	// Remembered bounds how many finished requests are still recognised when
	// their id comes again; 0 means [DefaultRemembered].
	Remembered int
	// Now is the clock; required.
	Now func() time.Time
}

// Local is the Admission port within one process: exact for one gateway. It is
// safe for concurrent use and never blocks on anything but its own memory.
type Local struct {
	limiter *limit.Limiter
	grants  *grants
}

var _ sluice.Admission = (*Local)(nil)

// NewLocal returns an admission whose buckets are all full.
func NewLocal(cfg LocalConfig) *Local {
	if cfg.Remembered <= 0 {
		cfg.Remembered = DefaultRemembered
	}
	return &Local{
		limiter: limit.New(limit.Config{Buckets: cfg.Buckets, Now: cfg.Now}),
		grants:  newGrants(cfg.Remembered),
	}
}

// Admit implements [sluice.Admission]. A request without claims is admitted and
// not remembered.
func (l *Local) Admit(_ context.Context, c sluice.Claims) (sluice.Grant, error) {
	if err := checkHold(c.Hold); err != nil {
		return sluice.Grant{}, err
	}
	if len(c.List) == 0 {
		return sluice.Grant{RequestID: c.RequestID}, nil
	}
	if err := checkClaims(c.List); err != nil {
		return sluice.Grant{}, err
	}
	name, into := nameOfGrant(c.RequestID), c.Standings[:0]
	s := l.grants.shard(c.RequestID)
	// The lock spans look-up and taking: the same id, twice at once, counts once.
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.byName[name]; g != nil {
		return sluice.Grant{RequestID: c.RequestID, Standings: g.copies(into)}, nil
	}
	if s.open >= maxOpen/len(l.grants.shards) {
		return sluice.Grant{}, sluice.Errorf(sluice.CodeUnavailable, "too many requests are open").After(1)
	}
	standings, refused, wait := l.limiter.Take(c.List, into)
	if refused >= 0 {
		return sluice.Grant{}, refusal(c.List[refused], wait)
	}
	s.add(name, standings)
	return sluice.Grant{RequestID: c.RequestID, Standings: standings}, nil
}

// knows reports whether a request was admitted here and is not forgotten.
func (l *Local) knows(id string) bool {
	s := l.grants.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byName[nameOfGrant(id)] != nil
}

// Settle implements [sluice.Admission].
func (l *Local) Settle(_ context.Context, g sluice.Grant, tokens int64) error {
	l.finish(g.RequestID, max(0, tokens))
	return nil
}

// Release implements [sluice.Admission].
func (l *Local) Release(_ context.Context, g sluice.Grant) error {
	l.finish(g.RequestID, 0)
	return nil
}

// finish corrects tokens and frees slots, once; a second call, or one for a
// request that is not known, changes nothing.
func (l *Local) finish(id string, tokens int64) {
	s := l.grants.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.byName[nameOfGrant(id)]
	if g == nil || g.finished {
		return
	}
	s.retire(g)
	for i := range g.standings {
		switch c := &g.standings[i].Claim; c.Kind {
		case sluice.ClaimTokens:
			l.limiter.Correct(*c, tokens-c.Amount)
		case sluice.ClaimConcurrency:
			l.limiter.Correct(*c, -c.Amount)
		}
	}
}

// checkClaims refuses what would be a fault of the caller.
func checkClaims(list []sluice.Claim) error {
	if len(list) > maxClaims {
		return sluice.Errorf(sluice.CodeInvalidRequest, "a request has at most %d claims", maxClaims)
	}
	for _, c := range list {
		if c.Amount < 0 || c.Limit < 0 || c.Kind != sluice.ClaimConcurrency && c.Window <= 0 {
			return sluice.Errorf(sluice.CodeInvalidRequest, "the claim of %s on %s is not valid", c.Kind, c.Bucket)
		}
	}
	return nil
}

// refusal explains which limit is reached and when to come back.
func refusal(c sluice.Claim, wait time.Duration) *sluice.Error {
	seconds := int(max(1, (wait+time.Second-1)/time.Second))
	var e *sluice.Error
	switch c.Kind {
	case sluice.ClaimTokens:
		e = sluice.Errorf(sluice.CodeTokenRate, "the limit of %d tokens per %s is reached; this request asks for %d", c.Limit, window(c.Window), c.Amount)
	case sluice.ClaimConcurrency:
		e = sluice.Errorf(sluice.CodeConcurrency, "the limit of %d requests at once is reached", c.Limit)
	default:
		e = sluice.Errorf(sluice.CodeRequestRate, "the limit of %d requests per %s is reached", c.Limit, window(c.Window))
	}
	return e.After(seconds).With("bucket", strings.Clone(c.Bucket)).With("limit", c.Limit)
}

// window says a duration as people do.
func window(d time.Duration) string {
	switch d {
	case time.Second:
		return "second"
	case time.Minute:
		return "minute"
	case time.Hour:
		return "hour"
	case 24 * time.Hour:
		return "day"
	}
	return d.String()
}
