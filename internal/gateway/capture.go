package gateway

import (
	"encoding/hex"
	"net/netip"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/route"
)

// Limits on a request's head; transports may have tighter ones.
const (
	maxTarget     = 8 << 10
	maxFields     = 64
	maxFieldBytes = 16 << 10
)

// capture keeps the request as it came and establishes what every later phase
// relies on: a bounded head, one canonical path, one host, one client address.
func (e *exchange) capture() error {
	h := e.x.Request
	e.x.Original.Method, e.x.Original.Target, e.x.Original.Host = h.Method, h.Target, h.Host
	e.x.Original.Fields.AppendAll(&h.Fields)
	e.x.ClientIP = clientIP(h, e.g.cfg.TrustedProxies)
	if err := checkHead(h); err != nil {
		return err
	}
	if err := canonicalize(h); err != nil {
		return err
	}
	e.canonical = h.Path
	if h.Method == "TRACE" {
		// RFC 9110, section 9.3.8: it would echo credentials back.
		return sluice.Errorf(sluice.CodeMethodNotAllowed, "TRACE is not allowed")
	}
	if h.Method == "CONNECT" || asksForUpgrade(&h.Fields) {
		return sluice.Errorf(sluice.CodeUnsupported, "CONNECT and WebSocket connections are not supported")
	}
	return refuseQueryKeys(h.RawQuery)
}

// checkHead holds the limits of the head.
func checkHead(h *sluice.Head) error {
	if len(h.Target) > maxTarget {
		return sluice.Errorf(sluice.CodeHeadTooLarge, "the URL is longer than %d bytes", maxTarget)
	}
	if h.Fields.Len() > maxFields {
		return sluice.Errorf(sluice.CodeHeadTooLarge, "the request has more than %d fields", maxFields)
	}
	size := 0
	for i := range h.Fields.Len() {
		f := h.Fields.At(i)
		size += len(f.Name) + len(f.Value) + len(": \r\n")
	}
	if size > maxFieldBytes {
		return sluice.Errorf(sluice.CodeHeadTooLarge, "the request's fields take more than %d bytes", maxFieldBytes)
	}
	return nil
}

// canonicalize sets the one path, query and host that everything is decided by.
func canonicalize(h *sluice.Head) (err error) {
	if h.Method == "CONNECT" {
		return nil // its target is an authority; it is refused in a moment
	}
	target := h.Target
	if rest, absolute := cutAbsolute(target); absolute {
		authority, path := rest, "/"
		if i := strings.IndexAny(rest, "/?"); i >= 0 {
			authority, path = rest[:i], rest[i:]
		}
		if !strings.EqualFold(authority, h.Host) {
			return sluice.Errorf(sluice.CodeInvalidRequest, "the target and the Host field name different hosts").At("Host")
		}
		if target = path; path[0] == '?' {
			target = "/" + path
		}
	}
	var raw string
	raw, h.RawQuery, _ = strings.Cut(target, "?")
	if h.Path, err = route.CanonicalPath(raw); err != nil {
		return err
	}
	if h.Host == "" {
		return nil // HTTP/1.0 knows no host; it meets the routes of any host
	}
	h.Host, err = route.CanonicalHost(h.Host)
	return err
}

// cutAbsolute recognises the absolute form of a target (RFC 9112, section 3.2.2).
func cutAbsolute(target string) (rest string, ok bool) {
	for _, scheme := range [...]string{"http://", "https://"} {
		if len(target) >= len(scheme) && strings.EqualFold(target[:len(scheme)], scheme) {
			return target[len(scheme):], true
		}
	}
	return target, false
}

// asksForUpgrade reports a WebSocket handshake. Other upgrades, h2c above all,
// are ignored: the field is not forwarded, and HTTP/1.1 goes on.
func asksForUpgrade(f *sluice.Fields) bool {
	return strings.EqualFold(f.Get("Upgrade"), "websocket")
}

// maxDecodings is how often a query may be percent-encoded for a key in it to be
// found: the gateways and services behind us may each decode once.
const maxDecodings = 3

// refuseQueryKeys refuses a request that carries one of our tokens anywhere in
// its query: URLs end up in logs, histories and referrers.
func refuseQueryKeys(query string) error {
	for range maxDecodings {
		if _, _, found := sluice.FindToken(query); found {
			return errQueryKey()
		}
		if !strings.Contains(query, "%") {
			return nil
		}
		query = decodeEscapes(query)
	}
	return nil
}

// decodeEscapes decodes every valid %XX and leaves the others, because services
// differ in what they do about those.
func decodeEscapes(s string) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if b, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				out = append(out, b[0])
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

// refuseQueryCredentials refuses the parameters in which LLM clients put keys,
// whatever their value.
func refuseQueryCredentials(query string) error {
	for rest := query; rest != ""; {
		var pair string
		pair, rest, _ = strings.Cut(rest, "&")
		name, _, _ := strings.Cut(pair, "=")
		switch strings.ToLower(name) {
		case "key", "api_key", "api-key", "apikey", "access_token", "token":
			return errQueryKey()
		}
	}
	return nil
}

func errQueryKey() error {
	return sluice.Errorf(sluice.CodeUnauthorized, "keys in the query string are refused, send the Authorization header; treat a key that was sent this way as leaked").At("query")
}

// clientIP is the rightmost address that no trusted proxy vouches for.
func clientIP(h *sluice.Head, trusted []netip.Prefix) netip.Addr {
	ip := h.Peer.Addr().Unmap()
	if !isTrusted(ip, trusted) {
		return ip
	}
	for i := h.Fields.Len() - 1; i >= 0; i-- {
		f := h.Fields.At(i)
		if !strings.EqualFold(f.Name, "X-Forwarded-For") {
			continue
		}
		for list := f.Value; list != ""; {
			cut := strings.LastIndexByte(list, ',')
			hop, err := parseHop(strings.TrimSpace(list[cut+1:]))
			if err != nil {
				return ip // what stands left of it is nobody's word
			}
			if ip = hop; !isTrusted(ip, trusted) {
				return ip
			}
			list = list[:max(cut, 0)]
		}
	}
	return ip
}

// parseHop reads an address with or without a port.
func parseHop(s string) (netip.Addr, error) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), nil
	}
	ip, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return ip.Unmap().WithZone(""), err
}

func isTrusted(ip netip.Addr, trusted []netip.Prefix) bool {
	for _, p := range trusted {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}
