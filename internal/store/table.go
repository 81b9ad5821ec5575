package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
)

// table describes where and how one kind of managed object is kept.
type table struct {
	kind sluice.Kind
	// fresh makes an empty object of the kind, clone a copy.
	fresh func() sluice.Object
	clone func(sluice.Object) sluice.Object
	// columns are looked up besides the common ones.
	columns []column
	// side is kept beside the document and survives its replacement.
	side *side
}

// column is a field of the document that has a column of its own.
type column struct {
	field string // JSON name, offered as a filter; "" offers none
	name  string // SQL name
	value func(sluice.Object) any
}

// side describes a time that traffic and sign-ins write: a column only, so that
// touching it neither bumps the version nor races with an update.
type side struct {
	column string
	set    func(sluice.Object, time.Time)
}

// sql is the table's quoted name.
func (t *table) sql() string { return `"` + string(t.kind) + `"` }

// selection lists the columns that [Tx.scan] reads.
func (t *table) selection() string {
	cols := "t.id, t.tenant, t.name, t.version, t.created_at, t.updated_at, t.doc"
	if t.side != nil {
		return cols + ", t." + t.side.column
	}
	return cols + ", 0"
}

// filterable returns the column that a filter field names.
func (t *table) filterable(field string) (string, bool) {
	if field == "name" || field == "tenant" {
		return field, true
	}
	i := slices.IndexFunc(t.columns, func(c column) bool { return c.field == field && field != "" })
	if i < 0 {
		return "", false
	}
	return t.columns[i].name, true
}

// tableOf returns the table of a kind. Kinds come from Object.Kind and the
// API's own paths, never from a client's text.
func tableOf(kind sluice.Kind) *table {
	for i := range tables {
		if tables[i].kind == kind {
			return &tables[i]
		}
	}
	panic(fmt.Sprintf("store: no table for kind %q", kind))
}

// New returns an empty object of the kind.
func New(kind sluice.Kind) sluice.Object { return tableOf(kind).fresh() }

// tables is read only. Adding a kind takes a row here and a migration.
var tables = []table{
	{kind: sluice.KindTenant, fresh: fresh[sluice.Tenant], clone: clone[sluice.Tenant], columns: []column{
		col("status", "status", func(t *sluice.Tenant) any { return string(t.Status) })}},
	{kind: sluice.KindRole, fresh: fresh[sluice.Role], clone: clone[sluice.Role]},
	{kind: sluice.KindUser, fresh: fresh[sluice.User], clone: clone[sluice.User], columns: []column{
		col("email", "email", func(u *sluice.User) any { return u.Email }),
		col("status", "status", func(u *sluice.User) any { return string(u.Status) })},
		side: &side{"last_login_at", func(o sluice.Object, t time.Time) { o.(*sluice.User).LastLoginAt = t }}},
	{kind: sluice.KindGroup, fresh: fresh[sluice.Group], clone: clone[sluice.Group]},
	{kind: sluice.KindProvider, fresh: fresh[sluice.Provider], clone: clone[sluice.Provider], columns: []column{
		col("type", "type", func(p *sluice.Provider) any { return p.Type }),
		col("group", "group_name", func(p *sluice.Provider) any { return p.Group }),
		col("status", "status", func(p *sluice.Provider) any { return string(p.Status) })}},
	{kind: sluice.KindModel, fresh: fresh[sluice.Model], clone: clone[sluice.Model], columns: []column{
		col("status", "status", func(m *sluice.Model) any { return string(m.Status) })}},
	{kind: sluice.KindUpstream, fresh: fresh[sluice.Upstream], clone: clone[sluice.Upstream], columns: []column{
		col("scheme", "scheme", func(u *sluice.Upstream) any { return u.Scheme })}},
	{kind: sluice.KindRoute, fresh: fresh[sluice.Route], clone: clone[sluice.Route], columns: []column{
		col("surface", "surface", func(r *sluice.Route) any { return r.Surface }),
		col("upstream", "upstream", func(r *sluice.Route) any { return r.Upstream }),
		col("group", "group_name", func(r *sluice.Route) any { return r.Group }),
		col("status", "status", func(r *sluice.Route) any { return string(r.Status) })}},
	{kind: sluice.KindKey, fresh: fresh[sluice.Key], clone: clone[sluice.Key], columns: []column{
		col("user", "owner", func(k *sluice.Key) any { return k.User }),
		col("group", "group_name", func(k *sluice.Key) any { return k.Group }),
		col("status", "status", func(k *sluice.Key) any { return string(k.Status) }),
		col("", "token_hash", func(k *sluice.Key) any { return k.TokenHash }),
		col("", "retiring_hash", func(k *sluice.Key) any { return k.RetiringHash })},
		side: &side{"last_used_at", func(o sluice.Object, t time.Time) { o.(*sluice.Key).LastUsedAt = t }}},
}

// col makes a column of one kind; the table guarantees the object's type.
func col[T any](field, name string, value func(*T) any) column {
	return column{field, name, func(o sluice.Object) any { return value(any(o).(*T)) }}
}

// document renders what is kept of an object in its doc column: not what has
// columns of its own, and never a plaintext or a password.
func document(o sluice.Object) (string, error) {
	c := Clone(o)
	m := c.GetMeta()
	m.ID, m.Version, m.CreatedAt, m.UpdatedAt = 0, 0, time.Time{}, time.Time{}
	switch c := c.(type) {
	case *sluice.User:
		c.Password, c.LastLoginAt = "", time.Time{}
	case *sluice.Key:
		c.Token, c.LastUsedAt = "", time.Time{}
	}
	b, err := json.Marshal(c)
	return string(b), err
}

// Equal reports whether two objects of a kind would be kept as the same
// document: whether replacing one with the other changes anything.
func Equal(a, b sluice.Object) (bool, error) {
	da, err := document(a)
	if err != nil {
		return false, fmt.Errorf("render %s: %w", a.Kind(), err)
	}
	db, err := document(b)
	return da == db, err
}

// Clone returns a copy that shares slices and maps with the original.
func Clone(o sluice.Object) sluice.Object { return tableOf(o.Kind()).clone(o) }

// fresh and clone make objects of one kind; that *T is an Object holds for
// every row of the table.
func fresh[T any]() sluice.Object { return any(new(T)).(sluice.Object) }

func clone[T any](o sluice.Object) sluice.Object {
	c := *any(o).(*T)
	return any(&c).(sluice.Object)
}

// searchText is what ListQuery.Search looks in.
func searchText(m *sluice.Meta) string { return strings.ToLower(m.Name + "\n" + m.Description) }
