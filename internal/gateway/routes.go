package gateway

import (
	"fmt"
	"sync"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/route"
	"github.com/sluicegate/sluice/plugin"
)

// maxChains bounds the chains that one route keeps for consumers with plugins of
// their own; beyond it they are compiled again.
const maxChains = 1000

// routeState is a route with what it takes to serve it.
type routeState struct {
	*sluice.Route
	surface dialect.Surface
	meters  *surfaceMetrics
	// chain is compiled from the global and the route's own plugins.
	chain *plugin.Chain
	// service is the upstream's; nil when groups provide the targets.
	service *service
	// problem, when set, refuses every request. The route stays in the index: if
	// it were left out, requests would fall to a route with other rules.
	problem error

	mu sync.Mutex
	// merged holds the chains of consumers who bring plugins.
	merged map[consumerKey]*plugin.Chain
}

// consumerKey is what a merged chain depends on; nil parts bring no plugins.
type consumerKey struct {
	group *groupState
	key   *sluice.Key
}

func (c *compiler) addRoutes() {
	upstreams := c.upstreamServices()
	old := c.oldRoutes()
	var indexed []*sluice.Route
	for i := range c.snap.Routes {
		r, err := check(&c.snap.Routes[i])
		if c.disabled[r.Tenant] {
			continue
		}
		rs := &routeState{Route: r}
		if err == nil {
			err = c.fillRoute(rs, upstreams, old[r.ID])
		}
		if err != nil {
			c.disable(r, err)
			rs.problem = sluice.Errorf(sluice.CodeUnavailable, "the route is misconfigured").Because(err)
		}
		if rs.surface == nil {
			rs.surface = dialect.Plain{}
		}
		rs.meters = c.g.metrics.surface(rs.surface.Name())
		if len(r.Paths) > 0 {
			indexed = append(indexed, r)
			c.out.routes[r] = rs
		}
	}
	c.out.index = route.New(indexed)
}

// oldRoutes indexes the routes of the state before by id.
func (c *compiler) oldRoutes() map[uint64]*routeState {
	if c.old == nil {
		return nil
	}
	byID := make(map[uint64]*routeState, len(c.old.routes))
	for _, rs := range c.old.routes {
		byID[rs.ID] = rs
	}
	return byID
}

// fillRoute finds the route's surface and targets and compiles its chain.
func (c *compiler) fillRoute(rs *routeState, upstreams map[ref]*service, old *routeState) error {
	var ok bool
	if rs.surface, ok = c.g.cfg.Dialects.Surface(rs.Surface); !ok {
		return sluice.Errorf(sluice.CodeInvalidRequest, "surface %q is unknown to this gateway", rs.Surface).At("/surface")
	}
	if rs.Upstream != "" {
		if rs.service = lookup(upstreams, rs.Tenant, rs.Upstream); rs.service == nil {
			return sluice.Errorf(sluice.CodeInvalidRequest, "upstream %q is missing or misconfigured", rs.Upstream).At("/upstream")
		}
	}
	if rs.Group != "" && lookup(c.out.groups, rs.Tenant, rs.Group) == nil {
		return sluice.Errorf(sluice.CodeInvalidRequest, "group %q is missing", rs.Group).At("/group")
	}
	reuse := []*plugin.Chain{c.sample}
	if old != nil {
		reuse = append(reuse, old.chain)
	}
	chain, err := c.g.cfg.Plugins.Compile(c.env, reuse, c.layers(rs)...)
	if err != nil {
		return err
	}
	rs.chain, c.sample = chain, chain
	return nil
}

// layers are the plugins of a route before a consumer is known.
func (c *compiler) layers(rs *routeState) []plugin.Layer {
	return routeLayers(c.snap, rs.Route)
}

func routeLayers(s *sluice.Snapshot, r *sluice.Route) []plugin.Layer {
	return []plugin.Layer{
		{Level: plugin.LevelGlobal, Owner: "global", Plugins: s.GlobalPlugins},
		{Level: plugin.LevelRoute, Owner: fmt.Sprintf("routes/%d", r.ID), Plugins: r.Plugins},
	}
}

// upstreamServices opens every upstream that can serve.
func (c *compiler) upstreamServices() map[ref]*service {
	services := make(map[ref]*service, len(c.snap.Upstreams))
	for i := range c.snap.Upstreams {
		u := &c.snap.Upstreams[i]
		svc, err := c.upstreamService(u)
		if err != nil {
			c.disable(u, err)
			continue
		}
		services[ref{u.Tenant, u.Name}] = svc
	}
	return services
}

// lookup finds an object by the rule of references: in the tenant that refers
// to it, then in the platform's.
func lookup[T any](objects map[ref]*T, tenant, name string) *T {
	if o := objects[ref{tenant, name}]; o != nil {
		return o
	}
	return objects[ref{sluice.PlatformTenant, name}]
}

// chainFor returns the chain of this route for a consumer. Chains are compiled
// when they are first needed, because most pairs never meet.
func (rs *routeState) chainFor(g *Gateway, st *state, consumer plugin.Consumer, group *groupState) (*plugin.Chain, error) {
	want := consumerKey{}
	if group != nil && len(group.Plugins) > 0 {
		want.group = group
	}
	if consumer.Key != nil && len(consumer.Key.Plugins) > 0 {
		want.key = consumer.Key
	}
	if want == (consumerKey{}) {
		return rs.chain, nil
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if chain := rs.merged[want]; chain != nil {
		return chain, nil
	}
	layers := routeLayers(st.snapshot, rs.Route)
	if want.group != nil {
		layers = append(layers, plugin.Layer{Level: plugin.LevelGroup, Owner: fmt.Sprintf("groups/%d", group.ID), Plugins: group.Plugins})
	}
	if want.key != nil {
		layers = append(layers, plugin.Layer{Level: plugin.LevelConsumer, Owner: fmt.Sprintf("keys/%d", want.key.ID), Plugins: want.key.Plugins})
	}
	chain, err := g.cfg.Plugins.Compile(plugin.Env{Log: g.cfg.Log, Now: g.cfg.Now}, []*plugin.Chain{rs.chain}, layers...)
	if err != nil {
		return nil, sluice.Errorf(sluice.CodeUnavailable, "the plugins of this consumer are misconfigured").Because(err)
	}
	if len(rs.merged) >= maxChains || rs.merged == nil {
		rs.merged = make(map[consumerKey]*plugin.Chain)
	}
	rs.merged[want] = chain
	return chain, nil
}
