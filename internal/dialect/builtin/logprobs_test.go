package builtin_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/builtin"
)

// probable is a surface that can ask for the probabilities of tokens: %t in its body
// or the path streams ask for a stream, and told is how they come back.
type probable struct {
	surface, path, streams, body string
	told                         string
}

// likely is a dialect that tells them: asked is what its requests must hold, and
// the answers tell of "Hi" at -0.25 and its alternative "Ho" at -1.50.
type likely struct {
	provider string
	settings map[string]any
	asked    []string
	stream   string
	whole    string
}

const openaiProbs = `{"token":"Hi","logprob":-0.25,"bytes":[72,105],"top_logprobs":[{"token":"Hi","logprob":-0.25,"bytes":[72,105]},{"token":"Ho","logprob":-1.50,"bytes":[72,111]}]}`

const geminiProbs = `"logprobsResult":{"topCandidates":[{"candidates":[{"token":"Hi","logProbability":-0.25},{"token":"Ho","logProbability":-1.50}]}],"chosenCandidates":[{"token":"Hi","logProbability":-0.25}]}`

func probables() []probable {
	return []probable{
		{"openai", "/v1/chat/completions", "", `{"model":"m","logprobs":true,"top_logprobs":2,"stream":%t,"messages":[{"role":"user","content":"x"}]}`, `"logprobs":{"content":[` + openaiProbs + `],"refusal":null}`},
		{"openai", "/v1/responses", "", `{"model":"m","include":["message.output_text.logprobs"],"top_logprobs":2,"stream":%t,"input":"x"}`, `"logprobs":[` + openaiProbs + `]`},
		{"gemini", "/v1beta/models/m:generateContent", "/v1beta/models/m:streamGenerateContent?alt=sse", `{"generationConfig":{"responseLogprobs":true,"logprobs":2},"contents":[{"parts":[{"text":"x"}]}]}`, geminiProbs},
	}
}

func likelies() []likely {
	usage := `"usage":{"prompt_tokens":3,"completion_tokens":5}`
	message := `{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Hi","logprobs":[` + openaiProbs + `]}]}`
	response := `{"id":"r","status":"completed","output":[` + message + `],"usage":{"input_tokens":3,"output_tokens":5}}`
	candidate := `{"candidates":[{"content":{"parts":[{"text":"Hi"}]},"finishReason":"STOP",` + geminiProbs + `}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":5}}`
	return []likely{
		{"openai", map[string]any{"responses": false}, []string{`"logprobs":true`, `"top_logprobs":2`},
			chunk(`{"index":0,"delta":{"role":"assistant","content":"Hi"},"logprobs":{"content":[`+openaiProbs+`],"refusal":null},"finish_reason":null}`) + stopped + spent + done,
			`{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"logprobs":{"content":[` + openaiProbs + `],"refusal":null},"finish_reason":"stop"}],` + usage + `}`},
		{"openai", map[string]any{"api": "responses"}, []string{`"include":["message.output_text.logprobs"]`, `"top_logprobs":2`},
			created + `data: {"type":"response.output_text.delta","output_index":0,"delta":"Hi","logprobs":[` + openaiProbs + "]}\n\n" +
				`data: {"type":"response.output_item.done","output_index":0,"item":` + message + "}\n\n" + `data: {"type":"response.completed","response":` + response + "}\n\n",
			response},
		{"gemini", nil, []string{`"responseLogprobs":true`, `"logprobs":2`}, "data: " + candidate + "\r\n\r\n", candidate},
	}
}

// ask sends the surface's request to a provider and returns what it got and what
// the client gets.
func (s *probable) ask(t *testing.T, to *likely, stream bool) (sent, got, dropped string) {
	t.Helper()
	registry := builtin.Registry(nil)
	surface, _ := registry.Surface(s.surface)
	path, body := s.path, s.body
	if strings.Contains(body, "%t") {
		body = fmt.Sprintf(body, stream)
	} else if stream {
		path = s.streams
	}
	path, query, _ := strings.Cut(path, "?")
	op, err := surface.Operation("POST", path)
	if err != nil {
		t.Fatal(err)
	}
	head := &sluice.Head{Method: "POST", Path: path, RawQuery: query}
	head.Fields.Add("Content-Type", "application/json")
	ask, err := surface.Ask(op, head, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	target, _ := registry.Dialect(to.provider)
	leg, err := target.Open(ask, dialect.Account{Provider: &sluice.Provider{Type: to.provider, BaseURL: "https://provider.example/v1", Settings: to.settings}, Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	var call sluice.Call
	if err := leg.Request(&call); err != nil {
		t.Fatal(err)
	}
	for _, piece := range call.Body {
		sent += string(piece)
	}
	answer, client := sluice.RespHead{Status: 200, ContentLength: -1}, sluice.RespHead{}
	kind, said := "application/json", to.whole
	if stream {
		kind, said = "text/event-stream", to.stream
	}
	answer.Fields.Add("Content-Type", kind)
	if err := leg.Begin(&answer, &client); err != nil {
		t.Fatal(err)
	}
	first, err := leg.Feed([]byte(said))
	if err != nil {
		t.Fatal(err)
	}
	got = string(first)
	last, err := leg.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return sent, got + string(last), client.Fields.Get("X-Sluice-Dropped-Params")
}

// Who asks for the probabilities of tokens would get an answer without them, and
// could not tell that from a provider that has none.
func TestProbabilitiesAreTranslated(t *testing.T) {
	for _, s := range probables() {
		for _, to := range likelies() {
			for _, stream := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s to %s %v stream=%v", s.path, to.provider, to.settings, stream), func(t *testing.T) {
					sent, got, dropped := s.ask(t, &to, stream)
					for _, want := range to.asked {
						if !strings.Contains(sent, want) {
							t.Errorf("%s is missing in %s", want, sent)
						}
					}
					if !strings.Contains(got, s.told) {
						t.Errorf("%s is missing in %s", s.told, got)
					}
					if dropped != "" {
						t.Errorf("%s was dropped", dropped)
					}
				})
			}
		}
	}
}
