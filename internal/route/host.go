package route

import (
	"net/netip"
	"strings"

	"github.com/sluicegate/sluice"
)

// CanonicalHost returns the authority of a request in lower case without the
// final dot of a rooted name, port included, and refuses with
// [sluice.CodeInvalidRequest] what is not host or host:port.
func CanonicalHost(raw string) (string, error) {
	name, port := splitPort(raw)
	if len(raw) > 255 || !validName(name) || !validPort(port) {
		return "", sluice.Errorf(sluice.CodeInvalidRequest, "the Host field is not a host name").At("Host")
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if port == "" {
		return name, nil
	}
	return name + ":" + port, nil
}

// Hostname returns a canonical host without its port, as routes name it.
func Hostname(host string) string {
	name, _ := splitPort(host)
	return name
}

// splitPort cuts the port off; the brackets of an IPv6 literal stay.
func splitPort(host string) (name, port string) {
	cut := strings.LastIndexByte(host, ':')
	if cut < 0 || strings.LastIndexByte(host, ']') > cut {
		return host, ""
	}
	return host[:cut], host[cut+1:]
}

// validName accepts DNS names and addresses, IPv6 ones in brackets only.
func validName(name string) bool {
	if inner, ok := strings.CutPrefix(name, "["); ok {
		addr, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return err == nil && addr.Is6() && addr.Zone() == "" && strings.HasSuffix(inner, "]")
	}
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return name != "" && name != "."
}

// validPort accepts a port number or none.
func validPort(port string) bool {
	for i := range len(port) {
		if port[i] < '0' || port[i] > '9' {
			return false
		}
	}
	return len(port) <= 5
}
