package plugin

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluicegate/sluice"
)

// maxPlugins bounds how many plugins one object may configure.
const maxPlugins = 64

// Registry knows the plugins of a process. It is immutable and safe for
// concurrent use; gateway and control share one, so that what control accepts
// is what a gateway runs.
type Registry struct {
	specs   []Spec // by name
	byName  map[string]*Spec
	filters FilterCompiler
}

// New returns a registry of the specs. Two specs of one name, and mistakes in a
// definition, are errors.
func New(specs ...Spec) (*Registry, error) {
	r := &Registry{specs: slices.Clone(specs), byName: map[string]*Spec{}}
	slices.SortStableFunc(r.specs, func(a, b Spec) int { return strings.Compare(a.Name, b.Name) })
	for i := range r.specs {
		s := &r.specs[i]
		if s.problem != nil {
			return nil, s.problem
		}
		if s.make == nil {
			return nil, fmt.Errorf("register plugin %q: it was not made by Define", s.Name)
		}
		if r.byName[s.Name] != nil {
			return nil, fmt.Errorf("register plugin %s: the name is taken by another plugin", s.Name)
		}
		r.byName[s.Name] = s
	}
	return r, nil
}

// WithFilters returns a copy that compiles _meta.filter by f. Without it, a
// configuration that has a filter is refused.
func (r *Registry) WithFilters(f FilterCompiler) *Registry {
	c := *r
	c.filters = f
	return &c
}

// Specs returns every plugin, sorted by name.
func (r *Registry) Specs() []Spec { return slices.Clone(r.specs) }

// Lookup returns the plugin of that name.
func (r *Registry) Lookup(name string) (Spec, bool) {
	s, ok := r.byName[name]
	if !ok {
		return Spec{}, false
	}
	return *s, true
}

// Validate checks one configuration completely: schema, _meta, and what the
// plugin itself demands. The error is an *sluice.Error with
// [sluice.CodePluginConfig] whose Field points into the configuration.
func (r *Registry) Validate(name string, config json.RawMessage) error {
	s, ok := r.byName[name]
	if !ok {
		return sluice.Errorf(sluice.CodePluginConfig, "there is no plugin %q", clip(name))
	}
	p, err := s.parse(config, r.filters)
	if err != nil || p.config == nil {
		return err
	}
	made, err := s.build(p, trialEnv())
	if err != nil {
		return err
	}
	return checkPhases(name, made)
}

// ValidateAll checks the plugins member of an object. The error's Field begins
// with "/plugins/<name>".
func (r *Registry) ValidateAll(plugins map[string]json.RawMessage) error {
	if len(plugins) > maxPlugins {
		return sluice.Errorf(sluice.CodePluginConfig, "an object configures at most %d plugins", maxPlugins).At("/plugins")
	}
	for _, name := range slices.Sorted(maps.Keys(plugins)) {
		if err := r.Validate(name, plugins[name]); err != nil {
			return below(name, err)
		}
	}
	return nil
}

// below makes an error about a configuration point into the object that holds
// it, and names the plugin.
func below(name string, err error) error {
	var e *sluice.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("plugin %s: %w", name, err)
	}
	c := e.At("/plugins/" + escapePointer(name) + e.Field)
	c.Message = "plugin " + clip(name) + ": " + c.Message
	return c
}

// clip shortens what a client sent for use in a message.
func clip(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "") + "…"
	}
	return s
}
