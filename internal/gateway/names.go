package gateway

import (
	"regexp"
	"strings"

	"github.com/sluicegate/sluice"
)

// names finds models by what clients call them when that is not the name of the
// catalogue: an alias, a pattern, or the name as another vendor writes it. It is
// immutable.
type names struct {
	aliases  map[ref]*sluice.Model
	patterns []namePattern
	// normal holds models by the normal form of their names, nil where two
	// models share one and neither is called so.
	normal map[ref]*sluice.Model
}

// namePattern is a pattern of one model.
type namePattern struct {
	model *sluice.Model
	text  *regexp.Regexp
}

func newNames() *names {
	return &names{aliases: map[ref]*sluice.Model{}, normal: map[ref]*sluice.Model{}}
}

// add enters a model that passed Validate. Of two models with one alias the
// first counts.
func (n *names) add(m *sluice.Model) {
	for _, alias := range m.Aliases {
		if at := (ref{m.Tenant, alias}); n.aliases[at] == nil {
			n.aliases[at] = m
		}
	}
	for _, p := range m.Patterns {
		if text, err := sluice.ModelPattern(p); err == nil {
			n.patterns = append(n.patterns, namePattern{m, text})
		}
	}
	at := ref{m.Tenant, normalName(m.Name)}
	other, taken := n.normal[at]
	switch {
	case !taken, m.Name == at.name:
		n.normal[at] = m
	case other == nil || other.Name != at.name:
		n.normal[at] = nil
	}
}

// find returns the model of a tenant, or of the platform, that a name means.
func (n *names) find(tenant, name string) *sluice.Model {
	if m := lookup(n.aliases, tenant, name); m != nil {
		return m
	}
	for _, p := range n.patterns {
		if (p.model.Tenant == tenant || p.model.Tenant == sluice.PlatformTenant) && p.text.MatchString(name) {
			return p.model
		}
	}
	return lookup(n.normal, tenant, normalName(name))
}

// datedName is a name with the date of its release at the end, as vendors write
// it, or with "latest".
var datedName = regexp.MustCompile(`[-@](latest|20\d{6}|20\d{2}-\d{2}-\d{2})$`)

// normalName is the form in which names of one model agree: without vendor,
// release date and case, with dashes alone.
func normalName(name string) string {
	name = strings.ToLower(name)
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		name = name[i+1:]
	}
	name = strings.ReplaceAll(name, "_", "-")
	return datedName.ReplaceAllString(name, "")
}
