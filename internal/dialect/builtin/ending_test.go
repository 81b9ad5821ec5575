package builtin_test

import (
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/builtin"
)

// ending is one way for a stream to end.
type ending struct {
	surface, path, body, provider string
	events                        []string
	// end begins what a client must not see before the cost is known, and mark is
	// in the event that ends the protocol, "" when only the body's end does.
	end, mark string
	// usage is what must be known by then.
	usage sluice.Usage
}

const (
	chatBody  = `{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true}`
	usageBody = `{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":{"include_usage":true}}`
	twoBody   = `{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true,"n":2}`
	askBody   = `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}],"stream":true}`
	inputBody = `{"model":"m","input":"x","stream":true}`
	partsBody = `{"contents":[{"parts":[{"text":"x"}]}]}`
)

// chunk is an event of the chat API.
func chunk(rest string) string { return `data: {"id":"c","choices":[` + rest + "]}\n\n" }

var (
	hello    = chunk(`{"index":0,"delta":{"role":"assistant","content":"hello"},"finish_reason":null}`)
	stopped  = chunk(`{"index":0,"delta":{},"finish_reason":"stop"}`)
	empty    = chunk(`{"index":0,"delta":{"content":""},"finish_reason":""}`)
	spent    = `data: {"id":"c","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5}}` + "\n\n"
	done     = "data: [DONE]\n\n"
	other    = chunk(`{"index":1,"delta":{"content":"other"},"finish_reason":null}`)
	stopped1 = chunk(`{"index":1,"delta":{},"finish_reason":"length"}`)

	begun = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n"
	block = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
	delta = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hello\"}}\n\n"
	over  = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":5}}\n\n"
	stop  = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"

	part      = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hello\"}]}}]}\r\n\r\n"
	finished  = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"end\"}]},\"finishReason\":\"STOP\"}]}\r\n\r\n"
	metadata  = "data: {\"candidates\":[],\"usageMetadata\":{\"promptTokenCount\":3,\"candidatesTokenCount\":5}}\r\n\r\n"
	always    = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"more\"}]},\"finishReason\":\"STOP\"}]}\r\n\r\n"
	created   = "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"r\",\"status\":\"in_progress\",\"output\":[]}}\n\n"
	piece     = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":1,\"output_index\":0,\"delta\":\"hello\"}\n\n"
	completed = "event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":2,\"response\":{\"id\":\"r\",\"status\":\"completed\",\"output\":[{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"hello\"}]}],\"usage\":{\"input_tokens\":3,\"output_tokens\":5}}}\n\n"
	picture   = "event: image_generation.completed\ndata: {\"type\":\"image_generation.completed\",\"b64_json\":\"AAAA\",\"usage\":{\"input_tokens\":3,\"output_tokens\":5,\"output_tokens_details\":{\"text_tokens\":5}}}\n\n"
	sketch    = "event: image_generation.partial_image\ndata: {\"type\":\"image_generation.partial_image\",\"b64_json\":\"AAAA\"}\n\n"
)

// endings are the protocols that pass through and a pair of each that is
// translated.
func endings() map[string]ending {
	known := sluice.Usage{Input: 3, Output: 5}
	const chat, messages, generate = "/v1/chat/completions", "/v1/messages", "/v1beta/models/m:streamGenerateContent"
	return map[string]ending{
		"chat":                      {"openai", chat, usageBody, "openai", []string{hello, stopped, spent, done}, `"stop"`, "[DONE]", known},
		"chat, usage not asked for": {"openai", chat, chatBody, "openai", []string{hello, stopped, spent, done}, `"stop"`, "[DONE]", known},
		"chat, comments":            {"openai", chat, usageBody, "openai", []string{hello, stopped, ": ping\n\n", spent, ": ping\n\n", done}, `"stop"`, "[DONE]", known},
		"chat, no [DONE]":           {"openai", chat, usageBody, "openai", []string{hello, stopped, spent}, `"stop"`, "", known},
		"chat, empty reasons":       {"openai", chat, usageBody, "openai", []string{hello, empty, empty, stopped, spent, done}, `"stop"`, "[DONE]", known},
		"chat, two choices":         {"openai", chat, twoBody, "openai", []string{hello, stopped, other, stopped1, spent, done}, `"length"`, "[DONE]", known},
		"chat, CRLF":                {"openai", chat, usageBody, "openai", []string{hello, strings.ReplaceAll(stopped, "\n", "\r\n"), spent, strings.ReplaceAll(done, "\n", "\r\n")}, `"stop"`, "[DONE]", known},
		"pictures":                  {"openai", "/v1/images/generations", `{"model":"m","prompt":"x","stream":true}`, "openai", []string{sketch, picture}, "event: image_generation.completed", "image_generation.completed", sluice.Usage{Input: known.Input, Output: known.Output, Pieces: sluice.Pieces{Images: 1}}},
		"responses":                 {"openai", "/v1/responses", inputBody, "openai", []string{created, piece, completed}, "event: response.completed", "response.completed", known},
		"messages":                  {"anthropic", messages, askBody, "anthropic", []string{begun, block, delta, over, stop}, "event: message_stop", "message_stop", known},
		"gemini":                    {"gemini", generate + "?alt=sse", partsBody, "gemini", []string{part, finished, metadata}, `"finishReason"`, "", known},
		"gemini, one chunk":         {"gemini", generate + "?alt=sse", partsBody, "gemini", []string{finished, metadata}, `"finishReason"`, "", known},
		"gemini, [DONE]":            {"gemini", generate + "?alt=sse", partsBody, "gemini", []string{part, finished, metadata, done}, `"finishReason"`, "", known},
		"gemini, always finished":   {"gemini", generate + "?alt=sse", partsBody, "gemini", []string{always, always, finished, metadata}, `"end"`, "", known},
		"gemini, array":             {"gemini", generate, partsBody, "gemini", []string{part, finished, metadata}, `"finishReason"`, "", known},
		"demo":                      {"openai", chat, usageBody, "demo", []string{hello, stopped, spent, done}, `"stop"`, "[DONE]", known},
		"messages to chat":          {"anthropic", messages, askBody, "openai", []string{hello, stopped, spent, done}, "event: message_delta", "", known},
		"chat to messages":          {"openai", chat, usageBody, "anthropic", []string{begun, block, delta, over, stop}, `"finish_reason":"stop"`, "", known},
		"responses to messages":     {"openai", "/v1/responses", inputBody, "anthropic", []string{begun, block, delta, over, stop}, "event: response.completed", "", known},
		"gemini to messages":        {"gemini", generate, partsBody, "anthropic", []string{begun, block, delta, over, stop}, `"finishReason"`, "", known},
	}
}

// leg opens an attempt and begins its answer.
func (e *ending) leg(t *testing.T) dialect.Leg {
	t.Helper()
	registry := builtin.Registry(nil)
	surface, _ := registry.Surface(e.surface)
	path, query, _ := strings.Cut(e.path, "?")
	op, err := surface.Operation("POST", path)
	if err != nil {
		t.Fatal(err)
	}
	head := &sluice.Head{Method: "POST", Path: path, RawQuery: query}
	head.Fields.Add("Content-Type", "application/json")
	ask, err := surface.Ask(op, head, []byte(e.body))
	if err != nil {
		t.Fatal(err)
	}
	target, _ := registry.Dialect(e.provider)
	provider := &sluice.Provider{Type: e.provider}
	leg, err := target.Open(ask, dialect.Account{Provider: provider, Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	answer, client := sluice.RespHead{Status: 200, ContentLength: -1}, sluice.RespHead{}
	answer.Fields.Add("Content-Type", "text/event-stream")
	if err := leg.Begin(&answer, &client); err != nil {
		t.Fatal(err)
	}
	return leg
}

// play feeds pieces and checks after each that nothing of the end was given out
// unless the leg says so and knows the usage.
func (e *ending) play(t *testing.T, pieces ...string) string {
	t.Helper()
	leg, out := e.leg(t), ""
	for _, p := range pieces {
		b, err := leg.Feed([]byte(p))
		if err != nil {
			t.Fatalf("%q: %v", p, err)
		}
		out += string(b)
		complete := dialect.Complete(leg)
		if want := e.mark != "" && strings.Contains(out, e.mark); complete != want {
			t.Fatalf("complete is %v behind %q", complete, out)
		}
		if !complete && strings.Contains(out, e.end) {
			t.Fatalf("the end is given out before it is known: %q", out)
		}
		if complete {
			e.check(t, leg)
		}
	}
	b, err := leg.Finish()
	if err != nil {
		t.Fatal(err)
	}
	e.check(t, leg)
	return out + string(b)
}

func (e *ending) check(t *testing.T, leg dialect.Leg) {
	t.Helper()
	if u, source := leg.Usage(); u != e.usage || source != sluice.UsageProvider {
		t.Fatalf("usage is %+v, %s", u, source)
	}
}

// The gateway writes down what an answer costs before its last frame leaves: a
// client that has the end while the cost is unknown is served for nothing when
// the process dies between the two.
func TestTheEndIsKnownBeforeItLeaves(t *testing.T) {
	for name, e := range endings() {
		t.Run(name, func(t *testing.T) {
			want := e.play(t, e.events...)
			text := strings.Join(e.events, "")
			if got := e.play(t, text); got != want {
				t.Errorf("in one piece:\n%s\nwant:\n%s", got, want)
			}
			if got := e.play(t, strings.Split(text, "")...); got != want {
				t.Errorf("byte by byte:\n%s\nwant:\n%s", got, want)
			}
			for at := range text {
				if got := e.play(t, text[:at], text[at:]); got != want {
					t.Fatalf("cut at %d:\n%s\nwant:\n%s", at, got, want)
				}
			}
		})
	}
}

// What is kept back is only the end: a choice that goes on behind another's end
// must not wait for its own.
func TestTextBehindAnEndIsNotKept(t *testing.T) {
	e := endings()["chat, two choices"]
	leg := e.leg(t)
	var got []string
	for _, p := range e.events {
		b, err := leg.Feed([]byte(p))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(b))
	}
	want := []string{hello, "", stopped + other, "", "", stopped1 + done}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
