// Package expr compiles predicates over the variables of a request: the "vars"
// notation of APISIX (lua-resty-expr), JSON arrays such as
//
//	[["arg_x", "==", "1"], ["OR", ["remote_addr", "ipmatch", ["10.0.0.0/8"]], ["http_x_env", "~~", "^test"]]]
//
// A predicate is compiled once, with limits on its size, and then costs no
// allocation. It knows neither plugins nor routes: whoever has variables asks.
// Start at [Compile].
package expr
