package anthropic

import (
	"strconv"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/form"
	"github.com/sluicegate/sluice/internal/dialect/jsonscan"
)

// front carries one request of the surface over to other protocols.
type front struct {
	body     []byte
	stream   bool
	counting bool
	chat     *form.Chat
}

var (
	_ form.Front     = (*front)(nil)
	_ form.Forgetter = (*front)(nil)
)

// Chat implements [form.Front]. The body is read once, by the first attempt
// that needs it.
func (f *front) Chat() (*form.Chat, error) {
	if f.chat != nil {
		return f.chat, nil
	}
	c, err := readChat(f.body, f.counting)
	if err != nil {
		return nil, err
	}
	f.chat = c
	return c, nil
}

// Forget implements [form.Forgetter].
func (f *front) Forget() { f.chat = nil }

// Embed implements [form.Front]: this API has no embeddings.
func (*front) Embed() (*form.Embed, error) {
	return nil, sluice.Errorf(sluice.CodeUnsupported, "this API has no embeddings")
}

// Embeddings implements [form.Front].
func (*front) Embeddings(form.Info, *form.Embeddings) ([]byte, error) {
	return nil, sluice.Errorf(sluice.CodeUnsupported, "this API has no embeddings")
}

// Writer implements [form.Front].
func (f *front) Writer(info form.Info) form.Writer {
	if f.stream {
		return newStreamWriter(info)
	}
	return newWholeWriter(info)
}

// Count implements [form.Front] with {"input_tokens":n}.
func (*front) Count(c form.Count) []byte {
	return append(strconv.AppendInt([]byte(`{"input_tokens":`), c.Tokens, 10), '}')
}

// readChat decodes the body of a request. counting is that of count_tokens,
// which needs no max_tokens.
func readChat(body []byte, counting bool) (*form.Chat, error) {
	root := node{doc: body, value: jsonscan.At(body, 0)}
	members, err := root.object()
	if err != nil {
		return nil, err
	}
	r := reader{chat: &form.Chat{}, root: root, members: members, counting: counting}
	for _, step := range []func() error{r.limits, r.sampling, r.thinking, r.output, r.tools, r.choice, r.system, r.messages, r.extras} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return r.chat, nil
}
