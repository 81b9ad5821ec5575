// Package netguard keeps addresses that people configure from reaching what they
// must not: the cloud's metadata service, and for tenants anything that is not
// the public internet.
//
// It judges the resolved IP address at the moment of connecting, in the dialer's
// Control hook, so that neither a name that resolves inwards nor one that changes
// its mind after a check gets through. Start at [Policy.Control].
package netguard

import (
	"net/netip"
	"syscall"

	"errors"
	"fmt"
)

// Policy says whose addresses are dialled.
type Policy int

// The policies.
const (
	// Platform is for addresses that a platform admin wrote: private networks
	// and loopback are fine, link-local and metadata addresses are not.
	Platform Policy = iota
	// Tenant is for addresses that anyone else wrote: public unicast only, and
	// of the privileged ports 80 and 443 alone.
	Tenant
)

// ErrForbidden is what a refused connection fails with.
var ErrForbidden = errors.New("netguard: address is not allowed")

// Control is a hook for [net.Dialer.Control]: it refuses the connection with an
// error that wraps [ErrForbidden] before a packet leaves.
func (p Policy) Control(network, address string, _ syscall.RawConn) error {
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %s %s is not an address", ErrForbidden, network, address)
	}
	return p.Check(addr)
}

// Check judges one resolved address.
func (p Policy) Check(a netip.AddrPort) error {
	for _, ip := range readings(a.Addr()) {
		if !p.allows(ip) {
			return fmt.Errorf("%w: %s", ErrForbidden, a)
		}
	}
	if p == Tenant && a.Port() < 1024 && a.Port() != 80 && a.Port() != 443 {
		return fmt.Errorf("%w: port %d", ErrForbidden, a.Port())
	}
	return nil
}

// allows judges one reading of an address.
func (p Policy) allows(ip netip.Addr) bool {
	if ip.IsUnspecified() || ip.IsMulticast() || within(ip, metadata) {
		return false
	}
	return p == Platform || !within(ip, special)
}

// metadata are the addresses at which clouds tell secrets to whoever asks.
// Link-local is one of them as a whole: nothing else is served there.
var metadata = prefixes(
	"169.254.0.0/16", "fe80::/10", // link-local: AWS, Azure, Google, OpenStack, ECS tasks
	"fd00:ec2::/32", "fd20:ce::254/128", // AWS and Google over IPv6
	"100.100.100.200/32", // Alibaba
	"168.63.129.16/32",   // Azure's wire server
	"192.0.0.192/32",     // Oracle
)

// special are the blocks of the IANA special-purpose registries (RFC 6890) that
// are not the public internet.
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fec0::/10",
)

var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// readings returns the address and the IPv4 address that is carried in it, if
// any: both must be allowed.
func readings(ip netip.Addr) []netip.Addr {
	ip = ip.WithZone("").Unmap()
	if ip.Is6() && nat64.Contains(ip) {
		b := ip.As16()
		return []netip.Addr{ip, netip.AddrFrom4([4]byte(b[12:16]))}
	}
	if b := ip.As16(); ip.Is6() && b[0] == 0x20 && b[1] == 0x02 { // 6to4
		return []netip.Addr{ip, netip.AddrFrom4([4]byte(b[2:6]))}
	}
	return []netip.Addr{ip}
}

func within(ip netip.Addr, list []netip.Prefix) bool {
	for _, p := range list {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}
