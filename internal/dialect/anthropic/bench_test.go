package anthropic_test

import (
	"strings"
	"testing"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// What one piece of text costs on its way from the provider to a client.
func BenchmarkDelta(b *testing.B) {
	ask, err := askFor("/v1/messages", `{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"x"}]}`)
	if err != nil {
		b.Fatal(err)
	}
	writer := ask.Front.Writer(form.Info{RequestID: "r", Model: "m"})
	out := make([]byte, 0, 4096)
	emitter := form.NewEmitter("r", func(ev *form.Event) (err error) {
		out, err = writer.Write(out[:0], ev)
		return err
	})
	decoder := back(b).Decoder(emitter, &form.Target{})
	event := []byte(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" and a few more words"}}`)
	b.ReportAllocs()
	for b.Loop() {
		if err := decoder.Event(nil, event); err != nil {
			b.Fatal(err)
		}
	}
}

// What a conversation of a hundred turns costs to carry over.
func BenchmarkRequest(b *testing.B) {
	turn := `{"role":"user","content":"` + strings.Repeat("some words ", 20) + `"},{"role":"assistant","content":[{"type":"text","text":"` + strings.Repeat("an answer ", 30) + `"}]},`
	body := `{"model":"m","max_tokens":100,"messages":[` + strings.Repeat(turn, 50) + `{"role":"user","content":"And?"}]}`
	account := back(b)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		ask, err := askFor("/v1/messages", body)
		if err != nil {
			b.Fatal(err)
		}
		chat, err := ask.Front.Chat()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := account.EncodeChat(chat, &form.Target{Model: "claude-x"}); err != nil {
			b.Fatal(err)
		}
	}
}
