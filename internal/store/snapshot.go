package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sluicegate/sluice"
)

// Snapshot reads all that a gateway needs to know, from one consistent state.
// Provider secrets in it are sealed, keys are hashes.
func (db *DB) Snapshot(ctx context.Context) (*sluice.Snapshot, error) {
	var s *sluice.Snapshot
	err := db.Read(ctx, func(tx *Tx) (err error) {
		s, err = tx.snapshot()
		return err
	})
	return s, err
}

func (tx *Tx) snapshot() (*sluice.Snapshot, error) {
	s := &sluice.Snapshot{Schema: sluice.SnapshotSchema}
	var err error
	if s.Revision, err = tx.Revision(); err != nil {
		return nil, err
	}
	for _, read := range []func() error{
		func() error { return all(tx, sluice.KindTenant, &s.Tenants) },
		func() error { return all(tx, sluice.KindGroup, &s.Groups) },
		func() error { return all(tx, sluice.KindProvider, &s.Providers) },
		func() error { return all(tx, sluice.KindModel, &s.Models) },
		func() error { return all(tx, sluice.KindUpstream, &s.Upstreams) },
		func() error { return all(tx, sluice.KindRoute, &s.Routes) },
		func() error { return all(tx, sluice.KindKey, &s.Keys) },
		func() error { return tx.disabledUsers(s) },
	} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	for i := range s.Keys {
		s.Keys[i].LastUsedAt = time.Time{} // equal configurations have equal bytes
	}
	return s, nil
}

// all reads every object of one kind, sorted by tenant and name bytewise,
// whatever the database's collation.
func all[T any](tx *Tx, kind sluice.Kind, out *[]T) error {
	objects, err := tx.List(kind, Selection{})
	if err != nil {
		return fmt.Errorf("read %s: %w", kind, err)
	}
	slices.SortFunc(objects, func(a, b sluice.Object) int {
		ma, mb := a.GetMeta(), b.GetMeta()
		return cmp.Or(cmp.Compare(ma.Tenant, mb.Tenant), cmp.Compare(ma.Name, mb.Name))
	})
	*out = make([]T, 0, len(objects))
	for _, o := range objects {
		*out = append(*out, *any(o).(*T))
	}
	return nil
}

func (tx *Tx) disabledUsers(s *sluice.Snapshot) error {
	s.DisabledUsers = []sluice.UserRef{}
	users, err := tx.List(sluice.KindUser, Selection{Match: map[string]string{"status": string(sluice.StatusDisabled)}})
	if err != nil {
		return fmt.Errorf("read disabled users: %w", err)
	}
	for _, u := range users {
		s.DisabledUsers = append(s.DisabledUsers, sluice.UserRef{Tenant: u.GetMeta().Tenant, Name: u.GetMeta().Name})
	}
	slices.SortFunc(s.DisabledUsers, func(a, b sluice.UserRef) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Name, b.Name))
	})
	return nil
}

// TouchKeys notes when keys were last used; see [Tx.TouchKeys].
func (db *DB) TouchKeys(ctx context.Context, used map[uint64]time.Time) error {
	if len(used) == 0 {
		return nil
	}
	return db.Write(ctx, func(tx *Tx) error { return tx.TouchKeys(used) })
}
