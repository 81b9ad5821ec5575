package translate_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluicegate/sluice"
)

// vector is every embedding that the scripts make, counted what they count.
var vector = []float32{0.5, -0.25}

const counted = 42

// operation is something else than a conversation that a client asks for.
type operation struct {
	name, path, auth, body string
	// read says what the answer holds, "" when it is not what was asked for.
	read func(doc []byte) string
}

// counts and embeddings are all that surfaces have; MODEL stands for the model.
var (
	counts = []operation{
		{"openai responses", "/v1/responses/input_tokens", "Authorization", `{"model":"MODEL","input":"Hello there."}`, number("input_tokens")},
		{"anthropic messages", "/v1/messages/count_tokens", "X-Api-Key", `{"model":"MODEL","messages":[{"role":"user","content":"Hello there."}]}`, number("input_tokens")},
		{"gemini", "/v1beta/models/MODEL:countTokens", "X-Goog-Api-Key", `{"contents":[{"parts":[{"text":"Hello there."}]}]}`, number("totalTokens")},
	}
	embeddings = []operation{
		{"openai", "/v1/embeddings", "Authorization", `{"model":"MODEL","input":["one","two"]}`, floats},
		{"openai, base64", "/v1/embeddings", "Authorization", `{"model":"MODEL","input":["one","two"],"encoding_format":"base64"}`, packed},
		{"openai, tokens", "/v1/embeddings", "Authorization", `{"model":"MODEL","input":[[1,2],[3]]}`, floats},
		{"gemini", "/v1beta/models/MODEL:embedContent", "X-Goog-Api-Key", `{"content":{"parts":[{"text":"one"}]}}`, values},
		{"gemini batch", "/v1beta/models/MODEL:batchEmbedContents", "X-Goog-Api-Key", `{"requests":[{"model":"models/MODEL","content":{"parts":[{"text":"one"}]}},{"model":"models/MODEL","content":{"parts":[{"text":"two"}]}}]}`, values},
	}
	// odd are conversations with members that few others know.
	odds = []operation{
		{"openai chat", "/v1/chat/completions", "Authorization", `{"model":"MODEL","seed":7,"presence_penalty":0.5,"logprobs":true,"messages":[{"role":"user","content":"hi"}]}`, answered},
		{"openai responses", "/v1/responses", "Authorization", `{"model":"MODEL","prompt_cache_key":"k","truncation":"auto","input":"hi"}`, answered},
		{"anthropic messages", "/v1/messages", "X-Api-Key", `{"model":"MODEL","max_tokens":9,"top_k":5,"messages":[{"role":"user","content":"hi"}]}`, answered},
		{"gemini", "/v1beta/models/MODEL:generateContent", "X-Goog-Api-Key", `{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"topK":5,"seed":7}}`, answered},
	}
)

// number reads a count.
func number(member string) func([]byte) string {
	return func(doc []byte) string {
		var v map[string]any
		if n, ok := 0.0, json.Unmarshal(doc, &v) == nil; ok {
			if n, ok = v[member].(float64); ok && n > 0 {
				return fmt.Sprint(n)
			}
		}
		return ""
	}
}

// floats reads OpenAI's vectors.
func floats(doc []byte) string {
	var v struct {
		Data []struct{ Embedding []float32 }
	}
	if json.Unmarshal(doc, &v) != nil || len(v.Data) != 2 {
		return ""
	}
	return fmt.Sprint(v.Data[0].Embedding, v.Data[1].Embedding)
}

// packed reads those that come as base64.
func packed(doc []byte) string {
	var v struct{ Data []struct{ Embedding []byte } }
	if json.Unmarshal(doc, &v) != nil || len(v.Data) != 2 || string(v.Data[0].Embedding) != string(bytesOf(vector)) {
		return ""
	}
	return fmt.Sprint(vector, vector)
}

// values reads Gemini's vectors.
func values(doc []byte) string {
	type embedding struct{ Values []float32 }
	var v struct {
		Embedding  embedding
		Embeddings []embedding
	}
	if json.Unmarshal(doc, &v) != nil {
		return ""
	}
	if len(v.Embeddings) == 2 {
		return fmt.Sprint(v.Embeddings[0].Values, v.Embeddings[1].Values)
	}
	return fmt.Sprint(v.Embedding.Values, v.Embedding.Values)
}

func answered(doc []byte) string {
	if strings.Contains(string(doc), "fine, thanks") {
		return "answered"
	}
	return ""
}

// bytesOf packs a vector as little-endian floats.
func bytesOf(v []float32) (b []byte) {
	for _, f := range v {
		bits := math.Float32bits(f)
		b = append(b, byte(bits), byte(bits>>8), byte(bits>>16), byte(bits>>24))
	}
	return b
}

// operator is a provider of everything that its protocol has.
type operator struct {
	*upstream
	asked atomic.Int64
}

func (o *operator) serve(w http.ResponseWriter, r *http.Request) {
	o.asked.Add(1)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, o.answer(r.URL.Path, body))
}

// answer is the document for a path.
func (o *operator) answer(path string, body []byte) string {
	var q struct {
		Input, Requests []json.RawMessage
		Format          string `json:"encoding_format"`
	}
	_ = json.Unmarshal(body, &q) // other operations have other members
	switch {
	case strings.HasSuffix(path, "/input_tokens"), strings.HasSuffix(path, "/count_tokens"):
		return js(obj{"object": "response.input_tokens", "input_tokens": counted})
	case strings.HasSuffix(path, ":countTokens"):
		return js(obj{"totalTokens": counted})
	case strings.HasSuffix(path, ":embedContent"):
		return js(obj{"embedding": obj{"values": vector}})
	case strings.HasSuffix(path, ":batchEmbedContents"):
		var all list
		for range q.Requests {
			all = append(all, obj{"values": vector})
		}
		return js(obj{"embeddings": all})
	case strings.HasSuffix(path, "/embeddings"):
		var all list
		for i := range q.Input {
			one := obj{"object": "embedding", "index": i, "embedding": vector}
			if q.Format == "base64" {
				one["embedding"] = base64.StdEncoding.EncodeToString(bytesOf(vector))
			}
			all = append(all, one)
		}
		return js(obj{"object": "list", "data": all, "usage": obj{"prompt_tokens": 4, "total_tokens": 4}})
	}
	return o.whole(said{text: "fine, thanks", stop: stopEnd, usage: some})
}

// strictly is the name of a model whose policy is strict.
const strictly = "-strict"

// startOperators starts the providers of the matrix, with two models each.
func startOperators(t *testing.T) (*plane, []*operator) {
	var accounts []*sluice.Provider
	var operators []*operator
	for _, u := range newUpstreams() {
		o := &operator{upstream: u}
		u.secret = "sk-upstream-credential-of-" + u.name
		server := httptest.NewServer(http.HandlerFunc(o.serve))
		t.Cleanup(server.Close)
		u.url = server.URL
		models := map[string]string{u.slug(): u.usual, u.slug() + strictly: u.usual}
		accounts = append(accounts, u.account("account-"+u.slug(), u.secret, 0, models))
		operators = append(operators, o)
	}
	return newPlane(t, sluice.Timeouts{}, accounts...), operators
}

// try asks for an operation and says what came of it: what the answer holds, or
// the code and message of a refusal that reached no provider.
func (o *operator) try(t *testing.T, p *plane, op *operation, model string) (outcome string, a answer) {
	t.Helper()
	before := o.asked.Load()
	a = p.send(t, strings.ReplaceAll(op.path, "MODEL", model), op.auth, strings.ReplaceAll(op.body, "MODEL", model))
	asked := o.asked.Load() - before
	if a.status != 200 {
		if a.status != 400 && a.status != 501 || asked > 0 {
			t.Errorf("%s of %s: %d after %d attempts: %s", op.name, model, a.status, asked, a.body)
		}
		return fmt.Sprintf("refused %s", a.record.Code), a
	}
	outcome = op.read(a.body)
	if outcome == "" {
		t.Errorf("%s of %s: %s", op.name, model, a.body)
	}
	if estimated := a.header.Get("X-Sluice-Estimated") == "true"; estimated != (asked == 0) {
		t.Errorf("%s of %s: %d attempts, estimated is %v", op.name, model, asked, estimated)
	} else if estimated {
		outcome = "estimated"
	}
	return outcome, a
}

// operations plays everything but conversations, and renders what came of it.
// Counts and vectors that are lost or made up mislead whoever pays by them or
// searches with them; a strict model that drops in silence is not strict.
func operations(t *testing.T) string {
	p, operators := startOperators(t)
	var b strings.Builder
	table := func(title, about string, ops []operation, cell func(*operator, *operation) string) {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| from |", title, about)
		for _, o := range operators {
			fmt.Fprintf(&b, " %s |", o.name)
		}
		b.WriteString("\n|---|" + strings.Repeat("---|", len(operators)) + "\n")
		for i := range ops {
			fmt.Fprintf(&b, "| %s |", ops[i].name)
			for _, o := range operators {
				fmt.Fprintf(&b, " %s |", cell(o, &ops[i]))
			}
			b.WriteString("\n")
		}
	}
	table("Counting tokens", "Counted by the provider where it can; elsewhere nobody is asked, and the answer says that it is an estimate.", counts, func(o *operator, op *operation) string {
		outcome, a := o.try(t, p, op, o.slug())
		if a.record.Usage != (sluice.Usage{}) {
			t.Errorf("counting cost %+v", a.record.Usage)
		}
		return strings.Replace(outcome, fmt.Sprint(counted), "counted", 1)
	})
	table("Embeddings", "Every vector as the provider made it, in the order of the inputs.", embeddings, func(o *operator, op *operation) string {
		outcome, _ := o.try(t, p, op, o.slug())
		return strings.Replace(outcome, fmt.Sprint(vector, vector), "embedded", 1)
	})
	table("The strict policy", "The same conversation with members that not every provider knows, for a lenient model and for a strict one: what the one drops, the other refuses.", odds, func(o *operator, op *operation) string {
		outcome, a := o.try(t, p, op, o.slug())
		dropped := a.header.Get("X-Sluice-Dropped-Params")
		strict, _ := o.try(t, p, op, o.slug()+strictly)
		if refused := strings.HasPrefix(strict, "refused"); refused != (dropped != "") {
			t.Errorf("%s to %s: lenient dropped %q, strict: %s", op.name, o.name, dropped, strict)
		}
		if dropped == "" {
			return "all " + outcome
		}
		return "drops " + dropped + "; " + strict
	})
	return b.String()
}
