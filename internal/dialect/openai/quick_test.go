package openai_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/sluicegate/sluice/internal/dialect/form"
)

// A chunk that is taken for plain text although it says more loses a call, an
// end or its usage: the quick way must tell what the thorough one tells.
func TestQuickWayTellsTheSame(t *testing.T) {
	for _, chunk := range []string{
		`{"id":"c","choices":[{"index":0,"delta":{"content":"a"},"logprobs":null,"finish_reason":null}],"usage":null}`,
		`{"choices":[{"delta":{"role":"assistant","content":"a\u00e9","reasoning_content":null}}]}`,
		`{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}`,
		`{"choices":[{"index":1,"delta":{"content":"a"}}]}`,
		`{"choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}}]}`,
		`{"choices":[{"index":0,"delta":{"content":"a","tool_calls":[{"index":0,"id":"i","function":{"name":"f","arguments":"{}"}}]}}]}`,
		`{"choices":[{"index":0,"delta":{"content":"a","reasoning":"b"}}]}`,
		`{"choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`,
		`{"choices":[{"index":0,"delta":{"content":"a"},"usage":{"prompt_tokens":1,"completion_tokens":2}}]}`,
		`{"choices":[{"index":0,"delta":{"content":["a"]}}]}`,
		`{"choices":[{"index":0,"delta":{"content":"a"}}],"x_groq":{"usage":{"prompt_tokens":1,"completion_tokens":2}}}`,
		`{"choices":[{"index":0,"delta":{"content":"a"}}]`,
		`{"choices":[{"index":0,"delta":{"content":"a"}}]}x`,
		`{"choices":[]}`, `{}`, `[]`, ``,
	} {
		first := `{"choices":[{"index":0,"delta":{"content":"-"},"finish_reason":null}]}`
		quick := listen(t, first, chunk)
		// A member that nobody knows takes the thorough way.
		thorough := listen(t, first, "{\"unknown\":1,"+chunk[min(1, len(chunk)):])
		if chunk == "{}" {
			thorough = listen(t, first, `{"unknown":1}`)
		}
		if !slices.Equal(quick, thorough) {
			t.Errorf("%s\nquick    %v\nthorough %v", chunk, quick, thorough)
		}
	}
}

// listen decodes events and returns what is told of them.
func listen(t *testing.T, events ...string) (told []string) {
	t.Helper()
	d := decoderFor(t, func(ev *form.Event) error {
		told = append(told, fmt.Sprint(ev.Kind, ev.Choice, ev.Index, ev.Part.Kind, ev.Text, ev.Usage, ev.Reason))
		return nil
	})
	for _, event := range events {
		if err := d.Event(nil, []byte(event)); err != nil {
			return append(told, "error")
		}
	}
	if err := d.End(); err != nil {
		told = append(told, "error")
	}
	return told
}
