package plugin

// complete fills absent members with the schema's defaults, at any depth, so
// that a plugin sees what applies instead of guessing what zero meant. value
// has been validated against node and is changed in place.
func complete(node map[string]any, value any) {
	switch v := value.(type) {
	case []any:
		items, _ := node["items"].(map[string]any)
		for _, item := range v {
			complete(items, item)
		}
	case map[string]any:
		completeObject(node, v)
	}
}

func completeObject(node map[string]any, object map[string]any) {
	if values, ok := node["additionalProperties"].(map[string]any); ok {
		for _, member := range object {
			complete(values, member)
		}
		return
	}
	properties, _ := variantOf(node, object)["properties"].(map[string]any)
	for name, p := range properties {
		property := p.(map[string]any)
		if _, present := object[name]; !present {
			def, has := property["default"]
			if !has {
				continue
			}
			object[name] = cloneJSON(def)
		}
		complete(property, object[name])
	}
}

// variantOf returns the branch of a union that the object chose, or the node
// itself when it is none.
func variantOf(node, object map[string]any) map[string]any {
	branches, ok := node["oneOf"].([]any)
	if !ok {
		return node
	}
	name := node["discriminator"].(map[string]any)["propertyName"].(string)
	for _, b := range branches {
		branch := b.(map[string]any)
		if branch["properties"].(map[string]any)[name].(map[string]any)["const"] == object[name] {
			return branch
		}
	}
	return nil
}

// cloneJSON copies a JSON value, so that completing one configuration never
// writes into the schema.
func cloneJSON(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = cloneJSON(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = cloneJSON(v[k])
		}
		return out
	}
	return v
}
