// Package jsonscan reads JSON where it lies, without decoding it: the members
// of an object and the elements of an array as spans of the document. What it
// accepts and rejects is what encoding/json accepts and rejects, except that
// nesting deeper than [MaxDepth] is refused. Walking allocates nothing.
//
// Start at [Document] for a body that is in memory, at [Stream] for one that
// passes by in pieces, and at [AppendText] to write. The package knows nothing of
// any API.
package jsonscan

import "fmt"

// MaxDepth is the deepest nesting of objects and arrays that is accepted: more
// than any known API uses, and few enough to be remembered in one word.
const MaxDepth = 64

// Kind is the type of a JSON value.
type Kind byte

// The kinds of values; the zero value is no value at all.
const (
	None Kind = iota
	Null
	False
	True
	Number
	String
	Array
	Object
)

// String names the kind for error messages.
func (k Kind) String() string {
	return [...]string{"nothing", "null", "a boolean", "a boolean", "a number", "a string", "an array", "an object"}[k]
}

// Value is a value as a span of the document it was found in.
type Value struct {
	Kind       Kind
	Start, End int
}

// In returns the value's text within doc.
func (v Value) In(doc []byte) []byte { return doc[v.Start:v.End] }

// Error says where a document is not JSON, and why.
type Error struct {
	// Offset counts bytes from the start of the document.
	Offset int
	// Reason is a phrase such as "unexpected end".
	Reason string
}

// Error renders reason and position.
func (e *Error) Error() string {
	return fmt.Sprintf("malformed JSON at byte %d: %s", e.Offset, e.Reason)
}

// The reasons for which documents are refused.
const (
	reasonEnd      = "unexpected end"
	reasonValue    = "a value was expected"
	reasonKey      = "a member name was expected"
	reasonColon    = `":" was expected`
	reasonMember   = `"," or "}" was expected`
	reasonElement  = `"," or "]" was expected`
	reasonTrailing = "unexpected text after the document"
	reasonControl  = "control character in a string"
	reasonEscape   = "invalid escape in a string"
	reasonNumber   = "invalid number"
	reasonDepth    = "nested deeper than 64 levels"
	reasonObject   = "the document must be an object"
)
