package gemini

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

const (
	// maxLowered bounds a lowered schema in bytes: references that are used
	// twice, in what is used twice, would grow without end.
	maxLowered = 1 << 20
	// maxLevels bounds its nesting, which references may deepen.
	maxLevels = 32
	// maxSteps bounds how many schemas are looked at.
	maxSteps = 100_000
)

// lowerSchema turns JSON Schema into Google's own dialect, which has no
// references, no types in lists, no constants and enums of text only. What it
// cannot say is left out, so that a lowered schema permits more, never less.
func lowerSchema(schema json.RawMessage, field string) (json.RawMessage, error) {
	l := lowering{doc: schema}
	l.schema(jsonscan.At(schema, 0), 0)
	if l.fault != "" {
		return nil, form.Refuse(field, "the schema cannot be expressed for the provider of this model: %s", l.fault)
	}
	return l.out.Bytes(), nil
}

// lowering is one schema on its way.
type lowering struct {
	doc   []byte
	out   bytes.Buffer
	steps int
	fault string
}

// shape is what is gathered of a schema before it is written: keywords of the
// schema itself, of what it refers to, and of all that it must match.
type shape struct {
	words      map[string]jsonscan.Value
	properties []property
	required   []string
	nullable   bool
	kinds      []string
	enum       []string
	options    []jsonscan.Value
}

// property is a named schema.
type property struct {
	name  string
	value jsonscan.Value
}

// copied are the keywords that mean the same in both dialects.
var copied = []string{
	"title", "description", "default", "pattern", "minLength", "maxLength", "minItems", "maxItems", "minProperties",
	"maxProperties", "minimum", "maximum",
}

// formats are those that Google knows, by type.
var formats = map[string]string{"STRING": "date-time enum", "NUMBER": "float double", "INTEGER": "int32 int64"}

// schema writes one schema.
func (l *lowering) schema(v jsonscan.Value, level int) {
	if level > maxLevels || l.out.Len() > maxLowered {
		l.fault = "it refers to itself, or is too large"
	}
	if l.fault != "" {
		return
	}
	s := shape{words: map[string]jsonscan.Value{}}
	l.gather(&s, v, level)
	to := members{out: &l.out}
	kind := s.kind()
	if kind == "" {
		l.options(&to, &s, level)
	} else {
		to.name("type")
		l.out.Write(mustJSON(kind))
		l.body(&to, &s, kind, level)
	}
	if s.nullable {
		to.name("nullable")
		l.out.WriteString("true")
	}
	for _, name := range copied {
		if word, ok := s.words[name]; ok {
			to.name(name)
			l.out.Write(word.In(l.doc))
		}
	}
	if word := s.words["format"]; word.Kind == jsonscan.String {
		text, _ := jsonscan.Text(l.doc, word)
		if slices.Contains(strings.Fields(formats[kind]), text) {
			to.name("format")
			l.out.Write(word.In(l.doc))
		}
	}
	to.end()
}

// body writes what depends on the type.
func (l *lowering) body(to *members, s *shape, kind string, level int) {
	switch kind {
	case "STRING":
		if len(s.enum) > 0 {
			to.name("enum")
			l.out.Write(mustJSON(s.enum))
		}
	case "ARRAY":
		to.name("items") // required
		if items := s.words["items"]; items.Kind == jsonscan.Object {
			l.schema(items, level+1)
		} else {
			l.out.WriteString(`{"type":"STRING"}`)
		}
	case "OBJECT":
		l.object(to, s, level)
	}
}

// object writes properties, in their order.
func (l *lowering) object(to *members, s *shape, level int) {
	if len(s.properties) == 0 {
		return
	}
	to.name("properties")
	inner := members{out: &l.out}
	var order, required []string
	for _, p := range s.properties {
		if slices.Contains(order, p.name) {
			continue
		}
		inner.name(p.name)
		l.schema(p.value, level+1)
		order = append(order, p.name)
	}
	inner.end()
	for _, name := range s.required {
		if slices.Contains(order, name) && !slices.Contains(required, name) {
			required = append(required, name)
		}
	}
	if len(required) > 0 {
		to.name("required")
		l.out.Write(mustJSON(required))
	}
	to.name("propertyOrdering")
	l.out.Write(mustJSON(order))
}

// options writes a choice of schemas: of those that are listed, or of types.
func (l *lowering) options(to *members, s *shape, level int) {
	to.name("anyOf")
	separator := "["
	for _, v := range s.options {
		l.out.WriteString(separator)
		separator = ","
		l.schema(v, level+1)
	}
	if len(s.options) == 0 {
		for _, kind := range s.kinds {
			l.out.WriteString(separator)
			separator = ","
			to := members{out: &l.out}
			to.name("type")
			l.out.Write(mustJSON(kind))
			l.body(&to, s, kind, level)
			to.end()
		}
	}
	l.out.WriteByte(']')
}

// kind is the type of a schema, "" when it is a choice.
func (s *shape) kind() string {
	switch {
	case len(s.options) > 0 || len(s.kinds) > 1:
		return ""
	case len(s.kinds) == 1:
		return s.kinds[0]
	case len(s.properties) > 0:
		return "OBJECT"
	case s.words["items"].Kind == jsonscan.Object:
		return "ARRAY"
	}
	return "STRING" // some type is required
}

// gather collects what a schema says.
func (l *lowering) gather(s *shape, v jsonscan.Value, level int) {
	if l.steps++; level > maxLevels || l.steps > maxSteps {
		l.fault = "it refers to itself, or is too large"
	}
	if l.fault != "" {
		return
	}
	for m := v.Members(l.doc); m.Next(); {
		name, value := string(m.Key()), m.Value()
		switch name {
		case "$ref":
			l.gather(s, l.referred(value), level+1)
		case "allOf":
			for e := value.Elements(l.doc); e.Next(); {
				l.gather(s, e.Value(), level+1)
			}
		case "anyOf", "oneOf":
			l.alternatives(s, value, level)
		case "type":
			l.types(s, value)
		case "enum":
			for e := value.Elements(l.doc); e.Next(); {
				l.constant(s, e.Value())
			}
		case "const":
			l.constant(s, value)
		case "properties":
			for p := value.Members(l.doc); p.Next(); {
				s.properties = append(s.properties, property{string(p.Key()), p.Value()})
			}
		case "required":
			for e := value.Elements(l.doc); e.Next(); {
				if text, ok := jsonscan.Text(l.doc, e.Value()); ok {
					s.required = append(s.required, text)
				}
			}
		case "exclusiveMinimum", "exclusiveMaximum":
			if value.Kind == jsonscan.Number {
				s.words[strings.ToLower(name[len("exclusive"):])] = value
			}
		default:
			s.words[name] = value
		}
	}
}

// alternatives takes a choice of schemas; null among them only makes it
// nullable, and a single one that is left is no choice.
func (l *lowering) alternatives(s *shape, list jsonscan.Value, level int) {
	var options []jsonscan.Value
	for e := list.Elements(l.doc); e.Next(); {
		if jsonscan.Is(l.doc, jsonscan.Find(l.doc, e.Value(), "type"), "null") {
			s.nullable = true
			continue
		}
		options = append(options, e.Value())
	}
	if len(options) == 1 {
		l.gather(s, options[0], level+1)
		return
	}
	s.options = append(s.options, options...)
}

// types takes a type, or a list of them.
func (l *lowering) types(s *shape, v jsonscan.Value) {
	take := func(v jsonscan.Value) {
		text, ok := jsonscan.Text(l.doc, v)
		kind := strings.ToUpper(text)
		switch {
		case !ok || slices.Contains(s.kinds, kind):
		case kind == "NULL":
			s.nullable = true
		default:
			s.kinds = append(s.kinds, kind)
		}
	}
	if v.Kind != jsonscan.Array {
		take(v)
		return
	}
	for e := v.Elements(l.doc); e.Next(); {
		take(e.Value())
	}
}

// constant takes one value that is allowed; only text can be listed.
func (l *lowering) constant(s *shape, v jsonscan.Value) {
	switch v.Kind {
	case jsonscan.String:
		text, _ := jsonscan.Text(l.doc, v)
		s.enum = append(s.enum, text)
	case jsonscan.Null:
		s.nullable = true
	case jsonscan.Number:
		if len(s.kinds) == 0 {
			s.kinds = []string{"NUMBER"}
		}
	case jsonscan.True, jsonscan.False:
		if len(s.kinds) == 0 {
			s.kinds = []string{"BOOLEAN"}
		}
	}
}

// referred is the schema that a reference within the document points at.
func (l *lowering) referred(v jsonscan.Value) jsonscan.Value {
	text, _ := jsonscan.Text(l.doc, v)
	path, ok := strings.CutPrefix(text, "#")
	at := jsonscan.At(l.doc, 0)
	for _, step := range strings.Split(strings.TrimPrefix(path, "/"), "/") {
		if step == "" {
			continue
		}
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		at = jsonscan.Find(l.doc, at, step)
	}
	if !ok || at.Kind != jsonscan.Object {
		l.fault = "it refers to " + clip(text) + ", which is not in it"
	}
	return at
}
