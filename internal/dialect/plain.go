package dialect

import (
	"sync"

	"github.com/sluicegate/sluice"
)

// Plain is the surface of plain services ([sluice.SurfaceHTTP]): any method and
// path, a body that nobody reads, and errors in Sluice's own format (feature
// I6). The zero value is ready.
type Plain struct{}

var _ Surface = Plain{}

// Name returns [sluice.SurfaceHTTP].
func (Plain) Name() string { return sluice.SurfaceHTTP }

// Operation accepts everything: what a service offers is its own business.
func (Plain) Operation(_, path string) (Operation, error) { return Operation{Path: path}, nil }

// ReadsBody reports false: bodies are streamed.
func (Plain) ReadsBody() bool { return false }

// Ask returns an ask with the operation and the head only.
func (Plain) Ask(op Operation, h *sluice.Head, body []byte) (*Ask, error) {
	a := plainAsks.Get().(*plainAsk)
	a.ask = Ask{Surface: sluice.SurfaceHTTP, Operation: op, Choices: 1, Head: h, Body: body, Detail: a}
	return &a.ask, nil
}

// plainAsk is an ask whose memory is used again.
type plainAsk struct{ ask Ask }

// plainAsks are those that no exchange uses.
var plainAsks = sync.Pool{New: func() any { return new(plainAsk) }}

// Release implements [Releaser].
func (a *plainAsk) Release() {
	a.ask = Ask{}
	plainAsks.Put(a)
}

// Error renders the error as Sluice's own JSON object.
func (Plain) Error(e *sluice.Error, requestID string) (string, []byte) {
	return "application/json", e.JSON(requestID)
}

// StreamError returns nil: nothing is known of the body, so it is broken off.
func (Plain) StreamError(*sluice.Error, string) []byte { return nil }

// Models returns an empty list: plain services have no models.
func (Plain) Models([]*sluice.Model) []byte { return []byte("[]") }

// Model returns null, for the same reason.
func (Plain) Model(*sluice.Model) []byte { return []byte("null") }
