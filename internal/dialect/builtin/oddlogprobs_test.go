package builtin_test

import (
	"fmt"
	"strings"
	"testing"
)

// odd is an answer whose probabilities are not where, or what, they should be.
type odd struct {
	provider string
	settings map[string]any
	// stream and whole are the answer of "Hi", each "" where there is no such case.
	stream, whole string
	// lost tells that there is nothing to be told of them.
	lost bool
}

// chatOdd is an answer of the chat API: rest is a choice's logprobs, said what its
// delta or message holds.
func chatOdd(said, rest string, lost bool) odd {
	return odd{"openai", map[string]any{"responses": false},
		chunk(`{"index":0,"delta":{"role":"assistant",`+said+`},"logprobs":`+rest+`,"finish_reason":null}`) + stopped + spent + done,
		`{"id":"c","choices":[{"index":0,"message":{"role":"assistant",` + said + `},"logprobs":` + rest + `,"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":5}}`, lost}
}

// candidateOdd is an answer of Google's whose logprobsResult is rest.
func candidateOdd(rest string, lost bool) odd {
	doc := `{"candidates":[{"content":{"parts":[{"text":"Hi"}]},"finishReason":"STOP","logprobsResult":` + rest + `}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":5}}`
	return odd{"gemini", nil, "data: " + doc + "\r\n\r\n", doc, lost}
}

func odds() map[string]odd {
	probs := `{"content":[` + openaiProbs + `]}`
	list := map[string]odd{
		"a list":                chatOdd(`"content":"Hi"`, `[]`, true),
		"a text":                chatOdd(`"content":"Hi"`, `""`, true),
		"a number":              chatOdd(`"content":"Hi"`, `1`, true),
		"content of another":    chatOdd(`"content":"Hi"`, `{"content":"x"}`, true),
		"parts":                 chatOdd(`"content":[{"type":"text","text":"Hi"}]`, probs, false),
		"parts behind thoughts": chatOdd(`"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"Hi"}]`, probs, false),
		"Google's as a list":    candidateOdd(`[]`, true),
		"Google's as a text":    candidateOdd(`"x"`, true),
		"Google's, odd tokens":  candidateOdd(`{"chosenCandidates":[{"token":7}]}`, true),
	}
	// Tokens that are no text, or whose text is held back, come by themselves.
	lone := chunk(`{"index":0,"delta":{"content":null},"logprobs":` + probs + `,"finish_reason":null}`)
	hi := chunk(`{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null}`)
	chat := map[string]any{"responses": false}
	list["before the text"] = odd{"openai", chat, lone + hi + stopped + spent + done, "", false}
	list["behind the text"] = odd{"openai", chat, hi + lone + stopped + spent + done, "", false}
	list["of a call"] = odd{"openai", chat, hi + chunk(`{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}}`) +
		lone + chunk(`{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}}`) + stopped + spent + done, "", true}
	list["of a thought"] = odd{"deepseek", nil, chunk(`{"index":0,"delta":{"content":"","reasoning_content":"hm"},"logprobs":`+probs+`,"finish_reason":null}`) + hi + stopped + spent + done, "", true}
	list["Google's by themselves"] = odd{"gemini", nil, "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hi\"}]}}]}\r\n\r\n" +
		"data: {\"candidates\":[{\"finishReason\":\"STOP\"," + geminiProbs + "}],\"usageMetadata\":{\"promptTokenCount\":3,\"candidatesTokenCount\":5}}\r\n\r\n", "", false}
	return list
}

// native reports whether answers of the provider pass as they are.
func (s *probable) native(provider string) bool {
	return s.surface == provider && s.path != "/v1/responses"
}

// A complete answer would become an error of the provider for probabilities in
// another shape, which nobody need have asked for; or those in another place would
// get lost without a word.
func TestOddProbabilities(t *testing.T) {
	for name, o := range odds() {
		for _, s := range probables() {
			for _, stream := range []bool{false, true} {
				if !stream && o.whole == "" || s.native(o.provider) {
					continue
				}
				t.Run(fmt.Sprintf("%s, %s stream=%v", name, s.path, stream), func(t *testing.T) {
					_, got, _ := s.ask(t, &likely{provider: o.provider, settings: o.settings, stream: o.stream, whole: o.whole}, stream)
					if !strings.Contains(got, "Hi") || strings.Contains(got, "PROVIDER_005") {
						t.Errorf("the answer is lost: %s", got)
					}
					if told := strings.Contains(got, s.told); told == o.lost {
						t.Errorf("probabilities are told: %v, in %s", told, got)
					}
				})
			}
		}
	}
}

// One token that is impossible, which JSON has no number for, would cost the whole
// answer, or be told as one that is certain.
func TestImpossibleTokenOfGoogles(t *testing.T) {
	o := candidateOdd(`{"chosenCandidates":[{"token":"Hi","logProbability":-0.25}],"topCandidates":[{"candidates":[{"token":"Hi","logProbability":-0.25},{"token":"Ho","logProbability":"-Infinity"},{"token":"He"}]}]}`, false)
	for _, s := range probables() {
		if s.native(o.provider) {
			continue
		}
		for _, stream := range []bool{false, true} {
			_, got, _ := s.ask(t, &likely{provider: o.provider, stream: o.stream, whole: o.whole}, stream)
			for _, want := range []string{"-0.25", "-9999"} {
				if !strings.Contains(got, want) {
					t.Errorf("%s stream=%v: %s is missing in %s", s.path, stream, want, got)
				}
			}
		}
	}
}

// A client that did not ask would get pieces of text that are none.
func TestProbabilitiesNobodyAskedFor(t *testing.T) {
	s := &probable{surface: "anthropic", path: "/v1/messages", body: `{"model":"m","max_tokens":9,"stream":%t,"messages":[{"role":"user","content":"x"}]}`}
	call := chunk(`{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}}`)
	lone := chunk(`{"index":0,"delta":{"content":""},"logprobs":{"content":[` + openaiProbs + `]},"finish_reason":null}`)
	_, got, _ := s.ask(t, &likely{provider: "openai", settings: map[string]any{"responses": false}, stream: lone + call + stopped + spent + done}, true)
	if strings.Contains(got, `"type":"text"`) || !strings.Contains(got, `"tool_use"`) {
		t.Error(got)
	}
}

// A preset would be asked for what its provider refuses, or what it tells be dropped.
func TestPresetsThatTellProbabilities(t *testing.T) {
	tells := map[string]bool{
		"openai-compatible": true, "deepseek": true, "doubao": true, "openrouter": true, "vllm": true, "sglang": true,
		"qwen": false, "moonshot": false, "zhipu": false, "minimax": false, "mistral": false, "groq": false, "together": false, "ollama": false,
	}
	s := probables()[2]
	hi := chunk(`{"index":0,"delta":{"role":"assistant","content":"Hi"},"logprobs":{"content":[` + openaiProbs + `]},"finish_reason":null}`)
	for preset, tells := range tells {
		t.Run(preset, func(t *testing.T) {
			sent, _, dropped := s.ask(t, &likely{provider: preset, stream: hi + stopped + spent + done}, true)
			if asked := strings.Contains(sent, `"logprobs":true`) && strings.Contains(sent, `"top_logprobs":2`); asked != tells {
				t.Errorf("asked for: %v, in %s", asked, sent)
			}
			if named := strings.Contains(dropped, "logprobs"); named == tells {
				t.Errorf("named as dropped: %q", dropped)
			}
		})
	}
}
