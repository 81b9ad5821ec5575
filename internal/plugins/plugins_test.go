package plugins_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/plugins"
	"github.com/sluicegate/sluice/plugin"
	"github.com/sluicegate/sluice/plugin/plugintest"
)

// spec returns a built-in plugin by name.
func spec(t testing.TB, name string) plugin.Spec {
	t.Helper()
	s, ok := plugintest.Registry(t, plugins.All()...).Lookup(name)
	if !ok {
		t.Fatalf("there is no plugin %s", name)
	}
	return s
}

// Losing this means that a built-in plugin cannot be shown in a form, in
// Chinese, or with an example that works.
func TestSchemas(t *testing.T) {
	for _, s := range plugins.All() {
		t.Run(s.Name, func(t *testing.T) { plugintest.Schema(t, s) })
	}
}

// Losing this means that a configuration which cannot work is stored, or that
// nobody is told which field it is.
func TestInvalidConfigurations(t *testing.T) {
	for _, c := range []struct{ plugin, config, field string }{
		{"key-auth", `{"hide_credential":true}`, "/hide_credential"},
		{"limit-count", `{"count":0}`, "/count"},
		{"limit-count", `{"window_seconds":2678401}`, "/window_seconds"},
		{"limit-count", `{"by":"user"}`, "/by"},
		{"limit-count", `{"by":"vars"}`, "/vars"},
		{"limit-count", `{"vars":["arg_x"]}`, "/vars"},
		{"limit-count", `{"rejected_code":200}`, "/rejected_code"},
		{"ip-restriction", `{}`, "/allow"},
		{"ip-restriction", `{"deny":["10.0.0.0/33"]}`, "/deny/0"},
		{"ip-restriction", `{"allow":["fe80::1%eth0"]}`, "/allow/0"},
		{"cors", `{"allow_credentials":true}`, "/allow_credentials"},
		{"cors", `{"allow_origins":["*"],"allow_credentials":true}`, "/allow_credentials"},
		{"cors", `{"allow_origin_regex":["("]}`, "/allow_origin_regex/0"},
		{"cors", `{"allow_methods":["get"]}`, "/allow_methods/0"},
		{"request-id", `{"header_name":"X Id"}`, "/header_name"},
		{"request-id", `{"header_name":"authorization"}`, "/header_name"},
		{"request-id", `{"header_name":"Content-Length"}`, "/header_name"},
		{"cors", `{"allow_origins":["https://a.example.com","app.example.com"]}`, "/allow_origins/1"},
		{"cors", `{"allow_origins":["https://a.example.com/"]}`, "/allow_origins/0"},
		{"limit-count", `{"by":"vars","vars":["arg_x","nonsense"]}`, "/vars/1"},
		{"access-record", `{"fields":["body"]}`, "/fields/0"},
		{"access-record", `{"queue":0}`, "/queue"},
	} {
		plugintest.Invalid(t, spec(t, c.plugin), c.config, c.field)
	}
}

// Losing this means that _meta.filter does not work with the built-in plugins,
// or that its mistakes are stored.
func TestFilters(t *testing.T) {
	r := plugintest.Registry(t, plugins.All()...).WithFilters(plugins.Filters)
	config := json.RawMessage(`{"deny":["0.0.0.0/0"],"_meta":{"filter":[["arg_env","==","prod"]]}}`)
	c, err := r.Compile(plugintest.Env(t), nil, plugin.Layer{Level: plugin.LevelRoute, Owner: "routes/1", Plugins: map[string]json.RawMessage{"ip-restriction": config}})
	if err != nil {
		t.Fatal(err)
	}
	for target, code := range map[string]sluice.Code{"/?env=prod": sluice.CodeForbidden, "/?env=dev": "", "/": ""} {
		if got := plugintest.RunChain(c, plugintest.Request("GET", target), plugintest.Answer{}); sluice.CodeOf(got.Err) != code {
			t.Errorf("%s: %v", target, got.Err)
		}
	}
	err = r.Validate("ip-restriction", json.RawMessage(`{"deny":["::/0"],"_meta":{"filter":[["a","===","b"]]}}`))
	if sluice.AsError(err).Field != "/_meta/filter" {
		t.Errorf("a bad filter: %v", err)
	}
}

// Losing this means that one misspelt word switches authentication off.
func TestFiltersRefuseUnknownVariables(t *testing.T) {
	registry := plugintest.Registry(t, plugins.All()...).WithFilters(plugins.Filters)
	for config, field := range map[string]string{
		`{"_meta":{"filter":[["request_methd","==","GET"]]}}`:  "/_meta/filter",
		`{"_meta":{"filter":[["http_","==","x"]]}}`:            "/_meta/filter",
		`{"_meta":{"filter":[["request_method","==","GET"]]}}`: "",
	} {
		err := registry.Validate("key-auth", []byte(config))
		var e *sluice.Error
		if errors.As(err, &e) != (field != "") || e != nil && e.Field != field {
			t.Errorf("%s: %v", config, err)
		}
	}
}
