package app

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/client"
)

// cliKind is what the command line needs to know of one kind of object.
type cliKind[T any] struct {
	kind            sluice.Kind
	singular, short string
	of              func(*client.Client) client.Collection[T]
	columns         []column[T]
}

// column is one column of a table.
type column[T any] struct {
	head string
	cell func(*T) string
}

var (
	tenantsCLI = cliKind[sluice.Tenant]{sluice.KindTenant, "tenant", "customers of the installation", (*client.Client).Tenants, []column[sluice.Tenant]{
		{"NAME", func(t *sluice.Tenant) string { return t.Name }},
		{"STATUS", func(t *sluice.Tenant) string { return string(t.Status) }},
		{"DESCRIPTION", func(t *sluice.Tenant) string { return t.Description }}}}

	usersCLI = cliKind[sluice.User]{sluice.KindUser, "user", "people and machine accounts", (*client.Client).Users, []column[sluice.User]{
		{"NAME", func(u *sluice.User) string { return u.Name }},
		{"TENANT", func(u *sluice.User) string { return u.Tenant }},
		{"EMAIL", func(u *sluice.User) string { return u.Email }},
		{"ROLES", func(u *sluice.User) string { return strings.Join(u.Roles, ",") }},
		{"STATUS", func(u *sluice.User) string { return string(u.Status) }},
		{"LAST LOGIN", func(u *sluice.User) string { return moment(u.LastLoginAt) }}}}

	rolesCLI = cliKind[sluice.Role]{sluice.KindRole, "role", "named sets of permissions", (*client.Client).Roles, []column[sluice.Role]{
		{"NAME", func(r *sluice.Role) string { return r.Name }},
		{"TENANT", func(r *sluice.Role) string { return r.Tenant }},
		{"BUILT-IN", func(r *sluice.Role) string { return strconv.FormatBool(r.BuiltIn) }},
		{"PERMISSIONS", func(r *sluice.Role) string { return joined(r.Permissions) }}}}

	providersCLI = cliKind[sluice.Provider]{sluice.KindProvider, "provider", "upstream LLM accounts", (*client.Client).Providers, []column[sluice.Provider]{
		{"NAME", func(p *sluice.Provider) string { return p.Name }},
		{"TENANT", func(p *sluice.Provider) string { return p.Tenant }},
		{"TYPE", func(p *sluice.Provider) string { return p.Type }},
		{"GROUP", func(p *sluice.Provider) string { return p.Group }},
		{"WEIGHT", func(p *sluice.Provider) string { return strconv.Itoa(p.Weight) }},
		{"PRIORITY", func(p *sluice.Provider) string { return strconv.Itoa(p.Priority) }},
		{"STATUS", func(p *sluice.Provider) string { return string(p.Status) }},
		{"MODELS", func(p *sluice.Provider) string { return orAll(p.Models) }}}}

	modelsCLI = cliKind[sluice.Model]{sluice.KindModel, "model", "models that clients may ask for", (*client.Client).Models, []column[sluice.Model]{
		{"NAME", func(m *sluice.Model) string { return m.Name }},
		{"TENANT", func(m *sluice.Model) string { return m.Tenant }},
		{"CONTEXT", func(m *sluice.Model) string { return orDash(m.ContextWindow) }},
		{"MAX OUTPUT", func(m *sluice.Model) string { return orDash(m.MaxOutputTokens) }},
		{"COST PER TOKEN", func(m *sluice.Model) string { return m.CostPerToken.String() }},
		{"STATUS", func(m *sluice.Model) string { return string(m.Status) }}}}

	keysCLI = cliKind[sluice.Key]{sluice.KindKey, "key", "clients' credentials for the gateway", (*client.Client).Keys, []column[sluice.Key]{
		{"NAME", func(k *sluice.Key) string { return k.Name }},
		{"TENANT", func(k *sluice.Key) string { return k.Tenant }},
		{"USER", func(k *sluice.Key) string { return k.User }},
		{"GROUP", func(k *sluice.Key) string { return k.Group }},
		{"PREFIX", func(k *sluice.Key) string { return k.Prefix }},
		{"RPM", func(k *sluice.Key) string { return limitText(k.RPM) }},
		{"TPM", func(k *sluice.Key) string { return limitText(k.TPM) }},
		{"AT ONCE", func(k *sluice.Key) string { return limitText(k.Concurrency) }},
		{"STATUS", func(k *sluice.Key) string { return string(k.Status) }},
		{"EXPIRES", func(k *sluice.Key) string { return moment(k.ExpiresAt) }},
		{"LAST USED", func(k *sluice.Key) string { return moment(k.LastUsedAt) }}}}

	groupsCLI = cliKind[sluice.Group]{sluice.KindGroup, "group", "what ties keys to providers", (*client.Client).Groups, []column[sluice.Group]{
		{"NAME", func(g *sluice.Group) string { return g.Name }},
		{"TENANT", func(g *sluice.Group) string { return g.Tenant }},
		{"STRATEGY", func(g *sluice.Group) string { return string(g.Strategy) }},
		{"ATTEMPTS", func(g *sluice.Group) string { return strconv.Itoa(g.MaxAttempts) }},
		{"SHARED WITH", func(g *sluice.Group) string { return joined(g.SharedWith) }}}}

	routesCLI = cliKind[sluice.Route]{sluice.KindRoute, "route", "which paths lead where", (*client.Client).Routes, []column[sluice.Route]{
		{"NAME", func(r *sluice.Route) string { return r.Name }},
		{"TENANT", func(r *sluice.Route) string { return r.Tenant }},
		{"HOSTS", func(r *sluice.Route) string { return orAll(r.Hosts) }},
		{"PATHS", func(r *sluice.Route) string { return joined(r.Paths) }},
		{"SURFACE", func(r *sluice.Route) string { return r.Surface }},
		{"UPSTREAM", func(r *sluice.Route) string { return r.Upstream }},
		{"STATUS", func(r *sluice.Route) string { return string(r.Status) }}}}

	upstreamsCLI = cliKind[sluice.Upstream]{sluice.KindUpstream, "upstream", "services behind the gateway", (*client.Client).Upstreams, []column[sluice.Upstream]{
		{"NAME", func(u *sluice.Upstream) string { return u.Name }},
		{"TENANT", func(u *sluice.Upstream) string { return u.Tenant }},
		{"SCHEME", func(u *sluice.Upstream) string { return u.Scheme }},
		{"NODES", func(u *sluice.Upstream) string { return nodesText(u.Nodes) }}}}
)

// joined shows a list in one cell.
func joined[S ~string](list []S) string {
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = string(s)
	}
	return strings.Join(words, ",")
}

func orAll(list []string) string {
	if len(list) == 0 {
		return "*"
	}
	return joined(list)
}

func orDash(n int64) string {
	if n == 0 {
		return "-"
	}
	return strconv.FormatInt(n, 10)
}

// limitText shows a limit per minute, where 0 is unlimited.
func limitText(n *int64) string {
	if n == nil || *n == 0 {
		return "unlimited"
	}
	return strconv.FormatInt(*n, 10)
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04")
}

func nodesText(nodes []sluice.Node) string {
	words := make([]string, len(nodes))
	for i, n := range nodes {
		words[i] = fmt.Sprintf("%s:%d", n.Host, n.Port)
	}
	return strings.Join(words, ",")
}
