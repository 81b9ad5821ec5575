package route

import (
	"cmp"
	"encoding/json"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/expr"
)

// The classes of a pattern, from the least to the most exact.
const (
	classPrefix = iota
	classParam
	classExact
)

// slash is the key of the empty segment behind a final slash: no segment of a
// canonical path can be equal to it.
const slash = "/"

// pattern is one path of one route, taken apart.
type pattern struct {
	route *sluice.Route
	// vars is the route's condition, nil for none.
	vars *expr.Predicate
	// segments holds the literal segments, "" where a parameter stands, and
	// [slash] for the empty segment behind a final slash.
	segments []string
	// names holds the parameter names in order.
	names []string
	// open says that the pattern ends in "*".
	open  bool
	class int
	// kinds has one byte a segment, literal above parameter, to compare two
	// patterns of the same length from the left.
	kinds string
}

// parsePattern takes a path that [sluice.Route.Validate] accepted.
func parsePattern(r *sluice.Route, path string) *pattern {
	p := &pattern{route: r, class: classExact}
	if rest, open := strings.CutSuffix(path, "/*"); open {
		path, p.open, p.class = rest, true, classPrefix
	}
	var kinds strings.Builder
	for _, s := range splitPath(path) {
		name, isParam := strings.CutPrefix(s, ":")
		if !isParam {
			p.segments = append(p.segments, cmp.Or(s, slash))
			kinds.WriteByte('b')
			continue
		}
		p.segments = append(p.segments, "")
		p.names = append(p.names, name)
		p.class = min(p.class, classParam)
		kinds.WriteByte('a')
	}
	p.kinds = kinds.String()
	return p
}

// splitPath returns the segments behind the first slash; "/" and "" have none,
// and a final slash is an empty last segment.
func splitPath(path string) []string {
	if path == "" || path == "/" {
		return nil
	}
	return strings.Split(path[1:], "/")
}

// better orders two patterns that both match: higher priority, then the more
// exact path, then the lower id. It is a total order over routes.
func (p *pattern) better(q *pattern) bool {
	return cmp.Or(
		cmp.Compare(p.route.Priority, q.route.Priority),
		cmp.Compare(p.class, q.class),
		cmp.Compare(len(p.segments), len(q.segments)),
		cmp.Compare(p.kinds, q.kinds),
		cmp.Compare(q.route.ID, p.route.ID),
	) > 0
}

// Condition compiles a route's Vars, nil when it has none. Errors are
// [sluice.CodeInvalidRequest] and point below /vars; known tells which variables
// there are, nil accepts all.
func Condition(r *sluice.Route, known func(string) bool) (*expr.Predicate, error) {
	if len(r.Vars) == 0 {
		return nil, nil
	}
	raw, err := json.Marshal(r.Vars)
	if err != nil {
		return nil, sluice.Errorf(sluice.CodeInvalidRequest, "vars must be JSON").At("/vars")
	}
	p, err := expr.Compile(raw, known)
	if err != nil {
		e := sluice.AsError(err)
		return nil, e.At("/vars" + e.Field)
	}
	return p, nil
}

// allows reports whether the route answers for the method. HEAD comes with GET,
// as RFC 9110, section 9.3.2, has it.
func (p *pattern) allows(method string) bool {
	for _, m := range p.route.Methods {
		if m == method || m == "GET" && method == "HEAD" {
			return true
		}
	}
	return len(p.route.Methods) == 0
}
