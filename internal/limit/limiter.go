package limit

import (
	"hash/maphash"
	"math/bits"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicegate/sluice"
)

// Limits of a limiter.
const (
	// DefaultBuckets is how many buckets are tracked when the configuration
	// says nothing: about 20 MiB.
	DefaultBuckets = 100_000
	shardCount     = 64 // one bit of a word each
	evictionSample = 16 // buckets looked at to make room for one
)

// Config configures a [Limiter].
type Config struct {
	// Buckets bounds how many buckets are tracked; 0 means [DefaultBuckets].
	Buckets int
	// Now is the clock; required.
	Now func() time.Time
}

// Limiter keeps the buckets of one process and takes several claims at once,
// all or nothing. It is safe for concurrent use and allocates only when a
// bucket is seen for the first time.
type Limiter struct {
	now     func() time.Time
	start   time.Time
	seed    maphash.Seed
	shards  [shardCount]shard
	max     int // buckets per shard
	evicted atomic.Int64
}

// shard is one part of the buckets under one lock.
type shard struct {
	mu      sync.Mutex
	buckets map[bucketName]*bucket
}

// bucketName keeps apart equal names of different kinds.
type bucketName struct {
	kind sluice.ClaimKind
	name string
}

// bucket is the state of one limit: a rate or slots, by its kind.
type bucket struct {
	rate GCRA
	used int64 // slots taken
}

// New returns an empty limiter.
func New(cfg Config) *Limiter {
	if cfg.Buckets <= 0 {
		cfg.Buckets = DefaultBuckets
	}
	l := &Limiter{now: cfg.Now, start: cfg.Now(), seed: maphash.MakeSeed(), max: max(1, cfg.Buckets/shardCount)}
	for i := range l.shards {
		l.shards[i].buckets = map[bucketName]*bucket{}
	}
	return l
}

// Take takes every claim or none. When it takes, refused is -1 and the
// standings are appended to into, in the order of the claims. Otherwise refused
// is the index of the first claim that does not fit, wait is how long until it
// may (the claim's whole window when it never can), and every bucket is as it
// was.
func (l *Limiter) Take(claims []sluice.Claim, into []sluice.Standing) (standings []sluice.Standing, refused int, wait time.Duration) {
	now := l.elapsed()
	locked := l.lock(claims)
	defer l.unlock(locked)
	var few [4]*bucket // as many as most requests claim
	buckets := few[:0]
	for i := range claims {
		b := l.bucket(&claims[i], now)
		if wait, ok := b.take(&claims[i], now); !ok {
			l.giveBack(claims[:i], now)
			return into, i, wait
		}
		buckets = append(buckets, b)
	}
	for i, b := range buckets {
		into = append(into, b.standing(&claims[i], now))
	}
	return into, -1, 0
}

// Correct takes delta more of a claim's bucket, or gives back when delta is
// negative. It never refuses: an overdrawn rate is debt.
func (l *Limiter) Correct(claim sluice.Claim, delta int64) {
	now := l.elapsed()
	s := l.shardOf(&claim)
	s.mu.Lock()
	defer s.mu.Unlock()
	l.bucket(&claim, now).correct(&claim, now, delta)
}

// Tracked returns how many buckets are kept now.
func (l *Limiter) Tracked() int {
	n := 0
	for i := range l.shards {
		l.shards[i].mu.Lock()
		n += len(l.shards[i].buckets)
		l.shards[i].mu.Unlock()
	}
	return n
}

// Evicted counts buckets that were forgotten before they were full again,
// because too many were in use: each may have admitted up to one burst too
// much. A growing count means that Buckets is too low.
func (l *Limiter) Evicted() int64 { return l.evicted.Load() }

// giveBack undoes what an attempt took before a later claim was refused. The
// shards are still locked, so nobody saw it.
func (l *Limiter) giveBack(claims []sluice.Claim, now int64) {
	for i := range claims {
		l.bucket(&claims[i], now).correct(&claims[i], now, -claims[i].Amount)
	}
}

// elapsed is the monotonic time since the limiter was made, so that setting the
// wall clock neither opens nor shuts a bucket.
func (l *Limiter) elapsed() int64 { return int64(l.now().Sub(l.start)) }

// lock locks the shards of all claims in ascending order, which cannot
// deadlock, and returns them as bits.
func (l *Limiter) lock(claims []sluice.Claim) (locked uint64) {
	for i := range claims {
		locked |= 1 << l.index(&claims[i])
	}
	for rest := locked; rest != 0; rest &= rest - 1 {
		l.shards[bits.TrailingZeros64(rest)].mu.Lock()
	}
	return locked
}

func (l *Limiter) unlock(locked uint64) {
	for rest := locked; rest != 0; rest &= rest - 1 {
		l.shards[bits.TrailingZeros64(rest)].mu.Unlock()
	}
}

func (l *Limiter) index(c *sluice.Claim) uint64 {
	return maphash.String(l.seed, c.Bucket) % shardCount
}

func (l *Limiter) shardOf(c *sluice.Claim) *shard { return &l.shards[l.index(c)] }

// bucket returns a claim's bucket, making room for a new one if need be. Its
// shard is locked.
func (l *Limiter) bucket(c *sluice.Claim, now int64) *bucket {
	s := l.shardOf(c)
	if b := s.buckets[bucketName{c.Kind, c.Bucket}]; b != nil {
		return b
	}
	if len(s.buckets) >= l.max {
		l.evict(s, now)
	}
	b := &bucket{}
	s.buckets[bucketName{c.Kind, strings.Clone(c.Bucket)}] = b
	return b
}

// evict looks at a few buckets and forgets those that are idle, which loses
// nothing. When all are in use it forgets the one that is nearest to full:
// memory stays bounded, and newcomers are not locked out by a flood of names.
// Slots in use are never forgotten; requests in flight bound them.
func (l *Limiter) evict(s *shard, now int64) {
	var nearest bucketName
	soonest, seen, freed := int64(0), 0, false
	for name, b := range s.buckets {
		if seen++; seen > evictionSample {
			break
		}
		full := b.rate.full.Load()
		switch {
		case b.used > 0:
		case full <= now:
			delete(s.buckets, name)
			freed = true
		case nearest.name == "" || full < soonest:
			nearest, soonest = name, full
		}
	}
	if !freed && nearest.name != "" {
		delete(s.buckets, nearest)
		l.evicted.Add(1)
	}
}

// rateOf reads a claim's rate; a burst of 0 means the limit.
func rateOf(c *sluice.Claim) Rate {
	r := Rate{Limit: c.Limit, Burst: c.Burst, Window: c.Window}
	if r.Burst <= 0 {
		r.Burst = r.Limit
	}
	return r
}

// take takes the claim if it fits; otherwise it tells how long to wait.
func (b *bucket) take(c *sluice.Claim, now int64) (wait time.Duration, ok bool) {
	if c.Kind == sluice.ClaimConcurrency {
		if b.used+c.Amount > c.Limit {
			return time.Second, false // when a slot becomes free is up to its holder
		}
		b.used += c.Amount
		return 0, true
	}
	w, ok := b.rate.Take(now, rateOf(c), c.Amount)
	if w >= forever {
		return c.Window, false
	}
	return time.Duration(w), ok
}

// correct takes delta more or, when it is negative, gives back.
func (b *bucket) correct(c *sluice.Claim, now, delta int64) {
	if c.Kind == sluice.ClaimConcurrency {
		b.used = max(0, b.used+delta)
		return
	}
	b.rate.Adjust(now, rateOf(c), delta)
}

func (b *bucket) standing(c *sluice.Claim, now int64) sluice.Standing {
	s := sluice.Standing{Claim: *c}
	if c.Kind == sluice.ClaimConcurrency {
		s.Remaining = max(0, c.Limit-b.used)
		return s
	}
	s.Remaining, s.Reset = b.rate.Standing(now, rateOf(c))
	return s
}
