package dialect

import (
	"slices"
	"strings"

	"github.com/sluicegate/sluice"
)

// Registry knows surfaces and dialects by name. It does not change after
// [NewRegistry] and is safe for concurrent use.
type Registry struct {
	surfaces map[string]Surface
	dialects map[string]Dialect
}

// NewRegistry returns a registry of these surfaces and dialects. The plain
// surface is always in it. A name that is given twice is a broken invariant of
// the program and panics.
func NewRegistry(surfaces []Surface, dialects []Dialect) *Registry {
	r := &Registry{surfaces: map[string]Surface{}, dialects: map[string]Dialect{}}
	for _, s := range append([]Surface{Plain{}}, surfaces...) {
		if _, twice := r.surfaces[s.Name()]; twice {
			panic("dialect: surface " + s.Name() + " is registered twice")
		}
		r.surfaces[s.Name()] = s
	}
	for _, d := range dialects {
		if _, twice := r.dialects[d.Name()]; twice {
			panic("dialect: dialect " + d.Name() + " is registered twice")
		}
		r.dialects[d.Name()] = d
	}
	return r
}

// Surface returns the surface of that name and whether it exists.
func (r *Registry) Surface(name string) (Surface, bool) {
	s, ok := r.surfaces[name]
	return s, ok
}

// Dialect returns the dialect of that name and whether it exists.
func (r *Registry) Dialect(name string) (Dialect, bool) {
	d, ok := r.dialects[name]
	return d, ok
}

// KnownSurface reports whether a route may name this surface.
func (r *Registry) KnownSurface(name string) bool {
	_, ok := r.surfaces[name]
	return ok
}

// Surfaces returns the names of all surfaces, sorted.
func (r *Registry) Surfaces() []string { return sortedNames(r.surfaces) }

// Dialects returns the names of all dialects, sorted.
func (r *Registry) Dialects() []string { return sortedNames(r.dialects) }

// CheckProvider validates what only the provider's dialect knows: its type, its
// base URL and its settings. Errors are [sluice.CodeInvalidRequest] with the
// field.
func (r *Registry) CheckProvider(p *sluice.Provider) error {
	d, ok := r.dialects[p.Type]
	if !ok {
		return sluice.Errorf(sluice.CodeInvalidRequest, "type must be one of %s", strings.Join(r.Dialects(), ", ")).At("/type")
	}
	return d.Check(p)
}

// sortedNames returns the keys of m in order.
func sortedNames[T any](m map[string]T) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
