// Package dialect translates between what clients speak (surfaces) and what
// targets speak (dialects): it reads asks, encodes calls, decodes answers event
// by event with bounded memory, meters usage and renders errors. It performs no
// I/O: the gateway carries the bytes.
//
// Start at [Surface] and [Dialect]; a [Registry] knows them by name, and
// dialect/builtin makes the one with everything that is built in. A pair that
// speaks the same protocol passes bytes through untouched, but for the model's
// name and what the provider needs.
package dialect

import (
	"time"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/dialect/form"
)

// The names of operations that more than one surface has.
const (
	OpChat       = "chat"       // a conversation, whatever the surface calls it
	OpCount      = "count"      // the number of input tokens of a conversation
	OpEmbeddings = "embeddings" // vectors of texts
	OpModels     = "models"     // the list of models, which is local
)

// NoOutput is the OutputUpper of an answer that has no tokens.
const NoOutput = -1

// Operation is what a request asks a surface for.
type Operation struct {
	// Name is chat, count, completions, embeddings, images, audio, moderations,
	// rerank, models, or "" on the plain surface.
	Name string
	// Path is the operation's path below the provider's base URL, for instance
	// "/chat/completions".
	Path string
	// Local operations are answered by the gateway itself from the snapshot
	// (the list of models); Model is then the one asked for, "" for all.
	Local bool
	Model string
}

// Surface is a client-facing API. Implementations are stateless and safe for
// concurrent use.
type Surface interface {
	// Name is the value of Route.Surface.
	Name() string
	// Operation says what method and path ask for. An unknown path is
	// [sluice.CodeNotFound], a wrong method [sluice.CodeMethodNotAllowed] with
	// the right ones in Details["allow"], a []string, and one that would create
	// objects upstream [sluice.CodeUnsupported].
	Operation(method, path string) (Operation, error)
	// ReadsBody reports whether Ask needs the whole body; if not, the gateway
	// streams it.
	ReadsBody() bool
	// Ask reads what the body asks for; body is leased and stays referenced by
	// the result. Errors are [sluice.CodeInvalidRequest] with the field.
	Ask(op Operation, h *sluice.Head, body []byte) (*Ask, error)
	// Error renders an error in this API's own shape, with our code and the
	// request id inside.
	Error(e *sluice.Error, requestID string) (contentType string, body []byte)
	// StreamError renders the bytes that end a stream which can no longer be
	// completed; nil where the protocol has no such thing and the connection
	// has to be broken off. It is for answers whose head was sent as
	// text/event-stream; any other answer can only be broken off.
	StreamError(e *sluice.Error, requestID string) []byte
	// Models renders the list of models; Model renders one.
	Models(models []*sluice.Model) []byte
	Model(m *sluice.Model) []byte
}

// Identifier is a surface whose clients look for the request's id in a field of
// its own, besides X-Request-Id.
type Identifier interface {
	// RequestIDField is the response field's name.
	RequestIDField() string
}

// KeepAliver is a surface whose streams have a sign of life that every client
// passes over.
type KeepAliver interface {
	// KeepAlive is the sign: whole events or comments.
	KeepAlive() []byte
}

// Ask is one client request as an LLM surface understood it, enough to check,
// to limit and to route it. The plain surface gives an Ask with an Operation
// only.
type Ask struct {
	Surface   string
	Operation Operation
	Model     string
	Stream    bool
	// MaxTokens is the client's cap on one answer, 0 when absent.
	MaxTokens int64
	// Choices is how many answers are generated (n, best_of), at least 1: the
	// cap of the whole request is MaxTokens times Choices.
	Choices int64
	// InputUpper is an upper bound of the input's tokens, from its size: a token
	// is at least one byte. It is for holds, which must cover the worst case.
	InputUpper int64
	// OutputUpper is the most tokens that one answer has where the client's body
	// tells it otherwise than by a cap; 0 is unknown, [NoOutput] is none.
	OutputUpper int64
	// Pieces is the most that the request uses of what is no token. What is 0 it is
	// not measured in.
	Pieces sluice.Pieces
	// InputEstimate is the likely number of input tokens, from its size: it is
	// for rate limits, which Settle corrects, and never refuses by itself.
	InputEstimate int64
	// What the request needs of a model (feature E7).
	NeedsVision, NeedsFunctions, NeedsToolChoice, NeedsFIM bool
	// NeedsAudio and NeedsFiles: it holds sound or documents; NeedsReasoning: it
	// asks for thought; NeedsSchema: it gives a JSON schema for the answer.
	NeedsAudio, NeedsFiles, NeedsReasoning, NeedsSchema bool
	// WantsUsage tells that the client asked for usage in the stream.
	WantsUsage bool
	// Head is the request's head, on plain routes as the target should see it,
	// and Body its body; both leased.
	Head *sluice.Head
	Body []byte
	// ContentType is the body's type (JSON or multipart).
	ContentType string
	// Detail is what the surface's own dialect needs to splice the body; it
	// means nothing to anyone else.
	Detail any
	// Front carries the request over to dialects of other protocols; nil when
	// the operation exists in this one only.
	Front form.Front
	// RequestID and At are set by the gateway behind Surface.Ask: the id of the
	// request and the time when it arrived.
	RequestID string
	At        time.Time
}

// Release gives the memory of the ask back to its surface, if it wants it. The
// exchange is over; nobody uses the ask or its legs afterwards.
func (a *Ask) Release() {
	if r, ok := a.Detail.(Releaser); ok {
		r.Release()
	}
}

// StreamEnder is the detail of an ask whose stream ends in another way than the
// others of its surface do, for instance because its events are numbered.
type StreamEnder interface {
	// StreamError is that of [Surface], for this one answer.
	StreamError(e *sluice.Error, requestID string) []byte
}

// EndsItself reports whether the answer is a stream that an error can end even
// though it does not consist of server-sent events.
func (a *Ask) EndsItself() bool {
	_, ender := a.Detail.(StreamEnder)
	return a.Stream && ender
}

// StreamError renders the bytes that end the stream of this ask when it can no
// longer be completed; see [Surface].
func (a *Ask) StreamError(s Surface, e *sluice.Error, requestID string) []byte {
	if ender, ok := a.Detail.(StreamEnder); ok {
		return ender.StreamError(e, requestID)
	}
	return s.StreamError(e, requestID)
}

// Releaser is a leg, or the detail of an ask, whose memory can serve another
// request. Release is called at most once, when its exchange is over; an
// exchange that panicked leaves it out.
type Releaser interface{ Release() }

// Account is the target of an attempt as a dialect needs it: what is read from
// the snapshot, with the credential opened.
type Account struct {
	Provider *sluice.Provider
	// APIKey is the opened credential; it must never reach a client or a log.
	APIKey string
	// Model is the provider's own name of the model.
	Model string
	// Entry is what the catalogue knows of the model that was asked for; nil when
	// it is not in it.
	Entry *sluice.Model
	// Plan is what the dialect's Prepare made of the account; nil when nobody
	// called it.
	Plan any
}

// Dialect is a protocol that targets speak. Implementations are stateless and
// safe for concurrent use.
type Dialect interface {
	// Name is the value of Provider.Type.
	Name() string
	// Check validates a provider of this dialect beyond Provider.Validate: its
	// base URL, its settings. Errors are [sluice.CodeInvalidRequest] with the
	// field.
	Check(p *sluice.Provider) error
	// Open begins one attempt of an ask at an account, and ends the one before:
	// the legs of an ask may share memory. What the dialect cannot express is [sluice.CodeUnsupported] or [sluice.CodeInvalidRequest].
	Open(ask *Ask, account Account) (Leg, error)
}

// Preparer is a dialect that works out once for each account what does not
// change from one request to the next: addresses, field values.
type Preparer interface {
	// Prepare returns the plan of an account that passed Check, whose Model and
	// Entry are empty. It is immutable and used by many requests at once.
	Prepare(account Account) (plan any, err error)
}

// Leg is one attempt in both directions: the request to the target and the
// answer back to the client's surface. It is used by one goroutine.
type Leg interface {
	// Request fills in method, scheme, address, target, fields and body of the
	// call; timeouts are the gateway's.
	Request(call *sluice.Call) error
	// Outbound answers in process instead of over the network when it is not
	// nil (the demo provider).
	Outbound() sluice.Outbound
	// Failure classifies an answer that is not a success: the error that the
	// client is shown if no other target is tried. body is at most 64 KiB of
	// it. Credentials, URLs and account names are scrubbed.
	Failure(h *sluice.RespHead, body []byte) *sluice.Error
	// Begin looks at the head of a success and sets the head for the client:
	// status and allow-listed fields. An error makes the attempt a failure.
	Begin(h *sluice.RespHead, out *sluice.RespHead) error
	// Feed takes the next piece from the target and returns what the client
	// gets, possibly nothing; the result is leased until the next call and may
	// alias b. An error before anything was returned makes the attempt a
	// failure that another target may mend; later it ends the stream. Bytes and
	// an error are never returned together.
	Feed(b []byte) ([]byte, error)
	// Finish is called at the end of the target's body and returns what is
	// left. [sluice.CodeProviderError] when the answer was not whole.
	Finish() ([]byte, error)
	// Usage returns what the target stated so far, or a bounded estimate of
	// what was delivered so far. It may be called at any time.
	Usage() (sluice.Usage, sluice.UsageSource)
}

// Completer is a leg that can tell that what Feed returned last ends the answer:
// the gateway writes down what it costs before that piece leaves. An answer whose
// end cannot be told before the target's body ends is held back by Finish.
type Completer interface {
	// Complete reports whether the piece returned last ends the answer, for a
	// client that reads no further than the protocol's own end.
	Complete() bool
}

// Complete reports whether the piece that leg returned last ends the answer; see
// [Completer]. Legs that wrap another one ask by it.
func Complete(leg Leg) bool {
	c, ok := leg.(Completer)
	return ok && c.Complete()
}

// Retryable reports whether another target may mend the failure: connection
// faults, timeouts, 429, 5xx, and faults of the operator's own credential do;
// what the client got wrong does not.
func Retryable(e *sluice.Error) bool {
	switch e.Code {
	case sluice.CodeProviderError, sluice.CodeTimeout, sluice.CodeProviderRate, sluice.CodeProviderQuota,
		sluice.CodeProviderAuth, sluice.CodeProviderModel, sluice.CodeUnavailable:
		return true
	}
	return false
}
