package anthropic_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/sse"
)

// seeds are the inputs of the golden cases of a file.
func seeds(f *testing.F, file string) []string {
	f.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		f.Fatal(err)
	}
	var inputs []string
	for _, c := range strings.Split("\n"+string(text), "\n== ")[1:] {
		_, script, _ := strings.Cut(c, "\n")
		input, _, _ := strings.Cut(script, "\n----\n")
		inputs = append(inputs, input)
	}
	return inputs
}

// Any request that is accepted must mean the same after it was written for this
// API and read again: what is lost on the way is lost to other protocols, too.
func FuzzRequest(f *testing.F) {
	for _, seed := range seeds(f, "testdata/front.txt") {
		f.Add(seed)
	}
	account := back(f)
	f.Fuzz(func(t *testing.T, body string) {
		once, ok := rewrite(t, account, body)
		if !ok {
			return
		}
		twice, ok := rewrite(t, account, once)
		if !ok {
			t.Fatalf("%s\nwas written as\n%s\nwhich is refused", body, once)
		}
		if once != twice {
			t.Fatalf("%s\nwas written as\n%s\nand then as\n%s", body, once, twice)
		}
		if len(once) > 8*len(body)+4096 {
			t.Fatalf("%d bytes grew to %d", len(body), len(once))
		}
	})
}

// rewrite reads a body and writes it again.
func rewrite(t *testing.T, account form.Back, body string) (string, bool) {
	ask, err := askFor("/v1/messages", body)
	if err != nil {
		return "", false
	}
	chat, err := ask.Front.Chat()
	if err != nil {
		if e := sluice.AsError(err); e.Code != sluice.CodeInvalidRequest {
			t.Fatalf("%s\nis refused with %v", body, err)
		}
		return "", false
	}
	encoded, err := account.EncodeChat(chat, &form.Target{Model: "claude-sonnet-4-5"})
	if err != nil {
		if e := sluice.AsError(err); e.Code != sluice.CodeInvalidRequest || e.Field == "" {
			t.Fatalf("%s\ncannot be written: %v", body, err)
		}
		return "", false
	}
	if !json.Valid(encoded.Body) {
		t.Fatalf("%s\nwas written as\n%s", body, encoded.Body)
	}
	return string(encoded.Body), true
}

// Whatever a provider sends, the client gets frames in their order, or an error.
func FuzzStream(f *testing.F) {
	for _, seed := range seeds(f, "testdata/stream.txt") {
		f.Add(seed)
	}
	account := back(f)
	ask, err := askFor("/v1/messages", `{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"x"}]}`)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, input string) {
		writer := ask.Front.Writer(form.Info{RequestID: "r", Model: "m"})
		var out []byte
		emitter := form.NewEmitter("r", func(ev *form.Event) (err error) {
			out, err = writer.Write(out, ev)
			return err
		})
		if feed(account.Decoder(emitter, &form.Target{}), input, true) != nil || !emitter.Finished() {
			return
		}
		if out, err = writer.End(out); err != nil {
			t.Fatal(err)
		}
		checkFrames(t, out)
		if len(out) > 64*len(input)+4096 {
			t.Fatalf("%d bytes grew to %d", len(input), len(out))
		}
	})
}

// checkFrames holds a stream to the order that the official SDKs insist on.
func checkFrames(t *testing.T, stream []byte) {
	t.Helper()
	var scanner sse.Scanner
	scanner.Reset(16 << 20)
	scanner.Push(stream)
	var ev sse.Event
	state, open, next := "", false, 0
	for scanner.Next(&ev) {
		var frame struct {
			Type  string
			Index int
		}
		if err := json.Unmarshal(ev.Data, &frame); err != nil || frame.Type != string(ev.Name) {
			t.Fatalf("%s: %s: %v", ev.Name, ev.Data, err)
		}
		ok := state == "message_start"
		switch frame.Type {
		case "message_start":
			ok, state = state == "", frame.Type
		case "content_block_start":
			ok = ok && !open && frame.Index == next
			open = true
		case "content_block_delta":
			ok = ok && open && frame.Index == next
		case "content_block_stop":
			ok = ok && open && frame.Index == next
			open, next = false, next+1
		case "message_delta":
			ok, state = ok && !open, frame.Type
		case "message_stop":
			ok, state = state == "message_delta", frame.Type
		}
		if !ok {
			t.Fatalf("the frame %s is out of order in\n%s", ev.Data, stream)
		}
	}
	if state != "message_stop" || len(bytes.TrimSpace(scanner.Rest())) > 0 {
		t.Fatalf("the stream does not end:\n%s", stream)
	}
}

// A whole answer of any shape must be refused or told as valid JSON.
func FuzzWhole(f *testing.F) {
	for _, seed := range seeds(f, "testdata/whole.txt") {
		f.Add(seed)
	}
	account := back(f)
	ask, err := askFor("/v1/messages", `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}]}`)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, input string) {
		writer := ask.Front.Writer(form.Info{RequestID: "r", Model: "m"})
		emitter := form.NewEmitter("r", func(ev *form.Event) error {
			_, err := writer.Write(nil, ev)
			return err
		})
		if feed(account.Decoder(emitter, &form.Target{}), input, false) != nil || !emitter.Finished() {
			return
		}
		out, err := writer.End(nil)
		if err != nil || !json.Valid(out) {
			t.Fatalf("%s\nis told as\n%s: %v", input, out, err)
		}
	})
}
