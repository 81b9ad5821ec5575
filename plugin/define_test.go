package plugin_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/plugin"
	"github.com/sluicegate/sluice/plugin/plugintest"
)

var update = flag.Bool("update", false, "rewrite golden files")

// full is a configuration that uses the whole dialect.
type full struct {
	Word    string                 `json:"word" minLength:"1" maxLength:"8" title:"Word" title_zh:"词" doc:"A word." doc_zh:"一个词。"`
	Mode    string                 `json:"mode,omitempty" enum:"fast,safe" default:"safe"`
	Count   int                    `json:"count,omitempty" minimum:"1" maximum:"5" default:"3"`
	Ratio   float64                `json:"ratio,omitempty" minimum:"0" maximum:"1" example:"0.5"`
	On      bool                   `json:"on,omitempty" default:"true"`
	Nets    []string               `json:"nets,omitempty" format:"cidr" maxItems:"2"`
	Labels  map[string]string      `json:"labels,omitempty" maxLength:"4" maxItems:"2" sluice:"group=more;widget=pairs"`
	Secret  string                 `json:"secret,omitempty" pattern:"^s" sluice:"secret;ref=groups;showIf=mode:safe;order=9"`
	Inner   inner                  `json:"inner,omitzero" default:"{}"`
	Many    []inner                `json:"many,omitempty"`
	Backend plugin.OneOf[backends] `json:"backend,omitzero"`
}

type inner struct {
	Depth *int64 `json:"depth,omitempty" default:"7" minimum:"1"`
}

type backends struct{}

func (backends) Variants() []any { return []any{localBackend{}, remoteBackend{}} }

type localBackend struct {
	Kind string `json:"kind" const:"local"`
	Size int    `json:"size,omitempty" default:"10"`
}

type remoteBackend struct {
	Kind string `json:"kind" const:"remote"`
	URL  string `json:"url" format:"uri"`
}

// keeper keeps its configuration for the test to see.
type keeper struct{ cfg full }

func (*keeper) Log(*plugin.Exchange, *sluice.Record) {}

// keeping defines a plugin that shows the test what it was configured with.
func keeping(seen *full) plugin.Spec {
	return plugin.Define("full", "Uses the whole dialect.", 1, func(cfg full, _ plugin.Env) (plugin.Plugin, error) {
		*seen = cfg
		if cfg.Word == "bad" {
			return nil, errors.New("the word is bad")
		}
		return &keeper{cfg}, nil
	})
}

// Losing this means that forms, documentation and validation silently change
// for every plugin.
func TestSchemaGolden(t *testing.T) {
	var seen full
	spec := keeping(&seen)
	var got bytes.Buffer
	if err := json.Indent(&got, spec.Schema(), "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	golden := filepath.Join("testdata", "full.schema.json")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the schema changed; run with -update and review:\n%s", got.Bytes())
	}
	if err := plugin.CheckSchema(spec.Schema()); err != nil {
		t.Errorf("the schema leaves its own dialect: %v", err)
	}
}

// Losing this means that a plugin guesses what zero meant, at any depth.
func TestDefaultsAreFilledIn(t *testing.T) {
	var seen full
	r := plugintest.Registry(t, keeping(&seen))
	config := `{"word":"hi","many":[{},{"depth":2}],"backend":{"kind":"local"}}`
	if err := r.Validate("full", json.RawMessage(config)); err != nil {
		t.Fatal(err)
	}
	if seen.Mode != "safe" || seen.Count != 3 || !seen.On || *seen.Inner.Depth != 7 || *seen.Many[0].Depth != 7 || *seen.Many[1].Depth != 2 {
		t.Errorf("got %+v", seen)
	}
	if b, ok := seen.Backend.Value.(*localBackend); !ok || b.Size != 10 {
		t.Errorf("backend %#v", seen.Backend.Value)
	}
	if err := r.Validate("full", json.RawMessage(`{"word":"hi","on":false,"count":1}`)); err != nil {
		t.Fatal(err)
	}
	if seen.On || seen.Count != 1 || seen.Backend.Value != nil {
		t.Errorf("explicit values were overridden: %+v", seen)
	}
}

// Losing this means that a mistake in a configuration passes, or that nobody
// learns which field it was.
func TestValidateNamesTheField(t *testing.T) {
	var seen full
	r := plugintest.Registry(t, keeping(&seen))
	for _, c := range []struct{ config, field, says string }{
		{`{`, "", "not valid JSON"},
		{`{} {}`, "", "not valid JSON"},
		{`[]`, "", "must be an object"},
		{`null`, "", "must be an object"},
		{`{}`, "/word", "is required"},
		{`{"word":1}`, "/word", "must be a string, not number"},
		{`{"word":""}`, "/word", "at least 1 characters"},
		{`{"word":"far too long"}`, "/word", "at most 8 characters"},
		{`{"word":"x","Mode":"fast"}`, "/Mode", "not a known field"},
		{`{"word":"x","wrod/~":1}`, "/wrod~1~0", "not a known field"},
		{`{"word":"x","mode":"slow"}`, "/mode", "one of fast, safe"},
		{`{"word":"x","count":0}`, "/count", "at least 1"},
		{`{"word":"x","count":6}`, "/count", "at most 5"},
		{`{"word":"x","count":1.5}`, "/count", "an integer"},
		{`{"word":"x","on":"yes"}`, "/on", "a boolean"},
		{`{"word":"x","on":null}`, "/on", "not null"},
		{`{"word":"x","nets":["10.0.0.0/8","nowhere"]}`, "/nets/1", "an IP address or a network"},
		{`{"word":"x","nets":["::1","::1","::1"]}`, "/nets", "at most 2 items"},
		{`{"word":"x","labels":{"a":"toolong"}}`, "/labels/a", "at most 4"},
		{`{"word":"x","labels":{"a":"","b":"","c":""}}`, "/labels", "at most 2 entries"},
		{`{"word":"x","secret":"x"}`, "/secret", "must match ^s"},
		{`{"word":"x","many":[{"depth":0}]}`, "/many/0/depth", "at least 1"},
		{`{"word":"x","many":[{"depth":9223372036854775808}]}`, "/many/depth", "out of range"},
		{`{"word":"x","backend":{"kind":"remote"}}`, "/backend/url", "is required"},
		{`{"word":"x","backend":{"kind":"remote","url":"ftp://x"}}`, "/backend/url", "http(s)"},
		{`{"word":"x","backend":{"kind":"local","url":"http://x"}}`, "/backend/url", "not a known field"},
		{`{"word":"x","backend":{"kind":"cloud"}}`, "/backend/kind", "another variant"},
		{`{"word":"bad"}`, "", "the word is bad"},
		{`{"word":"x","_meta":[]}`, "/_meta", "must be an object"},
		{`{"word":"x","_meta":{"disabled":true}}`, "/_meta", "must be an object"},
		{`{"word":"x","_meta":{"priority":1000001}}`, "/_meta/priority", "must be"},
		{`{"word":"x","_meta":{"error_response":7}}`, "/_meta/error_response", "object or a string"},
		{`{"word":"x","_meta":{"filter":[["a","==","b"]]}}`, "/_meta/filter", "not available"},
		{`{"word":"` + strings.Repeat("x", 257<<10) + `"}`, "", "larger than"},
	} {
		err := r.ValidateAll(map[string]json.RawMessage{"full": json.RawMessage(c.config)})
		var e *sluice.Error
		if !errors.As(err, &e) || e.Code != sluice.CodePluginConfig || e.Field != "/plugins/full"+c.field || !strings.Contains(e.Message, c.says) {
			t.Errorf("%.80s: got %v at %q, want %q at %q", c.config, err, sluice.AsError(err).Field, c.says, c.field)
		}
	}
	err := r.ValidateAll(map[string]json.RawMessage{"nope": json.RawMessage(`{}`)})
	if sluice.CodeOf(err) != sluice.CodePluginConfig || sluice.AsError(err).Field != "/plugins/nope" {
		t.Errorf("an unknown plugin: %v", err)
	}
	for _, config := range []string{`{"_meta":{"disable":true}}`, `{"word":"x","_meta":{"disable":false,"priority":5,"error_response":{"a":1}}}`} {
		if err := r.Validate("full", json.RawMessage(config)); err != nil {
			t.Errorf("%s: %v", config, err)
		}
	}
}

type badChan struct {
	C chan int `json:"c"`
}
type badName struct {
	C int
}
type badHint struct {
	C int `json:"c" sluice:"colour=red"`
}
type badFormat struct {
	C string `json:"c" format:"sha1"`
}
type badLoop struct {
	Next []badLoop `json:"next,omitempty"`
}
type badVariants struct{}

func (badVariants) Variants() []any { return []any{inner{}} }

type badUnion struct {
	U plugin.OneOf[badVariants] `json:"u"`
}

func defined[C any](name string, opts ...plugin.Option) plugin.Spec {
	return plugin.Define(name, "", 1, func(C, plugin.Env) (plugin.Plugin, error) { return &keeper{}, nil }, opts...)
}

// Losing this means that an author learns of a mistake in a definition from a
// panic in production, or never.
func TestNewRefusesFaultyDefinitions(t *testing.T) {
	for says, specs := range map[string][]plugin.Spec{
		"cannot be configured":  {defined[badChan]("a")},
		"named by its json tag": {defined[badName]("a")},
		`hint "colour"`:         {defined[badHint]("a")},
		"not a format":          {defined[badFormat]("a")},
		"nested deeper":         {defined[badLoop]("a")},
		"const tag":             {defined[badUnion]("a")},
		"must be a struct":      {defined[int]("a")},
		"must match":            {defined[inner]("A b")},
		"is taken":              {defined[inner]("a"), defined[inner]("a")},
		"not made by Define":    {{Name: "a"}},
		"example 0":             {defined[inner]("a", plugin.Example(`{"depth":0}`))},
	} {
		if _, err := plugin.New(specs...); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}

// nothing runs in no phase; a value cannot keep anything apart.
type nothing struct{}
type onlyWhole struct{ plugin.Whole }

// Losing this means that a plugin is configured, shown as active, and never runs.
func TestPluginsMustRunSomewhere(t *testing.T) {
	for says, made := range map[string]plugin.Plugin{"no phase": &nothing{}, "ResolveResponse": &onlyWhole{}, "want a pointer": keeper{}, "got <nil>": nil} {
		spec := plugin.Define("a", "", 1, func(inner, plugin.Env) (plugin.Plugin, error) { return made, nil })
		err := plugintest.Registry(t, spec).Validate("a", json.RawMessage(`{}`))
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}

// Losing this means that a schema which no form can show reaches the console.
func TestCheckSchemaRefuses(t *testing.T) {
	for schema, says := range map[string]string{
		`[]`:                "must be an object",
		`{"type":"string"}`: "must be an object",
		`{"type":"object"}`: "/additionalProperties",
		`{"type":"object","additionalProperties":true}`:                                                                   "/additionalProperties",
		`{"type":"object","additionalProperties":false,"$ref":"#"}`:                                                       "/$ref",
		`{"type":"object","additionalProperties":false,"properties":{"a":{"type":["string","null"]}}}`:                    "/properties/a/type",
		`{"type":"object","additionalProperties":false,"properties":{"a":{"type":"string","format":"ipv9"}}}`:             "/properties/a/format",
		`{"type":"object","additionalProperties":false,"properties":{"a":{"type":"array"}}}`:                              "/properties/a/items",
		`{"type":"object","additionalProperties":false,"properties":{"a":true}}`:                                          "/properties/a",
		`{"type":"object","additionalProperties":false,"x-sluice":{"colour":"red"}}`:                                      "/x-sluice/colour",
		`{"type":"object","additionalProperties":false,"x-sluice":3}`:                                                     "/x-sluice",
		`{"type":"object","additionalProperties":{"type":"string"},"properties":{}}`:                                      "either a map",
		`{"type":"object","oneOf":[],"discriminator":{"propertyName":"k"}}`:                                               "needs branches",
		`{"type":"object","discriminator":{"propertyName":"k"},"oneOf":[{"type":"object","additionalProperties":false}]}`: "required const",
		`{"type":"object","additionalProperties":{"type":"object","additionalProperties":{"type":"tuple"}}}`:              "/additionalProperties/additionalProperties/type",
	} {
		if err := plugin.CheckSchema(json.RawMessage(schema)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %q", schema, err, says)
		}
	}
}

// Losing this means that a configuration from outside can crash control.
func FuzzValidate(f *testing.F) {
	f.Add(`{"word":"x","backend":{"kind":"local"},"_meta":{"disable":true}}`)
	f.Add(`{"word":"x","many":[{}],"labels":{"a":"b"}}`)
	f.Add(`{"backend":{"kind":{}}}`)
	var seen full
	r, err := plugin.New(keeping(&seen))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, config string) {
		err := r.Validate("full", json.RawMessage(config))
		if err != nil && sluice.CodeOf(err) != sluice.CodePluginConfig {
			t.Fatalf("%s: %v", config, err)
		}
	})
}
