package plugin_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/plugin"
	"github.com/sluicegate/sluice/plugin/plugintest"
)

// stepConfig tells a step what to do and where.
type stepConfig struct {
	Tag string `json:"tag,omitempty"`
	Do  string `json:"do,omitempty"` // phase:action
}

// step is a plugin of all phases that notes each call in the field "Steps".
type step struct {
	name string
	cfg  stepConfig
}

func (s *step) note(x *plugin.Exchange, phase string) error {
	word := s.name + s.cfg.Tag + "." + phase
	x.Request.Fields.Set("Steps", strings.TrimSpace(x.Request.Fields.Get("Steps")+" "+word))
	at, action, _ := strings.Cut(s.cfg.Do, ":")
	if at != phase {
		return nil
	}
	switch action {
	case "panic":
		panic("on purpose")
	case "respond":
		x.Respond(299, nil, []byte("from "+word))
	case "refuse":
		return sluice.Errorf(sluice.CodeForbidden, "%s refused", word)
	case "fail":
		return errors.New("a fault of its own")
	case "consumer":
		x.Consumer.Key = plugintest.Consumer(5, "key")
	}
	return nil
}

func (s *step) Access(x *plugin.Exchange) error       { return s.note(x, "access") }
func (s *step) HeaderFilter(x *plugin.Exchange) error { return s.note(x, "header") }
func (s *step) Log(x *plugin.Exchange, _ *sluice.Record) {
	if err := s.note(x, "log"); err != nil {
		panic(err)
	}
}
func (s *step) BodyFilter(x *plugin.Exchange, chunk []byte, last bool) ([]byte, error) {
	return chunk, s.note(x, "body")
}

func stepSpec(name string, priority int, opts ...plugin.Option) plugin.Spec {
	return plugin.Define(name, "Notes its calls.", priority, func(cfg stepConfig, env plugin.Env) (plugin.Plugin, error) {
		return &step{name, cfg}, nil
	}, opts...)
}

// steps are five plugins: b before a by priority, auth and early ones.
func steps(t *testing.T) *plugin.Registry {
	return plugintest.Registry(t, stepSpec("a", 10), stepSpec("b", 20), stepSpec("c", 5),
		stepSpec("auth", 100, plugin.Authenticates()), stepSpec("early", 50, plugin.BeforeConsumer()))
}

func layer(level plugin.Level, owner string, configs ...string) plugin.Layer {
	l := plugin.Layer{Level: level, Owner: owner, Plugins: map[string]json.RawMessage{}}
	for i := 0; i < len(configs); i += 2 {
		l.Plugins[configs[i]] = json.RawMessage(configs[i+1])
	}
	return l
}

func compile(t *testing.T, r *plugin.Registry, layers ...plugin.Layer) *plugin.Chain {
	t.Helper()
	c, err := r.Compile(plugintest.Env(t), nil, layers...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ran(x *plugin.Exchange) string { return x.Request.Fields.Get("Steps") }

// Losing this means that plugins run in the wrong order: limits before
// authentication, a key's own settings ignored, global rules skipped.
func TestOrderAndPrecedence(t *testing.T) {
	r := steps(t)
	layers := []plugin.Layer{
		layer(plugin.LevelConsumer, "keys/5", "a", `{"tag":"-key"}`, "auth", `{"tag":"-key"}`, "early", `{"tag":"-key"}`),
		layer(plugin.LevelRoute, "routes/1", "a", `{"tag":"-route"}`, "b", `{"tag":"-route"}`, "auth", `{"tag":"-route"}`, "early", `{"tag":"-route"}`),
		layer(plugin.LevelGroup, "groups/2", "a", `{"tag":"-group"}`, "b", `{"tag":"-group"}`),
		layer(plugin.LevelConfig, "plugin-configs/3", "b", `{"tag":"-config"}`, "c", `{"tag":"-config","_meta":{"priority":15}}`),
		layer(plugin.LevelService, "services/4", "c", `{"tag":"-service"}`),
		layer(plugin.LevelGlobal, "global", "a", `{"tag":"-global"}`, "c", `{"tag":"-global"}`),
	}
	for _, c := range []struct {
		name   string
		layers []plugin.Layer
		run    func(*plugin.Chain, *plugin.Exchange) error
		want   string
	}{
		{"auth stage of the route", layers[1:2], (*plugin.Chain).Auth, "auth-route.access early-route.access"},
		{"access stage of the route", layers[1:2], (*plugin.Chain).Access, "b-route.access a-route.access"},
		{"access stage of everything", layers, (*plugin.Chain).Access,
			"a-global.access c-global.access early-key.access b-group.access c-config.access a-key.access"},
	} {
		x := plugintest.Request("GET", "/")
		if err := c.run(compile(t, r, c.layers...), x); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := ran(x); got != c.want {
			t.Errorf("%s ran\n%s, want\n%s", c.name, got, c.want)
		}
	}
	disabled := append(layers[1:2:2], layer(plugin.LevelConsumer, "keys/5", "b", `{"_meta":{"disable":true}}`))
	x := plugintest.Request("GET", "/")
	if err := compile(t, r, disabled...).Access(x); err != nil || ran(x) != "a-route.access" {
		t.Errorf("with b disabled: %q, %v", ran(x), err)
	}
}

// Losing this means that the phases a request meets depend on chance, or that
// operators cannot see what ran, how it decided and how long it took.
func TestPhasesAndTrace(t *testing.T) {
	c := compile(t, steps(t), layer(plugin.LevelRoute, "routes/1", "a", `{}`, "b", `{}`))
	x := plugintest.Request("GET", "/")
	got := plugintest.RunChain(c, x, plugintest.Answer{Chunks: []string{"one", "two"}})
	want := "b.access a.access b.header a.header b.body a.body b.body a.body b.body a.body b.log a.log"
	if ran(x) != want || got.Body != "onetwo" || got.Err != nil {
		t.Errorf("ran %s, body %q, %v", ran(x), got.Body, got.Err)
	}
	var trace []string
	for _, p := range got.Trace {
		trace = append(trace, p.Plugin+"."+p.Phase)
	}
	if want := []string{"b.access", "a.access", "b.header_filter", "a.header_filter", "b.body_filter", "a.body_filter", "b.log", "a.log"}; !slices.Equal(trace, want) {
		t.Errorf("trace %v: body_filter has one entry, whatever the number of pieces", trace)
	}
}

// Losing this means that one plugin's fault crashes the gateway, is blamed on
// nobody, or lets a request pass that a plugin would have refused.
func TestDecisions(t *testing.T) {
	for _, c := range []struct {
		do, ran, decision string
		code              sluice.Code
		status            int
	}{
		{"access:respond", "b.access b.header a.header b.body a.body b.body a.body b.log a.log", "responded", "", 299},
		{"access:refuse", "b.access b.header a.header b.body a.body b.log a.log", "AUTH_002", sluice.CodeForbidden, 403},
		{"access:fail", "b.access b.header a.header b.body a.body b.log a.log", "COMMON_003", sluice.CodeInternal, 500},
		{"access:panic", "b.access b.header a.header b.body a.body b.log a.log", "COMMON_003", sluice.CodeInternal, 500},
		{"header:panic", "b.access a.access b.header b.log a.log", "COMMON_003", sluice.CodeInternal, 200},
		{"body:refuse", "b.access a.access b.header a.header b.body b.log a.log", "AUTH_002", sluice.CodeForbidden, 200},
		{"log:panic", "b.access a.access b.header a.header b.body a.body b.log a.log", "COMMON_003", "", 200},
	} {
		x := plugintest.Request("GET", "/")
		chain := compile(t, steps(t), layer(plugin.LevelRoute, "routes/1", "a", `{}`, "b", fmt.Sprintf(`{"do":%q}`, c.do)))
		got := plugintest.RunChain(chain, x, plugintest.Answer{})
		if ran(x) != c.ran || sluice.CodeOf(got.Err) != c.code || got.Status != c.status {
			t.Errorf("%s: ran %s, status %d, %v", c.do, ran(x), got.Status, got.Err)
		}
		decided := slices.ContainsFunc(got.Trace, func(p sluice.PluginTrace) bool { return p.Plugin == "b" && p.Decision == c.decision })
		if !decided {
			t.Errorf("%s: trace %+v lacks %s", c.do, got.Trace, c.decision)
		}
		if strings.HasSuffix(c.do, "panic") && c.code != "" {
			if err := sluice.AsError(got.Err); err.Message != "internal error" || !strings.Contains(err.Error(), "plugin b panicked") {
				t.Errorf("%s: the client sees %q, the operator %v", c.do, err.Message, err)
			}
		}
	}
}

// Losing this means that a panic in the log phase goes unnoticed.
func TestLogPanicIsLogged(t *testing.T) {
	var log bytes.Buffer
	env := plugintest.Env(t)
	env.Log = slog.New(slog.NewTextHandler(&log, nil))
	c, err := steps(t).Compile(env, nil, layer(plugin.LevelRoute, "routes/1", "a", `{"do":"log:panic"}`))
	if err != nil {
		t.Fatal(err)
	}
	c.Log(plugintest.Request("GET", "/"), &sluice.Record{})
	if !strings.Contains(log.String(), "plugin=a") || !strings.Contains(log.String(), "on purpose") {
		t.Errorf("log: %s", log.String())
	}
}

// Losing this means that an auth plugin's answer (a login page, a preflight) is
// followed by plugins that were not to run.
func TestRespondInAuthEndsAccess(t *testing.T) {
	c := compile(t, steps(t), layer(plugin.LevelRoute, "routes/1", "auth", `{"do":"access:respond"}`, "early", `{}`, "a", `{}`))
	x := plugintest.Request("GET", "/")
	if err := errors.Join(c.Auth(x), c.Access(x)); err != nil || ran(x) != "auth.access" {
		t.Errorf("ran %q, %v", ran(x), err)
	}
	if !c.Authenticates() {
		t.Error("the chain does not know that it authenticates")
	}
}

// tagFilter holds for requests whose argument "on" is the filter's text.
func tagFilter(raw json.RawMessage) (func(plugin.Vars) bool, error) {
	var want string
	if err := json.Unmarshal(raw, &want); err != nil {
		return nil, errors.New("must be a text")
	}
	return func(v plugin.Vars) bool {
		got, _ := v.Var("arg_on")
		if got == "panic" {
			panic("filter")
		}
		return got == want
	}, nil
}

// Losing this means that plugins run for requests they exclude, or that a
// filter's fault lets a request around the plugin that protects the route.
func TestFilter(t *testing.T) {
	r := steps(t).WithFilters(tagFilter)
	config := `{"_meta":{"filter":"yes","error_response":"filtered"}}`
	c := compile(t, r, layer(plugin.LevelRoute, "routes/1", "a", config))
	x := plugintest.Request("GET", "/?on=no")
	got := plugintest.RunChain(c, x, plugintest.Answer{Chunks: []string{"x"}})
	if ran(x) != "" || got.Body != "x" || len(got.Trace) != 4 || got.Trace[0].Decision != "skipped" {
		t.Errorf("skipped: ran %q, trace %+v", ran(x), got.Trace)
	}
	x = plugintest.Request("GET", "/?on=yes")
	if plugintest.RunChain(c, x, plugintest.Answer{}); ran(x) != "a.access a.header a.body a.log" {
		t.Errorf("ran %q", ran(x))
	}
	got = plugintest.RunChain(c, plugintest.Request("GET", "/?on=panic"), plugintest.Answer{})
	if sluice.CodeOf(got.Err) != sluice.CodeInternal || got.Reached {
		t.Errorf("a filter that panics: %v, reached %v", got.Err, got.Reached)
	}
	err := r.Validate("a", json.RawMessage(`{"_meta":{"filter":7}}`))
	if sluice.AsError(err).Field != "/_meta/filter" || !strings.Contains(err.Error(), "must be a text") {
		t.Errorf("a bad filter: %v", err)
	}
}

// Losing this means that operators cannot choose what refused clients see, or
// that the choice also changes status and record.
func TestErrorResponse(t *testing.T) {
	for config, want := range map[string][2]string{
		`"go away"`:      {"go away", "text/plain; charset=utf-8"},
		`{"say":"away"}`: {`{"say":"away"}`, "application/json"},
	} {
		c := compile(t, steps(t), layer(plugin.LevelRoute, "routes/1", "a", `{"do":"access:refuse","_meta":{"error_response":`+config+`}}`))
		got := plugintest.RunChain(c, plugintest.Request("GET", "/"), plugintest.Answer{})
		if got.Status != 403 || got.Body != want[0] || got.Fields.Get("Content-Type") != want[1] || sluice.CodeOf(got.Err) != sluice.CodeForbidden {
			t.Errorf("%s: %d %q %q %v", config, got.Status, got.Body, got.Fields.Get("Content-Type"), got.Err)
		}
		if !strings.Contains(got.Err.Error(), "a.access refused") {
			t.Errorf("the operator lost the plugin's own error: %v", got.Err)
		}
	}
	if _, _, ok := plugin.ErrorResponse(sluice.Errorf(sluice.CodeForbidden, "no")); ok {
		t.Error("an ordinary error has no replaced body")
	}
}

// Losing this means that an unrelated change of configuration resets what
// plugins keep, or that a changed configuration keeps an old plugin.
func TestReuse(t *testing.T) {
	made := 0
	r := plugintest.Registry(t, plugin.Define("a", "", 1, func(cfg stepConfig, _ plugin.Env) (plugin.Plugin, error) {
		made++
		return &step{"a", cfg}, nil
	}))
	env := plugintest.Env(t)
	build := func(reuse *plugin.Chain, owner, config string) *plugin.Chain {
		t.Helper()
		c, err := r.Compile(env, []*plugin.Chain{nil, reuse}, layer(plugin.LevelRoute, owner, "a", config))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := build(nil, "routes/1", `{"tag":"x"}`)
	for _, c := range []struct {
		owner, config string
		made          int
	}{{"routes/1", `{"tag":"x"}`, 1}, {"routes/2", `{"tag":"x"}`, 2}, {"routes/1", `{"tag":"y"}`, 3}} {
		if build(first, c.owner, c.config); made != c.made {
			t.Errorf("%s %s: made %d times, want %d", c.owner, c.config, made, c.made)
		}
	}
}

// Losing this means that a route serves without the plugin that protects it.
func TestCompileRefuses(t *testing.T) {
	for says, l := range map[string]plugin.Layer{
		"/plugins/nope":  layer(plugin.LevelRoute, "routes/1", "nope", `{}`),
		"/plugins/a/tag": layer(plugin.LevelRoute, "routes/1", "a", `{"tag":7}`),
	} {
		_, err := steps(t).Compile(plugintest.Env(t), nil, l)
		if sluice.AsError(err).Field != says || sluice.CodeOf(err) != sluice.CodePluginConfig {
			t.Errorf("got %v, want a field %s", err, says)
		}
	}
	if _, err := steps(t).Compile(plugin.Env{}, nil); err == nil {
		t.Error("a chain without a clock and a logger was made")
	}
}

// Losing this means that every request pays for its plugins with garbage.
func TestAccessAllocatesLittle(t *testing.T) {
	r := plugintest.Registry(t, plugin.Define("quiet", "", 1, func(inner, plugin.Env) (plugin.Plugin, error) { return &quiet{}, nil }))
	c := compile(t, r, layer(plugin.LevelRoute, "routes/1", "quiet", `{}`))
	x := plugintest.Request("GET", "/")
	x.Response = &sluice.RespHead{Status: 200}
	n := testing.AllocsPerRun(100, func() {
		x.Trace = x.Trace[:0]
		if c.Access(x) != nil || c.HeaderFilter(x) != nil {
			t.Fatal("refused")
		}
	})
	if n > 0 {
		t.Errorf("%v allocations per request", n)
	}
}

// quiet does nothing in two phases.
type quiet struct{}

func (*quiet) Access(*plugin.Exchange) error       { return nil }
func (*quiet) HeaderFilter(*plugin.Exchange) error { return nil }
