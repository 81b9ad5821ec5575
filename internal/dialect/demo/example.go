package demo

import "strings"

// maxExample bounds the nesting of a made-up value: schemas may refer to
// themselves.
const maxExample = 16

// example makes a value that a JSON Schema accepts, from its types, enums,
// bounds and required members; text is what strings are made of. A schema that
// asks for more (patterns, conditions) may get a value it refuses.
func example(schema map[string]any, text string) any {
	e := exampler{root: schema, text: text}
	if len(schema) == 0 {
		return map[string]any{}
	}
	return e.value(schema, 0)
}

type exampler struct {
	root map[string]any
	text string
}

func (e exampler) value(schema map[string]any, depth int) any {
	if depth > maxExample {
		return nil
	}
	for _, name := range []string{"const", "default"} {
		if v, ok := schema[name]; ok {
			return v
		}
	}
	for _, name := range []string{"enum", "examples"} {
		if list, _ := schema[name].([]any); len(list) > 0 {
			return list[0]
		}
	}
	if ref, ok := schema["$ref"].(string); ok {
		return e.value(e.resolve(ref), depth+1)
	}
	for _, name := range []string{"anyOf", "oneOf", "allOf"} {
		if list, _ := schema[name].([]any); len(list) > 0 {
			first, _ := list[0].(map[string]any)
			return e.value(first, depth+1)
		}
	}
	return e.typed(schema, depth)
}

// resolve follows a reference within the schema.
func (e exampler) resolve(ref string) map[string]any {
	at := e.root
	for _, name := range strings.Split(strings.TrimPrefix(strings.TrimPrefix(ref, "#"), "/"), "/") {
		if name == "" {
			continue
		}
		at, _ = at[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)].(map[string]any)
	}
	return at
}

// typed makes a value by the schema's type, the first of several.
func (e exampler) typed(schema map[string]any, depth int) any {
	kind, _ := schema["type"].(string)
	if list, _ := schema["type"].([]any); len(list) > 0 {
		kind, _ = list[0].(string)
	}
	if kind == "" && schema["properties"] != nil {
		kind = "object"
	}
	switch kind {
	case "object":
		return e.object(schema, depth)
	case "array":
		items, _ := schema["items"].(map[string]any)
		list := make([]any, max(1, int(bound(schema, "minItems", 1))))
		for i := range list {
			list[i] = e.value(items, depth+1)
		}
		return list[:min(len(list), 100)]
	case "integer", "number":
		n := bound(schema, "minimum", bound(schema, "exclusiveMinimum", 0)+1)
		return min(n, bound(schema, "maximum", n))
	case "boolean":
		return true
	case "null":
		return nil
	}
	return e.str(schema)
}

// object gives every property a value, so that an example shows them all.
func (e exampler) object(schema map[string]any, depth int) map[string]any {
	out := map[string]any{}
	properties, _ := schema["properties"].(map[string]any)
	for name, p := range properties {
		property, _ := p.(map[string]any)
		if !required(schema, name) && depth+2 > maxExample/2 {
			continue
		}
		out[name] = e.value(property, depth+1)
	}
	return out
}

func required(schema map[string]any, name string) bool {
	list, _ := schema["required"].([]any)
	for _, v := range list {
		if v == name {
			return true
		}
	}
	return false
}

// formats are sample strings of the formats that tools use.
var formats = map[string]string{
	"date": "2026-01-31", "date-time": "2026-01-31T12:00:00Z", "time": "12:00:00Z", "email": "demo@example.com",
	"uri": "https://example.com/", "uuid": "00000000-0000-4000-8000-000000000000", "ipv4": "192.0.2.1", "hostname": "example.com",
}

func (e exampler) str(schema map[string]any) string {
	if format, _ := schema["format"].(string); formats[format] != "" {
		return formats[format]
	}
	s := []rune(e.text)
	if len(s) == 0 {
		s = []rune("demo")
	}
	for least := int(min(bound(schema, "minLength", 0), 10_000)); len(s) < least; {
		s = append(s, '.')
	}
	if most := int(bound(schema, "maxLength", float64(len(s)))); most >= 0 && len(s) > most {
		s = s[:most]
	}
	return string(s)
}

// bound reads a numeric keyword.
func bound(schema map[string]any, name string, def float64) float64 {
	if n, ok := schema[name].(float64); ok {
		return n
	}
	return def
}
