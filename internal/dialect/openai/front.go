package openai

import (
	"github.com/sluicegate/sluice/internal/dialect"
	"github.com/sluicegate/sluice/internal/dialect/form"
)

// front carries a request of this surface over to other protocols. It lies in
// the ask's memory and decodes once, when a translation is needed at all.
type front struct {
	ask   *dialect.Ask
	chat  *form.Chat
	embed *form.Embed
	err   error
}

var (
	_ form.Front     = (*front)(nil)
	_ form.Forgetter = (*front)(nil)
)

// Chat implements [form.Front].
func (f *front) Chat() (*form.Chat, error) {
	if f.chat == nil && f.err == nil {
		f.chat, f.err = readChat(f.ask)
	}
	return f.chat, f.err
}

// Forget implements [form.Forgetter].
func (f *front) Forget() { f.chat = nil }

// Embed implements [form.Front].
func (f *front) Embed() (*form.Embed, error) {
	if f.embed == nil && f.err == nil {
		f.embed, f.err = readEmbed(f.ask)
	}
	return f.embed, f.err
}

// Writer implements [form.Front].
func (f *front) Writer(info form.Info) form.Writer {
	if f.ask.Stream {
		return newChunkWriter(info, f.ask.WantsUsage)
	}
	return newWholeWriter(info)
}

// Embeddings implements [form.Front].
func (f *front) Embeddings(info form.Info, e *form.Embeddings) ([]byte, error) {
	return writeEmbeddings(info, f.embed != nil && f.embed.Base64, e), nil
}

// Count implements [form.Front]; the shape is that of responses, since chats
// are not counted on this surface.
func (f *front) Count(c form.Count) []byte {
	return mustJSON(struct {
		Object string `json:"object"`
		Tokens int64  `json:"input_tokens"`
	}{"response.input_tokens", c.Tokens})
}
