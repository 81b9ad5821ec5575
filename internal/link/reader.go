package link

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/seal"
)

// Limits of a reader.
const (
	// maxTouched bounds the fields of one incremental read.
	maxTouched = 5_000
	// pausePerKey bounds what the list of keys costs to 3.2 MB a second: 250 ms
	// between changes of 100,000 keys.
	pausePerKey         = 2500 * time.Nanosecond
	longestPauseForKeys = 400 * time.Millisecond
	// scanCount is how many fields one step of a full read asks for.
	scanCount = 2_000
	// readTries bounds how often a full read starts over because the
	// configuration moved or did not agree with its manifest.
	readTries = 4
	// defaultMaxKeys is how many keys a gateway holds.
	defaultMaxKeys = 200_000
	noteTimeout    = 2 * time.Second
	// readTimeout bounds a full read; each of its steps has replyTimeout.
	readTimeout = 5 * time.Minute
	// startTimeout is how long a start waits for Redis before it takes the last
	// good file.
	startTimeout = time.Second
	retryPause   = time.Second
)

// ReaderConfig configures a [RedisSnapshots].
type ReaderConfig struct {
	// Redis is where to read from; required.
	Redis *Redis
	// Gateway is this gateway's name, for its acknowledgements; required.
	Gateway string
	// Poll is how often Redis is asked without a notice; 0 means 5 s.
	Poll time.Duration
	// Pause is the least time between two reads: changes that come faster are
	// taken over together; 0 means 100 ms. With more than 40,000 keys it is longer,
	// up to 400 ms.
	Pause time.Duration
	// LastGood is the file that keeps the last snapshot; empty keeps none.
	LastGood string
	// SaveEvery is the least time between two writes of that file; 0 means 5 s.
	SaveEvery time.Duration
	// Keyring seals the file; required with LastGood.
	Keyring *seal.Keyring
	// MaxStale is how long keys may be trusted without word from Redis; 0 means
	// 24 h.
	MaxStale time.Duration
	// MaxKeys is how many keys are held in memory: all of them while there are no
	// more, else those in use, and [RedisSnapshots.KeyByHash] looks the others up;
	// 0 means 200,000.
	MaxKeys int
	// LookupTimeout bounds the look-up of one key in Redis; 0 means 250 ms.
	LookupTimeout time.Duration
	// ShrinkFloor is the number of keys or providers below which a loss of more
	// than half is believed without force; 0 means 10.
	ShrinkFloor int
	// Log tells what happens to the configuration; nil means slog.Default.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// SnapshotState is what a reader knows about its configuration.
type SnapshotState struct {
	// Revision is the last snapshot that was handed on; 0 is none.
	Revision uint64
	// Confirmed is when Redis was last seen to hold just that.
	Confirmed time.Time
	// Degraded says that Redis does not serve us now, or that it holds a
	// configuration which was refused; Reason says which and why.
	Degraded bool
	Reason   string
	// FromDisk says that the snapshot came from the last good file.
	FromDisk bool
	// Refused is the revision that was not handed on, 0 when there is none.
	Refused uint64
	// Published is when the snapshot was published, and Applied when it was
	// handed on.
	Published, Applied time.Time
	// Conditions lists objects that could not be decoded.
	Conditions []sluice.Condition
	// Hashes says what each published hash holds at Revision, as the manifest
	// does; nil for a snapshot from the last good file.
	Hashes map[string]string
}

// RedisSnapshots is a gateway's side of the Snapshots port over Redis. It hands
// on only what agrees with its manifest. It is safe for concurrent use.
type RedisSnapshots struct {
	cfg   ReaderConfig
	board *Board
	saver *saver

	mirror *mirror // Run's alone; nil makes the next read a full one
	fleet  atomic.Int64

	// For keys beyond MaxKeys.
	keys    *keyCache
	lookups lookups
	breaker breaker

	mu      sync.Mutex
	state   SnapshotState
	current *sluice.Snapshot
	// published is how many keys the current snapshot stands for; 0 when that is
	// not known.
	published int
}

var _ sluice.Snapshots = (*RedisSnapshots)(nil)

// NewRedisSnapshots returns a reader that does nothing before
// [RedisSnapshots.Run].
func NewRedisSnapshots(cfg ReaderConfig) (*RedisSnapshots, error) {
	if cfg.LastGood != "" && cfg.Keyring == nil {
		return nil, sluice.Errorf(sluice.CodeMasterKey, "the last good file needs the master key: it holds the configuration sealed")
	}
	cfg.Poll = cmp.Or(cfg.Poll, 5*time.Second)
	cfg.Pause = cmp.Or(cfg.Pause, 100*time.Millisecond)
	cfg.SaveEvery = cmp.Or(cfg.SaveEvery, 5*time.Second)
	cfg.MaxStale = cmp.Or(cfg.MaxStale, 24*time.Hour)
	cfg.MaxKeys = cmp.Or(cfg.MaxKeys, defaultMaxKeys)
	cfg.LookupTimeout = cmp.Or(cfg.LookupTimeout, 250*time.Millisecond)
	cfg.ShrinkFloor = cmp.Or(cfg.ShrinkFloor, 10)
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	r := &RedisSnapshots{
		cfg: cfg, board: NewBoard(), keys: newKeyCache(cfg.MaxKeys, cfg.Now),
		lookups: lookups{flying: map[tokenHash]*lookup{}}, breaker: breaker{now: cfg.Now, pause: breakerPause},
	}
	if cfg.LastGood != "" {
		r.saver = newSaver(cfg, r.keys)
	}
	return r, nil
}

// Next implements [sluice.Snapshots]. It waits for the first snapshot as for any
// other; [RedisSnapshots.State] says why there is none.
func (r *RedisSnapshots) Next(ctx context.Context, after uint64) (*sluice.Snapshot, error) {
	return r.board.Next(ctx, after)
}

// State returns what is known at the moment.
func (r *RedisSnapshots) State() SnapshotState {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.state
	s.Conditions = slices.Clone(s.Conditions)
	return s
}

// Stale reports whether the configuration was unconfirmed for longer than
// MaxStale: revocations may be missing, so keys must not be trusted any more.
func (r *RedisSnapshots) Stale() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cfg.Now().Sub(r.state.Confirmed) > r.cfg.MaxStale
}

// Run follows Redis until ctx is done, then writes the last good file.
func (r *RedisSnapshots) Run(ctx context.Context) {
	var saving sync.WaitGroup
	if r.saver != nil {
		// The saver ends after the last snapshot that this loop offers it.
		ending, end := context.WithCancel(context.WithoutCancel(ctx))
		saving.Go(func() { r.saver.run(ending) })
		defer saving.Wait()
		defer end()
		defer r.offerLast()
	}
	news := make(chan struct{}, 1) // what was noticed is only that there is something
	go r.listen(ctx, news)         // ended by ctx; not waited for, because Redis may hang

	start, cancel := ctx, context.CancelFunc(func() {})
	if r.saver != nil && r.saver.exists() { // else there is nothing to go on with, and no haste
		start, cancel = context.WithTimeout(ctx, startTimeout)
	}
	err := r.refresh(start)
	cancel()
	if err != nil && ctx.Err() == nil {
		r.loadLastGood()
	}
	for ctx.Err() == nil {
		wait := r.cfg.Poll
		if sluice.CodeOf(err) == sluice.CodeUnavailable {
			wait = min(wait, retryPause) // what was refused stays refused; what is away may be back
		}
		if !r.await(ctx, news, wait) {
			return
		}
		err = r.refresh(ctx)
	}
}

// offerLast has the file written with the keys that came into use since the last
// word from Redis.
func (r *RedisSnapshots) offerLast() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current != nil && !r.state.FromDisk {
		r.saver.offer(lastGood{Confirmed: r.state.Confirmed, Snapshot: r.current})
	}
}

// listen passes on notices until ctx is done; the client subscribes again by
// itself. Subscribing is news in itself: what came before was missed.
func (r *RedisSnapshots) listen(ctx context.Context, news chan<- struct{}) {
	notices := r.cfg.Redis.client.Subscribe(ctx, r.cfg.Redis.key(keyNotify))
	defer notices.Close()
	channel := notices.ChannelWithSubscriptions()
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-channel:
			if !ok {
				return
			}
			select {
			case news <- struct{}{}:
			default:
			}
		}
	}
}

// pause is how long to wait for more changes to take over together. Each round
// copies a list of all keys: with many of them there are fewer rounds, so that
// garbage does not grow with their number.
func (r *RedisSnapshots) pause() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current == nil {
		return r.cfg.Pause
	}
	return max(r.cfg.Pause, min(time.Duration(len(r.current.Keys))*pausePerKey, longestPauseForKeys))
}

// await waits for a notice or for the time to poll, but never less than pause.
func (r *RedisSnapshots) await(ctx context.Context, news <-chan struct{}, wait time.Duration) bool {
	pause := time.NewTimer(r.pause())
	defer pause.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-pause.C:
	}
	poll := time.NewTimer(wait)
	defer poll.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-poll.C:
		return true
	case <-news:
		return true
	}
}

// refresh brings the snapshot up to date and notes the outcome; it logs a change
// of fortune once.
func (r *RedisSnapshots) refresh(ctx context.Context) error {
	next, from, err := r.read(ctx)
	if err == nil && next != nil {
		err = r.guard(next, from)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.state.Reason
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			return err
		}
		r.state.Degraded, r.state.Reason, r.state.Refused = true, err.Error(), 0
		if sluice.CodeOf(err) != sluice.CodeUnavailable {
			r.state.Refused = from.rev
		}
		if before != r.state.Reason {
			r.cfg.Log.Warn("the configuration in Redis cannot be used; the last one serves on", "applied", r.state.Revision, "error", err)
		}
		return err
	}
	if before != "" {
		r.cfg.Log.Info("the configuration in Redis can be used again", "revision", from.rev)
	}
	r.accept(next, from)
	return nil
}

// accept notes what Redis confirmed, and hands on a new snapshot.
func (r *RedisSnapshots) accept(next *sluice.Snapshot, from manifest) {
	now := r.cfg.Now()
	r.state.Confirmed, r.state.Degraded, r.state.Reason, r.state.Refused = now, false, "", 0
	if next != nil {
		r.acceptKeys(from)
		r.current = next
		r.state.Revision, r.state.Published, r.state.Applied, r.state.FromDisk = from.rev, from.at, now, false
		r.state.Conditions, r.state.Hashes = r.mirror.conditions(), r.mirror.rendered()
		r.board.Publish(next)
	}
	if r.saver != nil {
		r.saver.offer(lastGood{Confirmed: now, Snapshot: r.current})
	}
}

// acceptKeys brings the cache of keys to a revision before its snapshot is handed
// on: nobody finds a key there that the snapshot's revision does not have.
func (r *RedisSnapshots) acceptKeys(from manifest) {
	r.published = from.digests[keysHash].count
	if r.mirror.partial {
		r.keys.apply(r.mirror.keys, from.rev)
		r.mirror.keys = cacheUpdate{}
		return
	}
	r.keys.reset()
}

// crowded reports whether there are more keys than may be held. They are held
// again once there are clearly fewer: to go back and forth costs a full read each
// time.
func (r *RedisSnapshots) crowded(m *mirror, keys int) bool {
	if m.partial {
		return keys > r.cfg.MaxKeys-r.cfg.MaxKeys/10
	}
	return keys > r.cfg.MaxKeys
}

// read brings the mirror to what Redis holds. next is nil when that is what was
// handed on already.
func (r *RedisSnapshots) read(ctx context.Context) (next *sluice.Snapshot, from manifest, err error) {
	base := uint64(0)
	if r.mirror != nil {
		base = r.mirror.rev
	}
	quick, cancel := context.WithTimeout(ctx, noteTimeout)
	v, err := r.cfg.Redis.view(quick, base, maxTouched)
	cancel()
	if err != nil {
		return nil, v.manifest, err
	}
	r.mu.Lock()
	applied := r.state.Revision
	r.mu.Unlock()
	switch {
	case v.manifest.rev < applied:
		return nil, v.manifest, sluice.Errorf(sluice.CodeConflict, "Redis holds revision %d, which is older than the applied %d: if the database was restored, `sluice sync --force` publishes what it holds", v.manifest.rev, applied)
	case r.mirror != nil && v.manifest.rev == r.mirror.rev && v.manifest.digests == r.mirror.digests && r.mirror.rev == applied:
		return nil, v.manifest, nil
	case v.known && base < v.manifest.rev && (!r.mirror.partial || r.crowded(r.mirror, v.manifest.digests[keysHash].count)):
		r.mirror.apply(v)
		if r.mirror.agrees(v.manifest) {
			return r.snapshot(v.manifest), v.manifest, nil
		}
	}
	r.mirror = nil
	long, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	m, from, err := r.readAll(long, v.manifest)
	if err != nil {
		return nil, from, err
	}
	r.mirror = m
	return r.snapshot(from), from, nil
}

// snapshot is what the mirror holds, without the keys when there are too many.
func (r *RedisSnapshots) snapshot(at manifest) *sluice.Snapshot {
	if !r.mirror.partial && r.crowded(r.mirror, at.digests[keysHash].count) {
		r.cfg.Log.Info("there are more keys than may be held: those in use are cached, others looked up", "keys", at.digests[keysHash].count, "max_keys", r.cfg.MaxKeys)
		r.mirror.leaveKeys()
	}
	return r.mirror.snapshot()
}

// readAll reads every hash. What changes meanwhile is caught up with in one
// atomic step, and the whole must agree with the manifest of that moment: a
// mixture of two generations is never handed on.
func (r *RedisSnapshots) readAll(ctx context.Context, at manifest) (*mirror, manifest, error) {
	var why string
	for range readTries {
		m := newMirror()
		m.rev, m.partial = at.rev, r.crowded(m, at.digests[keysHash].count)
		for i := range hashes {
			if i == keysHash && m.partial {
				if err := r.readCached(ctx, m); err != nil {
					return nil, at, err
				}
				continue
			}
			if err := r.readHash(ctx, m, i); err != nil {
				return nil, at, err
			}
		}
		v, err := r.cfg.Redis.view(ctx, m.rev, maxTouched)
		if err != nil {
			return nil, at, err
		}
		at = v.manifest
		if !v.known {
			why = "it was written anew while it was read"
			continue
		}
		m.apply(v)
		if why = at.mismatch(m.digests); why == "" {
			return m, at, nil
		}
	}
	return nil, at, sluice.Errorf(sluice.CodeConfig, "revision %d is not consistent: %s", at.rev, why)
}

// guard refuses a snapshot that lost more than half of the keys or providers,
// unless a person confirmed that after what we have: more likely a publisher is
// broken than most customers are gone.
func (r *RedisSnapshots) guard(next *sluice.Snapshot, from manifest) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current == nil || from.forced > r.current.Revision {
		return nil
	}
	for _, n := range []struct {
		what      string
		was, left int
	}{{"keys", r.published, from.digests[keysHash].count}, {"providers", len(r.current.Providers), len(next.Providers)}} {
		if n.was >= r.cfg.ShrinkFloor && n.left*2 < n.was {
			r.mirror = nil // it holds what was refused
			return sluice.Errorf(sluice.CodeConflict, "revision %d would leave %d of %d %s: confirm with `sluice sync --force` if that is meant", next.Revision, n.left, n.was, n.what)
		}
	}
	return nil
}

// loadLastGood serves from the file until Redis is back.
func (r *RedisSnapshots) loadLastGood() {
	if r.saver == nil {
		return
	}
	last, err := r.saver.load()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.state.Reason = fmt.Sprintf("%s; and the last good file cannot be used: %v", r.state.Reason, err)
		r.cfg.Log.Warn("no last good configuration", "error", err)
		return
	}
	r.current, r.published = last.Snapshot, len(last.Snapshot.Keys)
	if last.Snapshot.MoreKeys {
		r.current, r.published = r.cacheLastGood(last), 0
	}
	r.state.Revision, r.state.Confirmed, r.state.FromDisk, r.state.Applied = last.Snapshot.Revision, last.Confirmed, true, r.cfg.Now()
	r.cfg.Log.Warn("serving the last good configuration", "revision", last.Snapshot.Revision, "age", r.cfg.Now().Sub(last.Confirmed))
	r.board.Publish(r.current)
}

// cacheLastGood moves the keys of the last good file, which are those that were in
// use, to where keys in use are.
func (r *RedisSnapshots) cacheLastGood(last lastGood) *sluice.Snapshot {
	changes := cacheUpdate{fill: true}
	for _, k := range last.Snapshot.Keys {
		if hash, ok := parseTokenHash(k.TokenHash); ok {
			changes.list = append(changes.list, keyChange{hash, k})
		}
	}
	r.keys.apply(changes, last.Snapshot.Revision)
	rest := *last.Snapshot
	rest.Keys = nil
	return &rest
}
