package store_test

import (
	"math"
	"testing"

	"github.com/sluicegate/sluice"
)

// Lost if it fails: the way out after a restore, or what a process knows of a
// database that was changed behind its back.
func TestRaise(t *testing.T) {
	at := place(t)
	db, other := open(t, at), open(t, at)
	must(t, add(t.Context(), db, model("m")))
	before, err := other.Snapshot(t.Context())
	must(t, err)
	for _, above := range []uint64{0, 5_000_000} {
		revision, err := db.Raise(t.Context(), above)
		must(t, err)
		s, err := other.Snapshot(t.Context())
		must(t, err)
		if revision <= max(above, before.Revision) || s.Revision != revision || &s.Models[0] == &before.Models[0] {
			t.Errorf("above %d: revision %d, the snapshot has %d and was read anew: %t", above, revision, s.Revision, &s.Models[0] != &before.Models[0])
		}
		before = s
	}
	if _, err := db.Raise(t.Context(), math.MaxUint64); sluice.CodeOf(err) != sluice.CodeConflict {
		t.Errorf("above all: %v", err)
	}
}
