package openai_test

import (
	"encoding/base64"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/form"
)

// BenchmarkDecodeEvent is what one streamed event of a provider costs on its
// way into the intermediate form.
func BenchmarkDecodeEvent(b *testing.B) {
	event := []byte(`{"id":"chatcmpl-D8Z5oo6uDh67AD85p73ksdT1KxhE0","object":"chat.completion.chunk","created":1770933892,"model":"gpt-4.1-nano",` +
		`"choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}],"usage":null}`)
	d := decoderFor(b, func(*form.Event) error { return nil })
	b.ReportAllocs()
	for range b.N {
		if err := d.Event(nil, event); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWriteEvent is what one streamed event costs on its way out of it.
func BenchmarkWriteEvent(b *testing.B) {
	w := askFor("/v1/chat/completions", []byte(`{"model":"m","stream":true,"messages":[{}]}`)).Front.Writer(form.Info{RequestID: "r", Model: "m"})
	ev := &form.Event{Kind: form.EventDelta, Part: form.Part{Kind: form.PartText}, Text: " word"}
	buffer := make([]byte, 0, 1<<10)
	b.ReportAllocs()
	for range b.N {
		if _, err := w.Write(buffer[:0], ev); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodeImage is what a request with a megabyte of picture costs.
func BenchmarkDecodeImage(b *testing.B) {
	picture := base64.StdEncoding.EncodeToString(make([]byte, 1<<20))
	body := []byte(`{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,` + picture + `"}}]}]}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for range b.N {
		ask := askFor("/v1/chat/completions", body)
		if _, err := ask.Front.Chat(); err != nil {
			b.Fatal(err)
		}
		ask.Release()
	}
}

// decoderFor is the decoder of an answer of OpenAI's.
func decoderFor(tb testing.TB, take func(*form.Event) error) form.Decoder {
	tb.Helper()
	plan := prepare(tb, dialect.Account{Provider: &sluice.Provider{Type: "openai"}})
	return plan.(form.Back).Decoder(form.NewEmitter("r", take), &form.Target{})
}
