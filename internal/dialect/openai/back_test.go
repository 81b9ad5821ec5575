package openai_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/openai"
)

// backOf is an account of a dialect.
func backOf(t *testing.T, kind string) form.Back {
	t.Helper()
	for _, d := range openai.Dialects() {
		if d.Name() != kind {
			continue
		}
		plan, err := d.(dialect.Preparer).Prepare(dialect.Account{Provider: &sluice.Provider{Type: kind, BaseURL: "http://engine.test/v1"}})
		if err != nil {
			t.Fatal(err)
		}
		return plan.(form.Back)
	}
	t.Fatalf("no dialect %s", kind)
	return nil
}

// asking is a conversation of one question, changed by change.
func asking(change func(*form.Chat)) *form.Chat {
	c := &form.Chat{Turns: []form.Turn{{Role: form.RoleUser, Parts: []form.Part{{Kind: form.PartText, Text: "hi"}}}}}
	change(c)
	return c
}

func budget(n int64) *int64 { return &n }

// What other protocols can say and this surface cannot must reach the provider
// all the same.
func TestEncodesWhatThisSurfaceCannotSay(t *testing.T) {
	for _, c := range []struct {
		name, kind, want string
		change           func(*form.Chat)
	}{
		{"a result that is an error", "openai", `"content":"Error: no such city"`, func(c *form.Chat) {
			c.Turns = append(c.Turns,
				form.Turn{Role: form.RoleAssistant, Parts: []form.Part{{Kind: form.PartCall, Call: &form.Call{ID: "a", Name: "f", Arguments: "{}"}}}},
				form.Turn{Role: form.RoleUser, Parts: []form.Part{{Kind: form.PartResult, Result: &form.Result{
					ID: "a", IsError: true, Parts: []form.Part{{Kind: form.PartText, Text: "no such city"}},
				}}}})
		}},
		{"a budget", "qwen", `"enable_thinking":true,"thinking_budget":1000`, func(c *form.Chat) { c.Reasoning.Budget = budget(1000) }},
		{"a budget of nothing", "doubao", `"thinking":{"type":"disabled"}`, func(c *form.Chat) { c.Reasoning.Budget = budget(0) }},
		{"a small budget as an effort", "groq", `"reasoning_effort":"low"`, func(c *form.Chat) { c.Reasoning.Budget = budget(1024) }},
		{"hidden thoughts", "openrouter", `"reasoning":{"exclude":true}`, func(c *form.Chat) { c.Reasoning.Shown = new(bool) }},
		{"a schema without a name", "openai", `"json_schema":{"name":"answer","schema":{"type":"object"}}`, func(c *form.Chat) {
			c.Format = form.Format{Kind: form.FormatSchema, Schema: json.RawMessage(`{"type":"object"}`)}
		}},
		{"a prefill", "openai", `{"role":"assistant","content":"Well,"}]`, func(c *form.Chat) {
			c.Turns = append(c.Turns, form.Turn{Role: form.RoleAssistant, Parts: []form.Part{{Kind: form.PartText, Text: "Well,"}}})
		}},
		{"OpenAI's own tier", "openai", `"service_tier":"flex"`, func(c *form.Chat) {
			c.Extras = []form.Extra{{Name: "service_tier", Value: json.RawMessage(`"flex"`)}}
		}},
	} {
		target := &form.Target{Model: "m"}
		e, err := backOf(t, c.kind).EncodeChat(asking(c.change), target)
		if err != nil || !strings.Contains(string(e.Body), c.want) || len(target.Dropped) > 0 {
			t.Errorf("%s: %v, dropped %v: %s", c.name, err, target.Dropped, e.Body)
		}
	}
}

// A tier of another vendor has words that OpenAI refuses.
func TestForeignTierIsDropped(t *testing.T) {
	target := &form.Target{Model: "m"}
	_, err := backOf(t, "openai").EncodeChat(asking(func(c *form.Chat) {
		c.Extras = []form.Extra{{Name: "service_tier", Value: json.RawMessage(`"standard_only"`)}}
	}), target)
	if err != nil || strings.Join(target.Dropped, " ") != "service_tier" {
		t.Errorf("%v, dropped %v", err, target.Dropped)
	}
}

// A strict model refuses what would be dropped, before it costs anything.
func TestStrictModelsRefuse(t *testing.T) {
	for _, kind := range []string{"deepseek", "minimax", "mistral"} {
		target := &form.Target{Model: "m", Strict: true}
		_, err := backOf(t, kind).EncodeChat(asking(func(c *form.Chat) { c.Sampling.TopK = budget(3) }), target)
		if sluice.CodeOf(err) != sluice.CodeInvalidRequest || sluice.AsError(err).Field != "/top_k" {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// A picture in a turn of the assistant has no place, and a part of another
// protocol none either: both are named.
func TestAssistantPartsWithoutAPlace(t *testing.T) {
	target := &form.Target{Model: "m"}
	_, err := backOf(t, "openai").EncodeChat(asking(func(c *form.Chat) {
		c.Turns = append(c.Turns, form.Turn{Role: form.RoleAssistant, Parts: []form.Part{
			{Kind: form.PartOther, Origin: "anthropic"}, {Kind: form.PartImage, Media: &form.Media{Data: "aGk="}},
		}})
	}), target)
	if err != nil || strings.Join(target.Dropped, " ") != "messages.content.other messages.content.image" {
		t.Errorf("%v, dropped %v", err, target.Dropped)
	}
}

// prepare makes the plan of an account of OpenAI.
func prepare(tb testing.TB, account dialect.Account) any {
	tb.Helper()
	plan, err := openai.Dialects()[0].(dialect.Preparer).Prepare(account)
	if err != nil {
		tb.Fatal(err)
	}
	return plan
}

// A refusal in words ends as one for protocols that have a reason of their own
// for it: a client there would take it for an ordinary answer.
func TestRefusalsEndAsRefusals(t *testing.T) {
	for _, doc := range []string{
		`{"choices":[{"index":0,"message":{"role":"assistant","content":null,"refusal":"No."},"finish_reason":"stop"}]}`,
		`{"choices":[{"index":0,"message":{"role":"assistant","content":[{"type":"refusal","refusal":"No."}]},"finish_reason":"stop"}]}`,
	} {
		var reason form.StopReason
		emitter := form.NewEmitter("r", func(ev *form.Event) error {
			if ev.Kind == form.EventFinish {
				reason = ev.Reason
			}
			return nil
		})
		if err := backOf(t, "openai-compatible").Decoder(emitter, &form.Target{}).Whole([]byte(doc)); err != nil || reason != form.StopRefusal {
			t.Errorf("%s ends with %q %v", doc, reason, err)
		}
	}
}
