package openai

import (
	"encoding/json"
	"strconv"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// node is a value of a client's body and where it stands there, so that every
// complaint names its field. Nothing is copied until it is read.
type node struct {
	doc []byte
	v   jsonscan.Value
	// up is the JSON pointer of what holds it, name its name or number there. Where
	// name is "", up is the node's own: that of the document is "".
	up, name string
}

// documentNode is the node of the body of an ask, which is known to be an object
// and is not looked through again.
func documentNode(body []byte) node {
	return node{doc: body, v: jsonscan.Value{Kind: jsonscan.Object, End: len(body)}}
}

// at is where the node stands, as a JSON pointer (RFC 6901).
func (n node) at() string {
	if n.name == "" {
		return n.up
	}
	return n.up + "/" + n.name
}

// located is the node with its pointer made, for those that are asked for it and
// for their members more than once.
func (n node) located() node {
	n.up, n.name = n.at(), ""
	return n
}

// given reports whether there is a value; null counts as none.
func (n node) given() bool { return given(n.v) }

// raw is the value's text; it lies in the body.
func (n node) raw() json.RawMessage { return n.v.In(n.doc) }

// bad complains about the value.
func (n node) bad(format string, args ...any) error {
	at := n.at()
	name := "the body"
	if p := param(at); p != nil {
		name = clip(*p)
	}
	return sluice.Errorf(sluice.CodeInvalidRequest, name+" "+format, args...).At(at)
}

// must complains that the value has the wrong type.
func (n node) must(what string) error {
	if n.v.Kind == jsonscan.None {
		return n.bad("is required")
	}
	return n.bad("must be %s, not %s", what, n.v.Kind)
}

// text reads a string.
func (n node) text() (string, error) {
	s, ok := jsonscan.Text(n.doc, n.v)
	if !ok {
		return "", n.must("a string")
	}
	return s, nil
}

// span is text that lies in the body where it can: what is long is not copied
// before it is written, while the body is still held.
func (n node) span() (string, error) {
	s, ok := jsonscan.Span(n.doc, n.v)
	if !ok {
		return "", n.must("a string")
	}
	return s, nil
}

// optional reads a string that may be absent.
func (n node) optional() (string, error) {
	if !n.given() {
		return "", nil
	}
	return n.text()
}

// boolean reads true or false.
func (n node) boolean() (*bool, error) {
	if n.v.Kind != jsonscan.True && n.v.Kind != jsonscan.False {
		return nil, n.must("a boolean")
	}
	b := n.v.Kind == jsonscan.True
	return &b, nil
}

// integer reads an integral number within bounds.
func (n node) integer(least, most int64) (int64, error) {
	i, ok := jsonscan.Int(n.doc, n.v)
	if !ok {
		return 0, n.must("an integer")
	}
	if i < least || i > most {
		return 0, n.bad("must be %d to %d", least, most)
	}
	return i, nil
}

// number reads a number within bounds and keeps its digits.
func (n node) number(least, most float64) (json.Number, error) {
	if n.v.Kind != jsonscan.Number {
		return "", n.must("a number")
	}
	digits := json.Number(n.raw())
	if f, err := digits.Float64(); err != nil || f < least || f > most {
		return "", n.bad("must be %g to %g", least, most)
	}
	return digits, nil
}

// object refuses what is no object.
func (n node) object() error {
	if n.v.Kind != jsonscan.Object {
		return n.must("an object")
	}
	return nil
}

// members walks an object; members that are null are left out.
func (n node) members(take func(node) error) error {
	if err := n.object(); err != nil {
		return err
	}
	up := n.at()
	for m := n.v.Members(n.doc); m.Next(); {
		if !given(m.Value()) {
			continue
		}
		if err := take(node{doc: n.doc, v: m.Value(), up: up, name: nameOf(m.Key())}); err != nil {
			return err
		}
	}
	return nil
}

// nameOf is the name of a member; those that most bodies have cost nothing.
func nameOf(key []byte) string {
	switch string(key) {
	case "messages":
		return "messages"
	case "model":
		return "model"
	case "stream":
		return "stream"
	case "max_tokens":
		return "max_tokens"
	case "role":
		return "role"
	case "content":
		return "content"
	case "tool_calls":
		return "tool_calls"
	case "tool_call_id":
		return "tool_call_id"
	}
	return string(key)
}

// elements walks an array.
func (n node) elements(take func(node) error) error {
	if n.v.Kind != jsonscan.Array {
		return n.must("an array")
	}
	up, i := n.at(), 0
	for e := n.v.Elements(n.doc); e.Next(); i++ {
		if err := take(node{doc: n.doc, v: e.Value(), up: up, name: strconv.Itoa(i)}); err != nil {
			return err
		}
	}
	return nil
}

// find returns a member of an object, given or not.
func (n node) find(name string) node {
	return node{doc: n.doc, v: jsonscan.Find(n.doc, n.v, name), up: n.at(), name: name}
}
