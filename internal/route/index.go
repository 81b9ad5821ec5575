package route

import (
	"slices"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/expr"
)

// Index finds the route of a request. It is immutable and safe for concurrent
// use; its cost grows with the depth of the path, not with the number of routes.
type Index struct {
	// exact is keyed by host name, wild by what follows the "*".
	exact, wild map[string]*node
	any         *node
	// methods are all that any route names, sorted: candidates for Allow.
	methods []string
}

// node is one segment of the tree of paths.
type node struct {
	literal map[string]*node
	param   *node
	// here are the patterns that end at this node, open those that end in "*"
	// below it, both best first.
	here, open []*pattern
}

// New builds an index over routes that passed Validate. Disabled routes are left
// out, and so are those whose condition does not compile: without it they would
// take requests that are not theirs. The routes are referenced, not copied.
func New(routes []*sluice.Route) *Index {
	x := &Index{exact: map[string]*node{}, wild: map[string]*node{}, any: &node{}}
	for _, r := range routes {
		if vars, err := Condition(r, nil); err == nil && r.Status != sluice.StatusDisabled {
			x.add(r, vars)
		}
	}
	for _, tree := range x.exact {
		tree.sort()
	}
	for _, tree := range x.wild {
		tree.sort()
	}
	x.any.sort()
	slices.Sort(x.methods)
	x.methods = slices.Compact(x.methods)
	return x
}

// add enters every path of a route below every host of it.
func (x *Index) add(r *sluice.Route, vars *expr.Predicate) {
	x.methods = append(x.methods, r.Methods...)
	if slices.Contains(r.Methods, "GET") {
		x.methods = append(x.methods, "HEAD")
	}
	trees := []*node{x.any}
	if len(r.Hosts) > 0 {
		trees = trees[:0]
	}
	for _, h := range r.Hosts {
		hosts, name := x.exact, h
		if suffix, wild := strings.CutPrefix(h, "*"); wild {
			hosts, name = x.wild, suffix
		}
		if hosts[name] == nil {
			hosts[name] = &node{}
		}
		trees = append(trees, hosts[name])
	}
	for _, path := range r.Paths {
		p := parsePattern(r, path)
		p.vars = vars
		for _, tree := range trees {
			tree.insert(p)
		}
	}
}

func (n *node) insert(p *pattern) {
	for _, s := range p.segments {
		n = n.child(s)
	}
	if p.open {
		n.open = append(n.open, p)
	} else {
		n.here = append(n.here, p)
	}
}

// child returns the node for a segment, "" being a parameter, and makes it when
// it is missing.
func (n *node) child(segment string) *node {
	if segment == "" {
		if n.param == nil {
			n.param = &node{}
		}
		return n.param
	}
	if n.literal == nil {
		n.literal = map[string]*node{}
	}
	if n.literal[segment] == nil {
		n.literal[segment] = &node{}
	}
	return n.literal[segment]
}

func (n *node) sort() {
	order := func(p, q *pattern) int {
		switch {
		case p.better(q):
			return -1
		case q.better(p):
			return 1
		}
		return 0
	}
	slices.SortStableFunc(n.here, order)
	slices.SortStableFunc(n.open, order)
	for _, c := range n.literal {
		c.sort()
	}
	if n.param != nil {
		n.param.sort()
	}
}
