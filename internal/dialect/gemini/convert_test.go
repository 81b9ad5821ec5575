package gemini_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/convert"
	"github.com/sluicegate/sluice/internal/dialect/gemini"
)

// translated begins an attempt that takes the long way, through the forms,
// although both sides speak the same protocol.
func translated(t *testing.T, path, body string) dialect.Leg {
	t.Helper()
	ask, _ := open(t, path, body)
	ask.RequestID, ask.At = "req-1", time.Unix(1, 0)
	account := dialect.Account{Provider: &sluice.Provider{Type: gemini.Name}, APIKey: secret, Model: "gemini-2.5-flash"}
	plan, err := gemini.Dialect{}.Prepare(account)
	if err != nil {
		t.Fatal(err)
	}
	leg, err := convert.Open(ask, account, plan.(convert.Peer))
	if err != nil {
		t.Fatal(err)
	}
	return leg
}

// reply is what is compared of an answer.
type reply struct {
	Candidates []struct {
		Content struct {
			Parts []struct {
				Text             string
				FunctionCall     json.RawMessage
				ThoughtSignature string
			}
		}
		FinishReason string
	}
	UsageMetadata struct{ PromptTokenCount, CandidatesTokenCount, ThoughtsTokenCount, TotalTokenCount int64 }
}

// gathered joins the replies of a stream in either form.
func gathered(t *testing.T, out string) (text string, calls []string, last reply) {
	t.Helper()
	docs := []json.RawMessage{}
	if strings.HasPrefix(out, "[") {
		if err := json.Unmarshal([]byte(out), &docs); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
	} else {
		for frame := range strings.SplitSeq(strings.TrimSuffix(out, "\r\n\r\n"), "\r\n\r\n") {
			doc, ok := strings.CutPrefix(frame, "data: ")
			if !ok {
				t.Fatalf("frame %q in %q", frame, out)
			}
			docs = append(docs, json.RawMessage(doc))
		}
	}
	for _, doc := range docs {
		last = reply{}
		if err := json.Unmarshal(doc, &last); err != nil {
			t.Fatalf("%v in %s", err, doc)
		}
		for _, p := range last.Candidates[0].Content.Parts {
			text += p.Text
			if p.FunctionCall != nil {
				calls = append(calls, string(p.FunctionCall)+p.ThoughtSignature)
			}
		}
	}
	return text, calls, last
}

// called is a stream with text, two calls and a signature.
const called = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Grüß\"}],\"role\":\"model\"},\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":9,\"totalTokenCount\":9}}\r\n\r\n" +
	"data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\":\"é\"}},\"thoughtSignature\":\"c2ln\"},{\"functionCall\":{\"name\":\"g\"}}],\"role\":\"model\"},\"index\":0}]}\r\n\r\n" +
	"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":9,\"candidatesTokenCount\":5,\"thoughtsTokenCount\":4,\"totalTokenCount\":18}}\r\n\r\n"

// A translated answer must say what the provider said, in both forms of a
// stream, whichever way the network cut it.
func TestTranslatedStreams(t *testing.T) {
	const body = `{"contents":[{"parts":[{"text":"x"}]}],"tools":[{"functionDeclarations":[{"name":"f"},{"name":"g"}]}]}`
	for _, query := range []string{"?alt=sse", ""} {
		for _, n := range []int{1, 13, 4096} {
			leg := translated(t, "/v1beta/models/fast:streamGenerateContent"+query, body)
			out, _, err := answered(leg, "text/event-stream", called, n)
			if err != nil {
				t.Fatal(err)
			}
			text, calls, last := gathered(t, out)
			want := `{"id":"call_req1_1","name":"f","args":{"a":"é"}}c2ln {"id":"call_req1_2","name":"g","args":{}}`
			if text != "Grüß" || strings.Join(calls, " ") != want {
				t.Errorf("%q in pieces of %d: %q %q", query, n, text, calls)
			}
			if u := last.UsageMetadata; last.Candidates[0].FinishReason != "STOP" || u.PromptTokenCount != 9 || u.ThoughtsTokenCount != 4 || u.TotalTokenCount != 18 {
				t.Errorf("the last one is %+v", last)
			}
		}
	}
}

// A stream that was cut must never look whole, and one that says nothing is no
// answer.
func TestTranslatedStreamsThatBreak(t *testing.T) {
	const body = `{"contents":[{"parts":[{"text":"x"}]}]}`
	first, _, _ := strings.Cut(called, "\r\n\r\n")
	leg := translated(t, "/v1beta/models/fast:streamGenerateContent?alt=sse", body)
	out, _, err := answered(leg, "text/event-stream", first+"\r\n\r\n", 9)
	if sluice.CodeOf(err) != sluice.CodeProviderError || !strings.Contains(out, "Grüß") || strings.Contains(out, "finishReason") {
		t.Errorf("%q %v", out, err)
	}
	leg = translated(t, "/v1beta/models/fast:streamGenerateContent?alt=sse", body)
	out, _, err = answered(leg, "text/event-stream", "data: {\"usageMetadata\":{\"promptTokenCount\":1,\"totalTokenCount\":1}}\r\n\r\n", 9)
	if sluice.CodeOf(err) != sluice.CodeProviderError || out != "" {
		t.Errorf("%q %v", out, err)
	}
	leg = translated(t, "/v1beta/models/fast:streamGenerateContent?alt=sse", body)
	out, _, err = answered(leg, "text/event-stream", "data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\r\n\r\n", 9)
	if _, _, last := gathered(t, out); err != nil || last.Candidates[0].FinishReason != "SAFETY" {
		t.Errorf("%q %v", out, err)
	}
}

// Counting and embedding are operations of their own: a client that plans by
// them must get the provider's numbers.
func TestTranslatedCountAndEmbeddings(t *testing.T) {
	leg := translated(t, "/v1beta/models/fast:countTokens", `{"contents":[{"parts":[{"text":"x"}]}]}`)
	if call, body := sent(t, leg); call.Target != "/v1beta/models/gemini-2.5-flash:countTokens" || !strings.Contains(body, `"generateContentRequest":{"model":"models/gemini-2.5-flash"`) {
		t.Errorf("%s %s", call.Target, body)
	}
	if out, _, err := answered(leg, "application/json", `{"totalTokens":31}`, 4); err != nil || out != `{"totalTokens":31}` {
		t.Errorf("%s %v", out, err)
	}

	leg = translated(t, "/v1beta/models/fast:embedContent", `{"content":{"parts":[{"text":"x"}]}}`)
	if out, _, err := answered(leg, "application/json", `{"embeddings":[{"values":[0.25,-1]}]}`, 4); err != nil || out != `{"embedding":{"values":[0.25,-1]}}` {
		t.Errorf("%s %v", out, err)
	}
	leg = translated(t, "/v1beta/models/fast:batchEmbedContents", `{"requests":[{"content":{"parts":[{"text":"x"}]}}]}`)
	if out, _, err := answered(leg, "application/json", `{"embeddings":[{"values":[0.25]}]}`, 4); err != nil || out != `{"embeddings":[{"values":[0.25]}]}` {
		t.Errorf("%s %v", out, err)
	}
}
