package plugin_test

import (
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/plugin"
	"github.com/sluicegate/sluice/plugin/plugintest"
)

type wrapConfig struct {
	Left  string `json:"left,omitempty"`
	Right string `json:"right,omitempty"`
	Max   int64  `json:"max,omitempty"`
}

// wrap puts text around the whole answer and counts its calls.
type wrap struct {
	plugin.Whole
	cfg   wrapConfig
	calls *int
}

func (w *wrap) ResolveResponse(_ *plugin.Exchange, body []byte) ([]byte, error) {
	*w.calls++
	return []byte(w.cfg.Left + string(body) + w.cfg.Right), nil
}

// shout is an ordinary body filter between two whole ones.
type shout struct{}

func (*shout) BodyFilter(_ *plugin.Exchange, chunk []byte, _ bool) ([]byte, error) {
	return []byte(strings.ToUpper(string(chunk))), nil
}

func wholeChain(t *testing.T, calls *int, layers ...plugin.Layer) *plugin.Chain {
	make := func(cfg wrapConfig, _ plugin.Env) (plugin.Plugin, error) {
		return &wrap{Whole: plugin.Whole{MaxBytes: cfg.Max}, cfg: cfg, calls: calls}, nil
	}
	r := plugintest.Registry(t, plugin.Define("outer", "", 10, make), plugin.Define("inner", "", 30, make),
		plugin.Define("shout", "", 20, func(inner, plugin.Env) (plugin.Plugin, error) { return &shout{}, nil })).WithFilters(tagFilter)
	return compile(t, r, layers...)
}

// Losing this means that families of plugins see pieces instead of the body,
// gather it twice, or send a length that is not the body's.
func TestWholeGathersOnce(t *testing.T) {
	calls := 0
	c := wholeChain(t, &calls, layer(plugin.LevelRoute, "routes/1", "inner", `{"left":"(","right":")"}`, "shout", `{}`, "outer", `{"left":"<x","right":">"}`))
	for _, chunks := range [][]string{{"a", "b", "c"}, {"abc"}} {
		calls = 0
		x := plugintest.Request("GET", "/", "Accept-Encoding", "gzip")
		got := plugintest.RunChain(c, x, plugintest.Answer{Chunks: chunks, Fields: []string{"Content-Length", "3"}})
		if got.Err != nil || got.Body != "<x(ABC)>" || calls != 2 {
			t.Errorf("%v: body %q after %d calls, %v", chunks, got.Body, calls, got.Err)
		}
		if got.Length != -1 || got.Fields.Count("Content-Length") != 0 {
			t.Errorf("%v: length %d, fields %+v", chunks, got.Length, got.Fields)
		}
		if x.Request.Fields.Count("Accept-Encoding") != 0 {
			t.Error("the target may compress a body that plugins are to read")
		}
	}
	x := plugintest.Request("GET", "/")
	if got := plugintest.RunChain(c, x, plugintest.Answer{}); got.Body != "<x()>" {
		t.Errorf("an empty body became %q", got.Body)
	}
	x.Reset()
	*x = *plugintest.Request("GET", "/")
	if got := plugintest.RunChain(c, x, plugintest.Answer{Chunks: []string{"z"}}); got.Body != "<x(Z)>" {
		t.Errorf("a reused exchange gave %q", got.Body)
	}
}

// Losing this means that one answer without end fills the memory.
func TestWholeIsBounded(t *testing.T) {
	calls := 0
	c := wholeChain(t, &calls, layer(plugin.LevelRoute, "routes/1", "inner", `{"max":100}`, "outer", `{"max":10}`))
	got := plugintest.RunChain(c, plugintest.Request("GET", "/"), plugintest.Answer{Chunks: []string{"12345", "67890"}})
	if got.Err != nil || got.Body != "1234567890" {
		t.Errorf("at the limit: %q, %v", got.Body, got.Err)
	}
	got = plugintest.RunChain(c, plugintest.Request("GET", "/"), plugintest.Answer{Chunks: []string{"12345", "678901"}})
	if sluice.CodeOf(got.Err) != sluice.CodeProviderTooLarge || got.Body != "" {
		t.Errorf("over the limit: %q, %v", got.Body, got.Err)
	}
	calls = 0
	c = wholeChain(t, &calls, layer(plugin.LevelRoute, "routes/1", "inner", `{}`))
	big := strings.Repeat("x", 1<<20)
	if got = plugintest.RunChain(c, plugintest.Request("GET", "/"), plugintest.Answer{Chunks: []string{big}}); got.Err != nil {
		t.Errorf("1 MiB by default: %v", got.Err)
	}
	if got = plugintest.RunChain(c, plugintest.Request("GET", "/"), plugintest.Answer{Chunks: []string{big, "x"}}); sluice.CodeOf(got.Err) != sluice.CodeProviderTooLarge {
		t.Errorf("beyond 1 MiB: %v", got.Err)
	}
}

// Losing this means that a stream is held back, or a length removed, for a
// plugin that does not run or an answer that has no body.
func TestWholeThatDoesNotRun(t *testing.T) {
	calls := 0
	c := wholeChain(t, &calls, layer(plugin.LevelRoute, "routes/1", "inner", `{"left":"(","_meta":{"filter":"yes"}}`))
	got := plugintest.RunChain(c, plugintest.Request("GET", "/?on=no"), plugintest.Answer{Chunks: []string{"a", "b"}})
	if got.Body != "ab" || got.Length != 2 || calls != 0 {
		t.Errorf("skipped: %q, length %d, %d calls", got.Body, got.Length, calls)
	}
	for _, x := range []*plugin.Exchange{plugintest.Request("HEAD", "/?on=yes"), plugintest.Request("GET", "/?on=yes")} {
		if got := plugintest.RunChain(c, x, plugintest.Answer{Status: 304}); got.Length != 0 {
			t.Errorf("%s: length %d of an answer without a body", x.Request.Method, got.Length)
		}
	}
}
