package form

import (
	"github.com/sluicegate/sluice"
)

// Front is one client request on a surface, as a translation needs it: what was
// asked, and how the answer is told. It is made for each request and used by
// one goroutine; attempts at several targets read it again.
type Front interface {
	// Chat decodes a conversation, for the operations chat and count. Errors
	// are [sluice.CodeInvalidRequest] with the field. The result is not changed
	// by anyone and may be returned again.
	Chat() (*Chat, error)
	// Embed decodes a request for embeddings, for the operation embeddings.
	Embed() (*Embed, error)
	// Writer renders one answer to Chat, streamed or whole as was asked.
	Writer(Info) Writer
	// Embeddings renders the answer to Embed.
	Embeddings(Info, *Embeddings) ([]byte, error)
	// Count renders the number of input tokens of Chat.
	Count(Count) []byte
}

// Forgetter is a front that can let go of the conversation that it decoded: an
// answer may last for minutes, and only another attempt reads it again. What Chat
// returns afterwards is decoded anew.
type Forgetter interface{ Forget() }

// Info is what the gateway adds to an answer.
type Info struct {
	// RequestID is what ids are made of where the provider's own do not fit.
	RequestID string
	// Model is the model as the client named it.
	Model string
	// Created is the time of the request in Unix seconds.
	Created int64
	// InputEstimate is the likely number of input tokens, for protocols that
	// state it before the provider does.
	InputEstimate int64
}

// Writer renders the events of one answer in a surface's protocol. A whole
// answer is gathered and rendered by End; a streamed one keeps no more than its
// protocol needs.
type Writer interface {
	// Write appends what the client gets for an event, possibly nothing. It may
	// keep strings of the event, not the event.
	Write(to []byte, ev *Event) ([]byte, error)
	// End appends the end of an answer that is complete.
	End(to []byte) ([]byte, error)
	// ContentType is that of the answer.
	ContentType() string
}

// Back is an account of a dialect, as a translation needs it: how a request is
// written and how its answer is read. It is immutable and safe for concurrent
// use.
type Back interface {
	// EncodeChat writes a conversation. What the protocol cannot express goes
	// through t.Drop or is refused with [sluice.CodeInvalidRequest] at the
	// client's field.
	EncodeChat(c *Chat, t *Target) (Encoded, error)
	// Decoder reads the answer to EncodeChat into e.
	Decoder(e *Emitter, t *Target) Decoder
}

// Embedder is a back that can embed; others answer [sluice.CodeUnsupported].
type Embedder interface {
	EncodeEmbed(q *Embed, t *Target) (Encoded, error)
	DecodeEmbed(doc []byte) (*Embeddings, error)
}

// Counter is a back whose provider counts tokens; for others the gateway
// answers an estimate, flagged as such.
type Counter interface {
	EncodeCount(c *Chat, t *Target) (Encoded, error)
	DecodeCount(doc []byte) (int64, error)
}

// Encoded is a request as a back wrote it.
type Encoded struct {
	// Path is appended to the account's base URL, its query included.
	Path string
	// Body is JSON. Its memory is the receiver's, who writes over it later.
	Body []byte
	// Fields are added to those that every call of the account has.
	Fields []sluice.Field
}

// Decoder reads one answer of a provider. Every method may return an error of
// the provider ([sluice.CodeProviderError] and its kin), which ends the answer.
type Decoder interface {
	// Event reads the data of one server-sent event; name is its event field.
	// Both are leased. An error that the provider sent inside a 200 is returned
	// as an error.
	Event(name, data []byte) error
	// Whole reads the document of an answer that is not streamed; doc stays as it
	// is until the writer of the answer has ended.
	Whole(doc []byte) error
	// End is called at the end of a stream and finishes what the protocol
	// leaves implicit. An answer that was cut off is an error.
	End() error
}

// Embed is a request for embeddings.
type Embed struct {
	Model string
	// Inputs are what is embedded, in order.
	Inputs []EmbedInput
	// Dimensions is the wanted length of vectors, 0 for the model's own.
	Dimensions int64
	// Base64 asks for vectors as base64 of little-endian 32-bit floats.
	Base64 bool
	// Task and Title are Gemini's taskType and title, "" when not stated.
	Task, Title string
	User        string
	Extras      []Extra
}

// EmbedInput is one text, or one list of tokens.
type EmbedInput struct {
	Text string
	// Tokens is nil for texts.
	Tokens []int64
	Field  string
}

// Embeddings is an answer to [Embed].
type Embeddings struct {
	// Vectors are in the order of the inputs.
	Vectors []Vector
	// Usage is what the provider stated; Stated tells whether it did.
	Usage  sluice.Usage
	Stated bool
}

// Vector is one embedding.
type Vector []float32

// Count is a number of input tokens.
type Count struct {
	Tokens int64
	// Estimated tells that no provider counted them.
	Estimated bool
}

// Fault is an error of the provider that a decoder found inside a success: Doc
// is the document or event that holds it, to be classified and scrubbed by
// whoever knows the account.
type Fault struct{ Doc []byte }

// Error implements error.
func (*Fault) Error() string { return "the provider reported an error inside its answer" }
