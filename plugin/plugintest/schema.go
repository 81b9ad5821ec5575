package plugintest

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/plugin"
)

// Schema checks a plugin's definition: its schema stays inside the dialect,
// every field has English and Chinese texts, there is a summary in both, and
// every example is valid and survives a round trip through JSON.
func Schema(t testing.TB, spec plugin.Spec) {
	t.Helper()
	r := Registry(t, spec)
	if err := plugin.CheckSchema(spec.Schema()); err != nil {
		t.Errorf("schema of %s: %v", spec.Name, err)
	}
	if spec.Summary == "" || spec.SummaryZH == "" {
		t.Errorf("%s: the summary is missing in English or Chinese", spec.Name)
	}
	if len(spec.Examples) == 0 {
		t.Errorf("%s has no example", spec.Name)
	}
	for _, example := range spec.Examples {
		var value any
		if err := json.Unmarshal(example, &value); err != nil {
			t.Fatalf("example of %s: %v", spec.Name, err)
		}
		again, err := json.Marshal(value)
		if err != nil {
			t.Fatalf("example of %s: %v", spec.Name, err)
		}
		if err := r.Validate(spec.Name, again); err != nil {
			t.Errorf("example %s of %s: %v", example, spec.Name, err)
		}
	}
	var document any
	if err := json.Unmarshal(spec.Schema(), &document); err != nil {
		t.Fatal(err)
	}
	checkTexts(t, spec.Name, document)
}

// Invalid checks that a configuration is refused as one, and that the error
// points at the field.
func Invalid(t testing.TB, spec plugin.Spec, config, field string) {
	t.Helper()
	err := Registry(t, spec).Validate(spec.Name, json.RawMessage(config))
	var e *sluice.Error
	if !errors.As(err, &e) || e.Code != sluice.CodePluginConfig || e.Field != field {
		t.Errorf("%s %s: got %v (field %q), want %s at %q", spec.Name, config, err, fieldOf(e), sluice.CodePluginConfig, field)
	}
}

func fieldOf(e *sluice.Error) string {
	if e == nil {
		return ""
	}
	return e.Field
}

// checkTexts walks a schema and checks that every property has its texts.
func checkTexts(t testing.TB, at string, node any) {
	t.Helper()
	switch node := node.(type) {
	case []any:
		for _, member := range node {
			checkTexts(t, at, member)
		}
	case map[string]any:
		properties, _ := node["properties"].(map[string]any)
		for name, p := range properties {
			property, _ := p.(map[string]any)
			hints, _ := property["x-sluice"].(map[string]any)
			i18n, _ := hints["i18n"].(map[string]any)
			en, _ := i18n["en"].(map[string]any)
			zh, _ := i18n["zh"].(map[string]any)
			if en["description"] == nil || zh["description"] == nil || zh["title"] == en["title"] {
				t.Errorf("%s/%s: a title or description is missing in English or Chinese", at, name)
			}
			checkTexts(t, at+"/"+name, property)
		}
		for _, inner := range []string{"items", "additionalProperties", "oneOf"} {
			checkTexts(t, at, node[inner])
		}
	}
}
