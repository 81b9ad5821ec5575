package gateway

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/sluicegate/sluice"
)

// keptFields may not be removed by naming them in Connection: a client could
// otherwise strip what an access decision or a trace behind us relies on.
var keptFields = []string{
	"authorization", "cookie", "host", "content-length", "content-type", "forwarded", "traceparent", "tracestate",
	"x-real-ip", "x-request-id", "x-api-key", "x-goog-api-key", "api-key",
}

// isHop reports a field that belongs to one connection and is never forwarded
// (RFC 9110, section 7.6.1), with those that would start another protocol. Most
// fields are told apart by their length.
func isHop(name string) bool {
	switch len(name) {
	case 2:
		return strings.EqualFold(name, "TE")
	case 7:
		return strings.EqualFold(name, "Trailer") || strings.EqualFold(name, "Upgrade")
	case 10:
		return strings.EqualFold(name, "Connection") || strings.EqualFold(name, "Keep-Alive")
	case 14:
		return strings.EqualFold(name, "HTTP2-Settings")
	case 16:
		return strings.EqualFold(name, "Proxy-Connection")
	case 17:
		return strings.EqualFold(name, "Transfer-Encoding")
	case 18:
		return strings.EqualFold(name, "Proxy-Authenticate")
	case 19:
		return strings.EqualFold(name, "Proxy-Authorization")
	case 25:
		return strings.EqualFold(name, "Proxy-Authentication-Info")
	}
	return false
}

// isOurs reports a field that the call states itself: its length, and what we
// answered.
func isOurs(name string) bool {
	switch len(name) {
	case 6:
		return strings.EqualFold(name, "Expect")
	case 14:
		return strings.EqualFold(name, "Content-Length")
	}
	return false
}

// prepareHead makes the head the one that targets see.
func (e *exchange) prepareHead() {
	h := e.x.Request
	h.Path = stripPrefix(h.Path, e.route.StripPrefix)
	if !e.service.plain {
		return // a dialect writes the fields of its calls itself
	}
	e.ask.Operation.Path = h.Path
	stripNamed(&h.Fields)
	trusted := isTrusted(h.Peer.Addr().Unmap(), e.g.cfg.TrustedProxies)
	h.Fields.DeleteFunc(func(f sluice.Field) bool {
		// Servers that map names to variables read X_Real_IP as X-Real-IP.
		return isHop(f.Name) || isOurs(f.Name) || strings.IndexByte(f.Name, '_') >= 0 || !trusted && isForwarded(f.Name)
	})
	e.setForwarded(h)
}

// stripHop removes what belongs to the connection.
func stripHop(f *sluice.Fields) {
	stripNamed(f)
	f.DeleteFunc(func(f sluice.Field) bool { return isHop(f.Name) })
}

// stripNamed removes the fields that Connection names.
func stripNamed(f *sluice.Fields) {
	if _, some := f.Lookup("Connection"); !some {
		return
	}
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
}

// isForwarded reports a field in which proxies tell of the client.
func isForwarded(name string) bool {
	const prefix = "X-Forwarded-"
	if len(name) > len(prefix) {
		return strings.EqualFold(name[:len(prefix)], prefix)
	}
	return strings.EqualFold(name, "Forwarded")
}

// setForwarded tells the target where the request came from. What an untrusted
// peer claimed about it is gone already.
func (e *exchange) setForwarded(h *sluice.Head) {
	f := &h.Fields
	if peer := h.Peer.Addr().Unmap(); peer.IsValid() {
		f.Set("X-Forwarded-For", e.forwardedFor(f, peer))
	}
	if ip := e.x.ClientIP; ip.IsValid() {
		f.Set("X-Real-IP", e.text.address(ip))
	}
	if _, told := f.Lookup("X-Forwarded-Proto"); !told {
		f.Add("X-Forwarded-Proto", scheme(h))
	}
	if _, told := f.Lookup("X-Forwarded-Host"); !told && e.x.Original.Host != "" {
		f.Add("X-Forwarded-Host", e.x.Original.Host)
	}
}

// forwardedFor appends the peer to the chain of addresses.
func (e *exchange) forwardedFor(f *sluice.Fields, peer netip.Addr) string {
	from := len(e.text.b)
	for i := range f.Len() {
		if at := f.At(i); strings.EqualFold(at.Name, "X-Forwarded-For") {
			e.text.b = append(append(e.text.b, at.Value...), ", "...)
		}
	}
	e.text.b = peer.AppendTo(e.text.b)
	return e.text.since(from)
}

func scheme(h *sluice.Head) string {
	if h.TLS {
		return "https"
	}
	return "http"
}
