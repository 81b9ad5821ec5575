package demo_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/demo"
	"github.com/sluicegate/sluice/internal/dialect/openai"
)

// open opens a leg of the demo provider.
func open(t *testing.T, path, body, settings string) (dialect.Leg, *sluice.Call) {
	t.Helper()
	p := &sluice.Provider{Type: demo.Name}
	if settings != "" {
		if err := json.Unmarshal([]byte(settings), &p.Settings); err != nil {
			t.Fatal(err)
		}
	}
	d := demo.New(demo.Config{Now: func() time.Time { return time.Unix(1700000000, 0) }})
	if err := d.Check(p); err != nil {
		t.Fatal(err)
	}
	head := &sluice.Head{Method: "POST", Path: "/v1" + path}
	head.Fields.Add("Content-Type", "application/json")
	op, err := openai.Surface{}.Operation("POST", head.Path)
	if err != nil {
		t.Fatal(err)
	}
	ask, err := openai.Surface{}.Ask(op, head, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	leg, err := d.Open(ask, dialect.Account{Provider: p, Model: ask.Model})
	if err != nil {
		t.Fatal(err)
	}
	call := &sluice.Call{}
	if err := leg.Request(call); err != nil {
		t.Fatal(err)
	}
	return leg, call
}

// answer carries a whole answer through the leg, as the gateway does.
func answer(t *testing.T, path, body, settings string) (string, sluice.Usage) {
	t.Helper()
	leg, call := open(t, path, body, settings)
	s, err := leg.Outbound().Do(call)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Head().Status != 200 {
		b, _ := s.Next()
		t.Fatalf("%d %s", s.Head().Status, b)
	}
	var head sluice.RespHead
	if err := leg.Begin(s.Head(), &head); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for {
		piece, err := s.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := leg.Feed(piece)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(b)
	}
	b, err := leg.Finish()
	if err != nil {
		t.Fatal(err)
	}
	out.Write(b)
	usage, source := leg.Usage()
	if source != sluice.UsageProvider {
		t.Errorf("usage comes from %q", source)
	}
	return out.String(), usage
}

// completion is what the tests read of an answer or of a chunk.
type completion struct {
	Object  string
	Choices []struct {
		Text           string
		FinishReason   *string `json:"finish_reason"`
		Message, Delta struct {
			Role      string
			Content   string
			ToolCalls []struct {
				ID       string
				Function struct{ Name, Arguments string }
			} `json:"tool_calls"`
		}
	}
	Usage *struct {
		CompletionTokens int64 `json:"completion_tokens"`
	}
}

func whole(t *testing.T, body, settings string) completion {
	t.Helper()
	text, _ := answer(t, "/chat/completions", body, settings)
	var c completion
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return c
}

// gather reads a stream: text, arguments, the reason it ended for.
func gather(t *testing.T, body, settings string) (text, arguments, finish string, chunks int) {
	t.Helper()
	stream, _ := answer(t, "/chat/completions", body, settings)
	if strings.Count(stream, "data: [DONE]\n\n") != 1 || !strings.HasSuffix(stream, "data: [DONE]\n\n") {
		t.Errorf("[DONE] is not at the end, once: %s", stream)
	}
	for event := range strings.SplitSeq(strings.TrimSuffix(stream, "data: [DONE]\n\n"), "\n\n") {
		if event == "" {
			continue
		}
		var c completion
		if err := json.Unmarshal([]byte(strings.TrimPrefix(event, "data: ")), &c); err != nil {
			t.Fatalf("%v: %s", err, event)
		}
		chunks++
		for _, choice := range c.Choices {
			text += choice.Delta.Content
			for _, call := range choice.Delta.ToolCalls {
				arguments += call.Function.Arguments
			}
			if choice.FinishReason != nil {
				finish = *choice.FinishReason
			}
		}
	}
	return text, arguments, finish, chunks
}

const hello = `{"model":"demo","messages":[{"role":"user","content":"hello 世界"}]}`

// streamed makes a request a streaming one.
func streamed(body string) string { return strings.TrimSuffix(body, "}") + `,"stream":true}` }

// The first thing a stranger sees must be an answer, and the same one however
// it is carried.
func TestStreamAndWholeSayTheSame(t *testing.T) {
	c := whole(t, hello, `{"seed":7}`)
	text, _, finish, chunks := gather(t, streamed(hello), `{"seed":7}`)
	if text == "" || text != c.Choices[0].Message.Content || finish != "stop" || *c.Choices[0].FinishReason != "stop" {
		t.Errorf("whole %q, streamed %q, finish %q", c.Choices[0].Message.Content, text, finish)
	}
	if !strings.Contains(text, "hello 世界") {
		t.Errorf("the answer does not echo: %q", text)
	}
	if chunks < 10 {
		t.Errorf("the stream has only %d chunks", chunks)
	}
}

// Tests and demonstrations need the same answer every time.
func TestSeedDecides(t *testing.T) {
	one, _ := answer(t, "/chat/completions", hello, `{"seed":1}`)
	again, _ := answer(t, "/chat/completions", hello, `{"seed":1}`)
	other, _ := answer(t, "/chat/completions", hello, `{"seed":2}`)
	if one != again || one == other {
		t.Error("the seed does not decide the answer")
	}
}

// Usage has to be there, hidden or not, and to agree with what was sent.
func TestUsage(t *testing.T) {
	_, plain := answer(t, "/chat/completions", streamed(hello), `{"tokens":40}`)
	wanted, asked := answer(t, "/chat/completions", strings.TrimSuffix(streamed(hello), "}")+`,"stream_options":{"include_usage":true}}`, `{"tokens":40}`)
	if plain.Output != 40 || plain != asked || plain.Input == 0 {
		t.Errorf("usage is %v hidden, %v shown", plain, asked)
	}
	if !strings.Contains(wanted, `"completion_tokens":40`) {
		t.Error("usage was asked for and is not there")
	}
}

// A cap that is ignored would break every client that relies on it.
func TestMaxTokens(t *testing.T) {
	for _, member := range []string{`"max_tokens":5`, `"max_completion_tokens":5`} {
		body := strings.TrimSuffix(hello, "}") + "," + member + "}"
		c := whole(t, body, "")
		if *c.Choices[0].FinishReason != "length" || c.Usage.CompletionTokens != 5 {
			t.Errorf("%s: finish %s after %d tokens", member, *c.Choices[0].FinishReason, c.Usage.CompletionTokens)
		}
		if _, _, finish, _ := gather(t, streamed(body), ""); finish != "length" {
			t.Errorf("%s: the stream ends with %q", member, finish)
		}
	}
}

// Several answers have to be told apart by their index.
func TestChoices(t *testing.T) {
	if c := whole(t, strings.TrimSuffix(hello, "}")+`,"n":3}`, ""); len(c.Choices) != 3 {
		t.Errorf("%d choices", len(c.Choices))
	}
}

const weather = `{"type":"object","properties":{"city":{"type":"string","minLength":3},"unit":{"enum":["c","f"]},` +
	`"days":{"type":"integer","minimum":2,"maximum":5},"at":{"type":"string","format":"date"},"tags":{"type":"array","items":{"$ref":"#/$defs/tag"},"minItems":2},` +
	`"deep":{"anyOf":[{"type":"object","properties":{"on":{"type":"boolean"}},"required":["on"],"additionalProperties":false},{"type":"null"}]}},` +
	`"required":["city","unit","days","at","tags","deep"],"additionalProperties":false,"$defs":{"tag":{"type":"string","maxLength":4}}}`

// An agent's loop has to work without an account: a call with arguments that
// its schema accepts, then an answer to the tool's result.
func TestToolLoop(t *testing.T) {
	tools := `"tools":[{"type":"function","function":{"name":"time","parameters":{}}},{"type":"function","function":{"name":"weather","parameters":` + weather + `}}],` +
		`"tool_choice":{"type":"function","function":{"name":"weather"}}`
	body := `{"model":"demo","messages":[{"role":"user","content":"Paris in the rain"}],` + tools + `}`
	c := whole(t, body, "")
	calls := c.Choices[0].Message.ToolCalls
	if len(calls) != 1 || calls[0].Function.Name != "weather" || *c.Choices[0].FinishReason != "tool_calls" {
		t.Fatalf("calls are %+v", calls)
	}
	conforms(t, weather, calls[0].Function.Arguments)
	if _, arguments, finish, _ := gather(t, streamed(body), ""); arguments != calls[0].Function.Arguments || finish != "tool_calls" {
		t.Errorf("streamed arguments are %s, finish %s", arguments, finish)
	}
	result := fmt.Sprintf(`{"model":"demo","messages":[{"role":"user","content":"Paris"},{"role":"assistant","tool_calls":[]},`+
		`{"role":"tool","tool_call_id":%q,"content":"21 degrees"}],%s}`, calls[0].ID, tools)
	if c := whole(t, result, ""); !strings.Contains(c.Choices[0].Message.Content, "21 degrees") || *c.Choices[0].FinishReason != "stop" {
		t.Errorf("the tool's result is not used: %+v", c.Choices[0])
	}
	if c := whole(t, strings.Replace(body, `{"type":"function","function":{"name":"weather"}}}`, `"none"}`, 1), ""); len(c.Choices[0].Message.ToolCalls) != 0 {
		t.Error("a tool was called against tool_choice none")
	}
}

// Structured output that does not fit its schema would break the caller's
// decoder.
func TestResponseFormat(t *testing.T) {
	body := strings.TrimSuffix(hello, "}") + `,"response_format":{"type":"json_schema","json_schema":{"name":"w","schema":` + weather + `}}}`
	conforms(t, weather, whole(t, body, "").Choices[0].Message.Content)
}

// conforms checks a document against a schema.
func conforms(t *testing.T, schema, document string) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("urn:s", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("urn:s")
	if err != nil {
		t.Fatal(err)
	}
	instance, err := jsonschema.UnmarshalJSON(strings.NewReader(document))
	if err != nil {
		t.Fatalf("%v: %s", err, document)
	}
	if err := compiled.Validate(instance); err != nil {
		t.Errorf("%s: %v", document, err)
	}
}

// Legacy completions stream and answer as well.
func TestCompletions(t *testing.T) {
	body := `{"model":"demo","prompt":"once","max_tokens":9}`
	text, usage := answer(t, "/completions", body, "")
	var c completion
	if err := json.Unmarshal([]byte(text), &c); err != nil || c.Object != "text_completion" || c.Choices[0].Text == "" || usage.Output != 9 {
		t.Errorf("%v %s %v", err, text, usage)
	}
	stream, _ := answer(t, "/completions", streamed(body), "")
	if strings.Count(stream, `"object":"text_completion"`) < 10 || !strings.Contains(stream, `"finish_reason":"length"`) {
		t.Errorf("the stream is %s", stream)
	}
}

// Vectors have to be of length one, repeatable, and of the asked size, in both
// encodings.
func TestEmbeddings(t *testing.T) {
	text, usage := answer(t, "/embeddings", `{"model":"demo","input":["a","b","a"],"dimensions":8}`, "")
	var list struct {
		Data []struct {
			Index     int
			Embedding []float32
		}
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil || len(list.Data) != 3 || usage.Input != 3 || usage.Output != 0 {
		t.Fatalf("%v %s %v", err, text, usage)
	}
	sum := 0.0
	for _, x := range list.Data[0].Embedding {
		sum += float64(x) * float64(x)
	}
	if len(list.Data[0].Embedding) != 8 || math.Abs(sum-1) > 1e-5 {
		t.Errorf("%d dimensions of square length %f", len(list.Data[0].Embedding), sum)
	}
	if fmt.Sprint(list.Data[0].Embedding) != fmt.Sprint(list.Data[2].Embedding) || fmt.Sprint(list.Data[0].Embedding) == fmt.Sprint(list.Data[1].Embedding) {
		t.Error("vectors do not depend on the text alone")
	}
	text, _ = answer(t, "/embeddings", `{"model":"demo","input":"a","dimensions":8,"encoding_format":"base64"}`, "")
	var encoded struct{ Data []struct{ Embedding string } }
	if err := json.Unmarshal([]byte(text), &encoded); err != nil {
		t.Fatal(err)
	}
	if raw, err := base64.StdEncoding.DecodeString(encoded.Data[0].Embedding); err != nil || len(raw) != 32 {
		t.Errorf("base64 holds %d bytes: %v", len(raw), err)
	}
}

// The pace that was set is the pace that dashboards and timeouts are tried
// with.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		gather(t, streamed(hello), `{"first_token_ms":500,"delay_ms":20,"tokens":10}`)
		// A role, ten tokens, the end, usage and [DONE], each after a pause but the first.
		if took := time.Since(start); took != 500*time.Millisecond+13*20*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

// A client that hangs up must end the call at once, whatever the pace.
func TestStopEndsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		leg, call := open(t, "/chat/completions", streamed(hello), `{"delay_ms":60000}`)
		s, err := leg.Outbound().Do(call)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := s.Next(); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, call.Stopper().Stop)
		if _, err := s.Next(); sluice.CodeOf(err) != sluice.CodeClientGone {
			t.Errorf("the stream ended with %v", err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("it took %v to stop", took)
		}
	})
}

// Timeouts hold for this target as for any other.
func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leg, call := open(t, "/chat/completions", hello, `{"first_token_ms":5000}`)
		call.FirstByte = time.Second
		if _, err := leg.Outbound().Do(call); sluice.CodeOf(err) != sluice.CodeTimeout {
			t.Errorf("the first byte came with %v", err)
		}
		leg, call = open(t, "/chat/completions", streamed(hello), `{"delay_ms":5000}`)
		call.Idle = time.Second
		s, err := leg.Outbound().Do(call)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		_, _ = s.Next()
		if _, err := s.Next(); sluice.CodeOf(err) != sluice.CodeTimeout {
			t.Errorf("silence ended with %v", err)
		}
	})
}

// What the demo provider cannot do has to be said, not imitated.
func TestUnsupported(t *testing.T) {
	head := &sluice.Head{Method: "POST", Path: "/v1/images/generations"}
	head.Fields.Add("Content-Type", "application/json")
	op, _ := openai.Surface{}.Operation("POST", head.Path)
	ask, err := openai.Surface{}.Ask(op, head, []byte(`{"model":"demo","prompt":"a cat"}`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = demo.New(demo.Config{}).Open(ask, dialect.Account{Provider: &sluice.Provider{Type: demo.Name}})
	if sluice.CodeOf(err) != sluice.CodeUnsupported {
		t.Errorf("images open with %v", err)
	}
}

// A setting that is misspelt must not be ignored in silence.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		settings map[string]any
		field    string
	}{
		{map[string]any{"seed": 1.0, "tokens": int64(5), "delay_ms": 1, "first_token_ms": json.Number("2")}, ""},
		{map[string]any{"speed": 1.0}, "/settings/speed"},
		{map[string]any{"delay_ms": -1.0}, "/settings/delay_ms"},
		{map[string]any{"tokens": 1.5}, "/settings/tokens"},
		{map[string]any{"tokens": "5"}, "/settings/tokens"},
	} {
		field := ""
		if err := demo.New(demo.Config{}).Check(&sluice.Provider{Settings: c.settings}); err != nil {
			field = sluice.AsError(err).Field
		}
		if field != c.field {
			t.Errorf("%v: blamed %q, want %q", c.settings, field, c.field)
		}
	}
}

// What other protocols ask has an answer without an account at a provider, too.
func TestResponses(t *testing.T) {
	body, usage := answer(t, "/responses", `{"model":"m","input":"Hello"}`, `{"seed":7}`)
	if !strings.Contains(body, `"status":"completed"`) || !strings.Contains(body, `"output_text"`) || usage.Output == 0 {
		t.Errorf("%s\n%+v", body, usage)
	}
	leg, call := open(t, "/responses/input_tokens", `{"model":"m","input":"Hello"}`, "")
	stream, err := leg.Outbound().Do(call)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if err := leg.Begin(stream.Head(), &sluice.RespHead{}); err != nil {
		t.Fatal(err)
	}
	if count, err := leg.Finish(); err != nil || !strings.Contains(string(count), `"input_tokens":`) {
		t.Errorf("%s, %v", count, err)
	}
}
