package openai_test

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
	"github.com/sluicegate/sluice/internal/dialect/openai"
)

// corpus adds what a section of every script holds.
func corpus(f *testing.F, add func(script)) {
	f.Helper()
	files, err := filepath.Glob("testdata/translate/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		input, _, _ := strings.Cut(string(text), "\n----\n")
		add(parse(&testing.T{}, input))
	}
}

// askFor reads a body, nil when the surface refuses it.
func askFor(path string, body []byte) *dialect.Ask {
	h := &sluice.Head{Method: "POST", Path: path}
	h.Fields.Add("Content-Type", "application/json")
	op, err := openai.Surface{}.Operation("POST", path)
	if err != nil {
		return nil
	}
	ask, err := openai.Surface{}.Ask(op, h, body)
	if err != nil {
		return nil
	}
	return ask
}

// encoded sends a request through the intermediate form to a provider and
// returns what that would get, nil when it is refused.
func encoded(t *testing.T, path string, body []byte, kind string) []byte {
	t.Helper()
	ask := askFor(path, body)
	if ask == nil {
		return nil
	}
	s := script{provider: sluice.Provider{Type: kind, BaseURL: "http://engine.test/v1"}}
	leg, err := openForeign(s, ask)
	if err != nil {
		if e := sluice.AsError(err); e.Code != sluice.CodeInvalidRequest && e.Code != sluice.CodeUnsupported {
			t.Fatalf("a request is refused with %v", err)
		}
		return nil
	}
	var call sluice.Call
	if err := leg.Request(&call); err != nil {
		t.Fatal(err)
	}
	return bytes.Join(call.Body, nil)
}

// What a client sends must neither crash the gateway nor grow in it, and what
// one provider was told must say the same when it is read again.
func FuzzRequests(f *testing.F) {
	corpus(f, func(s script) {
		if s.path == "/v1/chat/completions" {
			f.Add(s.body)
		}
	})
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, kind := range []string{"openai", "mistral", "zhipu"} {
			first := encoded(t, "/v1/chat/completions", body, kind)
			if first == nil {
				continue
			}
			if !json.Valid(first) {
				t.Fatalf("%s gets %q", kind, first)
			}
			// A byte may become six, and a picture's place is told in words.
			if len(first) > 10*len(body)+4096 {
				t.Fatalf("%d bytes became %d", len(body), len(first))
			}
			if kind != "openai" {
				continue // these have members that this surface does not know
			}
			if second := encoded(t, "/v1/chat/completions", first, kind); !same(first, second) {
				t.Fatalf("%s first gets %s\nand then %s", kind, first, second)
			}
		}
	})
}

// same compares JSON by what it says.
func same(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// The same for requests for embeddings.
func FuzzEmbeddingRequests(f *testing.F) {
	corpus(f, func(s script) {
		if s.path == "/v1/embeddings" {
			f.Add(s.body)
		}
	})
	f.Fuzz(func(t *testing.T, body []byte) {
		first := encoded(t, "/v1/embeddings", body, "openai")
		if first == nil {
			return
		}
		if second := encoded(t, "/v1/embeddings", first, "openai"); !same(first, second) {
			t.Fatalf("first %s\nthen %s", first, second)
		}
	})
}

// Whatever a provider sends: parts in order, valid JSON for the client, an end
// only where there is one.
func FuzzAnswers(f *testing.F) {
	corpus(f, func(s script) {
		if s.answers {
			f.Add(s.answerBody, strings.Contains(s.answer.Fields.Get("Content-Type"), "event-stream"))
		}
	})
	f.Fuzz(func(t *testing.T, answer []byte, streamed bool) {
		body := `{"model":"m","messages":[{"role":"user","content":"hi"}]}`
		kind := "application/json"
		if streamed {
			body, kind = `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`, "text/event-stream"
		}
		ask := askFor("/v1/chat/completions", []byte(body))
		leg, err := openForeign(script{provider: sluice.Provider{Type: "openai"}}, ask)
		if err != nil {
			t.Fatal(err)
		}
		var head, out sluice.RespHead
		head.Status = 200
		head.Fields.Add("Content-Type", kind)
		if err := leg.Begin(&head, &out); err != nil {
			t.Fatal(err)
		}
		told, err := leg.Feed(answer)
		told = bytes.Clone(told)
		if err == nil {
			var rest []byte
			rest, err = leg.Finish()
			told = append(told, rest...)
		}
		checkTold(t, told, streamed, err == nil)
	})
}

// checkTold refuses what an SDK could not read.
func checkTold(t *testing.T, told []byte, streamed, whole bool) {
	t.Helper()
	if !streamed {
		if whole && !json.Valid(told) {
			t.Fatalf("the client gets %q", told)
		}
		return
	}
	done := 0
	for event := range strings.SplitSeq(strings.TrimSuffix(string(told), "\n\n"), "\n\n") {
		data, ok := strings.CutPrefix(event, "data: ")
		switch {
		case event == "":
		case data == "[DONE]":
			done++
		case !ok || !json.Valid([]byte(data)) || done > 0:
			t.Fatalf("the client gets %q", told)
		}
	}
	if whole != (done == 1) {
		t.Fatalf("whole %v, and %d times [DONE]: %q", whole, done, told)
	}
}

// Vectors come from providers as well.
func FuzzEmbeddingAnswers(f *testing.F) {
	f.Add([]byte(`{"data":[{"index":0,"embedding":[0.5,1e-3]}],"usage":{"prompt_tokens":1}}`))
	f.Add([]byte(`{"data":[{"embedding":"AACAPwAAAMA="}]}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		d := openai.Dialects()[0].(dialect.Preparer)
		plan, err := d.Prepare(dialect.Account{Provider: &sluice.Provider{Type: "openai"}})
		if err != nil {
			t.Fatal(err)
		}
		found, err := plan.(form.Embedder).DecodeEmbed(answer)
		if err != nil {
			return
		}
		ask := askFor("/v1/embeddings", []byte(`{"model":"m","input":"a"}`))
		if text, err := ask.Front.Embeddings(form.Info{Model: "m"}, found); err != nil || !json.Valid(text) {
			t.Fatalf("%v: %s", err, text)
		}
	})
}
