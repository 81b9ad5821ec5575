package link

import (
	"context"
	"slices"
	"strings"
	"sync"
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

	mu     sync.Mutex
	grants map[string]*grant
	done   []string // a ring of finished request ids, the oldest at next
	next   int
	open   int
}

// grant is what is known of one admitted request.
type grant struct {
	standings []sluice.Standing
	finished  bool
}

var _ sluice.Admission = (*Local)(nil)

// NewLocal returns an admission whose buckets are all full.
func NewLocal(cfg LocalConfig) *Local {
	if cfg.Remembered <= 0 {
		cfg.Remembered = DefaultRemembered
	}
	return &Local{
		limiter: limit.New(limit.Config{Buckets: cfg.Buckets, Now: cfg.Now}),
		grants:  map[string]*grant{},
		done:    make([]string, cfg.Remembered),
	}
}

// Admit implements [sluice.Admission]. A request without claims is admitted and
// not remembered.
func (l *Local) Admit(_ context.Context, c sluice.Claims) (sluice.Grant, error) {
	if len(c.List) == 0 {
		return sluice.Grant{RequestID: c.RequestID}, nil
	}
	if err := checkClaims(c.List); err != nil {
		return sluice.Grant{}, err
	}
	// The lock spans look-up and taking: the same id, twice at once, counts once.
	l.mu.Lock()
	defer l.mu.Unlock()
	if g, known := l.grants[c.RequestID]; known {
		return sluice.Grant{RequestID: c.RequestID, Standings: slices.Clone(g.standings)}, nil
	}
	if l.open >= maxOpen {
		return sluice.Grant{}, sluice.Errorf(sluice.CodeUnavailable, "too many requests are open").After(1)
	}
	standings, refused, wait := l.limiter.Take(c.List, make([]sluice.Standing, 0, len(c.List)))
	if refused >= 0 {
		return sluice.Grant{}, refusal(c.List[refused], wait)
	}
	l.remember(c.RequestID, standings)
	return sluice.Grant{RequestID: c.RequestID, Standings: standings}, nil
}

// knows reports whether a request was admitted here and is not forgotten.
func (l *Local) knows(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.grants[id] != nil
}

// remember keeps a copy of what was granted: the request's strings are leased
// and the caller may change its grant.
func (l *Local) remember(id string, standings []sluice.Standing) {
	own := slices.Clone(standings)
	for i := range own {
		own[i].Claim.Bucket = strings.Clone(own[i].Claim.Bucket)
	}
	l.grants[strings.Clone(id)] = &grant{standings: own}
	l.open++
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
	l.mu.Lock()
	g := l.grants[id]
	if g == nil || g.finished {
		l.mu.Unlock()
		return
	}
	g.finished = true
	l.retire(id)
	l.mu.Unlock()
	for _, s := range g.standings {
		switch s.Claim.Kind {
		case sluice.ClaimTokens:
			l.limiter.Correct(s.Claim, tokens-s.Claim.Amount)
		case sluice.ClaimConcurrency:
			l.limiter.Correct(s.Claim, -s.Claim.Amount)
		}
	}
}

// retire moves a request to the finished ones and forgets the oldest of them.
// Open grants are never forgotten: they still have slots to free.
func (l *Local) retire(id string) {
	l.open--
	delete(l.grants, l.done[l.next])
	l.done[l.next] = strings.Clone(id)
	l.next = (l.next + 1) % len(l.done)
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
