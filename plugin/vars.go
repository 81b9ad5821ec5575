package plugin

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Var returns a variable of the request by the name that APISIX and nginx give
// it, and whether it exists. Names with a prefix take the rest as a name:
//
//	arg_x        the first query argument x, decoded
//	http_x       the request field X, "_" standing for "-"
//	cookie_x     the cookie x
//	uri_param_x  the path parameter :x
//	sent_http_x  the answer's field X
//
// The others are uri, request_uri, args, request_method, scheme, host,
// server_protocol, remote_addr, remote_port, content_length, request_id,
// consumer_name, consumer_group_id, key_id, user_name, tenant_name, route_name,
// route_id, status, upstream_status, llm_model, llm_operation, llm_stream.
//
// The value is leased like the rest of the exchange.
func (x *Exchange) Var(name string) (string, bool) {
	if prefix, rest, ok := cutPrefix(name); ok {
		return x.prefixed(prefix, rest)
	}
	if v, ok := x.requestVar(name); ok {
		return v, v != ""
	}
	if v, ok := x.consumerVar(name); ok {
		return v, v != ""
	}
	v := x.answerVar(name)
	return v, v != ""
}

// varNames are the names of Var that stand for themselves.
var varNames = []string{
	"uri", "request_uri", "args", "query_string", "request_method", "method", "scheme", "host", "server_protocol",
	"remote_addr", "remote_port", "content_length", "request_id",
	"consumer_name", "consumer_group_id", "key_id", "user_name", "tenant_name", "route_name", "route_id",
	"status", "upstream_status", "llm_model", "llm_operation", "llm_stream",
}

// KnownVar reports whether [Exchange.Var] knows the name. A configuration that
// names another is refused: a condition on it would never hold, and a plugin
// that was meant to run, authentication for one, silently would not.
func KnownVar(name string) bool {
	_, rest, ok := cutPrefix(name)
	return ok && rest != "" || slices.Contains(varNames, name)
}

// KnownRequestVar reports whether [Exchange.Var] knows the name as soon as the
// request's head is read, before a route is found: what a route's condition may
// ask for.
func KnownRequestVar(name string) bool {
	prefix, rest, ok := cutPrefix(name)
	return ok && rest != "" && prefix != "sent_http_" && prefix != "uri_param_" || slices.Contains(requestVars, name)
}

// requestVars are the names of requestVar.
var requestVars = []string{
	"uri", "request_uri", "args", "query_string", "request_method", "method", "scheme", "host", "server_protocol",
	"remote_addr", "remote_port", "content_length", "request_id",
}

// prefixes are those of Var, the longer before the shorter it contains.
var prefixes = [...]string{"sent_http_", "uri_param_", "http_", "cookie_", "arg_"}

func cutPrefix(name string) (prefix, rest string, ok bool) {
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(name, p); ok {
			return p, rest, true
		}
	}
	return "", "", false
}

func (x *Exchange) prefixed(prefix, name string) (string, bool) {
	switch prefix {
	case "arg_":
		return queryArg(x.Request.RawQuery, name)
	case "cookie_":
		return cookie(x.Request.Fields.Get("Cookie"), name)
	case "http_":
		return x.Request.Fields.Lookup(dashed(name))
	case "uri_param_":
		v := x.Param(name)
		return v, v != ""
	}
	if x.Response == nil {
		return "", false
	}
	return x.Response.Fields.Lookup(dashed(name))
}

// requestVar answers what the request's head knows; ok tells that the name is
// one of these.
func (x *Exchange) requestVar(name string) (v string, ok bool) {
	switch name {
	case "uri":
		return x.Request.Path, true
	case "request_uri":
		return x.Original.Target, true
	case "args", "query_string":
		return x.Request.RawQuery, true
	case "request_method", "method":
		return x.Request.Method, true
	case "scheme":
		if x.Request.TLS {
			return "https", true
		}
		return "http", true
	case "host":
		return hostOnly(x.Request.Host), true
	case "server_protocol":
		return x.Request.Proto, true
	case "remote_addr":
		if !x.ClientIP.IsValid() {
			return "", true
		}
		return x.ClientIP.String(), true
	case "remote_port":
		return strconv.Itoa(int(x.Request.Peer.Port())), true
	case "content_length":
		return strconv.FormatInt(x.Request.ContentLength, 10), true
	case "request_id":
		return x.ID, true
	}
	return "", false
}

// consumerVar answers who calls and which route matched.
func (x *Exchange) consumerVar(name string) (v string, ok bool) {
	key, route := x.Consumer.Key, x.Route
	switch name {
	case "consumer_name", "consumer_group_id", "key_id", "user_name", "tenant_name":
		if key == nil {
			return "", true
		}
	case "route_name", "route_id":
		if route == nil {
			return "", true
		}
	}
	switch name {
	case "consumer_name":
		return key.Name, true
	case "consumer_group_id":
		return key.Group, true
	case "key_id":
		return strconv.FormatUint(key.ID, 10), true
	case "user_name":
		return key.User, true
	case "tenant_name":
		return key.Tenant, true
	case "route_name":
		return route.Name, true
	case "route_id":
		return strconv.FormatUint(route.ID, 10), true
	}
	return "", false
}

// answerVar answers what is known of the answer and of the LLM request.
func (x *Exchange) answerVar(name string) string {
	switch name {
	case "status":
		if x.Response != nil {
			return strconv.Itoa(x.Response.Status)
		}
	case "upstream_status":
		if x.TargetStatus != 0 {
			return strconv.Itoa(x.TargetStatus)
		}
	case "llm_model":
		return x.Model
	case "llm_operation":
		return x.Operation
	case "llm_stream":
		if x.Operation != "" {
			return strconv.FormatBool(x.Stream)
		}
	}
	return ""
}

// queryArg finds the first argument of that name without building a map.
func queryArg(query, name string) (string, bool) {
	for pair := range strings.SplitSeq(query, "&") {
		k, v, _ := strings.Cut(pair, "=")
		if unescaped(k) == name {
			return unescaped(v), true
		}
	}
	return "", false
}

// unescaped decodes a query component; one that is not valid stands as it is.
func unescaped(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	if d, err := url.QueryUnescape(s); err == nil {
		return d
	}
	return s
}

func cookie(header, name string) (string, bool) {
	for pair := range strings.SplitSeq(header, ";") {
		k, v, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if k == name {
			return strings.Trim(v, `"`), true
		}
	}
	return "", false
}

// dashed turns the variable's spelling of a field name into the wire's.
func dashed(name string) string { return strings.ReplaceAll(name, "_", "-") }

// hostOnly removes the port, and the brackets of an IPv6 literal.
func hostOnly(host string) string {
	if strings.HasPrefix(host, "[") {
		h, _, _ := strings.Cut(host[1:], "]")
		return h
	}
	h, _, _ := strings.Cut(host, ":")
	return h
}
