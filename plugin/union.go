package plugin

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// Variants lists the structs that a [OneOf] may hold. Each has one field with a
// const tag, of the same JSON name in all, that tells them apart:
//
//	type Local struct {
//		Kind string `json:"kind" const:"local"`
//	}
type Variants interface {
	// Variants returns a zero value of every variant.
	Variants() []any
}

// OneOf is a configuration field that is one of several structs, told apart by
// a const field: the tagged union of the schema dialect. V only lists them and
// is never stored.
type OneOf[V Variants] struct {
	// Value points at the variant that was configured; nil when the field was
	// absent.
	Value any
}

// union is how the generator recognises a OneOf.
type union interface{ variants() []any }

func (*OneOf[V]) variants() []any {
	var v V
	return v.Variants()
}

// UnmarshalJSON decodes the variant that the discriminator names.
func (o *OneOf[V]) UnmarshalJSON(b []byte) error {
	for _, v := range o.variants() {
		name, want, err := discriminator(reflect.TypeOf(v))
		if err != nil {
			return err
		}
		var tag map[string]json.RawMessage
		if err := json.Unmarshal(b, &tag); err != nil {
			return err
		}
		var got string
		if json.Unmarshal(tag[name], &got) == nil && got == want {
			target := reflect.New(reflect.TypeOf(v))
			o.Value = target.Interface()
			return json.Unmarshal(b, o.Value)
		}
	}
	return fmt.Errorf("no variant fits")
}

// MarshalJSON encodes the variant.
func (o OneOf[V]) MarshalJSON() ([]byte, error) { return json.Marshal(o.Value) }

// unionNode generates a oneOf whose branches differ by a const.
func unionNode(u union, depth int) (map[string]any, error) {
	var branches []any
	var common string
	for _, v := range u.variants() {
		t := reflect.TypeOf(v)
		name, value, err := discriminator(t)
		if err != nil {
			return nil, err
		}
		if common != "" && common != name {
			return nil, fmt.Errorf("%s: the discriminator is %q, other variants use %q", t, name, common)
		}
		common = name
		branch, err := structNode(t, depth+1)
		if err != nil {
			return nil, err
		}
		branch["title"] = value
		branches = append(branches, branch)
	}
	return map[string]any{"type": "object", "oneOf": branches, "discriminator": map[string]any{"propertyName": common}}, nil
}

// discriminator returns the JSON name and value of a variant's const field.
func discriminator(t reflect.Type) (name, value string, err error) {
	if t.Kind() != reflect.Struct {
		return "", "", fmt.Errorf("variant %s is not a struct", t)
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if v, ok := f.Tag.Lookup("const"); ok {
			name, _, _ = strings.Cut(f.Tag.Get("json"), ",")
			return name, v, nil
		}
	}
	return "", "", fmt.Errorf("variant %s has no field with a const tag", t)
}
