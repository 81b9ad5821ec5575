package store

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/sluicegate/sluice"
)

// Insert stores a new object and sets its ID, Version (1) and times. A taken
// name or email is [sluice.CodeConflict].
func (tx *Tx) Insert(o sluice.Object) error {
	t, m := tableOf(o.Kind()), o.GetMeta()
	id, err := tx.next(string(t.kind))
	if err != nil {
		return err
	}
	doc, err := document(o)
	if err != nil {
		return fmt.Errorf("render %s %s: %w", t.kind, m.Name, err)
	}
	now := micros(tx.now)
	names := []string{"id", "tenant", "name", "version", "created_at", "updated_at", "search", "doc"}
	args := []any{int64(id), m.Tenant, m.Name, int64(1), now, now, searchText(m), doc}
	for _, c := range t.columns {
		names, args = append(names, c.name), append(args, c.value(o))
	}
	query := `INSERT INTO ` + t.sql() + ` (` + strings.Join(names, ", ") + `) VALUES (` + placeholders(1, len(args)) + `)`
	if _, err := tx.exec(query, args...); err != nil {
		return err
	}
	m.ID, m.Version, m.CreatedAt, m.UpdatedAt = id, 1, tx.now, tx.now
	return tx.keepPassword(o)
}

// Update replaces an object that was read in this transaction or before; its
// Version must still be the stored one, otherwise [sluice.CodePrecondition]. It
// sets the next Version and UpdatedAt.
func (tx *Tx) Update(o sluice.Object) error {
	t, m := tableOf(o.Kind()), o.GetMeta()
	doc, err := document(o)
	if err != nil {
		return fmt.Errorf("render %s %s: %w", t.kind, m.Name, err)
	}
	sets := []string{"version = version + 1", "updated_at = $1", "search = $2", "doc = $3"}
	args := []any{micros(tx.now), searchText(m), doc}
	for _, c := range t.columns {
		args = append(args, c.value(o))
		sets = append(sets, fmt.Sprintf("%s = $%d", c.name, len(args)))
	}
	args = append(args, int64(m.ID), int64(m.Version))
	query := fmt.Sprintf(`UPDATE %s SET %s WHERE id = $%d AND version = $%d`, t.sql(), strings.Join(sets, ", "), len(args)-1, len(args))
	n, err := tx.exec(query, args...)
	if err != nil {
		return err
	}
	if n == 0 {
		return sluice.Errorf(sluice.CodePrecondition, "it was changed meanwhile; version %d is gone", m.Version)
	}
	m.Version, m.UpdatedAt = m.Version+1, tx.now
	return tx.keepPassword(o)
}

// Delete removes an object and what it refers to and shares. It does not look
// at referrers: see [Tx.Referrers].
func (tx *Tx) Delete(o sluice.Object) error {
	t, m := tableOf(o.Kind()), o.GetMeta()
	n, err := tx.exec(`DELETE FROM `+t.sql()+` WHERE id = $1 AND version = $2`, int64(m.ID), int64(m.Version))
	if err != nil {
		return err
	}
	if n == 0 {
		return sluice.Errorf(sluice.CodePrecondition, "it was changed meanwhile; version %d is gone", m.Version)
	}
	if t.kind == sluice.KindUser {
		if err := tx.EndSignIns(m.ID); err != nil {
			return err
		}
	}
	return tx.Link(o, Links{})
}

// keepPassword moves a user's password hash into its own column and out of the
// object; an empty one keeps what is stored.
func (tx *Tx) keepPassword(o sluice.Object) error {
	u, ok := o.(*sluice.User)
	if !ok || u.Password == "" {
		return nil
	}
	_, err := tx.exec(`UPDATE "users" SET password_hash = $1 WHERE id = $2`, u.Password, int64(u.ID))
	u.Password = ""
	return err
}

// ByName returns an object by tenant and name, or [sluice.CodeNotFound].
func (tx *Tx) ByName(kind sluice.Kind, tenant, name string) (sluice.Object, error) {
	return tx.one(tableOf(kind), `t.tenant = $1 AND t.name = $2`, tenant, name)
}

// ByID returns an object of any tenant by id, or [sluice.CodeNotFound].
func (tx *Tx) ByID(kind sluice.Kind, id uint64) (sluice.Object, error) {
	return tx.one(tableOf(kind), `t.id = $1`, int64(id))
}

func (tx *Tx) one(t *table, where string, args ...any) (sluice.Object, error) {
	query := `SELECT ` + t.selection() + ` FROM ` + t.sql() + ` t WHERE ` + where
	var o sluice.Object
	err := tx.get(query, args, func(row scanner) (err error) {
		o, err = scan(t, row)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, sluice.Errorf(sluice.CodeNotFound, "no such object in %s", t.kind)
	}
	return o, err
}

// scan reads one object from the columns of [table.selection].
func scan(t *table, row scanner) (sluice.Object, error) {
	var id, version, created, updated, side int64
	var tenant, name, doc string
	if err := row.Scan(&id, &tenant, &name, &version, &created, &updated, &doc, &side); err != nil {
		return nil, err
	}
	o := t.fresh()
	if err := json.Unmarshal([]byte(doc), o); err != nil {
		return nil, sluice.Errorf(sluice.CodeDatabase, "a stored object is damaged").
			Because(fmt.Errorf("read %s %s/%s: %w", t.kind, tenant, name, err))
	}
	m := o.GetMeta()
	m.ID, m.Tenant, m.Name, m.Version = uint64(id), tenant, name, uint64(version)
	m.CreatedAt, m.UpdatedAt = fromMicros(created), fromMicros(updated)
	if t.side != nil {
		t.side.set(o, fromMicros(side))
	}
	return o, nil
}

// Selection says which objects [Tx.List] returns.
type Selection struct {
	// Tenant limits to one tenant's objects; "" means every tenant.
	Tenant string
	// Shared adds what other tenants share with Tenant.
	Shared bool
	// Match holds exact values by JSON field name; a field that the kind does
	// not offer is [sluice.CodeInvalidRequest].
	Match map[string]string
	// Search keeps objects whose name or description contains it, without case.
	Search string
	// After continues behind this id.
	After uint64
	// Limit bounds the number of objects; 0 means no bound.
	Limit int
}

// List returns objects by ascending id.
func (tx *Tx) List(kind sluice.Kind, sel Selection) ([]sluice.Object, error) {
	t := tableOf(kind)
	w := where{}
	if sel.Tenant != "" && sel.Shared {
		w.add(`(t.tenant = ? OR EXISTS (SELECT 1 FROM sharing s WHERE s.kind = ? AND s.id = t.id AND s.tenant IN ('*', ?)))`,
			sel.Tenant, string(kind), sel.Tenant)
	} else if sel.Tenant != "" {
		w.add(`t.tenant = ?`, sel.Tenant)
	}
	for field, value := range sel.Match {
		name, ok := t.filterable(field)
		if !ok {
			return nil, sluice.Errorf(sluice.CodeInvalidRequest, "%s cannot be filtered by that field", kind).At("filter")
		}
		w.add(`t.`+name+` = ?`, value)
	}
	if sel.Search != "" {
		// Not LIKE, whose wildcards and escapes make a text many times as dear to
		// look for as another; that a text is in another has no other portable form.
		w.add(`replace(t.search, ?, '') <> t.search`, strings.ToLower(sel.Search))
	}
	if sel.After > 0 {
		w.add(`t.id > ?`, int64(sel.After))
	}
	query := `SELECT ` + t.selection() + ` FROM ` + t.sql() + ` t` + w.sql() + ` ORDER BY t.id` + limit(sel.Limit)
	var out []sluice.Object
	err := tx.each(query, w.args, func(rows *sql.Rows) error {
		o, err := scan(t, rows)
		out = append(out, o)
		return err
	})
	return out, err
}
