package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"github.com/sluicegate/sluice"
)

// listenerSpec is one address that a process listens on and the setting that
// decides it.
type listenerSpec struct {
	name, addr, setting string
}

// listeners returns what a process listens on, in the order in which it opens.
func (c *Config) listeners(role Role) []listenerSpec {
	list := []listenerSpec{{"status", c.StatusAddr, "SLUICE_STATUS_ADDR"}}
	if role.controls() {
		list = append(list, listenerSpec{"control", c.controlAddr(), c.controlSetting()})
	}
	if role.serves() {
		list = append(list, listenerSpec{"gateway", c.GatewayAddr, "SLUICE_GATEWAY_ADDR"})
	}
	return list
}

// clashes names every two settings that ask for the same address; without it
// one of the listeners would fail with an error that names only itself.
func clashes(list []listenerSpec) []error {
	var problems []error
	for i, a := range list {
		for _, b := range list[i+1:] {
			if sameAddress(a.addr, b.addr) {
				problems = append(problems, sluice.Errorf(sluice.CodeConfig,
					"%s and %s ask for the same address (%s, %s); change one of them", a.setting, b.setting, a.addr, b.addr))
			}
		}
	}
	return problems
}

// sameAddress reports whether two listen addresses cannot be had together: the
// ports are equal and the hosts are, or one of them is every address. Port 0
// is always free.
func sameAddress(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB || portA == "0" {
		return false
	}
	return loopbackName(hostA) == loopbackName(hostB) || everyAddress(hostA) || everyAddress(hostB)
}

func everyAddress(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}

func loopbackName(host string) string {
	if strings.EqualFold(host, "localhost") {
		return "127.0.0.1"
	}
	return host
}

// listen opens one listener. A busy address is [sluice.CodeAddressInUse] naming
// the setting that moves it; another failure is [sluice.CodeConfig].
func listen(ctx context.Context, spec listenerSpec) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", spec.addr)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, sluice.Errorf(sluice.CodeAddressInUse,
			"the %s address %s is in use by another process; stop it, or set %s to another address", spec.name, spec.addr, spec.setting).Because(err)
	default:
		return nil, sluice.Errorf(sluice.CodeConfig, "cannot listen on %s (%s)", spec.addr, spec.setting).Because(err)
	}
}

// listenAll opens every listener, or none.
func listenAll(ctx context.Context, specs []listenerSpec) (map[string]net.Listener, error) {
	open := map[string]net.Listener{}
	for _, spec := range specs {
		l, err := listen(ctx, spec)
		if err != nil {
			for _, other := range open {
				_ = other.Close()
			}
			return nil, err
		}
		open[spec.name] = l
	}
	return open, nil
}

// parseNetworks reads addresses and networks in CIDR form.
func parseNetworks(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		if ip, err := netip.ParseAddr(s); err == nil {
			out = append(out, netip.PrefixFrom(ip, ip.BitLen()))
			continue
		}
		network, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("%q is neither an address nor a network", s)
		}
		out = append(out, network.Masked())
	}
	return out, nil
}
