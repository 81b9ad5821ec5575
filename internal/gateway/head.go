package gateway

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/sluicegate/sluice"
)

// hopFields belong to one connection and are never forwarded (RFC 9110, section
// 7.6.1), with those that would start another protocol.
var hopFields = []string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Authentication-Info",
	"TE", "Trailer", "Transfer-Encoding", "Upgrade", "HTTP2-Settings",
}

// keptFields may not be removed by naming them in Connection: a client could
// otherwise strip what an access decision or a trace behind us relies on.
var keptFields = []string{
	"authorization", "cookie", "host", "content-length", "content-type", "forwarded", "traceparent", "tracestate",
	"x-real-ip", "x-request-id", "x-api-key", "x-goog-api-key", "api-key",
}

// prepareHead makes the head the one that targets see.
func (e *exchange) prepareHead() {
	h := e.x.Request
	h.Path = stripPrefix(h.Path, e.route.StripPrefix)
	if e.service.plain {
		e.ask.Operation.Path = h.Path
	}
	stripHop(&h.Fields)
	stripAliases(&h.Fields)
	h.Fields.Del("Expect")         // answered by us
	h.Fields.Del("Content-Length") // the call states the length of what is sent
	setForwarded(h, e.x.ClientIP, e.x.Original.Host, e.g.cfg.TrustedProxies)
}

// stripHop removes what belongs to the connection.
func stripHop(f *sluice.Fields) {
	var named []string
	for i := range f.Len() {
		if strings.EqualFold(f.At(i).Name, "Connection") {
			for option := range strings.SplitSeq(f.At(i).Value, ",") {
				named = append(named, strings.TrimSpace(option))
			}
		}
	}
	for _, name := range named {
		lower := strings.ToLower(name)
		if name != "" && !slices.Contains(keptFields, lower) && !strings.HasPrefix(lower, "x-forwarded-") {
			f.Del(name)
		}
	}
	for _, name := range hopFields {
		f.Del(name)
	}
}

// stripAliases removes fields whose names hold an underscore: servers that map
// names to variables read X_Real_IP as X-Real-IP.
func stripAliases(f *sluice.Fields) {
	var aliases []string
	for i := range f.Len() {
		if name := f.At(i).Name; strings.IndexByte(name, '_') >= 0 {
			aliases = append(aliases, name)
		}
	}
	for _, name := range aliases {
		f.Del(name)
	}
}

// setForwarded tells the target where the request came from. What an untrusted
// peer claimed about it is replaced.
func setForwarded(h *sluice.Head, client netip.Addr, host string, trusted []netip.Prefix) {
	peer := h.Peer.Addr().Unmap()
	f := &h.Fields
	if !isTrusted(peer, trusted) {
		var claimed []string
		for i := range f.Len() {
			if name := f.At(i).Name; len(name) > 12 && strings.EqualFold(name[:12], "X-Forwarded-") {
				claimed = append(claimed, name)
			}
		}
		for _, name := range claimed {
			f.Del(name)
		}
		f.Del("Forwarded")
	}
	var chain []string
	for i := range f.Len() {
		if strings.EqualFold(f.At(i).Name, "X-Forwarded-For") {
			chain = append(chain, f.At(i).Value)
		}
	}
	if peer.IsValid() {
		f.Set("X-Forwarded-For", strings.Join(append(chain, peer.String()), ", "))
	}
	if client.IsValid() {
		f.Set("X-Real-IP", client.String())
	}
	if _, told := f.Lookup("X-Forwarded-Proto"); !told {
		f.Set("X-Forwarded-Proto", scheme(h))
	}
	if _, told := f.Lookup("X-Forwarded-Host"); !told && host != "" {
		f.Set("X-Forwarded-Host", host)
	}
}

func scheme(h *sluice.Head) string {
	if h.TLS {
		return "https"
	}
	return "http"
}
