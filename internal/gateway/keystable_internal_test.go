package gateway

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/plugin"
)

// A key that was deleted or rotated must not live on in what one state takes over
// from another: after any changes the table is that of the list made anew.
func TestChangedTableIsThatMadeAnew(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 2))
	rules := newKeyRules(&sluice.Snapshot{Tenants: []sluice.Tenant{{Meta: sluice.Meta{Name: "acme"}}}}, new(plugin.Registry))
	id := uint64(0)
	newKey := func(name string) *sluice.Key {
		id++
		k := &sluice.Key{Meta: sluice.Meta{ID: id, Tenant: "acme", Name: name}, TokenHash: sluice.HashToken(fmt.Sprint(id))}
		if random.IntN(3) == 0 {
			k.RetiringHash, k.RetiringUntil = sluice.HashToken(fmt.Sprint("old", id)), time.Unix(9e9, 0)
		}
		return k
	}
	list := []*sluice.Key{}
	table := new(keyTable).changed(rules, nil, list)
	for step := range 300 {
		next := slices.Clone(list)
		for range random.IntN(6) {
			name := fmt.Sprintf("k%02d", random.IntN(40))
			i, found := slices.BinarySearchFunc(next, name, func(k *sluice.Key, n string) int { return strings.Compare(k.Name, n) })
			switch {
			case !found:
				next = slices.Insert(next, i, newKey(name))
			case random.IntN(2) == 0:
				next = slices.Delete(next, i, i+1)
			default:
				next[i] = newKey(name)
			}
		}
		if step%50 == 49 { // a list that is not sorted costs more, and no key
			random.Shuffle(len(next), func(i, j int) { next[i], next[j] = next[j], next[i] })
		}
		before := flat(table)
		after := table.changed(rules, list, next)
		if got, want := flat(after), flat(new(keyTable).changed(rules, nil, next)); !reflect.DeepEqual(got, want) {
			t.Fatalf("step %d: %d entries, want %d", step, len(got), len(want))
		}
		if !reflect.DeepEqual(flat(table), before) {
			t.Fatalf("step %d changed the table of a state that is being served", step)
		}
		slices.SortFunc(next, func(a, b *sluice.Key) int { return strings.Compare(a.Name, b.Name) })
		list, table = next, new(keyTable).changed(rules, nil, next)
		if step%2 == 0 {
			table = after
		}
	}
}

// flat is what a table says of every hash, and which keys it counts.
func flat(t *keyTable) map[any]string {
	out := map[any]string{}
	for _, shard := range t.byHash {
		for h, e := range shard {
			out[h] = fmt.Sprintf("%p %v", e.consumer.Key, e.until)
		}
	}
	for _, shard := range t.byHash {
		for _, e := range shard {
			out[e.consumer.Key] = fmt.Sprint("counted for ", t.useOf(e.consumer.Key).id, " as ", e.consumer.Bucket)
		}
	}
	return out
}
