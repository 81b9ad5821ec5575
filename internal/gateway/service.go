package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/seal"
	"github.com/sluicegate/sluice/internal/upstream"
)

// service is a set of targets that answer alike: the providers of a group, or
// the nodes of an upstream.
type service struct {
	targets []target
	set     *upstream.Set
	// attempts bounds the targets tried for one request.
	attempts int
	// plain says that any answer of a target is the answer, errors included,
	// and that a request may only be sent twice when that cannot do harm.
	plain bool
	// lasts is how long a hold for one request must last.
	lasts time.Duration
}

// target is one place that a request may be sent to.
type target struct {
	// name is what records call it.
	name     string
	dialect  dialect.Dialect
	account  dialect.Account
	outbound sluice.Outbound
	timeouts sluice.Timeouts
	weight   int
	priority int
	// identity is everything that its health depends on.
	identity string
}

// serves reports whether the target can serve the model at all.
func (t *target) serves(model string) bool {
	return t.account.Provider == nil || model == "" || t.account.Provider.Serves(model)
}

// open completes a service with the living state of its targets.
func (c *compiler) open(name string, svc *service) *service {
	list := make([]upstream.Target, len(svc.targets))
	for i, t := range svc.targets {
		list[i] = upstream.Target{Key: t.identity, Weight: t.weight, Priority: t.priority}
	}
	svc.set, svc.lasts = c.g.pool.Open(name, list), svc.longest()
	c.out.services = append(c.out.services, svc)
	return svc
}

// groupState is a group with what serves it.
type groupState struct {
	*sluice.Group
	service *service
	// problem, when set, refuses every request that needs the group.
	problem error
}

func (c *compiler) addGroups() {
	for i := range c.snap.Groups {
		group, err := check(&c.snap.Groups[i])
		if err == nil {
			err = c.g.cfg.Plugins.ValidateAll(group.Plugins)
		}
		if err != nil {
			c.disable(group, err)
		}
		c.out.groups[ref{group.Tenant, group.Name}] = &groupState{Group: group, problem: err, service: &service{attempts: max(group.MaxAttempts, 1)}}
	}
	for i := range c.snap.Providers {
		c.addProvider(&c.snap.Providers[i])
	}
	for _, g := range c.out.groups {
		c.open("groups/"+g.Tenant+"/"+g.Name, g.service)
	}
}

// addProvider makes a provider a member of its group. A broken or disabled one
// stays in with no weight, so that "nobody serves this model" and "nobody who
// serves it is well" remain different answers.
func (c *compiler) addProvider(raw *sluice.Provider) {
	p, err := check(raw)
	var t target
	if err == nil {
		t, err = c.providerTarget(p)
	}
	// A provider joins a group of its own tenant only: a tenant must not place
	// itself among the providers that everyone uses.
	group := c.out.groups[ref{p.Tenant, p.Group}]
	if err == nil && group == nil {
		err = sluice.Errorf(sluice.CodeInvalidRequest, "the tenant has no group %q", p.Group).At("/group")
	}
	if err != nil {
		c.disable(p, err)
	}
	if group == nil {
		return
	}
	if err != nil || p.Status == sluice.StatusDisabled || c.disabled[p.Tenant] {
		t = target{name: p.Name, account: dialect.Account{Provider: p}}
	}
	group.service.targets = append(group.service.targets, t)
}

// providerTarget opens a provider's credential and finds its dialect.
func (c *compiler) providerTarget(p *sluice.Provider) (target, error) {
	d, ok := c.g.cfg.Dialects.Dialect(p.Type)
	if !ok {
		return target{}, sluice.Errorf(sluice.CodeInvalidRequest, "type %q is unknown to this gateway", p.Type).At("/type")
	}
	secret, err := c.g.openSecret(p)
	if err != nil {
		return target{}, err
	}
	opened := *p
	opened.APIKey = secret
	if err := d.Check(&opened); err != nil {
		return target{}, err
	}
	opened.APIKey = "" // the account carries it, and nothing else may
	account := dialect.Account{Provider: &opened, APIKey: secret}
	if preparer, ok := d.(dialect.Preparer); ok {
		if account.Plan, err = preparer.Prepare(account); err != nil {
			return target{}, err
		}
	}
	return target{
		name: p.Name, dialect: d, account: account,
		outbound: c.g.outboundFor(p.Tenant), timeouts: orTimeouts(p.Timeouts, c.g.cfg.Timeouts),
		weight: p.Weight, priority: p.Priority, identity: identityOf(p.Type, p.BaseURL, secret, p.Name),
	}, nil
}

// openSecret returns the plaintext of a provider's credential.
func (g *Gateway) openSecret(p *sluice.Provider) (string, error) {
	if !seal.Sealed(p.APIKey) {
		return p.APIKey, nil
	}
	if g.cfg.Keyring == nil {
		return "", sluice.Errorf(sluice.CodeMasterKey, "this gateway has no master key to open api_key with").At("/api_key")
	}
	secret, err := g.cfg.Keyring.Open(seal.ProviderKey(p.Tenant, p.Name), p.APIKey)
	if err != nil {
		return "", sluice.Errorf(sluice.CodeMasterKey, "api_key cannot be opened").At("/api_key").Because(err)
	}
	return secret, nil
}

// outboundFor chooses who dials the addresses of a tenant.
func (g *Gateway) outboundFor(tenant string) sluice.Outbound {
	if tenant == sluice.PlatformTenant {
		return g.cfg.Outbound
	}
	return g.cfg.TenantOutbound
}

// identityOf hashes the parts, because a credential is among them.
func identityOf(parts ...string) string {
	b, err := json.Marshal(parts)
	if err != nil {
		panic("gateway: strings must marshal: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12])
}

// upstreamService makes a service of an upstream's nodes.
func (c *compiler) upstreamService(raw *sluice.Upstream) (*service, error) {
	copied := *raw
	copied.Nodes = slices.Clone(raw.Nodes) // Normalize writes into them
	u, err := check(&copied)
	if err != nil {
		return nil, err
	}
	svc := &service{plain: true, attempts: *u.Retries + 1}
	for _, n := range u.Nodes {
		addr := net.JoinHostPort(n.Host, strconv.Itoa(n.Port))
		svc.targets = append(svc.targets, target{
			name: addr, dialect: plainDialect{upstream: u, addr: addr},
			outbound: c.g.outboundFor(u.Tenant), timeouts: orTimeouts(u.Timeouts, c.g.cfg.Timeouts),
			weight: *n.Weight, priority: n.Priority, identity: identityOf(u.Scheme, addr),
		})
	}
	return c.open(fmt.Sprintf("upstreams/%s/%s", u.Tenant, u.Name), svc), nil
}
