package app

import (
	"cmp"
	"context"
	"net"
	"net/url"
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
func (c *controlRole) forwardSelfService(ctx context.Context) error {
	node, err := c.selfAddress()
	if err != nil || node.Host == "" {
		return err
	}
	session := c.control.As(control.System())
	meta := sluice.Meta{Name: selfServiceName, Tenant: sluice.PlatformTenant, Description: "Self-service of the control plane; written anew at every start of control."}
	upstream := sluice.Upstream{Meta: meta, Nodes: []sluice.Node{node}}
	if _, _, err := session.Upstreams().Put(ctx, sluice.PlatformTenant, selfServiceName, upstream, sluice.WriteOptions{}); err != nil {
		return err
	}
	route := sluice.Route{Meta: meta, Paths: selfServicePaths, Upstream: selfServiceName}
	_, _, err = session.Routes().Put(ctx, sluice.PlatformTenant, selfServiceName, route, sluice.WriteOptions{})
	return err
}

// selfAddress is where gateways reach control: at plane.control_url, or where it
// listens when the gateway is in the same process. It is empty when neither is
// known, and https is left to a route of the operator's own.
func (c *controlRole) selfAddress() (sluice.Node, error) {
	if u, err := url.Parse(c.ControlURL); err == nil && u.Scheme == "http" {
		port, err := strconv.Atoi(cmp.Or(u.Port(), "80"))
		return sluice.Node{Host: u.Hostname(), Port: port}, err
	}
	if !c.role.serves() {
		return sluice.Node{}, nil
	}
	host, port, err := dialable(c.listeners["control"].Addr())
	return sluice.Node{Host: host, Port: port}, err
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
