package expr

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
)

// Limits of one predicate; a larger one is a mistake or an attack.
const (
	maxBytes      = 16 << 10 // of JSON
	maxDepth      = 8        // of nested AND and OR
	maxConditions = 128      // comparisons in total
	maxList       = 1000     // values of one list
	maxPattern    = 512      // bytes of one regular expression
)

// Vars answers what a predicate asks about a request.
type Vars interface {
	// Var returns the value of a variable and whether it exists.
	Var(name string) (string, bool)
}

// Predicate is a compiled predicate, safe for concurrent use.
type Predicate struct{ root node }

// Match reports whether the predicate holds.
func (p *Predicate) Match(v Vars) bool { return p.root.match(v) }

// node is a comparison or a combination of nodes.
type node interface{ match(Vars) bool }

// Compile reads a predicate: a comparison [var, op, value], a negated one
// [var, "!", op, value], a combination ["AND"|"OR"|"!AND"|"!OR", ...], or a
// list of these that must all hold. Errors are [sluice.CodeInvalidRequest] and
// point into the predicate.
func Compile(raw json.RawMessage, known func(name string) bool) (*Predicate, error) {
	if len(raw) > maxBytes {
		return nil, invalid("", "a predicate has at most %d bytes", maxBytes)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, invalid("", "a predicate must be valid JSON")
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, invalid("", "a predicate is one JSON value")
	}
	c := compiler{known: known}
	root, err := c.node(value, "", 0)
	if err != nil {
		return nil, err
	}
	return &Predicate{root}, nil
}

// compiler counts what it has compiled against the limits.
type compiler struct {
	known      func(name string) bool
	conditions int
}

// node compiles one array by what its first element says it is.
func (c *compiler) node(value any, at string, depth int) (node, error) {
	list, ok := value.([]any)
	if !ok {
		return nil, invalid(at, "a condition is an array")
	}
	if depth > maxDepth {
		return nil, invalid(at, "conditions are nested deeper than %d", maxDepth)
	}
	if len(list) == 0 {
		return nil, invalid(at, "a condition is empty")
	}
	first, ok := list[0].(string)
	if !ok {
		return c.combination(logic{all: true}, list, 0, at, depth)
	}
	if op, ok := logics[strings.ToUpper(first)]; ok {
		return c.combination(op, list, 1, at, depth)
	}
	if c.conditions++; c.conditions > maxConditions {
		return nil, invalid(at, "a predicate has at most %d conditions", maxConditions)
	}
	if c.known != nil && !c.known(first) {
		return nil, invalid(index(at, 0), "there is no variable %.64q", first)
	}
	return comparison(first, list, at)
}

// combination compiles the members of an AND or OR from the given index on.
func (c *compiler) combination(op logic, list []any, from int, at string, depth int) (node, error) {
	if len(list) == from {
		return nil, invalid(at, "%v needs conditions", list[0])
	}
	for i, member := range list[from:] {
		n, err := c.node(member, index(at, from+i), depth+1)
		if err != nil {
			return nil, err
		}
		op.members = append(op.members, n)
	}
	return op, nil
}

// logic combines nodes: all of them or any of them, possibly negated.
type logic struct {
	all, negated bool
	members      []node
}

var logics = map[string]logic{
	"AND":  {all: true},
	"OR":   {},
	"!AND": {all: true, negated: true},
	"!OR":  {negated: true},
}

func (l logic) match(v Vars) bool {
	for _, m := range l.members {
		if m.match(v) != l.all {
			return l.all == l.negated
		}
	}
	return l.all != l.negated
}
