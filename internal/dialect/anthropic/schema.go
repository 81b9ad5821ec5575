package anthropic

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// emptySchema takes no arguments.
var emptySchema = json.RawMessage(`{"type":"object","properties":{}}`)

// objectSchema is a schema as tools need it: of an object, and saying so.
func objectSchema(schema json.RawMessage) json.RawMessage {
	trimmed := bytes.TrimSpace(schema)
	v := jsonscan.At(trimmed, 0)
	switch {
	case v.Kind != jsonscan.Object || jsonscan.Empty(trimmed, v):
		return emptySchema
	case jsonscan.Find(trimmed, v, "type").Kind == jsonscan.None:
		return append([]byte(`{"type":"object",`), trimmed[1:]...)
	}
	return schema
}

// strictSchema rewrites a schema to what the API can adhere to exactly: objects
// are closed, and bounds that it does not know become part of the description,
// as the vendor's own SDKs do it. The order of members stays: answers follow it.
func strictSchema(schema json.RawMessage) json.RawMessage {
	v := jsonscan.At(schema, 0)
	if v.Kind != jsonscan.Object {
		return schema
	}
	return appendSchema(nil, schema, v)
}

// unknownBound reports whether the API refuses a keyword.
func unknownBound(keyword string) bool {
	switch keyword {
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
		"maxItems", "uniqueItems", "minProperties", "maxProperties", "minContains", "maxContains":
		return true
	}
	return false
}

// appendSchema appends one schema. Depth is bounded by what jsonscan accepts.
func appendSchema(to, doc []byte, schema jsonscan.Value) []byte {
	if schema.Kind != jsonscan.Object {
		return append(to, schema.In(doc)...)
	}
	var bounds []string
	description, closed, object := "", false, false
	to = append(to, '{')
	start := len(to)
	for m := schema.Members(doc); m.Next(); {
		name, v := string(m.Key()), m.Value()
		switch {
		case unknownBound(name):
			bounds = append(bounds, name+": "+string(v.In(doc)))
			continue
		case name == "description":
			description, _ = jsonscan.Text(doc, v)
			continue
		case name == "type":
			object = jsonscan.Is(doc, v, "object")
		case name == "additionalProperties":
			closed = true
		}
		to = append(jsonscan.AppendText(separate(to, start), name), ':')
		to = appendKeyword(to, doc, name, v)
	}
	if object && !closed {
		to = append(separate(to, start), `"additionalProperties":false`...)
	}
	if len(bounds) > 0 {
		description = strings.TrimSpace(description + " {" + strings.Join(bounds, ", ") + "}")
	}
	if description != "" {
		to = jsonscan.AppendText(append(separate(to, start), `"description":`...), description)
	}
	return append(to, '}')
}

// separate puts a comma before all members but the first.
func separate(to []byte, start int) []byte {
	if len(to) > start {
		return append(to, ',')
	}
	return to
}

// appendKeyword appends a keyword's value, and the schemas in it rewritten.
func appendKeyword(to, doc []byte, name string, v jsonscan.Value) []byte {
	switch name {
	case "properties", "$defs", "definitions":
		return appendSchemas(to, doc, v)
	case "items", "additionalProperties", "not":
		return appendSchema(to, doc, v)
	case "anyOf", "allOf", "oneOf", "prefixItems":
		to = append(to, '[')
		start := len(to)
		for e := v.Elements(doc); e.Next(); {
			to = appendSchema(separate(to, start), doc, e.Value())
		}
		return append(to, ']')
	}
	return append(to, v.In(doc)...)
}

// appendSchemas appends an object whose members are schemas.
func appendSchemas(to, doc []byte, v jsonscan.Value) []byte {
	if v.Kind != jsonscan.Object {
		return append(to, v.In(doc)...)
	}
	to = append(to, '{')
	start := len(to)
	for m := v.Members(doc); m.Next(); {
		to = append(jsonscan.AppendText(separate(to, start), string(m.Key())), ':')
		to = appendSchema(to, doc, m.Value())
	}
	return append(to, '}')
}
