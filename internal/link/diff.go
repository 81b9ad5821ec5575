package link

import (
	"slices"

	"github.com/sluicegate/sluice"
)

// op is one change of one field; an op without a value deletes.
type op struct {
	hash int // index into hashes
	entry
	deleted bool
	// key is the key that was set in config:keys or, when it is known, deleted
	// there, for auth:token and auth:retiring; nil elsewhere.
	key *sluice.Key
}

// content is what a snapshot looks like in Redis: only its digests are kept,
// entries are made when they are needed.
type content struct {
	snapshot *sluice.Snapshot
	digests  [len(hashes)]digest
}

// fields describes one published hash that holds managed objects.
type fields struct {
	// each calls visit with every entry of the hash until it fails.
	each func(s *sluice.Snapshot, visit func(entry, *sluice.Key) error) error
	// changed calls visit with every entry of objects that differ: with those of
	// before (old) first, with those of after then.
	changed func(before, after *sluice.Snapshot, visit func(e entry, old bool, k *sluice.Key)) error
}

// table lists how the published hashes are made, in the order of hashes.
func (c encoder) table() [len(hashes)]fields {
	return [...]fields{
		objects(func(s *sluice.Snapshot) []*sluice.Provider { return pointers(s.Providers) }, c.provider),
		objects(func(s *sluice.Snapshot) []*sluice.Key { return s.Keys }, c.key),
		objects(func(s *sluice.Snapshot) []*sluice.Model { return pointers(s.Models) }, c.model),
		objects(func(s *sluice.Snapshot) []*sluice.Route { return pointers(s.Routes) }, c.route),
		objects(func(s *sluice.Snapshot) []*sluice.Upstream { return pointers(s.Upstreams) }, c.upstream),
		objects(func(s *sluice.Snapshot) []*sluice.Group { return pointers(s.Groups) }, c.group),
		objects(func(s *sluice.Snapshot) []*sluice.Tenant { return pointers(s.Tenants) }, c.tenant),
		c.metaFields(),
		c.priceFields(),
	}
}

// pointers lists objects by where they are.
func pointers[T any](list []T) []*T {
	out := make([]*T, len(list))
	for i := range list {
		out[i] = &list[i]
	}
	return out
}

// reference is a pointer to a managed object.
type reference interface {
	comparable
	sluice.Object
}

// objects makes the fields of a list of managed objects.
func objects[P reference](list func(*sluice.Snapshot) []P, encode func(P) (entry, error)) fields {
	visitAll := func(all []P, visit func(entry, *sluice.Key) error) error {
		for _, o := range all {
			e, err := encode(o)
			if err != nil {
				return err
			}
			if e.field == "" {
				continue // a key without a token cannot be used, nor published
			}
			key, _ := any(o).(*sluice.Key)
			if err := visit(e, key); err != nil {
				return err
			}
		}
		return nil
	}
	return fields{
		each: func(s *sluice.Snapshot, visit func(entry, *sluice.Key) error) error { return visitAll(list(s), visit) },
		changed: func(before, after *sluice.Snapshot, visit func(entry, bool, *sluice.Key)) error {
			was, is := differing(list(before), list(after))
			if err := visitAll(was, func(e entry, k *sluice.Key) error { visit(e, true, k); return nil }); err != nil {
				return err
			}
			return visitAll(is, func(e entry, k *sluice.Key) error { visit(e, false, k); return nil })
		},
	}
}

// metaFields makes the fields of config:meta; they are few, so all of them
// count as changed.
func (c encoder) metaFields() fields {
	each := func(s *sluice.Snapshot, visit func(entry, *sluice.Key) error) error {
		list, err := c.meta(s)
		for i := 0; i < len(list) && err == nil; i++ {
			err = visit(list[i], nil)
		}
		return err
	}
	return fields{each: each, changed: func(before, after *sluice.Snapshot, visit func(entry, bool, *sluice.Key)) error {
		if err := each(before, func(e entry, _ *sluice.Key) error { visit(e, true, nil); return nil }); err != nil {
			return err
		}
		return each(after, func(e entry, _ *sluice.Key) error { visit(e, false, nil); return nil })
	}}
}

// priceFields makes the fields of the price book. The store hands over the same
// list while no price is made; when one is, all of them count as changed.
func (c encoder) priceFields() fields {
	each := func(list []sluice.Price, visit func(entry) error) error {
		for i := range list {
			e, err := c.price(&list[i])
			if err == nil {
				err = visit(e)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return fields{
		each: func(s *sluice.Snapshot, visit func(entry, *sluice.Key) error) error {
			return each(s.Prices, func(e entry) error { return visit(e, nil) })
		},
		changed: func(before, after *sluice.Snapshot, visit func(entry, bool, *sluice.Key)) error {
			was, is := before.Prices, after.Prices
			if len(was) == len(is) && (len(is) == 0 || &was[0] == &is[0]) {
				return nil
			}
			if err := each(was, func(e entry) error { visit(e, true, nil); return nil }); err != nil {
				return err
			}
			return each(is, func(e entry) error { visit(e, false, nil); return nil })
		},
	}
}

// differing cuts off what two lists have in common at both ends and returns the
// rest of each without their common objects. Lists are sorted alike, so a small
// change leaves a small rest of a large list.
func differing[P reference](before, after []P) (was, is []P) {
	for len(before) > 0 && len(after) > 0 && same(before[0], after[0]) {
		before, after = before[1:], after[1:]
	}
	for len(before) > 0 && len(after) > 0 && same(before[len(before)-1], after[len(after)-1]) {
		before, after = before[:len(before)-1], after[:len(after)-1]
	}
	known := make(map[uint64]P, len(before))
	for _, o := range before {
		known[o.GetMeta().ID] = o
	}
	common := map[uint64]bool{}
	for _, o := range after {
		id := o.GetMeta().ID
		if old, ok := known[id]; ok && same(old, o) {
			common[id] = true
		}
	}
	unchanged := func(o P) bool { return common[o.GetMeta().ID] }
	return slices.DeleteFunc(slices.Clone(before), unchanged), slices.DeleteFunc(slices.Clone(after), unchanged)
}

// same reports whether two objects are the same write of the same object. The
// version counts writes, so nothing else needs to be compared; a key's balance
// moves without one. What the store did not read anew is the same pointer.
func same[P reference](a, b P) bool {
	if a == b {
		return true
	}
	x, y := a.GetMeta(), b.GetMeta()
	if x.ID != y.ID || x.Version != y.Version || x.ID == 0 {
		return false
	}
	if k, ok := any(a).(*sluice.Key); ok {
		return k.Balance == any(b).(*sluice.Key).Balance
	}
	return true
}

// contentOf reads a whole snapshot.
func (c encoder) contentOf(s *sluice.Snapshot) (content, error) {
	out := content{snapshot: s}
	for i, f := range c.table() {
		if err := f.each(s, func(e entry, _ *sluice.Key) error { out.digests[i].add(e); return nil }); err != nil {
			return content{}, err
		}
	}
	return out, nil
}

// change computes the ops that turn one content into that of the next snapshot,
// and what it is then.
func (c encoder) change(from content, next *sluice.Snapshot) ([]op, content, error) {
	to := content{snapshot: next, digests: from.digests}
	var ops []op
	for i, f := range c.table() {
		old, was := map[string]string{}, map[string]*sluice.Key{}
		d := &to.digests[i]
		err := f.changed(from.snapshot, next, func(e entry, gone bool, k *sluice.Key) {
			if gone {
				old[e.field], was[e.field] = e.value, k
				d.remove(e)
				return
			}
			d.add(e)
			value, known := old[e.field]
			delete(old, e.field)
			if !known || value != e.value {
				ops = append(ops, op{hash: i, entry: e, key: k})
			}
		})
		if err != nil {
			return nil, content{}, err
		}
		for field := range old {
			ops = append(ops, op{hash: i, entry: entry{field: field}, deleted: true, key: was[field]})
		}
	}
	return ops, to, nil
}

// touch adds ops for fields that others touched meanwhile, so that they get the
// state of the snapshot even when it did not change them itself.
func (c encoder) touch(ops []op, s *sluice.Snapshot, touched [len(hashes)]map[string]bool) ([]op, error) {
	for _, o := range ops {
		delete(touched[o.hash], o.field)
	}
	for i, f := range c.table() {
		if len(touched[i]) == 0 {
			continue
		}
		err := f.each(s, func(e entry, k *sluice.Key) error {
			if touched[i][e.field] {
				delete(touched[i], e.field)
				ops = append(ops, op{hash: i, entry: e, key: k})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		for field := range touched[i] {
			ops = append(ops, op{hash: i, entry: entry{field: field}, deleted: true})
		}
	}
	return ops, nil
}
