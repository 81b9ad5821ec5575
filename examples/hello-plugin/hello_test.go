package main

import (
	"testing"

	"github.com/sluicegate/sluice/plugin/plugintest"
)

// Losing this means that the console cannot show the plugin's form.
func TestSchema(t *testing.T) { plugintest.Schema(t, Hello()) }

// Losing this means that nobody is greeted.
func TestHello(t *testing.T) {
	for config, want := range map[string]string{`{}`: "Hello, world!", `{"name":"Ada"}`: "Hello, Ada!"} {
		got := plugintest.Run(t, Hello(), config, plugintest.Request("GET", "/"), plugintest.Answer{Chunks: []string{"body"}})
		if got.Err != nil || got.Fields.Get("X-Hello") != want || got.Body != "body" {
			t.Errorf("%s: %q, body %q, %v", config, got.Fields.Get("X-Hello"), got.Body, got.Err)
		}
	}
}

// Losing this means that a mistyped configuration is accepted.
func TestInvalid(t *testing.T) {
	plugintest.Invalid(t, Hello(), `{"nmae":"Ada"}`, "/nmae")
	plugintest.Invalid(t, Hello(), `{"header":"not a header"}`, "/header")
}
