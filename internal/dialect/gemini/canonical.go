package gemini

import (
	"bytes"

	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// free are the members whose value is the client's own JSON: no name in it is
// Google's. Schemas are among them; they are read by schema.go, which knows
// which of their names are words and which are properties.
var free = map[string]bool{
	"args": true, "response": true, "labels": true,
	"parameters": true, "responseSchema": true,
	"parametersJsonSchema": true, "responseJsonSchema": true, "_responseJsonSchema": true,
}

// canonical returns a document, which is sound, with every name that is Google's
// in camelCase. A document without an underscore is returned as it stands.
func canonical(doc []byte) []byte {
	if bytes.IndexByte(doc, '_') < 0 && bytes.IndexByte(doc, '\\') < 0 {
		return doc
	}
	var out bytes.Buffer
	out.Grow(len(doc))
	rename(&out, doc, jsonscan.At(doc, 0))
	return out.Bytes()
}

// rename writes a value with its names in camelCase.
func rename(out *bytes.Buffer, doc []byte, v jsonscan.Value) {
	separator := byte('{')
	switch v.Kind {
	case jsonscan.Object:
		for m := v.Members(doc); m.Next(); {
			out.WriteByte(separator)
			separator = ','
			name := camel(string(m.Key()))
			out.Write(mustJSON(name))
			out.WriteByte(':')
			if free[name] {
				out.Write(m.Value().In(doc))
				continue
			}
			rename(out, doc, m.Value())
		}
		if separator == '{' {
			out.WriteByte('{')
		}
		out.WriteByte('}')
	case jsonscan.Array:
		separator = '['
		for e := v.Elements(doc); e.Next(); {
			out.WriteByte(separator)
			separator = ','
			rename(out, doc, e.Value())
		}
		if separator == '[' {
			out.WriteByte('[')
		}
		out.WriteByte(']')
	default:
		out.Write(v.In(doc))
	}
}

// camel writes a snake_case name in camelCase; a leading underscore stays.
func camel(name string) string {
	if len(name) < 2 {
		return name
	}
	out := []byte(name[:1])
	upper := false
	for i := 1; i < len(name); i++ {
		c := name[i]
		if c == '_' {
			upper = true
			continue
		}
		if upper && 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		upper = false
		out = append(out, c)
	}
	return string(out)
}
