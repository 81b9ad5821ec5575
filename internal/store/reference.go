package store

import (
	"database/sql"

	"github.com/sluicegate/sluice"
)

// Target is an object that a field of another object needs.
type Target struct {
	Field string
	Kind  sluice.Kind
	ID    uint64
}

// Links is what an object needs and who may read it.
type Links struct {
	// Targets are what it refers to, one per field.
	Targets []Target
	// SharedWith lists the tenants besides its own that may read it; "*" is all.
	SharedWith []string
}

// Referrer names an object that refers to another one.
type Referrer struct {
	Kind   sluice.Kind `json:"kind"`
	Tenant string      `json:"tenant"`
	Name   string      `json:"name"`
	Field  string      `json:"field"`
}

// Link replaces what is known of an object's references and sharing; it belongs
// in the transaction that writes the object.
func (tx *Tx) Link(o sluice.Object, links Links) error {
	kind, m := string(o.Kind()), o.GetMeta()
	if _, err := tx.exec(`DELETE FROM reference WHERE from_kind = $1 AND from_id = $2`, kind, int64(m.ID)); err != nil {
		return err
	}
	if _, err := tx.exec(`DELETE FROM sharing WHERE kind = $1 AND id = $2`, kind, int64(m.ID)); err != nil {
		return err
	}
	for _, to := range links.Targets {
		if _, err := tx.exec(`INSERT INTO reference (from_kind, from_id, from_tenant, from_name, field, to_kind, to_id)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`, kind, int64(m.ID), m.Tenant, m.Name, to.Field, string(to.Kind), int64(to.ID)); err != nil {
			return err
		}
	}
	for _, tenant := range links.SharedWith {
		if _, err := tx.exec(`INSERT INTO sharing (kind, id, tenant) VALUES ($1, $2, $3) ON CONFLICT (kind, id, tenant) DO NOTHING`,
			kind, int64(m.ID), tenant); err != nil {
			return err
		}
	}
	return nil
}

// Referrers returns up to max objects that refer to the object, and how many
// references there are in all.
func (tx *Tx) Referrers(o sluice.Object, max int) (some []Referrer, total int, err error) {
	args := []any{string(o.Kind()), int64(o.GetMeta().ID)}
	err = tx.row(`SELECT COUNT(*) FROM reference WHERE to_kind = $1 AND to_id = $2`, args, &total)
	if err != nil || total == 0 {
		return nil, total, err
	}
	err = tx.each(`SELECT from_kind, from_tenant, from_name, field FROM reference
		WHERE to_kind = $1 AND to_id = $2 ORDER BY from_kind, from_id, field`+limit(max), args, func(rows *sql.Rows) error {
		var r Referrer
		err := rows.Scan(&r.Kind, &r.Tenant, &r.Name, &r.Field)
		some = append(some, r)
		return err
	})
	return some, total, err
}

// ReferringTenants returns the tenants whose objects refer to the object.
func (tx *Tx) ReferringTenants(o sluice.Object) ([]string, error) {
	var tenants []string
	err := tx.each(`SELECT DISTINCT from_tenant FROM reference WHERE to_kind = $1 AND to_id = $2 ORDER BY from_tenant`,
		[]any{string(o.Kind()), int64(o.GetMeta().ID)}, func(rows *sql.Rows) error {
			var t string
			err := rows.Scan(&t)
			tenants = append(tenants, t)
			return err
		})
	return tenants, err
}

// Relink points references of one tenant's objects from one object to another
// of its kind: a tenant's own object takes precedence over a shared one of the
// same name as soon as it exists.
func (tx *Tx) Relink(tenant string, from, to sluice.Object) error {
	_, err := tx.exec(`UPDATE reference SET to_id = $1 WHERE from_tenant = $2 AND to_kind = $3 AND to_id = $4`,
		int64(to.GetMeta().ID), tenant, string(to.Kind()), int64(from.GetMeta().ID))
	return err
}
