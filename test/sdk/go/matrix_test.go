package sdktest

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// talker is one conversation held with an SDK. It keeps the history in the SDK's
// own types, as an agent does.
type talker interface {
	// user says something, with a picture or without.
	user(text string, picture bool)
	// results answers the calls of the last turn, in order.
	results(texts []string)
	// next asks for the assistant's turn and remembers it.
	next(stream bool) (turn, error)
	// fault is what the SDK makes of an error: its status and its text.
	fault(err error) (status int, message string)
}

// turn is what the assistant said, in the terms of no SDK.
type turn struct {
	text, thought string
	calls         []call
	end           string // stop, calls, length
	usage         usage
}

type call struct{ id, name, arguments string }

// usage are tokens: all of the input, what of it was cached, all of the output.
type usage struct{ input, cached, output int64 }

// options are what a conversation is begun with.
type options struct {
	system               string
	tools, schema, think bool
	// limited takes a provider of this case alone: one that says "too many
	// requests" is left alone for a while.
	limited bool
}

// surfaces begin a conversation with a model, by the SDK that is used.
var surfaces = []struct {
	name  string
	begin func(t *testing.T, model string, o options) talker
}{
	{"chat", newChat},
	{"responses", newResponses},
	{"messages", newMessages},
	{"generateContent", newGenerate},
}

// targets are the scripted providers, by the protocol they speak.
var targets = []string{"openai", "responses", "anthropic", "gemini"}

// each runs a case from every SDK to every provider, whole and as a stream.
func each(t *testing.T, o options, run func(t *testing.T, surface, target string, stream bool, c talker)) {
	needTargets(t)
	for _, s := range surfaces {
		for _, target := range targets {
			for kind, stream := range map[string]bool{"whole": false, "stream": true} {
				t.Run(s.name+"/"+target+"/"+kind, func(t *testing.T) {
					t.Parallel()
					model := target + "-chat"
					if o.limited {
						model = target + "-limited-" + s.name + "-" + kind
					}
					run(t, s.name, target, stream, s.begin(t, model, o))
				})
			}
		}
	}
}

// needTargets skips a test where there are no scripted providers.
func needTargets(t *testing.T) {
	t.Helper()
	if os.Getenv("SLUICE_TEST_TARGETS") == "" {
		t.Skip("run by the suite in test/sdk, which starts the providers and sets SLUICE_TEST_TARGETS")
	}
}

// script is a text that tells the provider what to do, a line per answer.
func script(lines ...string) string { return "Please follow the script\n" + strings.Join(lines, "\n") }

// must asks for a turn that succeeds.
func must(t *testing.T, c talker, stream bool) turn {
	t.Helper()
	got, err := c.next(stream)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// city reads arguments, which have to be a JSON object.
func (c call) city(t *testing.T) string {
	t.Helper()
	var in struct{ City string }
	if err := json.Unmarshal([]byte(c.arguments), &in); err != nil || c.id == "" {
		t.Errorf("call %+v: %v", c, err)
	}
	return in.City
}

// weather answers every call of a turn.
func weather(t *testing.T, c talker, calls []call) {
	t.Helper()
	var texts []string
	for _, one := range calls {
		texts = append(texts, one.city(t)+": 21 degrees")
	}
	c.results(texts)
}

// TestText: the least that must work, with instructions and the same tokens
// whatever the protocol adds up.
func TestText(t *testing.T) {
	each(t, options{system: "Be brief."}, func(t *testing.T, _, _ string, stream bool, c talker) {
		c.user(script("say Grüße, 世界! You said: $system"), false)
		got := must(t, c, stream)
		if got.text != "Grüße, 世界! You said: Be brief." || got.end != "stop" || len(got.calls) != 0 {
			t.Errorf("got %+v", got)
		}
		if want := (usage{input: 21, cached: 8, output: 5}); got.usage != want {
			t.Errorf("usage %+v, want %+v", got.usage, want)
		}
	})
}

// TestRounds calls tools one after another: an agent's day.
func TestRounds(t *testing.T) {
	each(t, options{tools: true}, func(t *testing.T, _, _ string, stream bool, c talker) {
		c.user(script(`call get_weather {"city":"Paris"}`, `call ping {}`, `call get_weather {"city":"Rome"}`, `say $results`), false)
		for _, name := range []string{"get_weather", "ping", "get_weather"} {
			got := must(t, c, stream)
			if got.end != "calls" || len(got.calls) != 1 || got.calls[0].name != name {
				t.Fatalf("got %+v, want a call of %s", got, name)
			}
			weather(t, c, got.calls)
		}
		if got := must(t, c, stream); got.text != "Paris: 21 degrees | : 21 degrees | Rome: 21 degrees" || got.end != "stop" {
			t.Errorf("got %+v", got)
		}
	})
}

// TestParallel calls two tools behind some text; their results keep their order.
func TestParallel(t *testing.T) {
	each(t, options{tools: true}, func(t *testing.T, _, _ string, stream bool, c talker) {
		c.user(script(`say Let me look. && call get_weather {"city":"Oslo"} && call get_weather {"city":"Bern"}`, `say $results`), false)
		got := must(t, c, stream)
		if got.text != "Let me look." || got.end != "calls" || len(got.calls) != 2 || got.calls[0].id == got.calls[1].id {
			t.Fatalf("got %+v", got)
		}
		weather(t, c, got.calls)
		if got := must(t, c, stream); got.text != "Oslo: 21 degrees | Bern: 21 degrees" {
			t.Errorf("got %+v", got)
		}
	})
}

// TestSchema: the provider is told the schema, the client gets the JSON.
func TestSchema(t *testing.T) {
	each(t, options{schema: true}, func(t *testing.T, _, _ string, stream bool, c talker) {
		c.user(script(`say {"city":"$schema","degrees":21}`), false)
		var got struct {
			City    string
			Degrees int
		}
		if err := json.Unmarshal([]byte(must(t, c, stream).text), &got); err != nil || got.City != "city,degrees" || got.Degrees != 21 {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

// TestPicture: a picture reaches the provider as what it is.
func TestPicture(t *testing.T) {
	each(t, options{}, func(t *testing.T, _, _ string, stream bool, c talker) {
		c.user(script("say I see $images"), true)
		if got := must(t, c, stream); got.text != "I see image/png" {
			t.Errorf("got %+v", got)
		}
	})
}

// TestThoughts: thoughts are shown as thoughts, counted, and come back to the
// provider with its signature; without that, rounds of tools break.
func TestThoughts(t *testing.T) {
	each(t, options{tools: true, think: true}, func(t *testing.T, surface, target string, stream bool, c talker) {
		c.user(script(`think Rain, perhaps. && call get_weather {"city":"Kyiv"}`, `say $signed`), false)
		got := must(t, c, stream)
		thought := "Rain, perhaps."
		if !shows(surface, target) {
			thought = ""
		}
		if len(got.calls) != 1 || got.thought != thought {
			t.Fatalf("got %+v", got)
		}
		if got.usage.output != 9 {
			t.Errorf("usage %+v", got.usage)
		}
		weather(t, c, got.calls)
		want := "1"
		if target == "openai" && surface != "responses" {
			want = "0" // OpenAI's chats sign nothing
		}
		if got := must(t, c, stream); got.text != want {
			t.Errorf("%s signatures came back, want %s", got.text, want)
		}
	})
}

// shows reports whether thoughts are shown that were not asked for by name: chats
// and messages have no word for that, and only who shows them by habit does.
func shows(surface, target string) bool {
	switch target {
	case "openai":
		return surface == "responses"
	case "responses", "gemini":
		return surface != "chat"
	}
	return true
}

// TestLength: an answer that was cut short by the cap says so.
func TestLength(t *testing.T) {
	each(t, options{}, func(t *testing.T, _, _ string, stream bool, c talker) {
		c.user(script("say Once upon a && length"), false)
		if got := must(t, c, stream); got.end != "length" || got.text != "Once upon a" {
			t.Errorf("got %+v", got)
		}
	})
}

// TestFailures: an error of the provider is the SDK's own typed error, of the
// same status, whatever either protocol calls it.
func TestFailures(t *testing.T) {
	for status, line := range map[int]string{400: "fail 400", 429: "fail 429"} {
		each(t, options{limited: status == 429}, func(t *testing.T, _, _ string, stream bool, c talker) {
			c.user(script(line), false)
			got, err := c.next(stream)
			if err == nil {
				t.Fatalf("no error, but %+v", got)
			}
			if found, message := c.fault(err); found != status || message == "" {
				t.Errorf("status %d, %q (%v), want %d", found, message, err, status)
			}
		})
	}
}

// TestServerFailure: what the provider cannot do is a 5xx for the client.
func TestServerFailure(t *testing.T) {
	each(t, options{}, func(t *testing.T, _, _ string, stream bool, c talker) {
		c.user(script("fail 500"), false)
		got, err := c.next(stream)
		if found, message := c.fault(err); found < 500 || message == "" {
			t.Errorf("status %d, %q (%v), but %+v", found, message, err, got)
		}
	})
}

// TestCut: a stream whose provider breaks off is an error of the SDK, never an
// answer that looks complete.
func TestCut(t *testing.T) {
	each(t, options{}, func(t *testing.T, _, _ string, stream bool, c talker) {
		if !stream {
			t.SkipNow() // a whole answer is sent at once
		}
		c.user(script("say Once upon a time there was && cut"), false)
		if got, err := c.next(stream); err == nil {
			t.Errorf("no error, but %+v", got)
		}
	})
}

// TestBadInput: what no provider could take is refused before it costs anything,
// in the SDK's own error.
func TestBadInput(t *testing.T) {
	each(t, options{tools: true}, func(t *testing.T, _, _ string, stream bool, c talker) {
		c.user(script(`call get_weather {"city":"Paris"}`, "say never"), false)
		if got := must(t, c, stream); len(got.calls) != 1 {
			t.Fatalf("got %+v", got)
		}
		c.user("Never mind the call, this is deliberately wrong", false)
		got, err := c.next(stream)
		if err == nil {
			t.Fatalf("a call without its result passed: %+v", got)
		}
		if found, message := c.fault(err); found != 400 || message == "" {
			t.Errorf("status %d, %q (%v)", found, message, err)
		}
	})
}

// picture is a PNG of one pixel, in base64.
const picture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// cityProperties are those of the tool get_weather, answerSchema what the JSON
// of an answer must be.
var (
	cityProperties = map[string]any{"city": map[string]any{"type": "string", "description": "a name"}}
	citySchema     = map[string]any{"type": "object", "properties": cityProperties, "required": []string{"city"}, "additionalProperties": false}
	emptySchema    = map[string]any{"type": "object", "properties": map[string]any{}}
	answerSchema   = map[string]any{"type": "object", "additionalProperties": false, "required": []string{"city", "degrees"},
		"properties": map[string]any{"city": map[string]any{"type": "string"}, "degrees": map[string]any{"type": "integer"}}}
)
