package plugins_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/plugin"
	"github.com/sluicegate/sluice/plugin/plugintest"
)

// accessChain compiles access-record with a handler of the test's own.
func accessChain(t *testing.T, config string, h slog.Handler) *plugin.Chain {
	t.Helper()
	env := plugintest.Env(t)
	env.Log = slog.New(h)
	layer := plugin.Layer{Level: plugin.LevelRoute, Owner: "routes/1", Plugins: map[string]json.RawMessage{"access-record": json.RawMessage(config)}}
	c, err := plugintest.Registry(t, spec(t, "access-record")).Compile(env, nil, layer)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Losing this means that access logs lack what operators asked for, or hold a
// credential: every sink is searched for canaries.
func TestAccessRecordLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c := accessChain(t, `{"fields":["method","path","status","attempts"],"headers":["User-Agent","Authorization","X-Note","X-Missing"],"labels":{"env":"test"}}`, slog.NewJSONHandler(&out, nil))
		token, _ := sluice.NewToken("live")
		x := plugintest.Request("GET", "/a", "User-Agent", "curl/8", "Authorization", "Bearer canary-secret", "X-Note", "my key is "+token+" and sk-proj-abcdefgh12345678")
		c.Log(x, &sluice.Record{Method: "GET", Path: "/a/" + token, Status: 200, ClientIP: "203.0.113.9", Attempts: make([]sluice.Attempt, 2)})
		synctest.Wait()
		var line map[string]any
		if err := json.Unmarshal(out.Bytes(), &line); err != nil {
			t.Fatalf("%q: %v", out.String(), err)
		}
		delete(line, "time")
		want := map[string]any{"level": "INFO", "msg": "access", "plugin": "access-record", "method": "GET", "path": "/a/***", "status": 200.0, "attempts": 2.0,
			"header.user-agent": "curl/8", "header.authorization": "***", "header.x-note": "my key is *** and ***", "label.env": "test"}
		for name, v := range want {
			if line[name] != v {
				t.Errorf("%s is %v, want %v", name, line[name], v)
			}
		}
		if len(line) != len(want) {
			t.Errorf("the line says more than was allowed: %v", line)
		}
		if s := out.String(); strings.Contains(s, "canary") || strings.Contains(s, token) || strings.Contains(s, "203.0.113.9") {
			t.Errorf("the line leaks: %s", s)
		}
	})
}

// blocked is a handler that waits, as a slow disk does.
type blocked struct {
	slog.Handler
	release chan struct{}
	mu      *sync.Mutex
	lines   *[]string
}

func (b blocked) WithAttrs([]slog.Attr) slog.Handler { return b }

func (b blocked) Handle(_ context.Context, r slog.Record) error {
	<-b.release
	b.mu.Lock()
	defer b.mu.Unlock()
	line := r.Message
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	*b.lines = append(*b.lines, line)
	return nil
}

// Losing this means that a slow log sink slows requests down, fills the memory,
// or loses lines without saying so.
func TestAccessRecordDropsWhenTheSinkIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines []string
		var mu sync.Mutex
		h := blocked{slog.DiscardHandler, make(chan struct{}), &mu, &lines}
		c := accessChain(t, `{"fields":["id"],"queue":5}`, enabled{h})
		x := plugintest.Request("GET", "/")
		c.Log(x, &sluice.Record{ID: "first"})
		synctest.Wait() // the writer holds the first line now
		for range 20 {
			c.Log(x, &sluice.Record{ID: "r"})
		}
		close(h.release)
		synctest.Wait()
		if len(lines) != 6 || !strings.Contains(lines[1], "dropped=15") || strings.Contains(lines[2], "dropped") {
			t.Errorf("lines %q: want the first, five queued, and 15 counted as dropped once", lines)
		}
		c.Log(x, &sluice.Record{ID: "later"})
		synctest.Wait()
		if len(lines) != 7 {
			t.Error("the writer did not start again")
		}
	})
}

// enabled accepts every level.
type enabled struct{ slog.Handler }

func (enabled) Enabled(context.Context, slog.Level) bool { return true }
func (e enabled) WithAttrs(a []slog.Attr) slog.Handler   { return enabled{e.Handler.WithAttrs(a)} }
