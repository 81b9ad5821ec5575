package plugin

import (
	"encoding/json"
	"fmt"
	"slices"
)

// The keywords that the closed dialect allows per type. The console renders
// exactly these; anything else would be a field that no form can show.
var (
	everyKeyword = []string{"type", "title", "description", "default", "examples", "x-sluice"}
	keywords     = map[string][]string{
		"string":  {"format", "pattern", "minLength", "maxLength", "enum", "const"},
		"integer": {"minimum", "maximum"},
		"number":  {"minimum", "maximum"},
		"boolean": {},
		"array":   {"items", "minItems", "maxItems"},
		"object":  {"properties", "required", "additionalProperties", "minProperties", "maxProperties", "oneOf", "discriminator"},
	}
	hintNames = []string{"order", "group", "widget", "secret", "ref", "showIf", "i18n"}
)

// CheckSchema reports where a JSON Schema leaves the closed dialect: object,
// array, map, string (with format), number, boolean, enum and the union tagged
// by a const, with x-sluice hints. [Define] checks its own; tests and tools
// check documents. The error names the JSON pointer.
func CheckSchema(schema json.RawMessage) error {
	v, err := parseJSON(schema)
	if err != nil {
		return fmt.Errorf("read schema: %w", err)
	}
	node, ok := v.(map[string]any)
	if !ok || node["type"] != "object" {
		return fmt.Errorf("a configuration's schema must be an object")
	}
	return checkNode(node, "", 0)
}

// checkNode checks one schema and everything below it.
func checkNode(node map[string]any, at string, depth int) error {
	if depth > 2*maxSchemaDepth {
		return fmt.Errorf("%s: nested too deeply", at)
	}
	kind, _ := node["type"].(string)
	allowed, ok := keywords[kind]
	if !ok {
		return fmt.Errorf("%s/type: %v is not a type of the dialect", at, node["type"])
	}
	for name := range node {
		if !slices.Contains(allowed, name) && !slices.Contains(everyKeyword, name) {
			return fmt.Errorf("%s/%s: the keyword is outside the dialect for %s", at, name, kind)
		}
	}
	if err := checkHints(node, at); err != nil {
		return err
	}
	switch kind {
	case "string":
		return checkFormat(node, at)
	case "array":
		return checkChild(node["items"], at+"/items", depth)
	case "object":
		return checkObject(node, at, depth)
	}
	return nil
}

// checkObject tells the three shapes of an object apart: a union has oneOf, a
// map has a schema in additionalProperties, a struct forbids them.
func checkObject(node map[string]any, at string, depth int) error {
	if branches, ok := node["oneOf"].([]any); ok {
		return checkUnion(node, branches, at, depth)
	}
	properties, _ := node["properties"].(map[string]any)
	if values, isMap := node["additionalProperties"].(map[string]any); isMap {
		if properties != nil {
			return fmt.Errorf("%s: an object is either a map or has properties", at)
		}
		return checkNode(values, at+"/additionalProperties", depth+1)
	}
	if node["additionalProperties"] != false {
		return fmt.Errorf("%s/additionalProperties: must be false or a schema", at)
	}
	for name, child := range properties {
		if err := checkChild(child, at+"/properties/"+escapePointer(name), depth); err != nil {
			return err
		}
	}
	return nil
}

// checkUnion requires that every branch is an object with the discriminator as
// a required const.
func checkUnion(node map[string]any, branches []any, at string, depth int) error {
	tag, _ := node["discriminator"].(map[string]any)
	name, _ := tag["propertyName"].(string)
	if name == "" || len(branches) == 0 {
		return fmt.Errorf("%s: a union needs branches and a discriminator", at)
	}
	for i, b := range branches {
		where := fmt.Sprintf("%s/oneOf/%d", at, i)
		if err := checkChild(b, where, depth); err != nil {
			return err
		}
		branch := b.(map[string]any)
		properties, _ := branch["properties"].(map[string]any)
		field, _ := properties[name].(map[string]any)
		required, _ := branch["required"].([]any)
		if field["const"] == nil || !slices.Contains(required, any(name)) {
			return fmt.Errorf("%s: %q must be a required const", where, name)
		}
	}
	return nil
}

func checkChild(child any, at string, depth int) error {
	node, ok := child.(map[string]any)
	if !ok {
		return fmt.Errorf("%s: must be a schema", at)
	}
	return checkNode(node, at, depth+1)
}

func checkFormat(node map[string]any, at string) error {
	format, ok := node["format"].(string)
	if _, known := formats[format]; ok && !known {
		return fmt.Errorf("%s/format: %q is not a format of the dialect", at, format)
	}
	return nil
}

func checkHints(node map[string]any, at string) error {
	hints, ok := node["x-sluice"].(map[string]any)
	if !ok && node["x-sluice"] != nil {
		return fmt.Errorf("%s/x-sluice: must be an object", at)
	}
	for name := range hints {
		if !slices.Contains(hintNames, name) {
			return fmt.Errorf("%s/x-sluice/%s: the hint is unknown", at, name)
		}
	}
	return nil
}
