package gateway

import (
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/plugin"
)

// match finds the route and what it is asked for. done means that the gateway
// has answered for itself.
func (e *exchange) match() (done bool, err error) {
	h := e.x.Request
	if e.st == nil {
		return e.answerBuiltin(errNoSnapshot())
	}
	m, err := e.st.index.Match(h.Host, h.Method, h.Path, &e.x)
	if sluice.CodeOf(err) == sluice.CodeNotFound {
		return e.answerBuiltin(err)
	}
	if err != nil {
		return false, err
	}
	e.route = e.st.routes[m.Route]
	e.surface, e.chain = e.route.surface, e.route.chain
	e.x.Route, e.x.Keys = m.Route, e.st.keys
	for _, p := range m.AppendParams(nil, h.Path) {
		e.x.Params = append(e.x.Params, plugin.Param(p))
	}
	if e.route.problem != nil {
		return false, e.route.problem
	}
	// An operation that does not exist is refused after authentication only: a
	// CORS preflight, for one, asks with a method that no operation has.
	e.op, e.opErr = e.surface.Operation(h.Method, stripPrefix(h.Path, e.route.StripPrefix))
	e.x.Operation = e.op.Name
	if e.surface.ReadsBody() {
		return false, refuseQueryCredentials(h.RawQuery)
	}
	return false, nil
}

// stripPrefix removes a route's prefix from a path, at the end of a segment only.
func stripPrefix(path, prefix string) string {
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(prefix, "/"))
	switch {
	case !ok || prefix == "":
		return path
	case rest == "":
		return "/"
	case rest[0] != '/':
		return path
	}
	return rest
}
