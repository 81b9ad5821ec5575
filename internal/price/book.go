package price

import (
	"slices"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
)

// Book is an immutable set of price versions, compiled for lookup. It is safe
// for concurrent use; a change is a new book.
type Book struct {
	versions map[uint64]*Version
	lines    map[line][]*Version // by moment, the earliest first
}

// line is what price versions follow each other in.
type line struct{ model, tenant string }

// Version is one price, compiled for computing. It is immutable.
type Version struct {
	price  sluice.Price
	rates  [sluice.UnitCount]sluice.Rate
	priced [sluice.UnitCount]bool
	// own are the units that have a rate of their own, tokens that a token has.
	own    [sluice.UnitCount]bool
	tokens bool
}

// NewBook compiles prices. A price that is invalid by itself, a version number
// used twice, and two prices of one model and tenant from the same moment are
// refused with [sluice.CodeInvalidRequest], naming the version.
func NewBook(prices []sluice.Price) (*Book, error) {
	b, faults := Compile(prices)
	if len(faults) > 0 {
		return nil, faults[0].Err
	}
	return b, nil
}

// Fault is a price that a book leaves out, and why.
type Fault struct {
	Price sluice.Price
	Err   error
}

// Compile is [NewBook] for who must go on whatever was published: it leaves out
// the prices that NewBook would refuse.
func Compile(prices []sluice.Price) (*Book, []Fault) {
	b := &Book{versions: make(map[uint64]*Version, len(prices)), lines: map[line][]*Version{}}
	var faults []Fault
	for _, p := range prices {
		if err := b.insert(p); err != nil {
			faults = append(faults, Fault{p, sluice.AsError(err).With("version", p.Version)})
		}
	}
	return b, faults
}

// insert adds a version to a book in the making.
func (b *Book) insert(p sluice.Price) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if b.versions[p.Version] != nil {
		return sluice.Errorf(sluice.CodeInvalidRequest, "price version %d is there twice", p.Version).At("/version")
	}
	l, v := line{p.Model, p.Tenant}, compile(p)
	at, taken := slices.BinarySearchFunc(b.lines[l], p.From, func(v *Version, from time.Time) int { return v.price.From.Compare(from) })
	if taken {
		return sluice.Errorf(sluice.CodeInvalidRequest, "versions %d and %d of %s hold from the same moment",
			b.lines[l][at].price.Version, p.Version, p.Model).At("/from")
	}
	b.versions[p.Version], b.lines[l] = v, slices.Insert(b.lines[l], at, v)
	return nil
}

func compile(p sluice.Price) *Version {
	v := &Version{price: p}
	for u, r := range p.Rates {
		v.rates[u], v.priced[u], v.own[u] = r, true, true
		v.tokens = v.tokens || isToken[u]
	}
	for _, c := range classes {
		if !v.priced[c.unit] && v.priced[c.base] {
			v.rates[c.unit], v.priced[c.unit] = v.rates[c.base], true
		}
	}
	return v
}

// classes are the classes of tokens with the plainer one whose rate they have
// where a price states none of their own: a provider that begins to tell cached
// from uncached tokens must not make them free.
var classes = [...]struct{ unit, base sluice.Unit }{
	{sluice.UnitCachedInput, sluice.UnitInput},
	{sluice.UnitCacheWrite5m, sluice.UnitInput},
	{sluice.UnitCacheWrite1h, sluice.UnitCacheWrite5m},
	{sluice.UnitAudioInput, sluice.UnitInput},
	{sluice.UnitImageInput, sluice.UnitInput},
	{sluice.UnitReasoning, sluice.UnitOutput},
	{sluice.UnitAudioOutput, sluice.UnitOutput},
	{sluice.UnitImageOutput, sluice.UnitOutput},
}

// Add returns a book with one more price. Besides what [NewBook] refuses, a
// price that would hold from a moment before now is [sluice.CodeConflict]: it
// would change what was already charged for.
func (b *Book) Add(p sluice.Price, now time.Time) (*Book, error) {
	if p.From.Before(now) {
		return nil, sluice.Errorf(sluice.CodeConflict, "version %d is back-dated to %s", p.Version, p.From.UTC().Format(time.RFC3339)).At("/from")
	}
	return NewBook(append(b.Prices(), p))
}

// Prices returns every price, by version.
func (b *Book) Prices() []sluice.Price {
	all := make([]sluice.Price, 0, len(b.versions))
	for _, v := range b.versions {
		all = append(all, v.price)
	}
	slices.SortFunc(all, func(x, y sluice.Price) int { return int(min(max(int64(x.Version)-int64(y.Version), -1), 1)) })
	return all
}

// At returns the version that holds for a model at a moment: the tenant's own
// if it has one by then, else everyone's. A model without a price is
// [sluice.CodeNotFound], for the caller to refuse before any cost.
func (b *Book) At(model, tenant string, at time.Time) (*Version, error) {
	if v := b.Holding(model, tenant, at); v != nil {
		return v, nil
	}
	return nil, sluice.Errorf(sluice.CodeNotFound, "model %s has no price", strings.TrimSpace(model))
}

// Holding is [Book.At] with nil for a model without a price. It does not
// allocate.
func (b *Book) Holding(model, tenant string, at time.Time) *Version {
	if v := holding(b.lines[line{model, tenant}], at); v != nil {
		return v
	}
	return holding(b.lines[line{model, ""}], at)
}

// holding returns the last version that begins at or before the moment.
func holding(versions []*Version, at time.Time) *Version {
	for _, v := range slices.Backward(versions) {
		if !v.price.From.After(at) {
			return v
		}
	}
	return nil
}

// Version returns a version by its number; ok is false for an unknown one.
func (b *Book) Version(number uint64) (v *Version, ok bool) {
	v, ok = b.versions[number]
	return v, ok
}

// Price returns what the version was compiled from; its rates are shared and
// must not be changed.
func (v *Version) Price() sluice.Price { return v.price }

// Asset is what the version's amounts are in.
func (v *Version) Asset() string { return v.price.Asset }

// Ref names the version and a group's multiplier; a multiplier of 0 is none.
func (v *Version) Ref(m sluice.Multiplier) sluice.PriceRef {
	if m == 0 {
		m = sluice.NoMultiplier
	}
	return sluice.PriceRef{Version: v.price.Version, Multiplier: m}
}
