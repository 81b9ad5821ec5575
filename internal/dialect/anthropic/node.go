package anthropic

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// node is a value of the client's body and where it stands there, as a JSON
// pointer. What it does not hold it blames on the field.
type node struct {
	doc   []byte
	value jsonscan.Value
	field string
}

// member is a node with its name.
type member struct {
	name string
	node
}

// object is the members of an object in their order.
type object []member

// invalid blames the node: what is said follows its name.
func (n node) invalid(format string, args ...any) error {
	return sluice.Errorf(sluice.CodeInvalidRequest, n.name()+" "+format, args...).At(n.field)
}

// name is the last step of the way to the node, as people write it.
func (n node) name() string {
	steps := strings.Split(n.field, "/")
	last := steps[len(steps)-1]
	if _, err := strconv.Atoi(last); err == nil && len(steps) > 1 {
		return steps[len(steps)-2] + "[" + last + "]"
	}
	return strings.ReplaceAll(last, "%", "%%")
}

// given reports whether the node is there and not null.
func (n node) given() bool { return given(n.value) }

// given reports whether a value is there and not null, which counts as absent.
func given(v jsonscan.Value) bool { return v.Kind != jsonscan.None && v.Kind != jsonscan.Null }

// wants blames the node for its type.
func (n node) wants(what string) error {
	if n.value.Kind == jsonscan.None {
		return n.invalid("is required")
	}
	return n.invalid("must be %s, not %s", what, n.value.Kind)
}

// text is the string that must be there.
func (n node) text() (string, error) {
	s, ok := jsonscan.Text(n.doc, n.value)
	if !ok {
		return "", n.wants("a string")
	}
	return s, nil
}

// filled is the string that must be there and not empty.
func (n node) filled() (string, error) {
	s, err := n.text()
	if err == nil && s == "" {
		err = n.invalid("must not be empty")
	}
	return s, err
}

// optional is the string, "" when it is absent.
func (n node) optional() (string, error) {
	if !n.given() {
		return "", nil
	}
	return n.text()
}

// integer is the whole number that must be there, within bounds.
func (n node) integer(low, high int64) (int64, error) {
	i, ok := jsonscan.Int(n.doc, n.value)
	if !ok {
		return 0, n.wants("an integer")
	}
	if i < low || i > high {
		return 0, n.invalid("must be %d to %d", low, high)
	}
	return i, nil
}

// number is a number between 0 and 1 with the client's own digits, "" when it
// is absent.
func (n node) number() (json.Number, error) {
	if !n.given() {
		return "", nil
	}
	if n.value.Kind != jsonscan.Number {
		return "", n.wants("a number")
	}
	digits := string(n.value.In(n.doc))
	if f, err := strconv.ParseFloat(digits, 64); err != nil || f < 0 || f > 1 {
		return "", n.invalid("must be 0 to 1")
	}
	return json.Number(digits), nil
}

// boolean is the truth value, nil when it is absent.
func (n node) boolean() (*bool, error) {
	switch n.value.Kind {
	case jsonscan.None, jsonscan.Null:
		return nil, nil
	case jsonscan.True, jsonscan.False:
		yes := n.value.Kind == jsonscan.True
		return &yes, nil
	}
	return nil, n.wants("a boolean")
}

// raw is a copy of the value as the client wrote it.
func (n node) raw() json.RawMessage { return append(json.RawMessage(nil), n.value.In(n.doc)...) }

// object is the members of the object that must be there.
func (n node) object() (object, error) {
	if n.value.Kind != jsonscan.Object {
		return nil, n.wants("an object")
	}
	var o object
	for m := n.value.Members(n.doc); m.Next(); {
		name := string(m.Key())
		o = append(o, member{name, node{n.doc, m.Value(), n.field + "/" + pointer(name)}})
	}
	return o, nil
}

// list is the elements of the array that must be there, at most as many.
func (n node) list(most int) ([]node, error) {
	if n.value.Kind != jsonscan.Array {
		return nil, n.wants("an array")
	}
	var l []node
	for e := n.value.Elements(n.doc); e.Next(); {
		if len(l) == most {
			return nil, n.invalid("must not have more than %d elements", most)
		}
		l = append(l, node{n.doc, e.Value(), n.field + "/" + strconv.Itoa(len(l))})
	}
	return l, nil
}

// get returns the member of that name; an absent one is a node that is not
// given and knows where it should have been.
func (o object) get(parent node, name string) node {
	for i := range o {
		if o[i].name == name {
			return o[i].node
		}
	}
	return node{doc: parent.doc, field: parent.field + "/" + name}
}
