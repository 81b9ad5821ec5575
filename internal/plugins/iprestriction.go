package plugins

import (
	"net/netip"
	"slices"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/plugin"
)

// ipRestrictionConfig configures ip-restriction.
type ipRestrictionConfig struct {
	Allow   []string `json:"allow,omitempty" format:"cidr" maxItems:"1000" title:"Allow" title_zh:"允许" doc:"Addresses and networks that may call; empty allows all that are not denied." doc_zh:"允许访问的地址和网段；为空则允许所有未被拒绝的地址。"`
	Deny    []string `json:"deny,omitempty" format:"cidr" maxItems:"1000" title:"Deny" title_zh:"拒绝" doc:"Addresses and networks that may not, even if allowed." doc_zh:"禁止访问的地址和网段，优先于允许列表。"`
	Message string   `json:"message,omitempty" maxLength:"500" default:"Your address may not call this." title:"Message" title_zh:"消息" doc:"What a refused client is told." doc_zh:"返回给被拒绝客户端的消息。"`
}

// ipRestrictionPlugin admits requests by the client's address (feature A7).
type ipRestrictionPlugin struct {
	allow, deny []netip.Prefix
	message     string
}

var _ plugin.Accessor = (*ipRestrictionPlugin)(nil)

func ipRestriction() plugin.Spec {
	return plugin.Define("ip-restriction", "Allows or denies requests by the client's address.", priorityIPRestriction, newIPRestriction,
		plugin.BeforeConsumer(), plugin.SummaryZH("按客户端地址允许或拒绝请求。"),
		plugin.Example(`{"allow":["10.0.0.0/8","2001:db8::/32"]}`),
		plugin.Example(`{"allow":["10.0.0.0/8"],"deny":["10.66.0.0/16"],"message":"Please call from the office."}`))
}

func newIPRestriction(cfg ipRestrictionConfig, _ plugin.Env) (plugin.Plugin, error) {
	if len(cfg.Allow)+len(cfg.Deny) == 0 {
		return nil, sluice.Errorf(sluice.CodePluginConfig, "/allow or /deny must name an address or network").At("/allow")
	}
	return &ipRestrictionPlugin{allow: networks(cfg.Allow), deny: networks(cfg.Deny), message: cfg.Message}, nil
}

// Access refuses an address that is denied, not allowed, or not known at all.
func (p *ipRestrictionPlugin) Access(x *plugin.Exchange) error {
	addr := x.ClientIP.Unmap().WithZone("")
	if !addr.IsValid() || holds(p.deny, addr) || len(p.allow) > 0 && !holds(p.allow, addr) {
		return sluice.Errorf(sluice.CodeForbidden, "%s", p.message)
	}
	return nil
}

func holds(list []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(list, func(n netip.Prefix) bool { return n.Contains(addr) })
}

// networks reads addresses and prefixes, whose format the schema has checked. A
// network of v4-mapped addresses means the IPv4 network.
func networks(list []string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range list {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			addr := netip.MustParseAddr(text)
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		if addr := prefix.Addr(); addr.Is4In6() && prefix.Bits() >= 96 {
			prefix = netip.PrefixFrom(addr.Unmap(), prefix.Bits()-96)
		}
		out = append(out, prefix.Masked())
	}
	return out
}
