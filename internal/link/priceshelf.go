package link

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/sluicegate/sluice"
)

// priceShelf keeps the price book. It names a price by its field: prices have no
// names.
type priceShelf struct {
	prices map[name]sluice.Price
	list   []sluice.Price
	stale  bool // list is not what prices says
}

func (s *priceShelf) decode(field, value string) (decoded, error) {
	var p sluice.Price
	err := json.Unmarshal([]byte(value), &p)
	return decoded{object{name: name{p.Tenant, field}}, p}, err
}

func (s *priceShelf) put(d decoded) { s.prices[d.name], s.stale = d.value.(sluice.Price), true }

func (s *priceShelf) drop(n name) {
	delete(s.prices, n)
	s.stale = true
}

func (s *priceShelf) fill(into *sluice.Snapshot) {
	if s.stale {
		s.list, s.stale = nil, false
		for _, p := range s.prices {
			s.list = append(s.list, p)
		}
		slices.SortFunc(s.list, func(a, b sluice.Price) int { return cmp.Compare(a.Version, b.Version) })
	}
	into.Prices = s.list
}
