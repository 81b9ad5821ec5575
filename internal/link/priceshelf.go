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

func (s *priceShelf) put(field, value string) (object, error) {
	var p sluice.Price
	if err := json.Unmarshal([]byte(value), &p); err != nil {
		return object{}, err
	}
	at := name{p.Tenant, field}
	s.prices[at], s.stale = p, true
	return object{name: at}, nil
}

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
