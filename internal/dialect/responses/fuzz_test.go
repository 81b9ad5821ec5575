package responses_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/responses"
)

// seeds adds one section of every script of a folder.
func seeds(f *testing.F, folder, section string) {
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		input, _, _ := strings.Cut(string(text), "\n----\n")
		f.Add([]byte(sections(input)[section]))
	}
}

// A body from a stranger must not bring the gateway down, and what was read must
// mean the same once it is written and read again.
func FuzzRequest(f *testing.F) {
	seeds(f, "read", "request")
	f.Fuzz(func(t *testing.T, body []byte) {
		_, chat, err := front(string(body))
		if err != nil {
			return
		}
		target := form.Target{Model: "m"}
		sent, err := responses.Back{}.EncodeChat(chat, &target)
		if err != nil {
			return
		}
		if len(sent.Body) > 20*len(body)+1024 {
			t.Fatalf("%d bytes became %d", len(body), len(sent.Body))
		}
		if !json.Valid(sent.Body) {
			t.Fatalf("not JSON: %s", sent.Body)
		}
		_, again, err := front(string(sent.Body))
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, sent.Body)
		}
		if got, want := said(again), said(chat); !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %q\nwant %q\n%s", got, want, sent.Body)
		}
	})
}

// said is the conversation without what may change: ids of turns, neighbours
// that were joined, names that had to fit, reasoning that others signed.
func said(c *form.Chat) (list []string) {
	for i := range c.Turns {
		for _, p := range c.Turns[i].Parts {
			switch {
			case p.Kind == form.PartText && p.Text != "" && c.Turns[i].Role != form.RoleSystem:
				list = append(list, p.Text)
			case p.Kind == form.PartCall:
				list = append(list, p.Call.ID, p.Call.Arguments)
			case p.Kind == form.PartResult:
				list = append(list, p.Result.ID)
			}
		}
	}
	return list
}

// An answer from a provider must not bring the gateway down, and what clients
// are told of it must be sound.
func FuzzStream(f *testing.F) {
	seeds(f, "decode", "stream")
	f.Fuzz(func(t *testing.T, stream []byte) {
		_, _, _ = relay(t, true, func(d form.Decoder) error { return drain(d, string(stream)) }, len(stream))
	})
}

// As FuzzStream, for answers that come whole.
func FuzzWhole(f *testing.F) {
	seeds(f, "decode", "whole")
	f.Fuzz(func(t *testing.T, doc []byte) {
		_, _, _ = relay(t, false, func(d form.Decoder) error { return d.Whole(doc) }, len(doc))
	})
}

// relay decodes an answer and writes it for a client of this API.
func relay(t *testing.T, streamed bool, decode func(form.Decoder) error, size int) (out []byte, finished bool, err error) {
	body := `{"model":"m","input":"x","stream":` + map[bool]string{true: "true", false: "false"}[streamed] + `}`
	f, _, err := front(body)
	if err != nil {
		t.Fatal(err)
	}
	w := f.Writer(info)
	emit := form.NewEmitter("req", func(ev *form.Event) (err error) {
		out, err = w.Write(out, ev)
		return err
	})
	if err := decode(responses.Back{}.Decoder(emit, &form.Target{})); err != nil || !emit.Finished() {
		return out, false, err
	}
	if out, err = w.End(out); err != nil {
		t.Fatal(err)
	}
	if len(out) > 200*size+8192 {
		t.Fatalf("%d bytes became %d", size, len(out))
	}
	for _, line := range bytes.Split(out, []byte("\n")) {
		line, isData := bytes.CutPrefix(line, []byte("data: "))
		if (isData || !streamed && len(line) > 0) && !json.Valid(line) {
			t.Fatalf("not JSON: %s", line)
		}
	}
	return out, true, nil
}

// An answer that a client sends back, as agents do, must be read as what it was:
// a signature that is lost there makes the provider refuse the next round.
func TestAnswersComeBack(t *testing.T) {
	lines := "thought Why\nsigned anthropic c2ln\nsealed anthropic cmVk\ntext Hello\nsignedcall c1 f {\"a\":1}\ncustom c2 p free\nclose\nfinish tool_calls"
	f, _, err := front(`{"model":"m","input":"x"}`)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := tell(f.Writer(info), lines)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Output []json.RawMessage }
	if err := json.Unmarshal([]byte(doc), &answer); err != nil {
		t.Fatal(err)
	}
	input := append(answer.Output, []byte(`{"type":"function_call_output","call_id":"c1","output":"1"}`), []byte(`{"type":"custom_tool_call_output","call_id":"c2","output":"2"}`))
	body, err := json.Marshal(map[string]any{"model": "m", "input": input})
	if err != nil {
		t.Fatal(err)
	}
	_, chat, err := front(string(body))
	if err != nil {
		t.Fatal(err)
	}
	got := chat.Turns[0].Parts
	want := []form.Part{
		{Kind: form.PartReasoning, Text: "Why", Signature: form.Signature{Origin: "anthropic", Value: "c2ln"}},
		{Kind: form.PartReasoning, Sealed: "cmVk", Signature: form.Signature{Origin: "anthropic"}},
		{Kind: form.PartText, Text: "Hello"},
		{Kind: form.PartCall, Call: &form.Call{ID: "c1", Name: "f", Arguments: `{"a":1}`}, Signature: form.Signature{Origin: "gemini", Value: "c2ln"}},
		{Kind: form.PartCall, Call: &form.Call{ID: "c2", Name: "p", Arguments: "free", Custom: true}},
	}
	for i := range got {
		got[i].Field = ""
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

// Without limits one provider could make the gateway hold an endless answer.
func TestLongAnswers(t *testing.T) {
	f, _, err := front(`{"model":"m","input":"x","stream":true}`)
	if err != nil {
		t.Fatal(err)
	}
	w := f.Writer(info)
	emit := form.NewEmitter("req", func(ev *form.Event) error {
		_, err := w.Write(nil, ev)
		return err
	})
	piece := strings.Repeat("x", 1<<20)
	for range 4 {
		if err := emit.Text(0, piece); err != nil {
			t.Fatal(err)
		}
	}
	if err := emit.Reasoning(0, "a second item"); err != nil {
		t.Fatal(err)
	}
	if err := emit.Finish(0, form.StopEnd, ""); err != nil {
		t.Fatal(err)
	}
	end, err := w.End(nil)
	if err != nil || len(end) > 64<<10 || !strings.Contains(string(end), `"output":[]`) {
		t.Errorf("the end of an answer beyond what is kept: %d bytes, %v", len(end), err)
	}
	w = f.Writer(info)
	emit = form.NewEmitter("req", func(ev *form.Event) error {
		_, err := w.Write(nil, ev)
		return err
	})
	for range 5 {
		err = emit.Text(0, piece)
	}
	if err == nil {
		t.Error("an item of five megabytes was accepted")
	}
}
