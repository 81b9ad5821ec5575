package gemini_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/gemini"
)

// seeds adds the bodies of the scripts' sections of these kinds.
func seeds(f *testing.F, kinds ...string) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		input, _, _ := strings.Cut(string(text), "\n----\n")
		for _, section := range strings.Split("\n"+input, "\n== ")[1:] {
			title, body, _ := strings.Cut(section, "\n")
			for _, kind := range kinds {
				if strings.HasPrefix(title, kind+" ") || title == kind {
					f.Add([]byte(body))
				}
			}
		}
	}
}

// asked decodes a body, nil when it is refused.
func asked(t testing.TB, body []byte) *form.Chat {
	head := &sluice.Head{Method: "POST"}
	head.Fields.Add("Content-Type", "application/json")
	op := dialect.Operation{Name: dialect.OpChat, Path: ":generateContent", Model: "m"}
	ask, err := gemini.Surface{}.Ask(op, head, body)
	if err == nil {
		var c *form.Chat
		if c, err = ask.Front.Chat(); err == nil {
			return c
		}
	}
	if code := sluice.CodeOf(err); code != sluice.CodeInvalidRequest {
		t.Fatalf("a bad body is %v", err)
	}
	return nil
}

// A body that panics takes the gateway down; one that grows takes its memory; a
// chat that changes on its way through the protocol and back was translated
// wrongly.
func FuzzRequest(f *testing.F) {
	seeds(f, "ask")
	f.Fuzz(func(t *testing.T, body []byte) {
		c := asked(t, body)
		if c == nil {
			return
		}
		back := newBack(t, nil)
		first, err := back.EncodeChat(c, &form.Target{Model: "gemini-2.5-pro"})
		if err != nil {
			if sluice.CodeOf(err) != sluice.CodeInvalidRequest {
				t.Fatal(err)
			}
			return
		}
		if len(first.Body) > 16*len(body)+4096 {
			t.Fatalf("%d bytes became %d", len(body), len(first.Body))
		}
		again := asked(t, first.Body)
		if again == nil {
			t.Fatalf("what was written cannot be read: %s", first.Body)
		}
		second, err := back.EncodeChat(again, &form.Target{Model: "gemini-2.5-pro"})
		if err != nil {
			t.Fatalf("%v in %s", err, first.Body)
		}
		if !same(first.Body, second.Body) {
			t.Fatalf("meaning changed:\n%s\n%s", first.Body, second.Body)
		}
	})
}

// same compares two documents as JSON.
func same(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// A provider that sends garbage must not take the gateway down or its memory.
func FuzzAnswer(f *testing.F) {
	seeds(f, "stream", "whole")
	f.Fuzz(func(t *testing.T, answer []byte) {
		told := 0
		emitter := form.NewEmitter("r", func(ev *form.Event) error {
			told += len(ev.Text) + len(ev.Signature.Value) + 16
			return nil
		})
		d := newBack(t, nil).Decoder(emitter, &form.Target{})
		for line := range bytes.Lines(answer) {
			if d.Event(nil, line) != nil {
				return
			}
		}
		if d.End() == nil && told > 64*len(answer)+1024 {
			t.Fatalf("%d bytes told %d", len(answer), told)
		}
	})
}

// A schema that grows without end, or that no longer is JSON, would break every
// request that carries it.
func FuzzLowering(f *testing.F) {
	f.Add([]byte(`{"type":"object","properties":{"a":{"$ref":"#/$defs/b"}},"$defs":{"b":{"anyOf":[{"type":["string","null"]},{"const":1}]}}}`))
	f.Add([]byte(`{"allOf":[{"$ref":"#"},{"$ref":"#"}]}`))
	f.Add([]byte(`{"type":"array","items":{"$ref":"#/items"}}`))
	back := newBack(f, map[string]any{"json_schema": false})
	f.Fuzz(func(t *testing.T, schema []byte) {
		if !json.Valid(schema) || bytes.TrimSpace(schema)[0] != '{' {
			return
		}
		c := &form.Chat{Tools: []form.Tool{{Name: "f", Schema: schema}}, Turns: []form.Turn{{Role: form.RoleUser, Parts: []form.Part{{Kind: form.PartText, Text: "x"}}}}}
		e, err := back.EncodeChat(c, &form.Target{Model: "m"})
		if err == nil && !json.Valid(e.Body) || len(e.Body) > 8<<20 {
			t.Fatalf("%s became %.1000s", schema, e.Body)
		}
	})
}
