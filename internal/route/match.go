package route

import (
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/expr"
)

// Match is the route that a request belongs to.
type Match struct {
	// Route is the route of the snapshot, not to be changed.
	Route   *sluice.Route
	pattern *pattern
}

// Param is the value of one ":name" segment.
type Param struct{ Name, Value string }

// Match finds the best route for a canonical host and path: among the routes of
// the highest priority the one with the more exact host (a name, then the
// longest wildcard, then any), then the more exact path, then the lower id. A
// route with a condition is passed over when vars do not meet it, or are nil.
//
// Errors: [sluice.CodeNotFound]; [sluice.CodeMethodNotAllowed] when only the
// method is wrong, with the allowed ones in Details["allow"], sorted;
// [sluice.CodeInvalidRequest] when the path holds an encoded slash and would
// belong to another route if a server decoded it. It does not allocate on
// success.
func (x *Index) Match(host, method, path string, vars expr.Vars) (Match, error) {
	m, err := x.match(host, method, path, vars)
	if !strings.Contains(path, "%2F") {
		return m, err
	}
	decoded, _ := x.match(host, method, strings.ReplaceAll(path, "%2F", "/"), vars)
	if decoded.Route != m.Route {
		return Match{}, refuse("an encoded slash makes its route ambiguous")
	}
	return m, err
}

// match is Match for one reading of the path.
func (x *Index) match(host, method, path string, vars expr.Vars) (Match, error) {
	best, blocked := x.find(Hostname(host), method, path, vars)
	switch {
	case best != nil:
		return Match{Route: best.route, pattern: best}, nil
	case blocked:
		return Match{}, sluice.Errorf(sluice.CodeMethodNotAllowed, "%s is not allowed here", method).With("allow", x.allowed(Hostname(host), path, vars))
	}
	return Match{}, sluice.Errorf(sluice.CodeNotFound, "no route matches this host and path")
}

// find searches the trees from the most exact host on; blocked says that
// something matched but for the method.
func (x *Index) find(name, method, path string, vars expr.Vars) (best *pattern, blocked bool) {
	s := search{method: method, vars: vars}
	s.tree(x.exact[name], path)
	for i := 1; i < len(name) && len(x.wild) > 0; i++ {
		if name[i] == '.' {
			s.tree(x.wild[name[i:]], path)
		}
	}
	s.tree(x.any, path)
	return s.best, s.blocked
}

// allowed lists the methods that some matching route answers for.
func (x *Index) allowed(name, path string, vars expr.Vars) []string {
	var methods []string
	for _, m := range x.methods {
		if best, _ := x.find(name, m, path, vars); best != nil {
			methods = append(methods, m)
		}
	}
	return methods
}

// AppendParams appends the parameters of the path that was matched; values stay
// percent-encoded as they are in it.
func (m Match) AppendParams(dst []Param, path string) []Param {
	if len(m.pattern.names) == 0 {
		return dst
	}
	rest, next := path, 0
	for _, want := range m.pattern.segments {
		segment, after := cutSegment(rest)
		rest = after
		if want == "" {
			dst = append(dst, Param{m.pattern.names[next], segment})
			next++
		}
	}
	return dst
}

// search walks trees for the best pattern.
type search struct {
	method string
	vars   expr.Vars
	best   *pattern
	// ranked is the best of the trees already searched: a less exact host wins
	// over it by priority alone.
	ranked *pattern
	// blocked says that something matched but for the method.
	blocked bool
}

// tree searches one host's tree; trees come from the most exact host on.
func (s *search) tree(n *node, path string) {
	if n == nil {
		return
	}
	if path == "/" {
		path = ""
	}
	s.ranked = s.best
	s.walk(n, path)
}

// walk tries every pattern that the rest of the path can reach from n.
func (s *search) walk(n *node, rest string) {
	s.consider(n.open)
	if rest == "" {
		s.consider(n.here)
		return
	}
	segment, after := cutSegment(rest)
	key := segment
	if key == "" {
		key = slash
	}
	if c := n.literal[key]; c != nil {
		s.walk(c, after)
	}
	if n.param != nil && segment != "" {
		s.walk(n.param, after)
	}
}

// consider takes the first pattern of a sorted list whose condition and method
// fit.
func (s *search) consider(list []*pattern) {
	for _, p := range list {
		if s.ranked != nil && p.route.Priority <= s.ranked.route.Priority || s.best != nil && s.best != s.ranked && !p.better(s.best) {
			return
		}
		if p.vars != nil && (s.vars == nil || !p.vars.Match(s.vars)) {
			continue
		}
		if p.allows(s.method) {
			s.best = p
			return
		}
		s.blocked = true
	}
}

// cutSegment returns the segment behind the leading slash and the rest.
func cutSegment(path string) (segment, rest string) {
	if i := strings.IndexByte(path[1:], '/'); i >= 0 {
		return path[1 : 1+i], path[1+i:]
	}
	return path[1:], ""
}
