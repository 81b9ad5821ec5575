package link

import (
	"crypto/sha256"
	"hash/maphash"
	"strings"
	"sync"
	"unsafe"

	"github.com/sluicegate/sluice"
)

const (
	// grantShards spreads requests over locks, once there are enough remembered
	// ones for each shard to have its part.
	grantShards = 16
	// grantSlab is how many grants are allocated at once.
	grantSlab = 64
	// keptBuckets is the most memory for names that a grant keeps for its next
	// request.
	keptBuckets = 256
)

// grantName is a request id without a pointer to leased memory: the id itself,
// or the SHA-256 of a long one.
type grantName struct {
	length uint8
	text   [40]byte
}

func nameOfGrant(id string) (n grantName) {
	if len(id) > len(n.text) {
		sum := sha256.Sum256([]byte(id))
		n.length = 255 // no text is that long
		copy(n.text[:], sum[:])
		return n
	}
	n.length = uint8(copy(n.text[:], id))
	return n
}

// grant is what is known of one admitted request. Its memory serves another one
// when it is forgotten.
type grant struct {
	name      grantName
	finished  bool
	standings []sluice.Standing
	buckets   []byte
	// first and names are where those of most requests lie.
	first [2]sluice.Standing
	names [48]byte
}

// copies appends the standings with names that outlive the grant.
func (g *grant) copies(into []sluice.Standing) []sluice.Standing {
	for _, s := range g.standings {
		s.Claim.Bucket = strings.Clone(s.Claim.Bucket)
		into = append(into, s)
	}
	return into
}

// keep makes the grant that of a request: the standings are copied with their
// names, which are leased.
func (g *grant) keep(name grantName, standings []sluice.Standing) {
	if cap(g.buckets) > keptBuckets {
		g.buckets = nil
	}
	g.name, g.finished, g.buckets = name, false, g.buckets[:0]
	if g.standings == nil {
		g.standings = g.first[:0]
	}
	if g.buckets == nil {
		g.buckets = g.names[:0]
	}
	g.standings = append(g.standings[:0], standings...)
	for _, s := range standings {
		g.buckets = append(g.buckets, s.Claim.Bucket...)
	}
	from := unsafe.String(unsafe.SliceData(g.buckets), len(g.buckets))
	for i := range g.standings {
		n := len(g.standings[i].Claim.Bucket)
		g.standings[i].Claim.Bucket, from = from[:n], from[n:]
	}
}

// grants remembers admitted requests: all that are open, and the last finished
// ones.
type grants struct {
	seed   maphash.Seed
	shards []grantShard
}

// grantShard is one part of the grants under one lock.
type grantShard struct {
	mu     sync.Mutex
	byName map[grantName]*grant
	done   []*grant // a ring of finished ones, the oldest at next
	next   int
	open   int
	spare  []grant
	free   *grant // the one forgotten last
}

func newGrants(remembered int) *grants {
	n := grantShards
	if remembered < grantShards*grantSlab {
		n = 1
	}
	gs := &grants{seed: maphash.MakeSeed(), shards: make([]grantShard, n)}
	for i := range gs.shards {
		gs.shards[i] = grantShard{byName: map[grantName]*grant{}, done: make([]*grant, max(1, remembered/n))}
	}
	return gs
}

// shard returns the part that a request belongs to.
func (gs *grants) shard(id string) *grantShard {
	return &gs.shards[maphash.String(gs.seed, id)%uint64(len(gs.shards))]
}

// add remembers a request; the shard is locked.
func (s *grantShard) add(name grantName, standings []sluice.Standing) {
	g := s.free
	if s.free = nil; g == nil {
		if len(s.spare) == 0 {
			s.spare = make([]grant, grantSlab)
		}
		g, s.spare = &s.spare[0], s.spare[1:]
	}
	g.keep(name, standings)
	s.byName[name] = g
	s.open++
}

// retire moves a request to the finished ones and forgets the oldest of them.
// Open grants are never forgotten: they still have slots to free. The shard is
// locked.
func (s *grantShard) retire(g *grant) {
	g.finished = true
	s.open--
	if oldest := s.done[s.next]; oldest != nil {
		delete(s.byName, oldest.name)
		s.free = oldest
	}
	s.done[s.next] = g
	s.next = (s.next + 1) % len(s.done)
}
