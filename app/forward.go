package app

import (
	"context"
	"net"
	"strconv"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
)

// selfServiceName is the name of the upstream and of the route by which the
// gateway forwards self-service to control.
const selfServiceName = "sluice-control"

// selfServicePaths are what developers need of control; with them one public
// address is enough. Administration stays on the control listener.
var selfServicePaths = []string{
	"/v1/auth/*", "/v1/users", "/v1/users/*", "/v1/keys", "/v1/keys/*",
	"/v1/billing", "/v1/billing/*", "/v1/supply", "/v1/supply/*",
}

// forwardSelfService makes control an ordinary upstream behind an ordinary
// route of the platform, at the address where it listens this time.
func (n *node) forwardSelfService(ctx context.Context) error {
	host, port, err := dialable(n.listeners["control"].Addr())
	if err != nil {
		return err
	}
	session := n.control.As(control.System())
	meta := sluice.Meta{Name: selfServiceName, Tenant: sluice.PlatformTenant, Description: "Self-service of the control plane; written anew at every start of `sluice serve`."}
	upstream := sluice.Upstream{Meta: meta, Nodes: []sluice.Node{{Host: host, Port: port}}}
	if _, _, err := session.Upstreams().Put(ctx, sluice.PlatformTenant, selfServiceName, upstream, sluice.WriteOptions{}); err != nil {
		return err
	}
	route := sluice.Route{Meta: meta, Paths: selfServicePaths, Upstream: selfServiceName}
	_, _, err = session.Routes().Put(ctx, sluice.PlatformTenant, selfServiceName, route, sluice.WriteOptions{})
	return err
}

// dialable turns an address that is listened on into one to connect to: every
// address includes loopback.
func dialable(a net.Addr) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(a.String())
	if err != nil {
		return "", 0, err
	}
	if everyAddress(host) {
		host = "127.0.0.1"
	}
	port, err = strconv.Atoi(text)
	return host, port, err
}
