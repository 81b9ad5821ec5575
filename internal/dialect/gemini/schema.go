package gemini

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// jsonSchema turns a schema of Google's own dialect (an OpenAPI 3.0 subset whose
// types are an enum in upper case) into JSON Schema. What is JSON Schema
// already stays as it is, for clients mix both.
func jsonSchema(raw json.RawMessage, field string) (json.RawMessage, error) {
	v := jsonscan.At(raw, 0)
	if v.Kind != jsonscan.Object {
		return nil, form.Refuse(field, "a schema must be an object, not %s", v.Kind)
	}
	var out bytes.Buffer
	liftSchema(&out, raw, v)
	return out.Bytes(), nil
}

// members writes an object one member after the other.
type members struct {
	out   *bytes.Buffer
	count int
}

// name begins a member.
func (m *members) name(name string) {
	separator := byte(',')
	if m.count == 0 {
		separator = '{'
	}
	m.count++
	m.out.WriteByte(separator)
	m.out.Write(mustJSON(name))
	m.out.WriteByte(':')
}

// end closes the object.
func (m *members) end() {
	if m.count == 0 {
		m.out.WriteByte('{')
	}
	m.out.WriteByte('}')
}

// liftSchema writes one schema in JSON Schema.
func liftSchema(out *bytes.Buffer, doc []byte, schema jsonscan.Value) {
	if schema.Kind != jsonscan.Object {
		out.Write(schema.In(doc)) // additionalProperties may be a boolean
		return
	}
	nullable := nullable(doc, schema)
	to := members{out: out}
	for m := schema.Members(doc); m.Next(); {
		v := m.Value()
		if v.Kind == jsonscan.Null {
			continue
		}
		switch name := camel(string(m.Key())); name {
		case "nullable", "propertyOrdering":
		case "type":
			liftType(&to, doc, v, nullable)
		case "format":
			if !jsonscan.Is(doc, v, "enum") {
				to.name(name)
				out.Write(v.In(doc))
			}
		case "enum":
			to.name(name)
			liftEnum(out, doc, v, nullable)
		case "example":
			to.name("examples")
			out.WriteString("[" + string(v.In(doc)) + "]")
		case "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties":
			to.name(name)
			out.WriteString(strings.Trim(string(v.In(doc)), `"`)) // ProtoJSON writes an int64 as a string
		case "items", "additionalProperties", "not":
			to.name(name)
			liftSchema(out, doc, v)
		case "properties", "$defs", "definitions":
			to.name(name)
			liftMap(out, doc, v)
		case "anyOf", "oneOf", "allOf", "prefixItems":
			to.name(name)
			liftList(out, doc, v)
		default:
			to.name(name)
			out.Write(v.In(doc))
		}
	}
	to.end()
}

// nullable reports whether a schema takes null beside its type.
func nullable(doc []byte, schema jsonscan.Value) bool {
	return jsonscan.Find(doc, schema, "nullable").Kind == jsonscan.True
}

// liftType writes the type of a schema.
func liftType(to *members, doc []byte, v jsonscan.Value, nullable bool) {
	word, ok := jsonscan.Text(doc, v)
	if !ok {
		to.name("type") // a list of types, which is JSON Schema
		to.out.Write(v.In(doc))
		return
	}
	word = strings.ToLower(word)
	if word == "type_unspecified" {
		return
	}
	to.name("type")
	if nullable && word != "null" {
		to.out.Write(mustJSON([]string{word, "null"}))
		return
	}
	to.out.Write(mustJSON(word))
}

// liftEnum writes the values of an enum.
func liftEnum(out *bytes.Buffer, doc []byte, v jsonscan.Value, nullable bool) {
	values := v.In(doc)
	if !nullable || v.Kind != jsonscan.Array || jsonscan.Empty(doc, v) {
		out.Write(values)
		return
	}
	out.Write(bytes.TrimSuffix(values, []byte("]")))
	out.WriteString(",null]")
}

// liftMap writes schemas by name.
func liftMap(out *bytes.Buffer, doc []byte, v jsonscan.Value) {
	if v.Kind != jsonscan.Object {
		out.Write(v.In(doc))
		return
	}
	to := members{out: out}
	for m := v.Members(doc); m.Next(); {
		to.name(string(m.Key()))
		liftSchema(out, doc, m.Value())
	}
	to.end()
}

// liftList writes a list of schemas.
func liftList(out *bytes.Buffer, doc []byte, v jsonscan.Value) {
	if v.Kind != jsonscan.Array {
		out.Write(v.In(doc))
		return
	}
	separator := "["
	for e := v.Elements(doc); e.Next(); {
		out.WriteString(separator)
		separator = ","
		liftSchema(out, doc, e.Value())
	}
	if separator == "[" {
		out.WriteString(separator)
	}
	out.WriteByte(']')
}
