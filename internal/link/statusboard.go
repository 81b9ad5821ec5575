package link

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sluicegate/sluice"
)

// Limits of a status board.
const (
	maxGateways = 1_000
	maxKeysUsed = 200_000
)

// StatusBoard is the Status port within one process: gateways report to it,
// control reads from it. It is safe for concurrent use.
type StatusBoard struct {
	mu       sync.Mutex
	gateways map[string]sluice.GatewayStatus
	used     map[uint64]time.Time
}

var _ sluice.StatusSink = (*StatusBoard)(nil)

// NewStatusBoard returns an empty board.
func NewStatusBoard() *StatusBoard {
	return &StatusBoard{gateways: map[string]sluice.GatewayStatus{}, used: map[uint64]time.Time{}}
}

// Report implements [sluice.StatusSink]. When the board is full, the gateway
// that has been silent longest makes room.
func (b *StatusBoard) Report(_ context.Context, s sluice.GatewayStatus) error {
	if s.Gateway == "" {
		return sluice.Errorf(sluice.CodeInvalidRequest, "a status needs the gateway's name").At("/gateway")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.note(s.KeysUsed)
	s.KeysUsed = nil
	s.Conditions = slices.Clone(s.Conditions)
	if s.Journal != nil {
		own := *s.Journal
		s.Journal = &own
	}
	if _, known := b.gateways[s.Gateway]; !known && len(b.gateways) >= maxGateways {
		delete(b.gateways, b.stalest())
	}
	b.gateways[s.Gateway] = s
	return nil
}

// Gateways returns the last status of every gateway, sorted by name.
func (b *StatusBoard) Gateways() []sluice.GatewayStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := slices.Collect(maps.Values(b.gateways))
	slices.SortFunc(list, func(x, y sluice.GatewayStatus) int { return cmp.Compare(x.Gateway, y.Gateway) })
	return list
}

// TakeKeysUsed returns when keys were last used and forgets it: the caller
// stores it, or gives it back by [StatusBoard.NoteKeysUsed].
func (b *StatusBoard) TakeKeysUsed() map[uint64]time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	used := b.used
	b.used = map[uint64]time.Time{}
	return used
}

// NoteKeysUsed adds times of use; of two for one key the later stays.
func (b *StatusBoard) NoteKeysUsed(used map[uint64]time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.note(used)
}

// note drops what exceeds the bound: a key's next use brings its time again.
func (b *StatusBoard) note(used map[uint64]time.Time) {
	for id, at := range used {
		old, known := b.used[id]
		if (known || len(b.used) < maxKeysUsed) && at.After(old) {
			b.used[id] = at
		}
	}
}

func (b *StatusBoard) stalest() string {
	var name string
	var oldest time.Time
	for _, s := range b.gateways {
		if name == "" || s.Time.Before(oldest) {
			name, oldest = s.Gateway, s.Time
		}
	}
	return name
}
