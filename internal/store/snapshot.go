package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"

	"github.com/sluicegate/sluice"
)

// latest is the last snapshot that was built. The next one shares with it what
// did not change: at 200,000 keys, reading all of them for each write would
// take seconds.
type latest struct {
	mu       sync.Mutex
	snapshot *sluice.Snapshot
}

// Snapshot returns all that a gateway needs to know, from one consistent state.
// Provider secrets in it are sealed, keys are hashes. It is shared and must not
// be changed.
func (db *DB) Snapshot(ctx context.Context) (*sluice.Snapshot, error) {
	db.latest.mu.Lock()
	defer db.latest.mu.Unlock()
	var next *sluice.Snapshot
	err := db.Read(ctx, func(tx *Tx) (err error) {
		next, err = tx.snapshot(db.latest.snapshot)
		return err
	})
	if err != nil {
		return nil, err
	}
	db.latest.snapshot = next
	return next, nil
}

// snapshot brings the last snapshot up to date, or reads everything when there
// is none or too much has changed.
func (tx *Tx) snapshot(last *sluice.Snapshot) (*sluice.Snapshot, error) {
	revision, err := tx.Revision()
	if err != nil {
		return nil, err
	}
	if last == nil || revision < last.Revision || revision-last.Revision > maxChanges {
		return tx.wholeSnapshot(revision)
	}
	changes, err := tx.changesAfter(last.Revision)
	if err != nil {
		return nil, err
	}
	next := *last
	next.Revision = revision
	for _, kind := range collections(&next) {
		if err := kind.update(tx, changes[kind.kind]); err != nil {
			return nil, err
		}
	}
	if len(changes[sluice.KindUser]) > 0 {
		if err := tx.disabledUsers(&next); err != nil {
			return nil, err
		}
	}
	if len(changes[sluice.KindPrice]) > 0 {
		err = tx.snapshotPrices(&next)
	}
	return &next, err
}

func (tx *Tx) wholeSnapshot(revision uint64) (*sluice.Snapshot, error) {
	s := &sluice.Snapshot{Schema: sluice.SnapshotSchema, Revision: revision}
	for _, kind := range collections(s) {
		if err := kind.read(tx); err != nil {
			return nil, err
		}
	}
	if err := tx.disabledUsers(s); err != nil {
		return nil, err
	}
	return s, tx.snapshotPrices(s)
}

// changesAfter returns the ids that changed since a revision, by kind.
func (tx *Tx) changesAfter(revision uint64) (map[sluice.Kind]map[uint64]bool, error) {
	out := map[sluice.Kind]map[uint64]bool{}
	err := tx.each(`SELECT kind, id FROM changes WHERE revision > $1`, []any{int64(revision)}, func(rows *sql.Rows) error {
		var kind sluice.Kind
		var id int64
		if err := rows.Scan(&kind, &id); err != nil {
			return err
		}
		if out[kind] == nil {
			out[kind] = map[uint64]bool{}
		}
		out[kind][uint64(id)] = true
		return nil
	})
	return out, err
}

// collection fills one of a snapshot's lists.
type collection struct {
	kind   sluice.Kind
	read   func(*Tx) error
	update func(*Tx, map[uint64]bool) error
}

func collections(s *sluice.Snapshot) []collection {
	return []collection{
		collect(sluice.KindTenant, &s.Tenants), collect(sluice.KindGroup, &s.Groups), collect(sluice.KindProvider, &s.Providers),
		collect(sluice.KindModel, &s.Models), collect(sluice.KindUpstream, &s.Upstreams), collect(sluice.KindRoute, &s.Routes),
		collectPointers(sluice.KindKey, &s.Keys),
	}
}

// collect is collectPointers for a list that holds the objects themselves.
func collect[T any](kind sluice.Kind, list *[]T) collection {
	with := func(do func(*[]*T) error) error {
		objects := pointers(*list)
		err := do(&objects)
		*list = values(objects)
		return err
	}
	return collection{
		kind: kind,
		read: func(tx *Tx) error { return with(func(l *[]*T) error { return readAll(tx, kind, l) }) },
		update: func(tx *Tx, ids map[uint64]bool) error {
			if len(ids) == 0 {
				return nil // the list stays the same: others see at a glance that nothing changed
			}
			return with(func(l *[]*T) error { return readSome(tx, kind, l, ids) })
		},
	}
}

func pointers[T any](list []T) []*T {
	out := make([]*T, len(list))
	for i := range list {
		out[i] = &list[i]
	}
	return out
}

func values[T any](list []*T) []T {
	out := make([]T, len(list))
	for i, p := range list {
		out[i] = *p
	}
	return out
}

func collectPointers[T any](kind sluice.Kind, list *[]*T) collection {
	return collection{
		kind:   kind,
		read:   func(tx *Tx) error { return readAll(tx, kind, list) },
		update: func(tx *Tx, ids map[uint64]bool) error { return readSome(tx, kind, list, ids) },
	}
}

// readAll reads every object of one kind.
func readAll[T any](tx *Tx, kind sluice.Kind, list *[]*T) error {
	objects, err := tx.List(kind, Selection{})
	if err != nil {
		return fmt.Errorf("read %s: %w", kind, err)
	}
	*list = merged[T](nil, objects)
	return nil
}

// readSome replaces the list by one in which the objects of the ids are as they
// are now; the old list, which others hold, stays as it is.
func readSome[T any](tx *Tx, kind sluice.Kind, list *[]*T, ids map[uint64]bool) error {
	if len(ids) == 0 {
		return nil
	}
	kept := make([]*T, 0, len(*list))
	for _, p := range *list {
		if !ids[metaOf(p).ID] {
			kept = append(kept, p)
		}
	}
	changed := make([]sluice.Object, 0, len(ids))
	for id := range ids {
		o, err := tx.ByID(kind, id)
		if sluice.CodeOf(err) == sluice.CodeNotFound {
			continue // deleted
		}
		if err != nil {
			return fmt.Errorf("read %s %d: %w", kind, id, err)
		}
		changed = append(changed, o)
	}
	*list = merged(kept, changed)
	return nil
}

// merged returns the kept objects, which are in order, and the others in one
// list sorted by tenant and name bytewise, whatever the database's collation.
func merged[T any](kept []*T, others []sluice.Object) []*T {
	slices.SortFunc(others, func(a, b sluice.Object) int { return byName(a.GetMeta(), b.GetMeta()) })
	out := make([]*T, 0, len(kept)+len(others))
	for _, o := range others {
		at, _ := slices.BinarySearchFunc(kept, o.GetMeta(), func(p *T, m *sluice.Meta) int { return byName(metaOf(p), m) })
		out, kept = append(append(out, kept[:at]...), published[T](o)), kept[at:]
	}
	return append(out, kept...)
}

func byName(a, b *sluice.Meta) int {
	return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Name, b.Name))
}

// published returns an object as snapshots hold it: without what traffic moves,
// so that equal configurations have equal bytes.
func published[T any](o sluice.Object) *T {
	if k, ok := o.(*sluice.Key); ok {
		k.LastUsedAt = fromMicros(0)
	}
	return any(o).(*T)
}

func metaOf[T any](p *T) *sluice.Meta { return any(p).(sluice.Object).GetMeta() }

// disabledUsers lists the users that are disabled.
func (tx *Tx) disabledUsers(s *sluice.Snapshot) error {
	users, err := tx.List(sluice.KindUser, Selection{Match: map[string]string{"status": string(sluice.StatusDisabled)}})
	if err != nil {
		return fmt.Errorf("read disabled users: %w", err)
	}
	s.DisabledUsers = make([]sluice.UserRef, 0, len(users))
	for _, u := range users {
		s.DisabledUsers = append(s.DisabledUsers, sluice.UserRef{Tenant: u.GetMeta().Tenant, Name: u.GetMeta().Name})
	}
	slices.SortFunc(s.DisabledUsers, func(a, b sluice.UserRef) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Name, b.Name))
	})
	return nil
}
