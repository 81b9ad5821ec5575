package responses

import (
	"encoding/json"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/form"
)

// Front is one request, to responses or to its counter. It is made for each
// request by [NewFront] and used by one goroutine.
type Front struct {
	body    []byte
	read    *reader
	err     error
	decoded bool
	// echo is what an answer repeats of the request.
	echo []byte
	// place is where the answer is: of the writer, or of [Passing].
	place *place
}

var _ form.Front = (*Front)(nil)

// NewFront returns the front of a body that passed [Inspect]; it stays
// referenced.
func NewFront(body []byte) *Front { return &Front{body: body} }

// Chat implements [form.Front].
func (f *Front) Chat() (*form.Chat, error) {
	if !f.decoded {
		f.decoded, f.read = true, &reader{}
		f.err = f.read.read(f.body)
	}
	if f.err != nil {
		return nil, f.err
	}
	return &f.read.chat, nil
}

// Embed implements [form.Front]: this API has none.
func (f *Front) Embed() (*form.Embed, error) {
	return nil, sluice.Errorf(sluice.CodeUnsupported, "responses are not embeddings")
}

// Embeddings implements [form.Front]: this API has none.
func (f *Front) Embeddings(form.Info, *form.Embeddings) ([]byte, error) { return nil, nil }

// Count implements [form.Front].
func (f *Front) Count(c form.Count) []byte {
	return mustJSON(struct {
		Object string `json:"object"`
		Tokens int64  `json:"input_tokens"`
	}{"response.input_tokens", c.Tokens})
}

// Writer implements [form.Front]. Chat was called before.
func (f *Front) Writer(info form.Info) form.Writer {
	w := &writer{front: f, info: info, streamed: f.read.chat.Stream}
	w.place.id, w.place.created = responseID(info.RequestID), info.Created
	f.place = &w.place
	return w
}

// Failed returns the event that ends a stream which cannot be completed, with
// fault as its error object: numbered behind what was told before, under the
// same id.
func (f *Front) Failed(info form.Info, fault json.RawMessage) []byte {
	at := place{id: responseID(info.RequestID), created: info.Created}
	if f.place != nil && f.place.id != "" {
		at = *f.place
	}
	w := writer{front: f, info: info, streamed: true, place: at, status: "failed", fault: fault}
	return w.terminal(nil)
}
