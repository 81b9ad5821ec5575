package openai_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/openai"
)

// BenchmarkAsk is what reading a request costs, by the size of its body.
func BenchmarkAsk(b *testing.B) {
	for _, size := range []int{600, 200 << 10} {
		body := []byte(`{"model":"gpt-4o","messages":[{"role":"user","content":"` + strings.Repeat("words and ", size/10) + `"}],"stream":true,"max_tokens":100}`)
		head := &sluice.Head{}
		head.Fields.Add("Content-Type", "application/json")
		op, err := openai.Surface{}.Operation("POST", "/v1/chat/completions")
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				ask, err := openai.Surface{}.Ask(op, head, body)
				if err != nil {
					b.Fatal(err)
				}
				ask.Release()
			}
		})
	}
}

// BenchmarkFeed is what one streamed event costs.
func BenchmarkFeed(b *testing.B) {
	event := []byte(`data: {"id":"chatcmpl-D8Z5oo6uDh67AD85p73ksdT1KxhE0","object":"chat.completion.chunk","created":1770933892,"model":"gpt-4.1-nano",` +
		`"choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}],"usage":null}` + "\n\n")
	leg := begin(b, true, "text/event-stream", "sk-a-long-credential")
	b.ReportAllocs()
	for range b.N {
		out, err := leg.Feed(event)
		if err != nil || !bytes.Equal(out, event) {
			b.Fatal(err)
		}
	}
}
