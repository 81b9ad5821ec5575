package builtin_test

import (
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/builtin"
)

// needs are what an Ask says that a request needs.
type needs struct{ vision, audio, files, functions, reasoning, schema bool }

// A need that a surface does not see is a model that is asked for what it cannot
// do, and a request that costs and fails.
func TestSurfacesSeeWhatRequestsNeed(t *testing.T) {
	registry := builtin.Registry(nil)
	for _, c := range []struct {
		surface, path, body string
		want                needs
	}{
		{"anthropic", "/v1/messages", `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"x"}}]}]}`, needs{files: true}},
		{"anthropic", "/v1/messages", `{"model":"m","max_tokens":9,"thinking":{"type":"adaptive"},"messages":[{"role":"user","content":"x"}]}`, needs{reasoning: true}},
		{"anthropic", "/v1/messages", `{"model":"m","max_tokens":9,"thinking":{"type":"disabled"},"output_config":{"format":{"type":"json_schema","schema":{}}},"messages":[{"role":"user","content":"x"}]}`, needs{schema: true}},
		{"gemini", "/v1beta/models/m:generateContent", `{"contents":[{"parts":[{"inlineData":{"mimeType":"audio/wav","data":"AAAA"}},{"inline_data":{"mime_type":"application/pdf","data":"AAAA"}}]}]}`, needs{audio: true, files: true}},
		{"gemini", "/v1beta/models/m:generateContent", `{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"thinkingConfig":{"thinkingBudget":100},"responseJsonSchema":{}}}`, needs{reasoning: true, schema: true}},
		{"gemini", "/v1beta/models/m:generateContent", `{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"thinkingConfig":{"thinkingBudget":0}}}`, needs{}},
		{"openai", "/v1/responses", `{"model":"m","reasoning":{"effort":"low"},"text":{"format":{"type":"json_schema","name":"n","schema":{}}},"input":[{"role":"user","content":[{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,AAAA"}]}]}`, needs{files: true, reasoning: true, schema: true}},
		{"openai", "/v1/chat/completions", `{"model":"m","reasoning_effort":"none","messages":[{"role":"user","content":"x"}]}`, needs{}},
	} {
		surface, _ := registry.Surface(c.surface)
		op, err := surface.Operation("POST", c.path)
		if err != nil {
			t.Fatal(err)
		}
		head := &sluice.Head{Method: "POST", Path: c.path}
		head.Fields.Add("Content-Type", "application/json")
		a, err := surface.Ask(op, head, []byte(c.body))
		if err != nil {
			t.Errorf("%s: %v", c.body, err)
			continue
		}
		if got := found(a); got != c.want {
			t.Errorf("%s: got %+v", c.body, got)
		}
	}
}

func found(a *dialect.Ask) needs {
	return needs{a.NeedsVision, a.NeedsAudio, a.NeedsFiles, a.NeedsFunctions, a.NeedsReasoning, a.NeedsSchema}
}
