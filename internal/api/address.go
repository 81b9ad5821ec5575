package api

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// maxForwarded bounds how many forwarders are looked through.
const maxForwarded = 16

// clientIP is the address that the request came from: the peer, or, while that
// is a trusted proxy, whoever the proxy says it was. Anybody can write
// X-Forwarded-For, so nothing that an untrusted peer says is believed.
func (s *server) clientIP(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	client := peer.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= max(0, len(hops)-maxForwarded) && s.trusts(client); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		client = hop.Unmap().WithZone("")
	}
	return client.String()
}

func (s *server) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(s.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(a) })
}
