package sluice

import (
	"encoding/json"
	"fmt"
)

// Strategy names how a group chooses among its providers.
type Strategy string

// StrategyWeighted picks at random in proportion to weight within the lowest
// priority tier that has a healthy member.
const StrategyWeighted Strategy = "weighted"

// Group ties keys to providers: a key's group selects the providers of that
// group (feature E6).
type Group struct {
	Meta
	// Strategy chooses among the providers; empty means weighted.
	Strategy Strategy `json:"strategy,omitempty" enum:"weighted"`
	// SharedWith lists tenants whose keys may use this group; "*" is all. Only
	// groups of the platform tenant share.
	SharedWith []string `json:"shared_with,omitempty" maxItems:"1000"`
	// MaxAttempts bounds the providers tried for one request, 1 to 10; 0 means 3.
	MaxAttempts int `json:"max_attempts,omitempty" minimum:"0" maximum:"10"`
	// PriceMultiplier scales what requests cost that the group's providers
	// answer, an exact decimal up to 1000; 0 means 1. Only a platform admin
	// changes it.
	PriceMultiplier Multiplier `json:"price_multiplier,omitempty"`
	// Plugins configures plugins for the group's keys; it takes precedence over
	// the route's configuration of the same plugin.
	Plugins map[string]json.RawMessage `json:"plugins,omitempty"`
}

// Kind returns [KindGroup].
func (*Group) Kind() Kind { return KindGroup }

// Normalize implements [Object].
func (g *Group) Normalize() {
	g.Strategy = orDefault(g.Strategy, StrategyWeighted)
	g.MaxAttempts = orDefault(g.MaxAttempts, 3)
	g.PriceMultiplier = orDefault(g.PriceMultiplier, NoMultiplier)
}

// Validate implements [Object].
func (g *Group) Validate() error {
	if err := g.validate(namePattern); err != nil {
		return err
	}
	if g.Strategy != StrategyWeighted {
		return Errorf(CodeInvalidRequest, "strategy %q is unknown", clip(string(g.Strategy))).At("/strategy")
	}
	if g.MaxAttempts < 1 || g.MaxAttempts > 10 {
		return Errorf(CodeInvalidRequest, "max_attempts must be 1 to 10").At("/max_attempts")
	}
	if g.PriceMultiplier < 1 || g.PriceMultiplier > MaxMultiplier {
		return Errorf(CodeInvalidRequest, "price_multiplier must be above 0 and at most %s", MaxMultiplier).At("/price_multiplier")
	}
	if len(g.SharedWith) > 0 && g.Tenant != PlatformTenant {
		return Errorf(CodeInvalidRequest, "only groups of the platform tenant are shared").At("/shared_with")
	}
	return nil
}

// Refs implements [Object]: the tenants it is shared with.
func (g *Group) Refs() []Ref {
	refs := []Ref{{Field: "/tenant", Kind: KindTenant, Name: g.Tenant}}
	for i, t := range g.SharedWith {
		if t != "*" {
			refs = append(refs, Ref{Field: fmt.Sprintf("/shared_with/%d", i), Kind: KindTenant, Name: t})
		}
	}
	return refs
}

// Admits reports whether keys of the tenant may use the group.
func (g *Group) Admits(tenant string) bool {
	if g.Tenant == tenant {
		return true
	}
	for _, t := range g.SharedWith {
		if t == "*" || t == tenant {
			return true
		}
	}
	return false
}
