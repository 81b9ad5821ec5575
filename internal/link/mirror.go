package link

import (
	"cmp"
	"encoding/json"
	"slices"
	"sort"
	"strings"
	"unique"

	"github.com/sluicegate/sluice"
)

// name identifies a managed object within its kind.
type name struct{ tenant, name string }

func compareNames(a, b name) int {
	return cmp.Or(strings.Compare(a.tenant, b.tenant), strings.Compare(a.name, b.name))
}

// held is what a mirror remembers of one field: enough to take it away again.
type held struct {
	sum uint64
	object
}

// object says what a field holds: the object's name, or that it could not be
// decoded.
type object struct {
	name
	faulty bool
}

// decoded is what a field holds as the shelf of its hash keeps it.
type decoded struct {
	object
	value any
}

// shelf keeps the objects of one hash decoded.
type shelf interface {
	// decode reads a value and changes nothing; any goroutine may call it.
	decode(field, value string) (decoded, error)
	// put takes an object over; drop takes one away. Neither shows before fill.
	put(decoded)
	drop(name)
	// fill brings the list up to date and hands it to the snapshot. Lists that
	// were handed over are never changed.
	fill(*sluice.Snapshot)
}

// mirror is a gateway's copy of the published hashes. It is not safe for
// concurrent use.
type mirror struct {
	rev     uint64
	fields  [len(hashes)]map[string]held
	digests [len(hashes)]digest
	shelves [len(hashes)]shelf
	faults  map[entry]sluice.Condition // by hash and field

	// partial says that there are too many keys to hold: keys then is what a
	// cache must know of them since the last time.
	partial bool
	keys    cacheUpdate
}

func newMirror() *mirror {
	m := &mirror{faults: map[entry]sluice.Condition{}, shelves: [...]shelf{ // in the order of hashes
		&objectShelf[sluice.Provider, *sluice.Provider]{into: values(func(s *sluice.Snapshot, l []sluice.Provider) { s.Providers = l })},
		newKeyShelf(),
		&objectShelf[sluice.Model, *sluice.Model]{read: func(_ string, value []byte, m *sluice.Model) error { return readModel(value, m) }, into: values(func(s *sluice.Snapshot, l []sluice.Model) { s.Models = l })},
		&objectShelf[sluice.Route, *sluice.Route]{into: values(func(s *sluice.Snapshot, l []sluice.Route) { s.Routes = l })},
		&objectShelf[sluice.Upstream, *sluice.Upstream]{into: values(func(s *sluice.Snapshot, l []sluice.Upstream) { s.Upstreams = l })},
		&objectShelf[sluice.Group, *sluice.Group]{into: values(func(s *sluice.Snapshot, l []sluice.Group) { s.Groups = l })},
		&objectShelf[sluice.Tenant, *sluice.Tenant]{into: values(func(s *sluice.Snapshot, l []sluice.Tenant) { s.Tenants = l })},
		&metaShelf{users: map[name]sluice.UserRef{}},
		&priceShelf{prices: map[name]sluice.Price{}},
	}}
	for i := range m.fields {
		m.fields[i] = map[string]held{}
	}
	return m
}

func newKeyShelf() shelf {
	return &objectShelf[sluice.Key, *sluice.Key]{read: readKey, into: func(s *sluice.Snapshot, l []*sluice.Key) { s.Keys = l }}
}

// readKey reads a key. There are many of them, and most of what they say they
// say alike: they share it.
func readKey(field string, value []byte, k *sluice.Key) error {
	if err := json.Unmarshal(value, k); err != nil {
		return err
	}
	if k.TokenHash == field {
		k.TokenHash = field // one text instead of two
	}
	for _, text := range []*string{&k.Tenant, &k.User, &k.Group, &k.Wallet, (*string)(&k.Status)} {
		*text = unique.Make(*text).Value()
	}
	return nil
}

// leaveKeys stops holding the keys, and hands those that it has to the cache.
func (m *mirror) leaveKeys() {
	var all sluice.Snapshot
	m.shelves[keysHash].fill(&all)
	m.keys = cacheUpdate{fill: true, whole: true}
	for _, k := range all.Keys {
		if hash, ok := parseTokenHash(k.TokenHash); ok {
			m.keys.list = append(m.keys.list, keyChange{hash, k})
		}
	}
	for field, h := range m.fields[keysHash] {
		if h.faulty {
			delete(m.faults, entry{hashKeys, field})
		}
	}
	m.partial, m.shelves[keysHash], m.fields[keysHash] = true, newKeyShelf(), nil
}

// noteKey keeps what became of a key for the cache. One that does not decode is
// gone from it; who asks for it learns why.
func (m *mirror) noteKey(field, value string, gone bool) {
	hash, ok := parseTokenHash(field)
	if !ok {
		return
	}
	change := keyChange{hash: hash}
	if !gone {
		key := new(sluice.Key)
		if json.Unmarshal([]byte(value), key) == nil {
			change.key = key
		}
	}
	m.keys.list = append(m.keys.list, change)
}

// agrees reports whether the mirror holds what a manifest says.
func (m *mirror) agrees(with manifest) bool { return with.mismatch(m.digests) == "" }

// reading is a field that was read and decoded, and not yet taken over.
type reading struct {
	entry
	sum uint64
	decoded
	err error
}

// read decodes a field; any goroutine may do so.
func (m *mirror) read(hash int, e entry) reading {
	d, err := m.shelves[hash].decode(e.field, e.value)
	return reading{e, e.sum(), d, err}
}

// set takes over one field. A value that does not decode disables its object
// and nothing else.
func (m *mirror) set(hash int, r reading) {
	m.remove(hash, r.field)
	o := r.object
	if r.err == nil {
		m.shelves[hash].put(r.decoded)
	} else {
		m.faults[entry{hashes[hash], r.field}] = sluice.Condition{
			Kind: kindOf(hash), Tenant: o.tenant, Name: cmp.Or(o.name.name, r.field), Problem: "the published object cannot be read: " + r.err.Error(),
		}
		o.faulty = true
	}
	m.fields[hash][r.field] = held{r.sum, o}
	m.digests[hash].count++
	m.digests[hash].sum += r.sum
}

// remove takes one field away; an unknown one is not there already.
func (m *mirror) remove(hash int, field string) {
	old, known := m.fields[hash][field]
	if !known {
		return
	}
	if old.faulty {
		delete(m.faults, entry{hashes[hash], field})
	} else {
		m.shelves[hash].drop(old.name)
	}
	delete(m.fields[hash], field)
	m.digests[hash].count--
	m.digests[hash].sum -= old.sum
}

// apply takes over what changed. Removals come first, because a rotated key
// leaves one field and appears in another under the same name.
func (m *mirror) apply(v view) {
	for i, h := range hashes {
		if i == keysHash && m.partial {
			m.applyKeys(v)
			continue
		}
		for _, f := range v.fields {
			if f.hash == h {
				m.remove(i, f.field)
			}
		}
		for _, f := range v.fields {
			if f.hash == h && !f.deleted {
				m.set(i, m.read(i, f.entry))
			}
		}
	}
	m.rev = v.manifest.rev
}

// applyKeys notes changes of keys that the mirror does not hold; their digest is
// what the manifest says.
func (m *mirror) applyKeys(v view) {
	for _, f := range v.fields {
		if f.hash == hashKeys {
			m.noteKey(f.field, f.value, f.deleted)
		}
	}
	m.digests[keysHash] = v.manifest.digests[keysHash]
}

// snapshot returns what the mirror holds now.
func (m *mirror) snapshot() *sluice.Snapshot {
	s := &sluice.Snapshot{Schema: sluice.SnapshotSchema, Revision: m.rev, MoreKeys: m.partial}
	for _, shelf := range m.shelves {
		shelf.fill(s)
	}
	return s
}

// conditions lists the objects that could not be decoded.
func (m *mirror) conditions() []sluice.Condition {
	list := make([]sluice.Condition, 0, len(m.faults))
	for _, c := range m.faults {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b sluice.Condition) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Tenant, b.Tenant), strings.Compare(a.Name, b.Name))
	})
	return list
}

// kindOf is the kind of object that a hash holds.
func kindOf(hash int) sluice.Kind {
	_, kind, _ := strings.Cut(hashes[hash], ":")
	return sluice.Kind(kind)
}

// objectShelf keeps a sorted list of managed objects. Changes are gathered and
// merged into a new list at once, so a change costs one copy of the list.
type objectShelf[T any, P interface {
	*T
	sluice.Object
}] struct {
	into    func(*sluice.Snapshot, []*T)
	read    func(field string, value []byte, o *T) error // nil reads the object's own JSON
	list    []*T
	added   []*T
	dropped []name
}

// values hands a list on to a snapshot that holds the objects themselves; an
// unchanged list is handed on as it is.
func values[T any](into func(*sluice.Snapshot, []T)) func(*sluice.Snapshot, []*T) {
	var from []*T
	var list []T
	return func(s *sluice.Snapshot, objects []*T) {
		if list == nil || len(from) != len(objects) || len(from) > 0 && &from[0] != &objects[0] {
			from, list = objects, make([]T, 0, len(objects))
			for _, o := range objects {
				list = append(list, *o)
			}
		}
		into(s, list)
	}
}

func (s *objectShelf[T, P]) decode(field, value string) (decoded, error) {
	o := new(T)
	var err error
	if s.read != nil {
		err = s.read(field, []byte(value), o)
	} else {
		err = json.Unmarshal([]byte(value), o)
	}
	return decoded{object{name: nameOf(P(o))}, o}, err
}

func (s *objectShelf[T, P]) put(d decoded) { s.added = append(s.added, d.value.(*T)) }

// drop takes an object away that put has brought before or in this round.
func (s *objectShelf[T, P]) drop(n name) {
	if i := slices.IndexFunc(s.added, func(o *T) bool { return nameOf(P(o)) == n }); i >= 0 {
		s.added = slices.Delete(s.added, i, i+1)
		return
	}
	s.dropped = append(s.dropped, n)
}

func (s *objectShelf[T, P]) fill(into *sluice.Snapshot) {
	if len(s.added)+len(s.dropped) > 0 || s.list == nil {
		slices.SortFunc(s.added, func(a, b *T) int { return compareNames(nameOf(P(a)), nameOf(P(b))) })
		slices.SortFunc(s.dropped, compareNames)
		s.list = s.merge()
		s.added, s.dropped = nil, nil
	}
	s.into(into, s.list)
}

// merge copies the list without what was dropped and with what was added: whole
// stretches at a time.
func (s *objectShelf[T, P]) merge() []*T {
	out := make([]*T, 0, max(0, len(s.list)-len(s.dropped))+len(s.added))
	rest, added, dropped := s.list, s.added, s.dropped
	for len(added) > 0 || len(dropped) > 0 {
		drop := len(dropped) > 0 && (len(added) == 0 || compareNames(dropped[0], nameOf(P(added[0]))) <= 0)
		var at name
		if drop {
			at = dropped[0]
		} else {
			at = nameOf(P(added[0]))
		}
		i := sort.Search(len(rest), func(i int) bool { return compareNames(nameOf(P(rest[i])), at) >= 0 })
		found := i < len(rest) && nameOf(P(rest[i])) == at
		out, rest = append(out, rest[:i]...), rest[i:]
		if !drop {
			out, added = append(out, added[0]), added[1:]
			continue
		}
		if found {
			rest = rest[1:]
		}
		dropped = dropped[1:]
	}
	return append(out, rest...)
}

func nameOf(o sluice.Object) name {
	m := o.GetMeta()
	return name{m.Tenant, m.Name}
}

// metaShelf keeps what is no managed object.
type metaShelf struct {
	plugins map[string]json.RawMessage
	users   map[name]sluice.UserRef
}

// pluginsName stands for the global plugins among the names of users, which are
// never empty.
var pluginsName = name{}

func (s *metaShelf) decode(field, value string) (decoded, error) {
	if field == fieldPlugins {
		var plugins map[string]json.RawMessage
		err := json.Unmarshal([]byte(value), &plugins)
		return decoded{object{name: pluginsName}, plugins}, err
	}
	if !strings.HasPrefix(field, fieldUser) {
		return decoded{object{name: name{"?", field}}, nil}, nil // of a newer control: not ours to read
	}
	var u sluice.UserRef
	err := json.Unmarshal([]byte(value), &u)
	return decoded{object{name: name{u.Tenant, u.Name}}, u}, err
}

func (s *metaShelf) put(d decoded) {
	switch v := d.value.(type) {
	case map[string]json.RawMessage:
		s.plugins = v
	case sluice.UserRef:
		s.users[d.name] = v
	}
}

func (s *metaShelf) drop(n name) {
	if n == pluginsName {
		s.plugins = nil
		return
	}
	delete(s.users, n)
}

func (s *metaShelf) fill(into *sluice.Snapshot) {
	into.GlobalPlugins = s.plugins
	into.DisabledUsers = make([]sluice.UserRef, 0, len(s.users))
	for _, u := range s.users {
		into.DisabledUsers = append(into.DisabledUsers, u)
	}
	slices.SortFunc(into.DisabledUsers, func(a, b sluice.UserRef) int {
		return cmp.Or(strings.Compare(a.Tenant, b.Tenant), strings.Compare(a.Name, b.Name))
	})
}
